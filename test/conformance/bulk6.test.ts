// DHCPv6 Bulk Leasequery, statement by statement.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BindingData, BindingState } from '../../sidecar/binding.ts'
import { dialect6 } from '../../sidecar/session/dialect6.ts'
import { formatAddress, parseAddress } from '../../sidecar/wire/address.ts'
import { decodeMessage6 } from '../../sidecar/wire/v6/codec.ts'
import type { Message6 } from '../../sidecar/wire/v6/messages.ts'
import { relayHops6 } from '../../sidecar/wire/v6/options.ts'
import { statusNames6 } from '../../sidecar/wire/v6/status.ts'
import { Driver, identities, type Setup, START } from '../session/driver.ts'
import { dhcp6, REQUESTOR } from '../session/families.ts'
import { ascii, concat, framed, hex, message6, option6, toHex, u16, u32, vector } from '../wire/bytes.ts'
import { shows } from './rows.ts'

const REPLY = 15
const DONE = 16
const DATA = 17
const XID = 0x7c0002
const SINCE_2000 = 946684800
const ANY = new Uint8Array(16)

const address = (text: string): Uint8Array => parseAddress(text)!
const oro = (...codes: number[]): number[] => option6(6, codes.flatMap(u16))
const lq = (type: number, link: Uint8Array = ANY, options: readonly number[] = []): number[] =>
  option6(44, [type, ...link, ...options])
const duid = (client: number): number[] => [0, 3, 0, 1, 2, 0, 0x5e, 0, 0, client]
const remote = (text: string, enterprise = 32473): number[] =>
  option6(37, [...u32(enterprise), ...ascii(text)])

function query(options: readonly number[], xid = XID, type = 14): Uint8Array {
  return framed(message6(type, xid, [...option6(1, REQUESTOR), ...options]))
}

/** Body of OPTION_LQ_RELAY_DATA: one hop. */
function relay(relayId: string, remoteId: readonly number[] = []): Uint8Array {
  return concat(address('fe80::1'), [12, 0], ANY, address('fe80::2'), option6(53, ascii(relayId)), remoteId)
}

/** Links L (subnets 1 and 2, one shared network) and M (subnet 3). */
const L = address('2001:db8:1::')
const M = address('2001:db8:3::')
const service: Partial<Setup['service']> = {
  bulkEnabled: true,
  subnetsOfLink(link) {
    const text = formatAddress(link)
    if (text.startsWith('2001:db8:1:') || text.startsWith('2001:db8:2:')) return [1, 2]
    return text.startsWith('2001:db8:3:') ? [3] : []
  },
  isOnLink: (one) => /^2001:db8:[123]:/.test(formatAddress(one)),
}

function server(setup: Partial<Setup> = {}) {
  const driver = new Driver(dialect6, { ...setup, service: { ...service, ...setup.service } })
  const fresh = (): Message6[] => driver.fresh().map((frame) => decodeMessage6(frame.subarray(2)))
  return {
    driver,
    fresh,
    /** Binding of this address (or prefix) for that client. */
    put(text: string, client: number, changes: Partial<BindingData> = {}): void {
      const { keaNow, now } = driver.time.moment
      const [start, length = '0'] = text.split('/')
      driver.index.put(
        dhcp6.binding(0, client, {
          address: address(start!),
          prefixLength: Number(length),
          clientLastTransaction: keaNow,
          stateSince: keaNow,
          ...changes,
        }),
        now,
      )
    },
    ask(options: readonly number[]): Message6[] {
      driver.receive(query(options))
      return fresh()
    },
  }
}

const statusOf = (message: Message6 | undefined) =>
  message?.options.status && statusNames6[message.options.status.code]
