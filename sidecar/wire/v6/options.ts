import { octets, seconds, virtualSubnet } from '../field-types.ts'
import {
  type Decoded,
  defineOptions,
  type FieldType,
  type OptionFraming,
  type OptionRow,
  type RawOption,
} from '../option-table.ts'
import { Reader } from '../reader.ts'
import { WireError } from '../wire-error.ts'
import type { Writer } from '../writer.ts'
import { status6 } from './status.ts'

/** code(2) length(2) value. */
const framing6: OptionFraming = {
  begin: (writer, code) => writer.beginOption6(code),
  end: (writer, mark) => writer.endOption6(mark),
}

/** Options in the form code(2) length(2) value. Throws a WireError naming `where` when one overruns. */
export function rawOptions6(value: Uint8Array, where: string): RawOption[] {
  const reader = new Reader(value, where)
  const found: RawOption[] = []
  while (reader.remaining > 0) {
    const code = reader.u16()
    found.push({ code, data: reader.octets(reader.u16()) })
  }
  return found
}

function writeRaw(writer: Writer, options: readonly RawOption[]): void {
  for (const option of options) {
    const mark = writer.beginOption6(option.code)
    writer.octets(option.data)
    writer.endOption6(mark)
  }
}

const codes: FieldType<readonly number[]> = {
  read(reader) {
    const list: number[] = []
    while (reader.remaining > 0) list.push(reader.u16())
    return list
  },
  write(writer, value) {
    for (const code of value) writer.u16(code)
  },
}

export interface IaAddress {
  /** 16 octets. */
  readonly address: Uint8Array
  /** Seconds from base-time. Both 0: no longer bound. */
  readonly preferredLifetime: number
  readonly validLifetime: number
  readonly options: readonly RawOption[]
}

/** address(16) preferred(4) valid(4) options (RFC 8415 section 21.6). */
const iaAddress: FieldType<IaAddress> = {
  read: (reader) => ({
    address: reader.octets(16),
    preferredLifetime: reader.u32(),
    validLifetime: reader.u32(),
    options: rawOptions6(reader.rest(), reader.where),
  }),
  write(writer, value) {
    writer.padded(value.address, 16)
    writer.u32(value.preferredLifetime)
    writer.u32(value.validLifetime)
    writeRaw(writer, value.options)
  },
}

export interface IaPrefix {
  /** 16 octets. */
  readonly prefix: Uint8Array
  /** 0..128 */
  readonly prefixLength: number
  /** Seconds from base-time. Both 0: no longer bound. */
  readonly preferredLifetime: number
  readonly validLifetime: number
  readonly options: readonly RawOption[]
}

/** preferred(4) valid(4) prefix-length(1) prefix(16) options: another order than OPTION_IAADDR (RFC 8415 section 21.22). */
const iaPrefix: FieldType<IaPrefix> = {
  read(reader) {
    const preferredLifetime = reader.u32()
    const validLifetime = reader.u32()
    const prefixLength = reader.u8()
    if (prefixLength > 128) throw new WireError('bad-value', reader.where, `prefix length ${prefixLength}`)
    return {
      prefix: reader.octets(16),
      prefixLength,
      preferredLifetime,
      validLifetime,
      options: rawOptions6(reader.rest(), reader.where),
    }
  },
  write(writer, value) {
    writer.u32(value.preferredLifetime)
    writer.u32(value.validLifetime)
    writer.u8(value.prefixLength)
    writer.padded(value.prefix, 16)
    writeRaw(writer, value.options)
  },
}

export interface RemoteId6 {
  readonly enterprise: number
  readonly remoteId: Uint8Array
}

/** enterprise-number(4) remote-id (RFC 4649 section 3). */
const remoteId: FieldType<RemoteId6> = {
  read: (reader) => ({ enterprise: reader.u32(), remoteId: reader.rest() }),
  write(writer, value) {
    writer.u32(value.enterprise)
    writer.octets(value.remoteId)
  },
}

export interface RelayData6 {
  /** Where the relay's message came from: 16 octets. */
  readonly peerAddress: Uint8Array
  /** The RELAY-FORW without the client's message; {@link relayHops6} takes it apart. */
  readonly message: Uint8Array
}

/** peer-address(16) DHCP-relay-message (RFC 5007 section 4.1.2.4). */
const relayData: FieldType<RelayData6> = {
  read: (reader) => ({ peerAddress: reader.octets(16), message: reader.rest() }),
  write(writer, value) {
    writer.padded(value.peerAddress, 16)
    writer.octets(value.message)
  },
}

// Rows that stand in several places. A DUID has at least its type.
const row = <T>(code: number, type: FieldType<T>, rfc: string): OptionRow<T> => ({ code, type, rfc })
const clientId = row(1, octets(1), '8415 §21.2')
const requestedOptions = row(6, codes, '8415 §21.7')
const startTime = row(101, seconds, '7653 §6.3.2')
const endTime = row(102, seconds, '7653 §6.3.3')
const iaAddresses = { code: 5, type: iaAddress, rfc: '8415 §21.6', repeats: true } as const
const iaPrefixes = { code: 26, type: iaPrefix, rfc: '8415 §21.22', repeats: true } as const

