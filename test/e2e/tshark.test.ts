/**
 * Tshark reads what we send: every message type and option of our tables, the worked frames, and what goes over a real
 * connection. Nothing is malformed to it but for what it does not know, and it reads what was meant.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import { BindingState, type Family, Origin } from '../../sidecar/binding.ts'
import type { RequestorEvent } from '../../sidecar/requestor/events.ts'
import { topologyOf } from '../../sidecar/server/topology.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { encodeFrame4 } from '../../sidecar/wire/v4/codec.ts'
import { MessageType4, Op } from '../../sidecar/wire/v4/messages.ts'
import { type Options4, options4 } from '../../sidecar/wire/v4/options.ts'
import { Status4 } from '../../sidecar/wire/v4/status.ts'
import { encodeFrame6 } from '../../sidecar/wire/v6/codec.ts'
import { MessageType6 } from '../../sidecar/wire/v6/messages.ts'
import {
  type ClientData6,
  clientData6,
  type Options6,
  options6,
  type QueryOptions6,
  queryOptions6,
} from '../../sidecar/wire/v6/options.ts'
import { Status6 } from '../../sidecar/wire/v6/status.ts'
import { type Dissected, dissect, type Field, type Tree, withoutDissector } from '../support/dissector.ts'
import { TestService } from '../support/requestor-service.ts'
import { vector, vectorNames } from '../wire/bytes.ts'

/** Not faults of the frames: tshark 4.0 does not know RFC 7653, and takes a relay message for text. */
const SHORTCOMINGS: readonly RegExp[] = [
  /^dhcpv6\.bulk_leasequery\.msgtype: Message Type (7|22|23) not allowed by DHCPv6 Bulk Leasequery$/,
  /^dhcpv6\.lq_relay_data_msg: Trailing stray characters$/,
  /not permitted to use OPTION_CLIENT_FQDN$/,
  // A remark, where a message names no hardware address (RFC 6926 section 7.2: hlen is 0 then).
  /^Client address not given: /,
]
/** STARTTLS has no options, which tshark takes for the end of the capture. */
const WITHOUT_OPTIONS = [MessageType6.startTls] as const

function faultsOf({ complaints, tree }: Dissected): string[] {
  const type = Number(tree['dhcpv6.bulk_leasequery.msgtype'])
  return complaints.filter(
    (complaint) =>
      !SHORTCOMINGS.some((known) => known.test(complaint)) &&
      !(complaint === 'malformed' && WITHOUT_OPTIONS.some((known) => known === type)),
  )
}

const skip = withoutDissector()

const octets = (...values: (number | string)[]) =>
  Uint8Array.from(values.flatMap((value) => (typeof value === 'string' ? [...Buffer.from(value)] : [value])))
const colons = (value: Uint8Array) => (Buffer.from(value).toString('hex').match(/../g) ?? []).join(':')
const address = (text: string) => parseAddress(text)!
const duid = octets(0, 3, 0, 1, 2, 0, 0x5e, 0x10, 0, 0x57)
const agent = octets(1, 4, 'port', 2, 3, 'cpe', 12, 5, 'relay')

/** What a field has to be, or to satisfy. */
type Meant = { readonly [name: string]: Field | ((shown: Field | undefined) => boolean) }

/** Tshark 4.0 shows absolute times of DHCPv4 as if they counted from 1900, in its second era. */
const ERA = 2_085_978_496
const isTime = (seconds: number) => (shown: Field | undefined) =>
  [seconds, seconds + ERA].includes(Date.parse(String(shown).replace(/\.0+/, '')) / 1000)

/** A value for each row of a table, and how tshark shows it. */
type Samples<Values> = {
  readonly [Name in keyof Omit<Required<Values>, 'unknown'>]: readonly [
    NonNullable<Values[Name & keyof Values]>,
    Meant,
  ]
}

