// Bulk queries' ways through the store: along chains, along the change index, or by ordinal.
//
// A scan has to give whatever it had found, had it been done in one go at its opening, while members leave chains, entries
// move in the index, and ordinals come and go. So it notes which ordinals it has dealt with ("met"): given, told of
// otherwise, or come only after it was opened. What leaves the stretch still ahead of it without having been met goes to
// a list of its own ("pending"), to be given after the walk if it still matches.
import { type Binding, type ChangeNumber, type LogicalSeconds, sameOctets } from '../binding.ts'
import { type BindingTable, Word } from './binding-table.ts'
import type { Chains, ChainWatcher } from './chains.ts'
import type { ChangeIndex } from './change-index.ts'
import { OrdinalSet } from './ordinal-set.ts'
import { type OrdinalList, OrdinalQueue } from './ordinals.ts'
import { type ChainOf, Field, type SelectorChains } from './selector-chains.ts'
import {
  type BulkScan,
  type BulkScanOptions,
  type BulkSelector,
  type BulkSlice,
  type Change,
  type ChangeWindow,
  MAX_BULK_SCANS,
} from './store.ts'
import { BindingView } from './view.ts'

/** Records looked at by one call, where the caller names no number: a few milliseconds. */
const DEFAULT_VISIT = 16_384
/** With a window, so many members of a chain are counted before the change index is taken instead... */
const COUNT_MEMBERS = 2048
/** ...if this many changes at most have been made since the window began. */
const SHORT_INDEX = 65_536
/** A change is noted after it was made, by a clock that may be this much behind Kea's. */
const CLOCK_SLACK_SECONDS = 2

/** What scans read. */
export interface Scanned {
  readonly table: BindingTable
  readonly index: ChangeIndex
  readonly chains: SelectorChains
  /** All bindings are in all chains. */
  readonly chained: boolean
  readonly departureList: OrdinalList
  readonly prunedThrough: ChangeNumber
  /** Ends before this second may have been pruned. */
  readonly horizonFloor: LogicalSeconds
  /** See BindingStore.before(). */
  before(at: LogicalSeconds): ChangeNumber
  /** The binding of this address and the delegated prefixes around it, the longest first. */
  covering(address: Uint8Array): number[]
}

/** A way through the store. */
interface Way {
  readonly done: boolean
  /** Offers candidates until `offer` says no, `visit` records were looked at, or the way is done; returns how many were looked at. */
  go(visit: number, offer: (ordinal: number) => boolean): number
  /** Called once, when the way is done or the scan closed: nothing is watched any more. */
  leave(): void
}

/** The open scans, told by the store of what moves. */
export class BulkScans {
  readonly #scanned: Scanned
  #open = 0
  readonly #byOrdinal: OrdinalWay[] = []
  readonly #byChange: ChangeWay[] = []

  constructor(scanned: Scanned) {
    this.#scanned = scanned
  }

  /** How many scans are open. */
  get open(): number {
    return this.#open
  }

  openScan(selector: BulkSelector, options: BulkScanOptions): BulkScan | undefined {
    if (this.#open >= MAX_BULK_SCANS) return undefined
    this.#open++
    const release = this.#scanned.table.ordinals.hold()
    return new Scan(this.#scanned, this.#byOrdinal, this.#byChange, selector, options, () => {
      this.#open--
      release()
    })
  }

