// What DHCPv6 messages about an active query say. Expected octets come from the dumb writer.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BindingData, BindingState, INFINITE, NO_OCTETS } from '../../sidecar/binding.ts'
import { dialect6 } from '../../sidecar/session/dialect6.ts'
import { decodeMessage6 } from '../../sidecar/wire/v6/codec.ts'
import type { Message6 } from '../../sidecar/wire/v6/messages.ts'
import type { ClientData6 } from '../../sidecar/wire/v6/options.ts'
import { ascii, framed, hex, message6, option6, toHex, u32, vector } from '../wire/bytes.ts'
import { Driver, type Setup, START } from './driver.ts'
import { dhcp6, REQUESTOR } from './families.ts'

const XID = 0x7c0001
const CLIENT = option6(1, REQUESTOR)
const BASE_2000 = START - 946684800
const LINK = hex('20 01 0d b8 00*12')
const ANY_LINK = new Uint8Array(16)

function query(options: readonly number[] = []): Uint8Array {
  return framed(message6(22, XID, [...CLIENT, ...options]))
}

const asks = (...codes: number[]): number[] =>
  option6(
    6,
    codes.flatMap((code) => [0, code]),
  )

/** Messages told about bindings stored one after the other, behind the first reply. */
function told(
  bindings: readonly BindingData[],
  options: readonly number[] = asks(100, 47, 39),
  setup: Partial<Setup> = {},
): Message6[] {
  const driver = new Driver(dialect6, setup).receive(query(options))
  assert.equal(driver.session.phase, 'live')
  driver.fresh()
  for (const binding of bindings) driver.index.put(binding, driver.time.now)
  driver.grew()
  driver.settle()
  for (const frame of driver.sent) assert.ok(frame.octets.length <= 16384, 'fits one TLS record')
  return driver.fresh().map((frame) => decodeMessage6(frame.subarray(2)))
}

const one = (
  binding: Partial<BindingData>,
  options?: readonly number[],
  setup?: Partial<Setup>,
): ClientData6 => told([dhcp6.binding(1, 1, binding)], options, setup)[0]!.options.clientData!

const names = (messages: Message6[]): string[][] =>
  messages.map((message) =>
    [
      ...(message.options.clientData?.iaAddresses ?? []),
      ...(message.options.clientData?.iaPrefixes ?? []),
    ].map((member) => {
      const address = 'address' in member ? member.address : member.prefix
      return `${address[15] || address[5]}${'prefix' in member ? `/${member.prefixLength}` : ''}=${member.validLifetime}`
    }),
  )

const prefix = (n: number, client: number, changes: Partial<BindingData> = {}): BindingData =>
  dhcp6.binding(0, client, {
    address: hex(`20 01 0d b8 47 ${n.toString(16).padStart(2, '0')} 00*10`),
    prefixLength: 56,
    ...changes,
  })

