import { PackedBinding } from '../packed-binding.ts'
import { Word } from '../record-words.ts'
import type { BindingTable } from './binding-table.ts'
import { OCTETS_HEADER } from './record-octets.ts'

/**
 * A binding read where it lies, without copying: set {@link ordinal}, then read. Its octet fields are views of the
 * store's own memory, good only until the next change to the store: encode and forget, keep nothing, spread nothing.
 */
export class BindingView extends PackedBinding {
  readonly #table: BindingTable
  #ordinal = 0

  constructor(table: BindingTable) {
    super()
    this.#table = table
    this.addressLength = table.addressLength
  }

  /** Which record is shown; 0 = none, and nothing may be read. */
  get ordinal(): number {
    return this.#ordinal
  }

  set ordinal(ordinal: number) {
    this.#ordinal = ordinal
    if (ordinal === 0) return
    const { rows, slabs } = this.#table
    const row = rows.chunk(ordinal)
    const at = rows.offset(ordinal)
    // Mostly it is the same as before, and writing a reference costs more than looking at it.
    if (this.words !== row) this.words = row
    this.wordsAt = at
    const reference = row[at + Word.octets]!
    if (reference === 0) {
      this.setOctets(this.octets, this.data, 0, 0, 0, 0, 0, 0)
      return
    }
    const data = slabs.data(reference)
    const header = slabs.offset(reference)
    this.setOctets(
      slabs.page(reference),
      data,
      header + OCTETS_HEADER,
      data.getUint16(header, true),
      data.getUint16(header + 2, true),
      data.getUint16(header + 4, true),
      data.getUint16(header + 6, true),
      data.getUint16(header + 8, true),
    )
  }
}
