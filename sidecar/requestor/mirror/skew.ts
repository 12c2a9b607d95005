// How far a server's clock is ahead of ours (RFC 6926 section 7.4, RFC 7653 section 8.5).

/** Differences that are the seconds' own grain, and the time a message takes. */
const GRAIN = 2
/** A difference beyond this, for so many seconds, is a clock that was set, not messages that are late. */
const STEP = { seconds: 60, lasting: 60 } as const
/** How fast what was seen once is doubted, in seconds a second: clocks drift less than that. */
const DOUBT = 1 / 60

/**
 * Follows base-times as they arrive. A base-time can only be late (it was on its way, waited for us to read on, or told of an
 * older change), so a larger difference counts at once and a smaller one hardly. What is given out changes only when it is
 * clearly wrong, so that one binding told twice has the same times twice.
 */
export class ClockSkew {
  #estimate: number | undefined
  #used = 0
  #last = 0
  #behindSince: number | undefined

  /** Seconds to take from a time of the server for a time of ours. */
  get seconds(): number {
    return this.#used
  }

  /** @param baseTime of a message; @param now when it came */
  observe(baseTime: number, now: number): void {
    const seen = baseTime - now
    const first = this.#estimate === undefined
    const doubted = (this.#estimate ?? seen) - DOUBT * Math.max(0, now - this.#last)
    this.#estimate = first ? seen : Math.max(seen, doubted)
    this.#last = now
    if (seen >= this.#estimate - STEP.seconds) this.#behindSince = undefined
    else {
      this.#behindSince ??= now
      if (now - this.#behindSince > STEP.lasting) this.#estimate = seen
    }
    if (first || Math.abs(this.#estimate - this.#used) > GRAIN) {
      this.#used = Math.abs(this.#estimate) <= GRAIN ? 0 : Math.round(this.#estimate)
    }
  }
}