/** `client: addresses and prefixes`, ended ones with a minus. */
function named(messages: readonly Message6[]): string[] {
  return messages.flatMap(({ options: { clientData } }) => {
    if (clientData === undefined) return []
    const sign = (valid: number) => (valid === 0 ? '-' : '')
    const held = [
      ...(clientData.iaAddresses ?? []).map((one) => sign(one.validLifetime) + formatAddress(one.address)),
      ...(clientData.iaPrefixes ?? []).map(
        (one) => `${sign(one.validLifetime)}${formatAddress(one.prefix)}/${one.prefixLength}`,
      ),
    ]
    return [`${clientData.clientId!.at(-1)}: ${held.sort().join(' ')}`]
  })
}
const types = (messages: readonly Message6[]): number[] => messages.map(({ type }) => type)
/** The one answer there is: a LEASEQUERY-REPLY with this status. */
function refusal(messages: readonly Message6[], status: string): void {
  assert.deepEqual([types(messages), statusOf(messages[0])], [[REPLY], status])
  assert.equal(messages[0]!.options.clientData, undefined)
  assert.deepEqual(messages[0]!.options.clientId, REQUESTOR)
  assert.deepEqual(messages[0]!.options.serverId, identities[6])
}

describe('DHCPv6 Bulk Leasequery: queries (RFC 5007 section 4.1.2.1, RFC 5460 section 5.3)', () => {
  shows('5007-4.1.2.1-03', () => {
    const { put, ask } = server()
    put('2001:db8:1::5', 1)
    put('2001:db8:1:100::/56', 2)
    put('2001:db8:1:180::/60', 3)
    const of = (text: string, link: Uint8Array = ANY) => named(ask(lq(1, link, ia(text))))
    assert.deepEqual(of('2001:db8:1::5'), ['1: 2001:db8:1::5'])
    assert.deepEqual(of('2001:db8:1:101::9'), ['2: 2001:db8:1:100::/56'])
    assert.deepEqual(of('2001:db8:1:18f::9'), ['3: 2001:db8:1:180::/60'], 'the nearest one')
    assert.deepEqual(of('2001:db8:1::6'), [])
    assert.deepEqual(of('2001:db8:1::5', L), ['1: 2001:db8:1::5'])
    assert.deepEqual(of('2001:db8:1::5', M), [])
  })

  shows(['5007-4.1.2.2-01', '5460-5.2.1-05'], () => {
    const { put, ask } = server()
    put('2001:db8:1::5', 1)
    put('2001:db8:1::6', 1)
    put('2001:db8:1:100::/56', 1)
    put('2001:db8:3::5', 1, { subnetId: 3 })
    put('2001:db8:1::7', 1, { state: BindingState.released })
    const messages = ask(lq(2, ANY, option6(1, duid(1))))
    assert.deepEqual(named(messages).sort(), [
      '1: 2001:db8:1:100::/56 2001:db8:1::5 2001:db8:1::6',
      '1: 2001:db8:3::5',
    ])
    assert.deepEqual(types(messages), [REPLY, DATA, DONE])
  })

  shows(['5007-4.4.1-03', '5007-4.4.1-05', '5460-4-01'], () => {
    const { put, ask } = server()
    put('2001:db8:1::5', 1)
    put('2001:db8:3::5', 1, { subnetId: 3 })
    const messages = ask(lq(2, ANY, option6(1, duid(1))))
    assert.equal(named(messages).length, 2)
    assert.ok(
      messages.every(({ options }) => options.unknown === undefined),
      'no option that is not named here',
    )
    assert.deepEqual(named(ask(lq(2, L, option6(1, duid(1))))), ['1: 2001:db8:1::5'])
    assert.deepEqual(named(ask(lq(2, M, option6(1, duid(1))))), ['1: 2001:db8:3::5'])
  })

  shows(['5460-5.3.1-02', '5460-5.4.1-01', '5460-7.2-07'], () => {
    const { put, ask } = server()
    put('2001:db8:1::5', 1, { relay: relay('R', remote('X')) })
    put('2001:db8:3::5', 2, { relay: relay('R', remote('X')), subnetId: 3 })
    put('2001:db8:3::6', 3, { relay: relay('S', remote('X')), subnetId: 3 })
    const byRelay = (link: Uint8Array) => named(ask(lq(3, link, option6(53, ascii('R'))))).sort()
    assert.deepEqual(byRelay(ANY), ['1: 2001:db8:1::5', '2: 2001:db8:3::5'])
    assert.deepEqual(byRelay(L), ['1: 2001:db8:1::5'])
    assert.deepEqual(byRelay(M), ['2: 2001:db8:3::5'])
    assert.deepEqual(named(ask(lq(5, M, remote('X')))).sort(), ['2: 2001:db8:3::5', '3: 2001:db8:3::6'])
  })

  shows('5460-5.3.2-01', () => {
    const { put, ask } = server()
    put('2001:db8:1::5', 1)
    put('2001:db8:2::5', 2, { subnetId: 2 })
    put('2001:db8:3::5', 3, { subnetId: 3 })
    assert.deepEqual(named(ask(lq(4, L))).sort(), ['1: 2001:db8:1::5', '2: 2001:db8:2::5'])
    assert.deepEqual(named(ask(lq(4, address('2001:db8:3::77')))), ['3: 2001:db8:3::5'])
    assert.equal(named(ask(lq(4))).length, 3, 'all links without one')
  })

  shows('5460-5.3.3-02', () => {
    const { put, ask } = server()
    put('2001:db8:1::5', 1, { relay: relay('R', remote('A')) })
    put('2001:db8:1::5', 1, { relay: relay('R', remote('B')) })
    assert.deepEqual(named(ask(lq(5, ANY, remote('A')))), [])
    assert.deepEqual(named(ask(lq(5, ANY, remote('B')))), ['1: 2001:db8:1::5'])
    assert.deepEqual(named(ask(lq(5, ANY, remote('B', 9)))), [])
  })

  shows('5007-4.1.2.1-01', () => {
    const { put, ask } = server()
    put('2001:db8:1::5', 1)
    refusal(ask(option6(44, [4, ...new Uint8Array(15)])), 'MalformedQuery')
    assert.equal(named(ask(lq(4, L))).length, 1)
  })

  shows('5007-4.1.2.1-06', () => refusal(server().ask(lq(0x63)), 'UnknownQueryType'))

  shows(['5007-4.1.2.1-07', '5460-7.2-02'], () => {
    const { ask } = server()
    for (const type of [1, 2, 3, 5]) refusal(ask(lq(type)), 'MalformedQuery')
  })

  shows(['5007-4.4.1-04', '5460-7.2-08'], () => {
    const { put, ask } = server()
    put('2001:db8:1::5', 1)
    put('2001:db8:ffff::5', 2, { subnetId: 9 })
    const nowhere = address('2001:db8:ffff::1')
    refusal(ask(lq(1, nowhere, ia('2001:db8:1::5'))), 'NotConfigured')
    refusal(ask(lq(2, nowhere, option6(1, duid(1)))), 'NotConfigured')
    refusal(ask(lq(3, nowhere, option6(53, ascii('R')))), 'NotConfigured')
    refusal(ask(lq(4, nowhere)), 'NotConfigured')
    refusal(ask(lq(5, nowhere, remote('X'))), 'NotConfigured')
    refusal(ask(lq(1, ANY, ia('2001:db8:fffe::5'))), 'NotConfigured')
    assert.deepEqual(
      named(ask(lq(1, ANY, ia('2001:db8:ffff::5')))),
      ['2: 2001:db8:ffff::5'],
      'of a subnet removed',
    )
  })

  it('does not guess at links before Kea has told of them', () => {
    const { ask } = server({ service: { subnetsOfLink: () => undefined } })
    refusal(ask(lq(4, L)), 'QueryTerminated')
  })

  shows(['5007-4.2.1-01', '5007-4.2.1-03'], () => {
    for (const message of [
      message6(14, 1, lq(4)),
      message6(14, 1, option6(44, [1])),
      message6(14, 1, option6(1, REQUESTOR)),
    ]) {
      const { driver } = server()
      driver.receive(framed(message))
      assert.deepEqual(driver.fresh(), [])
      assert.equal(driver.closed?.reason, 'protocol-error')
    }
  })

  shows('5007-4.2.1-02', () => {
    const { driver, put, ask } = server()
    put('2001:db8:1::5', 1)
    assert.equal(ask([...option6(2, identities[6]), ...lq(4)]).length, 2)
    assert.deepEqual(ask([...option6(2, [0, 1, 9]), ...lq(4)]), [])
    assert.equal(driver.closed?.reason, 'protocol-error')
  })

  shows(['5007-4.2.2-04', '5460-4-02'], () => {
    for (const type of [1, 11, 15, 17, 16]) {
      const { driver } = server()
      driver.receive(query(lq(4), XID, type))
      assert.deepEqual(driver.fresh(), [])
      assert.ok(driver.closed)
    }
  })

  it('refuses VPNs, of which there are none (RFC 6607 section 9)', () => {
    const { put, ask } = server()
    put('2001:db8:1::5', 1)
    refusal(ask([...lq(4), ...option6(68, [0, ...ascii('abc')])]), 'NotAllowed')
    for (const type of [254, 255]) assert.equal(ask([...lq(4), ...option6(68, [type])]).length, 2)
    refusal(ask([...lq(4), ...option6(68, [254, 1])]), 'MalformedQuery')
  })

  shows('5460-7.1-05', () => {
    const { driver, ask } = server({ rights: { bulk: false } })
    refusal(ask(lq(4)), 'NotAllowed')
    assert.equal(driver.closed?.reason, 'refused')
  })

  it('takes no query by what is withheld: it could be found out by asking', () => {
    const { put, ask } = server({ rights: { withhold: new Set([47]) } })
    put('2001:db8:1::5', 1, { relay: relay('R', remote('X')) })
    refusal(ask(lq(3, ANY, option6(53, ascii('R')))), 'NotAllowed')
    refusal(ask(lq(5, ANY, remote('X'))), 'NotAllowed')
    assert.equal(named(ask(lq(4))).length, 1)
  })
})

