// Kea's clock, as the feed carries it: the newest reading plus what has passed since on a clock that never steps.
import type { UnixSeconds } from '../binding.ts'

/** A message that waited in a queue brings an old reading. Further back than this is a step of Kea's clock. */
const JITTER_MS = 2000

export class KeaClock {
  #reading = 0
  #heardAt = 0
  #heard = false

  /**
   * @param clock Kea's clock in the message, Unix milliseconds
   * @param monotonic milliseconds
   * @returns by how many milliseconds Kea's clock has gone back
   */
  hear(clock: number, monotonic: number): number {
    const expected = this.#heard ? this.#reading + (monotonic - this.#heardAt) : clock
    const back = Math.max(0, expected - clock)
    if (back > 0 && back <= JITTER_MS) return 0
    this.#reading = clock
    this.#heardAt = monotonic
    this.#heard = true
    return back
  }

  /** Undefined until Kea has been heard. */
  now(monotonic: number): UnixSeconds | undefined {
    return this.#heard ? Math.floor((this.#reading + (monotonic - this.#heardAt)) / 1000) : undefined
  }
}
