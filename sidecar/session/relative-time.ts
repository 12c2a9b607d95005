// Times about a lease, which are on Kea's clock, as a message tells them: relative to its base-time, which is on L.
// The lease's times are first taken against Kea's present, then moved by the distance from the base-time to L's present;
// the two clocks are never subtracted from each other.
import { INFINITE, type LogicalSeconds, type UnixSeconds } from '../binding.ts'
import type { Moment } from './session-io.ts'

/** Largest number of seconds that is not "infinite". */
const MOST = INFINITE - 1

/** Seconds from the base-time to `end`, which may be Infinity: what a lifetime or time-out field holds. Past = 0. */
export function secondsLeft(end: UnixSeconds, baseTime: LogicalSeconds, moment: Moment): number {
  if (end === Number.POSITIVE_INFINITY) return INFINITE
  return clamped(end - moment.keaNow + (moment.now - baseTime))
}

/** Seconds from `then` to the base-time: what an age field holds. Later than the base-time = 0. */
export function secondsSince(then: UnixSeconds, baseTime: LogicalSeconds, moment: Moment): number {
  return clamped(moment.keaNow - then - (moment.now - baseTime))
}

function clamped(seconds: number): number {
  return Math.min(Math.max(Math.floor(seconds), 0), MOST)
}
