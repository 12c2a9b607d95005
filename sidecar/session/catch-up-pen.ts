// What writes the messages of a catch-up phase. Its base-times are the present (RFC 7724 section 7.3, RFC 7653 section 8.4),
// so that a message says nothing of those behind it and can be written as soon as its change is come upon.
import type { PackedBinding } from '../packed-binding.ts'
import { Writer } from '../wire/writer.ts'
import type { Dialect, ReplyContext } from './dialect.ts'
import type { ActiveChange, ChangePen, Moment } from './session-io.ts'
import { framesAbout } from './tell-change.ts'

/** The answer that the messages belong to; knows whether its first one has been written. */
interface Reply extends ReplyContext {
  first: boolean
}

export class CatchUpPen implements ChangePen {
  readonly #dialect: Dialect
  readonly #reply: Reply
  readonly #to = new Writer()
  #messages = 0

  constructor(dialect: Dialect, reply: Reply) {
    this.#dialect = dialect
    this.#reply = reply
  }

  /** A slice begins: what was written before has been sent. */
  begin(): void {
    this.#to.reset()
    this.#messages = 0
    this.#reply.told.clear()
  }

  get length(): number {
    return this.#to.length
  }

  /** Messages written in this slice. */
  get messages(): number {
    return this.#messages
  }

  /** They, one behind the other; good until the next slice begins. */
  get frames(): Uint8Array {
    return this.#to.view()
  }

  wants(record: PackedBinding): boolean {
    const { told, shows } = this.#reply
    return (told.size === 0 || !told.has(record.changeNumber)) && shows(record)
  }

  write(record: PackedBinding, companions: readonly PackedBinding[], moment: Moment): void {
    this.#count(this.#dialect.write(this.#to, this.#reply, record, companions, moment.now, moment))
  }

  tell(change: ActiveChange, moment: Moment): void {
    const frames = framesAbout(this.#dialect, this.#reply, change, moment.now, moment)
    for (const frame of frames) this.#to.octets(frame)
    this.#count(frames.length)
  }

  #count(messages: number): void {
    if (messages > 0) this.#reply.first = false
    this.#messages += messages
  }
}
