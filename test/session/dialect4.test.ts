// What DHCPv4 messages about an active query say. Expected octets come from the dumb writer.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BindingData, BindingState, INFINITE, NO_OCTETS, Origin } from '../../sidecar/binding.ts'
import { dialect4 } from '../../sidecar/session/dialect4.ts'
import { decodeMessage4 } from '../../sidecar/wire/v4/codec.ts'
import type { Options4 } from '../../sidecar/wire/v4/options.ts'
import { ascii, framed, hex, message4, option4, toHex, u32, vector } from '../wire/bytes.ts'
import { Driver, type Setup, START } from './driver.ts'
import { dhcp4 } from './families.ts'

const XID = 0x4a1c0001
const SERVER = option4(54, [192, 0, 2, 1])
const BASE = option4(152, u32(START))
const ALL = [51, 58, 59, 61, 82, 91, 152, 153, 156, 157, 12, 60, 43]

function query(
  options: readonly number[] = [],
  at: Readonly<Record<number, readonly number[]>> = {},
): Uint8Array {
  return framed(message4(1, XID, [...option4(53, [16]), ...options], at))
}

/** The frames told about bindings stored one after the other, behind the first reply. */
function toldFrames(
  bindings: readonly BindingData[],
  requested: readonly number[] | 'nothing' = ALL,
  setup: Partial<Setup> = {},
): Uint8Array[] {
  const driver = new Driver(dialect4, setup).receive(
    query(requested === 'nothing' ? [] : option4(55, requested)),
  )
  driver.fresh()
  for (const binding of bindings) driver.index.put(binding, driver.time.now)
  driver.grew()
  driver.settle()
  return driver.fresh()
}

function told(
  binding: Partial<BindingData>,
  requested: readonly number[] | 'nothing' = ALL,
  setup: Partial<Setup> = {},
): { type: number; options: Options4; hlen: number | undefined; chaddr: Uint8Array | undefined } {
  const [frame] = toldFrames([dhcp4.binding(57, 1, binding)], requested, setup)
  return decodeMessage4(frame!.subarray(2)) as ReturnType<typeof told>
}

const before = (seconds: number): Partial<BindingData> => ({
  clientLastTransaction: START - seconds,
  stateSince: START - seconds,
})