const samples4: Samples<Options4> = {
  serverIdentifier: [address('192.0.2.9'), { 'dhcp.option.dhcp_server_id': '192.0.2.9' }],
  parameterRequestList: [octets(51, 82, 152), { 'dhcp.option.request_list_item': ['51', '82', '152'] }],
  status: [
    { code: 3, text: 'why' },
    { 'dhcp.option.bulk_lease.status_code': '3', 'dhcp.option.bulk_lease.status_code_message': 'why' },
  ],
  baseTime: [1763758800, { 'dhcp.option.bulk_lease.base_time': isTime(1763758800) }],
  leaseTime: [3553, { 'dhcp.option.ip_address_lease_time': '3553' }],
  renewalTime: [1753, { 'dhcp.option.renewal_time_value': '1753' }],
  rebindingTime: [3103, { 'dhcp.option.rebinding_time_value': '3103' }],
  clientLastTransactionTime: [47, { 'dhcp.option.client_last_transaction_time': '47' }],
  startTimeOfState: [14447, { 'dhcp.option.bulk_lease.start_time_of_state': '14447' }],
  queryStartTime: [1763757000, { 'dhcp.option.bulk_lease.query_start_time': isTime(1763757000) }],
  queryEndTime: [1763757001, { 'dhcp.option.bulk_lease.query_end_time': isTime(1763757001) }],
  dhcpState: [5, { 'dhcp.option.bulk_lease.dhcp_state': '5' }],
  dataSource: [1, { 'dhcp.option.bulk_lease.data_source': '1' }],
  clientIdentifier: [
    octets(1, 2, 0, 0x5e, 0x10, 0, 0x57),
    { 'dhcp.hw.type': '0x01', 'dhcp.hw.mac_addr': '02:00:5e:10:00:57' },
  ],
  virtualSubnet: [
    { type: 1, information: octets(1, 2, 3, 4, 5, 6, 7) },
    { 'dhcp.option.length': '8', 'dhcp.option.value': '01:01:02:03:04:05:06:07' },
  ],
  relayAgentInformation: [agent, { 'dhcp.option.agent_information_option.suboption': ['1', '2', '12'] }],
}

const shownDuid: Tree = { 'dhcpv6.duid.bytes': colons(duid), 'dhcpv6.duid.type': '3' }
/** Tshark knows the option and says no more of it. */
const known = (length: number): Tree => ({ 'dhcpv6.option.length': String(length) })
const lease = { preferredLifetime: 3553, validLifetime: 7153, options: [] }

const querySamples6: Samples<QueryOptions6> = {
  clientId: [duid, shownDuid],
  iaAddresses: [[{ address: address('2001:db8::57'), ...lease }], { 'dhcpv6.iaaddr.ip': '2001:db8::57' }],
  requestedOptions: [[39, 47], { 'dhcpv6.requested_option_code': ['39', '47'] }],
  remoteId: [
    { enterprise: 32473, remoteId: octets('cpe') },
    { 'dhcpv6.remoteid.enterprise': '32473', 'dhcpv6.remoteid_enterprise_id': colons(octets('cpe')) },
  ],
  relayId: [duid, shownDuid],
  startTime: [817072200, known(4)],
  endTime: [817072201, known(4)],
}

const clientSamples6: Samples<ClientData6> = {
  clientId: [duid, shownDuid],
  clientLastTransactionTime: [47, { 'dhcpv6.clt_time': '47' }],
  iaAddresses: [
    [{ address: address('2001:db8::57'), ...lease }],
    {
      'dhcpv6.iaaddr.ip': '2001:db8::57',
      'dhcpv6.iaaddr.pref_lifetime': '3553',
      'dhcpv6.iaaddr.valid_lifetime': '7153',
    },
  ],
  iaPrefixes: [
    [{ prefix: address('2001:db8:4700::'), prefixLength: 56, ...lease }],
    {
      'dhcpv6.iaprefix.pref_addr': '2001:db8:4700::',
      'dhcpv6.iaprefix.pref_len': '56',
      'dhcpv6.iaprefix.pref_lifetime': '3553',
      'dhcpv6.iaprefix.valid_lifetime': '7153',
    },
  ],
  relayData: [
    {
      peerAddress: address('2001:db8::9'),
      message: octets(12, 0, ...address('2001:db8::1'), ...address('fe80::57')),
    },
    { 'dhcpv6.lq_relay_data_peer_addr': '2001:db8::9', 'dhcpv6.option.length': '50' },
  ],
}

const samples6: Samples<Options6> = {
  clientId: [duid, shownDuid],
  serverId: [duid, shownDuid],
  requestedOptions: [[100, 47], { 'dhcpv6.requested_option_code': ['100', '47'] }],
  status: [
    { code: 12, text: 'why' },
    { 'dhcpv6.status_code': '12', 'dhcpv6.status_msg': 'why' },
  ],
  leaseQuery: [
    { queryType: 3, linkAddress: address('2001:db8::1'), options: { relayId: duid } },
    { 'dhcpv6.lq_query': '3', 'dhcpv6.lq_query_link_address': '2001:db8::1' },
  ],
  virtualSubnet: [{ type: 0, information: octets('red') }, known(4)],
  baseTime: [817074000, known(4)],
  startTime: [817072200, known(4)],
  endTime: [817072201, known(4)],
  clientData: [{ clientId: duid }, {}],
}

