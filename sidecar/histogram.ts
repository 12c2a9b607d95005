// How often something took how long: counts by upper bound, as Prometheus wants them, without keeping what was measured.

/** As it stands at a moment; all counts since the start. */
export interface HistogramState {
  /** Upper bounds, inclusive, ascending; what is above the last one has a count of its own. */
  readonly bounds: readonly number[]
  /** How many fell into each: one more than there are bounds. */
  readonly counts: readonly number[]
  readonly sum: number
}

export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0

  /** @param bounds ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Array(bounds.length + 1).fill(0)
  }

  /** Notes that `value` was measured, `times` times. */
  observe(value: number, times = 1): void {
    let at = 0
    while (at < this.#bounds.length && value > this.#bounds[at]!) at++
    this.#counts[at]! += times
    this.#sum += value * times
  }

  state(): HistogramState {
    return { bounds: this.#bounds, counts: [...this.#counts], sum: this.#sum }
  }
}