  /** A record is about to take this ordinal. */
  allocated(ordinal: number): void {
    for (const way of this.#byOrdinal) way.allocated(ordinal)
  }

  /** A binding's entry in the change index is about to leave this number for a later one. */
  moving(ordinal: number, number: ChangeNumber): void {
    for (const way of this.#byChange) way.moving(ordinal, number)
  }
}

class Scan implements BulkScan {
  readonly openedAt: ChangeNumber
  readonly #scanned: Scanned
  readonly #options: BulkScanOptions
  readonly #departures: boolean | 'only'
  readonly #matches: (ordinal: number) => boolean
  readonly #way: Way
  readonly #met = new OrdinalSet()
  readonly #pending = new OrdinalQueue()
  /** Told of while pending. */
  #settled: OrdinalSet | undefined
  readonly #view: BindingView
  readonly #close: () => void
  #onWay = true
  #open = true
  #overtaken = false

  constructor(
    scanned: Scanned,
    byOrdinal: OrdinalWay[],
    byChange: ChangeWay[],
    selector: BulkSelector,
    options: BulkScanOptions,
    close: () => void,
  ) {
    const { table, index } = scanned
    this.openedAt = index.newest
    this.#scanned = scanned
    this.#options = options
    this.#view = new BindingView(table)
    this.#close = close
    this.#matches = matcher(scanned, selector)
    const start = options.window?.start
    const after = start === undefined ? 0 : scanned.before(start - CLOCK_SLACK_SECONDS)
    const departures = (options.window !== undefined && options.departures) || false
    this.#departures = departures
    if (departures === 'only' && scanned.departureList.length <= index.newest - after) {
      this.#way = new DepartureWay(scanned.departureList)
    } else if (selector.by === 'address' && departures === false) {
      this.#way = new NoWay()
      for (const ordinal of scanned.covering(selector.address)) this.#leftAhead(ordinal)
    } else {
      const parts = partsOf(scanned, selector)
      if (
        departures !== false ||
        prefersIndex(parts, start === undefined ? undefined : index.newest - after)
      ) {
        this.#way = new ChangeWay(index, after, byChange, (ordinal) => this.#leftAhead(ordinal))
      } else if (parts === undefined) {
        this.#way = new OrdinalWay(table, byOrdinal, (ordinal) => this.#met.add(ordinal))
      } else {
        this.#way = new ChainWay(
          parts,
          (ordinal) => this.#leftAhead(ordinal),
          (ordinal) => this.#met.add(ordinal),
        )
      }
    }
  }

  get overtaken(): boolean {
    this.#watchPruning()
    return this.#overtaken
  }

  next(limit: number, visit: number = DEFAULT_VISIT): BulkSlice {
    const changes: Change[] = []
    if (!this.#open) return { changes, visited: 0, done: true }
    this.#watchPruning()
    let visited = 0
    while (this.#onWay && visited < visit && changes.length < limit) {
      visited += this.#way.go(visit - visited, (ordinal) => {
        // A departure shares no ordinal with a binding, and none is ever met twice.
        if (this.#met.add(ordinal)) this.#give(ordinal, changes)
        return changes.length < limit
      })
      if (this.#way.done) this.#leaveWay()
    }
    if (!this.#onWay) {
      for (; this.#pending.length > 0 && visited < visit && changes.length < limit; visited++) {
        const ordinal = this.#pending.shift()
        if (this.#settled?.has(ordinal) !== true) this.#give(ordinal, changes)
      }
    }
    return { changes, visited, done: !this.#onWay && this.#pending.length === 0 }
  }

  settle(address: Uint8Array): void {
    const ordinal = this.#scanned.table.find(address)
    if (ordinal === 0 || this.#met.add(ordinal) || this.#pending.length === 0) return
    this.#settled ??= new OrdinalSet()
    this.#settled.add(ordinal)
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#leaveWay()
    this.#close()
  }

  #leaveWay(): void {
    if (!this.#onWay) return
    this.#watchPruning()
    this.#onWay = false
    this.#way.leave()
  }

  /** What was ahead leaves its place: to be given later. */
  #leftAhead(ordinal: number): void {
    if (this.#met.add(ordinal)) this.#pending.push(ordinal)
  }

  #watchPruning(): void {
    const start = this.#options.window?.start
    if (!this.#onWay || start === undefined) return
    const { horizonFloor, prunedThrough } = this.#scanned
    // By the index, only what the way has not passed is missing; what was pruned from before the window is not asked for.
    this.#overtaken ||=
      horizonFloor > start && (!(this.#way instanceof ChangeWay) || prunedThrough > this.#way.passed)
  }

  #give(ordinal: number, changes: Change[]): void {
    const { table } = this.#scanned
    const { window, where } = this.#options
    const departure = table.isDeparture(ordinal)
    if (departure ? this.#departures === false : this.#departures === 'only' || !table.isBinding(ordinal))
      return
    if (window !== undefined && !changedWithin(table, ordinal, window)) return
    if (!this.#matches(ordinal)) return
    if (where !== undefined) {
      this.#view.ordinal = ordinal
      if (!where(this.#view)) return
    }
    const record: Binding = table.read(ordinal)
    changes.push(departure ? { kind: 'departure', departure: record } : { kind: 'binding', binding: record })
  }
}

// ---- what a selector finds

/** The chains that hold all a selector finds; undefined = no chain does. */
function partsOf({ chains, chained }: Scanned, selector: BulkSelector): ChainOf[] | undefined {
  if (!chained && selector.by !== 'client-id') return undefined
  switch (selector.by) {
    case 'hardware-address':
      return chains.byHardwareAddress(selector.hardwareAddress)
    case 'client-id':
      return chains.byClientId(selector.clientId)
    case 'relay-id':
      return chains.byRelayId(selector.relayId)
    case 'remote-id':
      return chains.byRemoteId(selector.remoteId)
    case 'subnets':
      return [...new Set(selector.subnetIds)].flatMap((subnetId) => chains.bySubnet(subnetId))
    case 'all':
    case 'address':
      return undefined
  }
}

/** Whether a record, a binding or a departure, is what a selector looks for. */
function matcher({ table, chains }: Scanned, selector: BulkSelector): (ordinal: number) => boolean {
  switch (selector.by) {
    case 'all':
      return () => true
    case 'hardware-address': {
      const { hardwareType, hardwareAddress } = selector
      if (table.family !== 4 || hardwareAddress.length === 0) return () => false
      return (ordinal) =>
        (table.flags(ordinal) & 0xffff) === hardwareType &&
        table.hasOctets(ordinal, Field.hardwareAddress, hardwareAddress)
    }
    case 'client-id': {
      const { clientId } = selector
      return clientId.length === 0
        ? () => false
        : (ordinal) => table.hasOctets(ordinal, Field.clientId, clientId)
    }
    case 'relay-id': {
      const { relayId } = selector
      return relayId.length === 0 ? () => false : (ordinal) => chains.hasRelayId(ordinal, relayId)
    }
    case 'remote-id': {
      const { remoteId } = selector
      return remoteId.length === 0 ? () => false : (ordinal) => chains.hasRemoteId(ordinal, remoteId)
    }
    case 'subnets': {
      const subnets = new Set(table.family === 6 ? selector.subnetIds : [])
      return (ordinal) => subnets.has(table.rows.get(ordinal, Word.subnetId))
    }
    case 'address': {
      const { address } = selector
      return (ordinal) => covers(table, ordinal, address)
    }
  }
}

function covers(table: BindingTable, ordinal: number, address: Uint8Array): boolean {
  const length = table.prefixLength(ordinal)
  const start = table.address(ordinal)
  if (length === 0) return sameOctets(start, address)
  const whole = length >>> 3
  for (let i = 0; i < whole; i++) if (start[i] !== address[i]) return false
  const rest = length & 7
  return rest === 0 || (start[whole]! ^ address[whole]!) >>> (8 - rest) === 0
}

/** RFC 6926 section 8.2: client-last-transaction-time or start-time-of-state in the window; or the change as we saw it. */
function changedWithin(table: BindingTable, ordinal: number, window: ChangeWindow): boolean {
  const { start = 0, end = Number.POSITIVE_INFINITY, keaAhead = 0 } = window
  const changed = table.changedAt(ordinal)
  if (changed >= start && changed <= end) return true
  const transaction = table.rows.get(ordinal, Word.clientLastTransaction) - keaAhead
  if (transaction >= start && transaction <= end) return true
  const since = table.rows.get(ordinal, Word.stateSince) - keaAhead
  return since >= start && since <= end
}

/** Which is shorter: the chains, or so many last changes (undefined: all there ever were). */
function prefersIndex(parts: readonly ChainOf[] | undefined, changes: number | undefined): boolean {
  if (changes === undefined) return false
  if (parts === undefined) return true
  const enough = Math.min(COUNT_MEMBERS, changes)
  let members = 0
  for (const { chains, hash, value } of parts) {
    for (let at = chains.first(hash, value); at !== 0; at = chains.next(at)) {
      if (++members > enough) return changes <= SHORT_INDEX
    }
  }
  return false
}

// ---- ways

/** No way to go: what there is was found at once. */
class NoWay implements Way {
  readonly done = true
  go(): number {
    return 0
  }
  leave(): void {}
}

/** By ordinal, up to the last one at the opening. */
class OrdinalWay implements Way {
  readonly #table: BindingTable
  readonly #others: OrdinalWay[]
  readonly #cameLater: (ordinal: number) => void
  readonly #last: number
  #at = 1

  constructor(table: BindingTable, others: OrdinalWay[], cameLater: (ordinal: number) => void) {
    this.#table = table
    this.#others = others
    this.#cameLater = cameLater
    this.#last = table.ordinals.last
    others.push(this)
  }

  get done(): boolean {
    return this.#at > this.#last
  }

  go(visit: number, offer: (ordinal: number) => boolean): number {
    const from = this.#at
    const end = Math.min(this.#last, from + visit - 1)
    while (this.#at <= end) {
      const ordinal = this.#at++
      if (this.#table.isBinding(ordinal) && !offer(ordinal)) break
    }
    return this.#at - from
  }

  /** The same address may have been given under another ordinal. */
  allocated(ordinal: number): void {
    if (ordinal >= this.#at && ordinal <= this.#last) this.#cameLater(ordinal)
  }

  leave(): void {
    remove(this.#others, this)
  }
}

/**
 * Through the departures, from the last to the first: where one goes, the last one takes its place, which has been met
 * already; new ones come behind.
 */
class DepartureWay implements Way {
  readonly #list: OrdinalList
  #left: number

  constructor(list: OrdinalList) {
    this.#list = list
    this.#left = list.length
  }

  get done(): boolean {
    return this.#left === 0
  }

  go(visit: number, offer: (ordinal: number) => boolean): number {
    this.#left = Math.min(this.#left, this.#list.length)
    let visited = 0
    while (this.#left > 0 && visited < visit) {
      visited++
      if (!offer(this.#list.at(--this.#left))) break
    }
    return visited
  }

  leave(): void {}
}

/** Along the change index, up to the entry that was the newest at the opening. */
class ChangeWay implements Way {
  readonly #index: ChangeIndex
  readonly #others: ChangeWay[]
  readonly #leftAhead: (ordinal: number) => void
  readonly #end: ChangeNumber
  /** All entries up to here were looked at. */
  passed: ChangeNumber

  constructor(
    index: ChangeIndex,
    after: ChangeNumber,
    others: ChangeWay[],
    leftAhead: (ordinal: number) => void,
  ) {
    this.#index = index
    this.#others = others
    this.#leftAhead = leftAhead
    this.#end = index.newest
    this.passed = after
    others.push(this)
  }

  get done(): boolean {
    return this.passed >= this.#end
  }

  go(visit: number, offer: (ordinal: number) => boolean): number {
    let visited = 0
    this.passed = this.#index.walk(this.passed, this.#end, visit, (ordinal) => {
      visited++
      return offer(ordinal)
    })
    return Math.max(1, visited)
  }

  moving(ordinal: number, number: ChangeNumber): void {
    if (number > this.passed && number <= this.#end) this.#leftAhead(ordinal)
  }

  leave(): void {
    remove(this.#others, this)
  }
}

/** Along chains, one after the other, each up to the member that was the last at the opening. */
class ChainWay implements Way {
  readonly #parts: ChainPart[] = []
  #current = 0

  constructor(
    chains: readonly ChainOf[],
    leftAhead: (ordinal: number) => void,
    cameLater: (ordinal: number) => void,
  ) {
    for (const chain of chains) {
      const first = chain.chains.first(chain.hash, chain.value)
      if (first !== 0) this.#parts.push(new ChainPart(chain, first, leftAhead, cameLater))
    }
  }

  get done(): boolean {
    return this.#current === this.#parts.length
  }

  go(visit: number, offer: (ordinal: number) => boolean): number {
    let visited = 0
    for (let on = true; on && visited < visit && !this.done; ) {
      const part = this.#parts[this.#current]!
      const ordinal = part.at
      if (ordinal === 0) {
        this.#current++
        part.leave()
        continue
      }
      part.step()
      visited++
      on = offer(ordinal)
    }
    while (!this.done && this.#parts[this.#current]!.at === 0) this.#parts[this.#current++]!.leave()
    return visited
  }

  leave(): void {
    for (const part of this.#parts) part.leave()
    this.#current = this.#parts.length
  }
}

class ChainPart implements ChainWatcher {
  readonly hash: number
  readonly value: Uint8Array
  readonly #chains: Chains
  readonly #leftAhead: (ordinal: number) => void
  readonly #cameLater: (ordinal: number) => void
  /** The member to look at next; 0 = no more. */
  at: number
  /** The last one to look at; not before `at`. */
  #end: number

  constructor(
    { chains, hash, value }: ChainOf,
    first: number,
    leftAhead: (ordinal: number) => void,
    cameLater: (ordinal: number) => void,
  ) {
    this.hash = hash
    this.value = value
    this.#chains = chains
    this.#leftAhead = leftAhead
    this.#cameLater = cameLater
    this.at = first
    this.#end = chains.last(first)
    chains.watch(this)
  }

  step(): void {
    this.at = this.at === this.#end ? 0 : this.#chains.next(this.at)
  }

  leaving(ordinal: number): void {
    if (ordinal === this.at) this.step()
    else if (ordinal === this.#end) this.#end = this.#chains.previous(ordinal)
    // One that has passed, or came later, has been met. Of another value, with the same hash: it will not match.
    this.#leftAhead(ordinal)
  }

  joined(ordinal: number): void {
    this.#cameLater(ordinal)
  }

  leave(): void {
    this.at = 0
    this.#chains.unwatch(this)
  }
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item)
  if (at >= 0) list.splice(at, 1)
}
