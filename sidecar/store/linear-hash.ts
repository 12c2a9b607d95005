// Linear hashing: the table grows by one bucket an insertion, so there is never a pause to copy it.
import type { Rows } from './rows.ts'

const SEGMENT_BITS = 14
const SEGMENT = 1 << SEGMENT_BITS
const FIRST_BUCKETS = 1 << 10
/** Beyond any memory; chains would merely get longer. */
const MOST_BUCKETS = 1 << 30

/** Buckets of rows linked through one word of theirs; another word keeps each row's hash, so that splitting never hashes anew. */
export class LinearHash {
  readonly #rows: Rows
  readonly #hashWord: number
  readonly #linkWord: number
  readonly #heads: Uint32Array[] = [new Uint32Array(SEGMENT)]
  #mask = FIRST_BUCKETS - 1
  #split = 0
  #size = 0

  constructor(rows: Rows, hashWord: number, linkWord: number) {
    this.#rows = rows
    this.#hashWord = hashWord
    this.#linkWord = linkWord
  }

  get size(): number {
    return this.#size
  }

  /** Octets of the table itself, without the rows. */
  get octets(): number {
    return this.#heads.length * SEGMENT * 4
  }

  /** Makes an empty table as large as it will have to be: growing costs as much again as inserting. */
  reserve(size: number): void {
    if (this.#size > 0) throw new RangeError('rows are in the table already')
    const buckets = Math.min(2 ** Math.floor(Math.log2(Math.max(size, FIRST_BUCKETS))), MOST_BUCKETS / 2)
    while (this.#heads.length * SEGMENT < buckets) this.#heads.push(new Uint32Array(SEGMENT))
    this.#mask = buckets - 1
    this.#split = 0
  }

  /** First row in the bucket of `hash`, 0 = none. Go on with {@link next}; rows of other hashes are in it too. */
  first(hash: number): number {
    const bucket = this.#bucket(hash)
    return this.#heads[bucket >>> SEGMENT_BITS]![bucket & (SEGMENT - 1)]!
  }

  next(row: number): number {
    return this.#rows.get(row, this.#linkWord)
  }

  hashOf(row: number): number {
    return this.#rows.get(row, this.#hashWord)
  }

  insert(hash: number, row: number): void {
    this.#rows.set(row, this.#hashWord, hash)
    this.#push(this.#bucket(hash), row)
    this.#size++
    if (this.#size > this.#mask + this.#split) this.#grow()
  }

  /** Takes `row` out; it must be in. */
  remove(row: number): void {
    const rows = this.#rows
    const bucket = this.#bucket(rows.get(row, this.#hashWord))
    const next = rows.get(row, this.#linkWord)
    const segment = this.#heads[bucket >>> SEGMENT_BITS]!
    let at = segment[bucket & (SEGMENT - 1)]!
    if (at === row) segment[bucket & (SEGMENT - 1)] = next
    else {
      for (;;) {
        const following = rows.get(at, this.#linkWord)
        if (following === row) break
        at = following
      }
      rows.set(at, this.#linkWord, next)
    }
    rows.set(row, this.#linkWord, 0)
    this.#size--
  }

  #bucket(hash: number): number {
    const bucket = hash & this.#mask
    // Buckets below the split point have been divided by one more bit already.
    return bucket < this.#split ? hash & (this.#mask * 2 + 1) : bucket
  }

  #push(bucket: number, row: number): void {
    const segment = this.#heads[bucket >>> SEGMENT_BITS]!
    this.#rows.set(row, this.#linkWord, segment[bucket & (SEGMENT - 1)]!)
    segment[bucket & (SEGMENT - 1)] = row
  }

  #grow(): void {
    const from = this.#split
    const to = this.#mask + 1 + from
    if (to >= MOST_BUCKETS - 1) return
    if (to >>> SEGMENT_BITS === this.#heads.length) this.#heads.push(new Uint32Array(SEGMENT))
    const segment = this.#heads[from >>> SEGMENT_BITS]!
    let row = segment[from & (SEGMENT - 1)]!
    segment[from & (SEGMENT - 1)] = 0
    this.#split++
    if (this.#split > this.#mask) {
      this.#mask = this.#mask * 2 + 1
      this.#split = 0
    }
    while (row !== 0) {
      const next = this.#rows.get(row, this.#linkWord)
      this.#push(this.#bucket(this.#rows.get(row, this.#hashWord)), row)
      row = next
    }
  }
}
