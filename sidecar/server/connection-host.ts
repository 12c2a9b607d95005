// What stands on both sides of a connection: the session that decides, and the service that it belongs to.
import type { LogicalSeconds } from '../binding.ts'
import type { Requester } from '../config-requesters.ts'
import type { ActiveProgress } from '../session/active-run.ts'
import type { Phase } from '../session/phases.ts'
import type { Action, Input, Moment, Rights, ScanQuery } from '../session/session-io.ts'
import type { OpenBulk } from './bulk-reader.ts'
import type { Connection } from './connection.ts'
import type { Refused } from './refused.ts'
import type { ServiceCounters } from './service-counters.ts'
import type { SecuredPeer, TlsUpgrader } from './tls.ts'
import type { Turns } from './turns.ts'

/** What a connection needs of a session; Session in session/ is one. */
export interface SessionLike {
  handle(input: Input, moment: Moment): readonly Action[]
  /** Monotonic milliseconds at which it wants `deadline`; undefined = never. */
  deadline(): number | undefined
  readonly phase: Phase
  activeProgress(now: LogicalSeconds): ActiveProgress | undefined
}

/** What a connection asks of the service it belongs to. */
export interface ConnectionHost {
  readonly turns: Turns
  readonly counters: ServiceCounters
  moment(): Moment
  /**
   * Where a query begins; `later`: it cannot be said yet, ask again in a moment.
   * @param waitedMs since it was asked first
   */
  open(
    since: number | undefined,
    requester: Requester,
    waitedMs: number,
  ): Extract<Input, { type: 'opened' | 'terminate' }> | 'later'
  writeChanges(asked: Extract<Action, { type: 'write-changes' }>): Extract<Input, { type: 'written' }>
  /**
   * Begins to look for what a Bulk query asks for; `later`: it cannot be said yet whether that can be done, ask again in a
   * moment.
   * @param waitedMs since it was asked first
   */
  openBulk(query: ScanQuery, requester: Requester, waitedMs: number): OpenedBulk | 'later'
  /** undefined: there is no certificate to start TLS with. */
  readonly tls: TlsUpgrader | undefined
  /** TLS is up: the entry that permits this peer, with its rights, or why it is not served. */
  secured(connection: Connection, peer: SecuredPeer): { requester: Requester; rights: Rights } | Refused
  /** It, or what it asked for, was refused. */
  refused(connection: Connection, reason: string): void
  closed(connection: Connection): void
}

export type OpenedBulk =
  | {
      readonly bulk: OpenBulk
      /** Second from which the index is complete. */
      readonly horizon: LogicalSeconds
    }
  | { readonly refused: string }
