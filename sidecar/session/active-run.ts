// The active query of a connection: from `open` over the catch-up phase to following the index, its keepalives, and how it
// ends. When messages may be sent, and what else happens on the connection, is the session's business.
import type { ChangeNumber, LogicalSeconds } from '../binding.ts'
import { ActiveCursor } from './active-query.ts'
import { ActivePen } from './change-pen.ts'
import type { Dialect, Outcome, ReplyContext } from './dialect.ts'
import type { ActiveQuery } from './query.ts'
import { scopeOf, viewOf } from './selection.ts'
import type { Action, Input, Moment, Rights, SessionNote, SessionSettings } from './session-io.ts'

/** What the query makes the session do. */
export interface ActiveHost {
  /** Messages wait for the requestor: nothing is read on. */
  blocked(): boolean
  send(message: Uint8Array, moment: Moment): void
  sendFrames(frames: Uint8Array, moment: Moment): void
  act(action: Action): void
  note(note: SessionNote): void
  xidText(xid: number): string
}

/** How far an active query has come, for whoever watches it. */
export interface ActiveProgress {
  /** Changes up to this number have been looked at. */
  readonly after: ChangeNumber
  /** Seconds by which it is behind the changes, once it has caught up. */
  readonly lagSeconds: number
}

/** What the messages are made from, and how many there were. */
interface Reply extends ReplyContext {
  readonly query: ActiveQuery
  first: boolean
  told: Set<ChangeNumber>
  messages: number
}

export class ActiveRun {
  readonly #dialect: Dialect
  readonly #settings: SessionSettings
  readonly #host: ActiveHost
  readonly #reply: Reply
  /** Undefined: where the query begins is being looked up. */
  #cursor: ActiveCursor | undefined
  #pen!: ActivePen
  /** A `write-changes` is under way. */
  #reading = false
  /** The index may hold more than the cursor has passed. */
  #behind = false
  /** A keepalive is due; the read under way shows whether there is something better to send. */
  #keepaliveDue = false
  #lastSent: number

