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
  const relayIds: Uint8Array[] = []
  const remoteIds: Uint8Array[] = []
  if (family === 4) scanSuboptions(relay, relayIds, remoteIds)
  else scanHops(relay, relayIds, remoteIds)
  return { relayIds, remoteIds }
}

function scanSuboptions(relay: Uint8Array, relayIds: Uint8Array[], remoteIds: Uint8Array[]): void {
  let at = 0
  while (at + 2 <= relay.length) {
    const code = relay[at]!
    const end = at + 2 + relay[at + 1]!
    if (end > relay.length) return
    // RFC 3046 gives each suboption once; of a repeated one the first counts.
    if (code === SUBOPTION_RELAY_ID && relayIds.length === 0) relayIds.push(relay.subarray(at + 2, end))
    if (code === SUBOPTION_REMOTE_ID && remoteIds.length === 0) remoteIds.push(relay.subarray(at + 2, end))
    at = end
  }
}

function scanHops(relay: Uint8Array, relayIds: Uint8Array[], remoteIds: Uint8Array[]): void {
  // RFC 5007 section 4.1.2.4: peer-address, then the Relay-forward message as the server received it.
  let message = relay.subarray(16)
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    if (message.length < RELAY_HEADER || message[0] !== RELAY_FORW) return
    let inner: Uint8Array | undefined
    let at = RELAY_HEADER
    while (at + 4 <= message.length) {
      const code = (message[at]! << 8) | message[at + 1]!
      const end = at + 4 + ((message[at + 2]! << 8) | message[at + 3]!)
      if (end > message.length) break
      if (code === OPTION_RELAY_ID) relayIds.push(message.subarray(at + 4, end))
      else if (code === OPTION_REMOTE_ID) remoteIds.push(message.subarray(at + 4, end))
      else if (code === OPTION_RELAY_MSG) inner ??= message.subarray(at + 4, end)
      at = end
    }
    if (inner === undefined) return
    message = inner
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
