// What the parts of the benchmark measure with.
import { readFileSync } from 'node:fs'

/** CPU time of our main thread, so that a busy machine does not change the figures much. */
export function mainThreadSeconds(): number {
  return threadSeconds(process.pid)
}

/** CPU time of a process's main thread. */
export function threadSeconds(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9
}

/** Watches the event loop; the function it returns stops that, and tells the longest pause in milliseconds. */
export function longestPause(): () => number {
  let longest = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last - 1)
    last = now
  }, 1)
  return () => {
    clearInterval(timer)
    return longest
  }
}

/** @param share 0 to 1; the nearest value at or above it */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]!
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}
