// Ways of a Bulk query's scan through the store: by ordinal, among departures, along the change index, along chains.
import type { ChangeNumber } from '../binding.ts'
import { Word } from '../record-words.ts'
import type { BindingTable } from './binding-table.ts'
import type { Chains, ChainWatcher } from './chains.ts'
import type { ChangeIndex } from './change-index.ts'
import type { OrdinalList } from './ordinals.ts'
import type { ChainOf } from './selector-chains.ts'

const MOST_CANDIDATES = 64

/** What a way has come upon in one go: not yet looked at, and no more than may be given. */
export class Candidates {
  readonly #ordinals = new Uint32Array(MOST_CANDIDATES)
  /** What was read, so that reading is not left out as of no use. */
  #seen = 0
  #most = 0
  length = 0

  /** Begins anew, for `most` at most. */
  begin(most: number): void {
    this.#most = Math.min(most, MOST_CANDIDATES)
    this.length = 0
  }

  get full(): boolean {
    return this.length === this.#most
  }

  at(place: number): number {
    return this.#ordinals[place]!
  }

  push(ordinal: number): void {
    this.#ordinals[this.length++] = ordinal
  }

  /** As the read-ahead for a batch of changes: along a chain each record lies somewhere else. */
  fetch({ rows, octets }: BindingTable): void {
    const ordinals = this.#ordinals
    let seen = 0
    for (let i = 0; i < this.length; i++) seen ^= rows.get(ordinals[i]!, Word.address)
    for (let i = 0; i < this.length; i++) seen ^= octets.touch(ordinals[i]!)
    this.#seen ^= seen
  }
}

/** A way through the store. */
export interface Way {
  readonly done: boolean
  /** Adds to `found` until it is full, `visit` records were looked at, or the way is done; returns how many were looked at. */
  go(visit: number, found: Candidates): number
  /** Called once, when the way is done or the scan closed: nothing is watched any more. */
  leave(): void
}

/** No way to go: what there is was found at once. */
export class NoWay implements Way {
  readonly done = true
  go(): number {
    return 0
  }
  leave(): void {}
}

/** By ordinal, up to the last one at the opening. */
export class OrdinalWay implements Way {
  readonly #table: BindingTable
  readonly #others: OrdinalWay[]
  readonly #cameLater: (ordinal: number) => void
  readonly #last: number
  #at = 1

  constructor(table: BindingTable, others: OrdinalWay[], cameLater: (ordinal: number) => void) {
    this.#table = table
    this.#others = others
    this.#cameLater = cameLater
    this.#last = table.ordinals.last
    others.push(this)
  }

  get done(): boolean {
    return this.#at > this.#last
  }

  go(visit: number, found: Candidates): number {
    const from = this.#at
    const end = Math.min(this.#last, from + visit - 1)
    let at = from
    for (; at <= end && !found.full; at++) if (this.#table.isBinding(at)) found.push(at)
    this.#at = at
    return at - from
  }

  /** The same address may have been given under another ordinal. */
  allocated(ordinal: number): void {
    if (ordinal >= this.#at && ordinal <= this.#last) this.#cameLater(ordinal)
  }

  leave(): void {
    remove(this.#others, this)
  }
}

/**
 * Through the departures, from the last to the first: where one goes, the last one takes its place, which has been met
 * already; new ones come behind.
 */
export class DepartureWay implements Way {
  readonly #list: OrdinalList
  #left: number

  constructor(list: OrdinalList) {
    this.#list = list
    this.#left = list.length
  }

  get done(): boolean {
    return this.#left === 0
  }

  go(visit: number, found: Candidates): number {
    this.#left = Math.min(this.#left, this.#list.length)
    const end = Math.max(0, this.#left - visit)
    const from = this.#left
    while (this.#left > end && !found.full) found.push(this.#list.at(--this.#left))
    return from - this.#left
  }

  leave(): void {}
}

/** Along the change index, up to the entry that was the newest at the opening. */
export class ChangeWay implements Way {
  readonly #index: ChangeIndex
  readonly #others: ChangeWay[]
  readonly #leftAhead: (ordinal: number) => void
  readonly #end: ChangeNumber
  /** All entries up to here were looked at. */
  passed: ChangeNumber

  constructor(
    index: ChangeIndex,
    after: ChangeNumber,
    others: ChangeWay[],
    leftAhead: (ordinal: number) => void,
  ) {
    this.#index = index
    this.#others = others
    this.#leftAhead = leftAhead
    this.#end = index.newest
    this.passed = after
    others.push(this)
  }

  get done(): boolean {
    return this.passed >= this.#end
  }

  go(visit: number, found: Candidates): number {
    const before = found.length
    this.passed = this.#index.walk(this.passed, this.#end, visit, (ordinal) => {
      found.push(ordinal)
      return !found.full
    })
    return Math.max(1, found.length - before)
  }

  moving(ordinal: number, number: ChangeNumber): void {
    if (number > this.passed && number <= this.#end) this.#leftAhead(ordinal)
  }

  leave(): void {
    remove(this.#others, this)
  }
}

/** Along chains, one after the other, each up to the member that was the last at the opening. */
export class ChainWay implements Way {
  readonly #parts: ChainPart[] = []
  #current = 0

  constructor(
    chains: readonly ChainOf[],
    leftAhead: (ordinal: number) => void,
    cameLater: (ordinal: number) => void,
  ) {
    for (const chain of chains) {
      const first = chain.chains.first(chain.hash, chain.value)
      if (first !== 0) this.#parts.push(new ChainPart(chain, first, leftAhead, cameLater))
    }
  }

  get done(): boolean {
    return this.#current === this.#parts.length
  }

  go(visit: number, found: Candidates): number {
    let visited = 0
    while (!found.full && visited < visit && !this.done) {
      const part = this.#parts[this.#current]!
      const ordinal = part.at
      if (ordinal === 0) {
        this.#current++
        part.leave()
        continue
      }
      part.step()
      visited++
      found.push(ordinal)
    }
    while (!this.done && this.#parts[this.#current]!.at === 0) this.#parts[this.#current++]!.leave()
    return visited
  }

  leave(): void {
    for (const part of this.#parts) part.leave()
    this.#current = this.#parts.length
  }
}

class ChainPart implements ChainWatcher {
  readonly hash: number
  readonly value: Uint8Array
  readonly #chains: Chains
  readonly #leftAhead: (ordinal: number) => void
  readonly #cameLater: (ordinal: number) => void
  /** The member to look at next; 0 = no more. */
  at: number
  /** The last one to look at; not before `at`. */
  #end: number

  constructor(
    { chains, hash, value }: ChainOf,
    first: number,
    leftAhead: (ordinal: number) => void,
    cameLater: (ordinal: number) => void,
  ) {
    this.hash = hash
    this.value = value
    this.#chains = chains
    this.#leftAhead = leftAhead
    this.#cameLater = cameLater
    this.at = first
    this.#end = chains.last(first)
    chains.watch(this)
  }

  step(): void {
    this.at = this.at === this.#end ? 0 : this.#chains.next(this.at)
  }

  leaving(ordinal: number): void {
    if (ordinal === this.at) this.step()
    else if (ordinal === this.#end) this.#end = this.#chains.previous(ordinal)
    // One that has passed, or came later, has been met. Of another value, with the same hash: it will not match.
    this.#leftAhead(ordinal)
  }

  joined(ordinal: number): void {
    this.#cameLater(ordinal)
  }

  leave(): void {
    this.at = 0
    this.#chains.unwatch(this)
  }
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item)
  if (at >= 0) list.splice(at, 1)
}
