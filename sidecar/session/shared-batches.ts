// Requestors at the tail mostly stand at the same place of the index and read the same batch. It is encoded for one of them;
// the others get a copy of all its octets, in which only their own transaction id is put.
import type { LogicalSeconds, UnixSeconds } from '../binding.ts'
import { frameEnd } from '../wire/framing.ts'
import type { ReplyContext } from './dialect.ts'
import type { ChangeBatch, Moment } from './session-io.ts'

/** Encodings kept for one batch; more views than this at one time are encoded each for itself. */
const MAX_VIEWS = 16

/** Everything that the messages about a batch depend on, but for the transaction id. */
interface Encoding {
  readonly view: string
  readonly maxReply: number
  /** Base-time that the requestor was told last. */
  readonly told: LogicalSeconds
  readonly now: LogicalSeconds
  readonly keaNow: UnixSeconds
  readonly messages: readonly Uint8Array[]
  /** All of them one behind the other; made for the second requestor. */
  frames: Uint8Array | undefined
}

export class SharedBatches {
  readonly #kept = new WeakMap<ChangeBatch, Encoding[]>()
  readonly #setXid: (frames: Uint8Array, at: number, xid: number) => void

  /** @param setXid gives the frame that begins at `at` another transaction id */
  constructor(setXid: (frames: Uint8Array, at: number, xid: number) => void) {
    this.#setXid = setXid
  }

  /**
   * What another requestor of the same view was told of this batch, for this one: frames one behind the other, and how many.
   * Undefined: nothing is kept.
   */
  find(
    batch: ChangeBatch,
    reply: ReplyContext,
    told: LogicalSeconds,
    moment: Moment,
  ): { readonly frames: Uint8Array; readonly count: number } | undefined {
    const found = this.#kept
      .get(batch)
      ?.find(
        (one) =>
          one.told === told &&
          one.now === moment.now &&
          one.keaNow === moment.keaNow &&
          one.maxReply === reply.limits.maxReply &&
          one.view === reply.view,
      )
    if (found === undefined) return undefined
    found.frames ??= inARow(found.messages)
    const frames = found.frames.slice()
    for (let at = 0; at < frames.length; at = frameEnd(frames, at)) this.#setXid(frames, at, reply.query.xid)
    return { frames, count: found.messages.length }
  }

  /** Keeps what a requestor is told of a batch after the catch-up phase. */
  keep(
    batch: ChangeBatch,
    { view, limits: { maxReply } }: ReplyContext,
    told: LogicalSeconds,
    { now, keaNow }: Moment,
    messages: readonly Uint8Array[],
  ): void {
    if (view === undefined) return
    let encodings = this.#kept.get(batch)
    if (encodings === undefined) {
      encodings = []
      this.#kept.set(batch, encodings)
    }
    if (encodings.length < MAX_VIEWS)
      encodings.push({ view, maxReply, told, now, keaNow, messages, frames: undefined })
  }
}

function inARow(messages: readonly Uint8Array[]): Uint8Array {
  const octets = new Uint8Array(messages.reduce((length, message) => length + message.length, 0))
  let at = 0
  for (const message of messages) {
    octets.set(message, at)
    at += message.length
  }
  return octets
}
