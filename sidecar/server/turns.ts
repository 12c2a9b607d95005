// Work in turns: each connection that wants to read from the store gets one slice, then the next one; after half a
// millisecond the event loop has its turn. So one requestor that catches up delays neither the others nor the feed, and
// Bulk queries, whose slices are long, delay those who follow changes by little.

/** Milliseconds of slices before the event loop goes on with other things. */
const TURN_MS = 0.5
/** Slices of Active queries for each one of a Bulk query, where both wait. */
const ACTIVE_PER_BULK = 8

export class Turns {
  readonly #active = new Queue()
  readonly #bulk = new Queue()
  #activeInRow = 0
  #scheduled = false

  /** Runs `slice` when its turn has come; slices are short, and ask for another turn by themselves. */
  take(slice: () => void, kind: 'active' | 'bulk' = 'active'): void {
    const queue = kind === 'active' ? this.#active : this.#bulk
    queue.push(slice)
    this.#schedule()
  }

  get waiting(): number {
    return this.#active.length + this.#bulk.length
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#run())
  }

  #run(): void {
    this.#scheduled = false
    const until = performance.now() + TURN_MS
    for (let slice = this.#next(); slice !== undefined; slice = this.#next()) {
      slice()
      if (performance.now() >= until) break
    }
    if (this.waiting > 0) this.#schedule()
  }

  #next(): (() => void) | undefined {
    if (this.#active.length > 0 && (this.#bulk.length === 0 || this.#activeInRow < ACTIVE_PER_BULK)) {
      this.#activeInRow++
      return this.#active.shift()
    }
    this.#activeInRow = 0
    return this.#bulk.shift()
  }
}

/** First in, first out, without moving the rest at each step. */
class Queue {
  #slices: (() => void)[] = []
  #head = 0

  get length(): number {
    return this.#slices.length - this.#head
  }

  push(slice: () => void): void {
    this.#slices.push(slice)
  }

  shift(): (() => void) | undefined {
    if (this.length === 0) return undefined
    const slice = this.#slices[this.#head++]!
    if (this.length === 0) {
      this.#slices.length = 0
      this.#head = 0
    } else if (this.#head >= 1024) {
      this.#slices = this.#slices.slice(this.#head)
      this.#head = 0
    }
    return slice
  }
}
