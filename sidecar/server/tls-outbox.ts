// Memory for ciphertext on its way to the kernel, used again and again: left to the garbage collector, the pieces of a fast
// download cost more than their encryption.

/** Octets of a piece: more than one slice of a Bulk scan, encrypted. */
const PIECE = 192 * 1024
/** Pieces that wait for use. */
const MAX_FREE = 16
/** Below that Node's own pool serves as well. */
const SMALL = 4 * 1024

export class Outbox {
  readonly #free: Buffer[] = []

  /** At least so many octets, whatever they are. */
  take(octets: number): Buffer {
    if (octets < SMALL) return Buffer.allocUnsafe(octets)
    if (octets > PIECE) return Buffer.allocUnsafeSlow(octets)
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(PIECE)
  }

  /** The kernel has taken what was in it. */
  giveBack(piece: Buffer): void {
    if (piece.length === PIECE && this.#free.length < MAX_FREE) this.#free.push(piece)
  }
}
