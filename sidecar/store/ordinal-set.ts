// A set of ordinals as bits, in chunks made where one is added: a scan of three bindings takes little, one of ten million
// a bit for each.

const CHUNK_BITS = 13
const CHUNK_MASK = (1 << CHUNK_BITS) - 1

export class OrdinalSet {
  readonly #chunks: (Uint32Array | undefined)[] = []

  has(ordinal: number): boolean {
    const chunk = this.#chunks[ordinal >>> CHUNK_BITS]
    if (chunk === undefined) return false
    return (chunk[(ordinal & CHUNK_MASK) >>> 5]! & (1 << (ordinal & 31))) !== 0
  }

  /** Returns whether it was not in before. */
  add(ordinal: number): boolean {
    const at = ordinal >>> CHUNK_BITS
    let chunk = this.#chunks[at]
    if (chunk === undefined) {
      // No holes, which would make every later look slower.
      while (this.#chunks.length <= at) this.#chunks.push(undefined)
      chunk = new Uint32Array((CHUNK_MASK + 1) >>> 5)
      this.#chunks[at] = chunk
    }
    const word = (ordinal & CHUNK_MASK) >>> 5
    const bit = 1 << (ordinal & 31)
    if ((chunk[word]! & bit) !== 0) return false
    chunk[word] = chunk[word]! | bit
    return true
  }
}
