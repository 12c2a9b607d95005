// A requestor over TCP, for the command-line tool, for tests and for benchmarks: an active query as an async iterator.
import type { Socket } from 'node:net'
import { BindingState, type UnixSeconds } from '../binding.ts'
import { reasonOf, SidecarError } from '../errors.ts'
import { ActiveClient, encodeActiveQuery } from './client.ts'
import { DATA_TIMEOUT_SECONDS, RECEIVE_TIMEOUT_SECONDS, ServerConnection } from './connection.ts'
import { keyOf, type ReportedBinding, type RequestorEvent } from './events.ts'
import { Mailbox } from './mailbox.ts'
import { NOT_SERVED, openSocket, peerOf, type ServerPlace } from './open-socket.ts'
import type { BulkSelection } from './selection.ts'

/** Events that may wait for a consumer before the socket is no longer read, and octets that they came in. */
const WAITING = { items: 4096, octets: 4 << 20 } as const

export interface ActiveRequestorOptions extends ServerPlace {
  /** query-start-time in Unix seconds, in the server's time; absent = from now on. */
  readonly since?: UnixSeconds | undefined
  /** DHCPv6: only what this selects (RFC 7653 section 6.2.1); all without it. */
  readonly select?: BulkSelection | undefined
  readonly linkAddress?: Uint8Array | undefined
  /** Option codes wanted. */
  readonly wants?: readonly number[] | undefined
  readonly duid?: Uint8Array | undefined
  readonly xid?: number | undefined
  /** Seconds without a message after which the server is given up (ACTIVE_LQ_RCV_TIMEOUT). */
  readonly receiveTimeout?: number | undefined
  /** Seconds in which the query must be out (BULK_LQ_DATA_TIMEOUT, RFC 7724 section 7.3). */
  readonly dataTimeout?: number | undefined
}

/**
 * An active query on a connection of its own. Iterate over it; the iteration ends after a `terminated` event, and throws
 * a SidecarError when the server closes, falls silent or breaks the protocol.
 */
export class ActiveRequestor implements AsyncIterable<RequestorEvent> {
  readonly #client: ActiveClient
  readonly #connection: ServerConnection
  readonly #place: ServerPlace
  readonly #waiting: Mailbox<RequestorEvent>
  #resumePoint: UnixSeconds | undefined

  private constructor(socket: Socket, options: ActiveRequestorOptions) {
    this.#place = options
    this.#resumePoint = options.since
    const mask = options.family === 4 ? 0xffffffff : 0xffffff
    const xid = options.xid ?? (Math.floor(Math.random() * 0x100000000) & mask) >>> 0
    this.#client = new ActiveClient({ ...options, xid })
    this.#connection = new ServerConnection(socket, options, {
      onOctets: (octets) => this.#onOctets(octets),
      onOver: (cause) => this.#waiting.fail(this.#closed(cause)),
      expecting: () => true,
      silence: options.receiveTimeout ?? RECEIVE_TIMEOUT_SECONDS,
      sending: options.dataTimeout ?? DATA_TIMEOUT_SECONDS,
    })
    this.#waiting = new Mailbox(WAITING, () => {
      this.#connection.full = false
    })
    this.#connection.send(this.#client.query())
  }

  /**
   * Connects and sends the query.
   * @throws SidecarError ALQ_CONNECT, ALQ_TLS, ALQ_SERVER_CLOSED; RangeError for a selection that the family has not
   */
  static async connect(options: ActiveRequestorOptions): Promise<ActiveRequestor> {
    // What cannot be asked is told before anybody is bothered.
    encodeActiveQuery({ ...options, xid: 0 })
    const socket = await openSocket(options, NOT_SERVED.active)
    return new ActiveRequestor(socket, options)
  }

  /** Start time for the next connection to the same server, as of the events taken so far; see RequestorEvent. */
  get resumePoint(): UnixSeconds | undefined {
    return this.#resumePoint
  }

  /** Octets received so far. */
  get received(): number {
    return this.#connection.received
  }

  /** The next event; undefined when the query was ended by the server in order, or by {@link close}. */
  async next(): Promise<RequestorEvent | undefined> {
    const event = await this.#waiting.next()
    if (event !== undefined) this.#resumePoint = event.resumePoint
    return event
  }

  /** At least one event and at most `most`; none at the end. @throws as {@link next} */
  async batch(most: number): Promise<readonly RequestorEvent[]> {
    const events = await this.#waiting.batch(most)
    if (events.length > 0) this.#resumePoint = events[events.length - 1]!.resumePoint
    return events
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RequestorEvent, void, void> {
    try {
      for (let event = await this.next(); event !== undefined; event = await this.next()) yield event
    } finally {
      this.close()
    }
  }

  /**
   * Takes events, applying each to `fold` if given, until one satisfies `wanted`; returns that one.
   * @throws SidecarError as the iteration does; ALQ_SERVER_CLOSED when the query ends first
   */
  async until(wanted: (event: RequestorEvent) => boolean, fold?: FoldedBindings): Promise<RequestorEvent> {
    for (let event = await this.next(); event !== undefined; event = await this.next()) {
      fold?.apply(event)
      if (wanted(event)) return event
    }
    throw this.#closed()
  }

  /** Stops reading from the socket: what a requestor that hangs looks like to the server. */
  hold(): void {
    this.#connection.held = true
  }

  release(): void {
    this.#connection.held = false
  }

  /** Ends the connection; a running iteration ends after the events already received. */
  close(): void {
    this.#connection.close()
    this.#waiting.end()
  }

  #onOctets(octets: Uint8Array): boolean {
    const { messages } = this.#client
    const events = this.#client.handle(octets, Date.now() / 1000)
    this.#waiting.put(events, octets.length)
    if (this.#client.over) {
      // RFC 7724 section 7.4: after an error the connection is of no use; both sides close it.
      this.close()
    } else if (this.#waiting.full) this.#connection.full = true
    return this.#client.messages > messages
  }

  #closed(cause?: unknown): SidecarError {
    if (cause instanceof SidecarError) return cause
    const when = this.#client.accepted
      ? cause === undefined
        ? 'without a word'
        : `(${reasonOf(cause)})`
      : NOT_SERVED.active
    return new SidecarError('ALQ_SERVER_CLOSED', { ...peerOf(this.#place), when }, { cause })
  }
}

/** What a requestor knows: fold the events in, and the live bindings come out. */
export class FoldedBindings {
  /** Active bindings by address, or address/length for prefixes. */
  readonly active = new Map<string, ReportedBinding>()

  /** Bindings, active or not, that were told so far. */
  told = 0

  apply(event: RequestorEvent): void {
    if (event.type !== 'binding') return
    this.told++
    const key = keyOf(event.binding)
    if (event.binding.state === BindingState.active) this.active.set(key, event.binding)
    else this.active.delete(key)
  }
}
