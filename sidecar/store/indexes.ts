// By what bindings are selected, beyond their own fields: relay-id and remote-id, found in the stored relay data.
// The data came from the network by way of Kea: what is cut short or malformed is missing, never an error.
import { type BindingData, type Family, sameClient, sameOctets } from '../binding.ts'

export interface RelaySelectors {
  /** RFC 6925 (DHCPv4 suboption 12), RFC 5460 section 5.4.1 (DHCPv6 option 53); of every hop in DHCPv6. */
  readonly relayIds: readonly Uint8Array[]
  /** RFC 3046 section 3.2 (DHCPv4 suboption 2), RFC 4649 (DHCPv6 option 37, with its enterprise number). */
  readonly remoteIds: readonly Uint8Array[]
}

const SUBOPTION_REMOTE_ID = 2
const SUBOPTION_RELAY_ID = 12
const OPTION_RELAY_MSG = 9
const OPTION_REMOTE_ID = 37
const OPTION_RELAY_ID = 53
const RELAY_FORW = 12
// msg-type, hop-count, link-address, peer-address (RFC 8415 section 9)
const RELAY_HEADER = 34
// RFC 8415 section 7.6: HOP_COUNT_LIMIT is 8, in RFC 3315 it was 32. Deeper nesting is not looked into.
const MAX_HOPS = 33

/** `relay` is stored relay data, see {@link BindingData.relay}. */
export function relaySelectors(family: Family, relay: Uint8Array): RelaySelectors {
  const relayIds = new Spans()
  const remoteIds = new Spans()
  findRelaySelectors(family, relay, 0, relay.length, relayIds, remoteIds)
  const cut = ({ count, starts, ends }: Spans): Uint8Array[] =>
    Array.from({ length: count }, (_, i) => relay.subarray(starts[i], ends[i]))
  return { relayIds: cut(relayIds), remoteIds: cut(remoteIds) }
}

/** Where values lie in a stretch of octets; made once and filled again and again. */
export class Spans {
  /** Values that are alike are noted once, and no more than this many. */
  readonly #distinct: number
  readonly starts: number[] = []
  readonly ends: number[] = []
  count = 0

  constructor(distinct = 0) {
    this.#distinct = distinct
  }

  add(octets: Uint8Array, start: number, end: number): void {
    if (this.#distinct > 0) {
      if (this.count === this.#distinct) return
      for (let i = 0; i < this.count; i++) {
        if (sameSpan(octets, this.starts[i]!, this.ends[i]!, start, end)) return
      }
    }
    this.starts[this.count] = start
    this.ends[this.count++] = end
  }
}

function sameSpan(octets: Uint8Array, start: number, end: number, from: number, to: number): boolean {
  if (end - start !== to - from) return false
  for (let i = start, j = from; i < end; i++, j++) if (octets[i] !== octets[j]) return false
  return true
}

/** As {@link relaySelectors}, for relay data that lies from `from` to `to` in `octets`, without making anything. */
export function findRelaySelectors(
  family: Family,
  octets: Uint8Array,
  from: number,
  to: number,
  relayIds: Spans,
  remoteIds: Spans,
): void {
  relayIds.count = 0
  remoteIds.count = 0
  if (family === 4) scanSuboptions(octets, from, to, relayIds, remoteIds)
  else scanHops(octets, from, to, relayIds, remoteIds)
}

function scanSuboptions(
  octets: Uint8Array,
  from: number,
  to: number,
  relayIds: Spans,
  remoteIds: Spans,
): void {
  let at = from
  while (at + 2 <= to) {
    const code = octets[at]!
    const end = at + 2 + octets[at + 1]!
    if (end > to) return
    // RFC 3046 gives each suboption once; of a repeated one the first counts.
    if (code === SUBOPTION_RELAY_ID && relayIds.count === 0) relayIds.add(octets, at + 2, end)
    if (code === SUBOPTION_REMOTE_ID && remoteIds.count === 0) remoteIds.add(octets, at + 2, end)
    at = end
  }
}

function scanHops(octets: Uint8Array, from: number, to: number, relayIds: Spans, remoteIds: Spans): void {
  // RFC 5007 section 4.1.2.4: peer-address, then the Relay-forward message as the server received it.
  let start = from + 16
  let stop = to
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    if (stop - start < RELAY_HEADER || octets[start] !== RELAY_FORW) return
    let inner = 0
    let innerEnd = 0
    let at = start + RELAY_HEADER
    while (at + 4 <= stop) {
      const code = (octets[at]! << 8) | octets[at + 1]!
      const end = at + 4 + ((octets[at + 2]! << 8) | octets[at + 3]!)
      if (end > stop) break
      if (code === OPTION_RELAY_ID) relayIds.add(octets, at + 4, end)
      else if (code === OPTION_REMOTE_ID) remoteIds.add(octets, at + 4, end)
      else if (code === OPTION_RELAY_MSG && inner === 0) {
        inner = at + 4
        innerEnd = end
      }
      at = end
    }
    if (inner === 0) return
    start = inner
    stop = innerEnd
  }
}

/**
 * Whether somebody who selects bindings by client, prefix length, subnet, relay-id or remote-id finds both alike.
 * If not, who selects by the older one has to be told of its end: a departure.
 */
export function sameSelectors(family: Family, a: BindingData, b: BindingData): boolean {
  if (a.prefixLength !== b.prefixLength || a.subnetId !== b.subnetId || !sameClient(a, b)) return false
  return (
    sameOctets(a.relay, b.relay) ||
    sameOctets(relaySelectorKey(family, a.relay), relaySelectorKey(family, b.relay))
  )
}

/** Octets that are equal exactly when the {@link sameSelectors selecting values} are. */
export function selectorKey(family: Family, data: BindingData): Uint8Array {
  // DHCPv6: the DUID alone is the client, as in sameClient().
  const hardware = family === 4 ? data.hardwareAddress : data.hardwareAddress.subarray(0, 0)
  const type = family === 4 ? data.hardwareType : 0
  return join(
    Uint8Array.of(data.prefixLength, type >>> 8, type),
    Uint8Array.of(data.subnetId >>> 24, data.subnetId >>> 16, data.subnetId >>> 8, data.subnetId),
    hardware,
    data.clientId,
    relaySelectorKey(family, data.relay),
  )
}

function relaySelectorKey(family: Family, relay: Uint8Array): Uint8Array {
  const { relayIds, remoteIds } = relaySelectors(family, relay)
  return join(join(...relayIds), join(...remoteIds))
}

/** Parts with their lengths before them, so that different parts never join to the same octets. */
function join(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += 4 + part.length
  const joined = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    joined[at] = part.length >>> 24
    joined[at + 1] = part.length >>> 16
    joined[at + 2] = part.length >>> 8
    joined[at + 3] = part.length
    joined.set(part, at + 4)
    at += 4 + part.length
  }
  return joined
}
