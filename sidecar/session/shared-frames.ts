// Requestors at the tail of the index are told the same changes within the same second. Those with one view of them get
// one encoding, with only the transaction id patched in.
import type { ChangeNumber, LogicalSeconds, UnixSeconds } from '../binding.ts'
import type { Dialect, ReplyContext } from './dialect.ts'
import type { ActiveChange, Moment } from './session-io.ts'
import { SharedBatches } from './shared-batches.ts'

/** Everything that a message about a change depends on, but for the transaction id. */
interface Encoding {
  readonly view: string
  readonly maxReply: number
  /** T1 and T2 of the subnet. */
  readonly renew: number
  readonly rebind: number
  readonly baseTime: LogicalSeconds
  readonly now: LogicalSeconds
  readonly keaNow: UnixSeconds
  /** Change numbers of what stands beside the change: companions, and who holds a departed address now. */
  readonly beside: readonly ChangeNumber[]
  readonly frames: readonly Uint8Array[]
  readonly told: readonly ChangeNumber[]
}

/** Changes older than this are read by one requestor that lags or catches up, not by all of them. */
const TAIL_SECONDS = 2
/** Encodings kept for one change; more views than this at one time are encoded each for itself. */
const MAX_VIEWS = 16

/**
 * A dialect that keeps what it has encoded for changes of the last seconds, for the sessions of one listener over one
 * store. Octets are the same as without it.
 *
 * @param capacity changes kept, what bounds its memory: messages are mostly below 400 octets
 */
export function shareFrames(dialect: Dialect, capacity = 4096): Dialect {
  const kept = new Map<ChangeNumber, Encoding[]>()

  function change(
    reply: ReplyContext,
    one: ActiveChange,
    baseTime: LogicalSeconds,
    moment: Moment,
  ): Uint8Array[] {
    const { changeNumber, changedAt, subnetId } = one.kind === 'binding' ? one.binding : one.departure
    const { view } = reply
    if (
      view === undefined ||
      reply.first ||
      reply.told.has(changeNumber) ||
      moment.now - changedAt > TAIL_SECONDS
    )
      return dialect.change(reply, one, baseTime, moment)

    const { maxReply } = reply.limits
    const { now, keaNow } = moment
    const timers = reply.service.timers?.(subnetId)
    const renew = timers?.renew ?? 0
    const rebind = timers?.rebind ?? 0
    const beside = besideOf(one)
    let encodings = kept.get(changeNumber)
    const found = encodings?.find(
      (encoding) =>
        encoding.view === view &&
        encoding.baseTime === baseTime &&
        encoding.now === now &&
        encoding.keaNow === keaNow &&
        encoding.maxReply === maxReply &&
        encoding.renew === renew &&
        encoding.rebind === rebind &&
        sameNumbers(encoding.beside, beside),
    )
    if (found !== undefined) {
      for (const number of found.told) reply.told.add(number)
      return found.frames.map((frame) => dialect.withXid(frame, reply.query.xid))
    }

    const told = new Set<ChangeNumber>()
    const frames = dialect.change({ ...reply, told }, one, baseTime, moment)
    for (const number of told) reply.told.add(number)
    if (encodings === undefined) {
      encodings = []
      kept.set(changeNumber, encodings)
      if (kept.size > capacity) kept.delete(kept.keys().next().value!)
    }
    if (encodings.length === MAX_VIEWS) encodings.shift()
    encodings.push({ view, maxReply, renew, rebind, baseTime, now, keaNow, beside, frames, told: [...told] })
    return frames
  }

  return { ...dialect, change, batches: new SharedBatches(dialect.setXid) }
}

const NOTHING: readonly ChangeNumber[] = []

function besideOf(one: ActiveChange): readonly ChangeNumber[] {
  const { companions } = one
  if (one.kind === 'binding' && companions.length === 0) return NOTHING
  const numbers = companions.map((companion) => companion.changeNumber)
  if (one.kind === 'departure') numbers.push(one.current?.changeNumber ?? 0)
  return numbers
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((number, i) => number === b[i])
}
