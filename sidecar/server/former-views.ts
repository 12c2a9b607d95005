// A requestor that may see more than before must not resume: bindings that were hidden from it have not changed, so no
// change would ever show them. Here it is kept what was hidden from whom, and until when; who comes back with a start time
// of that time or before gets DataMissing.
import type { LogicalSeconds, Scope } from '../binding.ts'
import type { Requester } from '../config-requesters.ts'
import { type Prefix, parseAddress, prefixContains } from '../wire/address.ts'
import { entryKey } from './allow-list.ts'

type Who = Pick<Requester, 'network' | 'certificate'>

/** What an entry of `requesters` showed while it was in force. */
interface FormerView extends Who {
  readonly subnets: readonly number[]
  /** Hexadecimal. */
  readonly relayIds: readonly string[]
  readonly remoteIds: readonly string[]
  readonly withheld: readonly number[]
  readonly relayDataAlways: boolean
}

/** As it is stored. */
export interface RememberedViews {
  readonly views: readonly (FormerView & { readonly until: LogicalSeconds })[]
  /** Of anything until then nothing is known. */
  readonly unknownUntil: LogicalSeconds
}

/** An operator who changes the list of ten thousand requestors again and again does not fill our memory. */
const MAX_VIEWS = 20_000

export class FormerViews {
  /** By what they are, the one that ended last behind all others. */
  readonly #until = new Map<string, LogicalSeconds>()
  readonly #views = new Map<string, FormerView>()
  #unknownUntil: LogicalSeconds

  constructor({ views, unknownUntil }: RememberedViews = { views: [], unknownUntil: 0 }) {
    this.#unknownUntil = unknownUntil
    for (const { until, ...view } of views) this.#add(view, until)
  }

  /** The list of requestors has changed just now. */
  changed(before: readonly Requester[], after: readonly Requester[], now: LogicalSeconds): void {
    const kept = new Set(unaffected(before, after))
    const always = after.some(({ relayDataAlways }) => relayDataAlways)
    for (const entry of before) {
      const view = viewOf(entry)
      const narrow = isNarrow(view) || (always && !view.relayDataAlways)
      if (narrow && !kept.has(entry)) this.#add(view, now)
    }
  }

  /** It is not known what was hidden from whom until now. */
  forget(now: LogicalSeconds): void {
    this.#unknownUntil = Math.max(this.#unknownUntil, now)
  }

  /** L has begun anew at `now`, behind what it was. */
  clockRestarted(now: LogicalSeconds): void {
    for (const [key, until] of this.#until) this.#until.set(key, Math.min(until, now))
    this.#unknownUntil = Math.min(this.#unknownUntil, now)
  }

  /** Whether the history since then lacks something for a requestor of this entry: it was hidden from it, and is no more. */
  lacks(entry: Requester, since: LogicalSeconds): boolean {
    if (since <= this.#unknownUntil) return true
    for (const [key, until] of this.#until) {
      const view = this.#views.get(key)!
      if (since <= until && mayShareRequestor(view, entry) && seesMore(view, viewOf(entry))) return true
    }
    return false
  }

  remembered(): RememberedViews {
    const views = [...this.#until].map(([key, until]) => ({ ...this.#views.get(key)!, until }))
    return { views, unknownUntil: this.#unknownUntil }
  }

  #add(view: FormerView, until: LogicalSeconds): void {
    const key = JSON.stringify(view)
    this.#until.delete(key)
    this.#until.set(key, until)
    this.#views.set(key, view)
    if (this.#until.size <= MAX_VIEWS) return
    const [oldest, ended] = this.#until.entries().next().value!
    this.#until.delete(oldest)
    this.#views.delete(oldest)
    this.forget(ended)
  }
}

/**
 * Entries of `before` whose requestors have the same view under the same entry as before: it still stands there, and no entry
 * goes before it that did not, so none of them is taken by another one.
 */
function unaffected(before: readonly Requester[], after: readonly Requester[]): Requester[] {
  const places = new Map(before.map((entry, place) => [entryKey(entry), place]))
  const found: Requester[] = []
  let reached = -1
  for (const entry of after) {
    const place = places.get(entryKey(entry)) ?? before.length
    const old = before[place]
    if (place > reached && old !== undefined && JSON.stringify(viewOf(old)) === JSON.stringify(viewOf(entry)))
      found.push(old)
    reached = Math.max(reached, place)
  }
  return found
}

function viewOf({
  network,
  certificate,
  ...entry
}: Who & Scope & Pick<Requester, 'withholdOptions' | 'relayDataAlways'>): FormerView {
  const hex = (values: readonly Uint8Array[]) =>
    values.map((value) => Buffer.from(value).toString('hex')).sort()
  return {
    ...(network === undefined ? {} : { network }),
    ...(certificate === undefined ? {} : { certificate }),
    subnets: [...entry.subnets].sort((a, b) => a - b),
    relayIds: hex(entry.relayIds),
    remoteIds: hex(entry.remoteIds),
    withheld: [...entry.withholdOptions].sort((a, b) => a - b),
    relayDataAlways: entry.relayDataAlways,
  }
}

function isNarrow({ subnets, relayIds, remoteIds, withheld }: FormerView): boolean {
  return subnets.length + relayIds.length + remoteIds.length + withheld.length > 0
}

function seesMore(was: FormerView, is: FormerView): boolean {
  return (
    wider(was.subnets, is.subnets) ||
    wider(was.relayIds, is.relayIds) ||
    wider(was.remoteIds, is.remoteIds) ||
    (is.relayDataAlways && !was.relayDataAlways) ||
    was.withheld.some((code) => !is.withheld.includes(code))
  )
}

/** Of lists that are empty where all is shown. */
function wider<T>(was: readonly T[], is: readonly T[]): boolean {
  return was.length > 0 && (is.length === 0 || is.some((value) => !was.includes(value)))
}

function mayShareRequestor(a: Who, b: Who): boolean {
  if (a.certificate !== undefined && b.certificate !== undefined) return a.certificate === b.certificate
  if (a.network === undefined || b.network === undefined) return true
  const [first, second] = [prefixOf(a.network), prefixOf(b.network)]
  return first.length <= second.length
    ? prefixContains(first, second.address)
    : prefixContains(second, first.address)
}

function prefixOf(network: { address: string; prefixLength: number }): Prefix {
  return { address: parseAddress(network.address)!, length: network.prefixLength }
}
