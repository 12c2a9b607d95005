// Which of two records about one binding is the better one (RFC 6926 section 7.6; RFC 5007 section 4.3.4 for DHCPv6).
import type { BindingJson } from '../binding-json.ts'

/** What a server told last about a binding; all times on the requestor's clock. */
export interface ServerRecord {
  readonly active: boolean
  readonly binding: BindingJson
  /** When it was told, Unix seconds on the requestor's clock. */
  readonly heard: number
}

/**
 * @returns below 0 when `a` is better, above 0 when `b` is
 * @param now the requestor's clock
 */
export function compareRecords(a: ServerRecord, b: ServerRecord, now: number): number {
  const byTime = compareTimes(a.binding, b.binding)
  if (byTime !== 0) return byTime
  // Not in RFC 6926, which leaves the rest to "additional information": a lease past its end is known to have ended, and
  // only its server's silence keeps it. It must not win by being local.
  const stale = Number(isStale(a, now)) - Number(isStale(b, now))
  if (stale !== 0) return stale
  if (a.binding.remote !== b.binding.remote) return a.binding.remote ? 1 : -1
  const byState = later(a.binding['state-since'], b.binding['state-since'])
  return byState === 0 ? b.heard - a.heard : byState
}

function compareTimes(a: BindingJson, b: BindingJson): number {
  const [cltt, otherCltt] = [a['last-transaction'], b['last-transaction']]
  const [since, otherSince] = [a['state-since'], b['state-since']]
  if (cltt !== null && otherCltt !== null) return later(cltt, otherCltt)
  if (cltt !== null) return later(cltt, otherSince)
  if (otherCltt !== null) return later(since, otherCltt)
  return later(since, otherSince)
}

/** 0 where one of them is not known: no clear answer. */
function later(a: number | null, b: number | null): number {
  return a === null || b === null ? 0 : b - a
}

function isStale({ active, binding: { expires } }: ServerRecord, now: number): boolean {
  return active && typeof expires === 'number' && expires < now
}
