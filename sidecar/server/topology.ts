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
  /** T1 and T2 in seconds; 0 = not set. */
  readonly renewTimer: number
  readonly rebindTimer: number
}

export interface Topology {
  readonly linkOf: LinkOf
  readonly timers: NonNullable<Service['timers']>
  readonly subnetsOfLink: NonNullable<Service['subnetsOfLink']>
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
      if (on === undefined) return undefined
      const link = linkOf(on.id)
      return subnets.filter((subnet) => linkOf(subnet.id) === link).map((subnet) => subnet.id)
    },
  }
}
