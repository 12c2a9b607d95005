// What has to be known of the logical clock's past, beside its mark: where it jumped, where it began anew, and which
// start times belong to what it was before. A blob of the store.
import type { ChangeNumber, LogicalSeconds } from '../binding.ts'

/** Name of the blob. */
export const TIME_LINE = 'time-line'

/** The clock began anew: changes up to this number count as changes of this second at the latest. */
interface Restart {
  readonly number: ChangeNumber
  readonly at: LogicalSeconds
}

/** Both ends included. */
interface Range {
  readonly from: LogicalSeconds
  readonly through: LogicalSeconds
}

interface Kept {
  readonly jumps: readonly LogicalSeconds[]
  readonly restarts: readonly Restart[]
  readonly disowned: readonly Range[]
}

const MOST_JUMPS = 16
const MOST_RESTARTS = 8

/**
 * A clock that was far in the future and came back is begun anew when the operator says so. Requestors may still hold
 * base-times from that future. When the clock really gets there, they must not be taken for its own: who comes with
 * one has not been told what changed since the clock began anew. So they are disowned for good, and no more than they:
 * what was handed out lies between the second that the clock jumped to and the last one before it began anew.
 */
export class TimeLine {
  #jumps: LogicalSeconds[] = []
  #restarts: Restart[] = []
  #disowned: Range[] = []

  constructor(kept?: Uint8Array) {
    if (kept === undefined) return
    const { jumps, restarts, disowned } = JSON.parse(Buffer.from(kept).toString()) as Kept
    this.#jumps = [...jumps]
    this.#restarts = [...restarts]
    this.#disowned = [...disowned]
  }

  encode(): Buffer {
    const kept: Kept = { jumps: this.#jumps, restarts: this.#restarts, disowned: this.#disowned }
    return Buffer.from(JSON.stringify(kept))
  }

  /** The clock went to `to` from a second far before it, by a step or while nobody ran it. */
  jumped(to: LogicalSeconds): void {
    this.#jumps = [...this.#jumps.filter((jump) => jump !== to), to].sort((a, b) => a - b).slice(-MOST_JUMPS)
  }

  /**
   * The clock begins anew at `at`, and had handed out seconds up to `through`.
   * @param number newest change before that
   */
  restart(at: LogicalSeconds, through: LogicalSeconds, number: ChangeNumber): void {
    const [oldest] = this.#jumps
    const jump = this.#jumps.find((second) => second > at)
    // Where the jump into the future is not known, or may have been forgotten, all of that future is disowned.
    const known = jump !== undefined && (this.#jumps.length < MOST_JUMPS || oldest! <= at)
    this.#disowned = [...this.#disowned, { from: known ? jump : at + 1, through }]
    while (this.#disowned.length > MOST_RESTARTS) {
      const [first, second, ...rest] = this.#disowned
      const from = Math.min(first!.from, second!.from)
      this.#disowned = [{ from, through: Math.max(first!.through, second!.through) }, ...rest]
    }
    this.#restarts = [...this.#restarts, { number, at }].slice(-MOST_RESTARTS)
    this.#jumps = this.#jumps.filter((second) => second <= at)
  }

  /** The time of a change as it counts now; what is on disk may be of before the clock began anew. */
  timeOf(number: ChangeNumber, at: LogicalSeconds): LogicalSeconds {
    let time = at
    for (const restart of this.#restarts) if (number <= restart.number) time = Math.min(time, restart.at)
    return time
  }

  /** A base-time `at` may have been handed out before the clock began anew: nothing can be told by it. */
  disowns(at: LogicalSeconds): boolean {
    return this.#disowned.some(({ from, through }) => at >= from && at <= through)
  }
}
