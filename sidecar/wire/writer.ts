/** Largest message a 2-octet message-size can announce (RFC 6926 section 6.1, RFC 5460 section 5.1). */
export const MAX_MESSAGE = 0xffff

// Messages are small and many, and an ArrayBuffer for each would cost more than writing it: they are cut from slabs.
const SLAB_SIZE = 64 * 1024
let slab = new Uint8Array(SLAB_SIZE)
let slabUsed = 0

/**
 * A growing buffer with a write position. Lengths that are known only afterwards are patched in: `begin…` leaves room
 * and returns a mark, `end…` fills it in. What does not fit its length field is our own mistake: RangeError.
 */
export class Writer {
  #octets: Uint8Array
  #at = 0

  constructor(capacity = 512) {
    this.#octets = new Uint8Array(capacity)
  }

  get length(): number {
    return this.#at
  }

  u8(value: number): void {
    this.#room(1)
    this.#octets[this.#at++] = value
  }

  u16(value: number): void {
    this.#room(2)
    this.#octets[this.#at++] = value >>> 8
    this.#octets[this.#at++] = value
  }

  u24(value: number): void {
    this.#room(3)
    this.#octets[this.#at++] = value >>> 16
    this.#octets[this.#at++] = value >>> 8
    this.#octets[this.#at++] = value
  }

  u32(value: number): void {
    this.#room(4)
    const at = this.#at
    this.#octets[at] = value >>> 24
    this.#octets[at + 1] = value >>> 16
    this.#octets[at + 2] = value >>> 8
    this.#octets[at + 3] = value
    this.#at = at + 4
  }

  octets(value: Uint8Array): void {
    this.#room(value.length)
    this.#octets.set(value, this.#at)
    this.#at += value.length
  }

  /** `value` in a field of `size` octets, zero padded behind. */
  padded(value: Uint8Array, size: number): void {
    if (value.length > size) throw new RangeError(`${value.length} octets in a field of ${size}`)
    this.octets(value)
    this.zeros(size - value.length)
  }

  zeros(count: number): void {
    this.#room(count)
    this.#octets.fill(0, this.#at, this.#at + count)
    this.#at += count
  }

  /** Overwrites four octets that were written before. */
  patch32(at: number, value: number): void {
    if (at + 4 > this.#at) throw new RangeError(`patch at ${at} of ${this.#at} octets`)
    const end = this.#at
    this.#at = at
    this.u32(value)
    this.#at = end
  }

  // ---- lengths patched in afterwards

  /** A 2-octet message-size; the mark is for {@link endSize}. */
  beginSize(): number {
    this.u16(0)
    return this.#at
  }

  endSize(mark: number): void {
    const size = this.#at - mark
    if (size > MAX_MESSAGE) throw new RangeError(`message of ${size} octets exceeds ${MAX_MESSAGE}`)
    this.#octets[mark - 2] = size >>> 8
    this.#octets[mark - 1] = size
  }

  /** A DHCPv4 option: code(1) length(1). */
  beginOption4(code: number): number {
    this.u8(code)
    this.u8(0)
    return this.#at
  }

  /** Splits what is longer than 255 octets into several instances of the option (RFC 3396 section 5). */
  endOption4(mark: number): void {
    const size = this.#at - mark
    if (size <= 255) {
      this.#octets[mark - 1] = size
      return
    }
    const code = this.#octets[mark - 2]!
    const value = this.#octets.slice(mark, this.#at)
    this.#at = mark - 2
    for (let from = 0; from < size; from += 255) {
      const part = value.subarray(from, from + 255)
      this.u8(code)
      this.u8(part.length)
      this.octets(part)
    }
  }

  /** A DHCPv6 option: code(2) length(2). */
  beginOption6(code: number): number {
    this.u16(code)
    this.u16(0)
    return this.#at
  }

  endOption6(mark: number): void {
    const size = this.#at - mark
    if (size > 0xffff) throw new RangeError(`option of ${size} octets exceeds 65535`)
    this.#octets[mark - 2] = size >>> 8
    this.#octets[mark - 1] = size
  }

  /** A copy of what has been written, never changed afterwards; the writer can go on or be {@link reset}. */
  take(): Uint8Array {
    const size = this.#at
    if (size > SLAB_SIZE / 4) return this.#octets.slice(0, size)
    if (size > slab.length - slabUsed) {
      slab = new Uint8Array(SLAB_SIZE)
      slabUsed = 0
    }
    const copy = slab.subarray(slabUsed, slabUsed + size)
    copy.set(this.#octets.subarray(0, size))
    slabUsed += size
    return copy
  }

  reset(): void {
    this.#at = 0
  }

  #room(count: number): void {
    const needed = this.#at + count
    if (needed <= this.#octets.length) return
    const grown = new Uint8Array(Math.max(needed, 2 * this.#octets.length))
    grown.set(this.#octets.subarray(0, this.#at))
    this.#octets = grown
  }
}
