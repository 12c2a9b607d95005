// Links as Kea's configuration draws them: subnets of one shared network are one link (RFC 5007 section 4.1.2.1).
import { sameOctets } from '../binding.ts'
import type { Service } from '../session/session-io.ts'
import { prefixContains } from '../wire/address.ts'
import type { LinkOf } from './change-reader.ts'

/** A subnet as far as leasequery cares; Subnet of the feed is one. */
export interface LinkSubnet {
  readonly id: number
  readonly prefix: Uint8Array
  readonly prefixLength: number
  /** Empty = none. */
  readonly sharedNetwork: string
  readonly relayAddresses: readonly Uint8Array[]
  readonly pools?: readonly { readonly first: Uint8Array; readonly last: Uint8Array }[]
  readonly prefixPools?: readonly { readonly prefix: Uint8Array; readonly prefixLength: number }[]
  /** T1 and T2 in seconds; 0 = not set. */
  readonly renewTimer: number
  readonly rebindTimer: number
}

/** DHCPv4 addresses as numbers, both ends included. */
export interface AddressRange {
  readonly first: number
  readonly last: number
}

export interface Topology {
  readonly linkOf: LinkOf
  readonly timers: NonNullable<Service['timers']>
  readonly subnetsOfLink: (linkAddress: Uint8Array) => readonly number[]
  readonly isOnLink: NonNullable<Service['isOnLink']>
  /** DHCPv4: the addresses of all pools, ascending, none twice. */
  readonly configured: readonly AddressRange[]
}

/** Without any subnets each subnet id is a link of its own, and no link-address is known. */
export function topologyOf(subnets: readonly LinkSubnet[]): Topology {
  const byId = new Map(subnets.map((subnet) => [subnet.id, subnet]))
  const linkOf = (id: number) => byId.get(id)?.sharedNetwork || id
  return {
    linkOf,
    timers(id) {
      const subnet = byId.get(id)
      return subnet && { renew: subnet.renewTimer, rebind: subnet.rebindTimer }
    },
    subnetsOfLink(linkAddress) {
      const on = subnets.find(
        ({ prefix, prefixLength, relayAddresses }) =>
          prefixContains({ address: prefix, length: prefixLength }, linkAddress) ||
          relayAddresses.some((address) => sameOctets(address, linkAddress)),
      )
      if (on === undefined) return []
      const link = linkOf(on.id)
      return subnets.filter((subnet) => linkOf(subnet.id) === link).map((subnet) => subnet.id)
    },
    isOnLink: (address) =>
      subnets.some(
        ({ prefix, prefixLength, prefixPools = [] }) =>
          prefixContains({ address: prefix, length: prefixLength }, address) ||
          prefixPools.some((pool) =>
            prefixContains({ address: pool.prefix, length: pool.prefixLength }, address),
          ),
      ),
    configured: merged(
      subnets
        .filter(({ prefix }) => prefix.length === 4)
        .flatMap(({ pools = [] }) =>
          pools.map(({ first, last }) => ({ first: numberOf(first), last: numberOf(last) })),
        ),
    ),
  }
}

/** A DHCPv4 address as a number. */
export function numberOf(address: Uint8Array): number {
  return ((address[0]! << 24) | (address[1]! << 16) | (address[2]! << 8) | address[3]!) >>> 0
}

function merged(ranges: readonly AddressRange[]): AddressRange[] {
  const disjoint: AddressRange[] = []
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = disjoint.at(-1)
    if (range.last < range.first) continue
    if (before !== undefined && range.first <= before.last + 1)
      disjoint[disjoint.length - 1] = { first: before.first, last: Math.max(before.last, range.last) }
    else disjoint.push(range)
  }
  return disjoint
}
