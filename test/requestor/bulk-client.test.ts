import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BulkClient, type BulkEvent, encodeBulkQuery } from '../../sidecar/requestor/bulk-client.ts'
import { DEFAULT_DUID } from '../../sidecar/requestor/client.ts'
import type { BulkSelection } from '../../sidecar/requestor/selection.ts'
import { decodeMessage4 } from '../../sidecar/wire/v4/codec.ts'
import { decodeMessage6 } from '../../sidecar/wire/v6/codec.ts'
import {
  ascii,
  concat,
  framed,
  hex,
  message4,
  message6,
  option4,
  option6,
  toHex,
  u32,
  vector,
} from '../wire/bytes.ts'

const NOW = 1763758800
const SINCE_2000 = 946684800
const SERVER = option4(54, [192, 0, 2, 1])

/** What a message says of `n`. */
const active4 = (xid: number, n: number): Uint8Array =>
  framed(
    message4(2, xid, [...option4(53, [13]), ...option4(152, u32(NOW + n)), ...option4(51, u32(100))], {
      12: [192, 0, 2, n],
    }),
  )
const done4 = (xid: number, options: readonly number[] = []): Uint8Array =>
  framed(message4(2, xid, [...option4(53, [15]), ...SERVER, ...options]))
const client6 = (n: number): number[] =>
  option6(45, [
    ...option6(1, [0, 3, n]),
    ...option6(46, u32(0)),
    ...option6(5, [...hex('20 01 0d b8 00*11'), n, ...u32(50), ...u32(100)]),
  ])
/** What a LEASEQUERY-REPLY must have (RFC 5007 section 4.2.2). */
const IDENTIFIED = [...option6(1, [...DEFAULT_DUID]), ...option6(2, [0, 3, 0, 1, 2, 0, 0x5e, 0, 0, 9])]
const message = (type: number, xid: number, options: readonly number[] = []): Uint8Array =>
  framed(message6(type, xid, [...(type === 15 ? IDENTIFIED : []), ...options]))

function asked(family: 4 | 6, ...xids: number[]): BulkClient {
  const client = new BulkClient(family)
  for (const xid of xids) client.query({ xid, select: { by: 'all' } })
  return client
}

const short = (events: readonly BulkEvent[]): string[] =>
  events.map((event) =>
    event.type === 'binding' ? `${event.xid} ${event.binding.address}` : `${event.xid} ${event.status}`,
  )

describe('Bulk queries of a requestor', () => {
  it('are worded as RFC 6926 section 7.2 has it', () => {
    const encode = (select: BulkSelection) =>
      decodeMessage4(
        encodeBulkQuery({ family: 4, xid: 9, select, start: 5, end: 6, wants: [51, 152] }).subarray(2),
      )
    const all = encode({ by: 'all' })
    assert.deepEqual([all.type, all.xid, all.hlen, all.htype], [14, 9, 0, 0])
    assert.deepEqual(all.options, {
      parameterRequestList: Uint8Array.of(51, 152),
      queryStartTime: 5,
      queryEndTime: 6,
    })
    const mac = encode({
      by: 'hardware-address',
      hardwareType: 1,
      hardwareAddress: Uint8Array.of(1, 2, 3, 4, 5, 6),
    })
    assert.deepEqual([mac.htype, mac.hlen, toHex(mac.chaddr!.subarray(0, 7))], [1, 6, '01 02 03 04 05 06 00'])
    assert.deepEqual(
      encode({ by: 'client-id', clientId: Uint8Array.of(1, 2) }).options.clientIdentifier,
      Uint8Array.of(1, 2),
    )
    const id = Uint8Array.from(ascii('ab'))
    assert.equal(
      toHex(encode({ by: 'remote-id', remoteId: id }).options.relayAgentInformation!),
      '02 02 61 62',
    )
    assert.equal(toHex(encode({ by: 'relay-id', relayId: id }).options.relayAgentInformation!), '0c 02 61 62')
    assert.throws(() => encode({ by: 'address', address: new Uint8Array(4) }), RangeError)
  })

  it('are worded as RFC 5460 section 5.3 has it, wishes about clients inside of the query', () => {
    const relayId = hex('00 03 00 01 02 00 5e 00 00 02')
    const frame = encodeBulkQuery({
      family: 6,
      xid: 0x7c0002,
      select: { by: 'relay-id', relayId },
      wants: [100],
      duid: relayId,
    })
    assert.equal(toHex(frame), toHex(vector('v6', 'lq6-relayid')))
    const remote = decodeMessage6(
      encodeBulkQuery({
        family: 6,
        xid: 1,
        select: { by: 'remote-id', remoteId: hex('00 00 7e d9 61') },
        linkAddress: hex('20 01 0d b8 00*12'),
        start: SINCE_2000 + 7,
        wants: [100, 47],
      }).subarray(2),
    ).options
    assert.deepEqual(remote.leaseQuery!.options.remoteId, {
      enterprise: 32473,
      remoteId: Uint8Array.of(0x61),
    })
    assert.deepEqual([remote.requestedOptions, remote.leaseQuery!.options.requestedOptions], [[100], [47]])
    assert.equal(remote.startTime, 7)
    assert.equal(toHex(remote.leaseQuery!.linkAddress.subarray(0, 4)), '20 01 0d b8')
    assert.throws(
      () =>
        encodeBulkQuery({
          family: 6,
          xid: 1,
          select: { by: 'hardware-address', hardwareType: 1, hardwareAddress: relayId },
        }),
      RangeError,
    )
  })

  it('have transaction-ids of their own (RFC 6926 section 7.1, RFC 5460 section 6.5)', () => {
    assert.throws(() => asked(4, 1, 1), RangeError)
    const client = asked(4, 1)
    client.handle(done4(1), NOW)
    client.query({ xid: 1, select: { by: 'all' } })
    assert.equal(client.outstanding, 1)
  })
})

