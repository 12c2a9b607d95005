// An active query is a cursor over the change index. Here is where it stands, what it may say about time, and when it has
// caught up; no octets, no connection.
import type { ChangeNumber, LogicalSeconds } from '../binding.ts'
import type { ActiveChange, ChangeBatch } from './session-io.ts'

/** What is to be told next, with the base-time that its message may carry. */
export interface Step {
  readonly change: ActiveChange
  readonly baseTime: LogicalSeconds
}

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
   * In the catch-up phase: everything up to `through` was sent, of an index whose newest change is `newest` at the second
   * `now`.
   * @returns the base-time of CatchUpComplete, where that ends the phase: of what is to be sent from there on, nothing was
   *   stored before the query came
   */
  catchUp(through: ChangeNumber, newest: ChangeNumber, now: LogicalSeconds): LogicalSeconds | undefined {
    this.#after = through
    if (this.#until === undefined || through < this.#until) return undefined
    this.#until = undefined
    if (through === newest) this.#oldestUnsent = now
    return this.baseTime(now)
  }

  /** As {@link advance}, where all of the batch is sent in one go. */
  pass(batch: ChangeBatch, now: LogicalSeconds): void {
    const last = batch.changes.at(-1)
    if (last !== undefined) {
      this.#oldestUnsent = batch.atEnd ? now : changedAtOf(last)
      this.baseTime(now)
    }
    this.#after = batch.through
    if (batch.atEnd) this.#oldestUnsent = now
  }

  /** The catch-up phase is over without having been completed: whatever is up to `newest` will not be sent. */
  skipTo(newest: ChangeNumber, now: LogicalSeconds): void {
    this.#after = newest
    this.#until = undefined
    this.#oldestUnsent = now
  }

  /**
   * Behind the catch-up phase: moves over a batch that was read after {@link after} at the second `now`. Each step must be
   * sent before the next is asked for.
   */
  *advance(batch: ChangeBatch, now: LogicalSeconds): Generator<Step> {
    const { changes } = batch
    for (const [i, change] of changes.entries()) {
      // Change times do not go back along the index, so the next change bounds all that are left.
      const next = changes[i + 1]
      this.#oldestUnsent = next === undefined && batch.atEnd ? now : changedAtOf(next ?? change)
      yield { change, baseTime: this.baseTime(now) }
    }
    this.#after = batch.through
    if (batch.atEnd) this.#oldestUnsent = now
  }

  #tell(baseTime: LogicalSeconds): LogicalSeconds {
    this.#told = Math.max(this.#told, baseTime)
    return this.#told
  }
}

function changedAtOf(change: ActiveChange): LogicalSeconds {
  return (change.kind === 'binding' ? change.binding : change.departure).changedAt
}
