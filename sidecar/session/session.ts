// One requestor's connection, without I/O: facts in, decisions out. It opens no socket, reads no clock, knows no store.
//
// handle(input, moment) returns what to do, in order; deadline() is the one timer to keep. What goes in and comes out is
// described in session-io.ts, the phases in phases.ts, what is family in a Dialect.
import type { ChangeNumber, LogicalSeconds } from '../binding.ts'
import { Framer } from '../wire/framing.ts'
import { WireError } from '../wire/wire-error.ts'
import { ActiveCursor } from './active-query.ts'
import { BulkQueries } from './bulk-queries.ts'
import type { Dialect, Outcome, ReplyContext } from './dialect.ts'
import { accepted, harmless, type Phase } from './phases.ts'
import type { ActiveQuery, Asker, BulkQuery, QueryKind, Refusal } from './query.ts'
import { scopeOf, viewOf } from './selection.ts'
import type {
  Action,
  ChangeBatch,
  CloseReason,
  Input,
  Moment,
  Rights,
  SessionNote,
  SessionSettings,
} from './session-io.ts'

type State =
  | {
      readonly phase: 'expecting'
      readonly until: number
      readonly firstMessage: boolean
      readonly secure: boolean
    }
  | { readonly phase: 'securing'; readonly until: number }
  | { readonly phase: 'refused'; readonly until: number }
  | { readonly phase: 'bulk'; readonly secure: boolean }
  | { readonly phase: 'opening'; readonly run: Run }
  | { readonly phase: 'active'; readonly run: Run; readonly cursor: ActiveCursor }
  | { readonly phase: 'closed' }

/** An active query under way: what its messages are made from, and how many there were. */
interface Run extends ReplyContext {
  readonly query: ActiveQuery
  first: boolean
  told: Set<ChangeNumber>
  messages: number
}

export class Session {
  readonly #dialect: Dialect
  readonly #settings: SessionSettings
  #rights: Rights
  #framer: Framer
  #state: State
  #actions: Action[] = []
  readonly #bulk: BulkQueries
  /** A message that has to wait until the Bulk queries are done. */
  #parked: Uint8Array | undefined
  /** Octets of the requestor are left unread. */
  #paused = false
  /** It has closed its end; what it asked for before that is still answered. */
  #requestorEnded = false
  #refusals = 0

  /** A `read` is under way. */
  #reading = false
  /** The index may hold more than the cursor has passed. */
  #behind = false
  /** A keepalive is due; the read under way shows whether there is something better to send. */
  #keepaliveDue = false
  #lastSent: number
  /** When messages began to wait for the requestor, or last moved; undefined = the connection takes more. */
  #blockedSince: number | undefined

