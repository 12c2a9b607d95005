// The store as it serves: bindings, departures, the change index, chains and marks. All synchronous, no disk.
import {
  type Binding,
  type BindingData,
  BindingState,
  type ChangeNumber,
  type Family,
  type LogicalSeconds,
  type UnixSeconds,
} from '../binding.ts'
import { Flag, Word } from '../record-words.ts'
import { BindingTable, checkRecord } from './binding-table.ts'
import { BulkScans } from './bulk-scan.ts'
import { ChangeIndex } from './change-index.ts'
import { Departures } from './departures.ts'
import { sameSelectors } from './indexes.ts'
import { KeyedHash } from './keyed-hash.ts'
import { Marks, OverdueSearch } from './marks.ts'
import type { OrdinalList } from './ordinals.ts'
import { PrefixLengths } from './prefix-lengths.ts'
import { ReadAhead } from './read-ahead.ts'
import {
  DEFAULT_RETENTION,
  horizonAfter,
  type PruneReason,
  pruneReason,
  type Retention,
} from './retention.ts'
import { ALL_CHAINS, CLIENT_CHAIN, SelectorChains } from './selector-chains.ts'
import type { BulkScan, BulkScanOptions, BulkSelector, Change, ChangeBatch, TakeChange } from './store.ts'
import { Unwritten } from './unwritten.ts'
import { BindingView } from './view.ts'

// Bounds of one call, so that none holds the event loop for more than a few milliseconds.
const DEFAULT_VISIT = 16_384
const PRUNE_VISIT = 32_768
const PRUNE_REMOVALS = 4096

/** Chains that are made while loading: in DHCPv6 who follows changes is shown what else the client holds. */
const ALONG = { 4: 0, 6: CLIENT_CHAIN } as const

export interface MemoryOptions {
  readonly retention?: Partial<Retention> | undefined
  /** A call of prune() has taken ends for their number, not for their age: the horizon has moved before its time. */
  readonly onPrunedByCount?: (() => void) | undefined
  readonly hash?: KeyedHash
}

export class Memory {
  readonly family: Family
  readonly table: BindingTable
  readonly unwritten: Unwritten
  readonly index = new ChangeIndex()
  #retention: Retention
  readonly #onPrunedByCount: () => void
  readonly chains: SelectorChains
  readonly #scans: BulkScans
  readonly #departures: Departures
  readonly #counts = new Map<BindingState, number>()
  /** Ends that pruning dropped since the start, by why they had to go. */
  readonly forgotten: Record<PruneReason, number> = { age: 0, count: 0 }
  readonly #lengths: PrefixLengths
  #endedBindings = 0
  #newestAt: LogicalSeconds = 0
  #prunedThrough: ChangeNumber = 0
  #horizon: LogicalSeconds | undefined
  #horizonFloor: LogicalSeconds = 0
  #pruneFrom: ChangeNumber = 0
  /** Bindings from here up to {@link #unchainedEnd} may be in no chain but one of {@link ALONG}. */
  #unchained = 1
  #unchainedEnd = 0
  readonly #marks: Marks
  readonly #overdue: OverdueSearch
  #peeked: BindingView | undefined
  #walked: BindingView | undefined
  readonly #besides: BindingView[] = []
  readonly #ahead: ReadAhead

  constructor(family: Family, options: MemoryOptions = {}) {
    this.family = family
    const hash = options.hash ?? new KeyedHash()
    const { seconds, maxEnded } = { ...DEFAULT_RETENTION, ...options.retention }
    this.#retention = { seconds, maxEnded }
    this.#onPrunedByCount = options.onPrunedByCount ?? (() => {})
    this.table = new BindingTable(family, hash)
    this.unwritten = new Unwritten(this.table)
    this.#departures = new Departures(this.table, hash)
    this.chains = new SelectorChains(this.table, hash)
    this.#scans = new BulkScans(this)
    this.#ahead = new ReadAhead(this.table, this.index)
    this.#lengths = new PrefixLengths(this.table)
    this.#marks = new Marks(this.table)
    this.#overdue = new OverdueSearch(this.table)
    for (const state of Object.values(BindingState)) this.#counts.set(state, 0)
  }

  // ---- bindings

  get(address: Uint8Array): Binding | undefined {
    const ordinal = this.table.find(address)
    return ordinal === 0 ? undefined : this.table.read(ordinal)
  }

