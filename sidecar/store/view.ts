import type { BindingState, Origin } from '../binding.ts'
import { PackedBinding } from '../packed-binding.ts'
import type { BindingTable } from './binding-table.ts'
import { length16, OCTETS_HEADER } from './record-octets.ts'
import { Word } from './record-words.ts'

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
    const chunk = rows.chunk(ordinal)
    const at = rows.offset(ordinal)
    const kind = chunk[at + Word.kind]!
    this.state = (kind & 0xff) as BindingState
    this.origin = ((kind >>> 8) & 0xff) as Origin
    this.prefixLength = (kind >>> 16) & 0xff
    this.hardwareType = chunk[at + Word.flags]! & 0xffff
    this.subnetId = chunk[at + Word.subnetId]!
    this.iaid = chunk[at + Word.iaid]!
    this.validLifetime = chunk[at + Word.validLifetime]!
    this.preferredLifetime = chunk[at + Word.preferredLifetime]!
    this.clientLastTransaction = chunk[at + Word.clientLastTransaction]!
    this.stateSince = chunk[at + Word.stateSince]!
    this.changedAt = chunk[at + Word.changedAt]!
    this.numberHigh = chunk[at + Word.numberHigh]!
    this.numberLow = chunk[at + Word.numberLow]!
    this.words = chunk
    this.wordsAt = at + Word.address
    const reference = chunk[at + Word.octets]!
    if (reference === 0) {
      this.setOctets(this.octets, 0, 0, 0, 0, 0, 0)
      return
    }
    const page = slabs.page(reference)
    const header = slabs.offset(reference)
    this.setOctets(
      page,
      header + OCTETS_HEADER,
      length16(page, header),
      length16(page, header + 2),
      length16(page, header + 4),
      length16(page, header + 6),
      length16(page, header + 8),
    )
  }
}
