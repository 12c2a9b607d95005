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
import type { BindingView } from './view.ts'

/** How far the feed has been followed. Written in the same batch as the changes it covers. */
export interface FeedPosition {
  /** Hex of the hook's epoch; empty = never followed. */
  readonly epoch: string
  /** Every event up to this number is in the store. */
  readonly seq: number
  /** A gap, a new epoch or a first start was seen, and no complete walk since. */
  readonly walkPending: boolean
  /**
   * The latest second on Kea's clock at which leases were taken for ended without a word of Kea; absent = none were. Where
   * Kea's clock is behind it, they may be in force again.
   */
  readonly judgedAt?: UnixSeconds
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

/**
 * What a Bulk query selects by. Relay-ids and remote-ids are compared as {@link relaySelectors} finds them: in DHCPv6 at
 * any hop, remote-ids with their enterprise number before them (RFC 4649 section 3).
 */
export type BulkSelector =
  | { readonly by: 'all' }
  /** DHCPv4 alone (RFC 6926 section 7.2.1); an empty address selects nothing. */
  | { readonly by: 'hardware-address'; readonly hardwareType: number; readonly hardwareAddress: Uint8Array }
  /** DHCPv4 option 61, or the DUID. */
  | { readonly by: 'client-id'; readonly clientId: Uint8Array }
  | { readonly by: 'relay-id'; readonly relayId: Uint8Array }
  | { readonly by: 'remote-id'; readonly remoteId: Uint8Array }
  /** DHCPv6 alone: the subnets of a link. */
  | { readonly by: 'subnets'; readonly subnetIds: readonly number[] }
  /** The binding of this very address, and the delegated prefixes that contain it, the longest first (RFC 5007 section 4.1.2.1). */
  | { readonly by: 'address'; readonly address: Uint8Array }

/**
 * Changed at or after `start` and at or before `end`, both on L and inclusive (RFC 6926 sections 6.2.5 and 6.2.6). A
 * binding lies in the window by the second of its change, of its client's last transaction, or of its state.
 */
export interface ChangeWindow {
  readonly start?: LogicalSeconds | undefined
  readonly end?: LogicalSeconds | undefined
  /** Seconds by which Kea's clock is ahead of L now; relates the two times that are on Kea's clock. */
  readonly keaAhead?: number | undefined
}

export interface BulkScanOptions {
  /** Only what changed in this window; scanned by the change index where that is shorter. */
  readonly window?: ChangeWindow | undefined
  /**
   * With a window: also departures that lie in it and that the selector finds, or these only. For DHCPv6; DHCPv4 tells of
   * an address once.
   */
  readonly departures?: boolean | 'only' | undefined
  /**
   * What else has to hold, asked of each candidate before it is copied. The argument is a view as that of
   * {@link BindingStore.peek}: to be read, not kept.
   */
  readonly where?: ((data: BindingView) => boolean) | undefined
  /**
   * Deals with a binding that was found, where it lies: true = it is not copied and does not come in a slice. For bindings
   * only, not for departures.
   */
  readonly take?: ((data: BindingView) => boolean) | undefined
}

/** Scans open at a time: each may take a bit for each binding. */
export const MAX_BULK_SCANS = 256

export interface BulkSlice {
  /** In no set order, but a departure never after the binding that now has its address. */
  readonly changes: readonly Change[]
  /** Records looked at. */
  readonly visited: number
  /** All has been given. */
  readonly done: boolean
}

/**
 * One Bulk query's way through the store, in slices, while the store changes (RFC 6926 section 8.2). Every binding that the
 * selector finds from opening to end comes exactly once, as it is when it is read, whatever else is put, linked anew and
 * pruned meanwhile. One that comes into the selection, or leaves it, meanwhile may come or not; what does not match when
 * it is read never comes; no address comes twice as a binding.
 */
export interface BulkScan {
  /** Newest change when the scan was opened. */
  readonly openedAt: ChangeNumber
  /** At most `limit` changes after at most `visit` records looked at, both at least 1. */
  next(limit: number, visit?: number): BulkSlice
  /**
   * This binding has been told along with another one (DHCPv6: one message a client and link), so the scan
   * need not give it. What is not settled so is given, also where its client's group has been told before it joined it.
   */
  settle(which: Uint8Array | BindingView): void
  /**
   * Pruning took ends that the window of this scan asks for before it came by them: in a window that began at or after
   * the horizon something is now missing.
   */
  readonly overtaken: boolean
  /** To be called in any case, also before the end: an open scan costs changes time and memory. Further calls do nothing. */
  close(): void
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
  /** These are about to be looked up or put: together they are found sooner than one after the other. */
  expect(addresses: readonly Uint8Array[]): void
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
  /**
   * Active bindings and declined addresses without a mark, at most `limit`, reading on from `from` (0 = the beginning);
   * next 0 = done.
   */
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

/**
 * Takes a change that is shown; false: no more.
 * @param next not later than the change time of any change behind it; undefined = there is none
 */
export type TakeChange = (
  change: BindingView,
  isDeparture: boolean,
  next: LogicalSeconds | undefined,
) => boolean

/** A store that answers Bulk queries too. */
export interface BulkStore extends BindingStore {
  /**
   * Opens a scan for a Bulk query; its cost is that of what it returns, where the selector is not `all`. Undefined: as many
   * scans are open as may be ({@link MAX_BULK_SCANS}); to be tried again when one was closed.
   *
   * DHCPv4's query for all configured addresses needs no order by address: walk the configured ranges with {@link BindingStore.peek},
   * then scan `all` with `where` leaving out what lies in the ranges. Each address comes once, without sorting anything.
   */
  openBulkScan(selector: BulkSelector, options?: BulkScanOptions): BulkScan | undefined
  /** As in {@link BindingStore.peek}. */
  peek(address: Uint8Array): BindingView | undefined
  /**
   * Shows the changes above `after` and not above `through`, in order and where they lie, until `take` says that it was the
   * last or `visit` entries were looked at.
   * @returns the number up to which all has been looked at
   */
  walkChanges(after: ChangeNumber, through: ChangeNumber, visit: number, take: TakeChange): ChangeNumber
  /**
   * Other bindings of the client, whatever their state, as {@link heldBy} orders them and where they lie: good until the next call.
   * Undefined: there are more than `most`.
   */
  besides(binding: BindingView, most: number): readonly BindingView[] | undefined
}