  peek(address: Uint8Array): BindingView | undefined {
    this.#peeked ??= this.view()
    return this.seek(this.#peeked, address) ? this.#peeked : undefined
  }

  expect(addresses: readonly Uint8Array[]): void {
    if (this.table.size > 0) this.#ahead.bindings(addresses)
  }

  /** A view to be set on records by {@link BindingView.ordinal} or {@link seek}. */
  view(): BindingView {
    return new BindingView(this.table)
  }

  /** Sets `view` on the binding of this address. */
  seek(view: BindingView, address: Uint8Array): boolean {
    view.ordinal = this.table.find(address)
    return view.ordinal !== 0
  }

  put(data: BindingData, at: LogicalSeconds): ChangeNumber {
    if (!(at >= this.#newestAt && at <= 0xffffffff)) {
      throw new RangeError(`change at second ${at} after one at second ${this.#newestAt}`)
    }
    checkRecord(data)
    const { table, index } = this
    let ordinal = table.find(data.address)
    let relink = ALL_CHAINS
    let keepsOctets = false
    if (ordinal === 0) {
      this.#dropDeparture(data)
      ordinal = this.#allocate(data.address, 0)
      table.enter(ordinal, data.address)
      this.#count(data.state, 1)
      this.#lengths.count(data.prefixLength, 1)
    } else {
      const octets = table.octets.differing(ordinal, data)
      relink = this.chains.differing(ordinal, data, octets)
      const number = table.changeNumber(ordinal)
      this.#scans.moving(ordinal, number)
      const state = table.state(ordinal)
      // Nearly every change is a renewal, in which nothing differs. What does may still select alike.
      if (relink === 0 || sameSelectors(this.family, table.read(ordinal), data)) {
        keepsOctets = octets === 0
        index.clear(number)
      } else {
        this.#dropDeparture(data)
        this.#lengths.count(table.prefixLength(ordinal), -1)
        this.#lengths.count(data.prefixLength, 1)
        this.chains.unlink(ordinal, relink)
        this.#depart(ordinal, data, at)
      }
      if (state !== data.state) {
        this.#count(state, -1)
        this.#count(data.state, 1)
      }
    }
    table.write(ordinal, data, keepsOctets)
    if (relink !== 0) this.chains.link(ordinal, relink)
    this.#newestAt = at
    const number = index.newest + 1
    table.setChange(ordinal, number, at)
    index.append(number, ordinal)
    this.unwritten.changed(ordinal)
    return number
  }

  heldBy(clientId: Uint8Array, visit: number = Number.POSITIVE_INFINITY): Binding[] {
    // A store of DHCPv4 that was just opened has others to ask first: nobody there is told of a client's other bindings.
    if (this.family === 4) this.chainSome(Number.POSITIVE_INFINITY)
    const held: Binding[] = []
    let visited = 0
    for (let at = this.chains.firstOfClient(clientId); at !== 0; at = this.chains.nextOfClient(at)) {
      if (visited++ >= visit) break
      if (this.table.state(at) === BindingState.active) held.push(this.table.read(at))
    }
    return held
  }

  /** See BulkStore.besides(). */
  besides(binding: BindingView, most: number): readonly BindingView[] | undefined {
    const others = this.chains.othersOfClient(binding.ordinal, most)
    if (others === undefined || others.length === 0) return others as undefined | readonly []
    while (this.#besides.length < others.length) this.#besides.push(this.view())
    return others.map((ordinal, i) => {
      const view = this.#besides[i]!
      view.ordinal = ordinal
      return view
    })
  }

  get counts(): ReadonlyMap<BindingState, number> {
    return this.#counts
  }

  /** Bindings that are not active, and departures: what retention counts. */
  get ended(): number {
    return this.#endedBindings + this.#departures.size
  }

  get departures(): number {
    return this.#departures.size
  }

  get departureList(): OrdinalList {
    return this.#departures.list
  }

  /** See BulkStore.openBulkScan(). */
  openBulkScan(selector: BulkSelector, options: BulkScanOptions = {}): BulkScan | undefined {
    return this.#scans.openScan(selector, options)
  }

  /** How many scans for Bulk queries are open. */
  get bulkScans(): number {
    return this.#scans.open
  }

  /** The binding of this address, and the delegated prefixes that contain it, the longest first. */
  covering(address: Uint8Array): number[] {
    return this.#lengths.covering(address)
  }

  // ---- the change index

  get newestChange(): ChangeNumber {
    return this.index.newest
  }

  /** Time of the newest change; 0 = none. */
  get newestAt(): LogicalSeconds {
    return this.#newestAt
  }

  before(at: LogicalSeconds): ChangeNumber {
    return this.index.before(at, (ordinal) => this.table.changedAt(ordinal))
  }

  changesAfter(after: ChangeNumber, limit: number, visit: number = DEFAULT_VISIT): ChangeBatch {
    const changes: Change[] = []
    const { table } = this
    const through = this.index.scan(after, limit, visit, (ordinal) => {
      const record = table.read(ordinal)
      changes.push(
        table.isDeparture(ordinal)
          ? { kind: 'departure', departure: record }
          : { kind: 'binding', binding: record },
      )
    })
    return { changes, through, atEnd: through >= this.index.newest }
  }

  /** See BulkStore.walkChanges(). */
  walkChanges(after: ChangeNumber, through: ChangeNumber, visit: number, take: TakeChange): ChangeNumber {
    const { index, table } = this
    this.#walked ??= this.view()
    const view = this.#walked
    // Shown when it is known what comes behind it.
    let held = 0
    let stopped = false
    const show = (next: LogicalSeconds | undefined): boolean => {
      view.ordinal = held
      return take(view, table.isDeparture(held), next)
    }
    const looked = index.walk(after, through, visit, (ordinal) => {
      stopped = held !== 0 && !show(table.changedAt(ordinal))
      if (!stopped) held = ordinal
      return !stopped
    })
    if (stopped) return table.changeNumber(held)
    if (held !== 0) show(looked === index.newest ? undefined : table.changedAt(held))
    return looked
  }

  /** The bindings that changed last, the newest first; at most `limit`, and fewer where most have changed again since. */
  newest(limit: number): Binding[] {
    const { table } = this
    const bindings: Binding[] = []
    this.index.walkBack(DEFAULT_VISIT, (ordinal) => {
      if (!table.isDeparture(ordinal)) bindings.push(table.read(ordinal))
      return bindings.length < limit
    })
    return bindings
  }

  get prunedThrough(): ChangeNumber {
    return this.#prunedThrough
  }

  get horizon(): LogicalSeconds | undefined {
    return this.#horizon
  }

  /** What pruning alone demands of the horizon, also before there is one. */
  get horizonFloor(): LogicalSeconds {
    return this.#horizonFloor
  }

  raiseHorizon(at: LogicalSeconds): void {
    this.#horizon = Math.max(at, this.#horizon ?? 0, this.#horizonFloor)
    this.unwritten.onWork()
  }

  /**
   * The clock begins anew at `at`, before what it was: later changes become changes of that second, and only start
   * times after it can be answered. In one go, 100 ms for a million changes: nobody may see half of it.
   */
  restartTime(at: LogicalSeconds): void {
    const { index, table } = this
    index.walk(this.before(at + 1), index.newest, Number.POSITIVE_INFINITY, (ordinal) => {
      table.rows.set(ordinal, Word.changedAt, at)
      this.unwritten.changed(ordinal)
      return true
    })
    this.#newestAt = Math.min(this.#newestAt, at)
    this.#horizonFloor = Math.min(this.#horizonFloor, at + 1)
    if (this.#horizon !== undefined) this.#horizon = at + 1
    this.unwritten.onWork()
  }

  get retention(): Retention {
    return this.#retention
  }

  /** Keeps ends by another rule from now on; what is gone does not come back. */
  set retention(retention: Retention) {
    this.#retention = retention
  }

  prune(now: LogicalSeconds): number {
    const { table, index } = this
    const candidates: number[] = []
    const through = index.scan(this.#pruneFrom, PRUNE_REMOVALS, PRUNE_VISIT, (ordinal) => {
      candidates.push(ordinal)
    })
    let dropped = 0
    let isEarly = false
    let isDone = false
    for (const ordinal of candidates) {
      const at = table.changedAt(ordinal)
      const reason = pruneReason(this.#retention, now, at, this.ended)
      isDone = reason === undefined
      if (reason === undefined) break
      const number = table.changeNumber(ordinal)
      // What is active here can only come to an end further on: nothing up to this number will ever have to go.
      this.#pruneFrom = number
      const departure = table.isDeparture(ordinal)
      if (!departure && table.state(ordinal) === BindingState.active) continue
      isEarly ||= reason === 'count'
      if (departure) this.#removeDeparture(ordinal)
      else this.#removeBinding(ordinal)
      this.#prunedThrough = number
      this.#horizonFloor = Math.max(this.#horizonFloor, horizonAfter(at))
      if (this.#horizon !== undefined) this.#horizon = Math.max(this.#horizon, this.#horizonFloor)
      this.forgotten[reason] += 1
      dropped++
    }
    if (!isDone) this.#pruneFrom = Math.max(this.#pruneFrom, through)
    if (isEarly) this.#onPrunedByCount()
    return dropped
  }

  // ---- walks

  clearMarks(): void {
    this.#marks.clear()
  }

  mark(address: Uint8Array): void {
    this.#marks.mark(address)
  }

  unmarked(from: number, limit: number): { readonly bindings: readonly Binding[]; readonly next: number } {
    return this.#marks.unmarked(from, limit)
  }

  // ---- time

  overdue(before: UnixSeconds): Binding[] {
    return this.#overdue.next(before)
  }

  /** All bindings are in all chains. Until then scans look through all bindings instead, which takes longer. */
  get chained(): boolean {
    return this.#unchained > this.#unchainedEnd
  }

  /** Puts the next `count` bindings that were loaded into the chains that loading left out. */
  chainSome(count: number): void {
    const { table } = this
    const end = Math.min(this.#unchained + count - 1, this.#unchainedEnd)
    for (; this.#unchained <= end; this.#unchained++) {
      if (table.isBinding(this.#unchained)) this.chains.link(this.#unchained, ALL_CHAINS)
    }
  }

  // ---- loading: records come in any order but bindings before departures, then the index in order of number

  /** So many records, at most, are about to be adopted. */
  reserve(records: number): void {
    this.table.reserve(records)
    this.chains.reserve(records)
  }

  /** Enters a record that has been filled in from the disk; false = it is of no use and goes. */
  adopt(ordinal: number): boolean {
    const { table } = this
    this.#newestAt = Math.max(this.#newestAt, table.changedAt(ordinal))
    if (table.isDeparture(ordinal)) {
      const departure = table.read(ordinal)
      const binding = table.find(departure.address)
      // Departures are written ahead of bindings: this one's binding has not left yet as far as the disk knows.
      if (binding !== 0 && sameSelectors(this.family, table.read(binding), departure)) {
        table.octets.empty(ordinal)
        this.unwritten.removed(ordinal)
        return false
      }
      this.#departures.enter(ordinal)
      return true
    }
    table.enterStored(ordinal)
    this.chains.link(ordinal, ALONG[this.family])
    this.#unchainedEnd = ordinal
    this.#lengths.count(table.prefixLength(ordinal), 1)
    this.#count(table.state(ordinal), 1)
    table.noteExpiry(ordinal)
    return true
  }

  restore(state: {
    readonly prunedThrough: ChangeNumber
    readonly horizon: LogicalSeconds | undefined
    readonly horizonFloor: LogicalSeconds
  }): void {
    this.#prunedThrough = state.prunedThrough
    this.#horizon = state.horizon
    this.#horizonFloor = state.horizonFloor
    this.index.skipTo(state.prunedThrough)
  }

  // ---- departures

  #allocate(address: Uint8Array, kind: 0 | typeof Flag.departure): number {
    const ordinal = this.table.allocate(address, kind)
    this.#scans.allocated(ordinal)
    return ordinal
  }

  /**
   * Leaves behind what the binding was, for those who select by it. An active holder's end comes now, just before the
   * binding's own change. Where the binding had ended already, that end keeps its place in the index: whoever has not
   * come by it would otherwise never learn of it, since the binding itself moves on under another holder.
   */
  #depart(ordinal: number, next: BindingData, at: LogicalSeconds): void {
    const { table, index } = this
    const departure = this.#allocate(next.address, Flag.departure)
    const number = table.changeNumber(ordinal)
    const active = table.state(ordinal) === BindingState.active
    table.move(ordinal, departure)
    if (active) {
      // Nobody said how it ended. RESET claims least: neither a release by the client nor the lapse of its time.
      const kind = table.rows.get(departure, Word.kind)
      table.rows.set(departure, Word.kind, (kind & ~0xff) | BindingState.reset)
      const since = Math.max(table.rows.get(departure, Word.stateSince), next.stateSince)
      table.rows.set(departure, Word.stateSince, Math.min(since, 0xffffffff))
      index.clear(number)
      table.setChange(departure, index.newest + 1, at)
      index.append(index.newest + 1, departure)
    } else index.replace(number, departure)
    this.#departures.enter(departure)
    this.unwritten.changed(departure)
  }

  /** The binding is about to have these selecting values: it tells of itself again. */
  #dropDeparture(data: BindingData): void {
    const departure = this.#departures.find(data)
    if (departure !== 0) this.#removeDeparture(departure)
  }

  #removeDeparture(ordinal: number): void {
    this.#departures.leave(ordinal)
    this.#remove(ordinal)
  }

  #removeBinding(ordinal: number): void {
    this.table.leave(ordinal)
    this.chains.unlink(ordinal, ALL_CHAINS)
    this.#lengths.count(this.table.prefixLength(ordinal), -1)
    this.#count(this.table.state(ordinal), -1)
    this.#remove(ordinal)
  }

  #remove(ordinal: number): void {
    this.index.clear(this.table.changeNumber(ordinal))
    this.table.octets.empty(ordinal)
    this.unwritten.removed(ordinal)
  }

  #count(state: BindingState, by: 1 | -1): void {
    this.#counts.set(state, (this.#counts.get(state) ?? 0) + by)
    if (state !== BindingState.active) this.#endedBindings += by
  }
}
