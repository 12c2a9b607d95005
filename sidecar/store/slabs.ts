// Room for what varies in length. Pages hold slots of one size each; an empty page can serve another size.

const PAGE = 1 << 18
const SLOT_BITS = 13
const SLOT_MASK = (1 << SLOT_BITS) - 1
const SMALLEST = 32

/** Largest piece that fits, in octets. */
export const LARGEST_PIECE = PAGE

// 32, 48, 64, ... 128, then eight steps a doubling: at most an eighth is wasted.
const sizes: number[] = []
for (let size = SMALLEST; size <= 128; size += 16) sizes.push(size)
for (let base = 128; base < PAGE; base *= 2) {
  for (let step = 1; step <= 8; step++) sizes.push(base + (base / 8) * step)
}
const SIZES = Uint32Array.from(sizes)
// Size class of each length up to 1024, by 16 octets; longer ones are searched.
const SMALL_CLASSES = Uint8Array.from({ length: 65 }, (_, i) => sizes.findIndex((size) => size >= i * 16))

function classOf(length: number): number {
  if (length <= 1024) return SMALL_CLASSES[(length + 15) >>> 4]!
  let low = 0
  let high = SIZES.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (SIZES[middle]! >= length) high = middle
    else low = middle + 1
  }
  return low
}

class Page {
  readonly octets = new Uint8Array(PAGE)
  readonly data = new DataView(this.octets.buffer)
  readonly sizeClass: number
  readonly slotSize: number
  readonly slots: number
  live = 0
  /** Slots from here on were never used. */
  fresh = 0
  /** First freed slot plus one, linked through the first two octets of each; 0 = none. */
  freed = 0

  constructor(sizeClass: number) {
    this.sizeClass = sizeClass
    this.slotSize = SIZES[sizeClass]!
    this.slots = Math.floor(PAGE / this.slotSize)
  }
}

/** References are numbers from 1 on; 0 means none. */
export class Slabs {
  readonly #pages: (Page | undefined)[] = []
  readonly #unusedIds: number[] = []
  /** For each size the pages that have room; the last one is filled first. */
  readonly #open: number[][] = Array.from(SIZES, () => [])
  #pageCount = 0

  /** Room for `length` octets, 1 to {@link LARGEST_PIECE}; its content is arbitrary. */
  alloc(length: number): number {
    if (length > LARGEST_PIECE) throw new RangeError(`${length} octets exceed the ${LARGEST_PIECE} of a slab`)
    const sizeClass = classOf(length)
    const open = this.#open[sizeClass]!
    if (open.length === 0) open.push(this.#addPage(sizeClass))
    const id = open[open.length - 1]!
    const page = this.#pages[id]!
    let slot: number
    if (page.freed !== 0) {
      slot = page.freed - 1
      const at = slot * page.slotSize
      page.freed = page.octets[at]! | (page.octets[at + 1]! << 8)
    } else slot = page.fresh++
    page.live++
    if (page.live === page.slots) open.pop()
    return id * (1 << SLOT_BITS) + slot + 1
  }

  free(reference: number): void {
    const id = (reference - 1) >>> SLOT_BITS
    const page = this.#pages[id]!
    const slot = (reference - 1) & SLOT_MASK
    const at = slot * page.slotSize
    page.octets[at] = page.freed & 0xff
    page.octets[at + 1] = page.freed >>> 8
    page.freed = slot + 1
    const open = this.#open[page.sizeClass]!
    if (page.live === page.slots) open.push(id)
    page.live--
    if (page.live === 0 && open.length > 1) {
      open.splice(open.indexOf(id), 1)
      this.#pages[id] = undefined
      this.#unusedIds.push(id)
      this.#pageCount--
    }
  }

  /** The page that holds the piece; the piece begins at {@link offset}. */
  page(reference: number): Uint8Array {
    return this.#pages[(reference - 1) >>> SLOT_BITS]!.octets
  }

  /** The same page, to be read by words. */
  data(reference: number): DataView {
    return this.#pages[(reference - 1) >>> SLOT_BITS]!.data
  }

  offset(reference: number): number {
    return ((reference - 1) & SLOT_MASK) * this.#pages[(reference - 1) >>> SLOT_BITS]!.slotSize
  }

  /** Octets of the slot that holds the piece. */
  size(reference: number): number {
    return this.#pages[(reference - 1) >>> SLOT_BITS]!.slotSize
  }

  /** Whether a piece of `length` octets would take a slot of the same size as this one. */
  fits(reference: number, length: number): boolean {
    return this.#pages[(reference - 1) >>> SLOT_BITS]!.sizeClass === classOf(length)
  }

  get octets(): number {
    return this.#pageCount * PAGE
  }

  #addPage(sizeClass: number): number {
    const id = this.#unusedIds.pop() ?? this.#pages.length
    this.#pages[id] = new Page(sizeClass)
    this.#pageCount++
    return id
  }
}
