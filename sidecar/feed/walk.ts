// A walk: Kea's leases, page by page, beside the stored bindings. This part knows how far a walk has come and which
// rows of a page are older than an event; what is done about the rows is the follower's.
//
// A walk is circular. It is done when each address range has been covered by a page stamped after the walk began and
// after the last loss. So a loss does not send it back to the first address: the lap begins anew where the walk
// stands, goes to the last address, and from the first one around to there.
import { NO_OCTETS, sameOctets } from '../binding.ts'
import type { SnapshotPage } from './events.ts'

/** Addresses with events since the page was asked for: above this the page is asked for anew. */
const MAX_TOUCHED = 65_536

export type WalkStage = 'paging' | 'counting' | 'sweeping'

export class Walk {
  readonly id: number
  readonly startedAt: number
  stage: WalkStage = 'paging'
  /** Where the slices of counting and sweeping stand in the store. */
  from = 0
  /** Unmarked active bindings met while counting. */
  missing = 0
  pages = 0
  rows = 0
  changed = 0
  ended = 0
  losses = 0
  /** Pages stamped lower were read before the last loss was over. */
  leastStamp: number
  /** A page that came before the events up to its stamp. */
  held: SnapshotPage | undefined
  /** Address after which the lap began; empty = the first. */
  #lapStart: Uint8Array = NO_OCTETS
  #after: Uint8Array = NO_OCTETS
  #wrapped = false
  readonly #touched = new Map<number | string, number>()
  #overflowed = false

  constructor(id: number, now: number, leastStamp: number) {
    this.id = id
    this.startedAt = now
    this.leastStamp = leastStamp
  }

  /** The next page begins after this address. */
  get after(): Uint8Array {
    return this.#after
  }

  /** Events up to `seq` were lost: every page of the lap so far may be wrong by now. */
  lose(seq: number): void {
    this.losses += 1
    this.leastStamp = seq
    this.held = undefined
    this.stage = 'paging'
    this.from = 0
    this.missing = 0
    this.#lapStart = this.#after
    this.#wrapped = false
    this.pageAsked()
  }

  /** A page is being asked for: events from here on may be newer than it. */
  pageAsked(): void {
    this.#touched.clear()
    this.#overflowed = false
  }

  /** An event for this address was applied while a page was under way. */
  touch(address: Uint8Array, seq: number): void {
    if (this.stage !== 'paging' || this.#overflowed) return
    if (this.#touched.size >= MAX_TOUCHED) {
      this.#overflowed = true
      this.#touched.clear()
      return
    }
    this.#touched.set(addressKey(address), seq)
  }

  /** More addresses had events than can be kept: which rows of the page are old is not known. */
  get lostTrack(): boolean {
    return this.#overflowed
  }

  /** The address has had an event that is newer than the page. */
  isNewerThan(address: Uint8Array, stamp: number): boolean {
    const seq = this.#touched.get(addressKey(address))
    return seq !== undefined && seq > stamp
  }

  /** What is wrong with the page as an answer to the last question; undefined = nothing. */
  objection(page: SnapshotPage): string | undefined {
    if (page.walk !== this.id || !sameOctets(page.after, this.#after))
      return 'it is not the one that was asked for'
    let last = this.#after
    for (const { address } of page.leases) {
      if (last.length !== 0 && compareAddresses(last, address) >= 0)
        return 'its leases are not in order of address'
      last = address
    }
    if (!page.end && lastAddress(page) === undefined) return 'it names no address and yet is not the last one'
    return undefined
  }

  /** The page's rows have been looked at. @returns whether the lap is complete */
  advance(page: SnapshotPage): boolean {
    this.pages += 1
    this.rows += page.leases.length + page.unreadable.length
    const last = lastAddress(page)
    const covered = this.#wrapped && this.#lapStart.length !== 0
    if (covered && (page.end || (last !== undefined && compareAddresses(last, this.#lapStart) >= 0)))
      return true
    if (page.end) {
      if (this.#lapStart.length === 0) return true
      this.#wrapped = true
      this.#after = NO_OCTETS
      return false
    }
    // The page's octets are a view of its whole message.
    this.#after = Uint8Array.from(last!)
    return false
  }
}

/** Of the rows that can be read and of those that cannot. */
function lastAddress(page: SnapshotPage): Uint8Array | undefined {
  let last = page.leases.at(-1)?.address
  for (const { address } of page.unreadable) {
    if (address !== undefined && (last === undefined || compareAddresses(address, last) > 0)) last = address
  }
  return last
}

/** An address as the key of a Map. */
export function addressKey(address: Uint8Array): number | string {
  if (address.length === 4) {
    return ((address[0]! << 24) | (address[1]! << 16) | (address[2]! << 8) | address[3]!) >>> 0
  }
  return Buffer.from(address.buffer, address.byteOffset, address.byteLength).toString('latin1')
}

/** Order of addresses of one family, as in pages. */
export function compareAddresses(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const difference = a[i]! - b[i]!
    if (difference !== 0) return difference
  }
  return 0
}
