// What the RFCs say of a requestor's messages and of how it reads a server's, statement by statement, without sockets.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { parseArguments } from '../../sidecar/requestor/arguments.ts'
import { bindingJson } from '../../sidecar/requestor/binding-json.ts'
import { BulkClient, type BulkEvent, encodeBulkQuery } from '../../sidecar/requestor/bulk-client.ts'
import { ActiveClient, encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import type { RequestorEvent } from '../../sidecar/requestor/events.ts'
import { changeBetween } from '../../sidecar/requestor/mirror/row.ts'
import { ClockSkew } from '../../sidecar/requestor/mirror/skew.ts'
import { startFrame } from '../../sidecar/requestor/start-tls.ts'
import { shows } from '../conformance/rows.ts'
import { ascii, concat, hex, option6, toHex, u32 } from '../wire/bytes.ts'
import {
  accepts,
  active4,
  base6,
  binding,
  bulkAnswer,
  client6,
  done4,
  type Family,
  IDENTIFIED,
  NOW,
  options6,
  optionsOf,
  reply4,
  reply6,
  SERVER4,
  status,
  status4,
  timeOf,
  typeOf,
  xidOf,
} from './rows.ts'

const XID = 7
const active = (family: Family, since?: number) => new ActiveClient({ family, xid: XID, since })
function bulk(family: Family, ...xids: number[]): BulkClient {
  const client = new BulkClient(family)
  for (const xid of xids.length > 0 ? xids : [XID]) client.query({ xid, select: { by: 'all' } })
  return client
}
const types = (events: readonly { type: string }[]) => events.map(({ type }) => type)
const told = (events: readonly (RequestorEvent | BulkEvent)[]) =>
  events.flatMap((event) => (event.type === 'binding' ? [event.binding] : []))
const refused = (...argv: string[]) => assert.throws(() => parseArguments(argv, NOW), { code: 'ALQ_FLAG' })
/** The frame that `leasequery fetch` sends. */
function fetched(...argv: string[]): Uint8Array {
  const command = parseArguments(['fetch', 'h', ...argv], NOW)
  assert.ok(command.run === 'fetch')
  return encodeBulkQuery({ ...command, xid: XID })
}

describe('active queries', () => {
  shows(['7724-7.3-02', '7724-5.2.1-01'], () => {
    const frame = encodeActiveQuery({ family: 4, xid: XID, since: 500 })
    assert.deepEqual(
      [...frame.subarray(2 + 12, 2 + 16), ...frame.subarray(2 + 28, 2 + 44)],
      new Array(20).fill(0),
    )
    assert.equal(optionsOf(4, frame).has(61), false)
    assert.equal(typeOf(4, frame), 16)
    assert.equal(typeOf(4, startFrame(4, 1)), 18)
    assert.deepEqual(types(active(4).handle(reply4(17, XID, { 151: [6] }), NOW)), ['accepted', 'keepalive'])
  })
  shows('7724-7.3-04', () => {
    const list = optionsOf(4, encodeActiveQuery({ family: 4, xid: XID })).get(55)!
    for (const code of [51, 82, 91, 152, 153, 156]) assert.ok(list.includes(code), `option ${code}`)
  })
  shows('7724-7.2-06', () => {
    assert.equal(toHex(startFrame(4, 1).subarray(2 + 240)), '35 01 12 ff')
  })
  shows(['7653-6.2.2-01', '7653-6.2.1-05'], () => {
    assert.equal(toHex(startFrame(6, 0x010203)), '00 04 17 01 02 03')
    assert.equal(encodeActiveQuery({ family: 6, xid: XID })[2], 0x16)
  })
  shows(['7653-6.2.1-02', '7653-6.3.2-01'], () => {
    assert.equal(timeOf(6, encodeActiveQuery({ family: 6, xid: XID, since: NOW }), 'start'), NOW)
    assert.equal(timeOf(6, encodeActiveQuery({ family: 6, xid: XID }), 'start'), undefined)
  })
  shows(['7653-6.2.1-03', '7653-6.2.1-04'], () => {
    assert.equal(optionsOf(6, encodeActiveQuery({ family: 6, xid: XID })).has(44), false)
    const link = hex('20 01 0d b8 00*12')
    const only = encodeActiveQuery({ family: 6, xid: XID, linkAddress: link })
    assert.equal(toHex(optionsOf(6, only).get(44)!), `04 ${toHex(link)}`)
    assert.throws(() => encodeActiveQuery({ family: 4, xid: XID, linkAddress: link }), RangeError)
  })
  shows('7653-6.3.3-02', () => {
    refused('watch', '-6', 'h', '--end', '500')
    assert.equal(optionsOf(6, encodeActiveQuery({ family: 6, xid: XID, since: 1 })).has(102), false)
  })
  shows(['6926-9-04', '7653-10-03'], () => {
    assert.equal(optionsOf(4, encodeActiveQuery({ family: 4, xid: XID })).has(90), false)
    assert.equal(optionsOf(6, encodeActiveQuery({ family: 6, xid: XID })).has(11), false)
    const with90 = active4(XID, 1, { 90: [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0] })
    assert.equal(told(active(4).handle(with90, NOW)).length, 1, 'one that was received is ignored')
  })

  for (const family of [4, 6] as const) {
    const id = (four: string, six: string) => (family === 4 ? four : six)
    shows([id('7724-7.3-06', '7653-8.3-02'), id('7724-7.4-07', '7653-8.4-05')], () => {
      const client = active(family)
      client.handle(accepts(family, XID, 90), NOW)
      const events = [100, 102, 101].flatMap((at) => client.handle(binding(family, XID, 1, NOW + at), NOW))
      assert.equal(events.at(-1)?.resumePoint, NOW + 102)
    })
    shows([id('7724-7.3-07', '7653-8.3-03'), id('7724-7.4.1-07', '7653-8.4.1-05')], () => {
      const client = active(family, NOW)
      client.handle(accepts(family, XID, NOW + 100), NOW)
      const catching = [200, 300].flatMap((at) => client.handle(binding(family, XID, 1, NOW + at), NOW))
      assert.deepEqual(new Set(catching.map(({ resumePoint }) => resumePoint)), new Set([NOW]))
      const [done] = client.handle(status(family, XID, 'caughtUp', NOW + 310), NOW)
      assert.equal(done?.resumePoint, NOW + 310)
      const ended = active(family, NOW)
      ended.handle(accepts(family, XID), NOW)
      const [terminated] = ended.handle(status(family, XID, 'terminated', NOW + 300), NOW)
      assert.ok(terminated?.type === 'terminated' && terminated.resumePoint === NOW)
    })
    shows([id('7724-7.4-06', '7653-8.4-08'), ...(family === 4 ? ['7724-7.4-05'] : [])], () => {
      const client = active(family)
      let count = told(client.handle(accepts(family, XID), NOW)).length
      const same = binding(family, XID, 1)
      for (let n = 0; n < 10_000; n++) count += told(client.handle(same, NOW)).length
      assert.equal(count, 10_000)
    })
    shows(id('7724-6-01', '7653-7-01'), () => {
      const holder = (octets: readonly number[]) =>
        family === 4
          ? active4(XID, 1, { 61: octets })
          : reply6(17, XID, [
              ...base6(NOW),
              ...option6(45, [
                ...option6(1, octets),
                ...option6(46, u32(1)),
                ...option6(5, [...new Array(16).fill(1), ...u32(9), ...u32(9)]),
              ]),
            ])
      const client = active(family)
      client.handle(accepts(family, XID), NOW)
      const [first, second] = [1, 2].map((n) => told(client.handle(holder([0, 3, n]), NOW))[0]!)
      const change = changeBetween(bindingJson(first!), bindingJson(second!), true)
      assert.ok(change?.change === 'changed' && change.binding['client-id'] === '000302')
    })
    shows(id('7724-5.1-01', '7653-6.1-01'), () => {
      const octets = concat(accepts(family, XID), binding(family, XID, 1), binding(family, XID, 2))
      const client = active(family)
      const split = [...octets].flatMap((octet) => client.handle(Uint8Array.of(octet), NOW))
      assert.deepEqual(split, active(family).handle(octets, NOW))
      assert.equal(told(split).length, 2)
      const frame = encodeActiveQuery({ family, xid: XID })
      assert.equal((frame[0]! << 8) | frame[1]!, frame.length - 2)
    })
  }

  shows('7724-5.2.2-03', () => {
    const names = [5, 6, 7].map((code) => types(active(4, NOW).handle(status4(XID, code), NOW)).at(-1))
    assert.deepEqual(names, ['data-missing', 'keepalive', 'catch-up-complete'])
    const [refusal] = active(4).handle(status4(XID, 8), NOW)
    assert.ok(refusal?.type === 'terminated' && refusal.status === 'TLSConnectionRefused')
  })
  shows(['7724-5.2.2-01', '6926-6.2.2-03'], () => {
    const client = active(4)
    const records = [active4(XID, 1, { 151: [1] }), active4(XID, 2)].flatMap((frame) =>
      told(client.handle(frame, NOW)),
    )
    assert.deepEqual(
      records.map(({ status }) => status),
      ['UnspecFail', undefined],
    )
    assert.equal(client.over, false)
    assert.deepEqual(types(client.handle(status4(XID, 1), NOW)), ['terminated'])
    const events = bulk(4).handle(concat(active4(XID, 1, { 151: [1] }), done4(XID)), NOW)
    const [flagged] = told(events)
    assert.equal(flagged?.status, 'UnspecFail')
    assert.ok(events.at(-1)?.type === 'done' && (events.at(-1) as { status: string }).status === 'Success')
  })
  shows('7724-3-03', () => {
    const frame = active4(XID, 9, { 91: u32(47), 153: u32(99), 156: [2], 157: [1] })
    assert.deepEqual(told(active(4).handle(frame, NOW)), told(bulk(4).handle(frame, NOW)))
  })
  shows('7653-8.4-02', () => {
    const clientOnly = reply6(15, XID, [...IDENTIFIED.slice(0, IDENTIFIED.length - 14), ...client6(1)])
    const foreign = reply6(15, XID, [...option6(1, [0, 3, 9]), ...option6(2, [0, 3, 8]), ...client6(1)])
    for (const frame of [clientOnly, foreign]) {
      assert.throws(() => active(6).handle(frame, NOW), { code: 'ALQ_SERVER_PROTOCOL' })
    }
  })
  shows('7653-8.4.1-04', () => {
    for (const [name, first] of [
      ['caughtUp', false],
      ['dataMissing', false],
      ['dataMissing', true],
    ] as const) {
      const client = active(6, NOW - 1000)
      if (!first) client.handle(accepts(6, XID), NOW)
      client.handle(status(6, XID, name, NOW, first), NOW)
      assert.equal(client.catchingUp, false)
      const [event] = client.handle(binding(6, XID, 1, NOW + 5), NOW)
      assert.equal(event?.resumePoint, NOW + 5)
    }
  })
  shows(['7653-8.5-01', '6926-7.4-01', '6926-6.2.5-01', '6926-6.2.6-01', '7653-6.3.3-03'], () => {
    // The server's clock is an hour ahead of ours.
    for (const family of [4, 6] as const) {
      const skew = new ClockSkew()
      skew.observe(NOW + 3600, NOW)
      const client = active(family, NOW)
      client.handle(accepts(family, XID), NOW)
      const event = client.handle(binding(family, XID, 1, NOW + 3600), NOW).at(-1)
      assert.ok(event?.type === 'binding' && event.baseTime === NOW + 3600)
      assert.equal(bindingJson(event.binding, skew.seconds).expires, NOW + 600)
      const [done] = client.handle(status(family, XID, 'caughtUp', NOW + 3601), NOW)
      const next = done!.resumePoint!
      assert.equal(timeOf(family, encodeActiveQuery({ family, xid: 8, since: next }), 'start'), NOW + 3601)
      const window = encodeBulkQuery({ family, xid: 8, select: { by: 'all' }, start: NOW, end: next })
      assert.equal(timeOf(family, window, 'end'), NOW + 3601)
    }
  })
})

describe('Bulk queries', () => {
  shows(['6926-7.2-01', '6926-7.2-02', '6926-6.2.1-01'], () => {
    const frame = fetched()
    assert.equal(typeOf(4, frame), 14)
    const list = optionsOf(4, frame).get(55)!
    for (const code of [152, 51, 153, 91]) assert.ok(list.includes(code))
    assert.deepEqual(types(bulk(4).handle(reply4(15, XID), NOW)), ['done'])
  })
  shows('6926-7.2-03', () =>
    refused('fetch', 'h', '--hardware-address', '02:00:5e:00:00:01', '--client-id', '0101'),
  )
  shows('6926-7.2-04', () => {
    const mac = fetched('--hardware-address', '02:00:5e:10:00:57')
    assert.deepEqual([mac[3], mac[4], toHex(mac.subarray(30, 36))], [1, 6, '02 00 5e 10 00 57'])
    assert.equal(toHex(optionsOf(4, fetched('--client-id', "'ab'")).get(61)!), '61 62')
    assert.equal(toHex(optionsOf(4, fetched('--remote-id', '0102')).get(82)!), '02 02 01 02')
    assert.equal(toHex(optionsOf(4, fetched('--relay-id', '0102')).get(82)!), '0c 02 01 02')
    const all = fetched()
    assert.deepEqual(
      [all[3], all[4], optionsOf(4, all).has(61), optionsOf(4, all).has(82)],
      [0, 0, false, false],
    )
    for (const frame of [mac, all]) assert.equal(toHex(frame.subarray(14, 26)), toHex(new Uint8Array(12)))
  })
  shows('6926-7.2-05', () => {
    refused('fetch', 'h', '--start', '1', '--start', '2')
    refused('fetch', 'h', '--end', '1', '--end', '2')
    refused('fetch', 'h', '--vpn', 'a', '--vpn', 'b')
    const frame = fetched('--start', '1', '--end', '2', '--vpn', 'a')
    assert.deepEqual(
      [154, 155, 221].map((code) => optionsOf(4, frame).has(code)),
      [true, true, true],
    )
  })
  shows(['6926-6.2.6-02', '7653-6.3.3-04', '7653-6.3.3-01'], () => {
    for (const family of [4, 6] as const) {
      const frame = fetched(`-${family}`, '--start', '-10m', '--end', '-1m')
      assert.equal(timeOf(family, frame, 'start'), NOW - 600)
      assert.equal(timeOf(family, frame, 'end'), NOW - 60)
    }
  })
  shows(['6607-3.5-01', '6607-6-01', '6607-3.5-02', '6607-3.5-03', '6926-6.2.9-01'], () => {
    assert.equal(toHex(optionsOf(4, fetched('--vpn', 'abc')).get(221)!), '00 61 62 63')
    assert.equal(toHex(optionsOf(6, fetched('-6', '--vpn', 'abc')).get(68)!), '00 61 62 63')
    assert.equal(
      toHex(optionsOf(4, fetched('--vpn-id', '00000000000009')).get(221)!),
      '01 00 00 00 00 00 00 09',
    )
    refused('fetch', 'h', '--vpn-id', '0001')
    assert.equal(toHex(optionsOf(4, fetched('--all-vpns')).get(221)!), 'fe')
    const vpn = { type: 255, information: new Uint8Array(0) }
    assert.equal(
      toHex(optionsOf(4, encodeBulkQuery({ family: 4, xid: 1, select: { by: 'all' }, vpn })).get(221)!),
      'ff',
    )
  })
  shows(['6607-6-02', '6607-6-03'], () => {
    const options = optionsOf(6, fetched('-6', '--vpn', 'abc'))
    assert.ok(options.has(68))
    assert.equal(options6(options.get(44)!.subarray(17)).has(68), false)
    refused('fetch', '-6', 'h', '--vpn', 'a', '--vpn-id', '00000000000009')
  })
  shows('6607-6-04', () => {
    const options = optionsOf(4, fetched('--vpn', 'abc', '--relay-id', '01'))
    assert.ok(options.has(221))
    assert.equal(toHex(options.get(82)!), '0c 01 01')
  })
  shows('6607-6-05', () => {
    const client = new BulkClient(4)
    client.query({
      xid: XID,
      select: { by: 'all' },
      vpn: { type: 0, information: Uint8Array.from(ascii('foo')) },
    })
    const frames = [
      active4(XID, 1),
      active4(XID, 2, { 221: [0, ...ascii('bar')] }),
      active4(XID, 3, { 221: [0, ...ascii('foo')] }),
    ]
    assert.deepEqual(
      told(client.handle(concat(...frames), NOW)).map(({ address }) => address),
      ['192.0.2.3'],
    )
  })
  shows(['5460-5.3.1-01', '5460-5.3.3-01', '5007-4.1.2.1-02', '5007-4.1.2.1-04'], () => {
    const query = (...argv: string[]) => optionsOf(6, fetched('-6', ...argv)).get(44)!
    const inner = (octets: Uint8Array) => options6(octets.subarray(17))
    const relay = query('--relay-id', '0003aa')
    assert.deepEqual([relay[0], toHex(inner(relay).get(53)!)], [3, '00 03 aa'])
    const remote = query('--remote-id', '9/aabb')
    assert.deepEqual([remote[0], toHex(inner(remote).get(37)!)], [5, '00 00 00 09 aa bb'])
    const address = query('--address', '2001:db8::1')
    assert.equal(address[0], 1)
    assert.equal(
      toHex(inner(address).get(5)!),
      `20 01 0d b8 ${toHex(new Uint8Array(11))} 01 ${toHex(new Uint8Array(8))}`,
    )
    const client = query('--client-id', '000301')
    assert.deepEqual([client[0], toHex(inner(client).get(1)!)], [2, '00 03 01'])
  })
  shows(['5007-4.1.2.1-01', '5007-4.3.1-02'], () => {
    const query = optionsOf(6, fetched('-6')).get(44)!
    assert.equal(query[0], 4)
    assert.ok(query.length >= 17)
    options6(query.subarray(17))
  })
  shows('5007-4.1.2.1-05', () => {
    const options = optionsOf(6, fetched('-6', '--options', '47,100'))
    assert.equal(toHex(options6(options.get(44)!.subarray(17)).get(6)!), '00 2f')
    assert.equal(toHex(options.get(6)!), '00 64')
  })
  shows('5007-4.3.1-01', () => {
    const [one, two] = [fetched('-6'), fetched('-6')].map((frame) => toHex(optionsOf(6, frame).get(1)!))
    assert.equal(one, two)
  })
  shows(['7724-7.3-03', '6926-7.1-01', '5460-6.5-01', '7653-6.2.1-01'], () => {
    for (const family of [4, 6] as const) {
      const client = new BulkClient(family)
      const xids = [1, 2, 3].map((xid) => xidOf(family, client.query({ xid, select: { by: 'all' } })))
      assert.deepEqual(xids, [1, 2, 3])
      assert.throws(() => client.query({ xid: 2, select: { by: 'all' } }), RangeError)
    }
  })
  shows(['6926-6.1-01', '5460-5.1-01'], () => {
    for (const family of [4, 6] as const) {
      const answer = bulkAnswer(family, XID, [1, 2, 3])
      const client = bulk(family)
      const split = [...answer].flatMap((octet) => client.handle(Uint8Array.of(octet), NOW))
      assert.deepEqual(split, bulk(family).handle(answer, NOW))
      assert.equal(told(split).length, 3)
    }
  })
  shows('6926-6.1-02', () => {
    const clientId = new Uint8Array(70_000)
    assert.throws(
      () => encodeBulkQuery({ family: 4, xid: 1, select: { by: 'client-id', clientId } }),
      RangeError,
    )
    assert.throws(
      () => encodeBulkQuery({ family: 6, xid: 1, select: { by: 'client-id', clientId } }),
      RangeError,
    )
  })
})

describe('answers to Bulk queries', () => {
  shows(['6926-6.2.2-01', '6926-6.2.2-02'], () => {
    const [done] = bulk(4).handle(done4(XID, { 151: [3, ...Buffer.from('naïf')] }), NOW)
    assert.ok(done?.type === 'done' && done.status === 'MalformedQuery' && done.text === 'naïf')
    assert.throws(() => bulk(4).handle(done4(XID, { 151: [3, 0x61, 0] }), NOW), {
      code: 'ALQ_SERVER_PROTOCOL',
    })
  })
  shows('6926-6.2.7-04', () => {
    assert.equal(told(bulk(4).handle(active4(XID, 1), NOW))[0]?.state, BindingState.active)
  })
  shows(['6926-6.2.7-06', '6926-7.3-10'], () => {
    const states = [2, 6, 2, 5, 1]
    const frames = states.map((state, i) =>
      reply4(state === 2 ? 13 : 11, XID, { 152: u32(NOW - i), 156: [state] }, [192, 0, 2, 1]),
    )
    assert.deepEqual(
      told(bulk(4).handle(concat(...frames), NOW)).map(({ state }) => state),
      states,
    )
  })
  shows(['6926-6.2.8-02', '6926-6.2.8-03'], () => {
    const sources = [undefined, 0xfe, 0xff].map((value) => {
      const frame = active4(XID, 1, value === undefined ? {} : { 157: [value] })
      return told(bulk(4).handle(frame, NOW))[0]!.remote
    })
    assert.deepEqual(sources, [false, false, true])
  })
  shows('6926-7.3-02', () => {
    const octets = Buffer.concat([...new Array<Uint8Array>(10_000).fill(active4(XID, 1)), done4(XID)])
    const events = bulk(4).handle(octets, NOW)
    assert.equal(told(events).length, 10_000)
    assert.equal(types(events).at(-1), 'done')
  })
  shows('5460-6.3-06', () => {
    const reply = reply6(15, XID, [...IDENTIFIED, ...client6(1)])
    const data = new Array<Uint8Array>(10_000).fill(reply6(17, XID, client6(2)))
    const octets = Buffer.concat([reply, ...data, reply6(16, XID)])
    assert.equal(told(bulk(6).handle(octets, NOW)).length, 10_001)
  })
  shows('6926-7.3-06', () => {
    const frames = [active4(XID, 1, { 54: SERVER4 }), active4(XID, 2), active4(XID, 3)]
    const servers = told(bulk(4).handle(concat(...frames), NOW)).map(({ server }) => toHex(server))
    assert.deepEqual(servers, ['c0 00 02 01', 'c0 00 02 01', 'c0 00 02 01'])
  })
  shows('6926-7.3-08', () => {
    const [done] = bulk(4).handle(done4(XID), NOW)
    assert.ok(done?.type === 'done' && done.status === 'Success')
  })
  shows('4388-6.5-01', () => {
    const fixed = active4(XID, 1, { 82: [1, 2, 0x61, 0x62, 2, 1, 0x63], 61: [1, 9] })
    fixed.set([1, 6], 3)
    fixed.set([2, 0, 0x5e, 0, 0, 1], 2 + 28)
    const json = bindingJson(told(bulk(4).handle(fixed, NOW))[0]!)
    assert.equal(json['hardware-address'], '02005e000001')
    assert.deepEqual([json.relay?.['circuit-id'], json.relay?.['remote-id']], ['6162', '63'])
  })
  shows(['5460-6.3-02', '5460-6.3.1-01'], () => {
    const none = bulk(6).handle(bulkAnswer(6, XID, []), NOW)
    assert.deepEqual(types(none), ['done'])
    assert.deepEqual(types(bulk(6).handle(bulkAnswer(6, XID, [1]), NOW)), ['binding', 'done'])
    assert.equal(bulk(6).outstanding, 1, 'else it is complete when the connection closes')
  })
  shows('5460-6.3-03', () => {
    const answer = concat(
      reply6(15, XID, [...IDENTIFIED, ...client6(1)]),
      reply6(17, XID, base6(NOW)),
      reply6(17, XID, client6(2)),
      reply6(16, XID),
    )
    assert.deepEqual(types(bulk(6).handle(answer, NOW)), ['binding', 'binding', 'done'])
  })
  shows('5007-4.2.1-04', () => {
    assert.throws(() => bulk(6).handle(reply6(14, XID), NOW), /LEASEQUERY answers no Bulk query/)
    assert.throws(() => active(6).handle(reply6(14, XID), NOW), /LEASEQUERY answers no active query/)
  })
  shows(['5007-4.2.2-01', '5007-4.2.2-02', '5007-4.2.2-03'], () => {
    const serverless = IDENTIFIED.slice(0, IDENTIFIED.length - 14)
    const foreign = [...option6(1, [0, 3, 9]), ...IDENTIFIED.slice(IDENTIFIED.length - 14)]
    const anonymous = IDENTIFIED.slice(IDENTIFIED.length - 14)
    for (const identified of [serverless, foreign, anonymous]) {
      assert.throws(() => bulk(6).handle(reply6(15, XID, [...identified, ...client6(1)]), NOW), {
        code: 'ALQ_SERVER_PROTOCOL',
      })
    }
    assert.throws(
      () => bulk(6).handle(reply6(15, XID + 1, [...IDENTIFIED, ...client6(1)]), NOW),
      /transaction-id 8/,
    )
  })
  shows('5007-4.3.3-01', () => {
    for (const success of [[], option6(13, [0, 0])]) {
      const [done] = bulk(6).handle(reply6(15, XID, [...IDENTIFIED, ...success]), NOW)
      assert.ok(done?.type === 'done' && done.status === 'Success')
    }
  })
  shows('5007-4.3.3-02', () => {
    const answer = concat(
      reply6(15, XID, [...IDENTIFIED, ...client6(1, null)]),
      reply6(17, XID, client6(2)),
      reply6(16, XID),
    )
    assert.deepEqual(
      told(bulk(6).handle(answer, NOW)).map(({ address }) => address),
      ['2001:db8::2'],
    )
  })
  shows('5007-4.3.3-03', () => {
    const names = [7, 8, 9, 10].map((code) => {
      const [done] = bulk(6).handle(reply6(15, XID, [...IDENTIFIED, ...option6(13, [0, code])]), NOW)
      return done?.type === 'done' ? done.status : undefined
    })
    assert.deepEqual(names, ['UnknownQueryType', 'MalformedQuery', 'NotConfigured', 'NotAllowed'])
  })
  shows(['6926-7.3-03', '5460-6.3-05'], () => {
    assert.throws(() => bulk(4).handle(active4(XID + 1, 1), NOW), { code: 'ALQ_SERVER_PROTOCOL' })
    assert.throws(() => bulk(6).handle(reply6(16, XID + 1), NOW), { code: 'ALQ_SERVER_PROTOCOL' })
  })
})

it('a DHCPv6 time is the second that the server meant, whatever fraction of one our clock shows', () => {
  for (let fraction = 0; fraction < 1; fraction += 0.0137) {
    const client = active(6)
    const [accepted] = client.handle(accepts(6, XID, NOW + 500), NOW + 31_557_600 + fraction)
    assert.equal(accepted?.resumePoint, NOW + 500)
  }
})

describe('the command line', () => {
  shows(['6926-6.3-03', '5460-5.6-03'], () => {
    for (const [family, port] of [
      [4, 67],
      [6, 547],
    ] as const) {
      const command = parseArguments(['fetch', 'h', `-${family}`], NOW)
      assert.ok(command.run === 'fetch' && command.port === port)
      const other = parseArguments(['fetch', 'h:10547', `-${family}`], NOW)
      assert.ok(other.run === 'fetch' && other.port === 10547)
    }
  })
})
