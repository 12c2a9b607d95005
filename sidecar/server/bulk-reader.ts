// What a Bulk query asks of the store, answered in slices: a scan of the stored bindings, and in DHCPv4 the walk over those
// configured addresses that it has not come by.
import type { Binding } from '../binding.ts'
import type { BulkFind, BulkSlice, Moment, Pen, ScanQuery } from '../session/session-io.ts'
import type { BulkScan, BulkStore, Change } from '../store/store.ts'
import type { BindingView } from '../store/view.ts'
import { besidesOf, MAX_COMPANIONS, MAX_VISITED, sizeOf, withCompanions } from './change-reader.ts'
import { RangeWalk } from './range-walk.ts'
import type { Topology } from './topology.ts'

/** A slice ends after this time in any case, but for what one binding's companions take. */
const SLICE_MS = 0.5
/** And after about so many octets: each connection that downloads keeps them until they are sent. */
const SLICE_OCTETS = 128 * 1024
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
  const walk = walks ? new RangeWalk(store, topology.configured, query, window) : undefined
  const where = (data: BindingView): boolean => {
    walk?.looked(data)
    return query.where(data, present.moment)
  }
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
  const reader = new BulkReader(store, topology, scan, departures, walk, pen, present)
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

/** One moment holds for all of a slice. */
interface Present {
  moment: Moment
}

/** How much a slice may still do. */
class Budget {
  readonly #until = performance.now() + SLICE_MS
  octets = SLICE_OCTETS
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
  #scanned = false
  /** Of which departures alone are taken; undefined = done, or none are wanted. */
  #departures: BulkScan | undefined
  /** Goes behind the scan; undefined = done, or none is wanted. */
  #walk: RangeWalk | undefined
  readonly #present: Present
  /** Clients (with their link) that hold more than one message shows: each of their further bindings is told alone. */
  readonly #large = new Set<string>()

  constructor(
    store: BulkStore,
    topology: Topology,
    scan: BulkScan,
    departures: BulkScan | undefined,
    walk: RangeWalk | undefined,
    pen: Pen | undefined,
    present: Present,
  ) {
    this.#present = present
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
    let overtaken = false
    do {
      if (this.#departures !== undefined) {
        overtaken ||= this.#departures.overtaken
        if (this.#step(this.#departures, 'departure', budget, finds)) {
          this.#departures.close()
          this.#departures = undefined
        }
      } else if (!this.#scanned) this.#scanned = this.#step(this.#scan, 'binding', budget, finds)
      else if (this.#walk !== undefined) this.#walkOn(this.#walk, budget, finds)
    } while (!this.#done && !budget.spent)
    if (this.#pen !== undefined && this.#pen.length > 0) finds.push(this.#pen.take())
    return { finds, done: this.#done, overtaken: overtaken || this.#scan.overtaken }
  }

  get #done(): boolean {
    return this.#departures === undefined && this.#scanned && this.#walk === undefined
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

  #walkOn(walk: RangeWalk, budget: Budget, finds: BulkFind[]): void {
    const before = this.#pen?.length ?? 0
    budget.visits -= walk.go(this.#present.moment, finds)
    budget.octets -= (this.#pen?.length ?? 0) - before
    if (walk.done) this.#walk = undefined
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
