// Kea's clock, as the feed carries it, beside a clock here that never steps.
//
// A message tells an old time when it has waited: for a moment in a queue, for hours when this process was stopped. So a
// reading ahead of what was expected is believed at once, and one behind it only when readings have stayed behind, in step,
// for a while: that is a clock that went back, and not a queue that is being emptied.
// A step back that a restart falls into is seen by what the position remembers (judgedAt in the store).
import type { UnixSeconds } from '../binding.ts'

/** Milliseconds that readings must stay behind until they are believed; Kea is heard each second. */
const STAYS_BEHIND_MS = 3000
/** Readings that gain this much on the clock here, in milliseconds, come from a queue that is being emptied. */
const GAINS_MS = 500
/**
 * Two clocks that differ by less, in milliseconds, are taken for one: what differs is the way of the messages. That may
 * take long where a host is busy, so where Kea is on this host (a feed over ipc) the bound is wide.
 */
const SAME_CLOCK_MS = 1500
const SAME_HOST_MS = 30_000

export class KeaClock {
  /** Kea's clock minus the monotonic one. */
  #offset: number | undefined
  readonly #sameClock: number
  #behind: { readonly since: number; readonly first: number; best: number } | undefined

  /** @param sameHost Kea runs on this host */
  constructor(sameHost = false) {
    this.#sameClock = sameHost ? SAME_HOST_MS : SAME_CLOCK_MS
  }

  /**
   * @param clock Kea's clock in the message, Unix milliseconds
   * @param monotonic milliseconds
   * @returns by how many milliseconds Kea's clock has gone back
   */
  hear(clock: number, monotonic: number): number {
    const offset = clock - monotonic
    if (this.#offset === undefined || offset >= this.#offset) {
      this.#offset = offset
      this.#behind = undefined
      return 0
    }
    const behind = this.#behind
    if (behind === undefined || offset - behind.first > GAINS_MS) {
      this.#behind = { since: monotonic, first: offset, best: offset }
      return 0
    }
    behind.best = Math.max(behind.best, offset)
    if (monotonic - behind.since < STAYS_BEHIND_MS) return 0
    const back = this.#offset - behind.best
    this.#offset = behind.best
    this.#behind = undefined
    return back
  }

  /** Seconds since a message was sent that bears this time of Kea's clock: counted from the fastest message there was. */
  secondsSince(clock: number, monotonic: number): number {
    return this.#offset === undefined ? 0 : Math.max(0, (monotonic + this.#offset - clock) / 1000)
  }

  /**
   * Kea's clock in whole seconds; undefined until Kea has been heard.
   * @param wall the clock of this host, Unix milliseconds: where Kea's is the same but for the way of the messages, it is
   *   that one, so that both turn to the next second at the same moment
   */
  now(monotonic: number, wall?: number): UnixSeconds | undefined {
    if (this.#offset === undefined) return undefined
    const kea = monotonic + this.#offset
    return Math.floor((wall !== undefined && Math.abs(kea - wall) < this.#sameClock ? wall : kea) / 1000)
  }
}
