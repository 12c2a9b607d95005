// Which bindings a walk has met, and which have ended by the clock: looks through all of them, some at a time.
import { type Binding, BindingState, type UnixSeconds } from '../binding.ts'
import { Word } from '../record-words.ts'
import type { BindingTable } from './binding-table.ts'

// Bounds of one call, so that none holds the event loop for more than a few milliseconds.
const SCAN_VISIT = 65_536
const OVERDUE_VISIT = 131_072
const OVERDUE_FOUND = 4096

export class Marks {
  readonly #table: BindingTable
  #round = 1

  constructor(table: BindingTable) {
    this.#table = table
  }

  /** Every mark is void. */
  clear(): void {
    this.#round++
  }

  mark(address: Uint8Array): void {
    const ordinal = this.#table.find(address)
    if (ordinal !== 0) this.#table.rows.set(ordinal, Word.mark, this.#round)
  }

  /** See BindingStore.unmarked(). */
  unmarked(from: number, limit: number): { readonly bindings: readonly Binding[]; readonly next: number } {
    const table = this.#table
    const bindings: Binding[] = []
    const last = table.ordinals.last
    let at = Math.max(1, from)
    const end = Math.min(last, at + SCAN_VISIT - 1)
    for (; at <= end && bindings.length < limit; at++) {
      if (
        table.isBinding(at) &&
        table.rows.get(at, Word.mark) !== this.#round &&
        (table.state(at) === BindingState.active || table.state(at) === BindingState.abandoned)
      ) {
        bindings.push(table.read(at))
      }
    }
    return { bindings, next: at > last ? 0 : at }
  }
}

export class OverdueSearch {
  readonly #table: BindingTable
  #from = 1

  constructor(table: BindingTable) {
    this.#table = table
  }

  /** See BindingStore.overdue(). */
  next(before: UnixSeconds): Binding[] {
    const table = this.#table
    const found: number[] = []
    const last = table.ordinals.last
    const all = Math.min(OVERDUE_VISIT, last + 1)
    let passed = 0
    for (let visited = 0; visited < all && passed <= last && found.length < OVERDUE_FOUND; ) {
      if (this.#from > last) this.#from = 1
      const step = table.overdueFrom(this.#from, before, found, OVERDUE_FOUND)
      passed += step.next - this.#from
      visited += step.visited
      this.#from = step.next
    }
    return found.map((ordinal) => table.read(ordinal))
  }
}
