// Bulk Leasequery over TCP, for the command-line tool, for tests and for benchmarks: each answer an async iterator.
import type { Socket } from 'node:net'
import type { UnixSeconds } from '../binding.ts'
import { reasonOf, SidecarError } from '../errors.ts'
import { BulkClient, type BulkEvent, type BulkQueryOptions } from './bulk-client.ts'
import { DATA_TIMEOUT_SECONDS, ServerConnection } from './connection.ts'
import type { ReportedBinding } from './events.ts'
import { Mailbox } from './mailbox.ts'
import { NOT_SERVED, openSocket, peerOf, type ServerPlace } from './open-socket.ts'
import type { BulkSelection } from './selection.ts'

/** Bindings that may wait for the consumer of an answer before the socket is no longer read, and octets that they came in. */
const WAITING = { items: 16_384, octets: 4 << 20 } as const

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
  readonly #connection: ServerConnection
  readonly #options: BulkRequestorOptions
  readonly #answers = new Map<number, BulkAnswer>()
  /** Answers whose consumer is slow, done or not. */
  readonly #slow = new Set<BulkAnswer>()
  #xid = Math.floor(Math.random() * 0x1000000)
  #failure: SidecarError | undefined
  #heard = false
  /** Resolves when the server has closed its end, or the connection is gone. */
  readonly closed: Promise<void>

  private constructor(socket: Socket, options: BulkRequestorOptions) {
    this.#options = options
    this.#client = new BulkClient(options.family)
    const seconds = options.dataTimeout ?? DATA_TIMEOUT_SECONDS
    this.#connection = new ServerConnection(socket, options, {
      onOctets: (octets) => this.#onOctets(octets),
      onOver: (cause) => this.#fail(this.#gone(cause)),
      expecting: () => this.#answers.size > 0,
      silence: seconds,
      sending: seconds,
    })
    this.closed = new Promise((resolve) => {
      socket.once('end', resolve)
      socket.once('close', () => resolve())
    })
  }

  /** @throws SidecarError ALQ_CONNECT, ALQ_TLS, ALQ_SERVER_CLOSED */
  static async connect(options: BulkRequestorOptions): Promise<BulkRequestor> {
    return new BulkRequestor(await openSocket(options, NOT_SERVED.bulk), options)
  }

  /** Octets received so far. */
  get received(): number {
    return this.#connection.received
  }

  /** Sends a query. @throws RangeError as BulkClient.query does; SidecarError where the connection is gone */
  query(select: BulkSelection, wishes: BulkQueryWishes = {}): BulkAnswer {
    if (this.#failure !== undefined) throw this.#failure
    const xid = wishes.xid ?? this.#nextXid()
    const frame = this.#client.query({ ...wishes, xid, select, duid: this.#options.duid })
    this.#connection.send(frame)
    const answer = new BulkAnswer(xid, () => {
      this.#slow.delete(answer)
      if (this.#slow.size === 0) this.#connection.full = false
    })
    this.#answers.set(xid, answer)
    return answer
  }

  /** Sends a query and takes all of its answer. @throws SidecarError as iterating over the answer does */
  fetch(select: BulkSelection, wishes?: BulkQueryWishes): Promise<BulkResult> {
    return this.query(select, wishes).collect()
  }

  /** Sends these octets as they are. */
  send(octets: Uint8Array): void {
    this.#connection.send(octets)
  }

  /** Stops reading from the socket: what a requestor that hangs looks like to the server. */
  hold(): void {
    this.#connection.held = true
  }

  release(): void {
    this.#connection.held = false
  }

  /** Closes our end; answers still come (RFC 5460 section 6.6). */
  end(): void {
    this.#connection.endSending()
  }

  close(): void {
    this.#connection.close()
    this.#fail(this.#gone())
  }

  #nextXid(): number {
    do this.#xid = (this.#xid + 1) % 0x1000000
    while (this.#answers.has(this.#xid))
    return this.#xid
  }

  #onOctets(octets: Uint8Array): boolean {
    this.#heard = true
    const { messages } = this.#client
    const byAnswer = new Map<BulkAnswer, BulkEvent[]>()
    for (const event of this.#client.handle(octets, Date.now() / 1000)) {
      const answer = this.#answers.get(event.xid)!
      if (event.type === 'done') this.#answers.delete(event.xid)
      const events = byAnswer.get(answer)
      if (events === undefined) byAnswer.set(answer, [event])
      else events.push(event)
    }
    for (const [answer, events] of byAnswer) {
      answer.push(events, octets.length)
      if (answer.full) this.#slow.add(answer)
    }
    if (this.#slow.size > 0) this.#connection.full = true
    return this.#client.messages > messages
  }

  #fail(error: SidecarError): void {
    this.#failure ??= error
    for (const answer of this.#answers.values()) answer.fail(this.#failure)
    this.#answers.clear()
  }

  #gone(cause?: unknown): SidecarError {
    if (cause instanceof SidecarError) return cause
    const when = this.#heard
      ? cause === undefined
        ? 'without a word'
        : `(${reasonOf(cause)})`
      : NOT_SERVED.bulk
    return new SidecarError('ALQ_SERVER_CLOSED', { ...peerOf(this.#options), when }, { cause })
  }
}

type Outcome = Omit<BulkResult, 'bindings'>
type ToldBinding = Extract<BulkEvent, { type: 'binding' }>

/** The answer to one query: iterate over its bindings; {@link outcome} is there when the iteration has ended. */
export class BulkAnswer implements AsyncIterable<ReportedBinding> {
  readonly xid: number
  readonly #waiting: Mailbox<ToldBinding>
  #outcome: Outcome | undefined

  /** @param readOn see {@link Mailbox} */
  constructor(xid: number, readOn: () => void) {
    this.xid = xid
    this.#waiting = new Mailbox(WAITING, readOn)
  }

  /** How it ended; undefined while it has not. */
  get outcome(): Outcome | undefined {
    return this.#outcome
  }

  get full(): boolean {
    return this.#waiting.full
  }

  push(events: readonly BulkEvent[], octets: number): void {
    const bindings = events.filter((event) => event.type === 'binding')
    if (bindings.length > 0) this.#waiting.put(bindings, octets)
    const last = events[events.length - 1]
    if (last?.type !== 'done') return
    const { status, text, baseTime } = last
    this.#outcome = { status, text, baseTime }
    this.#waiting.end()
  }

  fail(error: SidecarError): void {
    this.#waiting.fail(error)
  }

  /** At least one binding and at most `most`; none at the end. @throws as the iteration */
  batch(most: number): Promise<readonly ToldBinding[]> {
    return this.#waiting.batch(most)
  }

  /** @throws SidecarError where the connection ends first, or the server breaks the protocol */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReportedBinding, void, void> {
    for (let event = await this.#waiting.next(); event !== undefined; event = await this.#waiting.next()) {
      yield event.binding
    }
  }

  async collect(): Promise<BulkResult> {
    const bindings: ReportedBinding[] = []
    for await (const binding of this) bindings.push(binding)
    return { bindings, ...this.#outcome! }
  }
}
