// One socket and its session: performs what the session decides, tells it what happened, and keeps its one timer.
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ChangeNumber } from '../binding.ts'
import type { Requester } from '../config-requesters.ts'
import { assertNever, codeOf, reasonOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { secondsOf } from '../seconds.ts'
import type { Action, Input, Moment } from '../session/session-io.ts'
import type { ConnectionHost, SessionLike } from './connection-host.ts'
import { ConnectionScans } from './connection-scans.ts'
import { joined } from './join.ts'
import { QueryLog } from './query-log.ts'
import { type RefusalReason, Refused } from './refused.ts'
import { type RequestorStatus, viewOf } from './requestor-status.ts'
import { type MessageStream, plainStream, type SecuredPeer } from './tls.ts'

/** Milliseconds that a closing connection may take to hand over what was sent. */
const CLOSE_MS = 5_000
/** Milliseconds after which it is asked again where an active query begins. */
const OPEN_AGAIN_MS = 50
/** Octets waiting for the requestor beyond which the session has gone wrong; one slice is far less. */
const MAX_UNSENT = 4 * 1024 * 1024
/** How long messages wait for the kernel before the requestor counts as blocked, for the log. */
const BLOCKED_LOG_MS = 10_000

export class Connection {
  readonly address: string
  readonly #port: number
  readonly #conn: number
  #requester: Requester
  /** Undefined before TLS is up, and without it. */
  #peer: SecuredPeer | undefined
  /** What is written to and read from: the accepted socket, or TLS over it. */
  #stream: MessageStream
  readonly #raw: Socket
  readonly #tls: boolean
  #securing = false
  readonly #session: SessionLike
  readonly #host: ConnectionHost
  #log: Log
  readonly #began = performance.now()
  #timer: NodeJS.Timeout | undefined
  #timerAt = Number.POSITIVE_INFINITY
  /** Sent since the session was last told `writable`. */
  #owesWritable = false
  #unsentBefore = 0
  #blockedSince: number | undefined
  #blockedLogged = false
  #handling = false
  /** `closing`: nothing more is said or heard, while what was sent is being taken; `gone`: the socket is closed. */
  #life: 'open' | 'closing' | 'gone' = 'open'
  readonly #scans: ConnectionScans
  readonly #queries: QueryLog
  #queryActive = false
  /** It waits for its turn to read changes. */
  #reads = false
  #bytes = 0
  #messages = 0
  #closeReason = ''
  /** Where TLS never came up: why. */
  #refusedFor: RefusalReason = 'tls-failed'

  /**
   * @param conn its number in this process
   * @param tls TLS comes first: until it is up, this is anybody
   */
  constructor(
    conn: number,
    socket: Socket,
    requester: Requester,
    session: SessionLike,
    host: ConnectionHost,
    log: Log,
    tls: boolean,
  ) {
    this.#conn = conn
    this.#port = socket.remotePort ?? 0
    this.#stream = plainStream(socket)
    this.#raw = socket
    this.#requester = requester
    this.address = socket.remoteAddress ?? ''
    this.#session = session
    this.#host = host
    this.#log = log
    this.#tls = tls
    this.#queries = new QueryLog(log, () => this.#messages, host.counters)
    this.#scans = new ConnectionScans({
      turns: host.turns,
      alive: () => this.#isOpen,
      guarded: (work) => this.#guarded(work),
      openBulk: (query, waitedMs) => host.openBulk(query, this.#requester, waitedMs),
      tell: (input) => this.#tell(input),
    })
    if (!tls) {
      host.counters.accepted += 1
      log.requestorConnected({ port: this.#port })
    }
    this.#listenTo(socket)
    // Below TLS the reason may be told a moment after the end.
    socket.on('close', () => setImmediate(() => this.#onClose()))
    this.#rearm()
  }

  #listenTo(socket: Duplex): void {
    socket.on('data', (data) => this.#tell({ type: 'bytes', data }))
    socket.on('end', () => this.#tell({ type: 'ended' }))
    socket.on('error', (error) => this.#lost(error))
  }

  /** The entry that speaks for it; before TLS is up that of its address, which may be none. */
  get requester(): Requester {
    return this.#requester
  }

  get peer(): SecuredPeer | undefined {
    return this.#peer
  }

  /** Messages travel inside TLS, whose certificate was accepted. */
  get secure(): boolean {
    return this.#peer !== undefined
  }

  get #isOpen(): boolean {
    return this.#life === 'open'
  }

  /** An active query runs here. */
  get active(): boolean {
    return this.#queryActive && this.#isOpen
  }

  get caughtUp(): boolean {
    return this.#queries.caughtUp
  }

  get closing(): boolean {
    return !this.#isOpen
  }

  get idle(): boolean {
    return this.#queries.running === 0
  }

  /** Who it is: the names in its certificate, or its address. */
  get identity(): string {
    return this.#peer?.name ?? this.address
  }

  /** How it stands with it. @param newest the newest change */
  status({ now, mono }: Moment, newest: ChangeNumber): RequestorStatus {
    const progress = this.#session.activeProgress(now)
    return {
      conn: this.#conn,
      address: this.address,
      port: this.#port,
      certificate: this.#peer?.name ?? null,
      entry: this.#requester.place,
      view: viewOf(this.#requester),
      phase: this.#isOpen ? this.#session.phase : 'closed',
      queries: this.#queries.list(mono),
      connectedSeconds: secondsOf(mono - this.#began),
      lagChanges: progress === undefined ? 0 : newest - progress.after,
      lagSeconds: progress?.lagSeconds ?? 0,
      blockedSeconds: this.#blockedSince === undefined ? null : secondsOf(mono - this.#blockedSince),
      messages: this.#messages,
      octets: this.#bytes,
      waitingOctets: this.#unsent,
    }
  }

  /** The change index has grown. */
  indexGrew(): void {
    // What it waits to read shows all there is by then.
    if (this.#queryActive && !this.#reads) this.#tell({ type: 'index-grew' })
  }

  /** Ends what runs, telling the requestor (QueryTerminated), and closes. */
  terminate(text: string): void {
    this.#tell({ type: 'terminate', text })
    // A session without a query has nothing to say; it closes all the same.
    if (this.#isOpen) this.#close(`ended by this server: ${text}`, false)
  }

  /** Closes without another word. */
  destroy(reason: string): void {
    this.#close(reason, true)
  }

  #tell(input: Input): void {
    if (!this.#isOpen) return
    this.#handling = true
    this.#perform(this.#ask(input))
    // Each `writable` may make it send more, until the requestor lags or there is nothing left to send.
    while (this.#owesWritable && this.#isOpen && this.#socket.writableLength === 0) {
      this.#owesWritable = false
      this.#blockedSince = undefined
      this.#perform(this.#ask({ type: 'writable' }))
    }
    this.#handling = false
    if (this.#owesWritable) this.#blockedSince ??= performance.now()
    this.#rearm()
  }

  /** A mistake of ours that one requestor's query brings to light must not end the service of all others. */
  #ask(input: Input): readonly Action[] {
    return this.#guarded(() => this.#session.handle(input, this.#host.moment())) ?? []
  }

  /** Undefined: it failed, and the connection is closed. */
  #guarded<T>(work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      this.#log.sessionFailed({ error, stack: (error as Error)?.stack ?? '' })
      this.#close('internal error', true)
      return undefined
    }
  }

  #perform(actions: readonly Action[]): void {
    let messages: Uint8Array[] = []
    for (const action of actions) {
      if (action.type === 'send') {
        messages.push(action.message)
        continue
      }
      if (action.type === 'send-frames') {
        messages.push(action.frames)
        continue
      }
      this.#write(messages)
      messages = []
      if (!this.#isOpen) return
      this.#act(action)
    }
    this.#write(messages)
  }

  #act(action: Exclude<Action, { type: 'send' | 'send-frames' }>): void {
    switch (action.type) {
      case 'open':
        this.#queryActive = true
        this.#host.turns.take(() => this.#open(action.since, performance.now()), 'tail')
        return
      case 'write-changes':
        this.#read(action)
        return
      case 'scan-open':
        this.#scans.open(action.scan, action.query)
        return
      case 'scan-next':
        this.#scans.readOn(action.scan, action.settled)
        return
      case 'scan-close':
        this.#scans.close(action.scan)
        return
      case 'reading':
        // The handshake reads by itself.
        if (this.#securing) return
        if (action.on) this.#socket.resume()
        else this.#socket.pause()
        return
      case 'start-tls':
        this.#startTls()
        return
      case 'note':
        this.#queries.note(action.note)
        if (action.note.event === 'query-refused' || action.note.event === 'misbehaved')
          this.#host.refused(this, action.note.reason)
        return
      case 'close':
        this.#close(`${action.reason}: ${action.text}`, action.abort)
        return
      default:
        assertNever(action)
    }
  }

  /** Has changes written when its turn has come. */
  #read(asked: Extract<Action, { type: 'write-changes' }>): void {
    this.#reads = true
    const read = () => {
      this.#reads = false
      if (!this.#isOpen) return
      const written = this.#guarded(() => this.#host.writeChanges(asked))
      if (written !== undefined) this.#tell(written)
    }
    this.#host.turns.take(read, asked.until === undefined ? 'tail' : 'long')
  }

  #startTls(): void {
    const raw = this.#raw
    this.#securing = true
    raw.removeAllListeners('data')
    raw.removeAllListeners('end')
    raw.pause()
    const begin = () => {
      if (!this.#isOpen) return
      const { tls } = this.#host
      if (tls === undefined) {
        this.#unsecured('there is no certificate any more')
        return
      }
      tls.start(raw, {
        secured: (peer) => this.#onSecured(peer),
        failed: (reason) => {
          // What TLS has said of it is to arrive.
          this.#securing = false
          this.#unsecured(reason)
        },
      })
    }
    // The go-ahead goes first, in clear text.
    if (raw.writableLength === 0) begin()
    else raw.write(new Uint8Array(0), begin)
  }

  #onSecured(peer: SecuredPeer): void {
    const { stream, name } = peer
    const { socket } = stream
    socket.on('error', (error) => this.#lost(error))
    if (!this.#isOpen) {
      socket.destroy()
      return
    }
    const judged = this.#host.secured(this, peer)
    this.#stream = stream
    if (judged instanceof Refused) {
      this.#unsecured(`${judged.text} (${name})`, judged.reason)
      return
    }
    this.#securing = false
    this.#peer = peer
    this.#requester = judged.requester
    this.#host.counters.accepted += 1
    this.#log = this.#log.child({ peer: name })
    this.#queries.log = this.#log
    this.#log.requestorSecured({ port: this.#port })
    this.#tell({ type: 'secured', rights: judged.rights })
    this.#listenTo(socket)
  }

  #unsecured(reason: string, counted: RefusalReason = 'tls-failed'): void {
    if (!this.#isOpen) return
    this.#refusedFor = counted
    this.#host.refused(this, reason)
    this.#close(reason, this.#securing)
  }

  #open(since: number | undefined, askedAt: number): void {
    if (!this.#isOpen) return
    const answer = this.#host.open(since, this.#requester, performance.now() - askedAt)
    if (answer !== 'later') this.#tell(answer)
    else setTimeout(() => this.#open(since, askedAt), OPEN_AGAIN_MS)
  }

  #write(messages: readonly Uint8Array[]): void {
    if (messages.length === 0 || !this.#isOpen) return
    for (const message of messages) this.#messages += this.#host.counters.sent(message)
    this.#owesWritable = true
    // One call to the kernel instead of many.
    const frames = joined(messages)
    this.#bytes += frames.length
    this.#stream.writeMessages(frames, () => this.#onWritten())
    if (this.#socket.writableLength > MAX_UNSENT) {
      this.#close(
        `${this.#socket.writableLength} octets wait to be sent, over the ${MAX_UNSENT} allowed`,
        true,
      )
    }
  }

  get #socket(): MessageStream['socket'] {
    return this.#stream.socket
  }

  #onWritten(): void {
    // Inside #tell the loop there looks for itself.
    if (this.#handling || !this.#isOpen || !this.#owesWritable) return
    if (this.#socket.writableLength > 0) {
      this.#tell({ type: 'progress' })
      return
    }
    this.#owesWritable = false
    this.#blockedSince = undefined
    this.#blockedLogged = false
    this.#tell({ type: 'writable' })
  }

  #rearm(): void {
    if (!this.#isOpen) return
    const at = Math.min(this.#session.deadline() ?? Number.POSITIVE_INFINITY, this.#blockedLineAt)
    // Deadlines mostly move away: the timer is left to fire early then, and armed anew.
    if (at >= this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = at
    if (at === Number.POSITIVE_INFINITY) return
    const wait = Math.min(Math.max(0, Math.ceil(at - performance.now())), 0x7fffffff)
    this.#timer = setTimeout(() => this.#onTimer(), wait)
  }

  /** When the log is to be told that the requestor is blocked: long before that ends its connection. */
  get #blockedLineAt(): number {
    if (this.#blockedSince === undefined || this.#blockedLogged) return Number.POSITIVE_INFINITY
    return this.#blockedSince + BLOCKED_LOG_MS
  }

  #onTimer(): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    if (!this.#isOpen) return
    this.#lookForProgress()
    const at = this.#session.deadline()
    if (at !== undefined && at <= performance.now()) this.#tell({ type: 'deadline' })
    else this.#rearm()
  }

  /** Octets that the kernel has not taken yet. */
  get #unsent(): number {
    return unsentOctets(this.#raw) + (this.secure ? this.#socket.writableLength : 0)
  }

  /** A large write that is taken bit by bit has no callback in between, so the queue is looked at. */
  #lookForProgress(): void {
    if (!this.#owesWritable) return
    const unsent = this.#unsent
    if (unsent < this.#unsentBefore) this.#tell({ type: 'progress' })
    this.#unsentBefore = unsent
    const blocked = performance.now() - (this.#blockedSince ?? performance.now())
    if (blocked >= BLOCKED_LOG_MS && !this.#blockedLogged) {
      this.#blockedLogged = true
      this.#log.requestorBlocked({ bytes: unsent })
    }
  }

  /** @param abort do not wait for the requestor to take what was sent */
  #close(reason: string, abort: boolean): void {
    if (!this.#isOpen) return
    this.#life = 'closing'
    this.#closeReason = reason
    this.#scans.closeAll()
    clearTimeout(this.#timer)
    if (abort || this.#securing) {
      this.#destroy()
      return
    }
    this.#socket.end()
    // What the requestor still sends is taken and dropped: unread octets would turn our FIN into a reset, and a reset
    // throws away what it has not read yet.
    this.#socket.removeAllListeners('data')
    this.#socket.resume()
    this.#timer = setTimeout(() => this.#destroy(), CLOSE_MS)
    this.#socket.once('end', () => this.#socket.destroySoon())
    if (this.#socket.readableEnded) this.#socket.destroySoon()
  }

  #destroy(): void {
    this.#socket.destroy()
    this.#raw.destroy()
  }

  #lost(error: Error): void {
    if (this.#closeReason === '') {
      this.#closeReason = codeOf(error) === 'ECONNRESET' ? 'reset by the requestor' : reasonOf(error)
    }
  }

  #onClose(): void {
    if (this.#life === 'gone') return
    this.#life = 'gone'
    this.#scans.closeAll()
    clearTimeout(this.#timer)
    const reason = this.#closeReason || 'closed by the requestor'
    this.#queries.closed(reason)
    // Who never showed a certificate is a stranger, and gets one line for all that it did.
    if (this.#tls && !this.secure) {
      this.#host.counters.refused(this.#refusedFor)
      this.#log.requestorUnsecured({ reason })
    } else {
      this.#log.requestorClosed({
        reason,
        seconds: Math.round((performance.now() - this.#began) / 1000),
        bytes: this.#bytes,
        messages: this.#messages,
      })
    }
    this.#host.closed(this)
  }
}

/** Octets that the kernel has not taken yet. */
function unsentOctets(socket: Socket): number {
  // Node's own idle time-out looks at the same number to see whether a large write moves on.
  const handle = (socket as unknown as { _handle?: { writeQueueSize?: number } | null })._handle
  return handle?.writeQueueSize ?? socket.writableLength
}
