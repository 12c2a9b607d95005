// One connection to a server: octets to whom they concern, silence noticed, closed in order.
import type { Socket } from 'node:net'
import { SidecarError } from '../errors.ts'
import { peerOf, type ServerPlace } from './open-socket.ts'

/** BULK_LQ_DATA_TIMEOUT (RFC 6926 section 6.3, RFC 5460 section 5.6): also for sending any query. */
export const DATA_TIMEOUT_SECONDS = 300
/** ACTIVE_LQ_RCV_TIMEOUT (RFC 7724 section 5.3, RFC 7653 section 6.4). */
export const RECEIVE_TIMEOUT_SECONDS = 120
/** How long an orderly close waits for the server's end. */
const CLOSE_SECONDS = 2

export interface ConnectionParts {
  /** Deals with octets; true when a message was completed. What it throws ends the connection. */
  readonly onOctets: (octets: Uint8Array) => boolean
  /** The connection is over, not by {@link ServerConnection.close}. Called once. */
  readonly onOver: (cause: unknown) => void
  /** Whether something is expected from the server now. */
  readonly expecting: () => boolean
  /** Seconds without a whole message, while one is expected. */
  readonly silence: number
  /** Seconds in which a query must be out (RFC 7724 section 7.3). */
  readonly sending: number
}

/**
 * Silence is counted from the last whole message: a server that trickles octets of one that never ends is silent, too.
 * It does not count while we do not read.
 */
export class ServerConnection {
  readonly #socket: Socket
  readonly #place: ServerPlace
  readonly #parts: ConnectionParts
  readonly #timer: NodeJS.Timeout
  #heard = performance.now()
  /** When the oldest query not yet out was given to the socket. */
  #sendingSince: number | undefined
  #held = false
  #full = false
  #over = false
  received = 0

  constructor(socket: Socket, place: ServerPlace, parts: ConnectionParts) {
    this.#socket = socket
    this.#place = place
    this.#parts = parts
    socket.on('data', (octets) => this.#onData(octets))
    socket.on('error', (error) => this.#end(error))
    socket.on('end', () => this.#end())
    socket.on('close', () => this.#end())
    const often = Math.min(1, parts.silence / 4, parts.sending / 4)
    this.#timer = setInterval(() => this.#look(), 1000 * often)
  }

  send(octets: Uint8Array): void {
    const since = performance.now()
    this.#sendingSince ??= since
    if (!this.#parts.expecting()) this.#heard = since
    this.#socket.write(octets, () => {
      if (this.#socket.writableLength > 0) return
      this.#sendingSince = undefined
      // The wait for the answer begins when the query is out.
      this.#heard = Math.max(this.#heard, performance.now())
    })
  }

  /** Reads on, or no further, as the reader of what comes can take it. */
  set full(full: boolean) {
    this.#full = full
    this.#readOrNot()
  }

  /** Stops reading: what a requestor that hangs looks like to the server. */
  set held(held: boolean) {
    this.#held = held
    this.#readOrNot()
  }

  /** Closes our end only; answers still come (RFC 5460 section 6.6). */
  endSending(): void {
    this.#socket.end()
  }

  /** Ends the connection, in order (RFC 6926 section 7.8): a FIN, and no reset for what the server still sends. */
  close(): void {
    if (this.#over) return
    this.#stop()
    const socket = this.#socket
    socket.removeAllListeners('data')
    socket.resume()
    socket.end()
    setTimeout(() => socket.destroy(), 1000 * CLOSE_SECONDS).unref()
    socket.once('end', () => socket.destroy())
  }

  /** Ends it at once: the server broke the rules. */
  abort(): void {
    this.#stop()
    this.#socket.destroy()
  }

  #onData(octets: Uint8Array): void {
    if (this.#over) return
    this.received += octets.length
    try {
      if (this.#parts.onOctets(octets)) this.#heard = performance.now()
    } catch (error) {
      this.#end(error)
    }
  }

  #look(): void {
    const now = performance.now()
    const { sending, silence, expecting } = this.#parts
    if (this.#sendingSince !== undefined) {
      if (now - this.#sendingSince >= 1000 * sending) this.#end(this.#silent(sending))
      return
    }
    if (this.#held || this.#full || !expecting()) this.#heard = now
    else if (now - this.#heard >= 1000 * silence) this.#end(this.#silent(silence))
  }

  #silent(seconds: number): SidecarError {
    return new SidecarError('ALQ_SERVER_SILENT', { ...peerOf(this.#place), seconds })
  }

  #readOrNot(): void {
    if (this.#socket.destroyed) return
    if (this.#held || this.#full) this.#socket.pause()
    else if (this.#socket.isPaused()) this.#socket.resume()
  }

  #end(cause?: unknown): void {
    if (this.#over) return
    this.abort()
    this.#parts.onOver(cause)
  }

  #stop(): void {
    this.#over = true
    clearInterval(this.#timer)
    this.#socket.on('error', () => {})
  }
}