describe('DHCPLEASEACTIVE and DHCPLEASEUNASSIGNED (RFC 6926 section 8.3, RFC 7724 section 8.2)', () => {
  const worked = dhcp4.binding(57, 1, {
    hardwareAddress: hex('02 00 5e 10 00 57'),
    clientId: hex('01 02 00 5e 10 00 57'),
    clientLastTransaction: START - 47,
    stateSince: START - 14447,
    relay: Uint8Array.from([
      ...option4(1, ascii('eth1/0/7')),
      ...option4(2, ascii('cpe-0057')),
      ...option4(12, hex('00 03 00 01 02 00 5e 00 00 02')),
    ]),
  })

  it('writes the worked example octet for octet, as the first reply of a catch-up phase', () => {
    const driver = new Driver(dialect4)
    driver.index.put(worked, START - 10)
    const alq = vector('v4', 'alq4')
    driver.receive(alq)
    const [first, second] = driver.fresh()
    assert.equal(toHex(first!), toHex(vector('v4', 'active4')))
    // CatchUpComplete: the keepalive's frame with another status, and no server-identifier any more.
    const complete = vector('v4', 'status4-keepalive')
    complete[complete.length - 8] = 7
    assert.equal(toHex(second!), toHex(complete))
  })

  it('writes the worked keepalive', () => {
    const driver = new Driver(dialect4)
    driver.time.step(-60)
    driver.receive(query())
    driver.fresh()
    driver.time.step(0)
    driver.pass(60)
    const [frame] = driver.fresh()
    const expected = message4(2, XID, [
      ...option4(53, [17]),
      ...option4(151, [6]),
      ...option4(152, u32(START + 0)),
    ])
    assert.equal(toHex(frame!), toHex(framed(expected)))
    assert.equal(toHex(frame!), toHex(vector('v4', 'status4-keepalive')))
  })

  it('accepts with the server-identifier, and repeats it in no later message (RFC 6926 section 7.3)', () => {
    const driver = new Driver(dialect4).receive(query())
    driver.index.put(dhcp4.binding(1, 1), START)
    driver.grew()
    driver.settle()
    driver.pass(60)
    driver.tell({ type: 'terminate', text: 'bye' })
    const frames = driver.fresh().map((frame) => decodeMessage4(frame.subarray(2)))
    assert.deepEqual(
      frames.map((message) => message.options.serverIdentifier !== undefined),
      [true, false, false, false],
    )
    assert.equal(
      toHex(driver.sent[0]!.octets),
      toHex(framed(message4(2, XID, [...option4(53, [17]), ...SERVER, ...option4(151, [6]), ...BASE]))),
    )
  })

  it('sends the default set to a query without option 55', () => {
    const data = {
      ...worked,
      origin: Origin.partner,
      options: Uint8Array.from(option4(60, [1])),
      hostname: Uint8Array.of(65),
    }
    const { options } = told(data, 'nothing')
    assert.deepEqual(Object.keys(options).sort(), [
      'baseTime',
      'clientIdentifier',
      'clientLastTransactionTime',
      'dataSource',
      'dhcpState',
      'leaseTime',
      'relayAgentInformation',
      'startTimeOfState',
    ])
  })

  it('sends what option 55 lists and base-time, which is in each reply', () => {
    assert.deepEqual(told(worked, [51]).options, { baseTime: START, leaseTime: 3553 })
    assert.deepEqual(told(worked, [153, 156]).options, {
      baseTime: START,
      startTimeOfState: 14447,
      dhcpState: 2,
    })
  })

  it('7724-8.2-05: withholds what the configuration says, though it is asked for', () => {
    const { options } = told(worked, ALL, { rights: { withhold: new Set([82, 61, 12]) } })
    assert.equal(options.relayAgentInformation, undefined)
    assert.equal(options.clientIdentifier, undefined)
    assert.equal(options.leaseTime, 3553)
  })

  it('sends relay data unasked to a requestor that cannot ask, unless it is withheld', () => {
    const always = { relayDataAlways: true }
    assert.deepEqual(told(worked, [51], { rights: always }).options.relayAgentInformation, worked.relay)
    const withheld = { ...always, withhold: new Set([82]) }
    assert.equal(told(worked, ALL, { rights: withheld }).options.relayAgentInformation, undefined)
  })

  it('7724-7.4-10: has neither associated-ip nor DHCPLEASEUNKNOWN, asked for or not (RFC 7724 section 7.4)', () => {
    const { options } = told({ ...worked, options: Uint8Array.from(option4(92, [1, 2, 3, 4])) }, [92, 90, 51])
    assert.deepEqual(options, { baseTime: START, leaseTime: 3553 })
  })

  const states: [BindingState, type: number][] = [
    [BindingState.available, 11],
    [BindingState.active, 13],
    [BindingState.expired, 11],
    [BindingState.released, 11],
    [BindingState.abandoned, 11],
    [BindingState.reset, 11],
    [BindingState.remote, 11],
    [BindingState.transitioning, 11],
  ]
  for (const [state, type] of states)
    it(`tells state ${state} by message type ${type} and option 156`, () => {
      const message = told({ state })
      assert.deepEqual([message.type, message.options.dhcpState], [type, state])
    })

  it('tells an active lease past its expiry as expired since then', () => {
    const message = told({ ...before(4000), validLifetime: 3600 })
    assert.deepEqual(
      [message.type, message.options.dhcpState, message.options.startTimeOfState, message.options.leaseTime],
      [11, BindingState.expired, 400, undefined],
    )
  })

  it('sends the time left of an infinite lease as infinite', () => {
    assert.equal(told({ validLifetime: INFINITE }).options.leaseTime, INFINITE)
  })

  it('sends a time left without a lease only where the state ends by a timer (RFC 6926 section 8.3)', () => {
    const probation = { state: BindingState.abandoned, validLifetime: 86400, ...before(400) }
    assert.equal(told(probation).options.leaseTime, 86000)
    assert.equal(told({ ...probation, validLifetime: 300 }).options.leaseTime, undefined)
    assert.equal(told({ ...probation, validLifetime: INFINITE }).options.leaseTime, undefined)
    assert.equal(told({ state: BindingState.released }).options.leaseTime, undefined)
  })

  it('sends T1 and T2 as time left, and not when they are past (RFC 4388 section 6.4.2)', () => {
    const service = { timers: () => ({ renew: 900, rebind: 1800 }) }
    const at = (seconds: number, changes = {}): (number | undefined)[] => {
      const { options } = told({ ...before(seconds), ...changes }, ALL, { service })
      return [options.renewalTime, options.rebindingTime]
    }
    assert.deepEqual(at(0), [900, 1800])
    assert.deepEqual(at(900), [undefined, 900])
    assert.deepEqual(at(2000), [undefined, undefined])
    assert.deepEqual(at(0, { validLifetime: INFINITE }), [undefined, undefined])
    assert.deepEqual(at(0, { state: BindingState.released }), [undefined, undefined])
    assert.deepEqual([told({}).options.renewalTime], [undefined])
  })

  it('relates every time to a base-time that was held back', () => {
    const driver = new Driver(dialect4, { limits: { batchChanges: 1 } }).receive(query(option4(55, ALL)))
    driver.fresh()
    driver.index.put(dhcp4.binding(1, 1), START)
    driver.index.put(dhcp4.binding(2, 2), START)
    driver.time.pass(30)
    driver.grew()
    driver.settle()
    const [held] = driver.fresh().map((frame) => decodeMessage4(frame.subarray(2)).options)
    assert.deepEqual(
      [held!.baseTime, held!.leaseTime, held!.clientLastTransactionTime, held!.startTimeOfState],
      [START, 3600, 0, 0],
    )
  })

  it('computes on the clock of Kea', () => {
    const driver = new Driver(dialect4)
    driver.time.keaAhead = -3600
    driver.receive(query(option4(55, ALL)))
    driver.fresh()
    driver.index.put(
      dhcp4.binding(1, 1, { clientLastTransaction: START - 3610, stateSince: START - 3620 }),
      START,
    )
    driver.grew()
    driver.settle()
    const { options } = decodeMessage4(driver.fresh()[0]!.subarray(2))
    assert.deepEqual(
      [options.leaseTime, options.clientLastTransactionTime, options.startTimeOfState],
      [3590, 10, 20],
    )
  })

  it('marks what another server did as REMOTE, and sends no data-source otherwise', () => {
    assert.equal(told({ origin: Origin.partner }).options.dataSource, 1)
    for (const origin of [Origin.client, Origin.unknown, Origin.operator, Origin.reclamation])
      assert.equal(told({ origin }).options.dataSource, undefined)
  })

  it("returns the client's own value of an option, and the stored host name where there is none", () => {
    const options = Uint8Array.from([
      ...option4(12, ascii('theirs')),
      ...option4(60, [1, 2]),
      ...option4(77, [9]),
    ])
    const hostname = Uint8Array.from(ascii('ours'))
    assert.deepEqual(told({ options, hostname }).options.unknown, [
      { code: 12, data: Uint8Array.from(ascii('theirs')) },
      { code: 60, data: Uint8Array.of(1, 2) },
    ])
    assert.deepEqual(told({ hostname }).options.unknown, [{ code: 12, data: hostname }])
  })

  it('never lets a captured option stand in for one of its own', () => {
    const options = Uint8Array.from([
      ...option4(51, u32(1)),
      ...option4(54, [9, 9, 9, 9]),
      ...option4(156, [7]),
      ...option4(82, [9, 1, 1]),
    ])
    assert.deepEqual(told({ options }, [51, 54, 82, 156]).options, {
      baseTime: START,
      leaseTime: 3600,
      dhcpState: 2,
    })
  })

  it('leaves captured options out that cannot be taken apart', () => {
    assert.equal(told({ options: Uint8Array.of(60, 9, 1) }).options.unknown, undefined)
  })

  it('sends hlen 0 for a hardware address that does not fit chaddr', () => {
    const message = told({ hardwareType: 32, hardwareAddress: new Uint8Array(20).fill(1) })
    assert.deepEqual([message.hlen, toHex(message.chaddr!)], [0, toHex(new Uint8Array(16))])
  })

  it('6926-6.1-02: keeps each message within one TLS record (RFC 7724 section 5.1)', () => {
    const captured: number[] = []
    for (let n = 0; n < 100; n++) captured.push(...option4(43, new Uint8Array(250)))
    const [frame] = toldFrames([dhcp4.binding(1, 1, { options: Uint8Array.from(captured) })])
    assert.ok(frame!.length <= 16384)
    assert.equal(decodeMessage4(frame!.subarray(2)).options.leaseTime, 3600)
  })

  it("tells of the end with the last client's data, so that it can be found (RFC 6926 section 7.3)", () => {
    const message = told({ ...worked, state: BindingState.released })
    assert.equal(message.type, 11)
    assert.deepEqual(message.options.relayAgentInformation, worked.relay)
    assert.deepEqual(message.options.clientIdentifier, worked.clientId)
  })

  it('can keep alive with an empty DHCPLEASEACTIVE, for equipment that expects it', () => {
    const rights = { keepaliveForm: 'empty-active', keepaliveSeconds: 30 } as const
    const driver = new Driver(dialect4, { rights }).receive(query(option4(55, ALL)))
    driver.pass(60)
    const at = (seconds: number): string =>
      toHex(
        framed(message4(2, XID, [...option4(53, [13]), ...SERVER, ...option4(152, u32(START + seconds))])),
      )
    // The first one says that the query was accepted.
    assert.deepEqual(driver.fresh().map(toHex), [at(0), at(30), at(60)])
  })

  it('says nothing of a former holder: DHCPv4 speaks about addresses', () => {
    const frames = toldFrames([dhcp4.binding(1, 1), dhcp4.binding(1, 2)])
    assert.deepEqual(
      frames.flatMap((frame) => dhcp4.read(frame).bindings),
      ['192.0.2.1 02 00 5e 00 00 02 live'],
    )
  })
})

