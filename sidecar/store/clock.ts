// The logical clock L: whole seconds that never go back, not over a clock step and not over a restart.
import type { LogicalSeconds } from '../binding.ts'

export interface ClockStep {
  readonly direction: 'forward' | 'backward'
  /** By how much the wall clock moved beside what really passed. */
  readonly seconds: number
}

export interface LogicalClockOptions {
  /** The wall clock, seconds since 1970; fractions allowed. */
  readonly wall: () => number
  /** A clock that no one sets, in seconds from anywhere; tells a step from the passing of time. */
  readonly monotonic: () => number
  /** The clock never was beyond this second in an earlier life; 0 = there was none. */
  readonly persistedMark: LogicalSeconds
  /** How many seconds a mark is set ahead: few, so that a series of crashes does not run the clock away. */
  readonly ahead?: number | undefined
  /** A step of the wall clock by more than this many seconds is reported. */
  readonly stepBound?: number | undefined
  readonly onStep?: ((step: ClockStep) => void) | undefined
  /** A new {@link LogicalClock.wantedMark} waits to be persisted. */
  readonly onWanted?: (() => void) | undefined
}

export const CLOCK_AHEAD = 5
export const CLOCK_STEP_BOUND = 60

/**
 * L = max(wall clock, every L before). Whatever it returns is at or below a mark that is on disk already, and a new
 * life begins above that mark: so a base-time, once told to a requestor, is never undercut by a later change time.
 */
export class LogicalClock {
  readonly #options: LogicalClockOptions
  readonly #ahead: number
  readonly #stepBound: number
  #last: LogicalSeconds
  #mark: LogicalSeconds
  #wanted: LogicalSeconds
  #offset: number
  #unsafe = false

  constructor(options: LogicalClockOptions) {
    this.#options = options
    this.#ahead = options.ahead ?? CLOCK_AHEAD
    this.#stepBound = options.stepBound ?? CLOCK_STEP_BOUND
    const wall = options.wall()
    this.#offset = wall - options.monotonic()
    const begin = options.persistedMark === 0 ? 0 : options.persistedMark + 1
    this.#last = Math.max(Math.floor(wall), begin)
    this.#mark = options.persistedMark
    this.#wanted = this.#last + this.#ahead
    if (begin - wall > this.#stepBound) {
      options.onStep?.({ direction: 'backward', seconds: Math.round(begin - wall) })
    }
  }

  /**
   * The present second. Until a mark at or above it is persisted, the clock stands still at the last one that is;
   * nothing must be read before the first mark is on disk.
   */
  now(): LogicalSeconds {
    const wall = this.#options.wall()
    this.#watch(wall)
    let now = Math.max(this.#last, Math.floor(wall))
    if (now + this.#ahead / 2 > this.#wanted) {
      this.#wanted = now + this.#ahead
      this.#options.onWanted?.()
    }
    if (now > this.#mark && !this.#unsafe) now = Math.max(this.#last, this.#mark)
    this.#last = now
    return now
  }

  /** The newest second handed out; what is stored must not be younger. */
  get last(): LogicalSeconds {
    return this.#last
  }

  /** Seconds by which L runs before the wall clock. */
  get held(): number {
    return Math.max(0, this.#last - Math.floor(this.#options.wall()))
  }

  /** A step of the wall clock by more than this is reported. */
  get stepBound(): number {
    return this.#stepBound
  }

  /** The mark that should be on disk. */
  get wantedMark(): LogicalSeconds {
    return this.#wanted
  }

  /** `mark` is on disk. */
  markPersisted(mark: LogicalSeconds): void {
    // One above what is wanted was on its way when the clock began anew.
    if (mark > this.#mark && mark <= this.#wanted) this.#mark = mark
  }

  /**
   * Begins anew at the wall clock, which lies far behind: whoever has a second of before must not be answered by it.
   * @returns the second it begins at
   */
  restart(): LogicalSeconds {
    this.#last = Math.floor(this.#options.wall())
    // The mark on disk is above it until the next one is.
    this.#mark = this.#last
    this.#wanted = this.#last + this.#ahead
    this.#options.onWanted?.()
    return this.#last
  }

  /**
   * While the disk fails no mark can be set. Standing still for as long would freeze every requestor's base-time, so
   * the clock then goes on unguarded: only a clock step together with a restart in that time could undo it.
   */
  set diskFails(fails: boolean) {
    this.#unsafe = fails
  }

  #watch(wall: number): void {
    const offset = wall - this.#options.monotonic()
    const step = offset - this.#offset
    this.#offset = offset
    if (Math.abs(step) <= this.#stepBound) return
    this.#options.onStep?.({
      direction: step > 0 ? 'forward' : 'backward',
      seconds: Math.round(Math.abs(step)),
    })
  }
}