const list = (field: Field | undefined): readonly (string | Tree)[] =>
  field === undefined ? [] : Array.isArray(field) ? field : [field as string | Tree]

/** What tshark shows below an option of a message. */
function option(family: Family, tree: Tree, code: number): Tree | undefined {
  if (family === 4) {
    const at = list(tree['dhcp.option.type']).indexOf(String(code))
    return list(tree['dhcp.option.type_tree'])[at] as Tree | undefined
  }
  const options = list(
    (tree['DHCPv6 Options'] as Tree | undefined)?.['dhcpv6.option.type_str_tree'] ??
      tree['dhcpv6.option.type_str_tree'],
  )
  return options.find((one) => (one as Tree)['dhcpv6.option.type'] === String(code)) as Tree | undefined
}

function shows(what: string, shown: Tree | undefined, meant: Meant): void {
  assert.ok(shown !== undefined, `${what} is not shown`)
  for (const [field, value] of Object.entries(meant))
    if (typeof value === 'function') assert.ok(value(shown[field]), `${what}: ${field}: ${shown[field]}`)
    else assert.deepEqual(shown[field], value, `${what}: ${field}`)
}

const base4 = { op: Op.reply, type: MessageType4.leaseActive, xid: 0x4a1c0001 }

test('DHCPv4: every option of our table is what tshark takes it for', { skip }, async () => {
  const rows = Object.entries(samples4)
  assert.deepEqual(Object.keys(samples4).sort(), Object.keys(options4.rows).sort())
  const shown = await dissect(
    4,
    rows.map(([name, [value]]) => encodeFrame4({ ...base4, options: { [name]: value } })),
  )
  for (const [i, [name, [, meant]]] of rows.entries()) {
    assert.deepEqual(faultsOf(shown[i]!), [], name)
    shows(name, option(4, shown[i]!.tree, options4.rows[name as keyof typeof options4.rows].code), meant)
  }
})

test('DHCPv6: every option of our tables, at its place, is what tshark takes it for', { skip }, async () => {
  const message = (options: Options6) => encodeFrame6({ type: MessageType6.leasequery, xid: 7, options })
  const inQuery = (options: QueryOptions6) =>
    message({ leaseQuery: { queryType: 1, linkAddress: new Uint8Array(16), options } })
  const tables = [
    { samples: samples6, rows: options6.rows, within: undefined, wrap: message },
    {
      samples: querySamples6,
      rows: queryOptions6.rows,
      within: options6.rows.leaseQuery.code,
      wrap: inQuery,
    },
    {
      samples: clientSamples6,
      rows: clientData6.rows,
      within: options6.rows.clientData.code,
      wrap: (clientData: ClientData6) => message({ clientData }),
    },
  ]
  for (const { samples, rows, within, wrap } of tables) {
    assert.deepEqual(Object.keys(samples).sort(), Object.keys(rows).sort())
    const each = Object.entries(samples) as [string, readonly [never, Meant]][]
    const shown = await dissect(
      6,
      each.map(([name, [value]]) => wrap({ [name]: value })),
    )
    for (const [i, [name, [, meant]]] of each.entries()) {
      const { tree } = shown[i]!
      assert.deepEqual(faultsOf(shown[i]!), [], name)
      const place = within === undefined ? tree : option(6, tree, within)!
      shows(name, option(6, place, (rows as Record<string, { code: number }>)[name]!.code), meant)
    }
  }
})