function ia(text: string): number[] {
  return option6(5, [...address(text), ...new Uint8Array(8)])
}

describe('DHCPv6 Bulk Leasequery: the course of a query (RFC 5460 sections 5.2 and 7.2)', () => {
  shows(
    ['5460-5.2-01', '5460-5.2.1-01', '5460-5.2.1-03', '5460-5.2.2-01', '5460-7.2-06', '5007-4.4.1-01'],
    () => {
      const { put, ask } = server()
      for (let n = 1; n <= 10; n++) put(`2001:db8:1::${n}`, n)
      const messages = ask(lq(4))
      assert.deepEqual(types(messages), [REPLY, ...new Array(9).fill(DATA), DONE])
      assert.ok(messages.every(({ xid }) => xid === XID))
      assert.equal(new Set(named(messages)).size, 10)
      assert.deepEqual(messages[0]!.options.clientId, REQUESTOR)
      assert.deepEqual(messages[0]!.options.serverId, identities[6])
    },
  )

  shows(['5460-5.2.1-02', '5460-5.2.1-04', '5460-5.2.2-02'], () => {
    const { put, ask } = server()
    put('2001:db8:1::1', 1)
    const [, done] = ask(lq(4))
    assert.deepEqual([done?.type, done?.options], [DONE, {}])
    put('2001:db8:1::2', 2)
    const [reply, data] = ask(lq(4))
    assert.equal(reply?.options.status, undefined)
    assert.deepEqual([data?.type, Object.keys(data!.options)], [DATA, ['clientData']])
  })

  shows(['5460-6.3-04', '5460-7.2-05'], () => {
    const { ask } = server()
    const messages = ask(lq(2, ANY, option6(1, duid(9))))
    assert.deepEqual(types(messages), [REPLY])
    assert.deepEqual(messages[0]!.options, { clientId: REQUESTOR, serverId: identities[6] })
  })

  it('takes the worked example (RFC 5460 section 5.3.1)', () => {
    const { driver, put, fresh } = server()
    put('2001:db8:1::1', 1, {
      relay: concat(ANY, [12, 0], ANY, ANY, option6(53, hex('00 03 00 01 02 00 5e 00 00 02'))),
    })
    driver.receive(vector('v6', 'lq6-relayid'))
    const messages = fresh()
    assert.deepEqual(named(messages), ['1: 2001:db8:1::1'])
    assert.ok(messages.every(({ options }) => options.baseTime === START - SINCE_2000))
  })

  it('sends base-time only where it was asked for, at either place (RFC 7653 section 6.3.1)', () => {
    const { driver, put, ask } = server()
    put('2001:db8:1::1', 1)
    driver.time.pass(5)
    assert.ok(ask(lq(4)).every(({ options }) => options.baseTime === undefined))
    for (const options of [[...oro(100), ...lq(4)], lq(4, ANY, oro(100))])
      assert.ok(ask(options).every(({ options }) => options.baseTime === START + 5 - SINCE_2000))
  })

  shows(['5460-5.5-01', '5460-7.2-03', '5460-7.2-04'], () => {
    const early = server()
    early.driver.tell({ type: 'bytes', data: query(lq(4)) })
    early.driver.tell({ type: 'terminate', text: 'the server is being stopped' })
    refusal(early.fresh(), 'QueryTerminated')
    const late = server()
    for (let n = 1; n <= 9; n++) late.put(`2001:db8:1::${n}`, n)
    late.driver.tell({ type: 'bytes', data: query(lq(4)) })
    late.driver.answer()
    late.driver.answer()
    late.driver.tell({ type: 'terminate', text: 'the server is being stopped' })
    const messages = late.fresh()
    assert.deepEqual(types(messages), [REPLY, DATA, DONE])
    assert.equal(statusOf(messages.at(-1)), 'QueryTerminated')
    assert.equal(late.driver.closed?.reason, 'terminated')
  })
})

