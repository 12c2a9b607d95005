// How it stands with the service and those it serves: plain values, for whoever watches.
import type { LogicalSeconds } from '../binding.ts'
import type { ServiceConfig } from '../config.ts'
import type { Requester } from '../config-requesters.ts'
import type { Phase } from '../session/phases.ts'
import type { EntryStatus } from './entry-status.ts'
import type { Place } from './listener.ts'
import type { Refusal } from './refusals.ts'
import type { ServiceCounts } from './service-counters.ts'
import type { Ending } from './tls-files.ts'

/** Connections told of one by one: the oldest. All are counted. */
export const MAX_LISTED = 256

export interface QueryStatus {
  readonly query: 'active' | 'bulk'
  /** What a Bulk query selects by. */
  readonly by: string | null
  /** Start time asked for. */
  readonly since: LogicalSeconds | null
  readonly seconds: number
}

export interface RequestorStatus {
  /** Its number in the log. */
  readonly conn: number
  readonly address: string
  readonly port: number
  /** Names in its certificate; null before TLS is up, and without it. */
  readonly certificate: string | null
  /** The entry of `requesters` that permits it; empty before TLS is up, where none permits its address. */
  readonly entry: string
  /** What that entry lets it see, in words. */
  readonly view: string
  readonly phase: Phase
  readonly queries: readonly QueryStatus[]
  readonly connectedSeconds: number
  /** Changes that an Active query has yet to look at. */
  readonly lagChanges: number
  /** Seconds by which it is behind, once it has caught up. */
  readonly lagSeconds: number
  /** Seconds since the connection took messages last, where some wait; null = none do. */
  readonly blockedSeconds: number | null
  /** Sent so far. */
  readonly messages: number
  readonly octets: number
  /** Octets of these that the kernel has not taken yet. */
  readonly waitingOctets: number
}

export interface ServiceStatus {
  /** The parameters in force; null = none were ever accepted. */
  readonly config: {
    /** `feed`: Kea said so; `store`: accepted by an earlier run. */
    readonly source: 'feed' | 'store'
    /** Entries of `requesters`. */
    readonly requesters: number
    readonly active: boolean
    readonly bulk: boolean
    readonly tls: 'required' | 'off'
    readonly maxConnections: number
  } | null
  /** Newer parameters were refused, for this reason; those in force are older. */
  readonly refusedConfig: { readonly parameter: string; readonly text: string } | null
  /** Active queries are refused: Kea has been silent for too long. */
  readonly suspended: boolean
  /** Where it listens now, and on how many places it should. */
  readonly places: readonly Place[]
  readonly wantedPlaces: number
  /** What of the TLS files ends when (Unix milliseconds), what is wrong with them, and whether there is a certificate to serve with. */
  readonly tls: {
    readonly ready: boolean
    readonly problem: string | null
    readonly ends: readonly Ending[]
  }
  /** All connections, those that wait for TLS included. */
  readonly connections: number
  /** The first {@link MAX_LISTED} of them. */
  readonly requestors: readonly RequestorStatus[]
  /** The same by entry of `requesters`, all connections. */
  readonly entries: readonly EntryStatus[]
  /** Queries that are being answered. */
  readonly running: Readonly<Record<'active' | 'bulk', number>>
  /** Since the start. */
  readonly counts: ServiceCounts
  /** Whom it refused lately. */
  readonly refusals: readonly Refusal[]
}

/** The scope of an entry in words, without the ids: those of relays may name people. */
export function viewOf({ subnets, relayIds, remoteIds }: Requester): string {
  const parts = [
    count(subnets.length, 'subnet'),
    count(relayIds.length, 'relay-id'),
    count(remoteIds.length, 'remote-id'),
  ].filter((part) => part !== '')
  return parts.length === 0 ? 'all bindings' : parts.join(', ')
}

function count(n: number, what: string): string {
  return n === 0 ? '' : `${n} ${what}${n === 1 ? '' : 's'}`
}

export function configStatus(
  { requesters, active, bulk, tls, maxConnections }: ServiceConfig,
  source: 'feed' | 'store',
): ServiceStatus['config'] {
  return { source, requesters: requesters.length, active, bulk, tls: tls.mode, maxConnections }
}

export function runningOf(requestors: readonly RequestorStatus[]): ServiceStatus['running'] {
  const queries = requestors.flatMap(({ queries }) => queries)
  const active = queries.filter(({ query }) => query === 'active').length
  return { active, bulk: queries.length - active }
}
