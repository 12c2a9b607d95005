// Rows of 32-bit words in chunks: growth never copies, nothing is an object, and one row is one or two cache lines.

const CHUNK_BITS = 14
/** Rows in a chunk. */
export const ROWS_PER_CHUNK = 1 << CHUNK_BITS
const ROW_MASK = ROWS_PER_CHUNK - 1

/**
 * Row numbers begin at 1; 0 means none. Fresh rows are all zero, and so are those of chunks that nothing was ever written
 * to, up to the highest row reached: they take no memory.
 */
export class Rows {
  readonly stride: number
  readonly #chunks: Uint32Array[] = []
  readonly #nothing: Uint32Array
  #held = 0

  constructor(stride: number) {
    this.stride = stride
    this.#nothing = nothing(stride)
  }

  get(row: number, word: number): number {
    return this.#chunks[row >>> CHUNK_BITS]![(row & ROW_MASK) * this.stride + word]!
  }

  set(row: number, word: number, value: number): void {
    this.#chunks[row >>> CHUNK_BITS]![(row & ROW_MASK) * this.stride + word] = value
  }

  /** The chunk that holds `row`; its words begin at {@link offset}. */
  chunk(row: number): Uint32Array {
    return this.#chunks[row >>> CHUNK_BITS]!
  }

  offset(row: number): number {
    return (row & ROW_MASK) * this.stride
  }

  /** Makes sure that `row` and every lower one can be read. */
  cover(row: number): void {
    while (this.#chunks.length <= row >>> CHUNK_BITS) this.#chunks.push(this.#nothing)
  }

  /** Makes sure that `row` can be written to, and every lower one read. */
  reach(row: number): void {
    const at = row >>> CHUNK_BITS
    this.cover(row)
    if (this.#chunks[at] !== this.#nothing) return
    this.#chunks[at] = new Uint32Array(ROWS_PER_CHUNK * this.stride)
    this.#held++
  }

  get octets(): number {
    return this.#held * ROWS_PER_CHUNK * this.stride * 4
  }
}

const shared = new Map<number, Uint32Array>()

/** A chunk that is never written to: one for all. */
function nothing(stride: number): Uint32Array {
  let chunk = shared.get(stride)
  if (chunk === undefined) {
    chunk = new Uint32Array(ROWS_PER_CHUNK * stride)
    shared.set(stride, chunk)
  }
  return chunk
}

export function chunkOf(row: number): number {
  return row >>> CHUNK_BITS
}
