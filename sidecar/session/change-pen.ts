// What writes the messages about changes, in the catch-up phase and behind it.
import type { ChangeNumber, LogicalSeconds } from '../binding.ts'
import type { PackedBinding } from '../packed-binding.ts'
import { Writer } from '../wire/writer.ts'
import type { ActiveCursor } from './active-query.ts'
import type { Dialect, ReplyContext } from './dialect.ts'
import type { ActiveChange, ChangePen, Moment } from './session-io.ts'
import type { Slice } from './shared-batches.ts'

/** The answer that the messages belong to; knows whether its first one has been written. */
interface Reply extends ReplyContext {
  first: boolean
}

/** What is told behind the catch-up phase is little at a time, written here for all and copied. */
const common = new Writer(32 * 1024)

export class ActivePen implements ChangePen {
  readonly #dialect: Dialect
  readonly #reply: Reply
  readonly #cursor: ActiveCursor
  /** For the catch-up phase: what is written in one slice is sent before the next. */
  #own: Writer | undefined
  #to = common
  #place: object = {}
  #moment!: Moment
  /** Base-time that the requestor had been told when the slice began. */
  #toldBefore: LogicalSeconds = 0
  #baseTime: LogicalSeconds = 0
  #messages = 0
  /** Whether others may have the slice, too. */
  #isShared = false
  #moved = false
  #next: LogicalSeconds | undefined
  #found: Slice | undefined

  constructor(dialect: Dialect, reply: Reply, cursor: ActiveCursor) {
    this.#dialect = dialect
    this.#reply = reply
    this.#cursor = cursor
  }

  begin(place: object, moment: Moment): ChangeNumber | undefined {
    const { batches } = this.#dialect
    const reply = this.#reply
    const cursor = this.#cursor
    if (cursor.until === undefined) this.#own = undefined
    else this.#own ??= new Writer()
    this.#to = this.#own ?? common
    this.#to.reset()
    reply.told.clear()
    this.#place = place
    this.#moment = moment
    this.#toldBefore = cursor.told
    this.#messages = 0
    this.#moved = false
    // What is told first differs from one to the other, and so does how far the catch-up phase goes.
    this.#isShared = !reply.first && cursor.until === undefined
    this.#found = this.#isShared ? batches?.find(place, reply, cursor.told, moment) : undefined
    if (this.#found?.moved) this.turnTo(this.#found.next)
    return this.#found?.through
  }

  get length(): number {
    return this.#to.length
  }

  turnTo(next: LogicalSeconds | undefined): void {
    this.#moved = true
    this.#next = next
    this.#baseTime = this.#cursor.step(next, this.#moment.now)
  }

  wants(record: PackedBinding): boolean {
    const { told, shows } = this.#reply
    return (told.size === 0 || !told.has(record.changeNumber)) && shows(record)
  }

  write(record: PackedBinding, companions: readonly PackedBinding[]): void {
    this.#count(this.#dialect.write(this.#to, this.#reply, record, companions, this.#baseTime, this.#moment))
  }

  tell(change: ActiveChange): void {
    const frames = this.#dialect.change(this.#reply, change, this.#baseTime, this.#moment)
    for (const frame of frames) this.#to.octets(frame)
    this.#count(frames.length)
    // Who goes by addresses takes this one for free now, so its present holder has to be told of behind this, even if it
    // was told of before as a companion.
    if (change.kind === 'departure' && change.current !== undefined && frames.length > 0)
      this.#reply.told.delete(change.current.changeNumber)
  }

  /** The slice has ended. @returns its messages, one behind the other; good until the next one begins */
  end(through: ChangeNumber): { readonly frames: Uint8Array; readonly messages: number } {
    const { batches } = this.#dialect
    const found = this.#found
    if (found !== undefined && batches !== undefined) {
      return { frames: batches.copied(found, this.#reply.query.xid), messages: found.messages }
    }
    const messages = this.#messages
    const frames = this.#own === undefined ? this.#to.take() : this.#to.view()
    if (this.#isShared) {
      const slice = { through, moved: this.#moved, next: this.#next, frames, messages }
      batches?.keep(this.#place, this.#reply, this.#toldBefore, this.#moment, slice)
    }
    return { frames, messages }
  }

  #count(messages: number): void {
    if (messages > 0) this.#reply.first = false
    this.#messages += messages
  }
}
