// What a DHCPv4 Bulk query about all configured addresses is told after the scan of the stored bindings: those of which
// there was none. To look up each one would cost more than the scan.
import type { Binding, ChangeNumber } from '../binding.ts'
import type { PackedBinding } from '../packed-binding.ts'
import type { BulkFind, Moment, ScanQuery } from '../session/session-io.ts'
import type { BulkStore, ChangeWindow } from '../store/store.ts'
import { AddressSet } from './address-set.ts'
import { numberOf, type Ranges4 } from './topology.ts'

/** Looks and finds after which the caller looks at clock and octets. */
const STEP_VISITS = 1024
const STEP_FINDS = 32
const STEP_CHANGES = 128

const NOBODY: readonly PackedBinding[] = []

/**
 * Each address of the ranges that the scan has not looked at, once and in order: that there is no binding, or the one that
 * came meanwhile.
 */
export class RangeWalk {
  readonly #store: BulkStore
  readonly #ranges: Ranges4
  readonly #query: ScanQuery
  readonly #window: ChangeWindow | undefined
  readonly #looked = new AddressSet()
  /** Of bindings that changed since the opening: who came meanwhile is one of them. */
  readonly #changed = new AddressSet()
  /** Changes up to here are in it. */
  #followed: ChangeNumber
  readonly #address = new Uint8Array(4)
  /** Where the range begins that is walked. */
  #range = 0
  #at: number

  constructor(store: BulkStore, ranges: Ranges4, query: ScanQuery, window: ChangeWindow | undefined) {
    this.#store = store
    this.#ranges = ranges
    this.#query = query
    this.#window = window
    this.#at = ranges[0] ?? 0
    this.#followed = store.newestChange
  }

  get done(): boolean {
    return this.#range >= this.#ranges.length
  }

  /** The scan has looked at this binding: told or not, there is no more to say about its address. */
  looked(binding: PackedBinding): void {
    this.#looked.add(binding.address4)
  }

  /**
   * Goes on for a step.
   * @param moment one for all of a slice
   * @returns how many addresses were looked at
   */
  go(moment: Moment, finds: BulkFind[]): number {
    if (!this.#follow()) return STEP_CHANGES
    let visits = 0
    for (let found = 0; visits < STEP_VISITS && found < STEP_FINDS && !this.done; visits++) {
      const known = this.#looked.run(this.#at)
      if (known === 0) {
        if (this.#look(moment, finds)) found++
        this.#at++
      } else this.#at += known
      if (this.#at <= this.#ranges[this.#range + 1]!) continue
      this.#range += 2
      this.#at = this.#ranges[this.#range] ?? 0
    }
    return visits
  }

  /** @returns whether all changes are known */
  #follow(): boolean {
    if (this.#followed === this.#store.newestChange) return true
    const { changes, through, atEnd } = this.#store.changesAfter(this.#followed, STEP_CHANGES)
    for (const change of changes) {
      if (change.kind === 'binding') this.#changed.add(numberOf(change.binding.address))
    }
    this.#followed = through
    return atEnd
  }

  /** What the scan has not looked at, nor changed since, has no binding; by a window it does not look at all. */
  get #isFree(): boolean {
    return this.#window === undefined && !this.#changed.has(this.#at)
  }

  /** @returns whether there was something to tell */
  #look(moment: Moment, finds: BulkFind[]): boolean {
    const { pen, where } = this.#query
    const known = this.#isFree ? undefined : this.#store.peek(this.#octets())
    if (known === undefined) {
      // An end that is forgotten lies before the horizon, which may have moved since the scan began.
      const since = (this.#store.horizon ?? 0) - 1
      if (pen?.writeAvailable(this.#at, since, moment) !== true)
        finds.push({ kind: 'available', address: this.#at, since })
      return true
    }
    if (this.#window !== undefined && !changedWithin(known, this.#window)) return false
    if (!where(known, moment)) return false
    if (pen?.write(known, NOBODY, moment) !== true)
      finds.push({ kind: 'binding', binding: this.#store.get(this.#octets())!, companions: [] })
    return true
  }

  #octets(): Uint8Array {
    const address = this.#address
    address[0] = this.#at >>> 24
    address[1] = this.#at >>> 16
    address[2] = this.#at >>> 8
    address[3] = this.#at
    return address
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
