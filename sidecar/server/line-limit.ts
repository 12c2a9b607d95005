// Log lines that a peer can cause at will are limited: so many in a window, the rest counted.

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
