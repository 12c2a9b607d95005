// Work in turns: each connection that wants to read from the store gets one slice, then the next one; after half a
// millisecond the event loop has its turn. So downloads, be they of a Bulk query or of a catch-up phase, delay neither each
// other nor the feed, and those who follow changes by little.

/** Milliseconds of slices before the event loop goes on with other things. */
const TURN_MS = 0.5
/** Slices of those at the tail of the change index for each one of a download, where both wait. */
const TAIL_PER_LONG = 8

/** `tail`: of a requestor that follows changes, mostly short; `long`: one of many. */
export type Turn = 'tail' | 'long'

export class Turns {
  readonly #tail = new Queue()
  readonly #long = new Queue()
  #tailInRow = 0
  #scheduled = false

  /** Runs `slice` when its turn has come; slices are short, and ask for another turn by themselves. */
  take(slice: () => void, turn: Turn): void {
    const queue = turn === 'tail' ? this.#tail : this.#long
    queue.push(slice)
    this.#schedule()
  }

  get waiting(): number {
    return this.#tail.length + this.#long.length
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
    if (this.#tail.length > 0 && (this.#long.length === 0 || this.#tailInRow < TAIL_PER_LONG)) {
      this.#tailInRow++
      return this.#tail.shift()
    }
    this.#tailInRow = 0
    return this.#long.shift()
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