test('every message type and status code is what tshark takes it for', { skip }, async () => {
  const codes4 = Object.values(Status4)
  const shown4 = await dissect(4, [
    ...Object.values(MessageType4).map((type) => encodeFrame4({ ...base4, type, options: {} })),
    ...codes4.map((code) => encodeFrame4({ ...base4, options: { status: { code, text: 'why' } } })),
  ])
  const types4 = Object.values(MessageType4)
  for (const [i, type] of types4.entries())
    shows(`type ${type}`, option(4, shown4[i]!.tree, 53), { 'dhcp.option.dhcp': String(type) })
  for (const [i, code] of codes4.entries()) {
    const { tree } = shown4[types4.length + i]!
    shows(`status ${code}`, option(4, tree, 151), { 'dhcp.option.bulk_lease.status_code': String(code) })
  }
  const types6 = Object.values(MessageType6)
  const codes6 = Object.values(Status6)
  const shown6 = await dissect(6, [
    ...types6.map((type) => encodeFrame6({ type, xid: 7, options: {} })),
    ...codes6.map((code) =>
      encodeFrame6({ type: MessageType6.leasequeryReply, xid: 7, options: { status: { code, text: '' } } }),
    ),
  ])
  for (const [i, type] of types6.entries())
    shows(`type ${type}`, shown6[i]!.tree, { 'dhcpv6.bulk_leasequery.msgtype': String(type) })
  for (const [i, code] of codes6.entries())
    shows(`status ${code}`, option(6, shown6[types6.length + i]!.tree, 13), {
      'dhcpv6.status_code': String(code),
    })
})

for (const family of [4, 6] as const)
  test(`DHCPv${family}: nothing is malformed in the worked frames`, { skip }, async () => {
    const names = vectorNames(`v${family}`)
    const shown = await dissect(
      family,
      names.map((name) => vector(`v${family}`, name)),
    )
    assert.equal(shown.length, names.length)
    for (const [i, name] of names.entries()) assert.deepEqual(faultsOf(shown[i]!), [], name)
  })

/** Both directions of whatever passes, cut into frames by their sizes alone. */
class Recorder {
  readonly #parts: Buffer[][] = []
  readonly #server = createServer()

  async listen(family: Family, port: number): Promise<number> {
    const host = family === 4 ? '127.0.0.1' : '::1'
    this.#server.on('connection', (near) => {
      const far = connect({ host, port })
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        const parts: Buffer[] = []
        this.#parts.push(parts)
        from.on('data', (part) => parts.push(part))
        from.on('error', () => to.destroy())
        from.pipe(to)
      }
    })
    this.#server.listen(0, host)
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  frames(): Buffer[] {
    return this.#parts.flatMap((parts) => {
      const all = Buffer.concat(parts)
      const frames: Buffer[] = []
      for (let at = 0; at < all.length; ) {
        const end = at + 2 + all.readUInt16BE(at)
        frames.push(all.subarray(at, end))
        at = end
      }
      return frames
    })
  }

  close(): void {
    this.#server.close()
  }
}

/** Held via a relay, with all that its client said; a delegated prefix beside it in DHCPv6. */
const full = {
  4: { relay: agent, options: octets(12, 4, 'host', 60, 2, 'vc'), clientId: octets(1, 2, 0, 0x5e, 0, 2, 1) },
  6: {
    relay: octets(
      ...address('2001:db8::9'),
      ...[12, 0, ...address('2001:db8::1'), ...address('fe80::57')],
      ...[0, 18, 0, 4, 'port', 0, 37, 0, 7, 0, 0, 0x7e, 0xd9, 'cpe'],
    ),
    options: octets(0, 39, 0, 6, 0, 4, 'host'),
    clientId: duid,
  },
} as const

