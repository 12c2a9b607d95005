// What the service of one family is made of and stands among, and what it has to tell.
import type { Family, LogicalSeconds, UnixSeconds } from '../binding.ts'
import type { ServiceConfig } from '../config.ts'
import type { ListenOverride } from '../daemon-flags.ts'
import type { Log } from '../log.ts'
import type { Moment, SessionSettings } from '../session/session-io.ts'
import type { BulkStore } from '../store/store.ts'
import type { SessionLike } from './connection-host.ts'
import type { ServiceMemory } from './service-memory.ts'
import type { AvailableTlsEngine } from './tls-engine.ts'
import type { TlsPlaces } from './tls-files.ts'

/** What the operator should know; goes to Kea's log and status with the follower's report. */
export interface Problem {
  /** Parameter in kea.conf; empty = none in particular. */
  readonly parameter: string
  readonly text: string
}

export interface RequestorServiceParts {
  readonly family: Family
  readonly store: BulkStore
  /** The logical clock L, as far as sessions may see it: see Moment.now. */
  readonly now: () => LogicalSeconds
  /** Kea's clock; the host's own until Kea has been heard. */
  readonly keaNow: () => UnixSeconds
  readonly createSession: (settings: SessionSettings, moment: Moment) => SessionLike
  readonly memory: ServiceMemory
  readonly log: Log
  /** `--listen`: instead of what kea.conf says. */
  readonly listen?: readonly ListenOverride[] | undefined
  /** `--require-tls` */
  readonly requireTls?: boolean
  /** `--tls-ca`, `--tls-cert`, `--tls-key` */
  readonly tlsFiles?: Partial<TlsPlaces>
  /** What makes TLS records for DHCPv4, or why it is missing; otherwise what can be loaded. */
  readonly tlsEngine?: AvailableTlsEngine
  /** New parameters are in force. */
  readonly onConfig?: (config: ServiceConfig) => void
  /** Something in `problems` or the number of connections has changed. */
  readonly onStatus?: () => void
  /**
   * The horizon says how far the history reaches back. False: changes shown before a crash may have been lost; start times
   * wait for the proof that they were not, and get DataMissing without it.
   */
  readonly indexTrusted: () => boolean
  /** A base-time of before the clock began anew: nothing can be told by it. */
  readonly disowns?: (at: LogicalSeconds) => boolean
  /** The store may lack what happened in Kea: its leases are still to be compared, all of them. */
  readonly walkPending: () => boolean
}
