// What memory has and the disk has not: ordinals in three queues, each drained before the next.
//
// 1. Removals, so that a record which came back under the same address is never wiped by the end of its predecessor.
// 2. Departures, so that no crash leaves a binding with its new holder on disk and the old holder's end nowhere:
//    replaying the event would find the holder unchanged.
// 3. Bindings.

import { Flag } from '../record-words.ts'
import type { BindingTable } from './binding-table.ts'
import { OrdinalQueue } from './ordinals.ts'

export class Unwritten {
  readonly #table: BindingTable
  readonly removals = new OrdinalQueue()
  readonly departures = new OrdinalQueue()
  readonly bindings = new OrdinalQueue()
  /** Called when there is something to write. */
  onWork: () => void = () => {}

  constructor(table: BindingTable) {
    this.#table = table
  }

  get length(): number {
    return this.removals.length + this.departures.length + this.bindings.length
  }

  /** A record is new or has changed. */
  changed(ordinal: number): void {
    const departure = this.#table.isDeparture(ordinal)
    const flag = departure ? Flag.queuedDeparture : Flag.queuedBinding
    if ((this.#table.flags(ordinal) & flag) === 0) {
      this.#table.setFlag(ordinal, flag)
      const queue = departure ? this.departures : this.bindings
      queue.push(ordinal)
    }
    this.onWork()
  }

  /** A record is gone. If it never was on its way to the disk, its ordinal is free at once. */
  removed(ordinal: number): void {
    if ((this.#table.flags(ordinal) & Flag.written) === 0) {
      this.#table.recycle(ordinal)
      return
    }
    this.#table.setFlag(ordinal, Flag.removed)
    this.removals.push(ordinal)
    this.onWork()
  }

  /** Next departure to write, 0 = none. */
  takeDeparture(): number {
    while (this.departures.length > 0) {
      const ordinal = this.departures.shift()
      this.#table.clearFlag(ordinal, Flag.queuedDeparture)
      if (this.#table.isDeparture(ordinal)) return ordinal
    }
    return 0
  }

  /** Next binding to write, 0 = none. */
  takeBinding(): number {
    while (this.bindings.length > 0) {
      const ordinal = this.bindings.shift()
      this.#table.clearFlag(ordinal, Flag.queuedBinding)
      if (this.#table.isBinding(ordinal)) return ordinal
    }
    return 0
  }
}
