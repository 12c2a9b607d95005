import { fixed, octets, seconds, u8, virtualSubnet } from '../field-types.ts'
import { type Decoded, defineOptions, type OptionFraming, type RawOption } from '../option-table.ts'
import { Reader } from '../reader.ts'
import { status4 } from './status.ts'

/** code(1) length(1) value; longer values are split (RFC 3396). */
const framing4: OptionFraming = {
  begin: (writer, code) => writer.beginOption4(code),
  end: (writer, mark) => writer.endOption4(mark),
}

/** Rows stand in the order in which they are written. Option 53 is the message's type and has no row. */
export const options4 = defineOptions(framing4, {
  serverIdentifier: { code: 54, type: fixed(4), rfc: '2132 §9.7' },
  parameterRequestList: { code: 55, type: octets(1), rfc: '2132 §9.8' },
  status: { code: 151, type: status4, rfc: '6926 §6.2.2' },
  /** Absolute, Unix seconds. */
  baseTime: { code: 152, type: seconds, rfc: '6926 §6.2.3' },
  /** Seconds left, counted from base-time. */
  leaseTime: { code: 51, type: seconds, rfc: '2132 §9.2' },
  renewalTime: { code: 58, type: seconds, rfc: '2132 §9.11' },
  rebindingTime: { code: 59, type: seconds, rfc: '2132 §9.12' },
  /** Seconds before base-time. */
  clientLastTransactionTime: { code: 91, type: seconds, rfc: '4388 §6.1' },
  /** Seconds before base-time. */
  startTimeOfState: { code: 153, type: seconds, rfc: '6926 §6.2.4' },
  /** Absolute, Unix seconds. */
  queryStartTime: { code: 154, type: seconds, rfc: '6926 §6.2.5' },
  /** Absolute, Unix seconds. */
  queryEndTime: { code: 155, type: seconds, rfc: '6926 §6.2.6' },
  dhcpState: { code: 156, type: u8, rfc: '6926 §6.2.7' },
  dataSource: { code: 157, type: u8, rfc: '6926 §6.2.8' },
  clientIdentifier: { code: 61, type: octets(2), rfc: '2132 §9.14' },
  virtualSubnet: { code: 221, type: virtualSubnet, rfc: '6607 §3.1' },
  /** Sub-options as they stand; {@link subOptions4} takes them apart. Last, as RFC 3046 section 2.1 wants it. */
  relayAgentInformation: { code: 82, type: octets(), rfc: '3046 §2.0', last: true },
})
export type Options4 = Decoded<(typeof options4)['rows']>

/** Option codes by name, for lists of requested options. */
export const Code4 = {
  hostName: 12,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  parameterRequestList: 55,
  renewalTime: 58,
  rebindingTime: 59,
  clientIdentifier: 61,
  relayAgentInformation: 82,
  authentication: 90,
  clientLastTransactionTime: 91,
  associatedIp: 92,
  status: 151,
  baseTime: 152,
  startTimeOfState: 153,
  queryStartTime: 154,
  queryEndTime: 155,
  dhcpState: 156,
  dataSource: 157,
  virtualSubnet: 221,
} as const

/** Sub-options of option 82 by name. */
export const SubCode4 = {
  circuitId: 1, // RFC 3046
  remoteId: 2, // RFC 3046
  linkSelection: 5, // RFC 3527
  subscriberId: 6, // RFC 3993
  relayId: 12, // RFC 6925
  virtualSubnet: 151, // RFC 6607
} as const

/** Flags of the data-source option (RFC 6926 section 6.2.8). */
export const DATA_SOURCE_REMOTE = 0x01

/**
 * Options in the form code(1) length(1) value, without pad and end marks: sub-options of option 82, or captured options.
 * Throws a WireError naming `where` when one overruns.
 */
export function subOptions4(value: Uint8Array, where = 'option 82'): RawOption[] {
  const reader = new Reader(value, where)
  const found: RawOption[] = []
  while (reader.remaining > 0) {
    const code = reader.u8()
    found.push({ code, data: reader.octets(reader.u8()) })
  }
  return found
}
