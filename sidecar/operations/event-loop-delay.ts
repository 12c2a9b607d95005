// How long the event loop keeps others waiting: everything here is one thread, so whatever takes long delays every requestor
// and the feed.
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { Histogram, type HistogramState } from '../histogram.ts'

/** Milliseconds between two looks of Node's own monitor. */
const RESOLUTION_MS = 20
const SECOND_MS = 1_000
/** Seconds. A slice of work takes a millisecond or two; half a second is felt, five seconds lose the feed. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** Counts the longest delay of each second: one long stop is seen however many looks went well beside it. */
export class EventLoopDelay {
  readonly #monitor: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  readonly #longest = new Histogram(BOUNDS)
  #timer: NodeJS.Timeout | undefined

  start(): void {
    this.#monitor.enable()
    this.#timer = setInterval(() => this.#second(), SECOND_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#monitor.disable()
  }

  /** In seconds; one observation a second. */
  state(): HistogramState {
    return this.#longest.state()
  }

  #second(): void {
    // The monitor counts nanoseconds from one look to the next; what is above its resolution is delay.
    const longest = this.#monitor.max / 1e6 - RESOLUTION_MS
    this.#longest.observe(Math.max(0, longest) / 1000)
    this.#monitor.reset()
  }
}
