// What qualifies a Bulk query in both families: a time window, and a VPN.
import type { VirtualSubnet } from '../wire/field-types.ts'
import type { Refusal, TimeWindow } from './query.ts'

/** Why a window cannot be meant; undefined = it is sound. */
export function windowFault({ start, end }: TimeWindow): string | undefined {
  return start !== undefined && end !== undefined && start > end
    ? 'the start time is later than the end time'
    : undefined
}

/** Types of virtual subnet selection (RFC 6607 section 3.5, RFC 6926 section 6.2.9). */
const Vss = { name: 0, vpnId: 1, all: 254, global: 255 } as const
const VPN_ID_OCTETS = 7

/**
 * Why a query about this VPN is not served; undefined = it is: the global VPN is all there is here, so "all VPNs" is that
 * one. None named = global.
 */
export function vpnFault(vpn: VirtualSubnet | undefined): Refusal | undefined {
  if (vpn === undefined) return undefined
  const { type, information } = vpn
  switch (type) {
    case Vss.global:
    case Vss.all:
      return information.length === 0 ? undefined : malformed(type)
    case Vss.vpnId:
      return information.length === VPN_ID_OCTETS ? unknown : malformed(type)
    default:
      return unknown
  }
}

// An answer about the global VPN would be taken for one about the VPN that was named.
const unknown: Refusal = { status: 'notAllowed', text: 'no VPNs are served here' }

function malformed(type: number): Refusal {
  return { status: 'malformedQuery', text: `a VPN of type ${type} with octets that it does not have` }
}
