/** Largest message a 2-octet message-size can announce (RFC 6926 section 6.1, RFC 5460 section 5.1). */
export const MAX_MESSAGE = 0xffff

// Messages are small and many, and an ArrayBuffer for each would cost more than writing it: they are cut from slabs.
const SLAB_SIZE = 64 * 1024
let slab = new Uint8Array(SLAB_SIZE)
let slabUsed = 0

/** Calls of typed arrays cost more than a loop over so many octets. */
const LOOP = 128

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
    const at = this.#at
    this.#octets[at] = value >>> 8
    this.#octets[at + 1] = value
    this.#at = at + 2
  }

  u24(value: number): void {
    this.#room(3)
    const at = this.#at
    this.#octets[at] = value >>> 16
    this.#octets[at + 1] = value >>> 8
    this.#octets[at + 2] = value
    this.#at = at + 3
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

  /** The octets of `source` from `from` to `to`. */
  copy(source: Uint8Array, from: number, to: number): void {
    const length = to - from
    this.#room(length)
    const octets = this.#octets
    const at = this.#at
    if (length <= LOOP) for (let i = 0; i < length; i++) octets[at + i] = source[from + i]!
    else octets.set(source.subarray(from, to), at)
    this.#at = at + length
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

  /** Overwrites an octet that was written before. */
  patch8(at: number, value: number): void {
    if (at >= this.#at) throw new RangeError(`patch at ${at} of ${this.#at} octets`)
    this.#octets[at] = value
  }

  /** Overwrites four octets that were written before. */
  patch32(at: number, value: number): void {
    if (at + 4 > this.#at) throw new RangeError(`patch at ${at} of ${this.#at} octets`)
    this.#octets[at] = value >>> 24
    this.#octets[at + 1] = value >>> 16
    this.#octets[at + 2] = value >>> 8
    this.#octets[at + 3] = value
  }

  /** Goes back to `at` and copies there, then forward again. */
  patch(at: number, source: Uint8Array, from: number, to: number): void {
    if (at + to - from > this.#at) throw new RangeError(`patch at ${at} of ${this.#at} octets`)
    const end = this.#at
    this.#at = at
    this.copy(source, from, to)
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

  /** A whole DHCPv4 option that holds `size` octets, 1 or 4, of a number. */
  option4(code: number, size: 1 | 4, value: number): void {
    this.#room(6)
    const octets = this.#octets
    let at = this.#at
    octets[at++] = code
    octets[at++] = size
    if (size === 4) {
      octets[at++] = value >>> 24
      octets[at++] = value >>> 16
      octets[at++] = value >>> 8
    }
    octets[at++] = value
    this.#at = at
  }

  /** A DHCPv6 option: code(2) length(2). */
  beginOption6(code: number): number {
    this.u16(code)
    this.u16(0)
    return this.#at
  }

  /** A whole DHCPv6 option that holds a number of four octets. */
  option6(code: number, value: number): void {
    this.#room(8)
    const octets = this.#octets
    const at = this.#at
    octets[at] = code >>> 8
    octets[at + 1] = code
    octets[at + 2] = 0
    octets[at + 3] = 4
    octets[at + 4] = value >>> 24
    octets[at + 5] = value >>> 16
    octets[at + 6] = value >>> 8
    octets[at + 7] = value
    this.#at = at + 8
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

  /** What has been written from `from` on, as a view: good until the writer is {@link reset}. */
  view(from = 0): Uint8Array {
    return this.#octets.subarray(from, this.#at)
  }

  reset(): void {
    this.#at = 0
  }

  /** Takes back what was written from `at` on. */
  truncate(at: number): void {
    if (at > this.#at) throw new RangeError(`truncated at ${at} of ${this.#at} octets`)
    this.#at = at
  }

  #room(count: number): void {
    const needed = this.#at + count
    if (needed <= this.#octets.length) return
    const grown = new Uint8Array(Math.max(needed, 2 * this.#octets.length))
    grown.set(this.#octets.subarray(0, this.#at))
    this.#octets = grown
  }
}
