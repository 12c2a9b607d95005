/** Subnets, pools and shared networks that change under a running Kea: what queries by link know follows, and leases stay. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { type BulkQueryWishes, BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import { keyOf } from '../../sidecar/requestor/events.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { CraftedClient6 } from '../support/crafted-clients.ts'
import type { JsonObject } from '../support/kea-config.ts'
import { PacketPort } from '../support/packet-port.ts'
import { RecordedBindings } from '../support/recorded-bindings.ts'
import { keaRoots, mainKea } from '../support/roots.ts'
import { type Family, Service, settle } from '../support/service.ts'
import { waitFor } from '../support/wait.ts'

const { active } = BindingState

/** Asks Bulk until its answer is this: how many addresses, or which bindings. */
async function answers(service: Service, family: Family, wanted: number | string[], link?: string) {
  const wishes: BulkQueryWishes = link === undefined ? {} : { linkAddress: parseAddress(link)! }
  const requestor = await BulkRequestor.connect(service.address(family))
  try {
    await waitFor(`Bulk to answer ${wanted} of ${link ?? 'all'}`, async () => {
      const { bindings, status } = await requestor.fetch({ by: 'all' }, wishes)
      const got = typeof wanted === 'number' ? bindings.length : bindings.map(keyOf).sort()
      if (String(got) === String(wanted)) return true
      throw new Error(`it answered ${got} ${status}`)
    })
  } finally {
    requestor.close()
  }
}

/** The clients' relay is at 2001:db8:1::3. */
const second = (id: number): JsonObject => ({
  id,
  subnet: '2001:db8:2::/64',
  pools: [{ pool: '2001:db8:2::/96' }],
  relay: { 'ip-addresses': ['2001:db8:1::3'] },
})
const first = (id: number, pool = '2001:db8:1::7:0/112'): JsonObject => ({
  id,
  subnet: '2001:db8:1::/64',
  interface: 'kea0',
  pools: [{ pool }],
})

for (const kea of keaRoots()) {
  test(`DHCPv6: queries by link follow the subnets of Kea ${kea.kea} when they are added, renumbered and removed`, {
    skip: kea.skip,
  }, async () => {
    await using service = await Service.start(kea, {
      families: [6],
      kea: { parameters: { subnet6: [first(1)] } },
    })
    const server = service.kea(6)
    const fold = new RecordedBindings()
    await service.requestor(6, undefined, fold)
    const port = PacketPort.open(service.lab)
    const withSubnets = async (...subnets: JsonObject[]) => {
      const answer = await server.reload({ ...service.keaOptions(6), parameters: { subnet6: subnets } })
      assert.equal(answer.result, 0, answer.text)
    }
    const one = new CraftedClient6(port, 1)
    await one.acquire(['address'])
    await fold.hears(one.address, active)
    await answers(service, 6, [one.address], '2001:db8:1::1')
    await answers(service, 6, [], '2001:db8:2::1')

    // Another pool of the same subnet: what was leased from the former one stays.
    await withSubnets(first(1, '2001:db8:1::8:0/112'))
    const two = new CraftedClient6(port, 2)
    await two.acquire(['address'])
    assert.match(two.address, /^2001:db8:1::8:/)
    await fold.hears(two.address, active)
    await answers(service, 6, [one.address, two.address].sort(), '2001:db8:1::1')

    await withSubnets(second(2))
    const three = new CraftedClient6(port, 3)
    await three.acquire(['address'])
    assert.match(three.address, /^2001:db8:2:/)
    await fold.hears(three.address, active)
    await answers(service, 6, [three.address], '2001:db8:2::1')
    // Its subnet is gone, its leases are not.
    await settle(server, fold)
    assert.equal(fold.active.size, 3)
    await answers(service, 6, [one.address, two.address, three.address].sort())

    // The first one's number is the second one's now. Kea's leases keep the number that they were given, and it takes those
    // of a subnet's number for leases of that subnet; so does what is told.
    await withSubnets(second(1))
    const four = new CraftedClient6(port, 4)
    await four.acquire(['address'])
    await fold.hears(four.address, active)
    await answers(service, 6, [one.address, two.address, four.address].sort(), '2001:db8:2::1')
    await settle(server, fold)
    assert.equal(fold.active.size, 4)
  })
}

