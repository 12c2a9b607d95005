// Relay data in the one form that the store and the requestors know.
import type { Family } from '../binding.ts'
import type { Message } from './contract.ts'
import { DecodeError } from './decode-error.ts'

const RELAY_FORW = 12
const OPTION_RELAY_MSG = 9
/** msg-type, hop-count, link-address, peer-address: RFC 8415 section 9. */
const RELAY_HEADER = 34
const ADDRESS = 16
/** RFC 8415 section 7.6 (HOP_COUNT_LIMIT is 8); relays that obey RFC 3315 go to 32. */
const MAX_HOPS = 32

/**
 * IPv4: the payload of option 82. IPv6: the body of OPTION_LQ_RELAY_DATA, that is peer-address and the RELAY-FORW message
 * as the server received it, nested as it was, without the client's own message (RFC 5007 section 4.1.2.4). A hop's
 * options come before its OPTION_RELAY_MSG.
 *
 * The peer-address is the address of the relay that sent to the server. Kea's stored rows do not have it; then it is
 * that relay's link-address, the only address of the relay that a row holds.
 * @returns undefined where the message holds no relay data
 * @throws DecodeError naming the field, `name` of `message`
 */
export function relayOctets(
  info: Message<'RelayInfo'>,
  family: Family,
  message: string,
  name: string,
): Uint8Array | undefined {
  if (family === 4) return info.agentInfo.length === 0 ? undefined : info.agentInfo
  const { hops } = info
  const field = (): string => `${message}.${name}`
  const nearest = hops[0]
  if (nearest === undefined) return undefined
  if (hops.length > MAX_HOPS)
    throw new DecodeError(`${field()}.hops`, `${hops.length} relays, at most ${MAX_HOPS}`)
  // Innermost first, to know each length before writing.
  const lengths = new Array<number>(hops.length)
  let inner = 0
  for (let i = hops.length - 1; i >= 0; i--) {
    const hop = hops[i]!
    checkAddress(hop.linkAddress, () => `${field()}.hops[${i}].link_address`)
    checkAddress(hop.peerAddress, () => `${field()}.hops[${i}].peer_address`)
    if (hop.hopCount > 255)
      throw new DecodeError(`${field()}.hops[${i}].hop_count`, `${hop.hopCount} exceeds 255`)
    inner = RELAY_HEADER + hop.options.length + (inner === 0 ? 0 : 4 + inner)
    lengths[i] = inner
  }
  const { source } = info
  if (source.length !== 0) checkAddress(source, () => `${field()}.source`)
  // Of a pool, and written to the last octet: to make octets of their own takes longer than to fill them.
  const body = Buffer.allocUnsafe(ADDRESS + inner)
  put(body, 0, source.length === 0 ? nearest.linkAddress : source)
  let at = ADDRESS
  for (let i = 0; i < hops.length; i++) {
    const hop = hops[i]!
    if (i > 0) {
      const length = lengths[i]!
      body[at] = 0
      body[at + 1] = OPTION_RELAY_MSG
      body[at + 2] = length >> 8
      body[at + 3] = length & 0xff
      at += 4
    }
    body[at] = RELAY_FORW
    body[at + 1] = hop.hopCount
    put(body, at + 2, hop.linkAddress)
    put(body, at + 2 + ADDRESS, hop.peerAddress)
    put(body, at + RELAY_HEADER, hop.options)
    at += RELAY_HEADER + hop.options.length
  }
  return body
}

/**
 * A row's stored relay data beside what is known: where both tell of the same relays, what is known stays, since only it may
 * have the peer-address that the server saw.
 */
export function mergeStoredRelay(stored: Uint8Array, known: Uint8Array, family: Family): Uint8Array {
  if (family === 4 || known.length !== stored.length) return stored
  for (let i = ADDRESS; i < stored.length; i++) if (stored[i] !== known[i]) return stored
  return known
}

/** For pieces this short a loop is several times faster than set(). */
function put(body: Uint8Array, at: number, piece: Uint8Array): void {
  for (let i = 0; i < piece.length; i++) body[at + i] = piece[i]!
}

function checkAddress(address: Uint8Array, field: () => string): void {
  if (address.length !== ADDRESS)
    throw new DecodeError(field(), `${address.length} octets instead of ${ADDRESS}`)
}
