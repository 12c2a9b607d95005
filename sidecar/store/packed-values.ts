/** Values one after the other: an object for each would cost more than decoding it. */
export interface PackedValues {
  readonly octets: Uint8Array<ArrayBuffer>
  /** Where each value ends. */
  readonly ends: Uint32Array<ArrayBuffer>
}

export function packValues(values: readonly Uint8Array[]): PackedValues {
  const ends = new Uint32Array(values.length)
  let total = 0
  for (let i = 0; i < values.length; i++) {
    total += values[i]!.length
    ends[i] = total
  }
  const octets = new Uint8Array(total)
  for (let i = 0; i < values.length; i++) octets.set(values[i]!, i === 0 ? 0 : ends[i - 1]!)
  return { octets, ends }
}

/** How LevelDB's iterators read ahead. */
export const AHEAD = { highWaterMarkBytes: 1 << 20 }

const AT_A_TIME = 1000

/** What an iterator of LevelDB gives, some at a time; closes it in the end. */
export async function* inParts<T>(iterator: {
  nextv(size: number): Promise<T[]>
  close(): Promise<void>
}): AsyncGenerator<readonly T[], void, void> {
  try {
    // The next ones are read while these are looked at.
    for (let coming = iterator.nextv(AT_A_TIME); ; ) {
      const part = await coming
      if (part.length === 0) return
      coming = iterator.nextv(AT_A_TIME)
      coming.catch(() => {}) // it is awaited, and fails, with the next round
      yield part
    }
  } finally {
    await iterator.close()
  }
}
