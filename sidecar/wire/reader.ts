import { WireError } from './wire-error.ts'

/**
 * A cursor over octets that never reads past their end: every read that would throws a {@link WireError} naming `where`.
 * Octets handed out are views of the input, not copies.
 */
export class Reader {
  readonly where: string
  readonly #octets: Uint8Array
  #at = 0

  constructor(octets: Uint8Array, where: string) {
    this.#octets = octets
    this.where = where
  }

  get remaining(): number {
    return this.#octets.length - this.#at
  }

  u8(): number {
    this.#need(1)
    return this.#octets[this.#at++]!
  }

  u16(): number {
    this.#need(2)
    const value = (this.#octets[this.#at]! << 8) | this.#octets[this.#at + 1]!
    this.#at += 2
    return value
  }

  u24(): number {
    this.#need(3)
    const value =
      (this.#octets[this.#at]! << 16) | (this.#octets[this.#at + 1]! << 8) | this.#octets[this.#at + 2]!
    this.#at += 3
    return value
  }

  u32(): number {
    this.#need(4)
    const at = this.#at
    const o = this.#octets
    this.#at += 4
    return ((o[at]! << 24) | (o[at + 1]! << 16) | (o[at + 2]! << 8) | o[at + 3]!) >>> 0
  }

  octets(count: number): Uint8Array {
    this.#need(count)
    const view = this.#octets.subarray(this.#at, this.#at + count)
    this.#at += count
    return view
  }

  rest(): Uint8Array {
    return this.octets(this.remaining)
  }

  skip(count: number): void {
    this.#need(count)
    this.#at += count
  }

  /** The input ends here; left-over octets are as wrong as missing ones. */
  end(): void {
    if (this.remaining > 0) throw new WireError('trailing', this.where, `${this.remaining} octets too many`)
  }

  #need(count: number): void {
    if (count > this.remaining)
      throw new WireError('too-short', this.where, `${count} octets needed, ${this.remaining} left`)
  }
}
