// What a Bulk query asks of the store, answered in slices: a scan of the stored bindings, and in DHCPv4 the walk over all
// configured addresses that goes before it.
import type { Binding, LogicalSeconds } from '../binding.ts'
import type { BulkFind, BulkSlice, Moment, Pen, ScanQuery } from '../session/session-io.ts'
import type { BulkScan, BulkStore, Change, ChangeWindow } from '../store/store.ts'
import type { BindingView } from '../store/view.ts'
import {
  besidesOf,
  MAX_COMPANIONS,
  MAX_SLICE_OCTETS,
  MAX_VISITED,
  MESSAGE_OVERHEAD,
  sizeOf,
  withCompanions,
} from './change-reader.ts'
import { numberOf, type Ranges4, type Topology, within } from './topology.ts'

/** A slice ends after this time in any case, but for what one binding's companions take. */
const SLICE_MS = 0.5
/** Finds after which clock and octets are looked at. */
const STEP_FINDS = 32
/** Records looked at after which the clock is looked at. */
const STEP_VISITS = 1024

/** A Bulk query's way through the store. To be closed in any case. */
export interface OpenBulk {
  /** @param settled addresses that have been told as companions, see BulkScan.settle */
  next(settled: readonly Uint8Array[]): BulkSlice
  close(): void
}

/** Undefined: too many scans are open; to be tried again. */
export function openBulk(
  store: BulkStore,
  topology: Topology,
  query: ScanQuery,
  moment: () => Moment,
): OpenBulk | undefined {
  const { horizon = 0 } = store
  const { start } = query.window ?? {}
  const present: Present = { moment: moment() }
  const { now, keaNow } = present.moment
  const window = query.window && { ...query.window, keaAhead: keaNow - now }
  // Of what has no record, all that is known is that it has not ended at the horizon or later.
  const walks = query.configured && (query.window === undefined || start === undefined || start < horizon)
  const ranges = walks ? topology.configured : NO_RANGES
  const where =
    ranges.length === 0
      ? (data: Binding) => query.where(data, present.moment)
      : (data: Binding) => !walked(ranges, data) && query.where(data, present.moment)
  const { pen } = query
  const take = pen && ((binding: BindingView) => reader.write(pen, binding, present.moment))
  const scan = store.openBulkScan(query.selector, { window, where, take })
  if (scan === undefined) return undefined
  // Ends of former holders go before everything else. Present holders are told of as companions too, out of order, and
  // none of them may be followed by the end of its address's former holder: it would be taken for its own.
  let departures: BulkScan | undefined
  if (query.departures) {
    departures = store.openBulkScan(query.selector, { window, where, departures: 'only' })
    if (departures === undefined) {
      scan.close()
      return undefined
    }
  }
  const walk = new RangeWalk(store, ranges, query, window, horizon - 1, present)
  const reader = new BulkReader(store, topology, scan, departures, walk, pen)
  return {
    next(settled) {
      present.moment = moment()
      return reader.next(settled)
    },
    close() {
      scan.close()
      departures?.close()
    },
  }
}

const NO_RANGES: Ranges4 = new Uint32Array()
const NOBODY: readonly BindingView[] = []

function walked(ranges: Ranges4, { address }: Pick<Binding, 'address'>): boolean {
  return within(ranges, numberOf(address))
}

/** One moment holds for all of a slice. */
interface Present {
  moment: Moment
}

/** How much a slice may still do. */
class Budget {
  readonly #until = performance.now() + SLICE_MS
  octets = MAX_SLICE_OCTETS
  visits = MAX_VISITED

  get spent(): boolean {
    return this.octets <= 0 || this.visits <= 0 || performance.now() >= this.#until
  }
}

class BulkReader {
  readonly #store: BulkStore
  readonly #topology: Topology
  readonly #pen: Pen | undefined
  readonly #scan: BulkScan
  /** Of which departures alone are taken; undefined = done, or none are wanted. */
  #departures: BulkScan | undefined
  readonly #walk: RangeWalk
  /** Clients (with their link) that hold more than one message shows: each of their further bindings is told alone. */
  readonly #large = new Set<string>()

  constructor(
    store: BulkStore,
    topology: Topology,
    scan: BulkScan,
    departures: BulkScan | undefined,
    walk: RangeWalk,
    pen: Pen | undefined,
  ) {
    this.#pen = pen
    this.#store = store
    this.#topology = topology
    this.#scan = scan
    this.#departures = departures
    this.#walk = walk
  }

