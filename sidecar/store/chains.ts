// Bindings by the value of one attribute: value -> group -> doubly linked members, in link order.
//
// Groups and not buckets of bindings, since one value may have a million members (a relay, a subnet): growing the
// table moves groups only, and taking a member out is O(1).
import type { KeyedHash } from './keyed-hash.ts'
import { LinearHash } from './linear-hash.ts'
import { Rows } from './rows.ts'

const GROUP = { hash: 0, link: 1, first: 2, last: 3, members: 4 } as const
const MEMBER = { next: 0, previous: 1, group: 2 } as const

export class Chains {
  readonly #hash: KeyedHash
  readonly #hasValue: (ordinal: number, value: Uint8Array) => boolean
  readonly #groups = new Rows(5)
  readonly #table = new LinearHash(this.#groups, GROUP.hash, GROUP.link)
  readonly #members = new Rows(3)
  #groupCount = 0
  #freeGroup = 0

  /** `hasValue` compares a stored binding's attribute; it is asked for members of chains only. */
  constructor(hash: KeyedHash, hasValue: (ordinal: number, value: Uint8Array) => boolean) {
    this.#hash = hash
    this.#hasValue = hasValue
  }

  /** Appends a binding to the chain of `value`; an empty value has none. */
  add(ordinal: number, value: Uint8Array): void {
    const members = this.#members
    members.reach(ordinal)
    if (value.length === 0) return
    const groups = this.#groups
    const group = this.#find(value) || this.#addGroup(this.#hash.of(value))
    const last = groups.get(group, GROUP.last)
    members.set(ordinal, MEMBER.group, group)
    members.set(ordinal, MEMBER.previous, last)
    members.set(ordinal, MEMBER.next, 0)
    if (last === 0) groups.set(group, GROUP.first, ordinal)
    else members.set(last, MEMBER.next, ordinal)
    groups.set(group, GROUP.last, ordinal)
    groups.set(group, GROUP.members, groups.get(group, GROUP.members) + 1)
  }

  /** Takes a binding out of its chain, if it is in one. To be called before its attribute is overwritten. */
  remove(ordinal: number): void {
    const members = this.#members
    const group = members.get(ordinal, MEMBER.group)
    if (group === 0) return
    const groups = this.#groups
    const next = members.get(ordinal, MEMBER.next)
    const previous = members.get(ordinal, MEMBER.previous)
    if (previous === 0) groups.set(group, GROUP.first, next)
    else members.set(previous, MEMBER.next, next)
    if (next === 0) groups.set(group, GROUP.last, previous)
    else members.set(next, MEMBER.previous, previous)
    members.set(ordinal, MEMBER.group, 0)
    const left = groups.get(group, GROUP.members) - 1
    groups.set(group, GROUP.members, left)
    if (left === 0) {
      this.#table.remove(group)
      groups.set(group, GROUP.link, this.#freeGroup)
      this.#freeGroup = group
    }
  }

  /** First binding with this value, 0 = none. */
  first(value: Uint8Array): number {
    const group = value.length === 0 ? 0 : this.#find(value)
    return group === 0 ? 0 : this.#groups.get(group, GROUP.first)
  }

  next(ordinal: number): number {
    return this.#members.get(ordinal, MEMBER.next)
  }

  /** How many bindings have this value. */
  count(value: Uint8Array): number {
    const group = value.length === 0 ? 0 : this.#find(value)
    return group === 0 ? 0 : this.#groups.get(group, GROUP.members)
  }

  #find(value: Uint8Array): number {
    const hash = this.#hash.of(value)
    for (let group = this.#table.first(hash); group !== 0; group = this.#table.next(group)) {
      if (this.#table.hashOf(group) !== hash) continue
      if (this.#hasValue(this.#groups.get(group, GROUP.first), value)) return group
    }
    return 0
  }

  #addGroup(hash: number): number {
    let group = this.#freeGroup
    if (group !== 0) this.#freeGroup = this.#groups.get(group, GROUP.link)
    else {
      group = ++this.#groupCount
      this.#groups.reach(group)
    }
    this.#groups.set(group, GROUP.first, 0)
    this.#groups.set(group, GROUP.last, 0)
    this.#groups.set(group, GROUP.members, 0)
    this.#table.insert(hash, group)
    return group
  }
}
