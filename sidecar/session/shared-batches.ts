// Requestors at the tail mostly stand at the same place of the index and are told the same. It is written for one of them;
// the others get a copy of all its octets, in which only their own transaction id is put.
import type { ChangeNumber, LogicalSeconds, UnixSeconds } from '../binding.ts'
import { frameEnd } from '../wire/framing.ts'
import type { Dialect, ReplyContext } from './dialect.ts'
import type { Moment } from './session-io.ts'

/** Slices kept for one place; more views than this at one time are written each for itself. */
const MAX_VIEWS = 16

/** What was written from one place on. */
export interface Slice {
  /** All changes up to this number are told. */
  readonly through: ChangeNumber
  /** There was a change. */
  readonly moved: boolean
  /** Change time of the one behind the last of them; undefined = there was none. */
  readonly next: LogicalSeconds | undefined
  /** Never changed. */
  readonly frames: Uint8Array
  readonly messages: number
}

/** With everything that its messages depend on, but for place and transaction id. */
interface Kept extends Slice {
  readonly view: string
  readonly maxReply: number
  /** Base-time that the requestor was told last. */
  readonly told: LogicalSeconds
  readonly now: LogicalSeconds
  readonly keaNow: UnixSeconds
}

/** A dialect for the sessions of one listener over one store, which share what they are told; octets are the same as without. */
export function shareBatches(dialect: Dialect): Dialect {
  return { ...dialect, batches: new SharedBatches(dialect.setXid) }
}

export class SharedBatches {
  readonly #kept = new WeakMap<object, Kept[]>()
  readonly #setXid: (frames: Uint8Array, at: number, xid: number) => void

  /** @param setXid gives the frame that begins at `at` another transaction id */
  constructor(setXid: (frames: Uint8Array, at: number, xid: number) => void) {
    this.#setXid = setXid
  }

  /** What another requestor of the same view was told from this place on; undefined: nothing is kept. */
  find(
    place: object,
    { view, limits: { maxReply } }: ReplyContext,
    told: LogicalSeconds,
    { now, keaNow }: Moment,
  ): Slice | undefined {
    return this.#kept
      .get(place)
      ?.find(
        (one) =>
          one.told === told &&
          one.now === now &&
          one.keaNow === keaNow &&
          one.maxReply === maxReply &&
          one.view === view,
      )
  }

  /** Keeps what a requestor is told behind the catch-up phase. */
  keep(
    place: object,
    { view, limits: { maxReply } }: ReplyContext,
    told: LogicalSeconds,
    { now, keaNow }: Moment,
    slice: Slice,
  ): void {
    if (view === undefined) return
    let kept = this.#kept.get(place)
    if (kept === undefined) {
      kept = []
      this.#kept.set(place, kept)
    }
    if (kept.length < MAX_VIEWS) kept.push({ view, maxReply, told, now, keaNow, ...slice })
  }

  /** Its frames, for another requestor. */
  copied({ frames }: Slice, xid: number): Uint8Array {
    const copy = frames.slice()
    for (let at = 0; at < copy.length; at = frameEnd(copy, at)) this.#setXid(copy, at, xid)
    return copy
  }
}
