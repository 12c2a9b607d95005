// Times about a lease, which are on Kea's clock, as a message tells them: relative to its base-time, which is on L.
//
// Where the two clocks differ, a lease's times are taken against Kea's present and moved by the distance from the
// base-time to L's present, so that a step of either clock neither shortens nor lengthens a lease. Where they differ by
// seconds only, they are one clock and L is passing by: after a start it stands above all it told before, after a stall
// behind until the disk has followed. Base-time plus what is left is then the expiry itself, to the second, as it is a
// moment later; a requestor smooths its clock skew over messages (RFC 6926 section 2) and follows no such passing.
import { INFINITE, type LogicalSeconds, type UnixSeconds } from '../binding.ts'
import type { Moment } from './session-io.ts'

/** Largest number of seconds that is not "infinite". */
const MOST = INFINITE - 1

/** Seconds by which L may differ from Kea's clock and still be the same clock. */
const NEAR_SECONDS = 15

/**
 * Seconds from the base-time to `end`, which may be Infinity: what a lifetime or time-out field holds. Past = 0; what
 * is not past by Kea's clock is at least 1.
 */
export function secondsLeft(end: UnixSeconds, baseTime: LogicalSeconds, moment: Moment): number {
  if (end === Number.POSITIVE_INFINITY) return INFINITE
  const left = clamped(end + distance(moment) - baseTime)
  return left === 0 && end > moment.keaNow ? 1 : left
}

/** Seconds from `then` to the base-time: what an age field holds. Later than the base-time = 0. */
export function secondsSince(then: UnixSeconds, baseTime: LogicalSeconds, moment: Moment): number {
  return clamped(baseTime - then - distance(moment))
}

/** What has to be added to a time on Kea's clock to have it on L. */
function distance({ now, keaNow }: Moment): number {
  const seconds = now - keaNow
  return Math.abs(seconds) <= NEAR_SECONDS ? 0 : seconds
}

function clamped(seconds: number): number {
  return Math.min(Math.max(Math.floor(seconds), 0), MOST)
}
