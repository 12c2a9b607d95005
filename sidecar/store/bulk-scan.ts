// Bulk queries' ways through the store: along chains, along the change index, or by ordinal.
//
// A scan has to give whatever it had found, had it been done in one go at its opening, while members leave chains, entries
// move in the index, and ordinals come and go. So it notes which ordinals it has dealt with ("met"): given, told of
// otherwise, or come only after it was opened. What leaves the stretch still ahead of it without having been met goes to
// a list of its own ("pending"), to be given after the walk if it still matches.
import type { Binding, ChangeNumber, LogicalSeconds } from '../binding.ts'
import type { BindingTable } from './binding-table.ts'
import { changedWithin, matcher } from './bulk-match.ts'
import type { ChangeIndex } from './change-index.ts'
import { OrdinalSet } from './ordinal-set.ts'
import { type OrdinalList, OrdinalQueue } from './ordinals.ts'
import { Candidates, ChainWay, ChangeWay, DepartureWay, NoWay, OrdinalWay, type Way } from './scan-ways.ts'
import type { ChainOf, SelectorChains } from './selector-chains.ts'
import {
  type BulkScan,
  type BulkScanOptions,
  type BulkSelector,
  type BulkSlice,
  type Change,
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
  readonly #found = new Candidates()
  readonly #close: () => void
  /** All that comes on the way is what the selector looks for. */
  #wayMatches = false
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
    this.#matches = matcher(scanned.table, scanned.chains, selector)
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
        // What is in the chain of a value has that value; of hardware addresses it does not say the type.
        this.#wayMatches = selector.by !== 'hardware-address'
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
    let given = 0
    while (this.#onWay && visited < visit && given < limit) {
      const found = this.#found
      found.begin(limit - given)
      visited += this.#way.go(visit - visited, found)
      found.fetch(this.#scanned.table)
      for (let i = 0; i < found.length; i++) {
        const ordinal = found.at(i)
        // A departure shares no ordinal with a binding, and none is ever met twice.
        if (this.#met.add(ordinal) && this.#give(ordinal, changes, this.#wayMatches)) given++
      }
      if (this.#way.done) this.#leaveWay()
    }
    if (!this.#onWay) {
      for (; this.#pending.length > 0 && visited < visit && given < limit; visited++) {
        const ordinal = this.#pending.shift()
        if (this.#settled?.has(ordinal) !== true && this.#give(ordinal, changes, false)) given++
      }
    }
    return { changes, visited, done: !this.#onWay && this.#pending.length === 0 }
  }

  settle(which: Uint8Array | BindingView): void {
    const ordinal = which instanceof BindingView ? which.ordinal : this.#scanned.table.find(which)
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

  /**
   * @param matches it is known to be what the selector looks for
   * @returns whether it was found
   */
  #give(ordinal: number, changes: Change[], matches: boolean): boolean {
    const { table } = this.#scanned
    const { window, where, take } = this.#options
    const departure = table.isDeparture(ordinal)
    if (departure ? this.#departures === false : this.#departures === 'only' || !table.isBinding(ordinal))
      return false
    if (window !== undefined && !changedWithin(table, ordinal, window)) return false
    if (!matches && !this.#matches(ordinal)) return false
    if (where !== undefined || take !== undefined) this.#view.ordinal = ordinal
    if (where?.(this.#view) === false) return false
    if (!departure && take?.(this.#view) === true) return true
    const record: Binding = table.read(ordinal)
    changes.push(departure ? { kind: 'departure', departure: record } : { kind: 'binding', binding: record })
    return true
  }
}

// ---- which way to go

/** The chains that hold all a selector finds; undefined = no chain does. */
function partsOf({ chains, chained, table }: Scanned, selector: BulkSelector): ChainOf[] | undefined {
  // While a store that was just opened is indexed, only DHCPv6 has the clients' chains.
  if (!chained && (table.family === 4 || selector.by !== 'client-id')) return undefined
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
