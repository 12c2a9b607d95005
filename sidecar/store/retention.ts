// Which ended bindings and departures are kept, and what may still be asked once some are gone.
import type { LogicalSeconds } from '../binding.ts'

export interface Retention {
  /** Seconds that an end is kept. */
  readonly seconds: number
  /** Most ended bindings and departures kept together. */
  readonly maxEnded: number
}

export const DEFAULT_RETENTION: Retention = { seconds: 604_800, maxEnded: 1_000_000 }

export type PruneReason = 'age' | 'count'

/** Why the oldest end, which came at `endedAt`, has to go at `now`; undefined = it stays, and all younger ones with it. */
export function pruneReason(
  retention: Retention,
  now: LogicalSeconds,
  endedAt: LogicalSeconds,
  ended: number,
): PruneReason | undefined {
  if (endedAt < now - retention.seconds) return 'age'
  return ended > retention.maxEnded ? 'count' : undefined
}

/** The index is complete from the second after a pruned end: bounds are inclusive, and that second has lost one. */
export function horizonAfter(prunedAt: LogicalSeconds): LogicalSeconds {
  return prunedAt + 1
}
