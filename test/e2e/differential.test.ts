/**
 * Kea's own lease_query library as the second opinion: one lease file, served by both, the same Bulk queries to each, the
 * same answers, but for the differences in the table below. Debian's Kea 2.6 lacks the library.
 */

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { encodeBulkQuery } from '../../sidecar/requestor/bulk-client.ts'
import { type BulkQueryWishes, BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import type { ReportedBinding } from '../../sidecar/requestor/events.ts'
import type { BulkSelection } from '../../sidecar/requestor/selection.ts'
import { formatAddress, parseAddress } from '../../sidecar/wire/address.ts'
import { Framer } from '../../sidecar/wire/framing.ts'
import { decodeMessage4 } from '../../sidecar/wire/v4/codec.ts'
import { MessageType4 } from '../../sidecar/wire/v4/messages.ts'
import type { JsonObject } from '../support/kea-config.ts'
import { openTunnel } from '../support/namespace-tunnel.ts'
import {
  type RelayedLease,
  relayedLeases4,
  relayedLeases6,
  writeRelayedLeases,
} from '../support/relayed-leases.ts'
import { mainKea } from '../support/roots.ts'
import { Service } from '../support/service.ts'

const INFINITE = 0xffffffff
const KEA_PORT = 6767
/** Of a page of Kea's: small, so that there are several. */
const PAGE = 10

interface Query {
  readonly name: string
  readonly select: BulkSelection
  readonly link?: string
}

/** What the two say of one address, or of the whole answer. */
interface Difference {
  readonly query: Query
  readonly what: 'only Kea' | 'only ours' | 'valid' | 'preferred' | 'peer-address' | 'value' | 'status'
  /** As in the lease file. */
  readonly lease?: RelayedLease | undefined
  /** What both say of who the query is about, if they say the same. */
  readonly holder?: RelayedLease | undefined
  readonly text: string
}

/** Why the two differ, and the words that decide. */
interface Explanation {
  readonly why: string
  readonly rfc: string
  readonly explains: (difference: Difference) => boolean
}

const explanations6: readonly Explanation[] = [
  {
    why: 'to who holds an address Kea gives that address alone, we all that the client holds on the link',
    rfc: 'RFC 5007 section 4.1.2.2: "The server MUST return all of the client\'s statefully assigned addresses and delegated prefixes, with a non-zero valid lifetime, on the link."',
    explains: ({ what, query, holder, lease }) =>
      what === 'only ours' &&
      query.select.by === 'address' &&
      lease !== undefined &&
      holder?.clientId.equals(lease.clientId) === true &&
      linkOf(holder) === linkOf(lease),
  },
  {
    why: 'Kea takes the subnets that contain a link-address for its link, we all subnets of their shared network',
    rfc: 'RFC 5460 section 5.3.2: "The Server attempts to locate bindings on the same network segment as the link-address."',
    explains: ({ what, query, lease }) =>
      what === 'only ours' && query.link?.startsWith('2001:db8:1:') === true && lease?.subnetId === 2,
  },
  {
    why: "Kea's pages after the first hold leases that have ended, also those of other links",
    rfc: 'RFC 5007 section 4.1.2.2: "... with a non-zero valid lifetime, on the link."',
    explains: ({ what, lease }) => what === 'only Kea' && lease !== undefined && lease.state !== 0,
  },
  {
    why: 'Kea counts an infinite lifetime down, we leave it infinite',
    rfc: 'RFC 8415 section 7.7: "The value 0xffffffff is taken to mean \'infinity\'", from which nothing is subtracted',
    explains: ({ what, lease }) => (what === 'valid' || what === 'preferred') && lease?.valid === INFINITE,
  },
  {
    why: 'Kea gives the whole preferred lifetime again once it is over, we 0',
    rfc: 'RFC 8415 section 21.6: a lifetime is that of the address in this message; of one that is over nothing is left',
    explains: ({ what, lease }) => what === 'preferred' && lease?.preferred === 100,
  },
  {
    why: "a stored lease has no relay's own address: Kea puts the relayed client's there, we the relay's link-address",
    rfc: 'RFC 5007 section 4.1.2.4: "The address of the relay agent from which the relayed message was received by the server."',
    explains: ({ what }) => what === 'peer-address',
  },
  {
    why: 'an address in a subnet, but in none of its pools, is not configured to Kea; to us its link is',
    rfc: 'RFC 5007 section 4.4.1: "the server uses the address from the OPTION_IAADDR option to find the appropriate link ... if the server is unable to find the link, it SHOULD return ... NotConfigured"',
    explains: ({ what, query }) => what === 'status' && query.name === 'by an address in no pool',
  },
  {
    why: 'all links at once: Kea calls that malformed, we answer it',
    rfc: 'RFC 5460 section 5.3.2 says nothing of 0::0; for other types 0::0 is all links (section 5.3.1)',
    explains: ({ what, query }) => (what === 'status' || what === 'only ours') && query.name === 'all links',
  },
]

/** Subnets 1 and 2 are those of the street. */
function linkOf({ subnetId }: RelayedLease): number {
  return subnetId === 3 ? 3 : 1
}

for (const family of [4, 6] as const)
  test(`DHCPv${family}: Kea's own Bulk Leasequery and ours give the same answers, but for what is explained`, {
    skip: mainKea().skip,
  }, async () => {
    const now = Math.floor(Date.now() / 1000)
    const leases = family === 4 ? relayedLeases4(now) : relayedLeases6(now)
    await using service = await serving(family, leases)
    const { lab } = service
    const kea = { address: family === 4 ? '127.0.0.1' : '::1', port: KEA_PORT }
    const place = await openTunnel(lab, 'server', kea)
    const theirs = await BulkRequestor.connect({ family, ...place })
    const ours = await BulkRequestor.connect(service.address(family))
    const explanations = family === 4 ? [] : explanations6
    const used = new Set<Explanation>()
    const unexplained: string[] = []
    let compared = 0
    for (const query of family === 4 ? queries4(leases) : queries6(leases)) {
      const wishes: BulkQueryWishes =
        query.link === undefined ? {} : { linkAddress: parseAddress(query.link)! }
      const [a, b] = [await theirs.fetch(query.select, wishes), await ours.fetch(query.select, wishes)]
      const differences = compare(query, leases, a.bindings, b.bindings)
      if (a.status !== b.status)
        differences.push({ query, what: 'status', text: `Kea ${a.status}, ours ${b.status}` })
      compared += b.bindings.length
      for (const difference of differences) {
        const explanation = explanations.find(({ explains }) => explains(difference))
        if (explanation === undefined)
          unexplained.push(`${query.name}: ${difference.what}: ${difference.text}`)
        else used.add(explanation)
      }
    }
    assert.deepEqual(unexplained.slice(0, 20), [])
    assert.ok(compared > leases.length, `${compared} bindings compared`)
    assert.deepEqual(
      explanations.filter((explanation) => !used.has(explanation)).map(({ why }) => why),
      [],
      'explained, but not seen: Kea has changed',
    )
    for (const requestor of [theirs, ours]) requestor.close()

    if (family === 4) {
      const settled = leases.filter(({ cltt }) =>
        [RENEW, REBIND].every((timer) => Math.abs(Date.now() / 1000 - cltt - timer) > 120),
      )
      const [a, b] = [await timers(place, 'relay-1'), await timers(service.address(4), 'relay-1')]
      const of = (all: Map<string, string>) => settled.flatMap(({ address }) => all.get(address) ?? [])
      assert.deepEqual(of(b), of(a))
      // Before both, between them, after both, and without an end.
      assert.equal(new Set(of(b).map((text) => text.replace(/.*: /, ''))).size, 4)
    }
  })

/** T1 and T2 of kea-config.ts, seconds. */
const [RENEW, REBIND] = [1200, 2400]

/** Of each address that came by a relay: how much sooner than its lease T1 and T2 end (options 51, 58, 59). */
async function timers(place: { host: string; port: number }, relay: string): Promise<Map<string, string>> {
  const socket = connect(place)
  const select = { by: 'relay-id', relayId: Buffer.from(relay) } as const
  socket.write(encodeBulkQuery({ family: 4, xid: 1, select, wants: [51, 58, 59] }))
  const framer = new Framer()
  const found = new Map<string, string>()
  for await (const part of socket) {
    framer.push(part as Buffer)
    for (let octets = framer.next(); octets !== undefined; octets = framer.next()) {
      const { type, ciaddr, options } = decodeMessage4(octets)
      if (type === MessageType4.leasequeryDone) return found
      const { leaseTime, renewalTime, rebindingTime } = options
      const before = (timer?: number) => (timer === undefined ? 'none' : leaseTime! - timer)
      const address = formatAddress(ciaddr!)
      found.set(
        address,
        `${address}: ${before(renewalTime)} ${before(rebindingTime)} ${leaseTime === INFINITE}`,
      )
    }
  }
  throw new Error('the connection ended before the answer did')
}

async function serving(family: 4 | 6, leases: readonly RelayedLease[]): Promise<Service> {
  const service = await Service.start(mainKea(), { families: [family], sidecar: false })
  try {
    const server = service.kea(family)
    await server.stop()
    writeRelayedLeases(server.leaseFile, family, leases)
    const loopback = family === 4 ? '127.0.0.1' : '::1'
    const leaseQuery = {
      library: 'libdhcp_lease_query.so',
      parameters: {
        requesters: [loopback],
        advanced: {
          'bulk-query-enabled': true,
          'lease-query-ip': loopback,
          'lease-query-tcp-port': KEA_PORT,
          'max-leases-per-fetch': PAGE,
          ...(family === 6 ? { 'extended-info-tables-enabled': true } : {}),
        },
      } satisfies JsonObject,
    }
    const { hooks } = service.keaOptions(family)
    const parameters: JsonObject =
      family === 4
        ? {}
        : {
            subnet6: [subnet6(3)],
            'shared-networks': [{ name: 'street', subnet6: [subnet6(1), subnet6(2)] }],
          }
    server.configure({ parameters, hooks: [...hooks!, leaseQuery] })
    await server.restart()
    await service.startSidecar()
    return service
  } catch (error) {
    await service.close()
    throw error
  }
}

function subnet6(id: number): JsonObject {
  const prefix = (0x8000 + 0x1000 * (id - 1)).toString(16)
  return {
    id,
    subnet: `2001:db8:${id}::/64`,
    pools: [{ pool: `2001:db8:${id}::1:0:0 - 2001:db8:${id}::1:ffff:ffff` }],
    'pd-pools': [{ prefix: `2001:db8:${prefix}::`, 'prefix-len': 36, 'delegated-len': 56 }],
  }
}

function queries4(leases: readonly RelayedLease[]): Query[] {
  const queries: Query[] = []
  for (const relay of ['relay-0', 'relay-1', 'relay-2', 'relay-3'])
    queries.push({ name: `by relay-id ${relay}`, select: { by: 'relay-id', relayId: Buffer.from(relay) } })
  for (const n of [0, 1, 17, 49, 50])
    queries.push({
      name: `by remote-id cpe-${n}`,
      select: { by: 'remote-id', remoteId: Buffer.from(`cpe-${n}`) },
    })
  for (const lease of leases.slice(0, 30)) {
    const { hardwareAddress, clientId, address } = lease
    if (hardwareAddress.length > 0)
      queries.push({
        name: `by hardware address of ${address}`,
        select: { by: 'hardware-address', hardwareType: 1, hardwareAddress },
      })
    if (clientId.length > 0)
      queries.push({ name: `by client-id of ${address}`, select: { by: 'client-id', clientId } })
  }
  return queries
}

function queries6(leases: readonly RelayedLease[]): Query[] {
  const links = [undefined, '2001:db8:1::99', '2001:db8:3::99', '2001:db8:9::99']
  const queries: Query[] = [{ name: 'all links', select: { by: 'all' } }]
  for (const link of links.slice(1))
    queries.push({ name: `by link ${link}`, select: { by: 'all' }, link: link! })
  const ids = new Map<string, BulkSelection>()
  for (const { relayId, remoteId } of leases.slice(0, 12)) {
    if (relayId !== undefined) ids.set(`by relay-id ${relayId.toString('hex')}`, { by: 'relay-id', relayId })
    if (remoteId !== undefined)
      ids.set(`by remote-id ${remoteId.toString('hex')}`, { by: 'remote-id', remoteId })
  }
  for (const { clientId, state } of leases.slice(0, 10))
    if (state !== 1) ids.set(`by client ${clientId.toString('hex')}`, { by: 'client-id', clientId })
  for (const [name, select] of ids)
    for (const link of links) {
      const on = link === undefined ? {} : { link }
      queries.push({ name: `${name} on link ${link ?? '::'}`, select, ...on })
    }
  const addresses = leases
    .slice(0, 40)
    .map(({ address, prefixLength }) => (prefixLength > 0 ? `${address}1` : address))
  for (const address of [...addresses, '2001:db8:1::1:0:fff', '2001:db8:7::1'])
    queries.push({
      name: `by address ${address}`,
      select: { by: 'address', address: parseAddress(address)! },
    })
  const outside = parseAddress('2001:db8:1::2:0:1')!
  queries.push({ name: 'by an address in no pool', select: { by: 'address', address: outside } })
  return queries
}

function compare(
  query: Query,
  leases: readonly RelayedLease[],
  theirs: readonly ReportedBinding[],
  ours: readonly ReportedBinding[],
): Difference[] {
  const key = ({ address, prefixLength }: { address: string; prefixLength: number }) =>
    `${address}/${prefixLength}`
  const ourKeys = ours.map(key)
  assert.equal(new Set(ourKeys).size, ourKeys.length, `${query.name}: an address is told twice`)
  const [a, b] = [theirs, ours].map((bindings) => new Map(bindings.map((binding) => [key(binding), binding])))
  const rows = new Map(leases.map((lease) => [key(lease), lease]))
  const found: Difference[] = []
  const holder = rows.get([...a!.keys()][0] ?? '')
  for (const at of new Set([...a!.keys(), ...b!.keys()])) {
    const lease = rows.get(at)
    const [kea, own] = [a!.get(at), b!.get(at)]
    if (kea === undefined) found.push({ query, what: 'only ours', lease, holder, text: at })
    else if (own === undefined) found.push({ query, what: 'only Kea', lease, text: at })
    else
      for (const [what, field, of] of fields) {
        const [said, ourWord] = [of(kea), of(own)]
        if (said !== ourWord)
          found.push({ query, what, lease, text: `${at}: ${field}: Kea ${said}, ours ${ourWord}` })
      }
    // What both say may still be wrong: the lease file decides.
    if (own !== undefined) agreesWithFile(query, own, lease)
  }
  return found
}

const octets = (value: Uint8Array | undefined) =>
  value === undefined ? 'none' : Buffer.from(value).toString('hex')

/** Seconds between two times of one message: whatever second it was sent in, and whatever clock it was read by. */
function span(from: number | undefined, to: number | undefined): string {
  if (from === undefined || to === undefined) return 'not told'
  return to === Number.POSITIVE_INFINITY ? 'infinite' : String(Math.round(to - from))
}

const fields: [Difference['what'], string, (binding: ReportedBinding) => string][] = [
  ['value', 'state', ({ state }) => String(state)],
  ['value', 'client-id', ({ clientId }) => octets(clientId)],
  [
    'value',
    'hardware address',
    ({ hardwareType, hardwareAddress }) => `${hardwareType} ${octets(hardwareAddress)}`,
  ],
  ['valid', 'valid lifetime', ({ lastTransaction, expires }) => span(lastTransaction, expires)],
  [
    'preferred',
    'preferred lifetime',
    ({ lastTransaction, preferredUntil }) => span(lastTransaction, preferredUntil),
  ],
  [
    'peer-address',
    'peer-address',
    ({ family, relay }) => (family === 6 ? octets(relay?.raw.subarray(0, 16)) : ''),
  ],
  ['value', 'relay data', ({ family, relay }) => octets(family === 6 ? relay?.raw.subarray(16) : relay?.raw)],
]

function agreesWithFile(query: Query, binding: ReportedBinding, lease: RelayedLease | undefined): void {
  const at = `${query.name}: ${binding.address}`
  assert.ok(lease !== undefined && lease.state === 0, `${at} is no lease in use`)
  assert.equal(octets(binding.clientId), octets(lease.clientId), at)
  const off = Math.abs(binding.lastTransaction! - lease.cltt)
  assert.ok(off <= 2, `${at}: last transaction is off by ${off} s`)
  assert.equal(
    span(binding.lastTransaction, binding.expires),
    lease.valid === INFINITE ? 'infinite' : String(lease.valid),
    at,
  )
}
