// Work in turns: each connection that wants to read from the store gets one slice, then the next one; after a few
// milliseconds the event loop has its turn. So one requestor that catches up delays neither the others nor the feed.

/** Milliseconds of slices before the event loop goes on with other things. */
const TURN_MS = 3

export class Turns {
  readonly #queue: (() => void)[] = []
  #head = 0
  #scheduled = false

  /** Runs `slice` when its turn has come; slices are short, and ask for another turn by themselves. */
  take(slice: () => void): void {
    this.#queue.push(slice)
    this.#schedule()
  }

  get waiting(): number {
    return this.#queue.length - this.#head
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#run())
  }

  #run(): void {
    this.#scheduled = false
    const until = performance.now() + TURN_MS
    while (this.#head < this.#queue.length) {
      const slice = this.#queue[this.#head++]!
      slice()
      if (performance.now() >= until) break
    }
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0
      this.#head = 0
    } else {
      this.#queue.splice(0, this.#head)
      this.#head = 0
      this.#schedule()
    }
  }
}
