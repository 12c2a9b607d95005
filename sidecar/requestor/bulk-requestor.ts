// Bulk Leasequery over TCP, for the command-line tool, for tests and for benchmarks: each answer an async iterator.
import type { Socket } from 'node:net'
import type { UnixSeconds } from '../binding.ts'
import { reasonOf, SidecarError } from '../errors.ts'
import { BulkClient, type BulkEvent, type BulkQueryOptions, type BulkSelection } from './bulk-client.ts'
import type { ReportedBinding } from './events.ts'
import { NOT_SERVED, openSocket, peerOf, type ServerPlace } from './open-socket.ts'

/** BULK_LQ_DATA_TIMEOUT (RFC 6926 section 6.3, RFC 5460 section 5.6). */
const DATA_TIMEOUT_SECONDS = 300
/** Bindings that may wait for consumers before the socket is no longer read. */
const MAX_WAITING = 16_384

export interface BulkRequestorOptions extends ServerPlace {
  readonly duid?: Uint8Array | undefined
  /** Silence during a query after which the server is given up, in seconds. */
  readonly dataTimeout?: number | undefined
}

export type BulkQueryWishes = Partial<Omit<BulkQueryOptions, 'family' | 'select' | 'duid'>>

/** A whole answer. */
export interface BulkResult {
  readonly bindings: readonly ReportedBinding[]
  /** The registry's name. */
  readonly status: string
  readonly text: string
  /** See BulkEvent: start time of an active query that is to go on from this answer. */
  readonly baseTime: UnixSeconds | undefined
}

/**
 * A connection for Bulk queries, one after the other or several at a time. Answers to parallel queries come interleaved:
 * consume them in parallel too, since bindings of one that nobody takes hold up the connection.
 */
export class BulkRequestor {
  readonly #client: BulkClient
  readonly #socket: Socket
  readonly #options: BulkRequestorOptions
  readonly #answers = new Map<number, BulkAnswer>()
  #xid = Math.floor(Math.random() * 0x1000000)
  #waiting = 0
  #held = false
  #failure: SidecarError | undefined
  #heard = false
  #received = 0
  /** Resolves when the server has closed its end, or the connection is gone. */
  readonly closed: Promise<void>

