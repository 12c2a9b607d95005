// One row of octets and value becomes four tests: parse, generate, mirror, and parse out of a stream.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { Framer } from '../../sidecar/wire/framing.ts'
import { decodeMessage4, encodeFrame4 } from '../../sidecar/wire/v4/codec.ts'
import { type Message4, MessageType4, Op } from '../../sidecar/wire/v4/messages.ts'
import { Status4 } from '../../sidecar/wire/v4/status.ts'
import { decodeMessage6, encodeFrame6 } from '../../sidecar/wire/v6/codec.ts'
import { type Message6, MessageType6, QueryType6 } from '../../sidecar/wire/v6/messages.ts'
import { relayHops6 } from '../../sidecar/wire/v6/options.ts'
import { Status6 } from '../../sidecar/wire/v6/status.ts'
import { ascii, hex, toHex, vector, vectorNames } from './bytes.ts'

const SERVER4 = hex('c0 00 02 01')
const ADDRESS4 = hex('c0 00 02 39')
const DUID_SERVER = hex('00 01 00 01 2a 5b 6c 7d 02 00 5e 00 00 01')
const DUID_REQUESTOR = hex('00 03 00 01 02 00 5e 00 00 02')
const DUID_CLIENT = hex('00 03 00 01 02 00 5e 10 00 57')
const BASE4 = 1763758800
const BASE6 = 817074000

const reply4 = { op: Op.reply, xid: 0x4a1c0001 }
const address6 = (text: string): Uint8Array => parseAddress(text)!

const relayMessage = hex(`
  0c 00
  20 01 0d b8 00 00 00 01 00*7 01
  fe 80 00*6 00 00 5e ff fe 10 00 57
  00 12 00 08 65 74 68 31 2f 30 2f 37
  00 25 00 0c 00 00 7e d9 63 70 65 2d 30 30 35 37
  00 35 00 0a 00 03 00 01 02 00 5e 00 00 02`)

const vectors4: Record<string, Message4> = {
  'tls4-request': { op: Op.request, type: MessageType4.tls, xid: 0x4a1c0000, options: {} },
  'tls4-accept': { op: Op.reply, type: MessageType4.tls, xid: 0x4a1c0000, options: {} },
  'tls4-refuse': {
    op: Op.reply,
    type: MessageType4.tls,
    xid: 0x4a1c0000,
    options: { status: { code: Status4.tlsConnectionRefused, text: '' } },
  },
  alq4: {
    op: Op.request,
    type: MessageType4.activeLeasequery,
    xid: 0x4a1c0001,
    options: {
      parameterRequestList: Uint8Array.of(51, 61, 82, 91, 152, 153, 156, 157),
      queryStartTime: 1763757000,
    },
  },
  active4: {
    ...reply4,
    type: MessageType4.leaseActive,
    htype: 1,
    hlen: 6,
    ciaddr: ADDRESS4,
    chaddr: hex('02 00 5e 10 00 57 00*10'),
    options: {
      serverIdentifier: SERVER4,
      baseTime: BASE4,
      leaseTime: 3553,
      clientLastTransactionTime: 47,
      startTimeOfState: 14447,
      dhcpState: 2,
      clientIdentifier: hex('01 02 00 5e 10 00 57'),
      relayAgentInformation: Uint8Array.from([
        ...[1, 8, ...ascii('eth1/0/7')],
        ...[2, 8, ...ascii('cpe-0057')],
        ...[12, 10, ...DUID_REQUESTOR],
      ]),
    },
  },
  'status4-keepalive': {
    ...reply4,
    type: MessageType4.leasequeryStatus,
    options: { status: { code: Status4.connectionActive, text: '' }, baseTime: BASE4 },
  },
  unassigned4: {
    ...reply4,
    type: MessageType4.leaseUnassigned,
    ciaddr: ADDRESS4,
    options: { baseTime: BASE4, startTimeOfState: 0, dhcpState: 4 },
  },
  done4: {
    op: Op.reply,
    type: MessageType4.leasequeryDone,
    xid: 0x4a1c0002,
    options: { serverIdentifier: SERVER4 },
  },
}

