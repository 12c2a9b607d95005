// Who may connect: the `requesters` of kea.conf, in their order. The first entry that matches decides.
import type { ServiceConfig } from '../config.ts'
import type { Requester } from '../config-requesters.ts'
import { type Prefix, parseAddress, prefixContains } from '../wire/address.ts'

/** What a connection is judged by. */
export interface Peer {
  /** As the socket names it. */
  readonly address: string
  /** Whether the peer's certificate is valid for a name; absent without TLS. */
  readonly certifiedFor?: ((name: string) => boolean) | undefined
}

export class AllowList {
  readonly #entries: readonly { requester: Requester; prefix: Prefix | undefined }[]

  constructor(config: Pick<ServiceConfig, 'requesters'>) {
    this.#entries = config.requesters.map((requester) => ({ requester, prefix: prefixOf(requester) }))
  }

  /** The entry that speaks for this peer, or undefined: it may not be served. */
  match(peer: Peer): Requester | undefined {
    const octets = addressOctets(peer.address)
    return this.#entries.find(({ requester, prefix }) => {
      if (requester.certificate !== undefined) return peer.certifiedFor?.(requester.certificate) ?? false
      return octets !== undefined && prefix !== undefined && prefixContains(prefix, octets)
    })?.requester
  }

  /** Whether more than one host may connect. */
  get admitsSeveral(): boolean {
    return (
      this.#entries.length > 1 ||
      this.#entries.some(({ prefix }) => prefix !== undefined && prefix.length < 8 * prefix.address.length)
    )
  }

  /** Whether a peer may become permitted once its certificate is known. */
  get asksForCertificates(): boolean {
    return this.#entries.some(({ requester }) => requester.certificate !== undefined)
  }
}

/** Names an entry of `requesters` over a change of the list. */
export function entryKey({ network, certificate }: Requester): string {
  return network === undefined ? `certificate ${certificate}` : `${network.address}/${network.prefixLength}`
}

function prefixOf(requester: Requester): Prefix | undefined {
  if (requester.network === undefined) return undefined
  const address = parseAddress(requester.network.address)
  // A host address with a length ("192.0.2.1/24") means its network, as in Kea.
  return address && { address, length: requester.network.prefixLength }
}

/** Octets of a socket's remote address: zone left out, IPv4 mapped into IPv6 (RFC 4291 section 2.5.5.2) read as IPv4. */
function addressOctets(address: string): Uint8Array | undefined {
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '')
  return parseAddress(plain)
}

/** The same rights: a connection of one may live on under the other. */
export function sameRights(a: Requester, b: Requester): boolean {
  const texts = (values: readonly Uint8Array[]) =>
    values.map((value) => Buffer.from(value).toString('hex')).sort()
  const rights = (requester: Requester) =>
    JSON.stringify([
      [...requester.queries].sort(),
      [...requester.subnets].sort(),
      texts(requester.relayIds),
      texts(requester.remoteIds),
      [...requester.withholdOptions].sort(),
      requester.relayDataAlways,
      requester.keepaliveInterval,
      requester.keepaliveForm,
    ])
  return rights(a) === rights(b)
}
