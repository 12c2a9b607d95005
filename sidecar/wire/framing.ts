// Message framing for TCP: message-size(2), then the message; the size counts the message only
// (RFC 6926 section 6.1, RFC 5460 section 5.1; RFC 7724 section 5.1 and RFC 7653 section 6.1 keep it, inside TLS too).
import { WireError } from './wire-error.ts'
import { MAX_MESSAGE } from './writer.ts'

/**
 * Cuts a byte stream into messages. TCP may split and join frames anywhere.
 *
 * `push` what arrived, then call `next` until it gives undefined. `next` throws a {@link WireError} (`frame-size`) for a
 * size of zero or above the maximum, again and again: from there on the stream has no boundaries.
 */
export class Framer {
  readonly #maximum: number
  #buffer: Uint8Array = new Uint8Array(0)
  #start = 0
  #end = 0
  /** The buffer is ours to write behind `#end`; messages handed out lie before it. */
  #owned = false

  /** @param maximum longest message accepted, in octets, size prefix not counted */
  constructor(maximum: number = MAX_MESSAGE) {
    this.#maximum = maximum
  }

  /** Octets received and not yet handed out, size prefixes included. */
  get buffered(): number {
    return this.#end - this.#start
  }

  push(octets: Uint8Array): void {
    if (octets.length === 0) return
    if (this.buffered === 0) {
      // The common case costs no copy: whole frames in one piece.
      this.#buffer = octets
      this.#start = 0
      this.#end = octets.length
      this.#owned = false
      return
    }
    if (this.#owned && this.#buffer.length - this.#end >= octets.length) {
      this.#buffer.set(octets, this.#end)
      this.#end += octets.length
      return
    }
    const held = this.buffered
    // Doubling, so that a peer that sends an octet at a time cannot make us copy a message anew for each.
    const grown = new Uint8Array(Math.max(held + octets.length, 2 * held, 64))
    grown.set(this.#buffer.subarray(this.#start, this.#end))
    grown.set(octets, held)
    this.#buffer = grown
    this.#start = 0
    this.#end = held + octets.length
    this.#owned = true
  }

  /** The next whole message without its size prefix, or undefined when more octets are needed. */
  next(): Uint8Array | undefined {
    if (this.buffered < 2) return undefined
    const size = (this.#buffer[this.#start]! << 8) | this.#buffer[this.#start + 1]!
    if (size === 0) throw new WireError('frame-size', 'message-size', 'zero')
    if (size > this.#maximum)
      throw new WireError(
        'frame-size',
        'message-size',
        `message of ${size} octets exceeds the ${this.#maximum} allowed`,
      )
    if (this.buffered < 2 + size) return undefined
    const from = this.#start + 2
    this.#start = from + size
    return this.#buffer.subarray(from, from + size)
  }
}

/** The frames, size prefix included, of octets that are whole frames one behind the other; as views. */
export function framesOf(octets: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (let at = 0, end = 0; at < octets.length; at = end) {
    end = frameEnd(octets, at)
    frames.push(octets.subarray(at, end))
  }
  return frames
}

/** Where the frame that begins at `start` ends. */
export function frameEnd(octets: Uint8Array, start: number): number {
  return start + 2 + ((octets[start]! << 8) | octets[start + 1]!)
}
