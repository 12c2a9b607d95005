import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { SidecarError } from '../../sidecar/errors.ts'
import { ActiveClient } from '../../sidecar/requestor/client.ts'
import type { RequestorEvent } from '../../sidecar/requestor/events.ts'

// Frames are written by hand, field by field; `nn*k` is octet nn k times.
function octets(text: string): Uint8Array {
  const list: number[] = []
  for (const line of text.split('\n')) {
    for (const word of line.split('|')[0]!.trim().split(/\s+/).filter(Boolean)) {
      const [digits = '', times = '1'] = word.split('*')
      for (let i = 0; i < Number(times); i++) list.push(...Buffer.from(digits, 'hex'))
    }
  }
  return Uint8Array.from(list)
}

/** A DHCPv4 frame: the size is counted here, not by the code under test. */
function frame4(type: string, ciaddr: string, chaddr: string, options: string): Uint8Array {
  const body = octets(`
    02 ${chaddr === '' ? '00 00' : '01 06'} 00 | op, htype, hlen, hops
    4a 1c 00 01
    00*4
    ${ciaddr}
    00*12
    ${chaddr === '' ? '00*16' : `${chaddr} 00*10`}
    00*192
    63 82 53 63
    35 01 ${type}
    ${options}
    ff`)
  return Uint8Array.from([body.length >> 8, body.length & 255, ...body])
}

const XID4 = 0x4a1c0001
const T0 = 1763758800 // 6920d2d0
const BASE = '98 04 69 20 d2 d0'
const LATER = '98 04 69 20 d2 da'
const status4 = (code: string, base = BASE) => frame4('11', '00*4', '', `97 01 ${code} ${base}`)

const active4 = frame4(
  '0d',
  'c0 00 02 39',
  '02 00 5e 10 00 57',
  `36 04 c0 00 02 01
   ${BASE}
   33 04 00 00 0d e1        | 3553 s left
   5b 04 00 00 00 2f        | 47 s ago
   99 04 00 00 38 6f        | 14447 s ago
   9c 01 02
   9d 01 01                 | REMOTE
   0c 03 66 6f 6f           | host name
   3d 07 01 02 00 5e 10 00 57
   52 20
   01 08 65 74 68 31 2f 30 2f 37
   02 08 63 70 65 2d 30 30 35 37
   0c 0a 00 03 00 01 02 00 5e 00 00 02`,
)

function client4(since?: number): ActiveClient {
  return new ActiveClient({ family: 4, xid: XID4, since })
}
const types = (events: readonly RequestorEvent[]) => events.map((event) => event.type)

test('RFC 7724 section 7.2: the query is a DHCPACTIVELEASEQUERY with option 55 and the start time', () => {
  const expected = octets(`
    01 05 | size 261
    01 00 00 00
    4a 1c 00 01
    00*4 00*16 00*16 00*64 00*128
    63 82 53 63
    35 01 10
    37 09 0c 33 3d 52 5b 98 99 9c 9d
    9a 04 69 20 cb c8
    ff`)
  assert.deepEqual(Buffer.from(client4(1763757000).query()), Buffer.from(expected))
})

test('RFC 7653 section 8.2: the DHCPv6 query carries Client-ID, ORO and start time from 2000 on', () => {
  const client = new ActiveClient({
    family: 6,
    xid: 0x7c0001,
    since: 1763757000,
    duid: octets('00 03 00 01 02 00 5e 00 00 02'),
  })
  const expected = octets(`
    00 22
    16 7c 00 01
    00 01 00 0a 00 03 00 01 02 00 5e 00 00 02
    00 06 00 04 00 64 00 2f
    00 65 00 04 30 b3 88 48`)
  assert.deepEqual(Buffer.from(client.query()), Buffer.from(expected))
})

test('RFC 6926 section 6.2: relative times become absolute by the base-time of their message', () => {
  const [accepted, event] = client4().handle(active4, T0 + 100)
  assert.equal(accepted?.type, 'accepted')
  assert.ok(event?.type === 'binding')
  assert.equal(event.baseTime, T0)
  const { relay, clientId, hardwareAddress, options, ...binding } = event.binding
  assert.deepEqual(binding, {
    family: 4,
    address: '192.0.2.57',
    prefixLength: 0,
    state: BindingState.active,
    hardwareType: 1,
    expires: T0 + 3553,
    preferredUntil: undefined,
    lastTransaction: T0 - 47,
    stateSince: T0 - 14447,
    remote: true,
    server: Uint8Array.of(192, 0, 2, 1),
    status: undefined,
  })
  assert.equal(Buffer.from(hardwareAddress).toString('hex'), '02005e100057')
  assert.equal(Buffer.from(clientId).toString('hex'), '0102005e100057')
  assert.equal(Buffer.from(relay!.circuitId!).toString(), 'eth1/0/7')
  assert.equal(Buffer.from(relay!.remoteId!).toString(), 'cpe-0057')
  assert.equal(Buffer.from(relay!.relayId!).toString('hex'), '0003000102005e000002')
  assert.deepEqual(
    options.map(({ code, data }) => [code, Buffer.from(data).toString()]),
    [[12, 'foo']],
  )
})

