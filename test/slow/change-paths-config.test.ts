/** What happens to leases when Kea's configuration or its lease file changes under it reaches requestors. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import { perfdhcp } from '../support/clients.ts'
import { CraftedClient4, CraftedClient6 } from '../support/crafted-clients.ts'
import type { ConfigChanges, JsonObject } from '../support/kea-config.ts'
import { writeLeaseFile } from '../support/made-leases.ts'
import { PacketPort } from '../support/packet-port.ts'
import { RecordedBindings } from '../support/recorded-bindings.ts'
import { keaRoots } from '../support/roots.ts'
import { Service, settle } from '../support/service.ts'
import { waitFor } from '../support/wait.ts'

const { active, available, released } = BindingState

/** Walks that have ended in the sidecar's present run. */
function walks(service: Service): number {
  return service.sidecar.log().filter(({ event }) => event === 'feed.reconciled').length
}

async function aWalkAfter(service: Service, before: number): Promise<void> {
  await waitFor('a walk to end', () => walks(service) > before)
}

/** One subnet of sixteen addresses, instead of the usual. */
const subnet4: JsonObject = { pools: [{ pool: '10.1.0.0 - 10.1.0.15' }] }

for (const kea of keaRoots()) {
  for (const family of [4, 6] as const) {
    const nature = family === 4 ? CraftedClient4 : CraftedClient6

    test(`DHCPv${family}: a reload of Kea ${kea.kea} drops released rows, and tells nothing of what is as it was`, {
      skip: kea.skip,
    }, async () => {
      await using service = await Service.start(kea, { families: [family] })
      const server = service.kea(family)
      const fold = new RecordedBindings()
      await service.requestor(family, undefined, fold)
      const port = PacketPort.open(service.lab)
      const [stays, goes] = [new nature(port, 1), new nature(port, 2)]
      await stays.acquire()
      await goes.acquire()
      await fold.hears(stays.address, active)
      await fold.hears(goes.address, active)
      await goes.release()
      const ended = family === 4 ? released : available
      await fold.hears(goes.address, ended)
      await settle(server, fold)

      const told = fold.told
      for (const reload of [
        () => server.reload(),
        () => server.mustCommand('config-set', server.configure(service.keaOptions(family))),
      ]) {
        const before = walks(service)
        assert.equal((await reload()).result, 0)
        await aWalkAfter(service, before)
      }
      const before = walks(service)
      server.hangUp()
      await aWalkAfter(service, before)
      await settle(server, fold)
      assert.equal(fold.told, told, 'neither the lease that stays nor the one that ended is told again')

      await goes.acquire()
      await fold.hears(goes.address, active)
      await settle(server, fold)
    })

    test(`DHCPv${family}: leases of a subnet that Kea ${kea.kea} loses are still told, and so is what comes in a new one`, {
      skip: kea.skip,
    }, async () => {
      await using service = await Service.start(kea, { families: [family] })
      const server = service.kea(family)
      const fold = new RecordedBindings()
      await service.requestor(family, undefined, fold)
      await perfdhcp(service.lab, kea, family, { rate: 100, clients: 20, exchanges: 20 })
      await settle(server, fold)
      assert.ok(fold.active.size >= 20)

      const other: JsonObject =
        family === 4
          ? {
              id: 2,
              subnet: '10.0.0.0/16',
              pools: [{ pool: '10.0.9.0 - 10.0.9.255' }],
              relay: { 'ip-addresses': ['10.0.0.3'] },
            }
          : {
              id: 2,
              subnet: '2001:db8:2::/64',
              pools: [{ pool: '2001:db8:2::/96' }],
              relay: { 'ip-addresses': ['2001:db8:1::3'] },
            }
      const changed: ConfigChanges = {
        ...service.keaOptions(family),
        parameters: { [`subnet${family}`]: [other] },
      }
      const before = walks(service)
      const answer = await server.reload(changed)
      assert.equal(answer.result, 0, answer.text)
      await aWalkAfter(service, before)
      await settle(server, fold)
      assert.ok(fold.active.size >= 20, "Kea's leases of the subnet that went stay in force")

      const client = new nature(PacketPort.open(service.lab), 3)
      if (client instanceof CraftedClient4) await client.acquire()
      else await client.acquire(['address'])
      assert.match(client.address, family === 4 ? /^10\.0\.9\./ : /^2001:db8:2:/)
      await fold.hears(client.address, active)
      await settle(server, fold)
    })

    test(`DHCPv${family}: another lease file under a stopped Kea ${kea.kea} is told when it is back`, {
      skip: kea.skip,
    }, async () => {
      await using service = await Service.start(kea, { families: [family] })
      const server = service.kea(family)
      const fold = new RecordedBindings()
      await service.requestor(family, undefined, fold)
      await perfdhcp(service.lab, kea, family, { rate: 100, clients: 60, exchanges: 60 })
      await settle(server, fold)
      await server.stop()
      writeLeaseFile(server.leaseFile, family, 200, Math.floor(Date.now() / 1000))
      await server.restart()
      await settle(server, fold)
      assert.equal(fold.active.size, 200)
    })
  }

  test(`DHCPv4: a query for all configured addresses knows the subnets that Kea ${kea.kea} has now`, {
    skip: kea.skip,
  }, async () => {
    await using service = await Service.start(kea, { families: [4], kea: { subnet: subnet4 } })
    const server = service.kea(4)
    const added: JsonObject = { id: 7, subnet: '10.7.0.0/24', pools: [{ pool: '10.7.0.1 - 10.7.0.8' }] }
    const requestor = await BulkRequestor.connect(service.address(4))
    const configured = (count: number) =>
      waitFor(`a query for all to return ${count} addresses`, async () => {
        const result = await requestor.fetch({ by: 'all' })
        if (result.bindings.length === count) return true
        throw new Error(`it returned ${result.bindings.length} ${result.status}`)
      })
    await configured(16)
    const options = service.keaOptions(4)
    const reloadWith = async (changes: ConfigChanges) => {
      const answer = await server.reload({ ...options, ...changes })
      assert.equal(answer.result, 0, answer.text)
    }
    if (kea.kea === '3.0') {
      // By commands, without a reload of the hook.
      await reloadWith({ hooks: [...(options.hooks ?? []), { library: 'libdhcp_subnet_cmds.so' }] })
      await server.mustCommand('subnet4-add', { subnet4: [added] })
      await configured(24)
      const port = PacketPort.open(service.lab)
      const fold = new RecordedBindings()
      await service.requestor(4, undefined, fold)
      const client = new CraftedClient4(port, 1)
      await client.acquire()
      await fold.hears(client.address, active)
      await server.mustCommand('subnet4-del', { id: 7 })
      await configured(16)
      await settle(server, fold)
    }
    const both = { pools: [{ pool: '10.1.0.0 - 10.1.0.15' }, { pool: '10.1.0.32 - 10.1.0.47' }] }
    await reloadWith({ subnet: both })
    await configured(32)
    await reloadWith({ subnet: subnet4 })
    await configured(16)
    await requestor.close()
  })
}
