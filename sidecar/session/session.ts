// One requestor's connection, without I/O: facts in, decisions out. It opens no socket, reads no clock, knows no store.
//
// handle(input, moment) returns what to do, in order; deadline() is the one timer to keep. What goes in and comes out is
// described in session-io.ts, the phases in phases.ts, what is family in a Dialect.
import type { LogicalSeconds } from '../binding.ts'
import { Framer } from '../wire/framing.ts'
import { WireError } from '../wire/wire-error.ts'
import { type ActiveHost, type ActiveProgress, ActiveRun } from './active-run.ts'
import { type BulkHost, BulkQueries } from './bulk-queries.ts'
import type { Dialect } from './dialect.ts'
import { accepted, harmless, type Phase } from './phases.ts'
import type { ActiveQuery, Asker, BulkQuery, QueryKind, Refusal } from './query.ts'
import type {
  Action,
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
  | { readonly phase: 'active'; readonly run: ActiveRun }
  | { readonly phase: 'closed' }

export class Session {
  readonly #dialect: Dialect
  readonly #settings: SessionSettings
  #rights: Rights
  #framer: Framer
  #state: State
  #actions: Action[] = []
  /** What queries make the session do. */
  readonly #host: ActiveHost & BulkHost
  readonly #bulk: BulkQueries
  /** A message that has to wait until the Bulk queries are done. */
  #parked: Uint8Array | undefined
  /** Octets of the requestor are left unread. */
  #paused = false
  /** It has closed its end; what it asked for before that is still answered. */
  #requestorEnded = false
  #refusals = 0

  /** When messages began to wait for the requestor, or last moved; undefined = the connection takes more. */
  #blockedSince: number | undefined

  constructor(dialect: Dialect, settings: SessionSettings, moment: Moment) {
    this.#dialect = dialect
    this.#settings = settings
    this.#rights = settings.rights
    this.#framer = new Framer(settings.limits.maxMessage)
    this.#state = this.#expecting(moment, false)
    this.#host = {
      blocked: () => this.#blockedSince !== undefined,
      send: (message, moment) => this.#send(message, moment),
      sendFrames: (frames, moment) => this.#sendFrames(frames, moment),
      act: (action) => this.#actions.push(action),
      note: (note) => this.#note(note),
      xidText: (xid) => this.#xidText(xid),
    }
    this.#bulk = new BulkQueries(dialect, settings, this.#host)
  }

  get phase(): Phase {
    const state = this.#state
    return state.phase === 'active' ? state.run.phase : state.phase
  }

  /** How far the active query has come, where one runs. */
  activeProgress(now: LogicalSeconds): ActiveProgress | undefined {
    const state = this.#state
    return state.phase === 'active' ? state.run.progress(now) : undefined
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
      case 'active':
        return this.#blockedSince === undefined
          ? state.run.keepaliveAt
          : this.#blockedSince + 1000 * this.#settings.limits.activeSendSeconds
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
        this.#active.onOpened(input, moment)
        break
      case 'written':
        this.#endIf(this.#active.onWritten(input, moment), moment)
        break
      case 'scan-opened':
        this.#bulk.onOpened(input.scan, input.horizon, moment)
        break
      case 'scan-refused':
        this.#bulk.onRefused(input.scan, input.text, moment)
        break
      case 'slice':
        this.#endIf(this.#bulk.onSlice(input.scan, input.slice, moment), moment)
        break
      case 'index-grew':
        if (this.#state.phase === 'active') this.#state.run.indexGrew()
        break
      case 'writable':
        this.#blockedSince = undefined
        if (this.#state.phase === 'active') this.#state.run.readOn()
        break
      case 'progress':
        if (this.#blockedSince !== undefined) this.#blockedSince = moment.mono
        if (this.#state.phase === 'active') this.#endIf(this.#state.run.lagsTooFar(moment), moment)
        break
      case 'deadline':
        this.#onDeadline(moment)
        break
      case 'ended':
        this.#onEnded()
        break
      case 'terminate':
        this.#endIf(input.text, moment)
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
    const run = new ActiveRun(this.#dialect, this.#settings, this.#rights, query, this.#host, moment)
    this.#state = { phase: 'active', run }
  }

  get #active(): ActiveRun {
    if (this.#state.phase !== 'active') throw new Error(`no active query in phase ${this.#state.phase}`)
    return this.#state.run
  }

  /** Ends the connection with what is under way, for this reason if there is one. */
  #endIf(reason: string | undefined, moment: Moment): void {
    if (reason === undefined) return
    this.#terminate(reason, moment)
    this.#close('terminated', reason)
  }

  /**
   * Ends what is under way with QueryTerminated (RFC 7724 section 8.4, RFC 7653 section 9.5, RFC 6926 section 8.5, RFC 5460
   * section 5.5).
   */
  #terminate(text: string, moment: Moment): void {
    const state = this.#state
    if (state.phase === 'bulk') this.#bulk.terminate(text, moment)
    if (state.phase === 'active') state.run.terminate(text, moment)
  }

  // ---- time

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
      case 'active':
        if (this.#blockedSince === undefined) this.#state.run.keepalive()
        else this.#close('blocked', `nothing could be sent for ${limits.activeSendSeconds} s`, true)
        return
      case 'closed':
        return
    }
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

  #send(message: Uint8Array, moment: Moment): void {
    this.#blockedSince ??= moment.mono
    this.#actions.push({ type: 'send', message })
  }

  #sendFrames(frames: Uint8Array, moment: Moment): void {
    this.#blockedSince ??= moment.mono
    this.#actions.push({ type: 'send-frames', frames })
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

function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`)
}