test('an infinite lease never ends, and one byte at a time gives the same events', () => {
  const infinite = frame4('0d', 'c0 00 02 39', '', `${BASE} 33 04 ff ff ff ff`)
  const client = client4()
  const events: RequestorEvent[] = []
  for (const octet of infinite) events.push(...client.handle(Uint8Array.of(octet), T0))
  assert.deepEqual(types(events), ['accepted', 'binding'])
  assert.ok(events[1]?.type === 'binding' && events[1].binding.expires === Number.POSITIVE_INFINITY)
})

test('DHCPLEASEUNASSIGNED says how a lease ended', () => {
  const [, event] = client4().handle(frame4('0b', 'c0 00 02 39', '', `${BASE} 9c 01 04`), T0)
  assert.ok(event?.type === 'binding' && event.binding.state === BindingState.released)
})

test('RFC 7724 section 7.3: the resume point is the highest base-time', () => {
  const client = client4()
  const resume = [status4('06'), status4('06', LATER), active4].flatMap((frame) =>
    client.handle(frame, T0).map((event) => event.resumePoint),
  )
  assert.deepEqual(resume, [undefined, T0, T0 + 10, T0 + 10])
})

test('RFC 7724 section 7.3: during catch-up the resume point stays at the start time', () => {
  const client = client4(1000)
  const events = [active4, status4('07', LATER)].flatMap((frame) => client.handle(frame, T0))
  assert.deepEqual(types(events), ['accepted', 'binding', 'catch-up-complete'])
  assert.deepEqual(
    events.map((event) => event.resumePoint),
    [1000, 1000, T0 + 10],
  )
})

test('RFC 7724 section 7.4.1: after DataMissing the resume point is its base-time', () => {
  const client = client4(T0 + 1000)
  const events = client.handle(status4('05'), T0)
  assert.deepEqual(types(events), ['accepted', 'data-missing'])
  assert.equal(events.at(-1)?.resumePoint, T0)
  assert.equal(client.catchingUp, false)
})

test('a binding of no address is a keepalive', () => {
  assert.deepEqual(types(client4().handle(frame4('0d', '00*4', '', BASE), T0)), ['accepted', 'keepalive'])
})

test('RFC 7724 section 7.4: an error status ends the query, refused if it came first', () => {
  const client = client4()
  const [event] = client.handle(frame4('11', '00*4', '', '97 03 04 6e 6f'), T0)
  assert.ok(event?.type === 'terminated')
  assert.deepEqual([event.refused, event.status, event.text], [true, 'NotAllowed', 'no'])
  assert.deepEqual(client.handle(active4, T0), [], 'nothing is read after the end')

  const running = client4()
  running.handle(active4, T0)
  const [end] = running.handle(status4('02', LATER), T0)
  assert.ok(end?.type === 'terminated')
  assert.deepEqual([end.refused, end.status, end.resumePoint], [false, 'QueryTerminated', T0 + 10])
})

test('RFC 7724 section 7.1: a DHCPLEASEQUERYDONE ends an active query too', () => {
  const [event] = client4().handle(frame4('0f', '00*4', '', '97 01 01'), T0)
  assert.ok(event?.type === 'terminated' && event.status === 'UnspecFail')
})

const breaches: readonly [what: string, frame: Uint8Array, reason: RegExp][] = [
  [
    'a foreign transaction-id',
    Uint8Array.from(active4).fill(0, 6, 10),
    /transaction-id 0 instead of 4a1c0001/,
  ],
  ['a query as an answer', frame4('10', '00*4', '', ''), /DHCPACTIVELEASEQUERY answers no active query/],
  ['a size of zero', Uint8Array.of(0, 0), /message-size/],
  ['options that overrun', frame4('0d', 'c0 00 02 39', '', '33 90 00'), /./],
]
for (const [what, frame, reason] of breaches) {
  test(`RFC 7724 section 7.4: ${what} breaks the connection`, () => {
    assert.throws(
      () => client4().handle(frame, T0),
      (error) =>
        error instanceof SidecarError && error.code === 'ALQ_SERVER_PROTOCOL' && reason.test(error.message),
    )
  })
}

// ---- DHCPv6

