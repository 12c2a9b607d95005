import type { LogicalSeconds } from '../binding.ts'
import type { Dialect, ReplyContext } from './dialect.ts'
import type { ActiveChange, Moment } from './session-io.ts'

/** The messages that tell a change, in their place among those of a slice. */
export function framesAbout(
  dialect: Dialect,
  reply: ReplyContext,
  change: ActiveChange,
  baseTime: LogicalSeconds,
  moment: Moment,
): readonly Uint8Array[] {
  const frames = dialect.change(reply, change, baseTime, moment)
  // Who goes by addresses takes this one for free now, so its present holder has to be told of behind this, even if it was
  // told of before as a companion.
  if (change.kind === 'departure' && change.current !== undefined && frames.length > 0)
    reply.told.delete(change.current.changeNumber)
  return frames
}