const commanded = mainKea()

test(`DHCPv6: queries by link follow the subnet and network commands of Kea ${commanded.kea}`, {
  skip: commanded.skip,
}, async () => {
  await using service = await Service.start(commanded, {
    families: [6],
    kea: { parameters: { subnet6: [first(1)] } },
  })
  const server = service.kea(6)
  const own = service.keaOptions(6)
  const answer = await server.reload({
    ...own,
    hooks: [...(own.hooks ?? []), { library: 'libdhcp_subnet_cmds.so' }],
  })
  assert.equal(answer.result, 0, answer.text)
  await service.serving(6)
  const fold = new RecordedBindings()
  await service.requestor(6, undefined, fold)
  const port = PacketPort.open(service.lab)
  const lease = async (number: number, subnet: RegExp) => {
    const client = new CraftedClient6(port, number)
    await client.acquire(['address'])
    assert.match(client.address, subnet)
    await fold.hears(client.address, active)
    return client.address
  }
  const one = await lease(1, /^2001:db8:1::7:/)

  await server.mustCommand('subnet6-update', { subnet6: [first(1, '2001:db8:1::8:0/112')] })
  const two = await lease(2, /^2001:db8:1::8:/)
  await answers(service, 6, [one, two].sort(), '2001:db8:1::1')

  await server.mustCommand('subnet6-add', { subnet6: [second(2)] })
  const leased = { duid: '00:03:00:01:09', iaid: 1, 'subnet-id': 2, 'ip-address': '2001:db8:2::9' }
  await server.mustCommand('lease6-add', leased)
  await fold.hears('2001:db8:2::9', active)
  await answers(service, 6, ['2001:db8:2::9'], '2001:db8:2::1')

  // Subnets of one shared network are one link (RFC 5007 section 4.1.2.1).
  await server.mustCommand('network6-add', { 'shared-networks': [{ name: 'floor', subnet6: [] }] })
  for (const id of [1, 2]) await server.mustCommand('network6-subnet-add', { name: 'floor', id })
  const all = [one, two, '2001:db8:2::9'].sort()
  await answers(service, 6, all, '2001:db8:2::1')
  await server.mustCommand('network6-del', { name: 'floor', 'subnets-action': 'keep' })
  await answers(service, 6, ['2001:db8:2::9'], '2001:db8:2::1')

  await server.mustCommand('subnet6-del', { id: 2 })
  await answers(service, 6, [], '2001:db8:2::1')
  await answers(service, 6, all)
  await settle(server, fold)
  assert.equal(fold.active.size, 3)
})

test(`DHCPv4: a query for all configured addresses follows the subnet and network commands of Kea ${commanded.kea}`, {
  skip: commanded.skip,
}, async () => {
  await using service = await Service.start(commanded, {
    families: [4],
    subnet4: { pools: [{ pool: '10.1.0.0 - 10.1.0.15' }] },
  })
  const server = service.kea(4)
  const own = service.keaOptions(4)
  const answer = await server.reload({
    ...own,
    hooks: [...(own.hooks ?? []), { library: 'libdhcp_subnet_cmds.so' }],
  })
  assert.equal(answer.result, 0, answer.text)
  await answers(service, 4, 16)
  const added = (last: number): JsonObject => ({
    id: 7,
    subnet: '10.7.0.0/24',
    pools: [{ pool: `10.7.0.1 - 10.7.0.${last}` }],
  })
  await server.mustCommand('subnet4-add', { subnet4: [added(8)] })
  await answers(service, 4, 24)
  await server.mustCommand('subnet4-update', { subnet4: [added(16)] })
  await answers(service, 4, 32)
  const within = { id: 8, subnet: '10.8.0.0/24', pools: [{ pool: '10.8.0.1 - 10.8.0.4' }] }
  await server.mustCommand('network4-add', { 'shared-networks': [{ name: 'floor', subnet4: [within] }] })
  await answers(service, 4, 36)
  await server.mustCommand('network4-del', { name: 'floor', 'subnets-action': 'delete' })
  await answers(service, 4, 32)
  await server.mustCommand('subnet4-del', { id: 7 })
  await answers(service, 4, 16)
})