  constructor(dialect: Dialect, settings: SessionSettings, moment: Moment) {
    this.#dialect = dialect
    this.#settings = settings
    this.#rights = settings.rights
    this.#framer = new Framer(settings.limits.maxMessage)
    this.#lastSent = moment.mono
    this.#state = this.#expecting(moment, false)
    this.#bulk = new BulkQueries(dialect, settings, {
      send: (message, moment) => this.#send(message, moment),
      act: (action) => this.#actions.push(action),
      note: (note) => this.#note(note),
      xidText: (xid) => this.#xidText(xid),
    })
  }

  get phase(): Phase {
    const state = this.#state
    if (state.phase !== 'active') return state.phase
    return state.cursor.catchingUp ? 'catching-up' : 'live'
  }

  /** When `deadline` is due, on the monotonic clock in milliseconds; undefined = nothing is waited for. */
  deadline(): number | undefined {
    const state = this.#state
    switch (state.phase) {
      case 'closed':
        return undefined
      case 'expecting':
      case 'securing':
      case 'refused':
        return state.until
      case 'bulk':
        return this.#blockedSince === undefined
          ? undefined
          : this.#blockedSince + 1000 * this.#settings.limits.dataSeconds
      case 'opening':
      case 'active':
        if (this.#blockedSince !== undefined)
          return this.#blockedSince + 1000 * this.#settings.limits.activeSendSeconds
        return state.phase === 'opening' || this.#keepaliveDue ? undefined : this.#keepaliveAt()
    }
  }

  /**
   * Takes a fact and returns what to do about it, in order. An input that makes no sense in the present phase is a mistake of
   * the caller's and throws; a closed session ignores everything.
   */
  handle(input: Input, moment: Moment): Action[] {
    const { phase } = this
    if (phase === 'closed') return []
    if (!accepted[phase].has(input.type)) {
      if (harmless.has(input.type)) return []
      throw new Error(`input ${input.type} in phase ${phase}`)
    }
    switch (input.type) {
      case 'bytes':
        this.#onBytes(input.data, moment)
        break
      case 'secured':
        this.#rights = input.rights
        this.#framer = new Framer(this.#settings.limits.maxMessage)
        this.#state = this.#expecting(moment, true)
        break
      case 'opened':
        this.#onOpened(input, moment)
        break
      case 'batch':
        this.#onBatch(input.batch, moment)
        break
      case 'scan-opened':
        this.#bulk.onOpened(input.scan, input.horizon, moment)
        break
      case 'scan-refused':
        this.#bulk.onRefused(input.scan, input.text, moment)
        break
      case 'slice': {
        const cut = this.#bulk.onSlice(input.scan, input.slice, moment)
        if (cut !== undefined) {
          this.#terminate(cut, moment)
          this.#close('terminated', cut)
        }
        break
      }
      case 'index-grew':
        this.#behind = true
        this.#readOn()
        break
      case 'writable':
        this.#blockedSince = undefined
        this.#readOn()
        break
      case 'progress':
        if (this.#blockedSince !== undefined) this.#blockedSince = moment.mono
        this.#lagsTooFar(moment)
        break
      case 'deadline':
        this.#onDeadline(moment)
        break
      case 'ended':
        this.#onEnded()
        break
      case 'terminate':
        this.#terminate(input.text, moment)
        this.#close('terminated', input.text)
        break
      default:
        assertNever(input)
    }
    this.#goOn(moment)
    const actions = this.#actions
    this.#actions = []
    return actions
  }

  // ---- messages of the requestor

  #onBytes(data: Uint8Array, moment: Moment): void {
    // It was told to close (RFC 7724 section 7.2); nothing more is processed.
    if (this.#state.phase === 'refused') return
    if (this.#state.phase === 'securing') {
      this.#misbehaved('octets in clear text after the start of TLS', moment)
      return
    }
    this.#framer.push(data)
  }

  /** Deals with the messages that are there, as far as they may be dealt with now, and with what follows from that. */
  #goOn(moment: Moment): void {
    for (;;) {
      if (this.#state.phase === 'bulk' && this.#bulk.running === 0) {
        // RFC 6926 section 8.5: after the last one the connection may stay, for a while.
        this.#state = { ...this.#expecting(moment, this.#state.secure), firstMessage: false }
      }
      if (!this.#readsMessages()) break
      const message = this.#nextMessage(moment)
      if (message === undefined) break
      this.#onMessage(message, moment)
    }
    const { phase } = this.#state
    if (phase === 'bulk' && this.#blockedSince === undefined) this.#bulk.readOn()
    if (phase === 'expecting' && this.#requestorEnded && this.#readsMessages())
      this.#close('requestor-closed', 'the requestor closed the connection')
    this.#pauseOrResume()
  }

  #nextMessage(moment: Moment): Uint8Array | undefined {
    const parked = this.#parked
    this.#parked = undefined
    if (parked !== undefined) return parked
    try {
      return this.#framer.next()
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#misbehaved(error.message, moment)
      return undefined
    }
  }

  #readsMessages(): boolean {
    switch (this.#state.phase) {
      case 'expecting':
      case 'bulk':
        // A requestor that does not take its answers is not asked what else it wants.
        return this.#blockedSince === undefined && !this.#full()
      case 'opening':
      case 'active':
        return true
      default:
        return false
    }
  }

  /** As much is in progress as may be: nothing further is read (RFC 6926 section 8.4, RFC 5460 section 7.3). */
  #full(): boolean {
    if (this.#state.phase !== 'bulk') return false
    return this.#parked !== undefined || this.#bulk.running >= this.#settings.limits.maxBulkQueries
  }

  #pauseOrResume(): void {
    const { phase } = this.#state
    if (phase === 'closed') return
    const waits = phase === 'expecting' || phase === 'bulk'
    const pause = waits && (this.#full() || (this.#blockedSince !== undefined && this.#framer.buffered > 0))
    if (pause === this.#paused) return
    this.#paused = pause
    this.#actions.push({ type: 'reading', on: !pause })
  }

  #onEnded(): void {
    const { phase } = this.#state
    if (phase === 'expecting' || phase === 'bulk') {
      // RFC 5460 section 7.4: it may close its end behind its queries and still wait for the answers.
      this.#requestorEnded = true
      return
    }
    // RFC 7724 section 8.4, RFC 7653 section 9.5
    this.#close('requestor-closed', 'the requestor closed the connection', true)
  }

  #onMessage(message: Uint8Array, moment: Moment): void {
    const { service, tls } = this.#settings
    const request = this.#dialect.parse(message, moment.now, service, this.#rights)
    if (request.kind === 'unanswerable') {
      this.#misbehaved(request.reason, moment)
      return
    }
    if (request.kind === 'tls-start') {
      this.#onTlsStart(request.xid, moment)
      return
    }
    const state = this.#state
    const kind = request.kind === 'refused' ? request.query : request.kind
    if (state.phase === 'bulk' && kind === 'active') {
      this.#parked = message
      return
    }
    if (state.phase !== 'expecting' && state.phase !== 'bulk') {
      // RFC 7724 section 8.3, RFC 7653 section 9.4: nothing else is asked on the connection of an active query.
      const asker = request.kind === 'refused' ? request.asker : request.query
      const text = 'an active query is running on this connection'
      this.#refuse(kind, asker, { status: 'notAllowed', text }, moment)
      return
    }
    if (tls.mode === 'required' && !state.secure) {
      // RFC 7724 section 8.1, RFC 7653 section 9.1: connections that are not secured are closed.
      const text = 'a query came in clear text where TLS is required'
      this.#note({ event: 'misbehaved', reason: text })
      this.#close('no-tls', text)
      return
    }
    switch (request.kind) {
      case 'refused':
        if (kind === 'bulk') this.#refuseBulk(request.asker, request.refusal, moment)
        else this.#refuse(kind, request.asker, request.refusal, moment)
        return
      case 'bulk':
        this.#startBulk(request.query, state.secure, moment)
        return
      case 'active':
        this.#startActive(request.query, moment)
        return
      default:
        assertNever(request)
    }
  }

  #onTlsStart(xid: number, moment: Moment): void {
    const state = this.#state
    const { limits, service, tls } = this.#settings
    if (state.phase !== 'expecting' || !state.firstMessage || state.secure) {
      this.#misbehaved('TLS can only be started by the first message of a connection', moment)
      return
    }
    const refused = tls.mode === 'off' || !tls.ready
    if (!refused && this.#framer.buffered > 0) {
      // They came before the go-ahead, so they are no part of TLS, and must not be taken for a query inside it.
      this.#misbehaved('octets behind the start of TLS', moment)
      return
    }
    this.#send(this.#dialect.tlsAnswer(xid, refused, service), moment)
    if (!refused) {
      this.#state = { phase: 'securing', until: moment.mono + 1000 * limits.tlsSeconds }
      this.#actions.push({ type: 'start-tls' })
      return
    }
    this.#note({ event: 'tls-refused' })
    // In insecure mode the connection goes on (RFC 7724 section 8.1); otherwise nothing further is processed on it.
    this.#state =
      tls.mode === 'off'
        ? { ...state, firstMessage: false }
        : { phase: 'refused', until: moment.mono + 1000 * limits.refusedSeconds }
  }

  /** Tells the requestor that its query is not served, and closes; a query under way ends with it. */
  #refuse(kind: QueryKind, asker: Asker, refusal: Refusal, moment: Moment): void {
    const { service } = this.#settings
    const answer = this.#enabled(kind) ? refusal : this.#whenDisabled(kind)
    if (answer === undefined) {
      this.#misbehaved(`${kind} queries are not enabled`, moment)
      return
    }
    this.#noteRefused(kind, asker, answer)
    this.#send(this.#dialect.refuse(kind, asker, answer, service, moment.now), moment)
    this.#terminate('another query was refused on this connection', moment)
    this.#close('refused', answer.text)
  }

  #noteRefused(query: QueryKind, asker: Asker, { status, text }: Refusal): void {
    this.#note({ event: 'query-refused', xid: this.#xidText(asker.xid), query, status, reason: text })
  }

  #enabled(kind: QueryKind): boolean {
    const { activeEnabled, bulkEnabled } = this.#settings.service
    return kind === 'active' ? activeEnabled : bulkEnabled
  }

  #whenDisabled(kind: QueryKind): Refusal | undefined {
    const status = this.#dialect.whenDisabled[kind]
    return status === undefined ? undefined : { status, text: `${kind} queries are not enabled` }
  }

  // ---- Bulk queries

  #startBulk(query: BulkQuery, secure: boolean, moment: Moment): void {
    if (!this.#enabled('bulk') || !this.#rights.bulk) {
      this.#refuse('bulk', query, { status: 'notAllowed', text: 'not allowed to this requestor' }, moment)
      return
    }
    if (this.#bulk.has(query.xid)) {
      // Nobody could tell the answers apart (RFC 6926 section 7.1, RFC 5460 section 6.5).
      this.#misbehaved(`transaction-id ${this.#xidText(query.xid)} is that of a query under way`, moment)
      return
    }
    this.#state = { phase: 'bulk', secure }
    this.#bulk.start(query, this.#rights, moment)
  }

  /** One that fails leaves the connection and all others be (RFC 6926 section 8.2), unless they are many. */
  #refuseBulk(asker: Asker, refusal: Refusal, moment: Moment): void {
    if (
      !this.#enabled('bulk') ||
      !this.#rights.bulk ||
      ++this.#refusals >= this.#settings.limits.maxRefusals
    ) {
      this.#refuse('bulk', asker, refusal, moment)
      return
    }
    this.#noteRefused('bulk', asker, refusal)
    this.#send(this.#dialect.refuse('bulk', asker, refusal, this.#settings.service, moment.now), moment)
    if (this.#state.phase === 'expecting')
      this.#state = { ...this.#expecting(moment, this.#state.secure), firstMessage: false }
  }

  // ---- the active query

  #startActive(query: ActiveQuery, moment: Moment): void {
    if (this.#requestorEnded) {
      this.#close('requestor-closed', 'the requestor closed the connection', true)
      return
    }
    if (!this.#enabled('active') || !this.#rights.active) {
      this.#refuse('active', query, { status: 'notAllowed', text: 'not allowed to this requestor' }, moment)
      return
    }
    const { service, limits } = this.#settings
    const inScope = scopeOf(this.#dialect, this.#rights)
    const run: Run = {
      query,
      service,
      limits,
      rights: this.#rights,
      inScope,
      shows: query.selects === undefined ? inScope : (data) => inScope(data) && query.selects!(data),
      view: viewOf(query, this.#rights),
      first: true,
      told: new Set(),
      messages: 0,
    }
    this.#state = { phase: 'opening', run }
    this.#note({ event: 'query-started', xid: this.#xidText(query.xid), since: query.since })
    this.#actions.push({ type: 'open', since: query.since })
  }

  #onOpened({ after, newest, complete }: Extract<Input, { type: 'opened' }>, moment: Moment): void {
    if (this.#state.phase !== 'opening') return
    const { run } = this.#state
    const { since } = run.query
    this.#lastSent = moment.mono
    if (since === undefined) {
      this.#follow(run, new ActiveCursor(newest, undefined, moment.now))
      this.#tell(run, 'accepted', '', moment.now, moment)
    } else if (!complete || since > moment.now + this.#settings.limits.futureSeconds) {
      // A start time ahead of L is of another server or another life of this one: nothing is known about it.
      const reason = complete
        ? 'the start time lies in the future'
        : 'the history does not reach back to the start time'
      this.#follow(run, new ActiveCursor(newest, undefined, moment.now))
      this.#dataMissing(run, reason, moment.now, moment)
    } else {
      const cursor = new ActiveCursor(after, newest, moment.now, since)
      this.#follow(run, cursor)
      if (after < newest) this.#behind = true
      else this.#tellBatch(run, cursor, nothingNewer(after), moment)
    }
    this.#readOn()
  }

  #follow(run: Run, cursor: ActiveCursor): void {
    this.#state = { phase: 'active', run, cursor }
  }

  #onBatch(batch: ChangeBatch, moment: Moment): void {
    if (this.#state.phase !== 'active') return
    if (!this.#reading) throw new Error('a batch that was not asked for')
    const { run, cursor } = this.#state
    const keepaliveDue = this.#keepaliveDue
    this.#reading = false
    this.#keepaliveDue = false
    this.#behind = !batch.atEnd
    if (batch.overtaken) {
      if (!this.#overtaken(run, cursor, batch, moment)) return
    } else {
      const sent = run.messages
      this.#tellBatch(run, cursor, batch, moment)
      // The answer is due at once, though nothing of this batch is for this requestor (RFC 7653 section 6.2.3).
      if (run.first) this.#tell(run, 'accepted', '', cursor.baseTime(moment.now, batch.atEnd), moment)
      if (keepaliveDue && run.messages === sent)
        this.#tell(run, 'keepalive', '', cursor.baseTime(moment.now, batch.atEnd), moment)
    }
    if (!this.#lagsTooFar(moment)) this.#readOn()
  }

  /** A requestor that takes less than what changes is ended: it comes back where it was, or fills the gap with Bulk. */
  #lagsTooFar(moment: Moment): boolean {
    const { activeLagSeconds } = this.#settings.limits
    if (this.#state.phase !== 'active' || !this.#behind || activeLagSeconds === 0) return false
    const lag = this.#state.cursor.lag(moment.now)
    if (lag <= activeLagSeconds) return false
    const text = `it lags ${lag} s behind the changes, over the ${activeLagSeconds} s allowed`
    this.#terminate(text, moment)
    this.#close('terminated', text)
    return true
  }

  #tellBatch(run: Run, cursor: ActiveCursor, batch: ChangeBatch, moment: Moment): void {
    run.told.clear()
    for (const step of cursor.advance(batch, moment.now)) {
      if (step.kind === 'caught-up') {
        this.#note({ event: 'caught-up', xid: this.#xidText(run.query.xid), messages: run.messages })
        this.#tell(run, 'catchUpComplete', '', step.baseTime, moment)
      } else {
        const messages = this.#dialect.change(run, step.change, step.baseTime, moment)
        for (const message of messages) this.#sendReply(run, message, moment)
        // Who goes by addresses takes this one for free now, so its present holder has to be told of behind this, even if
        // it was told of before as a companion.
        if (step.change.kind === 'departure' && step.change.current !== undefined && messages.length > 0)
          run.told.delete(step.change.current.changeNumber)
      }
    }
  }

  /** Pruning took away what had not been sent: RFC 7724 and RFC 7653 have a word for that in the catch-up phase only. */
  #overtaken(run: Run, cursor: ActiveCursor, batch: ChangeBatch, moment: Moment): boolean {
    const reason = 'the history was pruned before it could be sent'
    if (cursor.catchingUp) {
      cursor.skipTo(batch.newest, moment.now)
      this.#behind = false
      this.#dataMissing(run, reason, moment.now, moment)
      return true
    }
    // It comes back with its last base-time, and is told DataMissing then.
    this.#terminate(reason, moment)
    this.#close('terminated', reason)
    return false
  }

  #dataMissing(run: Run, reason: string, baseTime: LogicalSeconds, moment: Moment): void {
    this.#note({ event: 'data-missing', xid: this.#xidText(run.query.xid), reason })
    this.#tell(run, 'dataMissing', '', baseTime, moment)
  }

  /**
   * Ends what is under way with QueryTerminated (RFC 7724 section 8.4, RFC 7653 section 9.5, RFC 6926 section 8.5, RFC 5460
   * section 5.5).
   */
  #terminate(text: string, moment: Moment): void {
    const state = this.#state
    if (state.phase === 'bulk') this.#bulk.terminate(text, moment)
    if (state.phase !== 'opening' && state.phase !== 'active') return
    const { run } = state
    this.#note({
      event: 'query-terminated',
      xid: this.#xidText(run.query.xid),
      query: 'active',
      status: 'queryTerminated',
      reason: text,
    })
    const baseTime = state.phase === 'active' ? state.cursor.baseTime(moment.now) : moment.now
    this.#tell(run, 'queryTerminated', text, baseTime, moment)
  }

  // ---- reading on, and time

  #readOn(): void {
    if (this.#behind && this.#blockedSince === undefined) this.#read()
  }

  #read(): void {
    if (this.#state.phase !== 'active' || this.#reading) return
    this.#reading = true
    this.#actions.push({
      type: 'read',
      after: this.#state.cursor.after,
      limit: this.#settings.limits.batchChanges,
    })
  }

  #onDeadline(moment: Moment): void {
    const due = this.deadline()
    if (due === undefined || moment.mono < due) return
    const { limits } = this.#settings
    switch (this.#state.phase) {
      case 'expecting':
        this.#close('idle', `no whole query within ${this.#querySeconds(this.#state.secure)} s`)
        return
      case 'securing':
        this.#close('no-tls', `no TLS within ${limits.tlsSeconds} s`, true)
        return
      case 'refused':
        this.#close('no-tls', 'TLS was refused and the requestor did not close')
        return
      case 'bulk':
        this.#close('blocked', `nothing could be sent for ${limits.dataSeconds} s`, true)
        return
      case 'opening':
      case 'active':
        if (this.#blockedSince !== undefined) {
          this.#close('blocked', `nothing could be sent for ${limits.activeSendSeconds} s`, true)
          return
        }
        // Whether the connection is idle shows in the index itself: only what has been read to its end can be vouched for.
        this.#keepaliveDue = true
        this.#read()
        return
      case 'closed':
        return
    }
  }

  #keepaliveAt(): number {
    const seconds = this.#rights.keepaliveSeconds || this.#settings.limits.activeIdleSeconds
    return this.#lastSent + 1000 * seconds
  }

  #expecting(moment: Moment, secure: boolean): Extract<State, { phase: 'expecting' }> {
    const until = moment.mono + 1000 * this.#querySeconds(secure)
    return { phase: 'expecting', until, firstMessage: true, secure }
  }

  /** Who has yet to ask for TLS may be anybody, and waits no longer for it than in the handshake. */
  #querySeconds(secure: boolean): number {
    const { limits, tls } = this.#settings
    return tls.mode === 'required' && !secure
      ? Math.min(limits.dataSeconds, limits.tlsSeconds)
      : limits.dataSeconds
  }

  // ---- actions

  #tell(run: Run, outcome: Outcome, text: string, baseTime: LogicalSeconds, moment: Moment): void {
    for (const message of this.#dialect.outcome(run, outcome, text, baseTime, moment))
      this.#sendReply(run, message, moment)
  }

  #sendReply(run: Run, message: Uint8Array, moment: Moment): void {
    run.first = false
    run.messages++
    this.#send(message, moment)
  }

  #send(message: Uint8Array, moment: Moment): void {
    this.#lastSent = moment.mono
    this.#blockedSince ??= moment.mono
    this.#actions.push({ type: 'send', message })
  }

  #note(note: SessionNote): void {
    this.#actions.push({ type: 'note', note })
  }

  #misbehaved(reason: string, moment: Moment): void {
    this.#note({ event: 'misbehaved', reason })
    this.#terminate(reason, moment)
    this.#close('protocol-error', reason)
  }

  #close(reason: CloseReason, text: string, abort = false): void {
    this.#state = { phase: 'closed' }
    this.#actions.push({ type: 'close', reason, text, abort })
  }

  #xidText(xid: number): string {
    return xid.toString(16).padStart(this.#dialect.family === 4 ? 8 : 6, '0')
  }
}

function nothingNewer(newest: ChangeNumber): ChangeBatch {
  return { changes: [], through: newest, newest, atEnd: true, overtaken: false }
}

function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`)
}
