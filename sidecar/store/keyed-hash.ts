// HalfSipHash-1-3: DUIDs and hardware addresses are chosen by clients, so a hash without a secret key would let them
// pile a million bindings into one bucket.
import { randomBytes } from 'node:crypto'

/** A 32-bit hash with a key of its own, random per process. */
export class KeyedHash {
  readonly #k0: number
  readonly #k1: number

  constructor(key: Uint8Array = randomBytes(8)) {
    const view = new DataView(key.buffer, key.byteOffset, 8)
    this.#k0 = view.getUint32(0, true) | 0
    this.#k1 = view.getUint32(4, true) | 0
  }

  /** Hash of `length` octets from `from` on. */
  of(data: Uint8Array, length: number = data.length, from = 0): number {
    let v0 = this.#k0
    let v1 = this.#k1
    let v2 = 0x6c796765 ^ v0
    let v3 = 0x74656462 ^ v1
    const end = from + length
    const whole = from + (length & ~3)
    for (let i = from; i < whole; i += 4) {
      const m = data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24)
      v3 ^= m
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= m
    }
    let last = length << 24
    for (let i = whole; i < end; i++) last |= data[i]! << (8 * (i - whole))
    v3 ^= last
    for (let round = 0; round < 4; round++) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      if (round === 0) {
        v0 ^= last
        v2 ^= 0xff
      }
    }
    return (v1 ^ v3) >>> 0
  }
}
