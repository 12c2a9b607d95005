// Departures by what they left: address and selecting values. There is one a pair, see {@link Memory.put}.
import { type BindingData, sameOctets } from '../binding.ts'
import { Word } from '../record-words.ts'
import type { BindingTable } from './binding-table.ts'
import { selectorKey } from './indexes.ts'
import type { KeyedHash } from './keyed-hash.ts'
import { LinearHash } from './linear-hash.ts'
import { OrdinalList } from './ordinals.ts'

export class Departures {
  readonly #table: BindingTable
  readonly #hash: KeyedHash
  readonly #byLeft: LinearHash
  /** All of them, in no set order. */
  readonly list = new OrdinalList()

  constructor(table: BindingTable, hash: KeyedHash) {
    this.#table = table
    this.#hash = hash
    this.#byLeft = new LinearHash(table.rows, Word.hash, Word.link)
  }

  get size(): number {
    return this.#byLeft.size
  }

  /** A record that has been filled in. */
  enter(ordinal: number): void {
    this.#byLeft.insert(this.#hash.of(this.#keyOf(this.#table.read(ordinal))), ordinal)
    this.#table.rows.set(ordinal, Word.mark, this.list.push(ordinal))
  }

  /** Ordinal of the departure that left what `data` has, 0 = there is none. */
  find(data: BindingData): number {
    if (this.size === 0) return 0
    const key = this.#keyOf(data)
    const hash = this.#hash.of(key)
    for (let at = this.#byLeft.first(hash); at !== 0; at = this.#byLeft.next(at)) {
      if (this.#byLeft.hashOf(at) !== hash || !this.#table.hasAddress(at, data.address)) continue
      if (sameOctets(this.#keyOf(this.#table.read(at)), key)) return at
    }
    return 0
  }

  leave(ordinal: number): void {
    this.#byLeft.remove(ordinal)
    const { rows } = this.#table
    const place = rows.get(ordinal, Word.mark)
    const moved = this.list.remove(place)
    if (moved !== 0) rows.set(moved, Word.mark, place)
  }

  #keyOf(data: BindingData): Uint8Array {
    const selectors = selectorKey(this.#table.family, data)
    const key = new Uint8Array(data.address.length + selectors.length)
    key.set(data.address)
    key.set(selectors, data.address.length)
    return key
  }
}
