// One connection inside TLS: octets of its socket go through an engine, both ways.
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { frameEnd } from '../wire/framing.ts'
import { HANDSHAKE_MS, handshakeFailures, type MessageStream } from './tls.ts'
import type { ConnectionEngine, Fed } from './tls-engine.ts'
import { Outbox } from './tls-outbox.ts'

/** Octets of a handshake that are taken: a chain of certificates has a tenth. */
const MAX_HANDSHAKE = 256 * 1024
/** Octets that TLS answers by itself behind the handshake, and nobody takes: each request for a new key wants an answer. */
const MAX_ANSWERS = 64 * 1024

/**
 * Octets that a record has beside its message: 5 of header (RFC 8446 section 5.2), 16 of tag, one of type; in TLS 1.2 8 of nonce
 * instead of the type (RFC 5288 section 3).
 */
const RECORD_OVERHEAD = 32
/** Octets of a message that asks for a new key, with all around it. */
const NEW_KEY = 64

const outbox = new Outbox()

/** One of them is called, unless the socket closes first. */
export interface HandshakeEnd {
  up(): void
  /** Nothing is read any more; the socket is for others to close. */
  failed(reason: string): void
}

export class EngineStream extends Duplex implements MessageStream {
  readonly #raw: Socket
  readonly #engine: ConnectionEngine
  readonly #end: HandshakeEnd
  readonly #deadline: NodeJS.Timeout
  #up = false
  /** Nothing more is read. */
  #ended = false
  #handshakeOctets = 0
  #answers = 0

  /** @param raw nobody else reads it or writes to it from now on */
  constructor(raw: Socket, engine: ConnectionEngine, end: HandshakeEnd) {
    super({ allowHalfOpen: true })
    this.#raw = raw
    this.#engine = engine
    this.#end = end
    this.#deadline = setTimeout(() => this.#fail('TLS handshake timeout'), HANDSHAKE_MS)
    // Up to the end of the handshake nobody listens, and a fault may come at any time.
    this.on('error', () => {})
    raw.on('data', (octets) => this.#take(octets))
    raw.on('end', () => this.#onEnd())
    raw.on('error', (error) => this.destroy(error))
    raw.on('close', () => this.destroy())
    raw.resume()
  }

  get socket(): this {
    return this
  }

  writeMessages(frames: Uint8Array, taken: () => void): void {
    this.write(frames, taken)
  }

  /** As that of a net.Socket: destroyed once all is written. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  override _read(): void {
    this.#raw.resume()
  }

  override _write(frames: Uint8Array, _encoding: unknown, taken: (error?: Error | null) => void): void {
    const room = outbox.take(roomFor(frames))
    let length: number
    try {
      length = this.#engine.write(frames, room)
    } catch (error) {
      taken(error as Error)
      return
    }
    let waits = true
    this.#raw.write(room.subarray(0, length), (error) => {
      if (waits) outbox.giveBack(room)
      taken(error)
    })
    // What the kernel took at once serves the next connection in this very turn.
    if (this.#raw.writableLength > 0) return
    waits = false
    outbox.giveBack(room)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#raw.end(this.#engine.close(), () => done())
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#deadline)
    this.#engine.release()
    this.#raw.destroy()
    done(error)
  }

  #take(octets: Uint8Array): void {
    // What comes behind close_notify is nobody's.
    if (this.destroyed || this.#ended) return
    const fed = this.#engine.feed(octets)
    if (fed.toSend !== undefined) this.#answer(fed.toSend)
    if (this.destroyed) return
    if (fed.state === 'failed') this.#fail(failureOf(fed))
    else if (fed.state === 'handshake') this.#count(octets)
    else this.#receive(fed)
  }

  #count(handshake: Uint8Array): void {
    this.#handshakeOctets += handshake.length
    if (this.#handshakeOctets > MAX_HANDSHAKE) this.#fail(`a handshake of over ${MAX_HANDSHAKE} octets`)
  }

  #receive({ state, received }: Fed): void {
    if (!this.#up) {
      this.#up = true
      clearTimeout(this.#deadline)
      this.#end.up()
    }
    if (this.destroyed) return
    if (received !== undefined && !this.push(received)) this.#raw.pause()
    if (state === 'ended') this.#endReading()
  }

  #answer(octets: Uint8Array): void {
    this.#answers += octets.length
    this.#raw.write(octets, () => {
      this.#answers -= octets.length
    })
    if (this.#up && this.#answers > MAX_ANSWERS) this.#fail('it makes TLS answer, and takes no answers')
  }

  #onEnd(): void {
    // RFC 8446 section 6.1 wants close_notify first. Messages have a size of their own: one that is cut off shows.
    if (this.#up) this.#endReading()
    else if (!this.#ended) this.destroy()
  }

  #endReading(): void {
    if (this.#ended) return
    this.#ended = true
    this.push(null)
    // The end of the socket itself is to be seen.
    this.#raw.resume()
  }

  #fail(reason: string): void {
    if (this.destroyed) return
    if (this.#up) {
      this.destroy(new Error(reason))
      return
    }
    // Closing is left to who has begun: an alert may be on its way, and unread octets would turn our FIN into a reset.
    this.#ended = true
    clearTimeout(this.#deadline)
    this.#end.failed(reason)
  }
}

function roomFor(frames: Uint8Array): number {
  let room = frames.length + NEW_KEY
  for (let at = 0; at < frames.length; at = frameEnd(frames, at)) room += RECORD_OVERHEAD
  return room
}

function failureOf({ reason = 'no reason given', refusal }: Fed): string {
  if (refusal !== undefined) return handshakeFailures.refused(refusal)
  return reason === NO_CERTIFICATE ? handshakeFailures.noCertificate : reason
}

/** OpenSSL's. */
const NO_CERTIFICATE = 'peer did not return a certificate'
