// Sorts ten million (number, ordinal) pairs at start without holding the event loop: sorted runs, merged in slices.

const RUN = 1 << 16
// A run's numbers less its smallest, times RUN, must stay an exact double.
const EXACT_SPAN = 2 ** 37

interface Run {
  readonly numbers: Float64Array
  readonly ordinals: Uint32Array
  at: number
}

export class SortedRuns {
  readonly #runs: Run[] = []
  #numbers = new Float64Array(RUN)
  #ordinals = new Uint32Array(RUN)
  #filled = 0

  add(number: number, ordinal: number): void {
    if (this.#filled === RUN) this.#close()
    this.#numbers[this.#filled] = number
    this.#ordinals[this.#filled++] = ordinal
  }

  /** All pairs in order of number; `take` is called for one at a time, and the loop runs between slices. */
  async merge(take: (number: number, ordinal: number) => void): Promise<void> {
    if (this.#filled > 0) this.#close()
    const heap = this.#runs
    for (let i = (heap.length >>> 1) - 1; i >= 0; i--) sink(heap, i)
    let inSlice = 0
    while (heap.length > 0) {
      const run = heap[0]!
      take(run.numbers[run.at]!, run.ordinals[run.at]!)
      run.at++
      if (run.at === run.numbers.length) {
        const last = heap.pop()!
        if (heap.length > 0) heap[0] = last
      }
      if (heap.length > 1) sink(heap, 0)
      if (++inSlice === RUN) {
        inSlice = 0
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }

  #close(): void {
    const count = this.#filled
    const unsorted = this.#numbers.subarray(0, count)
    const places = order(unsorted)
    const numbers = new Float64Array(count)
    const ordinals = new Uint32Array(count)
    for (let i = 0; i < count; i++) {
      numbers[i] = unsorted[places[i]!]!
      ordinals[i] = this.#ordinals[places[i]!]!
    }
    this.#runs.push({ numbers, ordinals, at: 0 })
    this.#filled = 0
  }
}

/** Indexes into `numbers` by ascending number. */
function order(numbers: Float64Array): Uint32Array {
  let least = Number.POSITIVE_INFINITY
  let most = 0
  for (const number of numbers) {
    if (number < least) least = number
    if (number > most) most = number
  }
  const places = new Uint32Array(numbers.length)
  if (most - least >= EXACT_SPAN) {
    for (let i = 0; i < places.length; i++) places[i] = i
    return places.sort((a, b) => numbers[a]! - numbers[b]!)
  }
  // Sorting without a comparator is several times faster: number and place packed in one double.
  const packed = new Float64Array(numbers.length)
  for (let i = 0; i < packed.length; i++) packed[i] = (numbers[i]! - least) * RUN + i
  packed.sort()
  for (let i = 0; i < packed.length; i++) places[i] = packed[i]! % RUN
  return places
}

function sink(heap: Run[], at: number): void {
  const run = heap[at]!
  const number = run.numbers[run.at]!
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    const right = heap[child + 1]
    if (right !== undefined && next(right) < next(heap[child]!)) child++
    if (next(heap[child]!) >= number) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = run
}

function next(run: Run): number {
  return run.numbers[run.at]!
}
