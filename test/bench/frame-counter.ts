/** Counts the frames of a stream, which may be cut anywhere, without looking into them. */
export class FrameCounter {
  /** Octets of the frame under way that are still to come. */
  #left = 0
  /** First octet of a size whose second one is still to come; -1 = there is none. */
  #half = -1

  /** @returns how many frames end in these octets */
  ended(data: Buffer): number {
    let frames = 0
    let at = 0
    while (at < data.length) {
      if (this.#left > 0) {
        at += this.#left
        this.#left = Math.max(0, at - data.length)
        if (at <= data.length) frames++
      } else if (this.#half < 0) {
        this.#half = data[at++]!
      } else {
        this.#left = this.#half * 256 + data[at++]!
        this.#half = -1
      }
    }
    return frames
  }
}