describe('LEASEQUERY-REPLY and LEASEQUERY-DATA (RFC 7653 sections 6.2.3 and 9.3, RFC 5007 section 4.1.2)', () => {
  const relay = hex(`
    20 01 0d b8 00 00 00 ff 00*7 01
    0c 00
    20 01 0d b8 00 00 00 01 00*7 01
    fe 80 00*6 00 00 5e ff fe 10 00 57
    00 12 00 08 65 74 68 31 2f 30 2f 37
    00 25 00 0c 00 00 7e d9 63 70 65 2d 30 30 35 37
    00 35 00 0a 00 03 00 01 02 00 5e 00 00 02`)

  it('writes the worked example octet for octet: an address and a prefix of one client', () => {
    const driver = new Driver(dialect6)
    const duid = hex('00 03 00 01 02 00 5e 10 00 57')
    const common = { clientId: duid, clientLastTransaction: START - 47, relay }
    driver.index.put(
      dhcp6.binding(0, 0, {
        ...common,
        address: hex('20 01 0d b8 47 00 00*10'),
        prefixLength: 56,
        preferredLifetime: 86400,
        validLifetime: 604800,
      }),
      START - 1000000,
    )
    driver.index.put(
      dhcp6.binding(0, 0, {
        ...common,
        address: hex('20 01 0d b8 00 00 00 01 00 00 00 00 00 00 00 57'),
        preferredLifetime: 3600,
        validLifetime: 7200,
      }),
      START - 10,
    )
    driver.receive(vector('v6', 'alq6'))
    const [first, second] = driver.fresh()
    assert.equal(toHex(first!), toHex(vector('v6', 'lqreply6')))
    assert.equal(toHex(second!), toHex(vector('v6', 'catchup6')))
    driver.tell({ type: 'terminate', text: '' })
    assert.equal(toHex(driver.fresh()[0]!), toHex(vector('v6', 'done6')))
  })

  it('writes the worked keepalive and the worked end of a binding', () => {
    const driver = new Driver(dialect6)
    driver.time.step(-60)
    driver.receive(query(asks(100)))
    driver.fresh()
    driver.pass(60)
    assert.deepEqual(driver.fresh().map(toHex), [toHex(vector('v6', 'keepalive6'))])
    driver.index.put(
      dhcp6.binding(0, 0, {
        address: hex('20 01 0d b8 00 00 00 01 00 00 00 00 00 00 00 57'),
        clientId: hex('00 03 00 01 02 00 5e 10 00 57'),
        clientLastTransaction: START,
        state: BindingState.released,
      }),
      START,
    )
    driver.grew()
    driver.settle()
    assert.deepEqual(driver.fresh().map(toHex), [toHex(vector('v6', 'removed6'))])
  })

  it('7653-6.2.3-01: answers at once with one LEASEQUERY-REPLY: Client-ID copied, Server-ID, no status', () => {
    const driver = new Driver(dialect6).receive(query(asks(100)))
    const server = option6(2, hex('00 01 00 01 2a 5b 6c 7d 02 00 5e 00 00 01'))
    const expected = message6(15, XID, [...CLIENT, ...server, ...option6(100, u32(BASE_2000))])
    assert.deepEqual(driver.fresh().map(toHex), [toHex(framed(expected))])
    for (let n = 1; n < 5; n++) {
      driver.index.put(dhcp6.binding(n, n), START)
      driver.grew()
      driver.settle()
    }
    for (const frame of driver.fresh()) {
      const message = decodeMessage6(frame.subarray(2))
      assert.equal(message.type, 17)
      assert.equal(message.options.clientId, undefined)
      assert.equal(message.options.serverId, undefined)
      assert.equal(message.options.status, undefined)
    }
  })

  it('answers at once also when nothing in a long catch-up phase is for this requestor', () => {
    const driver = new Driver(dialect6, {
      rights: { relayIds: [Uint8Array.of(1)] },
      limits: { batchChanges: 1 },
    })
    for (let n = 1; n < 4; n++) driver.index.put(dhcp6.binding(n, n), START)
    driver.receive(query(option6(101, u32(BASE_2000))))
    assert.deepEqual(
      driver.fresh().map((frame) => [dhcp6.read(frame).type, dhcp6.read(frame).status]),
      [
        [15, undefined],
        [17, 'CatchUpComplete'],
      ],
    )
  })

  it('sends base-time only where the ORO lists 100, but with a status always (RFC 7653 sections 8.4 and 9.3)', () => {
    const driver = new Driver(dialect6, { limits: { batchChanges: 1 } })
    driver.index.put(dhcp6.binding(1, 1), START)
    driver.receive(query(option6(101, u32(BASE_2000))))
    driver.pass(60)
    driver.tell({ type: 'terminate', text: '' })
    assert.deepEqual(
      driver.fresh().map((frame) => [dhcp6.read(frame).status, dhcp6.read(frame).baseTime !== undefined]),
      [
        [undefined, false],
        ['CatchUpComplete', true],
        [undefined, false],
        ['QueryTerminated', true],
      ],
    )
    const missing = new Driver(dialect6)
    missing.index.horizon = START + 1
    missing.receive(query(option6(101, u32(BASE_2000))))
    assert.deepEqual(dhcp6.read(missing.fresh()[0]!).baseTime, START)
  })

  it('accepts the ORO and the times inside OPTION_LQ_QUERY as well, where RFC 7653 leaves their place open', () => {
    const inner = option6(44, [4, ...ANY_LINK, ...asks(100), ...option6(101, u32(BASE_2000))])
    const driver = new Driver(dialect6).receive(query(inner))
    assert.deepEqual(
      driver.fresh().map((frame) => [dhcp6.read(frame).status, dhcp6.read(frame).baseTime]),
      [
        [undefined, START],
        ['CatchUpComplete', START],
      ],
    )
  })

  it('tells times left and since, infinite ones as such', () => {
    const data = one({
      clientLastTransaction: START - 100,
      preferredLifetime: INFINITE,
      validLifetime: INFINITE,
    })
    assert.equal(data.clientLastTransactionTime, 100)
    assert.deepEqual(
      data.iaAddresses?.map((member) => [member.preferredLifetime, member.validLifetime]),
      [[INFINITE, INFINITE]],
    )
    const short = one({ clientLastTransaction: START - 2000 })
    assert.deepEqual(
      short.iaAddresses?.map((member) => [member.preferredLifetime, member.validLifetime]),
      [[0, 1600]],
    )
  })

  it('counts times from the moment of sending where no base-time is sent', () => {
    const driver = new Driver(dialect6, { limits: { batchChanges: 1 } }).receive(query())
    driver.index.put(dhcp6.binding(1, 1), START)
    driver.index.put(dhcp6.binding(2, 2), START)
    driver.time.pass(30)
    driver.fresh()
    driver.grew()
    driver.settle()
    const [held] = driver.fresh().map((frame) => decodeMessage6(frame.subarray(2)).options.clientData)
    assert.deepEqual([held!.clientLastTransactionTime, held!.iaAddresses?.[0]?.validLifetime], [30, 3570])
  })

  it('7653-3-01: sends relay data only when it is asked for, stored and not withheld (RFC 5007 section 4.1.2.4)', () => {
    assert.deepEqual(one({ relay }).relayData, {
      peerAddress: relay.subarray(0, 16),
      message: relay.subarray(16),
    })
    assert.equal(one({ relay }, asks(100)).relayData, undefined)
    assert.equal(one({}).relayData, undefined)
    assert.equal(one({ relay }, undefined, { rights: { withhold: new Set([47]) } }).relayData, undefined)
  })

  it('sends relay data unasked to a requestor that cannot ask, unless it is withheld', () => {
    const always = { relayDataAlways: true }
    assert.deepEqual(one({ relay }, asks(100), { rights: always }).relayData?.message, relay.subarray(16))
    const withheld = { ...always, withhold: new Set([47]) }
    assert.equal(one({ relay }, asks(100), { rights: withheld }).relayData, undefined)
    // Then what relays added belongs to the description that companions share.
    const other = dhcp6.relay(Uint8Array.of(1))
    const messages = told(
      [dhcp6.binding(1, 1, { relay }), dhcp6.binding(2, 1, { relay: other })],
      asks(100),
      {
        rights: always,
      },
    )
    assert.equal(messages.length, 2)
  })

  it('sends captured options as asked for, and none that stands in for one of its own', () => {
    const options = Uint8Array.from([
      ...option6(39, [0, 1]),
      ...option6(16, [5]),
      ...option6(5, [1]),
      ...option6(46, u32(9)),
    ])
    assert.deepEqual(one({ options }).unknown, [{ code: 39, data: Uint8Array.of(0, 1) }])
    const data = one({ options }, asks(5, 46, 1, 26))
    assert.equal(data.unknown, undefined)
    assert.equal(data.clientLastTransactionTime, 0)
    assert.equal(one({ options }, undefined, { rights: { withhold: new Set([39]) } }).unknown, undefined)
    assert.equal(one({ options: Uint8Array.of(0, 39, 9) }).unknown, undefined)
  })
})

