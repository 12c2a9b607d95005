// The change index: change number -> ordinal, one entry a record, in order of change.
//
// Entries are appended at the end and cleared when their record moves on, so that a reader's place is nothing but a
// number: no node to be moved or freed under it. The numbers run through segments: dense ones (a slot a number) at
// the end, and further back, where most records have moved on, sparse ones (offset, ordinal), joined as they empty.
import type { ChangeNumber } from '../binding.ts'

const DENSE = 4096
/** A dense segment with this many entries or fewer becomes sparse; two sparse ones with as many together become one. */
const SPARSE = DENSE / 2

class Segment {
  readonly base: ChangeNumber
  /** Numbers less `base`, ascending; undefined in a dense segment, where the slot is the offset. */
  readonly offsets: Uint32Array | undefined
  /** 0 = cleared. */
  readonly ordinals: Uint32Array
  live = 0

  constructor(base: ChangeNumber, offsets: Uint32Array | undefined, ordinals: Uint32Array) {
    this.base = base
    this.offsets = offsets
    this.ordinals = ordinals
  }

  /** First slot whose number is `number` or above; may be past the end. */
  slotFrom(number: ChangeNumber): number {
    const offset = number - this.base
    if (offset <= 0) return 0
    const offsets = this.offsets
    if (offsets === undefined) return offset
    let low = 0
    let high = offsets.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (offsets[middle]! >= offset) high = middle
      else low = middle + 1
    }
    return low
  }

  numberAt(slot: number): ChangeNumber {
    return this.base + (this.offsets === undefined ? slot : this.offsets[slot]!)
  }
}

export class ChangeIndex {
  readonly #segments: Segment[] = []
  /** Where each segment begins, side by side: a search through millions of entries looks at few places in memory. */
  readonly #bases: ChangeNumber[] = []
  #newest: ChangeNumber = 0
  #size = 0

  /** Highest number ever appended or {@link skipTo skipped to}. */
  get newest(): ChangeNumber {
    return this.#newest
  }

  get size(): number {
    return this.#size
  }