function frame6(type: string, options: string): Uint8Array {
  const body = octets(`${type} 7c 00 01 ${options}`)
  return Uint8Array.from([body.length >> 8, body.length & 255, ...body])
}
const BASE6 = '00 64 00 04 30 b3 8f 50' // T0
const CLIENT = '00 01 00 0a 00 03 00 01 02 00 5e 10 00 57 00 2e 00 04 00 00 00 2f'
const ADDRESS = '00 05 00 18 20 01 0d b8 00 00 00 01 00 00 00 00 00 00 00 57'
const REQUESTOR = '00 03 00 01 02 00 5e 00 00 01'
const IDENTIFIED = `00 01 00 0a ${REQUESTOR} 00 02 00 0a 00 03 00 01 02 00 5e 00 00 09`
const client6 = (since?: number) =>
  new ActiveClient({ family: 6, xid: 0x7c0001, since, duid: octets(REQUESTOR) })
const accept6 = (client: ActiveClient) => client.handle(frame6('0f', IDENTIFIED), T0)
const reply6 = frame6(
  '0f',
  `${IDENTIFIED} ${BASE6}
   00 2d 00 af ${CLIENT}
   ${ADDRESS} 00 00 0d e1 00 00 1b f1
   00 1a 00 19 00 01 51 51 00 09 3a 51 38 20 01 0d b8 47 00 00*10
   00 2f 00 5c 20 01 0d b8 00 00 00 ff 00*7 01
   0c 00 20 01 0d b8 00 00 00 01 00*7 01 fe 80 00*6 00 00 5e ff fe 10 00 57
   00 12 00 08 65 74 68 31 2f 30 2f 37
   00 25 00 0c 00 00 7e d9 63 70 65 2d 30 30 35 37
   00 35 00 0a 00 03 00 01 02 00 5e 00 00 02`,
)

test('RFC 7653 section 8.4: one message tells of all bindings of a client, and counts with the last', () => {
  const events = client6().handle(reply6, T0)
  assert.deepEqual(types(events), ['accepted', 'binding', 'binding'])
  assert.deepEqual(
    events.map((event) => event.resumePoint),
    [undefined, undefined, T0],
  )
  const [, address, prefix] = events
  assert.ok(address?.type === 'binding' && prefix?.type === 'binding')
  assert.deepEqual(
    [
      address.binding.address,
      address.binding.prefixLength,
      address.binding.expires,
      address.binding.preferredUntil,
    ],
    ['2001:db8:0:1::57', 0, T0 + 7153, T0 + 3553],
  )
  assert.deepEqual(
    [prefix.binding.address, prefix.binding.prefixLength, prefix.binding.expires],
    ['2001:db8:4700::', 56, T0 + 604753],
  )
  assert.equal(Buffer.from(address.binding.relay!.circuitId!).toString(), 'eth1/0/7')
  assert.equal(address.binding.lastTransaction, T0 - 47)
})

test('a DHCPv6 binding with lifetimes 0 has ended', () => {
  const client = client6()
  accept6(client)
  const [event] = client.handle(frame6('11', `${BASE6} 00 2d 00 32 ${CLIENT} ${ADDRESS} 00*8`), T0)
  assert.ok(event?.type === 'binding')
  assert.equal(event.binding.state, BindingState.available)
  assert.equal(event.binding.expires, undefined)
})

test('RFC 7653 sections 8.3 and 8.4: replies without data accept, then keep alive', () => {
  const client = client6()
  assert.deepEqual(types(client.handle(frame6('0f', `${IDENTIFIED} ${BASE6}`), T0)), ['accepted'])
  assert.deepEqual(types(client.handle(frame6('11', BASE6), T0)), ['keepalive'])
})

test('RFC 7653 section 8.4: status 13 completes catch-up, 12 is DataMissing, LEASEQUERY-DONE ends', () => {
  const status = (type: string, code: string) =>
    frame6(type, `${type === '0f' ? IDENTIFIED : ''} 00 0d 00 02 00 ${code} ${BASE6}`)
  const catching = client6(1)
  accept6(catching)
  assert.deepEqual(types(catching.handle(status('11', '0d'), T0)), ['catch-up-complete'])
  assert.deepEqual(types(client6(1).handle(status('0f', '0c'), T0)), ['accepted', 'data-missing'])
  const [refused] = client6().handle(status('0f', '0e'), T0)
  assert.ok(refused?.type === 'terminated' && refused.refused && refused.status === 'NotSupported')
  const client = client6()
  client.handle(frame6('0f', `${IDENTIFIED} ${BASE6}`), T0)
  const [end] = client.handle(status('10', '0b'), T0)
  assert.ok(end?.type === 'terminated' && !end.refused && end.status === 'QueryTerminated')
})
