// Links as Kea's configuration draws them: subnets of one shared network are one link (RFC 5007 section 4.1.2.1).
import { NO_OCTETS, sameOctets } from '../binding.ts'
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

/** DHCPv4 addresses as numbers: first and last of each range, one after the other, ascending. May be millions. */
export type Ranges4 = Uint32Array

export interface Topology {
  /** How many there are. */
  readonly subnets: number
  readonly linkOf: LinkOf
  readonly timers: NonNullable<Service['timers']>
  /**
   * Subnets of all links that could contain this address (RFC 5460 section 7.2): it lies in a subnet of theirs, or is that
   * of a relay of theirs, which may be one for several links.
   */
  readonly subnetsOfLink: (linkAddress: Uint8Array) => readonly number[]
  readonly isOnLink: NonNullable<Service['isOnLink']>
  /** DHCPv4: the addresses of all pools and reservations, none twice. */
  readonly configured: Ranges4
}

/**
 * Without any subnets each subnet id is a link of its own, and no link-address is known.
 * @param reserved addresses that are given to hosts by reservations: first and last of each range, ascending
 */
export function topologyOf(subnets: readonly LinkSubnet[], reserved: Uint8Array = NO_OCTETS): Topology {
  const byId = new Map(subnets.map((subnet) => [subnet.id, subnet]))
  const linkOf = (id: number) => byId.get(id)?.sharedNetwork || id
  return {
    subnets: subnets.length,
    linkOf,
    timers(id) {
      const subnet = byId.get(id)
      return subnet && { renew: subnet.renewTimer, rebind: subnet.rebindTimer }
    },
    subnetsOfLink(linkAddress) {
      const links = new Set(
        subnets
          .filter(
            ({ prefix, prefixLength, relayAddresses }) =>
              prefixContains({ address: prefix, length: prefixLength }, linkAddress) ||
              relayAddresses.some((address) => sameOctets(address, linkAddress)),
          )
          .map(({ id }) => linkOf(id)),
      )
      if (links.size === 0) return []
      return subnets.filter(({ id }) => links.has(linkOf(id))).map(({ id }) => id)
    },
    isOnLink: (address) =>
      subnets.some(
        ({ prefix, prefixLength, prefixPools = [] }) =>
          prefixContains({ address: prefix, length: prefixLength }, address) ||
          prefixPools.some((pool) =>
            prefixContains({ address: pool.prefix, length: pool.prefixLength }, address),
          ),
      ) || isReserved(reserved, address),
    configured: configured4(subnets, reserved),
  }
}

/** A DHCPv4 address as a number. */
export function numberOf(address: Uint8Array): number {
  return ((address[0]! << 24) | (address[1]! << 16) | (address[2]! << 8) | address[3]!) >>> 0
}

function isReserved(reserved: Uint8Array, address: Uint8Array): boolean {
  const size = address.length
  const at = (index: number) => reserved.subarray(index * size, (index + 1) * size)
  const range = firstRangeTo(
    reserved.length / (2 * size),
    (index) => Buffer.compare(at(2 * index + 1), address) < 0,
  )
  return 2 * size * range < reserved.length && Buffer.compare(at(2 * range), address) <= 0
}

/** Of so many ascending ranges the first that does not end before what is looked for. */
function firstRangeTo(count: number, endsBefore: (index: number) => boolean): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (endsBefore(middle)) low = middle + 1
    else high = middle
  }
  return low
}

function configured4(subnets: readonly LinkSubnet[], reserved: Uint8Array): Ranges4 {
  const pools = subnets
    .filter(({ prefix }) => prefix.length === 4)
    .flatMap(({ pools = [] }) => pools.map(({ first, last }) => [numberOf(first), numberOf(last)] as const))
    .filter(([first, last]) => first <= last)
    .sort(([a], [b]) => a - b)
    .flat()
  const isV4 = subnets.some(({ prefix }) => prefix.length === 4)
  const hosts = new Uint32Array(isV4 ? reserved.length / 4 : 0)
  for (let i = 0; i < hosts.length; i++) hosts[i] = numberOf(reserved.subarray(4 * i, 4 * i + 4))
  return merged(Uint32Array.from(pools), hosts)
}

/** Of two lists in order of their first addresses; what meets or overlaps becomes one range. */
function merged(a: Ranges4, b: Ranges4): Ranges4 {
  const result = new Uint32Array(a.length + b.length)
  let end = 0
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const takesA = j === b.length || (i < a.length && a[i]! <= b[j]!)
    const first = takesA ? a[i]! : b[j]!
    const last = takesA ? a[i + 1]! : b[j + 1]!
    if (takesA) i += 2
    else j += 2
    if (end > 0 && first <= result[end - 1]! + 1) result[end - 1] = Math.max(result[end - 1]!, last)
    else {
      result[end++] = first
      result[end++] = last
    }
  }
  return result.slice(0, end)
}
