// Which lengths delegated prefixes have, so that those around an address are found by few look-ups.
import type { BindingTable } from './binding-table.ts'

export class PrefixLengths {
  readonly #table: BindingTable
  /** How many bindings there are of each length. */
  readonly #counts = new Uint32Array(256)

  constructor(table: BindingTable) {
    this.#table = table
  }

  count(length: number, by: 1 | -1): void {
    this.#counts[length]! += by
  }

  /** The binding of this address, and the delegated prefixes that contain it, the longest first. */
  covering(address: Uint8Array): number[] {
    const table = this.#table
    const found: number[] = []
    const exact = table.find(address)
    if (exact !== 0 && table.prefixLength(exact) === 0) found.push(exact)
    const start = Uint8Array.from(address)
    for (let length = 8 * address.length; length > 0; length--) {
      // In order of length, so each step takes off one bit more.
      if (length < 8 * address.length) start[length >>> 3]! &= ~(0x80 >>> (length & 7))
      if (this.#counts[length] === 0) continue
      const ordinal = table.find(start)
      if (ordinal !== 0 && table.prefixLength(ordinal) === length) found.push(ordinal)
    }
    return found
  }
}
