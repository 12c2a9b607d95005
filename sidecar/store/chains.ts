// Bindings by the value of one attribute: value -> ring of members, doubly linked in link order.
//
// One value may have a million members (a relay, a subnet), and nearly all may differ (hardware addresses): so only the
// first member of each ring is in the hash table, growing it moves no others, and taking a member out is O(1).
import { LinearHash } from './linear-hash.ts'
import { Rows } from './rows.ts'

const MEMBER = { hash: 0, bucket: 1, next: 2, previous: 3 } as const
/** In the place of the link within a bucket: this member is not the first of its ring. */
const FOLLOWER = 0xffffffff

const NOBODY: readonly number[] = []

/** Somebody on his way along the chain of one value, told before a member leaves and after one has come. */
export interface ChainWatcher {
  readonly hash: number
  readonly value: Uint8Array
  /** May also come for members of another value that has the same hash. */
  leaving(ordinal: number): void
  joined(ordinal: number): void
}

export class Chains {
  readonly #hasValue: (ordinal: number, value: Uint8Array) => boolean
  readonly #members = new Rows(4)
  readonly #table = new LinearHash(this.#members, MEMBER.hash, MEMBER.bucket)
  readonly #watchers: ChainWatcher[] = []

  /** `hasValue` compares a stored binding's attribute; it is asked for members of chains only. */
  constructor(hasValue: (ordinal: number, value: Uint8Array) => boolean) {
    this.#hasValue = hasValue
  }

  /** Makes room for so many values at once, while there is none yet. */
  reserve(values: number): void {
    this.#table.reserve(values)
  }

  /** Appends a binding to the chain of `value`, whose hash is `hash`; one that is in a chain already stays where it is. */
  add(ordinal: number, hash: number, value: Uint8Array): void {
    const members = this.#members
    members.reach(ordinal)
    if (members.get(ordinal, MEMBER.next) !== 0) return
    const first = this.first(hash, value)
    if (first === 0) {
      members.set(ordinal, MEMBER.next, ordinal)
      members.set(ordinal, MEMBER.previous, ordinal)
      this.#table.insert(hash, ordinal)
    } else {
      const last = members.get(first, MEMBER.previous)
      members.set(ordinal, MEMBER.hash, hash)
      members.set(ordinal, MEMBER.bucket, FOLLOWER)
      members.set(ordinal, MEMBER.next, first)
      members.set(ordinal, MEMBER.previous, last)
      members.set(last, MEMBER.next, ordinal)
      members.set(first, MEMBER.previous, ordinal)
    }
    for (const watcher of this.#watchers) {
      if (watcher.hash === hash && this.#hasValue(ordinal, watcher.value)) watcher.joined(ordinal)
    }
  }

  /** Takes a binding out of its chain, if it is in one. To be called before its attribute is overwritten. */
  remove(ordinal: number): void {
    const members = this.#members
    members.cover(ordinal)
    const next = members.get(ordinal, MEMBER.next)
    if (next === 0) return
    const hash = members.get(ordinal, MEMBER.hash)
    for (let i = this.#watchers.length - 1; i >= 0; i--) {
      if (this.#watchers[i]!.hash === hash) this.#watchers[i]!.leaving(ordinal)
    }
    const previous = members.get(ordinal, MEMBER.previous)
    members.set(previous, MEMBER.next, next)
    members.set(next, MEMBER.previous, previous)
    members.set(ordinal, MEMBER.next, 0)
    if (members.get(ordinal, MEMBER.bucket) === FOLLOWER) return
    this.#table.remove(ordinal)
    if (next !== ordinal) this.#table.insert(hash, next)
  }

  /** First binding with this value, 0 = none. */
  first(hash: number, value: Uint8Array): number {
    for (let at = this.#table.first(hash); at !== 0; at = this.#table.next(at)) {
      if (this.#table.hashOf(at) === hash && this.#hasValue(at, value)) return at
    }
    return 0
  }

  /** Last one of the chain that begins with `first`. */
  last(first: number): number {
    return this.#members.get(first, MEMBER.previous)
  }

  /** The one after a member, 0 = it is the last. */
  next(ordinal: number): number {
    const next = this.#members.get(ordinal, MEMBER.next)
    return this.#members.get(next, MEMBER.bucket) === FOLLOWER ? next : 0
  }

  /** The others of its chain from its first one on; undefined where there are more than `most`. */
  others(ordinal: number, most: number): readonly number[] | undefined {
    const members = this.#members
    members.cover(ordinal)
    const next = members.get(ordinal, MEMBER.next)
    // In no chain, or alone in it.
    if (next === 0 || next === ordinal) return NOBODY
    const others: number[] = []
    let first = 0
    for (let at = next; at !== ordinal; at = members.get(at, MEMBER.next)) {
      if (others.length === most) return undefined
      if (members.get(at, MEMBER.bucket) !== FOLLOWER) first = others.length
      others.push(at)
    }
    return first === 0 ? others : [...others.slice(first), ...others.slice(0, first)]
  }

  /** The one before a member; before the first comes the last. */
  previous(ordinal: number): number {
    return this.#members.get(ordinal, MEMBER.previous)
  }

  watch(watcher: ChainWatcher): void {
    this.#watchers.push(watcher)
  }

  unwatch(watcher: ChainWatcher): void {
    const at = this.#watchers.indexOf(watcher)
    if (at >= 0) this.#watchers.splice(at, 1)
  }

  /** Octets held, for measurements. */
  get octets(): number {
    return this.#members.octets + this.#table.octets
  }
}