describe('DHCPv6 Bulk Leasequery: what a reply says (RFC 5007 sections 4.1.2 and 4.4.2)', () => {
  shows(['5007-4.1.2.3-01', '5007-4.4.2-01'], () => {
    const { driver, put, ask } = server()
    put('2001:db8:1::1', 1)
    driver.time.pass(20)
    put('2001:db8:1::9', 2, { clientId: new Uint8Array(0) })
    const byClient = new Map(
      ask(lq(4)).flatMap(({ options: { clientData } }) =>
        clientData
          ? [
              [
                clientData.iaAddresses!.length + formatAddress(clientData.iaAddresses![0]!.address),
                clientData,
              ],
            ]
          : [],
      ),
    )
    const one = byClient.get('12001:db8:1::1')!
    assert.equal(one.clientLastTransactionTime, 20)
    assert.deepEqual([...one.clientId!], duid(1))
    assert.deepEqual(one.iaAddresses![0]!.validLifetime, 3580)
    assert.deepEqual(one.iaAddresses![0]!.preferredLifetime, 1780)
    assert.equal(byClient.get('12001:db8:1::9')!.clientId!.length, 3, 'a CLIENTID of nobody')
  })

  shows(['5007-4.1.2.4-01', '5007-4.1.2.4-02', '5007-4.1.2.4-04'], () => {
    const { put, ask } = server()
    const inner = concat([12, 0], ANY, address('fe80::3'), option6(18, ascii('eth1')))
    const chain = concat(
      address('fe80::1'),
      [12, 1],
      ANY,
      address('fe80::2'),
      option6(53, ascii('R')),
      option6(9, inner),
    )
    put('2001:db8:1::1', 1, { relay: chain })
    put('2001:db8:1::2', 2)
    const relayData = (options: readonly number[]) =>
      new Map(
        ask(options).flatMap(({ options: { clientData } }) =>
          clientData ? [[clientData.clientId!.at(-1), clientData.relayData]] : [],
        ),
      )
    assert.deepEqual([...relayData(lq(4)).values()], [undefined, undefined])
    assert.deepEqual(
      [...relayData([...oro(47), ...lq(4)]).values()],
      [undefined, undefined],
      'asked for outside of the query',
    )
    const asked = relayData(lq(4, ANY, oro(47)))
    assert.equal(asked.get(2), undefined)
    const hops = relayHops6(asked.get(1)!.message)
    assert.equal(hops.length, 2)
    assert.deepEqual(asked.get(1)!.peerAddress, address('fe80::1'))
    assert.equal(toHex(hops[1]!.options[0]!.data), toHex(Uint8Array.from(ascii('eth1'))))
  })

  shows(['5007-4.4.2-02', '5007-4.4.2-04'], () => {
    const options = Uint8Array.from(option6(39, [0, ...ascii('cpe')]))
    const open = server()
    open.put('2001:db8:1::1', 1, { options })
    const [reply] = open.ask(lq(4, ANY, oro(39)))
    assert.deepEqual(
      reply!.options.clientData!.unknown!.map(({ code }) => code),
      [39],
    )
    assert.equal(open.ask(lq(4))[0]!.options.clientData!.unknown, undefined)
    const strict = server({ rights: { withhold: new Set([39]) } })
    strict.put('2001:db8:1::1', 1, { options })
    assert.equal(strict.ask(lq(4, ANY, oro(39)))[0]!.options.clientData!.unknown, undefined)
  })

  it('tells only of what is held: not of ended, declined or overdue bindings (RFC 5007 section 4.1.2.2)', () => {
    const { put, ask } = server()
    put('2001:db8:1::1', 1)
    put('2001:db8:1::2', 2, { state: BindingState.released })
    put('2001:db8:1::3', 3, { state: BindingState.abandoned })
    put('2001:db8:1::4', 4, { clientLastTransaction: START - 3600 })
    assert.deepEqual(named(ask(lq(4))), ['1: 2001:db8:1::1'])
  })

  it('tells relay data of each binding where one client was relayed differently, if it is asked for', () => {
    const { put, ask } = server()
    put('2001:db8:1::1', 1, { relay: relay('R') })
    put('2001:db8:1::2', 1, { relay: relay('S') })
    const both = '1: 2001:db8:1::1 2001:db8:1::2'
    assert.deepEqual(named(ask(lq(4))), [both])
    assert.deepEqual(named(ask(lq(4, ANY, oro(47)))), [both, both])
  })

  it('applies the scope of the requestor to each member of a group', () => {
    const { put, ask } = server({ rights: { relayIds: [Uint8Array.from(ascii('R'))] } })
    put('2001:db8:1::1', 1, { relay: relay('R') })
    put('2001:db8:1:100::/56', 1, { relay: relay('S') })
    put('2001:db8:1::2', 2, { relay: relay('S') })
    for (const options of [lq(4), lq(2, ANY, option6(1, duid(1)))])
      assert.deepEqual(named(ask(options)), ['1: 2001:db8:1::1'])
    assert.deepEqual(named(ask(lq(1, ANY, ia('2001:db8:1::2')))), [])
  })

  it('cuts a group that does not fit one message, and tells nothing twice', () => {
    const { driver, put, ask } = server({ limits: { maxReply: 600 } })
    driver.sliceFinds = 100
    for (let n = 1; n <= 60; n++) put(`2001:db8:1::${n.toString(16)}`, 1)
    const messages = ask(lq(4))
    const told = messages.flatMap(({ options }) => options.clientData?.iaAddresses ?? [])
    assert.equal(told.length, 60)
    assert.ok(messages.length > 5)
    assert.deepEqual(types(messages).slice(0, 2), [REPLY, DATA])
    assert.ok(driver.sent.every(({ octets }) => octets.length <= 602))
  })
})

