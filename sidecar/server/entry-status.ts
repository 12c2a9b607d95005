// How it stands with those whom each entry of `requesters` speaks for, taken together: an operator names who matters there,
// and what is counted by entry has as many series as he has written, however many connect.
import type { Requester } from '../config-requesters.ts'
import { entryKey } from './allow-list.ts'
import { type RequestorStatus, viewOf } from './requestor-status.ts'

/** Entries told of one by one: the first. The others are told of as one, {@link OTHERS}. */
export const MAX_ENTRIES = 100
export const OTHERS = '(others)'

export interface EntryStatus {
  /** Its certificate, or its address or network. */
  readonly entry: string
  /** What it lets see, and ask: "active and bulk". */
  readonly view: string
  readonly asks: string
  /** Connections, and those of them with an Active query that has caught up. */
  readonly connections: number
  readonly caughtUp: number
  /** Of the connection that is farthest behind, or blocked for longest. */
  readonly lagChanges: number
  readonly lagSeconds: number
  readonly blockedSeconds: number
}

/** @param connections with the entry that speaks for each */
export function entriesOf(
  requesters: readonly Requester[],
  connections: readonly { readonly requester: Requester; readonly status: RequestorStatus }[],
): readonly EntryStatus[] {
  const byEntry = new Map<string, RequestorStatus[]>(requesters.map((entry) => [entryKey(entry), []]))
  for (const { requester, status } of connections) byEntry.get(entryKey(requester))?.push(status)
  const entries: EntryStatus[] = []
  const others: RequestorStatus[] = []
  for (const requester of requesters) {
    // The first of two that are alike speaks for whom they match.
    const own = byEntry.get(entryKey(requester))
    if (own === undefined) continue
    byEntry.delete(entryKey(requester))
    if (entries.length === MAX_ENTRIES) others.push(...own)
    else {
      const asks = requester.queries.join(' and ')
      entries.push({ entry: entryName(requester), view: viewOf(requester), asks, ...together(own) })
    }
  }
  const areAll = requesters.length <= MAX_ENTRIES
  return areAll
    ? entries
    : [...entries, { entry: OTHERS, view: 'several', asks: 'several', ...together(others) }]
}

function together(of: readonly RequestorStatus[]): Omit<EntryStatus, 'entry' | 'view' | 'asks'> {
  const most = (numbers: readonly number[]) => numbers.reduce((one, other) => Math.max(one, other), 0)
  return {
    connections: of.length,
    caughtUp: of.filter(({ phase }) => phase === 'live').length,
    lagChanges: most(of.map(({ lagChanges }) => lagChanges)),
    lagSeconds: most(of.map(({ lagSeconds }) => lagSeconds)),
    blockedSeconds: most(of.map(({ blockedSeconds }) => blockedSeconds ?? 0)),
  }
}

function entryName({ certificate, network }: Requester): string {
  return certificate ?? `${network!.address}/${network!.prefixLength}`
}
