// Both families in one form, so that one story runs over both dialects: queries in, replies out, bindings to tell about.
import { type BindingData, BindingState, NO_OCTETS, Origin, type UnixSeconds } from '../../sidecar/binding.ts'
import type { Dialect } from '../../sidecar/session/dialect.ts'
import { dialect4 } from '../../sidecar/session/dialect4.ts'
import { dialect6 } from '../../sidecar/session/dialect6.ts'
import { formatAddress } from '../../sidecar/wire/address.ts'
import { decodeMessage4 } from '../../sidecar/wire/v4/codec.ts'
import { statusNames4 } from '../../sidecar/wire/v4/status.ts'
import { decodeMessage6 } from '../../sidecar/wire/v6/codec.ts'
import { statusNames6 } from '../../sidecar/wire/v6/status.ts'
import { framed, hex, message4, message6, option4, option6, toHex, u32 } from '../wire/bytes.ts'
import { START } from './driver.ts'

export const XID = { 4: 0x4a1c0001, 6: 0x7c0001 }
export const REQUESTOR = hex('00 03 00 01 02 00 5e 00 00 02')
const SINCE_2000 = 946684800

/** A reply as a requestor of either family reads it. */
export interface Reply {
  readonly type: number
  readonly xid: number
  readonly status: string | undefined
  /** Unix seconds. */
  readonly baseTime: number | undefined
  /** `address client live` or `address client ended`. */
  readonly bindings: string[]
}

export interface FamilyUnderTest {
  readonly family: 4 | 6
  readonly dialect: Dialect
  /** A framed active query. */
  query(since?: UnixSeconds, xid?: number): Uint8Array
  /** A framed Bulk query. */
  bulk(xid: number): Uint8Array
  /** A framed start of TLS. */
  tlsStart(xid: number): Uint8Array
  /** A framed message of a type that does not belong here. */
  unsupported: Uint8Array
  read(frame: Uint8Array): Reply
  /** Binding `n` of client `client`, renewed now. */
  binding(n: number, client: number, changes?: Partial<BindingData>): BindingData
  /** Relay data that names this relay-id. */
  relay(id: Uint8Array): Uint8Array
}

const plain = {
  prefixLength: 0,
  state: BindingState.active,
  origin: Origin.client,
  subnetId: 1,
  iaid: 0,
  hardwareType: 0,
  hardwareAddress: NO_OCTETS,
  clientId: NO_OCTETS,
  validLifetime: 3600,
  preferredLifetime: 0,
  clientLastTransaction: START,
  stateSince: START,
  hostname: NO_OCTETS,
  relay: NO_OCTETS,
  options: NO_OCTETS,
} satisfies Partial<BindingData>

const four: FamilyUnderTest = {
  family: 4,
  dialect: dialect4,
  query: (since, xid = XID[4]) =>
    framed(
      message4(1, xid, [...option4(53, [16]), ...(since === undefined ? [] : option4(154, u32(since)))]),
    ),
  bulk: (xid) => framed(message4(1, xid, option4(53, [14]))),
  tlsStart: (xid) => framed(message4(1, xid, option4(53, [18]))),
  unsupported: framed(message4(1, 9, option4(53, [1]))),
  read(frame) {
    const { type, xid, options, ciaddr, chaddr } = decodeMessage4(frame.subarray(2))
    const about = type === 13 || type === 11
    return {
      type,
      xid,
      status: options.status && statusNames4[options.status.code],
      baseTime: options.baseTime,
      bindings: about
        ? [`${formatAddress(ciaddr!)} ${toHex(chaddr!.subarray(0, 6))} ${type === 13 ? 'live' : 'ended'}`]
        : [],
    }
  },
  binding: (n, client, changes = {}) => ({
    ...plain,
    address: Uint8Array.of(192, 0, 2, n),
    hardwareType: 1,
    hardwareAddress: Uint8Array.of(2, 0, 0x5e, 0, 0, client),
    ...changes,
  }),
  relay: (id) => Uint8Array.from(option4(12, id)),
}

const six: FamilyUnderTest = {
  family: 6,
  dialect: dialect6,
  query: (since, xid = XID[6]) =>
    framed(
      message6(22, xid, [
        ...option6(1, REQUESTOR),
        ...option6(6, [0, 100]),
        ...(since === undefined ? [] : option6(101, u32(since - SINCE_2000))),
      ]),
    ),
  bulk: (xid) =>
    framed(message6(14, xid, [...option6(1, REQUESTOR), ...option6(44, [4, ...new Uint8Array(16)])])),
  tlsStart: (xid) => framed(message6(23, xid, [])),
  unsupported: framed(message6(3, 9, [])),
  read(frame) {
    const { type, xid, options } = decodeMessage6(frame.subarray(2))
    const data = options.clientData
    const client = data?.clientId === undefined ? '' : toHex(data.clientId)
    const told = (name: string, valid: number): string => `${name} ${client} ${valid > 0 ? 'live' : 'ended'}`
    return {
      type,
      xid,
      status: options.status && statusNames6[options.status.code],
      baseTime: options.baseTime === undefined ? undefined : options.baseTime + SINCE_2000,
      bindings: [
        ...(data?.iaAddresses ?? []).map((one) => told(formatAddress(one.address), one.validLifetime)),
        ...(data?.iaPrefixes ?? []).map((one) =>
          told(`${formatAddress(one.prefix)}/${one.prefixLength}`, one.validLifetime),
        ),
      ],
    }
  },
  binding: (n, client, changes = {}) => ({
    ...plain,
    address: hex(`20 01 0d b8 00*11 ${n.toString(16).padStart(2, '0')}`),
    iaid: 1,
    clientId: Uint8Array.of(0, 3, 0, 1, 2, 0, 0x5e, 0, 0, client),
    preferredLifetime: 1800,
    ...changes,
  }),
  relay: (id) => Uint8Array.from([...new Uint8Array(16), 12, 0, ...new Uint8Array(32), ...option6(53, id)]),
}

export const families: readonly FamilyUnderTest[] = [four, six]
export { four as dhcp4, six as dhcp6 }
