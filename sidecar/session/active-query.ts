// An active query is a cursor over the change index. Here is where it stands, what it may say about time, and when it has
// caught up; no octets, no connection.
import type { ChangeNumber, LogicalSeconds } from '../binding.ts'

/**
 * The base-time rule, on which resuming rests: after the catch-up phase a message's base-time is never later than the
 * change time of any change that has not been sent on this connection when that message has been sent. A requestor that
 * comes back with it as start time is told everything it did not receive. It never goes back.
 *
 * In the catch-up phase base-time is the present; the requestor must not keep it (RFC 7724 section 7.3, RFC 7653
 * section 8.4), and leases told with an older one would seem to live longer than they do.
 */
export class ActiveCursor {
  #after: ChangeNumber
  /** In the catch-up phase: the newest change when the query came. */
  #until: ChangeNumber | undefined
  /** No change that is still to be sent, the catch-up phase's own left aside, is older than this. */
  #oldestUnsent: LogicalSeconds
  /** Highest base-time given out after the catch-up phase. */
  #told: LogicalSeconds

  /**
   * @param until newest change when the query came, for a catch-up phase; undefined = follow the index from `after` on
   * @param now L at that moment: what is stored from then on gets no smaller change time
   */
  constructor(after: ChangeNumber, until: ChangeNumber | undefined, now: LogicalSeconds) {
    this.#after = after
    this.#until = until
    this.#oldestUnsent = now
    this.#told = now
  }

  /** Read on from here. */
  get after(): ChangeNumber {
    return this.#after
  }

  /** In the catch-up phase, what it goes up to; undefined behind it. */
  get until(): ChangeNumber | undefined {
    return this.#until
  }

  /**
   * Seconds since everything there was had been read, or since the change read last where it was not to the end: how far
   * base-times are held back. In the catch-up phase 0: what is told then is old by its nature.
   */
  lag(now: LogicalSeconds): number {
    return this.#until !== undefined ? 0 : now - this.#oldestUnsent
  }

  /** Base-time of a message that tells no change, sent now. `atEnd`: the index was read to its end at this moment. */
  baseTime(now: LogicalSeconds, atEnd = false): LogicalSeconds {
    if (this.#until !== undefined) return now
    return this.#tell(atEnd ? now : Math.min(now, this.#oldestUnsent))
  }

  /** Highest base-time given out after the catch-up phase; what may still be said of time depends on no other past. */
  get told(): LogicalSeconds {
    return this.#told
  }

  /**
   * Base-time of the message about the change that comes next, sent at the second `now`.
   * @param next change time of the one behind it, which bounds all that are left: change times do not go back along the
   *   index; undefined = there is none
   */
  step(next: LogicalSeconds | undefined, now: LogicalSeconds): LogicalSeconds {
    if (this.#until !== undefined) return now
    this.#oldestUnsent = next ?? now
    return this.baseTime(now)
  }

  /**
   * Everything up to `through` was sent, of an index whose newest change is `newest` at the second `now`.
   * @returns the base-time of CatchUpComplete, where that ends the catch-up phase: of what is to be sent from there on,
   *   nothing was stored before the query came
   */
  moveTo(through: ChangeNumber, newest: ChangeNumber, now: LogicalSeconds): LogicalSeconds | undefined {
    this.#after = through
    const completes = this.#until !== undefined && through >= this.#until
    if (completes) this.#until = undefined
    if (this.#until === undefined && through === newest) this.#oldestUnsent = now
    return completes ? this.baseTime(now) : undefined
  }

  /** The catch-up phase is over without having been completed: whatever is up to `newest` will not be sent. */
  skipTo(newest: ChangeNumber, now: LogicalSeconds): void {
    this.#after = newest
    this.#until = undefined
    this.#oldestUnsent = now
  }

  #tell(baseTime: LogicalSeconds): LogicalSeconds {
    this.#told = Math.max(this.#told, baseTime)
    return this.#told
  }
}