describe('one client on one link (RFC 5460 section 5.2.1, RFC 5007 section 4.1.2.2)', () => {
  it('7653-9.3-06: lists the changed binding first, then what the client holds besides, in one message for both', () => {
    const messages = told([dhcp6.binding(1, 1), dhcp6.binding(2, 1), prefix(3, 1), dhcp6.binding(4, 2)])
    assert.deepEqual(names(messages), [['1=3600', '2=3600', '3/56=3600'], ['4=3600']])
  })

  it('keeps links apart', () => {
    const messages = told([dhcp6.binding(1, 1), dhcp6.binding(2, 1, { subnetId: 2 })])
    assert.deepEqual(names(messages), [['1=3600'], ['2=3600']])
  })

  it('tells a binding by itself that another message did not tell in full', () => {
    const options = Uint8Array.from(option6(39, [1]))
    assert.equal(told([dhcp6.binding(1, 1), dhcp6.binding(2, 1, { options })]).length, 2)
    const relay = dhcp6.relay(Uint8Array.of(1))
    assert.equal(told([dhcp6.binding(1, 1), dhcp6.binding(2, 1, { relay })]).length, 2)
  })

  it('tells when the client was last heard of by any of them (RFC 5007 section 4.1.2.3)', () => {
    const [message] = told([
      dhcp6.binding(1, 1, { clientLastTransaction: START - 100 }),
      dhcp6.binding(2, 1, { clientLastTransaction: START - 10 }),
    ])
    assert.equal(message!.options.clientData!.clientLastTransactionTime, 10)
  })

  it('lists an ended binding with both lifetimes 0 beside those that are still valid', () => {
    const messages = told([dhcp6.binding(2, 1), dhcp6.binding(1, 1, { state: BindingState.released })])
    assert.deepEqual(names(messages), [['2=3600'], ['1=0', '2=3600']])
  })

  it('lists no ended binding beside another, nor one past its expiry', () => {
    const messages = told([
      dhcp6.binding(1, 1, { state: BindingState.expired }),
      dhcp6.binding(2, 1, { clientLastTransaction: START - 3600 }),
      dhcp6.binding(3, 1),
    ])
    assert.deepEqual(names(messages), [
      ['1=0', '3=3600'],
      ['2=0', '3=3600'],
    ])
  })

  it('groups no declined addresses: the client of all of them is nobody', () => {
    const nobody = { clientId: Uint8Array.of(0, 0, 0), state: BindingState.abandoned }
    const messages = told([1, 2, 3].map((n) => dhcp6.binding(n, 0, nobody)))
    assert.deepEqual(names(messages), [['1=0'], ['2=0'], ['3=0']])
    const declined = dhcp6.binding(1, 1, { state: BindingState.abandoned })
    assert.deepEqual(names(told([dhcp6.binding(2, 1), declined])), [['2=3600'], ['1=0']])
    const [message] = told([dhcp6.binding(1, 0, { ...nobody, clientId: NO_OCTETS })])
    assert.deepEqual(message!.options.clientData!.clientId, Uint8Array.of(0, 0, 0))
  })

  it('cuts a large group into messages that fit a TLS record, each with the client and its last contact', () => {
    const count = 1500
    const many = Array.from({ length: count }, (_, n) =>
      dhcp6.binding(0, 1, { address: Uint8Array.from([...LINK.subarray(0, 12), ...u32(n + 1)]) }),
    )
    const messages = told(many, undefined, { limits: { batchChanges: 5 } })
    const first = messages.slice(0, 3)
    const seen = new Set(
      first.flatMap((message) =>
        message.options.clientData!.iaAddresses!.map((member) => toHex(member.address)),
      ),
    )
    assert.equal(seen.size, count)
    for (const message of first) {
      assert.deepEqual(message.options.clientData!.clientId, many[0]!.clientId)
      assert.equal(message.options.clientData!.clientLastTransactionTime, 0)
    }
  })

  it('leaves relay data out that does not fit, rather than the binding', () => {
    const relay = Uint8Array.from([
      ...new Uint8Array(16),
      12,
      0,
      ...new Uint8Array(32),
      ...option6(18, new Uint8Array(17000)),
    ])
    const data = one({ relay })
    assert.equal(data.relayData, undefined)
    assert.equal(data.iaAddresses?.length, 1)
  })

  it("tells the old holder's end before what the address became, with that client's data only", () => {
    const messages = told([dhcp6.binding(1, 1), dhcp6.binding(5, 1), dhcp6.binding(1, 2)])
    assert.deepEqual(names(messages), [['5=3600'], ['1=0', '5=3600'], ['1=3600']])
    assert.deepEqual(
      messages.map((message) => message.options.clientData!.clientId!.at(-1)),
      [1, 1, 2],
    )
  })

  it("tells the old length's end when a prefix changes its length", () => {
    assert.deepEqual(names(told([prefix(3, 1), prefix(3, 1, { prefixLength: 60 })])), [
      ['3/56=0'],
      ['3/60=3600'],
    ])
  })

  it('says nothing has ended when a client merely moved to another relay', () => {
    const moved = { relay: dhcp6.relay(Uint8Array.of(2)) }
    assert.deepEqual(names(told([dhcp6.binding(1, 1), dhcp6.binding(1, 1, moved)])), [['1=3600']])
  })

  it('says last who holds an address now, though it was told of as a companion before its former holder', () => {
    const driver = new Driver(dialect6)
    driver.index.put(dhcp6.binding(2, 1), driver.time.now)
    driver.receive(query(asks(100)))
    driver.fresh()
    driver.index.put(dhcp6.binding(1, 2), driver.time.now)
    driver.index.put(dhcp6.binding(2, 2), driver.time.now)
    driver.grew()
    driver.settle()
    const messages = driver.fresh().map((frame) => decodeMessage6(frame.subarray(2)))
    assert.deepEqual(names(messages), [['1=3600', '2=3600'], ['2=0'], ['2=3600', '1=3600']])
  })

  it('shows a scoped requestor no companion outside of its scope', () => {
    const mine = { relay: dhcp6.relay(Uint8Array.of(1)) }
    const messages = told([dhcp6.binding(2, 1), dhcp6.binding(1, 1, mine)], undefined, {
      rights: { relayIds: [Uint8Array.of(1)] },
    })
    assert.deepEqual(names(messages), [['1=3600']])
  })
})

