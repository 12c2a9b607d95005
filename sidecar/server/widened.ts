// A requestor that may see more than before must not resume: bindings that were hidden from it have not changed, so no
// change would ever show them. Here it is found out whose view has widened; those get DataMissing for older start times.
import type { Requester } from '../config.ts'
import { type Prefix, parseAddress, prefixContains } from '../wire/address.ts'

/** Names an entry of `requesters` over a change of the list. */
export function entryKey(requester: Requester): string {
  const { network, certificate } = requester
  return network === undefined ? `certificate ${certificate}` : `${network.address}/${network.prefixLength}`
}

/** Entries of `after` that may speak for a requestor which saw less under `before`. */
export function widenedEntries(before: readonly Requester[], after: readonly Requester[]): Set<string> {
  const widened = new Set<string>()
  const narrow = before.filter((entry) => entry.relayIds.length > 0 || entry.withholdOptions.length > 0)
  if (narrow.length === 0) return widened
  for (const entry of after) {
    if (narrow.some((old) => mayShareRequestor(old, entry) && seesMore(old, entry)))
      widened.add(entryKey(entry))
  }
  return widened
}

function seesMore(old: Requester, entry: Requester): boolean {
  const scope = (requester: Requester) => requester.relayIds.map((id) => Buffer.from(id).toString('hex'))
  const oldScope = scope(old)
  const newScope = scope(entry)
  const wider =
    oldScope.length > 0 && (newScope.length === 0 || newScope.some((id) => !oldScope.includes(id)))
  return wider || old.withholdOptions.some((code) => !entry.withholdOptions.includes(code))
}

function mayShareRequestor(a: Requester, b: Requester): boolean {
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
