// Rows of 32-bit words in chunks: growth never copies, nothing is an object, and one row is one or two cache lines.

const CHUNK_BITS = 14
/** Rows in a chunk. */
export const ROWS_PER_CHUNK = 1 << CHUNK_BITS
const ROW_MASK = ROWS_PER_CHUNK - 1

/** Row numbers begin at 1; 0 means none. Fresh rows are all zero. */
export class Rows {
  readonly stride: number
  readonly #chunks: Uint32Array[] = []

  constructor(stride: number) {
    this.stride = stride
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

  /** Makes sure that `row` exists. */
  reach(row: number): void {
    while (this.#chunks.length <= row >>> CHUNK_BITS) {
      this.#chunks.push(new Uint32Array(ROWS_PER_CHUNK * this.stride))
    }
  }

  get octets(): number {
    return this.#chunks.length * ROWS_PER_CHUNK * this.stride * 4
  }
}

export function chunkOf(row: number): number {
  return row >>> CHUNK_BITS
}