for (const family of [4, 6] as const)
  test(`DHCPv${family}: what goes over a connection is well-formed, and says what is stored`, {
    skip,
  }, async () => {
    await using service = new TestService(family)
    const { now } = service
    service.walked().configure({ advanced: { 'active-query-enabled': true, 'bulk-query-enabled': true } })
    service.service.setTopology(topologyOf([]))
    const at = (n: number) => (family === 4 ? `192.0.2.${n}` : `2001:db8::${n}`)
    const recorder = new Recorder()
    const port = await recorder.listen(family, await service.port())
    const wants = family === 4 ? [12, 51, 60, 61, 82, 91, 152, 153, 156, 157] : [39, 47, 100]

    // Catch-up with a holder and one that is gone; then a change, and the end of the service.
    service.now += 10
    service.put(at(1), { ...full[family], clientLastTransaction: now - 47, origin: Origin.partner })
    service.put(at(2), { state: BindingState.released, validLifetime: 0, preferredLifetime: 0 })
    const active = await service.connect({ port, since: now, wants })
    const until = (type: RequestorEvent['type']) => active.until((event) => event.type === type)
    await until('catch-up-complete')
    service.put(at(3))
    await until('binding')
    const late = await service.connect({ port, since: 1 })
    await late.until(({ type }) => type === 'data-missing')
    const bulk = await service.bulk({ port })
    assert.equal((await bulk.fetch({ by: 'all' }, { wants })).status, 'Success')
    const refused = await bulk.fetch({ by: 'all' }, { start: now, end: now - 1 })
    assert.equal(refused.status, 'MalformedQuery')
    await service.service.stop()
    await until('terminated')
    recorder.close()

    const shown = await dissect(family, recorder.frames())
    assert.deepEqual(shown.flatMap(faultsOf), [])
    const typeOf = ({ tree }: Dissected) =>
      Number(family === 4 ? option(4, tree, 53)!['dhcp.option.dhcp'] : tree['dhcpv6.bulk_leasequery.msgtype'])
    assert.deepEqual(
      [...new Set(shown.map(typeOf))].sort((a, b) => a - b),
      family === 4 ? [11, 13, 14, 15, 16, 17] : [14, 15, 16, 17, 22],
    )
    const statuses = new Set(
      shown.flatMap(({ tree }) => {
        const status = option(family, tree, family === 4 ? 151 : 13)
        return status === undefined
          ? []
          : [Number(status['dhcp.option.bulk_lease.status_code'] ?? status['dhcpv6.status_code'])]
      }),
    )
    // MalformedQuery, DataMissing, CatchUpComplete, QueryTerminated.
    for (const status of family === 4 ? [3, 5, 7, 2] : [8, 12, 13, 11])
      assert.ok(statuses.has(status), `${status}`)

    // The holder, once by Active and once by Bulk.
    const told = shown.filter(({ tree }) => addressOf(family, tree) === at(1))
    assert.equal(told.length, 2)
    for (const { tree } of told) (family === 4 ? shows4 : shows6)(tree, service.now)
  })

function addressOf(family: Family, tree: Tree): Field | undefined {
  if (family === 4) return tree['dhcp.ip.client']
  const client = option(6, tree, 45)
  return client && option(6, client, 5)?.['dhcpv6.iaaddr.ip']
}

/** As it was put: last heard of 57 s before, leased for an hour then. */
const LEFT = 3600 - 57

function shows4(tree: Tree, now: number): void {
  shows('header', tree, { 'dhcp.hw.mac_addr': '02:00:5e:00:02:01', 'dhcp.hw.len': '6', 'dhcp.type': '2' })
  const meant: Record<number, Meant> = {
    12: { 'dhcp.option.hostname': 'host' },
    51: { 'dhcp.option.ip_address_lease_time': String(LEFT) },
    60: { 'dhcp.option.vendor_class_id': 'vc' },
    61: { 'dhcp.hw.mac_addr': '02:00:5e:00:02:01' },
    91: { 'dhcp.option.client_last_transaction_time': '57' },
    152: { 'dhcp.option.bulk_lease.base_time': isTime(now) },
    153: { 'dhcp.option.bulk_lease.start_time_of_state': '0' },
    157: { 'dhcp.option.bulk_lease.data_source': '1' },
  }
  for (const [code, fields] of Object.entries(meant))
    shows(`option ${code}`, option(4, tree, Number(code)), fields)
  const relay = option(4, tree, 82)!
  assert.deepEqual(relay['dhcp.option.agent_information_option.suboption'], ['1', '2', '12'])
  const values = list(relay['dhcp.option.agent_information_option.suboption_tree']).map(
    (sub) => (sub as Tree)['dhcp.option.agent_information_option.value'],
  )
  assert.deepEqual(
    values,
    ['port', 'cpe', 'relay'].map((text) => colons(octets(text))),
  )
}

function shows6(tree: Tree): void {
  const client = option(6, tree, 45)!
  shows('DUID', option(6, client, 1), shownDuid)
  shows('last transaction', option(6, client, 46), { 'dhcpv6.clt_time': '57' })
  shows('address', option(6, client, 5), {
    'dhcpv6.iaaddr.valid_lifetime': String(LEFT),
    'dhcpv6.iaaddr.pref_lifetime': String(LEFT - 1800),
  })
  shows('relay data', option(6, client, 47), {
    'dhcpv6.lq_relay_data_peer_addr': '2001:db8::9',
    'dhcpv6.option.length': String(full[6].relay.length),
  })
  shows('base-time', option(6, tree, 100), known(4))
}