describe('DHCPv6 Bulk Leasequery: windows (RFC 7653 sections 6.3.2 and 6.3.3)', () => {
  const since = (second: number) => option6(101, u32(second - SINCE_2000))
  const until = (second: number) => option6(102, u32(second - SINCE_2000))

  it('tells what changed in it, both ends included, at either place of the options', () => {
    const { driver, put, ask } = server()
    driver.time.pass(100)
    const changed = driver.time.now
    put('2001:db8:1::1', 1)
    driver.time.pass(100)
    const found = (...options: number[][]) =>
      [named(ask([...lq(4), ...options.flat()])).length, named(ask(lq(4, ANY, options.flat()))).length].join()
    assert.equal(found(since(changed)), '1,1')
    assert.equal(found(since(changed + 1)), '0,0')
    assert.equal(found(until(changed)), '1,1')
    assert.equal(found(until(changed - 1)), '0,0')
    assert.equal(found(since(changed), until(changed)), '1,1')
  })

  it('tells of what ended in it with lifetimes of 0, and of what has another holder now', () => {
    const { driver, put, ask } = server()
    put('2001:db8:1::1', 1)
    put('2001:db8:1::2', 2)
    put('2001:db8:1::3', 3)
    driver.time.pass(100)
    put('2001:db8:1::1', 1, { state: BindingState.released })
    put('2001:db8:1::2', 4)
    const inWindow = [...lq(4), ...since(START + 100)]
    assert.deepEqual(named(ask(inWindow)).sort(), [
      '1: -2001:db8:1::1',
      '2: -2001:db8:1::2',
      '4: 2001:db8:1::2',
    ])
    assert.deepEqual(named(ask(lq(4))).sort(), ['3: 2001:db8:1::3', '4: 2001:db8:1::2'])
  })

  it('by address tells of who holds it now, or how it ended, not of who held it before', () => {
    const { driver, put, ask } = server()
    put('2001:db8:1::1', 1)
    put('2001:db8:1::2', 1)
    driver.time.pass(100)
    put('2001:db8:1::1', 2)
    put('2001:db8:1::2', 1, { state: BindingState.released })
    const of = (text: string) => named(ask([...lq(1, ANY, ia(text)), ...since(START + 100)]))
    assert.deepEqual(of('2001:db8:1::1'), ['2: 2001:db8:1::1'])
    assert.deepEqual(of('2001:db8:1::2'), ['1: -2001:db8:1::2'])
  })

  it('tells of the end of what has left the relay that is asked for', () => {
    const { driver, put, ask } = server()
    put('2001:db8:1::1', 1, { relay: relay('R') })
    driver.time.pass(100)
    put('2001:db8:1::1', 1, { relay: relay('S') })
    const asked = (id: string) => named(ask([...lq(3, ANY, option6(53, ascii(id))), ...since(START + 100)]))
    assert.deepEqual(asked('R'), ['1: -2001:db8:1::1'])
    assert.deepEqual(asked('S'), ['1: 2001:db8:1::1'])
  })

  it('ends with QueryTerminated where the history does not reach back, since nobody could tell what ended', () => {
    const { driver, put, ask } = server()
    put('2001:db8:1::1', 1)
    driver.index.horizon = START - 10
    refusal(ask([...lq(4), ...since(START - 11)]), 'QueryTerminated')
    assert.equal(named(ask([...lq(4), ...since(START - 10)])).length, 1)
    assert.equal(driver.closed, undefined)
  })

  it('ends with QueryTerminated where the start time lies in the future', () => {
    refusal(server().ask([...lq(4), ...since(START + 60)]), 'QueryTerminated')
  })

  it('answers a start time later than the end time with MalformedQuery', () => {
    refusal(server().ask([...lq(4), ...since(START), ...until(START - 1)]), 'MalformedQuery')
  })

  it('ends with LEASEQUERY-DONE and closes where ends are forgotten before they were sent', () => {
    const { driver, put, fresh } = server()
    for (let n = 1; n < 9; n++) put(`2001:db8:1::${n}`, n)
    driver.tell({ type: 'bytes', data: query([...lq(4), ...since(START)]) })
    driver.answer()
    driver.answer()
    driver.take()
    driver.scans.get(1)!.overtaken = true
    driver.settle()
    const messages = fresh()
    assert.deepEqual([messages.at(-1)?.type, statusOf(messages.at(-1))], [DONE, 'QueryTerminated'])
    assert.equal(driver.closed?.reason, 'terminated')
  })
})
