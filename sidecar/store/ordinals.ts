// Ordinals: a record's number for life. Freed ones are used again, but not while a scan that might meet them runs.

const CHUNK = 1 << 12

/** First in, first out; in chunks, so that it neither copies nor keeps what has left. */
export class OrdinalQueue {
  #chunks: Uint32Array[] = []
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  push(ordinal: number): void {
    const at = this.#head + this.#length
    if (at === this.#chunks.length * CHUNK) this.#chunks.push(new Uint32Array(CHUNK))
    this.#chunks[Math.floor(at / CHUNK)]![at % CHUNK] = ordinal
    this.#length++
  }

  peek(): number {
    return this.#chunks[0]![this.#head]!
  }

  /** The queue must not be empty. */
  shift(): number {
    const ordinal = this.#chunks[0]![this.#head]!
    this.#head++
    this.#length--
    if (this.#head === CHUNK) {
      this.#chunks.shift()
      this.#head = 0
    }
    return ordinal
  }
}

/** Ordinals in no set order; the last one takes the place of one that goes. */
export class OrdinalList {
  #ordinals = new Uint32Array(64)
  #length = 0

  get length(): number {
    return this.#length
  }

  at(place: number): number {
    return this.#ordinals[place]!
  }

  /** Returns the place of the new one. */
  push(ordinal: number): number {
    if (this.#length === this.#ordinals.length) {
      const longer = new Uint32Array(2 * this.#length)
      longer.set(this.#ordinals)
      this.#ordinals = longer
    }
    this.#ordinals[this.#length] = ordinal
    return this.#length++
  }

  /** Returns the ordinal that is now at `place`, which was the last one; 0 = it was the last place. */
  remove(place: number): number {
    const last = this.#ordinals[--this.#length]!
    if (place === this.#length) return 0
    this.#ordinals[place] = last
    return last
  }
}

export class Ordinals {
  readonly #freed = new OrdinalQueue()
  /** For each freed ordinal the number of the newest scan when it was freed. */
  readonly #freedDuring = new OrdinalQueue()
  readonly #openScans: number[] = []
  #newestScan = 0
  #last = 0

  /** Highest ordinal ever given out; they begin at 1. */
  get last(): number {
    return this.#last
  }

  next(): number {
    if (this.#freed.length > 0) {
      const oldest = this.#openScans[0]
      if (oldest === undefined || oldest > this.#freedDuring.peek()) {
        this.#freedDuring.shift()
        return this.#freed.shift()
      }
    }
    return ++this.#last
  }

  free(ordinal: number): void {
    this.#freed.push(ordinal)
    this.#freedDuring.push(this.#newestScan)
  }

  /** Until the returned function is called, ordinals freed from now on are not used again. */
  hold(): () => void {
    const scan = ++this.#newestScan
    this.#openScans.push(scan)
    return () => {
      const at = this.#openScans.indexOf(scan)
      if (at >= 0) this.#openScans.splice(at, 1)
    }
  }
}