const vectors6: Record<string, Message6> = {
  'tls6-request': { type: MessageType6.startTls, xid: 0x7c0000, options: {} },
  'tls6-accept': { type: MessageType6.reply, xid: 0x7c0000, options: { serverId: DUID_SERVER } },
  'tls6-refuse': {
    type: MessageType6.reply,
    xid: 0x7c0000,
    options: { serverId: DUID_SERVER, status: { code: Status6.tlsConnectionRefused, text: '' } },
  },
  alq6: {
    type: MessageType6.activeLeasequery,
    xid: 0x7c0001,
    options: { clientId: DUID_REQUESTOR, requestedOptions: [100, 47], startTime: 817072200 },
  },
  lqreply6: {
    type: MessageType6.leasequeryReply,
    xid: 0x7c0001,
    options: {
      clientId: DUID_REQUESTOR,
      serverId: DUID_SERVER,
      baseTime: BASE6,
      clientData: {
        clientId: DUID_CLIENT,
        clientLastTransactionTime: 47,
        iaAddresses: [
          {
            address: address6('2001:db8:0:1::57'),
            preferredLifetime: 3553,
            validLifetime: 7153,
            options: [],
          },
        ],
        iaPrefixes: [
          {
            prefix: address6('2001:db8:4700::'),
            prefixLength: 56,
            preferredLifetime: 86353,
            validLifetime: 604753,
            options: [],
          },
        ],
        relayData: { peerAddress: address6('2001:db8:0:ff::1'), message: relayMessage },
      },
    },
  },
  keepalive6: { type: MessageType6.leasequeryData, xid: 0x7c0001, options: { baseTime: BASE6 } },
  catchup6: {
    type: MessageType6.leasequeryData,
    xid: 0x7c0001,
    options: { status: { code: Status6.catchUpComplete, text: '' }, baseTime: BASE6 },
  },
  removed6: {
    type: MessageType6.leasequeryData,
    xid: 0x7c0001,
    options: {
      baseTime: BASE6,
      clientData: {
        clientId: DUID_CLIENT,
        clientLastTransactionTime: 0,
        iaAddresses: [
          { address: address6('2001:db8:0:1::57'), preferredLifetime: 0, validLifetime: 0, options: [] },
        ],
      },
    },
  },
  done6: {
    type: MessageType6.leasequeryDone,
    xid: 0x7c0001,
    options: { status: { code: Status6.queryTerminated, text: '' }, baseTime: BASE6 },
  },
  'lq6-relayid': {
    type: MessageType6.leasequery,
    xid: 0x7c0002,
    options: {
      clientId: DUID_REQUESTOR,
      requestedOptions: [100],
      leaseQuery: {
        queryType: QueryType6.byRelayId,
        linkAddress: new Uint8Array(16),
        options: { relayId: DUID_REQUESTOR },
      },
    },
  },
}

/** Header fields that a vector's row leaves out are zero on the wire. */
const header4 = {
  ciaddr: new Uint8Array(4),
  yiaddr: new Uint8Array(4),
  siaddr: new Uint8Array(4),
  giaddr: new Uint8Array(4),
  htype: 0,
  hlen: 0,
  chaddr: new Uint8Array(16),
}

function suite<M>(
  family: 'v4' | 'v6',
  rows: Record<string, M>,
  decode: (octets: Uint8Array) => M,
  encode: (message: M) => Uint8Array,
): void {
  describe(`${family} vectors`, () => {
    it('has a value for each file', () => {
      assert.deepEqual(vectorNames(family).sort(), Object.keys(rows).sort())
    })
    for (const [name, value] of Object.entries(rows)) {
      const frame = vector(family, name)
      it(`parses ${name}`, () => assert.deepEqual(decode(frame.subarray(2)), value))
      it(`generates ${name}`, () => assert.equal(toHex(encode(value)), toHex(frame)))
      it(`mirrors ${name}`, () => assert.equal(toHex(encode(decode(frame.subarray(2)))), toHex(frame)))
      it(`parses ${name} out of a stream`, () => {
        const framer = new Framer()
        framer.push(Uint8Array.from([...frame, ...frame]))
        assert.deepEqual(decode(framer.next()!), value)
        assert.deepEqual(decode(framer.next()!), value)
        assert.equal(framer.next(), undefined)
      })
    }
  })
}

suite(
  'v4',
  Object.fromEntries(Object.entries(vectors4).map(([name, value]) => [name, { ...header4, ...value }])),
  decodeMessage4,
  encodeFrame4,
)
suite('v6', vectors6, decodeMessage6, encodeFrame6)

describe('relay data of a vector', () => {
  it('comes apart into its hops (RFC 5007 section 4.1.2.4)', () => {
    assert.deepEqual(relayHops6(relayMessage), [
      {
        hopCount: 0,
        linkAddress: address6('2001:db8:0:1::1'),
        peerAddress: address6('fe80::5eff:fe10:57'),
        options: [
          { code: 18, data: Uint8Array.from(ascii('eth1/0/7')) },
          { code: 37, data: Uint8Array.from([0, 0, 0x7e, 0xd9, ...ascii('cpe-0057')]) },
          { code: 53, data: DUID_REQUESTOR },
        ],
      },
    ])
  })
})
