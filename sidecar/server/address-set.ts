// A set of DHCPv4 addresses as bits, in chunks made where one is added: it takes no more than the bindings that it is
// filled from, however large the configured ranges are.

const CHUNK_BITS = 11
const CHUNK = 1 << CHUNK_BITS
const ALL = 0xffffffff

export class AddressSet {
  readonly #chunks = new Map<number, Uint32Array>()
  /** The chunk used last: what is added mostly lies side by side. */
  #chunk: Uint32Array | undefined
  #key = -1

  add(address: number): void {
    const chunk = this.#chunkOf(address) ?? this.#make(address)
    chunk[(address & (CHUNK - 1)) >>> 5]! |= 1 << (address & 31)
  }

  has(address: number): boolean {
    const bits = this.#chunkOf(address)?.[(address & (CHUNK - 1)) >>> 5] ?? 0
    return (bits & (1 << (address & 31))) !== 0
  }

  /** How many addresses from this one on are in the set, as far as one chunk shows: 0 = this one is not. */
  run(from: number): number {
    const chunk = this.#chunkOf(from)
    if (chunk === undefined) return 0
    const first = from & (CHUNK - 1)
    let at = first
    while (at < CHUNK) {
      const bits = chunk[at >>> 5]!
      if (bits === ALL && (at & 31) === 0) at += 32
      else if ((bits & (1 << (at & 31))) !== 0) at++
      else break
    }
    return at - first
  }

  #chunkOf(address: number): Uint32Array | undefined {
    const key = address >>> CHUNK_BITS
    if (key !== this.#key) {
      this.#key = key
      this.#chunk = this.#chunks.get(key)
    }
    return this.#chunk
  }

  #make(address: number): Uint32Array {
    this.#chunk = new Uint32Array(CHUNK / 32)
    this.#chunks.set(address >>> CHUNK_BITS, this.#chunk)
    return this.#chunk
  }
}
