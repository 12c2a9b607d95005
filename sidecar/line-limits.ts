// Log lines that a peer can cause at will are limited: so many in a window, the rest counted.
import type { LineBound } from './log-lines.ts'

const WINDOW_MS = 10_000
/** Requestors whose lines are counted apart. */
const MAX_COUNTED = 1_024

export class LineLimits {
  /** By event, or event and requestor; those used last come last. */
  readonly #counted = new Map<string, LineLimit>()

  /** Calls `write`, if a line may be written now, with how many were left out since the last one. */
  run(event: string, { lines, of }: LineBound, requestor: string, write: (suppressed: number) => void): void {
    const key = of === 'requestor' ? `${event} ${requestor}` : event
    const limit = this.#counted.get(key) ?? new LineLimit(lines, WINDOW_MS)
    this.#counted.delete(key)
    this.#counted.set(key, limit)
    if (this.#counted.size > MAX_COUNTED) this.#counted.delete(this.#counted.keys().next().value!)
    limit.run(performance.now(), write)
  }
}

export class LineLimit {
  readonly #most: number
  readonly #windowMs: number
  #windowBegan = Number.NEGATIVE_INFINITY
  #written = 0
  #suppressed = 0

  /** @param most lines in `windowMs` milliseconds */
  constructor(most: number, windowMs: number) {
    this.#most = most
    this.#windowMs = windowMs
  }

  /**
   * Calls `write` if a line may be written now, with how many were left out since the last one.
   * @param now milliseconds of a clock that does not go back
   */
  run(now: number, write: (suppressed: number) => void): void {
    if (now - this.#windowBegan >= this.#windowMs) {
      this.#windowBegan = now
      this.#written = 0
    }
    if (this.#written >= this.#most) {
      this.#suppressed++
      return
    }
    this.#written++
    const suppressed = this.#suppressed
    this.#suppressed = 0
    write(suppressed)
  }
}
