// How many changes each of the last seconds brought.

/** Seconds remembered. */
const SECONDS = 60

export class ChangeRate {
  readonly #counts: number[] = []
  #total: number

  /** @param total changes so far */
  constructor(total: number) {
    this.#total = total
  }

  /** To be called each second. @param total changes so far */
  second(total: number): void {
    this.#counts.push(total - this.#total)
    if (this.#counts.length > SECONDS) this.#counts.shift()
    this.#total = total
  }

  /** Changes in each of the last seconds, the oldest first. */
  get perSecond(): readonly number[] {
    return [...this.#counts]
  }
}
