// All that a replica knows about one binding, in one row: what each server told last, and what each receiver was handed.
// Pure: a row in, a row out. What differs between the two is what has to be delivered.
import type { BindingJson } from '../binding-json.ts'
import { compareRecords, type ServerRecord } from './better.ts'

export interface KeptRecord extends ServerRecord {
  /** Number of the Bulk run that was the newest when it was told; see Position. */
  readonly generation: number
  /** Told by an active query: newer than all that the Bulk run of that number tells. */
  readonly byActive: boolean
}

export interface Row {
  /** By number of the server. Ended ones stay only beside live ones of others. */
  readonly servers: Readonly<Record<string, KeptRecord>>
  /** By number of the receiver. */
  readonly receivers: Readonly<Record<string, Handed>>
}

export interface Handed {
  /** What the receiver has; undefined = nothing. */
  readonly told: BindingJson | undefined
  /** Its place in the receiver's queue; undefined = not in it. */
  readonly queued: number | undefined
  /** It was handed over and not acknowledged: the receiver may have taken it all the same. */
  readonly tried?: BindingJson | undefined
}

export const NO_ROW: Row = { servers: {}, receivers: {} }

/** The binding as it stands, by the best record; undefined = there is none, or it has ended. */
export function currentOf(row: Row, now: number): BindingJson | undefined {
  let best: KeptRecord | undefined
  for (const record of Object.values(row.servers)) {
    if (best === undefined || compareRecords(record, best, now) < 0) best = record
  }
  return best?.active ? best.binding : undefined
}

/**
 * The row after a server told `record`; the same row where it says nothing new.
 * @param keepEnded a Bulk answer is on its way, which may hold older words about what has ended
 */
export function withRecord(row: Row, server: number, record: KeptRecord, keepEnded: boolean): Row {
  const before = row.servers[server]
  if (before !== undefined && !record.byActive) {
    const newer = before.generation > record.generation
    // While a Bulk answer is on its way the active query goes on: what it told is never older.
    if (newer || (before.generation === record.generation && before.byActive)) return row
  }
  // What is not known and does not live is no news, unless a Bulk answer may still hold older words that it lives.
  if (before === undefined && !record.active && isBare(row) && !(keepEnded && record.byActive)) return row
  return settled({ ...row, servers: { ...row.servers, [server]: record } }, keepEnded)
}

/** The row without what run `generation` of `server` should have told and did not; the same row if it did. */
export function withoutUntold(row: Row, server: number, generation: number, keepEnded: boolean): Row {
  const before = row.servers[server]
  if (before === undefined || before.generation >= generation) return settled(row, keepEnded)
  const { [server]: _, ...servers } = row.servers
  return settled({ ...row, servers }, keepEnded)
}

function isBare(row: Row): boolean {
  for (const _ in row.servers) return false
  return true
}

/** Ended records are kept as long as another server says that the binding lives, which may be older. */
function settled(row: Row, keepEnded: boolean): Row {
  if (keepEnded || isBare(row)) return row
  return Object.values(row.servers).some(({ active }) => active) ? row : { ...row, servers: {} }
}

export type Change =
  | { readonly change: 'added'; readonly binding: BindingJson; readonly before: undefined }
  | { readonly change: 'changed'; readonly binding: BindingJson; readonly before: BindingJson }
  | { readonly change: 'removed'; readonly binding: BindingJson; readonly before: undefined }

/** What a receiver that has `told` must be handed to have `current`; undefined = nothing. */
export function changeBetween(
  told: BindingJson | undefined,
  current: BindingJson | undefined,
  renewals: boolean,
): Change | undefined {
  if (current === undefined) {
    return told === undefined ? undefined : { change: 'removed', binding: told, before: undefined }
  }
  if (told === undefined) return { change: 'added', binding: current, before: undefined }
  return alike(told, current, renewals) ? undefined : { change: 'changed', binding: current, before: told }
}

/** What must be handed to a receiver; one that may have taken what it did not acknowledge is told how it stands in any case. */
export function changeFor(
  handed: Handed | undefined,
  current: BindingJson | undefined,
  renewals: boolean,
): Change | undefined {
  const { told, tried } = handed ?? {}
  if (tried === undefined) return changeBetween(told, current, renewals)
  if (current === undefined) return { change: 'removed', binding: tried, before: undefined }
  if (told === undefined) return { change: 'added', binding: current, before: undefined }
  return { change: 'changed', binding: current, before: told }
}

/** Seconds by which one time may differ when it is told twice: whole seconds of two clocks. */
const GRAIN = 2
const times = ['expires', 'preferred-until', 'last-transaction', 'state-since'] as const

function alike(a: BindingJson, b: BindingJson, renewals: boolean): boolean {
  const bare = (binding: BindingJson) => {
    // Who told it is no property of the binding.
    const { expires: _, server: _s, remote: _r, ...rest } = binding
    return JSON.stringify({ ...rest, 'preferred-until': 0, 'last-transaction': 0, 'state-since': 0 })
  }
  if (bare(a) !== bare(b)) return false
  if (!renewals) return true
  return times.every((name) => {
    const [one, other] = [a[name], b[name]]
    if (typeof one !== 'number' || typeof other !== 'number') return one === other
    return Math.abs(one - other) <= GRAIN
  })
}

/** Nothing in it is worth a place on the disk. */
export function isEmpty(row: Row): boolean {
  return (
    Object.keys(row.servers).length === 0 &&
    Object.values(row.receivers).every(({ told, queued }) => told === undefined && queued === undefined)
  )
}
