import type { Binding, BindingState, ChangeNumber, LogicalSeconds, Origin, UnixSeconds } from '../binding.ts'
import type { BindingTable } from './binding-table.ts'
import { Word } from './record-words.ts'

/**
 * A binding read where it lies, without copying: set {@link ordinal}, then read. Its octet fields are views of the
 * store's own memory, good only until the next change to the store: encode and forget, keep nothing, spread nothing.
 */
export class BindingView implements Binding {
  readonly #table: BindingTable
  /** Which record is shown; 0 = none, and nothing may be read. */
  ordinal = 0

  constructor(table: BindingTable) {
    this.#table = table
  }

  get address(): Uint8Array {
    return this.#table.address(this.ordinal)
  }
  get prefixLength(): number {
    return this.#table.prefixLength(this.ordinal)
  }
  get state(): BindingState {
    return this.#table.state(this.ordinal)
  }
  get origin(): Origin {
    return ((this.#table.rows.get(this.ordinal, Word.kind) >>> 8) & 0xff) as Origin
  }
  get subnetId(): number {
    return this.#table.rows.get(this.ordinal, Word.subnetId)
  }
  get iaid(): number {
    return this.#table.rows.get(this.ordinal, Word.iaid)
  }
  get hardwareType(): number {
    return this.#table.flags(this.ordinal) & 0xffff
  }
  get validLifetime(): number {
    return this.#table.rows.get(this.ordinal, Word.validLifetime)
  }
  get preferredLifetime(): number {
    return this.#table.rows.get(this.ordinal, Word.preferredLifetime)
  }
  get clientLastTransaction(): UnixSeconds {
    return this.#table.rows.get(this.ordinal, Word.clientLastTransaction)
  }
  get stateSince(): UnixSeconds {
    return this.#table.rows.get(this.ordinal, Word.stateSince)
  }
  get hardwareAddress(): Uint8Array {
    return this.#table.octets.field(this.ordinal, 0)
  }
  get clientId(): Uint8Array {
    return this.#table.octets.field(this.ordinal, 1)
  }
  get hostname(): Uint8Array {
    return this.#table.octets.field(this.ordinal, 2)
  }
  get relay(): Uint8Array {
    return this.#table.octets.field(this.ordinal, 3)
  }
  get options(): Uint8Array {
    return this.#table.octets.field(this.ordinal, 4)
  }
  get changedAt(): LogicalSeconds {
    return this.#table.changedAt(this.ordinal)
  }
  get changeNumber(): ChangeNumber {
    return this.#table.changeNumber(this.ordinal)
  }
}