describe('answers to Bulk queries', () => {
  it('are told apart by their transaction-ids, one octet at a time as well (RFC 6926 section 7.3)', () => {
    const octets = concat(active4(1, 1), active4(2, 2), active4(1, 3), done4(2), done4(1))
    const whole = asked(4, 1, 2).handle(octets, NOW)
    assert.deepEqual(short(whole), ['1 192.0.2.1', '2 192.0.2.2', '1 192.0.2.3', '2 Success', '1 Success'])
    const client = asked(4, 1, 2)
    assert.deepEqual(
      [...octets].flatMap((octet) => client.handle(Uint8Array.of(octet), NOW)),
      whole,
    )
  })

  it('give the first base-time to go on from', () => {
    const events = asked(4, 1).handle(concat(active4(1, 1), active4(1, 9), done4(1)), NOW)
    const done = events.at(-1)!
    assert.ok(done.type === 'done' && done.baseTime === NOW + 1)
    const [first] = events
    assert.ok(first?.type === 'binding' && first.binding.expires === NOW + 101)
  })

  it('say why a query failed (RFC 6926 section 8.2)', () => {
    const status = option4(151, [2, ...ascii('no room')])
    const [done] = asked(4, 1).handle(done4(1, status), NOW)
    assert.deepEqual(done, {
      type: 'done',
      xid: 1,
      status: 'QueryTerminated',
      text: 'no room',
      baseTime: undefined,
    })
  })

  it('are complete by the rules of RFC 5460 section 6.3.1', () => {
    const with1 = concat(message(15, 1, client6(1)), message(17, 1, client6(2)), message(16, 1))
    assert.deepEqual(short(asked(6, 1).handle(with1, NOW)), ['1 2001:db8::1', '1 2001:db8::2', '1 Success'])
    assert.deepEqual(short(asked(6, 1).handle(message(15, 1), NOW)), ['1 Success'])
    const refused = message(15, 1, option6(13, [0, 9]))
    assert.deepEqual(short(asked(6, 1).handle(refused, NOW)), ['1 NotConfigured'])
    const cut = concat(message(15, 1, client6(1)), message(16, 1, option6(13, [0, 11])))
    assert.deepEqual(short(asked(6, 1).handle(cut, NOW)), ['1 2001:db8::1', '1 QueryTerminated'])
  })

  it('may hold a LEASEQUERY-DATA without client data, which says nothing (RFC 5460 section 6.3)', () => {
    const octets = concat(message(15, 1, client6(1)), message(17, 1), message(16, 1))
    assert.deepEqual(short(asked(6, 1).handle(octets, NOW)), ['1 2001:db8::1', '1 Success'])
  })

  const broken: [string, 4 | 6, Uint8Array][] = [
    ['to nothing that was asked', 4, active4(2, 1)],
    ['after the end', 4, concat(done4(1), active4(1, 1))],
    ['of a type that answers no Bulk query', 4, framed(message4(2, 1, option4(53, [17])))],
    ['that cannot be read', 4, Uint8Array.of(0, 1, 9)],
    ['to nothing that was asked', 6, message(15, 2)],
    ['with data before the reply', 6, message(17, 1, client6(1))],
    ['with an end before the reply', 6, message(16, 1)],
    ['with a second reply', 6, concat(message(15, 1, client6(1)), message(15, 1))],
    ['of a type that answers no Bulk query', 6, message(7, 1)],
  ]
  for (const [what, family, octets] of broken)
    it(`DHCPv${family}: an answer ${what} breaks the protocol`, () => {
      assert.throws(() => asked(family, 1).handle(octets, NOW), { code: 'ALQ_SERVER_PROTOCOL' })
    })
})
