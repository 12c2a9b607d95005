// A requestor that may see more than before must not resume: bindings that were hidden from it have not changed, so no
// change would ever show them. Here it is found out whose view has widened; those get DataMissing for older start times.
import type { Requester } from '../config-requesters.ts'
import { type Prefix, parseAddress, prefixContains } from '../wire/address.ts'

/** Names an entry of `requesters` over a change of the list. */
export function entryKey(requester: Requester): string {
  const { network, certificate } = requester
  return network === undefined ? `certificate ${certificate}` : `${network.address}/${network.prefixLength}`
}

/** Entries of `after` that may speak for a requestor which saw less under `before`. */
export function widenedEntries(before: readonly Requester[], after: readonly Requester[]): Set<string> {
  const widened = new Set<string>()
  const always = after.some((entry) => entry.relayDataAlways)
  const narrow = before.filter((entry) => isNarrow(entry) || (always && !entry.relayDataAlways))
  if (narrow.length === 0) return widened
  for (const entry of after) {
    if (narrow.some((old) => mayShareRequestor(old, entry) && seesMore(old, entry)))
      widened.add(entryKey(entry))
  }
  return widened
}

function seesMore(old: Requester, entry: Requester): boolean {
  // Where the new entry has no such list, or one with more in it, bindings come into view.
  const wider = scopeKinds.some((kind) => {
    const [was, is] = [valuesOf(old, kind), valuesOf(entry, kind)]
    return was.length > 0 && (is.length === 0 || is.some((value) => !was.includes(value)))
  })
  return (
    wider ||
    (entry.relayDataAlways && !old.relayDataAlways) ||
    old.withholdOptions.some((code) => !entry.withholdOptions.includes(code))
  )
}

const scopeKinds = ['subnets', 'relayIds', 'remoteIds'] as const

function valuesOf(entry: Requester, kind: (typeof scopeKinds)[number]): string[] {
  return entry[kind].map((value) =>
    typeof value === 'number' ? String(value) : Buffer.from(value).toString('hex'),
  )
}

function isNarrow(entry: Requester): boolean {
  return entry.withholdOptions.length > 0 || scopeKinds.some((kind) => entry[kind].length > 0)
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
