/** Largest message a 2-octet message-size can announce (RFC 6926 section 6.1, RFC 5460 section 5.1). */
export const MAX_MESSAGE = 0xffff

// Messages are small and many, and an ArrayBuffer for each would cost more than writing it: they are cut from slabs.
const SLAB_SIZE = 64 * 1024
let slab = new Uint8Array(SLAB_SIZE)
let slabUsed = 0

/** Calls of typed arrays cost more than a loop over so many octets. */
const LOOP = 256

/**
 * A growing buffer with a write position, behind which all is zero. Lengths that are known only afterwards are patched in:
 * `begin…` leaves room and returns a mark, `end…` fills it in. What does not fit its length field is our own mistake:
 * RangeError.
 */
export class Writer {
  #octets: Uint8Array
  /** The same memory, written by words. */
  #data: DataView
  #at = 0

  constructor(capacity = 512) {
    this.#octets = new Uint8Array(capacity)
    this.#data = new DataView(this.#octets.buffer)
  }

  get length(): number {
    return this.#at
  }

  u8(value: number): void {
    const at = this.#room(1)
    this.#data.setUint8(at, value)
  }

  u16(value: number): void {
    const at = this.#room(2)
    this.#data.setUint16(at, value)
  }

  u32(value: number): void {
    const at = this.#room(4)
    this.#data.setUint32(at, value)
  }

  /** So many words of `source` from `from` on. */
  words(source: Uint32Array, from: number, count: number): void {
    const at = this.#room(4 * count)
    for (let i = 0; i < count; i++) this.#data.setUint32(at + 4 * i, source[from + i]!)
  }

  octets(value: Uint8Array): void {
    const at = this.#room(value.length)
    this.#octets.set(value, at)
  }

  /** The octets of `source` from `from` to `to`. */
  copy(source: DataView, from: number, to: number): void {
    this.#copy(this.#room(to - from), source, from, to)
  }

  /** `value` in a field of `size` octets, zero padded behind. */
  padded(value: Uint8Array, size: number): void {
    if (value.length > size) throw new RangeError(`${value.length} octets in a field of ${size}`)
    this.octets(value)
    this.zeros(size - value.length)
  }

  zeros(count: number): void {
    this.#room(count)
  }

  /** Overwrites an octet that was written before. */
  patch8(at: number, value: number): void {
    this.#data.setUint8(this.#written(at, 1), value)
  }

  /** Overwrites two octets that were written before. */
  patch16(at: number, value: number): void {
    this.#data.setUint16(this.#written(at, 2), value)
  }

  /** Overwrites four octets that were written before. */
  patch32(at: number, value: number): void {
    this.#data.setUint32(this.#written(at, 4), value)
  }

  /** Overwrites octets that were written before. */
  patch(at: number, value: Uint8Array): void {
    this.#octets.set(value, this.#written(at, value.length))
  }

  /** As {@link patch}, by octets of `source` from `from` to `to`. */
  patchCopy(at: number, source: DataView, from: number, to: number): void {
    this.#copy(this.#written(at, to - from), source, from, to)
  }

  // ---- lengths patched in afterwards

  /** A 2-octet message-size; the mark is for {@link endSize}. */
  beginSize(): number {
    return this.#room(2) + 2
  }

  endSize(mark: number): void {
    const size = this.#at - mark
    if (size > MAX_MESSAGE) throw new RangeError(`message of ${size} octets exceeds ${MAX_MESSAGE}`)
    this.#data.setUint16(mark - 2, size)
  }

  /** A DHCPv4 option: code(1) length(1). */
  beginOption4(code: number): number {
    const at = this.#room(2)
    this.#data.setUint8(at, code)
    return at + 2
  }

  /** Splits what is longer than 255 octets into several instances of the option (RFC 3396 section 5). */
  endOption4(mark: number): void {
    const size = this.#at - mark
    if (size <= 255) {
      this.#data.setUint8(mark - 1, size)
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

  /** A whole DHCPv4 option that holds a number of four octets. */
  option4(code: number, value: number): void {
    const at = this.#room(6)
    this.#data.setUint16(at, (code << 8) | 4)
    this.#data.setUint32(at + 2, value)
  }

  /** A whole DHCPv4 option that holds one octet. */
  shortOption4(code: number, value: number): void {
    const at = this.#room(3)
    this.#data.setUint16(at, (code << 8) | 1)
    this.#data.setUint8(at + 2, value)
  }

  /**
   * The octets of `source` from `from` to `to` as a DHCPv4 option, split where they are more than 255 (RFC 3396 section 5);
   * none where there are none.
   */
  copyOption4(code: number, source: DataView, from: number, to: number): void {
    for (let next = from; next < to; next += 255) {
      const end = Math.min(to, next + 255)
      const at = this.#room(2 + end - next)
      this.#data.setUint16(at, (code << 8) | (end - next))
      this.#copy(at + 2, source, next, end)
    }
  }

  /** A DHCPv6 option: code(2) length(2). */
  beginOption6(code: number): number {
    const at = this.#room(4)
    this.#data.setUint16(at, code)
    return at + 4
  }

  /** A whole DHCPv6 option that holds a number of four octets. */
  option6(code: number, value: number): void {
    const at = this.#room(8)
    this.#data.setUint16(at, code)
    this.#data.setUint16(at + 2, 4)
    this.#data.setUint32(at + 4, value)
  }

  endOption6(mark: number): void {
    this.#data.setUint16(mark - 2, sizeOfOption6(this.#at - mark))
  }

  /** The octets of `source` from `from` to `to` as a DHCPv6 option. */
  copyOption6(code: number, source: DataView, from: number, to: number): void {
    const size = sizeOfOption6(to - from)
    const at = this.#room(4 + size)
    this.#data.setUint16(at, code)
    this.#data.setUint16(at + 2, size)
    this.#copy(at + 4, source, from, to)
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
    this.truncate(0)
  }

  /** Takes back what was written from `at` on. */
  truncate(at: number): void {
    if (at > this.#at) throw new RangeError(`truncated at ${at} of ${this.#at} octets`)
    this.#octets.fill(0, at, this.#at)
    this.#at = at
  }

  /** Goes on by `count` octets, which are zero. Returns where they begin. */
  #room(count: number): number {
    const at = this.#at
    this.#at = at + count
    if (this.#at > this.#octets.length) this.#grow()
    return at
  }

  #grow(): void {
    const grown = new Uint8Array(Math.max(this.#at, 2 * this.#octets.length))
    grown.set(this.#octets)
    this.#octets = grown
    this.#data = new DataView(grown.buffer)
  }

  #written(at: number, count: number): number {
    if (at + count > this.#at) throw new RangeError(`patch at ${at} of ${this.#at} octets`)
    return at
  }

  #copy(at: number, source: DataView, from: number, to: number): void {
    const length = to - from
    if (length > LOOP) {
      this.#octets.set(new Uint8Array(source.buffer, source.byteOffset + from, length), at)
      return
    }
    const data = this.#data
    if (length < 4) {
      for (let i = 0; i < length; i++) data.setInt8(at + i, source.getInt8(from + i))
      return
    }
    // Where the length is no multiple of four, the last word overlaps the one before it.
    const last = length - 4
    for (let i = 0; i < last; i += 4) data.setInt32(at + i, source.getInt32(from + i, true), true)
    data.setInt32(at + last, source.getInt32(from + last, true), true)
  }
}

function sizeOfOption6(size: number): number {
  if (size > 0xffff) throw new RangeError(`option of ${size} octets exceeds 65535`)
  return size
}
