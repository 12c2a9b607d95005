/** Reservations of Kea's configuration are configured addresses, in pools or not, as long as some subnet heeds them. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import type { JsonObject } from '../support/kea-config.ts'
import { type KeaRoot, keaRoots } from '../support/roots.ts'
import { Service } from '../support/service.ts'
import { waitFor } from '../support/wait.ts'

const mac = (n: number) => `02:00:5e:00:00:${n.toString(16).padStart(2, '0')}`
const host = (n: number, address: string): JsonObject => ({ 'hw-address': mac(n), 'ip-address': address })
const pool = ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.4']

function changes(reservations: JsonObject[], global: boolean) {
  return {
    parameters: { reservations: [host(20, '10.200.0.1')], 'reservations-global': global },
    subnet: { pools: [{ pool: '10.1.0.1 - 10.1.0.4' }], reservations },
  }
}

/** Address and state of each configured address, as a query for all of them tells. */
async function configured(service: Service): Promise<string[]> {
  const requestor = await BulkRequestor.connect(service.address(4))
  const { bindings, status, text } = await requestor.fetch({ by: 'all' })
  assert.equal(status, 'Success', text)
  await requestor.close()
  return bindings
    .map(({ address, state }) => (state === BindingState.available ? address : `${address} ${state}`))
    .sort()
}

function become(service: Service, expected: string[]): Promise<boolean> {
  return waitFor('the configured addresses', async () => {
    assert.deepEqual(await configured(service), [...expected].sort())
    return true
  })
}

for (const kea of keaRoots()) {
  test(`DHCPv4: configured addresses are pools and heeded reservations, each once (RFC 6926 section 8.2, Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    const first = changes([host(1, '10.1.0.3'), host(2, '10.2.0.1'), host(3, '10.2.0.2')], true)
    await using service = await Service.start(kea, { families: [4], kea: first })
    const server = service.kea(4)
    await become(service, [...pool, '10.2.0.1', '10.2.0.2', '10.200.0.1'])

    // One of them is leased, and an address that is configured nowhere.
    for (const [n, address] of [[2, '10.2.0.1'] as const, [9, '10.9.0.9'] as const]) {
      const lease = { 'ip-address': address, 'hw-address': mac(n), 'subnet-id': 1 }
      assert.equal((await server.command('lease4-add', lease)).result, 0)
    }
    const leased = [`10.2.0.1 ${BindingState.active}`, `10.9.0.9 ${BindingState.active}`]
    await become(service, [...pool, '10.2.0.2', '10.200.0.1', ...leased])

    // Reserved no more: known from its lease alone.
    const { hooks } = service.keaOptions(4)
    const second = changes([host(4, '10.2.0.7')], false)
    assert.equal((await server.reload({ ...second, hooks: hooks! })).result, 0)
    await become(service, [...pool, '10.2.0.7', ...leased])
    if (hasHostCommands(kea)) {
      const withCommands = [...hooks!, { library: 'libdhcp_host_cmds.so' }]
      assert.equal((await server.reload({ ...second, hooks: withCommands })).result, 0)
      const added = { reservation: { 'subnet-id': 1, ...host(5, '10.2.0.8') }, 'operation-target': 'memory' }
      assert.equal((await server.command('reservation-add', added)).result, 0)
      await become(service, [...pool, '10.2.0.7', '10.2.0.8', ...leased])
    }
  })

  test(`DHCPv6: a prefix reserved outside of the pools is on a link of the server (RFC 5007 section 4.4.1, Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    const reserved = { duid: '00:03:00:01:02:00:5e:00:00:01', prefixes: ['2001:db8:4000:100::/56'] }
    await using service = await Service.start(kea, {
      families: [6],
      kea: { subnet: { reservations: [reserved] } },
    })
    const requestor = await BulkRequestor.connect(service.address(6))
    const ask = async (address: string) =>
      (await requestor.fetch({ by: 'address', address: parseAddress(address)! })).status
    assert.equal(await ask('2001:db8:4000:1ff::1'), 'Success')
    assert.equal(await ask('2001:db8:4000:200::1'), 'NotConfigured')
    await requestor.close()
  })
}

/** Debian's Kea 2.6 lacks the library. */
function hasHostCommands({ kea }: KeaRoot): boolean {
  return kea !== '2.6'
}