describe('DHCPACTIVELEASEQUERY that is not as it should be (RFC 7724 sections 7.3 and 8.2)', () => {
  const cases: [title: string, query: Uint8Array][] = [
    ['ciaddr', query([], { 12: [192, 0, 2, 1] })],
    ['yiaddr', query([], { 16: [192, 0, 2, 1] })],
    ['siaddr', query([], { 20: [192, 0, 2, 1] })],
    ['hlen', query([], { 2: [6] })],
    ['hlen above 16', query([], { 2: [17] })],
    ['chaddr', query([], { 28: [2] })],
    ['a client identifier (61)', query(option4(61, [1, 2, 3]))],
    ['7724-8.2-07: query-end-time (155)', query(option4(155, u32(START)))],
    ['a VPN (221)', query(option4(221, [255]))],
    ['a remote-id (82.2)', query(option4(82, option4(2, [1])))],
    ['a relay-id (82.12)', query(option4(82, option4(12, [1])))],
    ['an option 82 that cannot be taken apart', query(option4(82, [1, 9]))],
    ['a truncated query-start-time', query(option4(154, [1, 2, 3]))],
    ['a doubled query-start-time', query([...option4(154, u32(1)), ...option4(154, u32(1))])],
    ['an empty parameter request list', query(option4(55, []))],
  ]
  for (const [title, octets] of cases)
    it(`is answered MalformedQuery with its xid, and closed: ${title}`, () => {
      const driver = new Driver(dialect4).receive(octets)
      const [frame, ...more] = driver.fresh()
      const { type, xid, options } = decodeMessage4(frame!.subarray(2))
      assert.deepEqual([type, xid, options.status?.code], [17, XID, 3])
      assert.deepEqual(options.serverIdentifier, Uint8Array.of(192, 0, 2, 1))
      assert.notEqual(options.status?.text, '')
      assert.deepEqual(more, [])
      assert.equal(driver.closed?.reason, 'refused')
    })

  const fine: [title: string, query: Uint8Array][] = [
    ['htype alone, which libraries set to 1', query([], { 1: [1] })],
    ['giaddr', query([], { 24: [192, 0, 2, 1] })],
    ['secs, flags and hops', query([], { 3: [1], 8: [0, 1, 0x80, 0] })],
    ['an option 82 that selects nothing', query(option4(82, option4(1, [1])))],
    ['authentication (90), which is ignored', query(option4(90, [1, 2, 3]))],
    ['maximum-message-size (57)', query(option4(57, [2, 64]))],
    ['options nobody knows', query(option4(200, [1]))],
  ]
  for (const [title, octets] of fine)
    it(`is served with ${title}`, () => {
      const driver = new Driver(dialect4).receive(octets)
      assert.equal(driver.session.phase, 'live')
    })

  it('7724-8.1.1-01: closes without an answer where no type can be made out, and on every type that is no query', () => {
    for (const octets of [
      framed(message4(1, XID, [])),
      framed(message4(1, XID, option4(53, [16]), { 236: [0] })),
      framed(message4(1, XID, option4(53, [16])).subarray(0, 200)),
      ...[1, 3, 10, 11, 12, 13, 15, 17, 200].map((type) => framed(message4(1, XID, option4(53, [type])))),
    ]) {
      const driver = new Driver(dialect4).receive(octets)
      assert.equal(driver.closed?.reason, 'protocol-error')
      assert.deepEqual(driver.fresh(), [])
    }
  })

  it('7724-8.1-12: ignores the options of DHCPTLS, broken ones too (RFC 7724 section 8.1)', () => {
    for (const options of [option4(55, [1]), option4(61, [1]), option4(154, [1])]) {
      const driver = new Driver(dialect4).receive(
        framed(message4(1, 0x4a1c0000, [...option4(53, [18]), ...options])),
      )
      assert.deepEqual(driver.fresh().map(toHex), [toHex(vector('v4', 'tls4-refuse'))])
    }
  })

  it('gives the go-ahead of the worked example', () => {
    const driver = new Driver(dialect4, { tls: { mode: 'required', ready: true } })
    driver.receive(vector('v4', 'tls4-request'))
    assert.deepEqual(driver.fresh().map(toHex), [toHex(vector('v4', 'tls4-accept'))])
  })
})

describe('a former holder, for those who are shown some relays only', () => {
  it('is told as reset since the change, with its own data, in DHCPv4', () => {
    const id = Uint8Array.of(1)
    const [, frame] = toldFrames(
      [
        dhcp4.binding(9, 9, { relay: dhcp4.relay(id) }),
        dhcp4.binding(1, 1, { relay: dhcp4.relay(id) }),
        dhcp4.binding(1, 2, { relay: NO_OCTETS }),
      ],
      ALL,
      { rights: { relayIds: [id] } },
    )
    const message = decodeMessage4(frame!.subarray(2))
    assert.deepEqual(
      [message.type, message.options.dhcpState, message.options.startTimeOfState],
      [11, BindingState.reset, 0],
    )
    assert.deepEqual(message.options.relayAgentInformation, dhcp4.relay(id))
    assert.equal(toHex(message.chaddr!.subarray(0, 6)), '02 00 5e 00 00 01')
  })
})
