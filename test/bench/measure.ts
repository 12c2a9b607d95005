// What the parts of the benchmark measure with.
import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** CPU time of our main thread, so that a busy machine does not change the figures much. */
export function mainThreadSeconds(): number {
  return threadSeconds(process.pid)
}

/** CPU time of a process's main thread. */
export function threadSeconds(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9
}

/** Milliseconds on a clock that all processes share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Memory that a process holds. */
export function residentOctets(pid: number): number {
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
}

/** Seconds that it takes by the clock, and of the main thread's CPU time. */
export async function timed(run: () => Promise<void>): Promise<{ clock: number; cpu: number }> {
  const started = performance.now()
  const cpu = mainThreadSeconds()
  await run()
  return { clock: (performance.now() - started) / 1000, cpu: mainThreadSeconds() - cpu }
}

export interface Pauses {
  /** Milliseconds. */
  readonly p99: number
  readonly longest: number
}

/** Watches for how long the event loop is held; the function it returns stops that, and tells. */
export function watchPauses(): () => Pauses {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  return () => {
    delays.disable()
    const held = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)
    return { p99: held(delays.percentile(99)), longest: held(delays.max) }
  }
}

const RESOLUTION_MS = 1

/** @param share 0 to 1; the nearest value at or above it */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]!
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}
