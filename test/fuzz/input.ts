/** Reads a test's decisions out of any octets; what is not there is zero. */
export class Input {
  readonly #octets: Uint8Array
  #at = 0

  constructor(octets: Uint8Array) {
    this.#octets = octets
  }

  get done(): boolean {
    return this.#at >= this.#octets.length
  }

  octet(): number {
    return this.#octets[this.#at++] ?? 0
  }

  /** A length, in two octets so that whole messages fit. */
  length16(): number {
    return (this.octet() << 8) | this.octet()
  }

  /** The next `length` octets, or as many as there are. */
  octets(length: number): Uint8Array {
    const octets = this.#octets.subarray(this.#at, this.#at + length)
    this.#at += length
    return octets
  }
}