  constructor(
    dialect: Dialect,
    settings: SessionSettings,
    rights: Rights,
    query: ActiveQuery,
    host: ActiveHost,
    moment: Moment,
  ) {
    const { service, limits } = settings
    const inScope = scopeOf(dialect, rights)
    this.#dialect = dialect
    this.#settings = settings
    this.#host = host
    this.#lastSent = moment.mono
    this.#reply = {
      query,
      service,
      limits,
      rights,
      inScope,
      shows: query.selects === undefined ? inScope : (data) => inScope(data) && query.selects!(data),
      view: viewOf(query, rights),
      first: true,
      told: new Set(),
      messages: 0,
    }
    host.note({ event: 'query-started', xid: host.xidText(query.xid), since: query.since })
    host.act({ type: 'open', since: query.since })
  }

  get phase(): 'opening' | 'catching-up' | 'live' {
    if (this.#cursor === undefined) return 'opening'
    return this.#cursor.until === undefined ? 'live' : 'catching-up'
  }

  /** How far it has come at `now`; undefined = where it begins is being looked up. */
  progress(now: LogicalSeconds): ActiveProgress | undefined {
    if (this.#cursor === undefined) return undefined
    return { after: this.#cursor.after, lagSeconds: this.#behind ? this.#cursor.lag(now) : 0 }
  }

  /** When a keepalive is due, on the monotonic clock in milliseconds; undefined = none is waited for. */
  get keepaliveAt(): number | undefined {
    if (this.#cursor === undefined || this.#keepaliveDue) return undefined
    const seconds = this.#reply.rights.keepaliveSeconds || this.#settings.limits.activeIdleSeconds
    return this.#lastSent + 1000 * seconds
  }

  /** Whether the connection is idle shows in the index itself: only what has been read to its end can be vouched for. */
  keepalive(): void {
    this.#keepaliveDue = true
    this.#read()
  }

  indexGrew(): void {
    this.#behind = true
    this.readOn()
  }

  readOn(): void {
    if (this.#behind && !this.#host.blocked()) this.#read()
  }

  onOpened({ after, newest, complete }: Extract<Input, { type: 'opened' }>, moment: Moment): void {
    const { since } = this.#reply.query
    this.#lastSent = moment.mono
    if (since === undefined) {
      this.#begin(new ActiveCursor(newest, undefined, moment.now))
      this.#tell('accepted', '', moment.now, moment)
    } else if (!complete || since > moment.now + this.#settings.limits.futureSeconds) {
      // A start time ahead of L is of another server or another life of this one: nothing is known about it.
      const reason = complete
        ? 'the start time lies in the future'
        : 'the history does not reach back to the start time'
      this.#begin(new ActiveCursor(newest, undefined, moment.now))
      this.#dataMissing(reason, moment.now, moment)
    } else {
      const cursor = this.#begin(new ActiveCursor(after, newest, moment.now))
      this.#behind = after < newest
      if (!this.#behind) this.#moveTo(cursor, after, newest, moment)
    }
    this.readOn()
  }

  #begin(cursor: ActiveCursor): ActiveCursor {
    this.#cursor = cursor
    this.#pen = new ActivePen(this.#dialect, this.#reply, cursor)
    return cursor
  }

  /** @returns why the query has to be ended, if it has */
  onWritten(
    { through, newest, overtaken }: Extract<Input, { type: 'written' }>,
    moment: Moment,
  ): string | undefined {
    const cursor = this.#cursor
    if (cursor === undefined || !this.#reading) throw new Error('changes that were not asked for')
    const keepaliveDue = this.#keepaliveDue
    const atEnd = through === newest
    const sent = this.#reply.messages
    this.#reading = false
    this.#keepaliveDue = false
    this.#behind = !atEnd && !overtaken
    if (overtaken) {
      // Pruning took away what had not been sent: RFC 7724 and RFC 7653 have a word for that in the catch-up phase only.
      // Behind it the requestor is ended, comes back with its last base-time, and is told DataMissing then.
      const reason = 'the history was pruned before it could be sent'
      if (cursor.until === undefined) return reason
      cursor.skipTo(newest, moment.now)
      this.#dataMissing(reason, moment.now, moment)
    } else {
      const { frames, messages } = this.#pen.end(through)
      this.#sendFrames(frames, messages, moment)
      this.#moveTo(cursor, through, newest, moment)
      // The answer is due at once, though nothing of this is for this requestor (RFC 7653 section 6.2.3).
      if (this.#reply.first) this.#tell('accepted', '', cursor.baseTime(moment.now, atEnd), moment)
      if (keepaliveDue && this.#reply.messages === sent)
        this.#tell('keepalive', '', cursor.baseTime(moment.now, atEnd), moment)
    }
    const lags = this.lagsTooFar(moment)
    if (lags === undefined) this.readOn()
    return lags
  }

  /**
   * Why a requestor that takes less than what changes has to be ended, if it has: it comes back where it was, or fills the gap
   * with Bulk.
   */
  lagsTooFar(moment: Moment): string | undefined {
    const { activeLagSeconds } = this.#settings.limits
    if (this.#cursor === undefined || !this.#behind || activeLagSeconds === 0) return undefined
    const lag = this.#cursor.lag(moment.now)
    if (lag <= activeLagSeconds) return undefined
    return `it lags ${lag} s behind the changes, over the ${activeLagSeconds} s allowed`
  }

  /** Tells the requestor that the query ends, and from when on to ask again (RFC 7724 section 8.4, RFC 7653 section 9.5). */
  terminate(text: string, moment: Moment): void {
    this.#host.note({
      event: 'query-terminated',
      xid: this.#host.xidText(this.#reply.query.xid),
      query: 'active',
      status: 'queryTerminated',
      reason: text,
    })
    const baseTime = this.#cursor?.baseTime(moment.now) ?? moment.now
    this.#tell('queryTerminated', text, baseTime, moment)
  }

  #read(): void {
    if (this.#cursor === undefined || this.#reading) return
    this.#reading = true
    const { after, until } = this.#cursor
    const limit = this.#settings.limits.batchChanges
    this.#host.act({ type: 'write-changes', after, until, limit, pen: this.#pen })
  }

  /** Everything up to `through` has been told; that may end the catch-up phase. */
  #moveTo(cursor: ActiveCursor, through: ChangeNumber, newest: ChangeNumber, moment: Moment): void {
    const baseTime = cursor.moveTo(through, newest, moment.now)
    if (baseTime === undefined) return
    const { query, messages } = this.#reply
    this.#host.note({ event: 'caught-up', xid: this.#host.xidText(query.xid), messages })
    this.#tell('catchUpComplete', '', baseTime, moment)
  }

  #dataMissing(reason: string, baseTime: LogicalSeconds, moment: Moment): void {
    this.#host.note({ event: 'data-missing', xid: this.#host.xidText(this.#reply.query.xid), reason })
    this.#tell('dataMissing', '', baseTime, moment)
  }

  #tell(outcome: Outcome, text: string, baseTime: LogicalSeconds, moment: Moment): void {
    for (const message of this.#dialect.outcome(this.#reply, outcome, text, baseTime, moment))
      this.#send(message, moment)
  }

  #send(message: Uint8Array, moment: Moment): void {
    this.#reply.first = false
    this.#reply.messages++
    this.#lastSent = moment.mono
    this.#host.send(message, moment)
  }

  #sendFrames(frames: Uint8Array, count: number, moment: Moment): void {
    if (count === 0) return
    this.#reply.messages += count
    this.#lastSent = moment.mono
    this.#host.sendFrames(frames, moment)
  }
}