describe('ACTIVELEASEQUERY that is not as it should be', () => {
  const lqQuery = (type: number, options: number[] = [], link: Uint8Array = ANY_LINK): number[] =>
    option6(44, [type, ...link, ...options])
  const cases: [title: string, status: string, query: Uint8Array, setup?: Partial<Setup>][] = [
    ['no OPTION_CLIENTID', 'MalformedQuery', framed(message6(22, XID, []))],
    ['7653-9.3-09: OPTION_LQ_END_TIME (RFC 7653 section 9.3)', 'MalformedQuery', query(option6(102, u32(1)))],
    ['OPTION_LQ_END_TIME inside the query', 'MalformedQuery', query(lqQuery(4, option6(102, u32(1))))],
    ['a truncated OPTION_LQ_START_TIME', 'MalformedQuery', query(option6(101, [1, 2, 3]))],
    [
      '7653-6.2.3-03: an unknown query-type (RFC 5007 section 4.1.2.1)',
      'UnknownQueryType',
      query(lqQuery(9)),
    ],
    ['no address to look for', 'MalformedQuery', query(lqQuery(1))],
    ['no client to look for', 'MalformedQuery', query(lqQuery(2))],
    ['7653-9.3-02: no relay-id to look for', 'MalformedQuery', query(lqQuery(3))],
    ['no remote-id to look for', 'MalformedQuery', query(lqQuery(5))],
    [
      'an unknown link',
      'NotConfigured',
      query(lqQuery(4, [], LINK)),
      { service: { subnetsOfLink: () => [] } },
    ],
    ['a link, before Kea has said any', 'QueryTerminated', query(lqQuery(4, [], LINK))],
    ['a VPN', 'NotAllowed', query(option6(68, [1, 1]))],
    [
      'a query by what is withheld',
      'NotAllowed',
      query(lqQuery(3, option6(53, [1]))),
      { rights: { withhold: new Set([47]) } },
    ],
  ]
  for (const [title, status, octets, setup] of cases)
    it(`is answered ${status} in one LEASEQUERY-REPLY, and closed: ${title}`, () => {
      const driver = new Driver(dialect6, setup).receive(octets)
      const replies = driver.fresh().map((frame) => dhcp6.read(frame))
      assert.deepEqual(
        replies.map((reply) => [reply.type, reply.xid, reply.status, reply.bindings]),
        [[15, XID, status, []]],
      )
      assert.ok(decodeMessage6(driver.sent[0]!.octets.subarray(2)).options.serverId)
      assert.equal(driver.closed?.reason, 'refused')
    })

  it('carries base-time in the refusal too where it is asked for', () => {
    const driver = new Driver(dialect6).receive(query([...asks(100), ...lqQuery(9)]))
    assert.equal(dhcp6.read(driver.fresh()[0]!).baseTime, START)
  })

  it('is served with the Server-ID of this server or none, and discarded with another (RFC 5007 section 4.2.1)', () => {
    const mine = query(option6(2, hex('00 01 00 01 2a 5b 6c 7d 02 00 5e 00 00 01')))
    assert.equal(new Driver(dialect6).receive(mine).session.phase, 'live')
    const driver = new Driver(dialect6).receive(query(option6(2, [9, 9])))
    assert.deepEqual(driver.fresh(), [])
    assert.equal(driver.closed?.reason, 'protocol-error')
  })

  it('7653-10-03: is served with authentication (11), which is ignored, and with the global VPN', () => {
    for (const options of [option6(11, [1]), option6(68, [255]), option6(200, [])])
      assert.equal(new Driver(dialect6).receive(query(options)).session.phase, 'live')
  })

  it('closes without an answer on types that are no queries, and on LEASEQUERY without Client-ID', () => {
    for (const octets of [
      ...[1, 3, 7, 12, 15, 16, 17, 200].map((type) => framed(message6(type, XID, CLIENT))),
      framed(message6(14, XID, [])),
      framed(hex('16 00 00')),
      framed(hex('16 00 00 01 00 01 00 09')),
    ]) {
      const driver = new Driver(dialect6).receive(octets)
      assert.equal(driver.closed?.reason, 'protocol-error')
      assert.deepEqual(driver.fresh(), [])
    }
  })

  it('7653-6.2.2-02: ignores the options of STARTTLS, broken ones too (RFC 7653 section 6.2.2)', () => {
    for (const options of [CLIENT, option6(6, [1]), option6(101, [])]) {
      const driver = new Driver(dialect6).receive(framed(message6(23, 0x7c0000, options)))
      assert.deepEqual(driver.fresh().map(toHex), [toHex(vector('v6', 'tls6-refuse'))])
    }
  })

  it('gives the go-ahead of the worked example', () => {
    const driver = new Driver(dialect6, { tls: { mode: 'required', ready: true } })
    driver.receive(vector('v6', 'tls6-request'))
    assert.deepEqual(driver.fresh().map(toHex), [toHex(vector('v6', 'tls6-accept'))])
  })
})

