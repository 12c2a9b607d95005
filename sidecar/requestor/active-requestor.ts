// A requestor over TCP, for the command-line tool, for tests and for benchmarks: an active query as an async iterator.
import type { Socket } from 'node:net'
import { BindingState, type UnixSeconds } from '../binding.ts'
import { reasonOf, SidecarError } from '../errors.ts'
import { ActiveClient } from './client.ts'
import { keyOf, type ReportedBinding, type RequestorEvent } from './events.ts'
import { NOT_SERVED, openSocket, peerOf, type ServerPlace } from './open-socket.ts'

/** ACTIVE_LQ_RCV_TIMEOUT (RFC 7724 section 6.3, RFC 7653 section 7.3). */
const RECEIVE_TIMEOUT_SECONDS = 120
/** Events that may wait for a consumer before the socket is no longer read. */
const MAX_WAITING_EVENTS = 4096

export interface ActiveRequestorOptions extends ServerPlace {
  /** query-start-time in Unix seconds, in the server's time; absent = from now on. */
  readonly since?: UnixSeconds | undefined
  /** Option codes wanted. */
  readonly wants?: readonly number[] | undefined
  readonly duid?: Uint8Array | undefined
  readonly xid?: number | undefined
  /** Silence after which the server is given up, in seconds. */
  readonly receiveTimeout?: number | undefined
}

/**
 * An active query on a connection of its own. Iterate over it; the iteration ends after a `terminated` event, and throws
 * a SidecarError when the server closes, falls silent or breaks the protocol.
 */
export class ActiveRequestor implements AsyncIterable<RequestorEvent> {
  readonly #client: ActiveClient
  readonly #socket: Socket
  readonly #peer: { address: string; port: number }
  readonly #receiveTimeout: number
  readonly #waiting: RequestorEvent[] = []
  #wake: (() => void) | undefined
  #failure: SidecarError | undefined
  #ended = false
  #received = 0
  #held = false
  #resumePoint: UnixSeconds | undefined

  private constructor(socket: Socket, options: ActiveRequestorOptions) {
    this.#socket = socket
    this.#receiveTimeout = options.receiveTimeout ?? RECEIVE_TIMEOUT_SECONDS
    this.#peer = peerOf(options)
    this.#resumePoint = options.since
    const mask = options.family === 4 ? 0xffffffff : 0xffffff
    const xid = options.xid ?? (Math.floor(Math.random() * 0x100000000) & mask) >>> 0
    this.#client = new ActiveClient({ ...options, xid })
    socket.setTimeout(this.#receiveTimeout * 1000)
    socket.on('data', (octets) => this.#onData(octets))
    socket.on('timeout', () => this.#fail(this.#silent()))
    socket.on('error', (error) => this.#fail(this.#closed(error)))
    socket.on('end', () => this.#fail(this.#closed()))
    socket.on('close', () => this.#fail(this.#closed()))
    socket.write(this.#client.query())
  }

  /**
   * Connects and sends the query.
   * @throws SidecarError ALQ_CONNECT
   */
  static async connect(options: ActiveRequestorOptions): Promise<ActiveRequestor> {
    const socket = await openSocket(options, NOT_SERVED.active)
    return new ActiveRequestor(socket, options)
  }

  /** Start time for the next connection to the same server, as of the events taken so far; see RequestorEvent. */
  get resumePoint(): UnixSeconds | undefined {
    return this.#resumePoint
  }

  /** Octets received so far. */
  get received(): number {
    return this.#received
  }

  /** The next event; undefined when the query was ended by the server in order, or by {@link close}. */
  async next(): Promise<RequestorEvent | undefined> {
    for (;;) {
      const event = this.#waiting.shift()
      if (event !== undefined) {
        this.#resumePoint = event.resumePoint
        if (this.#waiting.length < MAX_WAITING_EVENTS / 2) this.#readOn()
        return event
      }
      if (this.#failure !== undefined) {
        const failure = this.#failure
        this.#failure = undefined
        throw failure
      }
      if (this.#ended) return undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
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
    this.#held = true
    this.#socket.pause()
  }

  release(): void {
    this.#held = false
    this.#readOn()
  }

  /** Ends the connection; a running iteration ends after the events already received. */
  close(): void {
    this.#ended = true
    this.#socket.destroy()
    this.#notify()
  }

  #onData(octets: Uint8Array): void {
    this.#received += octets.length
    try {
      for (const event of this.#client.handle(octets, Date.now() / 1000)) this.#waiting.push(event)
    } catch (error) {
      this.#fail(error instanceof SidecarError ? error : this.#closed(error))
      return
    }
    if (this.#client.over) {
      // RFC 7724 section 7.4: after an error the connection is of no use; both sides close it.
      this.#ended = true
      this.#socket.destroy()
    }
    if (this.#waiting.length >= MAX_WAITING_EVENTS) this.#socket.pause()
    this.#notify()
  }

  #readOn(): void {
    if (!this.#held && this.#socket.isPaused() && !this.#socket.destroyed) this.#socket.resume()
  }

  #fail(error: SidecarError): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = error
    this.#socket.destroy()
    this.#notify()
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  #closed(cause?: unknown): SidecarError {
    const when = this.#client.accepted
      ? cause === undefined
        ? 'without a word'
        : `(${reasonOf(cause)})`
      : NOT_SERVED.active
    return new SidecarError('ALQ_SERVER_CLOSED', { ...this.#peer, when }, { cause })
  }

  #silent(): SidecarError {
    return new SidecarError('ALQ_SERVER_SILENT', { ...this.#peer, seconds: this.#receiveTimeout })
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
