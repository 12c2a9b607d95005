// How far a server's clock is ahead of ours (RFC 6926 section 7.4, RFC 7653 section 8.5).

/** Differences that are the seconds' own grain, and the time a message takes. */
const GRAIN = 2
/** A difference beyond this is a clock that was set, not one that drifts. */
const STEP = 60

/**
 * Follows base-times as they arrive. A base-time can only be late (it was on its way, or told of an older change), so a
 * larger difference counts at once and a smaller one slowly. What is given out changes only when it is clearly wrong, so
 * that one binding told twice has the same times twice.
 */
export class ClockSkew {
  #estimate: number | undefined
  #used = 0
  /** Smaller by more than a step, in a row. */
  #behind = 0

  /** Seconds to take from a time of the server for a time of ours. */
  get seconds(): number {
    return this.#used
  }

  /** @param baseTime of a message; @param now when it came */
  observe(baseTime: number, now: number): void {
    const seen = baseTime - now
    const estimate = this.#estimate
    if (estimate === undefined || seen > estimate) {
      this.#estimate = seen
      this.#behind = 0
    } else {
      this.#behind = seen < estimate - STEP ? this.#behind + 1 : 0
      this.#estimate = this.#behind > 32 ? seen : estimate + (seen - estimate) / 64
    }
    if (Math.abs(this.#estimate! - this.#used) > GRAIN || estimate === undefined) {
      this.#used = Math.abs(this.#estimate!) <= GRAIN ? 0 : Math.round(this.#estimate!)
    }
  }
}
