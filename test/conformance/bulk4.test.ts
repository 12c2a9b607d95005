// DHCPv4 Bulk Leasequery, statement by statement. Queries come from the dumb writer; replies are read by the codec, whose
// own tests are elsewhere.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BindingData, BindingState, INFINITE, Origin } from '../../sidecar/binding.ts'
import { dialect4 } from '../../sidecar/session/dialect4.ts'
import { formatAddress } from '../../sidecar/wire/address.ts'
import { decodeMessage4 } from '../../sidecar/wire/v4/codec.ts'
import type { Message4 } from '../../sidecar/wire/v4/messages.ts'
import { statusNames4 } from '../../sidecar/wire/v4/status.ts'
import { Driver, type Setup, START } from '../session/driver.ts'
import { dhcp4 } from '../session/families.ts'
import { ascii, concat, framed, hex, message4, option4, toHex, u32, vector } from '../wire/bytes.ts'
import { shows } from './rows.ts'

const ACTIVE = 13
const UNASSIGNED = 11
const DONE = 15
const EVERYTHING = [51, 58, 59, 61, 82, 91, 152, 153, 156, 157, 12, 60, 92, 90, 125, 221]
const XID = 0x4a1c0002

type At = Readonly<Record<number, readonly number[]>>

function query(options: readonly number[] = [], at: At = {}, xid = XID): Uint8Array {
  return framed(message4(1, xid, [...option4(53, [14]), ...options], at))
}
const asking = option4(55, EVERYTHING)
/** A query by MAC address. */
const mac = (octets: readonly number[], htype = 1): At => ({ 1: [htype, octets.length], 28: octets })

interface Server {
  readonly driver: Driver
  put(n: number, changes?: Partial<BindingData>): void
  ask(options?: readonly number[], at?: At): Message4[]
  fresh(): Message4[]
}

function server(setup: Partial<Setup> = {}): Server {
  const driver = new Driver(dialect4, {
    ...setup,
    service: { bulkEnabled: true, ...setup.service },
    configured: setup.configured ?? { addresses: [] },
  })
  const fresh = () => driver.fresh().map((frame) => decodeMessage4(frame.subarray(2)))
  return {
    driver,
    fresh,
    put(n, changes = {}) {
      const { keaNow, now } = driver.time.moment
      driver.index.put(
        dhcp4.binding(n, n, { clientLastTransaction: keaNow, stateSince: keaNow, ...changes }),
        now,
      )
    },
    ask(options = asking, at = {}) {
      driver.receive(query(options, at))
      return fresh()
    },
  }
}

const pool = (count: number) => ({
  addresses: Array.from({ length: count }, (_, i) => Uint8Array.of(192, 0, 2, i)),
})
const name = ({ ciaddr }: Message4): string => formatAddress(ciaddr!)
const named = (messages: readonly Message4[], type?: number): string[] =>
  messages.filter((one) => (type === undefined ? one.type !== DONE : one.type === type)).map(name)
const statusOf = (message: Message4 | undefined) =>
  message?.options.status && statusNames4[message.options.status.code]
const only = (messages: readonly Message4[]): Message4 => {
  assert.deepEqual(
    messages.map(({ type }) => type),
    [messages[0]!.type, DONE],
  )
  return messages[0]!
}
const relay = (remoteId: string, relayId: string): Uint8Array =>
  Uint8Array.from([
    ...option4(1, ascii('eth1')),
    ...option4(2, ascii(remoteId)),
    ...option4(12, ascii(relayId)),
  ])