  next(settled: readonly Uint8Array[]): BulkSlice {
    for (const address of settled) this.#scan.settle(address)
    const finds: BulkFind[] = []
    const budget = new Budget()
    let done = false
    let overtaken = false
    do {
      if (this.#departures !== undefined) {
        overtaken ||= this.#departures.overtaken
        if (this.#step(this.#departures, 'departure', budget, finds)) {
          this.#departures.close()
          this.#departures = undefined
        }
      } else if (!this.#walk.done) this.#walk.go(budget, finds)
      else done = this.#step(this.#scan, 'binding', budget, finds)
    } while (!done && !budget.spent)
    if (this.#pen !== undefined && this.#pen.length > 0) finds.push(this.#pen.take())
    return { finds, done, overtaken: overtaken || this.#scan.overtaken }
  }

  /** Tells of a binding at once, if that can be; of a client that holds much it cannot. */
  write(pen: Pen, binding: BindingView, moment: Moment): boolean {
    const companions = besidesOf(this.#store, this.#topology.linkOf, binding)
    if (companions === undefined || !pen.write(binding, companions, moment)) return false
    for (const companion of companions) if (pen.hasTold(companion)) this.#scan.settle(companion)
    return true
  }

  /** @returns whether the scan is done */
  #step(scan: BulkScan, kind: Change['kind'], budget: Budget, finds: BulkFind[]): boolean {
    const before = this.#pen?.length ?? 0
    const { changes, visited, done } = scan.next(STEP_FINDS, STEP_VISITS)
    budget.visits -= Math.max(1, visited)
    if (this.#pen !== undefined) budget.octets -= this.#pen.length - before
    for (const change of changes) {
      if (change.kind !== kind) continue
      const find = this.#withCompanions(change)
      budget.octets -= sizeOf(find)
      finds.push(find)
    }
    return done
  }

  #withCompanions(change: Change) {
    const { linkOf } = this.#topology
    const about = change.kind === 'binding' ? change.binding : change.departure
    const key = this.#large.size === 0 ? '' : clientKey(about, linkOf(about.subnetId))
    if (key !== '' && this.#large.has(key) && change.kind === 'binding') return { ...change, companions: [] }
    const find = withCompanions(this.#store, linkOf, change)
    if (find.companions.length === MAX_COMPANIONS) this.#large.add(clientKey(about, linkOf(about.subnetId)))
    return find
  }
}

function clientKey({ clientId }: Pick<Binding, 'clientId'>, link: string | number): string {
  return `${link} ${Buffer.from(clientId).toString('hex')}`
}

/** Each address of the ranges once, in order: its binding, or that there is none. */
class RangeWalk {
  readonly #store: BulkStore
  readonly #ranges: Ranges4
  readonly #query: ScanQuery
  readonly #window: ChangeWindow | undefined
  readonly #since: LogicalSeconds
  readonly #present: Present
  readonly #address = new Uint8Array(4)
  /** Where the range begins that is walked. */
  #range = 0
  #at: number

  constructor(
    store: BulkStore,
    ranges: Ranges4,
    query: ScanQuery,
    window: ChangeWindow | undefined,
    since: LogicalSeconds,
    present: Present,
  ) {
    this.#store = store
    this.#ranges = ranges
    this.#query = query
    this.#window = window
    this.#since = since
    this.#present = present
    this.#at = ranges[0] ?? 0
  }

  get done(): boolean {
    return this.#range >= this.#ranges.length
  }

  /** Goes on for a step. */
  go(budget: Budget, finds: BulkFind[]): void {
    const { moment } = this.#present
    const { pen } = this.#query
    const written = pen?.length ?? 0
    for (let visits = 0, found = 0; visits < STEP_VISITS && found < STEP_FINDS && !this.done; visits++) {
      budget.visits--
      const find = this.#look(moment)
      if (find !== undefined) found++
      if (find !== undefined && find !== 'written') {
        budget.octets -= find.kind === 'available' ? MESSAGE_OVERHEAD : sizeOf(find)
        finds.push(find)
      }
      if (this.#at < this.#ranges[this.#range + 1]!) {
        this.#at++
      } else {
        this.#range += 2
        this.#at = this.#ranges[this.#range] ?? 0
      }
    }
    if (pen !== undefined) budget.octets -= pen.length - written
  }

  #look(moment: Moment): Exclude<BulkFind, { kind: 'written' }> | 'written' | undefined {
    const address = this.#address
    address[0] = this.#at >>> 24
    address[1] = this.#at >>> 16
    address[2] = this.#at >>> 8
    address[3] = this.#at
    const known = this.#store.peek(address)
    if (known === undefined) {
      if (this.#query.pen?.writeAvailable(this.#at, this.#since, moment) === true) return 'written'
      return { kind: 'available', address: this.#at, since: this.#since }
    }
    if (this.#window !== undefined && !changedWithin(known, this.#window)) return undefined
    if (!this.#query.where(known, moment)) return undefined
    if (this.#query.pen?.write(known, NOBODY, moment) === true) return 'written'
    return { kind: 'binding', binding: this.#store.get(address)!, companions: [] }
  }
}

/** RFC 6926 section 8.2, and the change as we saw it; as the store has it for its scans. */
function changedWithin(binding: Binding, window: ChangeWindow): boolean {
  const { start = 0, end = Number.POSITIVE_INFINITY, keaAhead = 0 } = window
  const inside = (at: number) => at >= start && at <= end
  return (
    inside(binding.changedAt) ||
    inside(binding.clientLastTransaction - keaAhead) ||
    inside(binding.stateSince - keaAhead)
  )
}
