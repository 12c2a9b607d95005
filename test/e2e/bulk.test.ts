/** Bulk Leasequery on real Kea: what it returns is what the lease file holds, and Active goes on from there. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { FoldedBindings } from '../../sidecar/requestor/active-requestor.ts'
import { BulkRequestor, type BulkResult } from '../../sidecar/requestor/bulk-requestor.ts'
import type { ReportedBinding } from '../../sidecar/requestor/events.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { perfdhcp } from '../support/clients.ts'
import { keaRoots } from '../support/roots.ts'
import { differences, type Family, Service, settle } from '../support/service.ts'

/** A small pool, since a query for all configured addresses returns each of them. */
const small = { subnet: { pools: [{ pool: '10.1.0.0 - 10.1.1.255' }] } }
const POOL = 512

function fold(result: BulkResult): FoldedBindings {
  const folded = new FoldedBindings()
  for (const binding of result.bindings) {
    folded.apply({ type: 'binding', binding, baseTime: result.baseTime ?? 0, resumePoint: undefined })
  }
  return folded
}

function only(result: BulkResult): ReportedBinding {
  assert.equal(result.status, 'Success', result.text)
  assert.equal(result.bindings.length, 1)
  return result.bindings[0]!
}

/** A hundred clients of whom nothing was known before. */
function othersCome(service: Service, family: Family) {
  const mix = { rate: 100, clients: 100, exchanges: 100, flags: ['-b', 'mac=00:0c:01:09:03:04'] }
  return perfdhcp(service.lab, service.root, family, mix)
}

for (const kea of keaRoots()) {
  test(`DHCPv4: Bulk returns each configured address once, and the leases of Kea ${kea.kea} (RFC 6926 section 8.2)`, {
    skip: kea.skip,
  }, async () => {
    await using service = await Service.start(kea, { families: [4], kea: small })
    const server = service.kea(4)
    const live = await service.requestor(4)
    await perfdhcp(service.lab, kea, 4, { rate: 100, clients: 200, exchanges: 300, releases: 20 })
    await settle(server, live.fold)

    const requestor = await BulkRequestor.connect(service.address(4))
    const all = await requestor.fetch({ by: 'all' })
    assert.equal(all.status, 'Success', all.text)
    assert.equal(new Set(all.bindings.map(({ address }) => address)).size, POOL)
    assert.equal(all.bindings.length, POOL)
    assert.deepEqual(await differences(server, fold(all)), [])

    const held = all.bindings.find(({ state }) => state === BindingState.active)!
    const { hardwareType, hardwareAddress, clientId, address } = held
    assert.equal(
      only(await requestor.fetch({ by: 'hardware-address', hardwareType, hardwareAddress })).address,
      address,
    )
    assert.equal(only(await requestor.fetch({ by: 'client-id', clientId })).address, address)
    const nobody = await requestor.fetch({ by: 'client-id', clientId: Uint8Array.of(1, 2, 3) })
    assert.deepEqual([nobody.status, nobody.bindings.length], ['Success', 0])

    // RFC 7724 section 4: the database filled by Bulk, and kept current by Active from the Bulk query's base-time on.
    await othersCome(service, 4)
    await settle(server, (await service.requestor(4, all.baseTime, fold(all))).fold)
    await requestor.close()
  })

  test(`DHCPv6: Bulk returns the leases of Kea ${kea.kea} by link, client and address (RFC 5460 section 5.3)`, {
    skip: kea.skip,
  }, async () => {
    await using service = await Service.start(kea, { families: [6] })
    const server = service.kea(6)
    const live = await service.requestor(6)
    await perfdhcp(service.lab, kea, 6, { rate: 100, clients: 200, exchanges: 300, releases: 20 })
    await settle(server, live.fold)

    const requestor = await BulkRequestor.connect(service.address(6))
    const all = await requestor.fetch({ by: 'all' })
    assert.equal(all.status, 'Success', all.text)
    assert.deepEqual(await differences(server, fold(all)), [])

    const prefix = all.bindings.find(({ prefixLength }) => prefixLength > 0)!
    const ofClient = await requestor.fetch({ by: 'client-id', clientId: prefix.clientId })
    const expected = all.bindings.filter(({ clientId }) => Buffer.compare(clientId, prefix.clientId) === 0)
    assert.deepEqual(
      ofClient.bindings.map(({ address }) => address).sort(),
      [...new Set(expected.map(({ address }) => address))].sort(),
    )
    const inside = parseAddress(prefix.address)!
    inside[15] = 1
    const holder = await requestor.fetch({ by: 'address', address: inside })
    assert.ok(
      holder.bindings.some(
        ({ address, prefixLength }) => address === prefix.address && prefixLength === prefix.prefixLength,
      ),
      'an address inside a delegated prefix leads to the prefix and its holder',
    )

    await othersCome(service, 6)
    await settle(server, (await service.requestor(6, all.baseTime, fold(all))).fold)
    await requestor.close()
  })
}