  private constructor(socket: Socket, options: BulkRequestorOptions) {
    this.#socket = socket
    this.#options = options
    this.#client = new BulkClient(options.family)
    socket.setTimeout((options.dataTimeout ?? DATA_TIMEOUT_SECONDS) * 1000)
    socket.on('data', (octets) => this.#onData(octets))
    socket.on('timeout', () => {
      if (this.#answers.size > 0) this.#fail(this.#silent())
    })
    socket.on('error', (error) => this.#fail(this.#gone(error)))
    socket.on('end', () => this.#fail(this.#gone()))
    socket.on('close', () => this.#fail(this.#gone()))
    this.closed = new Promise((resolve) => {
      socket.once('end', resolve)
      socket.once('close', () => resolve())
    })
  }

  /** @throws SidecarError ALQ_CONNECT */
  static async connect(options: BulkRequestorOptions): Promise<BulkRequestor> {
    return new BulkRequestor(await openSocket(options, NOT_SERVED.bulk), options)
  }

  /** Octets received so far. */
  get received(): number {
    return this.#received
  }

  /** Sends a query. @throws RangeError as BulkClient.query does; SidecarError where the connection is gone */
  query(select: BulkSelection, wishes: BulkQueryWishes = {}): BulkAnswer {
    if (this.#failure !== undefined) throw this.#failure
    const xid = wishes.xid ?? this.#nextXid()
    const frame = this.#client.query({ ...wishes, xid, select, duid: this.#options.duid })
    const answer = new BulkAnswer(xid, () => {
      this.#waiting--
      if (this.#waiting < MAX_WAITING / 2) this.#readOn()
    })
    this.#answers.set(xid, answer)
    this.#socket.write(frame)
    return answer
  }

  /** Sends a query and takes all of its answer. @throws SidecarError as iterating over the answer does */
  fetch(select: BulkSelection, wishes?: BulkQueryWishes): Promise<BulkResult> {
    return this.query(select, wishes).collect()
  }

  /** Sends these octets as they are. */
  send(octets: Uint8Array): void {
    this.#socket.write(octets)
  }

  /** Stops reading from the socket: what a requestor that hangs looks like to the server. */
  hold(): void {
    this.#held = true
    this.#socket.pause()
  }

  release(): void {
    this.#held = false
    this.#readOn()
  }

  /** Closes our end; answers still come (RFC 5460 section 6.6). */
  end(): void {
    this.#socket.end()
  }

  close(): void {
    this.#fail(this.#gone())
  }

  #nextXid(): number {
    do this.#xid = (this.#xid + 1) % 0x1000000
    while (this.#answers.has(this.#xid))
    return this.#xid
  }

  #onData(octets: Uint8Array): void {
    this.#received += octets.length
    this.#heard = true
    let events: BulkEvent[]
    try {
      events = this.#client.handle(octets, Date.now() / 1000)
    } catch (error) {
      this.#fail(error instanceof SidecarError ? error : this.#gone(error))
      return
    }
    for (const event of events) {
      const answer = this.#answers.get(event.xid)!
      if (event.type === 'done') this.#answers.delete(event.xid)
      else this.#waiting++
      answer.push(event)
    }
    if (this.#waiting >= MAX_WAITING) this.#socket.pause()
  }

  #readOn(): void {
    if (!this.#held && this.#socket.isPaused() && !this.#socket.destroyed) this.#socket.resume()
  }

  #fail(error: SidecarError): void {
    this.#failure ??= error
    this.#socket.destroy()
    for (const answer of this.#answers.values()) answer.fail(this.#failure)
    this.#answers.clear()
  }

  #gone(cause?: unknown): SidecarError {
    const when = this.#heard
      ? cause === undefined
        ? 'without a word'
        : `(${reasonOf(cause)})`
      : NOT_SERVED.bulk
    return new SidecarError('ALQ_SERVER_CLOSED', { ...peerOf(this.#options), when }, { cause })
  }

  #silent(): SidecarError {
    const seconds = this.#options.dataTimeout ?? DATA_TIMEOUT_SECONDS
    return new SidecarError('ALQ_SERVER_SILENT', { ...peerOf(this.#options), seconds })
  }
}

/** The answer to one query: iterate over its bindings; {@link outcome} is there when the iteration has ended. */
export class BulkAnswer implements AsyncIterable<ReportedBinding> {
  readonly xid: number
  readonly #taken: () => void
  readonly #bindings: ReportedBinding[] = []
  #outcome: Omit<BulkResult, 'bindings'> | undefined
  #failure: SidecarError | undefined
  #wake: (() => void) | undefined

  constructor(xid: number, taken: () => void) {
    this.xid = xid
    this.#taken = taken
  }

  /** How it ended; undefined while it has not. */
  get outcome(): Omit<BulkResult, 'bindings'> | undefined {
    return this.#outcome
  }

  push(event: BulkEvent): void {
    if (event.type === 'binding') this.#bindings.push(event.binding)
    else {
      const { status, text, baseTime } = event
      this.#outcome = { status, text, baseTime }
    }
    this.#wake?.()
  }

  fail(error: SidecarError): void {
    this.#failure = error
    this.#wake?.()
  }

  /** @throws SidecarError where the connection ends first, or the server breaks the protocol */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReportedBinding, void, void> {
    for (;;) {
      const binding = this.#bindings.shift()
      if (binding !== undefined) {
        this.#taken()
        yield binding
      } else if (this.#outcome !== undefined) return
      else if (this.#failure !== undefined) throw this.#failure
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }

  async collect(): Promise<BulkResult> {
    const bindings: ReportedBinding[] = []
    for await (const binding of this) bindings.push(binding)
    return { bindings, ...this.#outcome! }
  }
}
