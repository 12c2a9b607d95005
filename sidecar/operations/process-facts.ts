// The process as the kernel and V8 count it.
import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessFacts {
  /** Unix seconds. */
  readonly startedAt: number
  readonly cpuSeconds: number
  readonly residentOctets: number
  readonly heapTotalOctets: number
  readonly heapUsedOctets: number
  /** Outside of V8's heap: the bindings are there. */
  readonly externalOctets: number
  /** File descriptors; undefined where the system does not tell. */
  readonly openFiles: number | undefined
  readonly maxFiles: number | undefined
}

/** Once, so that it is the same each time it is told. */
const startedAt = Math.round(Date.now() - 1000 * process.uptime()) / 1000

export function processFacts(): ProcessFacts {
  const { user, system } = process.cpuUsage()
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage()
  return {
    startedAt,
    cpuSeconds: (user + system) / 1e6,
    residentOctets: rss,
    heapTotalOctets: heapTotal,
    heapUsedOctets: heapUsed,
    externalOctets: external,
    openFiles: ofSystem(() => readdirSync('/proc/self/fd').length),
    maxFiles: ofSystem(() => {
      const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
      return limit === null ? undefined : Number(limit[1])
    }),
  }
}

function ofSystem(read: () => number | undefined): number | undefined {
  try {
    return read()
  } catch {
    return undefined // No /proc, or no right to it.
  }
}
