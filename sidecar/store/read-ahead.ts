// Fetches what a batch of changes is about to touch. Among millions of bindings nearly every step of a change waits for
// memory: bucket, row, octets, entry of the index. Looked at for all changes of a batch first, step by step, the waits of
// all of them pass at the same time.

import { Word } from '../record-words.ts'
import type { BindingTable } from './binding-table.ts'
import type { ChangeIndex } from './change-index.ts'

/** Bindings at a time: what is fetched of them has to be in the processor's cache still when it is used. */
const AT_A_TIME = 256
/** Bindings passed on the way through a bucket. */
const PASSED = 2

export class ReadAhead {
  readonly #table: BindingTable
  readonly #index: ChangeIndex
  readonly #hashes = new Uint32Array(AT_A_TIME)
  readonly #ordinals = new Uint32Array(AT_A_TIME)
  /** What was read, so that reading is not left out as of no use. */
  #seen = 0

  constructor(table: BindingTable, index: ChangeIndex) {
    this.#table = table
    this.#index = index
  }

  /** The bindings of these addresses. */
  bindings(addresses: readonly Uint8Array[]): void {
    for (let from = 0; from < addresses.length; from += AT_A_TIME) {
      const count = Math.min(AT_A_TIME, addresses.length - from)
      for (let i = 0; i < count; i++) this.#hashes[i] = this.#table.hashOf(addresses[from + i]!)
      this.#find(count)
      this.#records(count)
    }
  }

  /** As well as can be told without comparing addresses. */
  #find(count: number): void {
    const { byAddress, rows } = this.#table
    const hashes = this.#hashes
    const ordinals = this.#ordinals
    let seen = 0
    for (let i = 0; i < count; i++) ordinals[i] = byAddress.first(hashes[i]!)
    for (let passed = 0; passed < PASSED; passed++) {
      // A branch on what has not come yet would end the reading ahead: so first it is only read.
      for (let i = 0; i < count; i++) seen ^= rows.get(ordinals[i]!, Word.hash)
      for (let i = 0; i < count; i++) {
        const ordinal = ordinals[i]!
        if (rows.get(ordinal, Word.hash) !== hashes[i]) ordinals[i] = rows.get(ordinal, Word.link)
      }
    }
    this.#seen ^= seen
  }

  #records(count: number): void {
    const { octets, rows } = this.#table
    const ordinals = this.#ordinals
    let seen = 0
    // The whole of a row is in two lines of the cache.
    for (let i = 0; i < count; i++) seen ^= rows.get(ordinals[i]!, Word.address)
    for (let i = 0; i < count; i++) {
      const ordinal = ordinals[i]!
      if (ordinal !== 0) seen ^= octets.touch(ordinal) ^ this.#index.touch(this.#table.changeNumber(ordinal))
    }
    this.#seen ^= seen
  }
}