describe('ACTIVELEASEQUERY for some bindings only (RFC 7653 section 6.2.1)', () => {
  const relayOf = (relayId: number, remoteId: string): Uint8Array =>
    Uint8Array.from([
      ...new Uint8Array(16),
      ...[12, 0, ...new Uint8Array(32)],
      ...option6(53, [relayId]),
      ...option6(37, [...u32(32473), ...ascii(remoteId)]),
    ])
  const bindings = [
    dhcp6.binding(1, 1, { relay: relayOf(1, 'a') }),
    dhcp6.binding(2, 2, { relay: relayOf(2, 'b') }),
    prefix(3, 3, { relay: relayOf(1, 'b') }),
    dhcp6.binding(4, 4, { subnetId: 7 }),
  ]
  const setup = { service: { subnetsOfLink: (link: Uint8Array) => (link[0] === 0x20 ? [7] : undefined) } }
  const inside = hex('20 01 0d b8 47 03 00*9 01')
  const cases: [title: string, type: number, link: Uint8Array, options: number[], seen: string[]][] = [
    ['an address', 1, ANY_LINK, option6(5, [...bindings[0]!.address, ...u32(0), ...u32(0)]), ['1=3600']],
    [
      'an address in a delegated prefix',
      1,
      ANY_LINK,
      option6(5, [...inside, ...u32(0), ...u32(0)]),
      ['3/56=3600'],
    ],
    ['a client', 2, ANY_LINK, option6(1, bindings[1]!.clientId), ['2=3600']],
    ['a client that is not on the link', 2, LINK, option6(1, bindings[1]!.clientId), []],
    ['a relay-id', 3, ANY_LINK, option6(53, [1]), ['1=3600', '3/56=3600']],
    ['a link', 4, LINK, [], ['4=3600']],
    ['all links', 4, ANY_LINK, [], ['1=3600', '2=3600', '3/56=3600', '4=3600']],
    ['a remote-id', 5, ANY_LINK, option6(37, [...u32(32473), ...ascii('b')]), ['2=3600', '3/56=3600']],
    ['a remote-id of another enterprise', 5, ANY_LINK, option6(37, [...u32(9), ...ascii('b')]), []],
  ]
  for (const [title, type, link, options, seen] of cases)
    it(`selects by ${title}`, () => {
      const lqQuery = option6(44, [type, ...link, ...options])
      assert.deepEqual(names(told(bindings, lqQuery, setup)).flat(), seen)
    })

  it('tells of a subnet that comes to the link while the query lives', () => {
    let onLink = [7]
    const driver = new Driver(dialect6, { service: { subnetsOfLink: () => onLink } })
    driver.receive(query(option6(44, [4, ...LINK])))
    driver.fresh()
    const change = (n: number): string[][] => {
      driver.index.put(dhcp6.binding(n, n, { subnetId: 8 }), START)
      driver.grew()
      driver.settle()
      return names(driver.fresh().map((frame) => decodeMessage6(frame.subarray(2))))
    }
    assert.deepEqual(change(1), [])
    onLink = [7, 8]
    assert.deepEqual(change(2), [['2=3600']])
  })

  it('tells of the end of what no longer fits', () => {
    const lqQuery = option6(44, [3, ...ANY_LINK, ...option6(53, [1])])
    const moved = dhcp6.binding(1, 1, { relay: relayOf(2, 'a') })
    const driver = new Driver(dialect6).receive(query(lqQuery))
    driver.index.put(bindings[0]!, START)
    driver.grew()
    driver.settle()
    driver.fresh()
    driver.index.put(moved, START)
    driver.grew()
    driver.settle()
    assert.deepEqual(names(driver.fresh().map((frame) => decodeMessage6(frame.subarray(2)))), [['1=0']])
  })
})
