/** Other libraries meddle with what Kea does with leases: requestors are told what came of it, and nothing else. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { CraftedClient4 } from '../support/crafted-clients.ts'
import { compileOtherLibrary, otherLibrary } from '../support/in-root.ts'
import type { Kea } from '../support/kea.ts'
import type { HookLibrary, JsonObject } from '../support/kea-config.ts'
import { PacketPort } from '../support/packet-port.ts'
import { RecordedBindings } from '../support/recorded-bindings.ts'
import { type KeaRoot, keaRoots, mainKea } from '../support/roots.ts'
import { Service, settle } from '../support/service.ts'
import { waitFor } from '../support/wait.ts'

const { abandoned, active, reset } = BindingState

/** kea-dhcp4 with one more library, after ours; nothing is served yet. */
async function beside(
  kea: KeaRoot,
  other: HookLibrary,
  parameters: JsonObject = {},
  subnet4: JsonObject = {},
): Promise<{ service: Service; fold: RecordedBindings; port: PacketPort }> {
  const library = await compileOtherLibrary(kea)
  const options = { kea: { parameters, libraries: [library] }, subnet4 }
  const service = await Service.start(kea, { families: [4], sidecar: false, ...options })
  try {
    const own = service.keaOptions(4)
    const answer = await service.kea(4).reload({ ...own, hooks: [...(own.hooks ?? []), other] })
    assert.equal(answer.result, 0, answer.text)
    await service.startSidecar()
    const fold = new RecordedBindings()
    await service.requestor(4, undefined, fold)
    return { service, fold, port: PacketPort.open(service.lab) }
  } catch (error) {
    await service.close()
    throw error
  }
}

/** The newest value of a statistic of Kea's. */
async function statistic(server: Kea, name: string): Promise<number> {
  const { arguments: found } = await server.mustCommand('statistic-get', { name })
  return (found as Record<string, [[number]]>)[name]![0][0]
}

for (const kea of keaRoots()) {
  test(`DHCPv4: leases of packets that Kea ${kea.kea} drops, its parking lot being full, are told`, {
    skip: kea.skip,
  }, async () => {
    const parking = { library: otherLibrary, parameters: { park: true } }
    const { service, fold, port } = await beside(kea, parking, { 'parked-packet-limit': 1 })
    await using _ = service
    const server = service.kea(4)
    const clients = [1, 2, 3].map((number) => new CraftedClient4(port, number, { circuit: `port-${number}` }))
    for (const client of clients) {
      client.request(await client.discover())
      await waitFor(`Kea to lease ${client.address}`, () =>
        server.activeLeases().some(({ address }) => address === client.address),
      )
    }
    for (const [i, client] of clients.entries()) {
      const told = await fold.hears(client.address, active)
      assert.deepEqual([...told.hardwareAddress], [...client.mac])
      assert.equal(Buffer.from(told.relay!.circuitId!).toString(), `port-${i + 1}`)
    }
    await settle(server, fold)
    assert.ok((await statistic(server, 'pkt4-receive-drop')) >= 2, 'Kea has dropped all but the first')
  })

  test(`DHCPv4: a renewal that another library forbids Kea ${kea.kea} is not told`, {
    skip: kea.skip,
  }, async () => {
    const skipping = { library: otherLibrary, parameters: { skip: ['lease4_renew'] } }
    const { service, fold, port } = await beside(kea, skipping)
    await using _ = service
    const server = service.kea(4)
    const [client, other] = [new CraftedClient4(port, 1), new CraftedClient4(port, 2)]
    const address = await client.acquire()
    const first = await fold.hears(address, active)
    const row = () => JSON.stringify(server.leases().find((one) => one.address === address))
    const before = row()
    await waitFor('the next second', () => Date.now() / 1000 > first.lastTransaction! + 1)
    await client.renew()
    // Changes are told in their order: had the renewal been one, it would have been told before this.
    await other.acquire()
    await fold.hears(other.address, active)
    assert.equal(row(), before, 'Kea wrote nothing')
    assert.equal(fold.history(address).length, 1)
    await settle(server, fold)
  })

  test(`DHCPv4: a reclamation that another library forbids Kea ${kea.kea} is not told, nor taken for what comes next`, {
    skip: kea.skip,
  }, async () => {
    const skipping = { library: otherLibrary, parameters: { skip: ['lease4_expire'] } }
    const lifetimes = { 'min-valid-lifetime': 2, 'valid-lifetime': 2, 'max-valid-lifetime': 3600 }
    const { service, fold, port } = await beside(kea, skipping, {
      ...lifetimes,
      'renew-timer': 1,
      'rebind-timer': 1,
    })
    await using _ = service
    const server = service.kea(4)
    const client = new CraftedClient4(port, 1)
    const address = await client.acquire()
    await fold.hears(address, active)
    // Each second Kea tries to reclaim it. (No command is to come in between: it would end what the thread was at.)
    const { expires } = server.leases()[0]!
    await waitFor('Kea to have tried', () => Date.now() / 1000 > expires + 3)
    assert.equal(server.leases()[0]!.state, 0, 'Kea wrote nothing')
    assert.equal(fold.history(address).length, 1)

    // It is renewed on one of Kea's threads, and deleted on the one that tried to reclaim it.
    client.leaseTime = 3600
    assert.equal(await client.acquire(), address)
    await settle(server, fold)
    await server.mustCommand('lease4-del', { 'ip-address': address })
    await fold.hears(address, reset)
    assert.ok(fold.history(address).every(({ state }) => state === active || state === reset))
    assert.ok((await statistic(server, 'reclaimed-leases')) > 0, 'Kea did try, and says that it did')
  })
}

const pinging = mainKea()
test(`DHCPv4: an address that answered the ping check of Kea ${pinging.kea} is told as ABANDONED`, {
  skip: pinging.skip,
}, async () => {
  const check = {
    library: 'libdhcp_ping_check.so',
    parameters: { 'min-ping-requests': 1, 'reply-timeout': 100 },
  }
  // The first of the two is the client side's own.
  const pool = { pools: [{ pool: '10.0.0.4 - 10.0.0.5' }] }
  const { service, fold, port } = await beside(pinging, check, { 'decline-probation-period': 3600 }, pool)
  await using _ = service
  const client = new CraftedClient4(port, 1)
  assert.equal(await client.acquire(), '10.0.0.5')
  await fold.hears('10.0.0.5', active)
  const declined = await fold.hears('10.0.0.4', abandoned)
  assert.equal(declined.hardwareAddress.length, 0, "it is nobody's")
  await settle(service.kea(4), fold)
})