describe('DHCPv4 Bulk Leasequery: queries (RFC 6926 section 8.2)', () => {
  shows('6926-8.2-10', () => {
    const { put, ask } = server()
    const hardwareAddress = Uint8Array.of(2, 0, 0x5e, 0, 0, 1)
    for (const n of [1, 2, 3]) put(n, { hardwareAddress })
    put(4)
    put(5, { hardwareAddress, hardwareType: 6 })
    put(6, { hardwareAddress, state: BindingState.released })
    assert.deepEqual(named(ask(asking, mac([...hardwareAddress])), ACTIVE).sort(), [
      '192.0.2.1',
      '192.0.2.2',
      '192.0.2.3',
    ])
    assert.deepEqual(named(ask(asking, mac([...hardwareAddress], 6))), ['192.0.2.5'])
    assert.deepEqual(named(ask(asking, mac([...hardwareAddress.subarray(0, 5)]))), [])
  })

  shows('6926-8.2-11', () => {
    const { put, ask } = server()
    const clientId = hex('01 02 00 5e 10 00 57')
    for (const n of [1, 2, 3]) put(n, { clientId })
    put(4, { clientId, clientLastTransaction: START - 3601 })
    put(5)
    const messages = ask([...asking, ...option4(61, clientId)])
    assert.deepEqual(named(messages, ACTIVE).sort(), ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
    assert.equal(messages.length, 4)
  })

  shows('6926-8.2-12', () => {
    const { put, ask } = server()
    put(1, { relay: relay('X', 'R') })
    put(2, { relay: relay('Y', 'R') })
    put(3, { relay: relay('X', 'S'), state: BindingState.expired })
    assert.deepEqual(named(ask([...asking, ...option4(82, option4(2, ascii('X')))])), ['192.0.2.1'])
  })

  shows('6926-8.2-13', () => {
    const { put, ask } = server()
    put(1, { relay: relay('X', 'R') })
    put(2, { relay: relay('X', 'S') })
    assert.deepEqual(named(ask([...asking, ...option4(82, option4(12, ascii('R')))])), ['192.0.2.1'])
  })

  shows(['6926-8.2-14', '6926-8.2-15', '6926-8.2-16'], () => {
    const { put, ask } = server({ configured: pool(256) })
    for (let n = 10; n < 20; n++) put(n)
    put(30, { state: BindingState.released })
    put(31, { state: BindingState.abandoned })
    const messages = ask()
    assert.equal(named(messages, ACTIVE).length, 10)
    assert.equal(named(messages, UNASSIGNED).length, 246)
    assert.equal(new Set(named(messages)).size, 256)
    assert.equal(messages.at(-1)?.type, DONE)
  })

  it('tells of leased addresses outside of all pools, too: a full answer replaces what the requestor knows', () => {
    const { put, ask } = server({ configured: { addresses: [Uint8Array.of(198, 51, 100, 1)] } })
    put(7)
    assert.deepEqual(named(ask()).sort(), ['192.0.2.7', '198.51.100.1'])
  })

  it('takes option 82 without remote-id and relay-id as no primary query', () => {
    const { put, ask } = server()
    put(1)
    assert.deepEqual(named(ask([...asking, ...option4(82, option4(1, ascii('eth1')))])), ['192.0.2.1'])
  })

  it('takes htype alone as no query by MAC address', () => {
    const { put, ask } = server()
    put(1)
    assert.deepEqual(named(ask(asking, { 1: [1] })), ['192.0.2.1'])
  })

  shows('6926-8.2-08', () => {
    const { put, ask, driver } = server()
    put(1)
    for (const at of [12, 16, 20]) {
      const [done, ...more] = ask(asking, { [at]: [192, 0, 2, 1] })
      assert.deepEqual([done?.type, statusOf(done), more.length], [DONE, 'MalformedQuery', 0])
    }
    assert.deepEqual(named(ask()), ['192.0.2.1'], 'the connection is usable')
    assert.equal(driver.closed, undefined)
  })

  shows('6926-8.2-09', () => {
    const { put, ask } = server()
    put(1)
    const client = option4(61, [1, 2, 3])
    const remote = option4(2, ascii('X'))
    const both = [
      ask([...asking, ...client], mac([2, 0, 0x5e, 0, 0, 1])),
      ask([...asking, ...client, ...option4(82, remote)]),
      ask([...asking, ...option4(82, [...remote, ...option4(12, ascii('R'))])]),
    ]
    for (const [done, ...more] of both)
      assert.deepEqual([done?.type, statusOf(done), more.length], [DONE, 'NotAllowed', 0])
  })

  it('answers what cannot be meant with MalformedQuery', () => {
    const { ask } = server()
    const bad: [readonly number[], At?][] = [
      [asking, { 2: [17] }],
      [asking, { 28: [1] }],
      [option4(82, [2, 9, 1])],
      [option4(82, [12, 0])],
      [option4(154, [0, 0, 0])],
      [[...option4(154, u32(START)), ...option4(155, u32(START - 1))]],
      [[...option4(154, u32(START)), ...option4(154, u32(START))]],
      [option4(61, [1])],
    ]
    for (const [options, at] of bad) {
      const [done, ...more] = ask(options, at)
      assert.deepEqual(
        [done?.type, statusOf(done), more.length],
        [DONE, 'MalformedQuery', 0],
        toHex(Uint8Array.from(options)),
      )
    }
  })

  shows('4388-6.3-01', () => {
    const { put, ask } = server()
    put(1)
    for (const giaddr of [
      [0, 0, 0, 0],
      [10, 0, 0, 1],
    ])
      assert.deepEqual(named(ask(asking, { 24: giaddr })), ['192.0.2.1'])
  })
})

describe('DHCPv4 Bulk Leasequery: windows (RFC 6926 sections 6.2.5, 6.2.6 and 8.2)', () => {
  const since = (second: number) => option4(154, u32(second))
  const until = (second: number) => option4(155, u32(second))

  shows(['6926-8.2-17', '6926-8.2-18'], () => {
    const { put, ask, driver } = server()
    driver.time.pass(100)
    const changed = driver.time.now
    put(1)
    driver.time.pass(100)
    const found = (...options: number[][]) => named(ask([...asking, ...options.flat()])).length === 1
    assert.ok(found(since(changed)))
    assert.ok(!found(since(changed + 1)))
    assert.ok(found(until(changed)))
    assert.ok(!found(until(changed - 1)))
    assert.ok(found(since(changed), until(changed)))
    assert.ok(!found(since(changed - 5), until(changed - 1)))
  })

  shows('6926-8.2-20', () => {
    const { driver, ask } = server()
    const past = { clientLastTransaction: START - 500, stateSince: START - 500 }
    driver.index.put(dhcp4.binding(1, 1, past), START - 500)
    driver.index.put(dhcp4.binding(2, 2, { ...past, clientLastTransaction: START }), START - 500)
    driver.index.put(
      dhcp4.binding(3, 3, { ...past, stateSince: START, state: BindingState.released }),
      START - 500,
    )
    driver.index.put(dhcp4.binding(4, 4, past), START)
    assert.deepEqual(named(ask([...asking, ...since(START - 10)])).sort(), [
      '192.0.2.2',
      '192.0.2.3',
      '192.0.2.4',
    ])
  })

  it('relates times of leases, which are on the clock of Kea, to the window, which is on ours', () => {
    const { driver, put, ask } = server()
    driver.time.keaAhead = 1000
    put(1)
    assert.deepEqual(named(ask([...asking, ...until(START - 1)])), [])
    assert.deepEqual(named(ask([...asking, ...since(START + 1)])), [])
  })

  it('counts an address as changed of which nothing is known, where the start time lies below the horizon', () => {
    const { driver, put, ask } = server({ configured: pool(10) })
    put(1)
    driver.time.pass(1000)
    put(2, { state: BindingState.released })
    driver.index.prune()
    put(3)
    const { horizon } = driver.index
    assert.ok(horizon > START)
    // .2 was forgotten: an old start time must bring it, and so all that are as free as it is.
    const below = ask([...asking, ...since(horizon - 1)])
    assert.deepEqual(named(below, ACTIVE), ['192.0.2.3'])
    assert.ok(named(below, UNASSIGNED).includes('192.0.2.2'))
    assert.equal(named(below).length, 9)
    assert.deepEqual(named(ask([...asking, ...since(horizon)])), [])
  })

  it('ends with QueryTerminated where a requestor bound to relays asks for more history than there is', () => {
    const { driver, ask } = server({ rights: { relayIds: [hex('aa')] }, configured: pool(10) })
    driver.index.horizon = START - 100
    const [done] = ask([...asking, ...since(START - 101)])
    assert.equal(statusOf(done), 'QueryTerminated')
    assert.match(done!.options.status!.text, /history/)
    assert.equal(statusOf(ask([...asking, ...since(START - 100)])[0]), undefined)
  })

  it('ends with QueryTerminated for a start time in the future, of which nothing is known', () => {
    const { ask } = server()
    assert.equal(statusOf(ask([...asking, ...since(START + 60)])[0]), 'QueryTerminated')
  })

  it('ends with QueryTerminated and closes where ends are forgotten before they were sent', () => {
    const { driver, put } = server()
    for (let n = 1; n < 9; n++) put(n)
    driver.tell({ type: 'bytes', data: query([...asking, ...since(START)]) })
    for (let i = 0; i < 2; i++) driver.answer()
    driver.take()
    driver.scans.get(1)!.overtaken = true
    driver.settle()
    const frames = driver.fresh().map((frame) => decodeMessage4(frame.subarray(2)))
    assert.equal(statusOf(frames.at(-1)), 'QueryTerminated')
    assert.equal(driver.closed?.reason, 'terminated')
  })
})

describe('DHCPv4 Bulk Leasequery: what a reply says (RFC 6926 section 8.3, RFC 4388 section 6.4.2)', () => {
  const past = (seconds: number): Partial<BindingData> => ({
    clientLastTransaction: START - seconds,
    stateSince: START - seconds,
  })

  shows(
    ['6926-8.3-01', '6926-8.3-02', '6926-6.2.7-01', '6926-6.2.7-02', '6926-6.2.7-03', '4388-6.4-01'],
    () => {
      const { put, ask } = server({ configured: pool(1) })
      put(2)
      put(3, past(4000)) // its time is over, though nobody has said so yet
      put(4, { state: BindingState.released })
      put(5, { state: BindingState.abandoned })
      put(6, { state: BindingState.reset })
      const states = new Map(ask().map((one) => [name(one), [one.type, one.options.dhcpState]]))
      assert.deepEqual(states.get('192.0.2.0'), [UNASSIGNED, 1])
      assert.deepEqual(states.get('192.0.2.2'), [ACTIVE, 2])
      assert.deepEqual(states.get('192.0.2.3'), [UNASSIGNED, 3])
      assert.deepEqual(states.get('192.0.2.4'), [UNASSIGNED, 4])
      assert.deepEqual(states.get('192.0.2.5'), [UNASSIGNED, 5])
      assert.deepEqual(states.get('192.0.2.6'), [UNASSIGNED, 6])
    },
  )

  shows(
    [
      '6926-6.2.3-01',
      '6926-6.2.3-02',
      '6926-6.2.4-01',
      '6926-8.3-03',
      '6926-8.3-04',
      '6926-8.3-07',
      '4388-6.1-01',
      '4388-6.4.2-03',
    ],
    () => {
      const { driver, put, ask } = server()
      put(57, { clientLastTransaction: START - 47, stateSince: START - 14447 })
      driver.time.pass(3)
      const { options } = only(ask())
      assert.equal(options.baseTime, START + 3)
      assert.equal(options.leaseTime, 3550)
      assert.equal(options.clientLastTransactionTime, 50)
      assert.equal(options.startTimeOfState, 14450)
    },
  )

  it('says ffffffff of an infinite lease', () => {
    const { put, ask } = server()
    put(1, { validLifetime: INFINITE })
    assert.equal(only(ask()).options.leaseTime, INFINITE)
  })

  shows(['6926-8.3-05', '4388-6.4.2-04'], () => {
    const { put, ask } = server({ configured: pool(1) })
    put(2, { state: BindingState.released })
    put(3, { ...past(10), state: BindingState.abandoned, validLifetime: 100 })
    const left = new Map(ask().map((one) => [name(one), one.options.leaseTime]))
    assert.deepEqual(
      [left.get('192.0.2.0'), left.get('192.0.2.2'), left.get('192.0.2.3')],
      [undefined, undefined, 90],
    )
  })

  shows(['4388-6.4.2-05', '4388-6.4.2-06'], () => {
    const { put, ask } = server({ service: { timers: () => ({ renew: 1800, rebind: 3150 }) } })
    put(1, past(10))
    put(2, past(2000))
    put(3, past(3200))
    put(4, { ...past(10), state: BindingState.released })
    const timers = new Map(
      ask().map((one) => [name(one), [one.options.renewalTime, one.options.rebindingTime]]),
    )
    assert.deepEqual(timers.get('192.0.2.1'), [1790, 3140])
    assert.deepEqual(timers.get('192.0.2.2'), [undefined, 1150])
    assert.deepEqual(timers.get('192.0.2.3'), [undefined, undefined])
    assert.deepEqual(timers.get('192.0.2.4'), [undefined, undefined])
  })

  shows(['6926-8.3-06', '6926-6.2.8-01'], () => {
    const { put, ask } = server()
    put(1, { origin: Origin.partner })
    put(2)
    const sources = new Map(ask().map((one) => [name(one), one.options.dataSource]))
    assert.deepEqual([sources.get('192.0.2.1'), sources.get('192.0.2.2')], [1, undefined])
  })

  shows(
    [
      '4388-6.4.2-01',
      '4388-6.4.2-02',
      '4388-6.4.2-07',
      '4388-6.4.2-08',
      '6926-8.3-09',
      '6926-5-01',
      '6926-9-04',
    ],
    () => {
      const { put, ask } = server()
      const inserted = relay('cpe-1', 'bng1')
      put(1, {
        clientId: hex('01 02 00 5e 10 00 57'),
        relay: inserted,
        options: Uint8Array.from([...option4(60, ascii('docsis')), ...option4(125, [1, 2, 3])]),
        hostname: Uint8Array.from(ascii('cpe')),
      })
      const { htype, hlen, chaddr, options } = only(ask())
      assert.deepEqual(
        [htype, hlen, toHex(chaddr!)],
        [1, 6, '02 00 5e 00 00 01 00 00 00 00 00 00 00 00 00 00'],
      )
      assert.equal(toHex(options.clientIdentifier!), '01 02 00 5e 10 00 57')
      assert.deepEqual(options.relayAgentInformation, inserted)
      assert.deepEqual(
        options.unknown!.map(({ code, data }) => [code, [...data]]),
        [
          [60, ascii('docsis')],
          [125, [1, 2, 3]],
          [12, ascii('cpe')],
        ],
      )
    },
  )

  it('says hlen 0 of a client without a hardware address (RFC 4388 section 6.4.2)', () => {
    const { put, ask } = server()
    put(1, { hardwareAddress: new Uint8Array(0), hardwareType: 0 })
    const { hlen, chaddr } = only(ask())
    assert.deepEqual([hlen, toHex(chaddr!)], [0, toHex(new Uint8Array(16))])
  })

  shows('6926-7.3-07', () => {
    const { put, ask } = server()
    put(1, { ...past(9), state: BindingState.released, clientId: hex('01 02'), relay: relay('X', 'R') })
    const { type, chaddr, options } = only(ask())
    assert.equal(type, UNASSIGNED)
    assert.equal(chaddr![5], 1)
    assert.deepEqual([toHex(options.clientIdentifier!), options.clientLastTransactionTime], ['01 02', 9])
    assert.deepEqual(options.relayAgentInformation, relay('X', 'R'))
  })

  shows('6926-8.3-08', () => {
    const { put, ask } = server({ configured: pool(3) })
    put(1, { relay: relay('X', 'R') })
    put(2, { state: BindingState.released })
    for (const { type, options } of ask(option4(55, [51, 152]))) {
      const { serverIdentifier: _first, baseTime, leaseTime, ...rest } = options
      assert.deepEqual(rest, {})
      if (type === DONE) continue
      assert.equal(baseTime, START)
      assert.equal(leaseTime, type === ACTIVE ? 3600 : undefined)
    }
  })

  it('sends no base-time that was not asked for', () => {
    const { put, ask } = server()
    put(1)
    assert.deepEqual(only(ask(option4(55, [51]))).options, {
      serverIdentifier: Uint8Array.of(192, 0, 2, 1),
      leaseTime: 3600,
    })
  })

  shows('4388-6.2-01', () => {
    const { put, ask } = server()
    put(1, { clientId: hex('01 02') })
    const { options } = only(ask([]))
    assert.equal(options.leaseTime, 3600)
    assert.equal(options.baseTime, START)
  })

  shows('4388-6.4.2-10', () => {
    const { put, ask } = server({ rights: { withhold: new Set([12, 82]) } })
    put(1, { relay: relay('X', 'R'), hostname: Uint8Array.from(ascii('cpe')) })
    const { options } = only(ask())
    assert.deepEqual([options.relayAgentInformation, options.unknown], [undefined, undefined])
  })

  it('says since when an address is free that nothing is known of: since the horizon at least', () => {
    const { driver, ask } = server({ configured: pool(1) })
    driver.index.horizon = START - 99
    const { options } = only(ask())
    assert.deepEqual([options.startTimeOfState, options.clientLastTransactionTime], [100, undefined])
  })
})

describe('DHCPv4 Bulk Leasequery: the course of a query (RFC 6926 sections 7.3 and 8.2)', () => {
  shows(['6926-6.2.1-01', '6926-8.2-06', '6926-7.3-04', '6926-7.3-09'], () => {
    const { driver } = server()
    // By a MAC address that nobody has, and by such a client identifier.
    for (const data of [query([], mac([2, 0, 0, 0, 0, 9])), query(option4(61, [1, 2, 3]))]) {
      driver.receive(data)
      assert.deepEqual(driver.fresh().map(toHex), [toHex(vector('v4', 'done4'))])
    }
  })

  shows(['6926-8.2-02', '6926-8.2-04', '6926-7.3-05', '6926-7.1-02', '6926-6.2.2-04'], () => {
    const { put, ask } = server()
    for (let n = 1; n <= 10; n++) put(n)
    const messages = ask()
    assert.equal(messages.length, 11)
    assert.deepEqual(
      messages.map(({ options }) => options.serverIdentifier !== undefined),
      [true, ...new Array(10).fill(false)],
    )
    assert.ok(messages.every(({ xid, options }) => xid === XID && options.status === undefined))
    assert.deepEqual(messages.map(({ type }) => type).indexOf(DONE), 10)
  })

  shows(['6926-8.2-03', '6926-6.2.2-01'], () => {
    const { driver } = server()
    driver.receive(query([], { 12: [192, 0, 2, 1] }))
    const [frame] = driver.fresh()
    const status = concat([0x97, 1 + 'ciaddr is not zero'.length, 3], ascii('ciaddr is not zero'))
    assert.ok(toHex(frame!).includes(toHex(status)), toHex(frame!))
  })

  shows('6926-8.2-07', () => {
    const { driver, put, fresh } = server({ configured: pool(20) })
    for (let n = 0; n < 20; n++) put(n)
    driver.tell({ type: 'bytes', data: query(asking) })
    for (let n = 0; n < 40; n++) {
      driver.answer()
      driver.take()
      put(n % 20, n % 3 === 0 ? { state: BindingState.released } : {})
    }
    driver.settle()
    const names = named(fresh())
    assert.equal(names.length, 20)
    assert.equal(new Set(names).size, 20)
  })

  shows(['6926-8.2-05', '6926-8.5-03'], () => {
    const { driver, fresh } = server()
    driver.refusing = 'the leases have not all been read yet'
    driver.receive(query(asking))
    const [done, ...more] = fresh()
    assert.deepEqual([done?.type, statusOf(done), more.length], [DONE, 'QueryTerminated', 0])
    assert.equal(done?.options.status?.text, 'the leases have not all been read yet')
    assert.equal(driver.closed, undefined, 'nothing was cut short')
  })

  shows('6926-8.2-19', () => {
    const { put, ask } = server()
    put(1)
    put(2)
    const global = named(ask())
    assert.equal(global.length, 2)
    for (const type of [254, 255]) assert.deepEqual(named(ask([...asking, ...option4(221, [type])])), global)
    // Another VPN than the global one is served to nobody, and nobody gets global addresses for its own.
    for (const vpn of [
      [0, ...ascii('red')],
      [1, 1, 2, 3, 4, 5, 6, 7],
    ]) {
      const [only, ...more] = ask([...asking, ...option4(221, vpn)])
      assert.deepEqual([only?.type, statusOf(only)], [DONE, 'NotAllowed'])
      assert.deepEqual(more, [])
    }
  })

  shows('6607-7.1-03', () => {
    const { put, ask } = server()
    put(1)
    const messages = ask(option4(55, [221, 152, 51]))
    assert.equal(messages.length, 2)
    assert.ok(messages.every(({ options }) => options.virtualSubnet === undefined))
  })

  shows('6926-6.2.2-02', () => {
    // No status text of ours has one: not where the requestor's own octets are at fault, nor could one be written.
    const { driver } = server()
    for (const options of [
      option4(154, [0, 0, 0]),
      option4(82, [2, 0]),
      option4(221, [0, 0]),
      option4(55, []),
    ]) {
      driver.receive(query(options))
      for (const frame of driver.fresh()) {
        const { status } = decodeMessage4(frame.subarray(2)).options
        assert.ok(status !== undefined && status.text !== '' && !status.text.includes('\0'))
      }
    }
    const refusal = { status: 'malformedQuery', text: 'a\0b' } as const
    const asker = { xid: 1, requestorId: new Uint8Array(0), wantsBaseTime: false }
    const service = { identity: Uint8Array.of(192, 0, 2, 1), activeEnabled: true, bulkEnabled: true }
    const frame = dialect4.refuse('bulk', asker, refusal, service, START)
    assert.equal(decodeMessage4(frame.subarray(2)).options.status?.text, 'a b')
  })

  shows(['6926-6.2.9-01', '6607-3.5-03', '6607-7.1-02'], () => {
    const { put, ask } = server()
    put(1)
    for (const type of [254, 255]) {
      const messages = ask([...asking, ...option4(221, [type])])
      assert.deepEqual(named(messages), ['192.0.2.1'])
      assert.ok(messages.every(({ options }) => options.virtualSubnet === undefined))
      assert.equal(statusOf(ask([...asking, ...option4(221, [type, 1])])[0]), 'MalformedQuery')
    }
  })

  shows(['6607-9-01', '6607-3.5-02'], () => {
    const { put, ask } = server()
    put(1)
    const refused = (value: readonly number[]) => statusOf(ask([...asking, ...option4(221, value)])[0])
    assert.equal(refused([0, ...ascii('abc')]), 'NotAllowed')
    assert.equal(refused([1, 0, 0, 0, 0, 0, 0, 1]), 'NotAllowed')
    assert.equal(refused([1, 0, 0, 0, 0, 0, 1]), 'MalformedQuery')
  })

  shows('6607-7.3-01', () => {
    const { put, ask } = server()
    put(1)
    const named221 = option4(221, [0, ...ascii('abc')])
    const global82 = option4(82, option4(151, [255]))
    assert.deepEqual(named(ask([...asking, ...named221, ...global82])), ['192.0.2.1'])
    const named82 = option4(82, option4(151, [0, ...ascii('abc')]))
    assert.equal(statusOf(ask([...asking, ...option4(221, [255]), ...named82])[0]), 'NotAllowed')
  })

  shows(['6926-8.1-06', '6926-9-03'], () => {
    const { driver, put, ask } = server({ rights: { bulk: false } })
    put(1)
    assert.equal(statusOf(ask()[0]), 'NotAllowed')
    assert.equal(driver.closed?.reason, 'refused')
  })

  it('takes no query by what is withheld: it could be found out by asking', () => {
    const { put, ask } = server({ rights: { withhold: new Set([61, 82]) } })
    put(1, { clientId: hex('01 02'), relay: relay('X', 'R') })
    for (const key of [
      option4(61, [1, 2]),
      option4(82, option4(2, ascii('X'))),
      option4(82, option4(12, ascii('R'))),
    ])
      assert.equal(statusOf(ask([...asking, ...key])[0]), 'NotAllowed')
    assert.deepEqual(named(ask()), ['192.0.2.1'])
  })

  it('shows a requestor bound to relay-ids nothing else, and of free addresses none', () => {
    const { put, ask } = server({ rights: { relayIds: [Uint8Array.from(ascii('R'))] }, configured: pool(10) })
    put(1, { relay: relay('X', 'R') })
    put(2, { relay: relay('X', 'S') })
    put(3)
    put(4, { relay: relay('X', 'R'), state: BindingState.released })
    assert.deepEqual(named(ask()).sort(), ['192.0.2.1', '192.0.2.4'])
    assert.deepEqual(named(ask([...asking, ...option4(82, option4(12, ascii('S')))])), [])
  })

  it('tells a requestor bound to relay-ids once of an address that went from its relay to another one', () => {
    const { driver, put, ask } = server({ rights: { relayIds: [Uint8Array.from(ascii('R'))] } })
    put(1, { relay: relay('X', 'R') })
    driver.time.pass(10)
    put(1, { relay: relay('Y', 'R') })
    put(1, { relay: relay('X', 'S') })
    const messages = ask([...asking, ...option4(154, u32(START))])
    assert.deepEqual(named(messages, UNASSIGNED), ['192.0.2.1'])
    assert.equal(messages.length, 2)
  })
})