/** What may stand inside OPTION_LQ_QUERY (RFC 5007 section 4.1.2.1, RFC 5460 section 5.3.1). */
export const queryOptions6 = defineOptions(framing6, {
  clientId,
  iaAddresses,
  requestedOptions,
  remoteId: { code: 37, type: remoteId, rfc: '4649 §3' },
  relayId: { code: 53, type: octets(1), rfc: '5460 §5.4.1' },
  // RFC 7653 does not say where these go; read here too, sent at message level.
  startTime,
  endTime,
})
export type QueryOptions6 = Decoded<(typeof queryOptions6)['rows']>

export interface LeaseQuery6 {
  /** As received, known or not ({@link QueryType6}). */
  readonly queryType: number
  /** 16 octets; all zero = any link. */
  readonly linkAddress: Uint8Array
  readonly options: QueryOptions6
}

/** query-type(1) link-address(16) query-options (RFC 5007 section 4.1.2.1). */
const leaseQuery: FieldType<LeaseQuery6> = {
  read: (reader) => ({
    queryType: reader.u8(),
    linkAddress: reader.octets(16),
    options: queryOptions6.decode(rawOptions6(reader.rest(), reader.where), 'OPTION_LQ_QUERY'),
  }),
  write(writer, value) {
    writer.u8(value.queryType)
    writer.padded(value.linkAddress, 16)
    queryOptions6.encode(writer, value.options)
  },
}

/** What stands inside OPTION_CLIENT_DATA (RFC 5007 section 4.1.2.2). */
export const clientData6 = defineOptions(framing6, {
  clientId,
  /** Seconds before base-time. */
  clientLastTransactionTime: { code: 46, type: seconds, rfc: '5007 §4.1.2.3' },
  iaAddresses,
  iaPrefixes,
  relayData: { code: 47, type: relayData, rfc: '5007 §4.1.2.4' },
})
export type ClientData6 = Decoded<(typeof clientData6)['rows']>

const clientData: FieldType<ClientData6> = {
  read: (reader) => clientData6.decode(rawOptions6(reader.rest(), reader.where), 'OPTION_CLIENT_DATA'),
  write: (writer, value) => clientData6.encode(writer, value),
}

/** Options at message level, in the order in which they are written. */
export const options6 = defineOptions(framing6, {
  clientId,
  serverId: { code: 2, type: octets(1), rfc: '8415 §21.3' },
  requestedOptions,
  status: { code: 13, type: status6, rfc: '8415 §21.13' },
  leaseQuery: { code: 44, type: leaseQuery, rfc: '5007 §4.1.2.1' },
  virtualSubnet: { code: 68, type: virtualSubnet, rfc: '6607 §3.4' },
  /** Absolute, Seconds2000. */
  baseTime: { code: 100, type: seconds, rfc: '7653 §6.3.1' },
  startTime,
  endTime,
  /** At most one in a message (RFC 5460 section 5.2.1). */
  clientData: { code: 45, type: clientData, rfc: '5007 §4.1.2.2' },
})
export type Options6 = Decoded<(typeof options6)['rows']>

/** Option codes by name, for lists of requested options. */
export const Code6 = {
  clientId: 1,
  serverId: 2,
  iaAddress: 5,
  requestedOptions: 6,
  relayMessage: 9,
  authentication: 11,
  status: 13,
  interfaceId: 18,
  iaPrefix: 26,
  remoteId: 37,
  leaseQuery: 44,
  clientData: 45,
  clientLastTransactionTime: 46,
  relayData: 47,
  clientLink: 48,
  relayId: 53,
  virtualSubnet: 68,
  baseTime: 100,
  startTime: 101,
  endTime: 102,
} as const

/** One relay's part of a RELAY-FORW (RFC 8415 section 9.1). */
export interface RelayHop6 {
  readonly hopCount: number
  readonly linkAddress: Uint8Array
  readonly peerAddress: Uint8Array
  /** All but OPTION_RELAY_MSG. */
  readonly options: readonly RawOption[]
}

const RELAY_FORW = 12
/** HOP_COUNT_LIMIT of RFC 3315, the larger of the two that were in force (RFC 8415 has 8). */
const MAX_RELAY_HOPS = 32

/** The hops of a relay message in OPTION_LQ_RELAY_DATA, the relay closest to the server first. Throws a WireError. */
export function relayHops6(message: Uint8Array): RelayHop6[] {
  const hops: RelayHop6[] = []
  let inner: Uint8Array | undefined = message
  while (inner !== undefined) {
    if (hops.length === MAX_RELAY_HOPS)
      throw new WireError('too-deep', 'relay message', `more than ${MAX_RELAY_HOPS} relays`)
    const reader: Reader = new Reader(inner, 'relay message')
    if (reader.u8() !== RELAY_FORW) throw new WireError('bad-value', 'relay message', 'not a RELAY-FORW')
    const hopCount = reader.u8()
    const linkAddress = reader.octets(16)
    const peerAddress = reader.octets(16)
    const all = rawOptions6(reader.rest(), 'relay message')
    hops.push({
      hopCount,
      linkAddress,
      peerAddress,
      options: all.filter((option) => option.code !== Code6.relayMessage),
    })
    inner = all.find((option) => option.code === Code6.relayMessage)?.data
  }
  return hops
}
