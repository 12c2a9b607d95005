// Protocol Buffers' encoding, as much of it as batches and pages need (protobuf.dev/programming-guides/encoding). Read by
// hand they take half as long as by a library, which makes an object for each message on the way to ours.
import { NO_OCTETS } from '../binding.ts'

const VARINT = 0
const FIXED64 = 1
const DELIMITED = 2
const FIXED32 = 5
/** A varint of 64 bits. */
const LONGEST_VARINT = 10

export class WireReader {
  readonly #octets: Uint8Array
  readonly #buffer: ArrayBufferLike
  readonly #offset: number
  at = 0

  constructor(octets: Uint8Array) {
    this.#octets = octets
    this.#buffer = octets.buffer
    this.#offset = octets.byteOffset
  }

  get length(): number {
    return this.#octets.length
  }

  /** A field's number and type, or a value of up to 32 bits; of a longer one the lower 32. */
  uint32(): number {
    const octets = this.#octets
    let octet = octets[this.at++]!
    if (octet < 0x80) return octet
    let value = octet & 0x7f
    for (let i = 1; i < LONGEST_VARINT; i++) {
      octet = octets[this.at++]!
      if (i < 5) value |= (octet & 0x7f) << (7 * i)
      if (octet < 0x80) return value >>> 0
    }
    throw new Error('a number that does not end')
  }

  /** Beyond 2^53 it is no longer exact, and no safe integer either. */
  uint64(): number {
    const octets = this.#octets
    let value = 0
    let unit = 1
    for (let i = 0; i < LONGEST_VARINT; i++) {
      const octet = octets[this.at++]!
      value += (octet & 0x7f) * unit
      if (octet < 0x80) return value
      unit *= 0x80
    }
    throw new Error('a number that does not end')
  }

  /** A view of an octet field. */
  bytes(): Uint8Array {
    const end = this.end()
    const from = this.at
    this.at = end
    return end === from ? NO_OCTETS : new Uint8Array(this.#buffer, this.#offset + from, end - from)
  }

  /** Reads the length of an octet field or of a message, @returns where it ends */
  end(): number {
    const end = this.uint32() + this.at
    if (end > this.#octets.length)
      throw new Error(`a field ends ${end - this.#octets.length} octets too late`)
    return end
  }

  /** Leaves out a field that is not known; `tag` is its number and type. */
  skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.uint64()
        break
      case FIXED64:
        this.at += 8
        break
      case DELIMITED:
        this.at = this.end()
        break
      case FIXED32:
        this.at += 4
        break
      default:
        throw new Error(`a field of type ${tag & 7}`)
    }
  }

  /** All of a message has been read. */
  close(end: number): void {
    if (this.at !== end) throw new Error(`a message goes ${this.at - end} octets beyond its end`)
  }
}
