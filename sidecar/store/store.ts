// What the rest of the sidecar may ask of the store. All of it is synchronous and in memory; the disk follows behind.
import type {
  Binding,
  BindingData,
  BindingState,
  ChangeNumber,
  Family,
  LogicalSeconds,
  UnixSeconds,
} from '../binding.ts'

/** How far the feed has been followed. Written in the same batch as the changes it covers. */
export interface FeedPosition {
  /** Hex of the hook's epoch; empty = never followed. */
  readonly epoch: string
  /** Every event up to this number is in the store. */
  readonly seq: number
  /** A gap, a new epoch or a first start was seen, and no complete walk since. */
  readonly walkPending: boolean
}

/**
 * The former holder of an address, or a former length of a prefix: told as ended to those who select by what it was,
 * with the old holder's data only.
 */
export interface Departure extends BindingData {
  readonly changedAt: LogicalSeconds
  readonly changeNumber: ChangeNumber
}

export type Change =
  | { readonly kind: 'binding'; readonly binding: Binding }
  | { readonly kind: 'departure'; readonly departure: Departure }

export interface ChangeBatch {
  readonly changes: readonly Change[]
  /** Every change up to this number has been looked at; read on from here. */
  readonly through: ChangeNumber
  /** `through` is the newest change. */
  readonly atEnd: boolean
}

export interface BindingStore {
  readonly family: Family

  // ---- bindings
  get(address: Uint8Array): Binding | undefined
  /**
   * As {@link get}, without a copy: one object for all calls, its octet fields views of the store's own memory. Good until
   * the next peek or change; its fields may go into the {@link put} of the same address.
   */
  peek(address: Uint8Array): Binding | undefined
  /**
   * Stores `data` as a change now: the binding's entry moves to the end of the change index. Where the holder, the length
   * or another selecting attribute (relay-id, remote-id, subnet) changes, the old value gets a departure.
   * The caller has decided that this is a change; an equal value is a change too (a replayed event).
   */
  put(data: BindingData, at: LogicalSeconds): ChangeNumber
  /**
   * Bindings held by this client (state active), longest linked first; at most `visit` of its bindings are
   * looked at, since a client may hold any number.
   */
  heldBy(clientId: Uint8Array, visit?: number): Binding[]
  /** How many bindings are in each state. */
  readonly counts: ReadonlyMap<BindingState, number>

  // ---- the change index: exactly one entry a binding, in order of change number, and departures
  readonly newestChange: ChangeNumber
  /** Changes with a number above this one include every one whose change time is `at` or later. */
  before(at: LogicalSeconds): ChangeNumber
  /** Reads on from `after`: at most `limit` changes, and at most `visit` entries looked at. */
  changesAfter(after: ChangeNumber, limit: number, visit?: number): ChangeBatch
  /** Newest number that pruning took away; a reader that has not passed it has missed an end. */
  readonly prunedThrough: ChangeNumber
  /** Second on L from which the index is complete; undefined until a first walk has ended. */
  readonly horizon: LogicalSeconds | undefined
  /** The index is complete from `at` on, and not before. Never moves back. */
  raiseHorizon(at: LogicalSeconds): void
  /** Drops ended bindings and departures that retention no longer keeps; bounded work a call. Returns how many. */
  prune(now: LogicalSeconds): number

  // ---- walks: which bindings a walk has met
  /** Begins a new round of marks; every older mark is void. */
  clearMarks(): void
  mark(address: Uint8Array): void
  /** Active bindings without a mark, at most `limit`, reading on from `from` (0 = the beginning); next 0 = done. */
  unmarked(from: number, limit: number): { readonly bindings: readonly Binding[]; readonly next: number }

  // ---- time
  /** Active bindings whose lease ended at `before` (Kea's clock) or earlier; bounded work a call, repeated calls see all. */
  overdue(before: UnixSeconds): Binding[]

  // ---- disk
  position: FeedPosition
  /** Resolves when all that was put so far is on disk, or rejects with what failed. */
  flush(): Promise<void>
  /** Flushes, notes the clean stop, closes. */
  close(): Promise<void>
}