  /** Notes that numbers up to `number` have been given out, though their entries are gone. */
  skipTo(number: ChangeNumber): void {
    if (number > this.#newest) this.#newest = number
  }

  /** `number` must be above every earlier one. */
  append(number: ChangeNumber, ordinal: number): void {
    if (number <= this.#newest) throw new RangeError(`change ${number} is not above ${this.#newest}`)
    let tail = this.#segments[this.#segments.length - 1]
    if (tail === undefined || tail.offsets !== undefined || number - tail.base >= DENSE) {
      this.#segments.push(new Segment(number, undefined, new Uint32Array(DENSE)))
      this.#bases.push(number)
      if (tail !== undefined) this.#settle(this.#segments.length - 2)
      tail = this.#segments[this.#segments.length - 1]!
    }
    tail.ordinals[number - tail.base] = ordinal
    tail.live++
    this.#newest = number
    this.#size++
  }

  /** Takes the entry away; it must be there. */
  clear(number: ChangeNumber): void {
    const at = this.#below(number)
    const segment = this.#segmentOf(at, number)
    segment.ordinals[segment.slotFrom(number)] = 0
    segment.live--
    this.#size--
    if (at < this.#segments.length - 1) this.#settle(at)
  }

  /** Reads the entry, if there is one, see ReadAhead. */
  touch(number: ChangeNumber): number {
    const segment = this.#segments[this.#below(number)]
    return segment?.ordinals[segment.slotFrom(number)] ?? 0
  }

  /** Gives the entry to another record. */
  replace(number: ChangeNumber, ordinal: number): void {
    const segment = this.#segmentOf(this.#below(number), number)
    segment.ordinals[segment.slotFrom(number)] = ordinal
  }

  /**
   * Calls `take` for each entry above `after`, in order, until `limit` entries were taken or `visit` slots looked at.
   * `take` must not change the index. Returns the number up to which all has been looked at.
   */
  scan(after: ChangeNumber, limit: number, visit: number, take: (ordinal: number) => void): ChangeNumber {
    if (limit === 0) return after
    let taken = 0
    return this.walk(after, this.#newest, visit, (ordinal) => {
      take(ordinal)
      return ++taken < limit
    })
  }

  /**
   * Calls `take` for each entry above `after` and not above `through`, in order, until it says no or `visit` slots were
   * looked at. `take` must not change the index. Returns the number up to which all has been looked at.
   */
  walk(
    after: ChangeNumber,
    through: ChangeNumber,
    visit: number,
    take: (ordinal: number) => boolean,
  ): ChangeNumber {
    let visited = 0
    for (let at = Math.max(0, this.#below(after + 1)); at < this.#segments.length; at++) {
      const segment = this.#segments[at]!
      const ordinals = segment.ordinals
      const tail = at === this.#segments.length - 1
      const end =
        tail && segment.offsets === undefined
          ? Math.min(DENSE, this.#newest - segment.base + 1)
          : ordinals.length
      for (let slot = segment.slotFrom(after + 1); slot < end; slot++) {
        const number = segment.numberAt(slot)
        if (number > through) return through
        if (visited === visit) return number - 1
        visited++
        const ordinal = ordinals[slot]!
        if (ordinal !== 0 && !take(ordinal)) return number
      }
    }
    return through
  }

  /** Calls `take` for each entry from the newest back, until it says no or `visit` slots were looked at. */
  walkBack(visit: number, take: (ordinal: number) => boolean): void {
    for (let at = this.#segments.length - 1; at >= 0; at--) {
      const { ordinals } = this.#segments[at]!
      for (let slot = ordinals.length - 1; slot >= 0; slot--) {
        if (visit-- <= 0) return
        const ordinal = ordinals[slot]!
        if (ordinal !== 0 && !take(ordinal)) return
      }
    }
  }

  /**
   * The number before the first entry whose time is `at` or later; the newest number if there is none.
   * Times never decrease along the index, so this is a search.
   */
  before(at: number, timeOf: (ordinal: number) => number): ChangeNumber {
    let low = 0
    let high = this.#segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const last = this.#lastOf(this.#segments[middle]!)
      // Only the segment at the end may be empty: what follows it is nothing.
      if (last === 0 || timeOf(last) >= at) high = middle
      else low = middle + 1
    }
    const segment = this.#segments[low]
    if (segment === undefined) return this.#newest
    for (let slot = 0; slot < segment.ordinals.length; slot++) {
      const ordinal = segment.ordinals[slot]!
      if (ordinal !== 0 && timeOf(ordinal) >= at) return segment.numberAt(slot) - 1
    }
    return this.#newest
  }

  /** Octets held, for measurements. */
  get octets(): number {
    let octets = 0
    for (const { ordinals, offsets } of this.#segments) {
      octets += ordinals.byteLength + (offsets?.byteLength ?? 0)
    }
    return octets
  }

  #lastOf(segment: Segment): number {
    for (let slot = segment.ordinals.length - 1; slot >= 0; slot--) {
      if (segment.ordinals[slot] !== 0) return segment.ordinals[slot]!
    }
    return 0
  }

  /** Place of the last segment that begins at `number` or below; -1 = none. */
  #below(number: ChangeNumber): number {
    const bases = this.#bases
    let low = 0
    let high = bases.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (bases[middle]! <= number) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** The segment at this place, which must hold the number. */
  #segmentOf(at: number, number: ChangeNumber): Segment {
    const segment = this.#segments[at]
    if (segment !== undefined) {
      const slot = segment.slotFrom(number)
      if (slot < segment.ordinals.length && segment.numberAt(slot) === number && segment.ordinals[slot] !== 0)
        return segment
    }
    throw new RangeError(`change ${number} is not in the index`)
  }

  /** Brings a segment that is not the last one into the form that its number of entries asks for. */
  #settle(at: number): void {
    const segment = this.#segments[at]!
    if (segment.live === 0) {
      this.#segments.splice(at, 1)
      this.#bases.splice(at, 1)
      return
    }
    const room = segment.ordinals.length
    const half = segment.offsets === undefined ? SPARSE : room >>> 1
    if (segment.live > half) return
    let first = at
    let count = 1
    let live = segment.live
    const joins = (other: Segment | undefined): other is Segment =>
      other?.offsets !== undefined && live + other.live <= SPARSE
    const previous = this.#segments[at - 1]
    if (joins(previous) && this.#fits(previous, segment)) {
      first--
      count++
      live += previous.live
    }
    const next = this.#segments[at + 1]
    if (at + 1 < this.#segments.length - 1 && joins(next) && this.#fits(this.#segments[first]!, next)) {
      count++
      live += next.live
    }
    const joined = sparse(this.#segments.slice(first, first + count), live)
    this.#segments.splice(first, count, joined)
    this.#bases.splice(first, count, joined.base)
  }

  #fits(first: Segment, last: Segment): boolean {
    return last.numberAt(last.ordinals.length - 1) - first.base <= 0xffffffff
  }
}

function sparse(parts: readonly Segment[], live: number): Segment {
  const base = parts[0]!.base
  const offsets = new Uint32Array(live)
  const ordinals = new Uint32Array(live)
  let filled = 0
  for (const part of parts) {
    for (let slot = 0; slot < part.ordinals.length; slot++) {
      const ordinal = part.ordinals[slot]!
      if (ordinal === 0) continue
      offsets[filled] = part.numberAt(slot) - base
      ordinals[filled++] = ordinal
    }
  }
  const joined = new Segment(base, offsets, ordinals)
  joined.live = live
  return joined
}
