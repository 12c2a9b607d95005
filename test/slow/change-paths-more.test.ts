/** Ways in which leases change that are rare, but whose kind no other test here has: each reaches requestors. */

import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import { keyOf, type ReportedBinding, type RequestorEvent } from '../../sidecar/requestor/events.ts'
import { CraftedClient4, CraftedClient6 } from '../support/crafted-clients.ts'
import type { JsonObject } from '../support/kea-config.ts'
import { writeLeaseFile } from '../support/made-leases.ts'
import { PacketPort } from '../support/packet-port.ts'
import { RecordedBindings } from '../support/recorded-bindings.ts'
import { type KeaRoot, keaRoots } from '../support/roots.ts'
import { type Family, Service, settle } from '../support/service.ts'
import { waitFor } from '../support/wait.ts'

const { abandoned, active, available, expired, released } = BindingState

const endings = {
  4: { released, expired },
  // DHCPv6 tells only that a binding has ended.
  6: { released: available, expired: available },
} as const

/** Lifetimes that a test can wait for. */
const short = {
  4: { 'valid-lifetime': 4, 'renew-timer': 2, 'rebind-timer': 3 },
  6: { 'valid-lifetime': 4, 'renew-timer': 2, 'rebind-timer': 3, 'preferred-lifetime': 4 },
} as const

/** As RecordedBindings, and knows in which order all was told. */
class OrderedBindings extends RecordedBindings {
  readonly order: string[] = []

  override apply(event: RequestorEvent): void {
    super.apply(event)
    if (event.type === 'binding') this.order.push(`${keyOf(event.binding)} ${event.binding.state}`)
  }
}

async function started(
  kea: KeaRoot,
  family: Family,
  parameters: JsonObject,
): Promise<{ service: Service; fold: OrderedBindings }> {
  const service = await Service.start(kea, { families: [family], kea: { parameters } })
  const fold = new OrderedBindings()
  await service.requestor(family, undefined, fold)
  return { service, fold }
}

const circuit = (port: string) => (binding: ReportedBinding) =>
  Buffer.from(binding.relay?.circuitId ?? []).toString() === port

const hostName = (name: string) => (binding: ReportedBinding) =>
  binding.options.some(({ code, data }) => code === 12 && Buffer.from(data).toString() === name)

function lifetime({ expires, lastTransaction }: ReportedBinding): number {
  return expires! - lastTransaction!
}

for (const kea of keaRoots()) {
  test(`DHCPv4: an offer that Kea ${kea.kea} keeps an address for is told with its own lifetime, ends, and makes way for the lease`, {
    skip: kea.skip,
  }, async () => {
    const { service, fold } = await started(kea, 4, { 'offer-lifetime': 3 })
    await using _ = service
    const client = new CraftedClient4(PacketPort.open(service.lab), 1)
    const offered = await client.discover()
    // As Kea has it: no state of RFC 6926 section 6.2.7 stands for an offer, and nobody else can have the address.
    const told = await fold.hears(offered, active)
    assert.ok(Math.abs(lifetime(told) - 3) <= 1, `${lifetime(told)} s`)
    await fold.hears(offered, expired)
    await settle(service.kea(4), fold)

    assert.equal(await client.acquire(), offered)
    const leased = await fold.hears(offered, active, (binding) => lifetime(binding) > 60)
    assert.ok(Math.abs(lifetime(leased) - 3600) <= 1, `${lifetime(leased)} s`)
    await settle(service.kea(4), fold)
  })

  test(`DHCPv4: a new host name, and the move to a reserved address, in the order in which Kea ${kea.kea} writes them`, {
    skip: kea.skip,
  }, async () => {
    const { service, fold } = await started(kea, 4, {})
    await using _ = service
    const server = service.kea(4)
    const client = new CraftedClient4(PacketPort.open(service.lab), 1)
    client.hostName = 'first'
    const old = await client.acquire()
    await fold.hears(old, active, hostName('first'))
    client.hostName = 'second'
    assert.ok(await client.renew())
    await fold.hears(old, active, hostName('second'))
    await settle(server, fold)

    const reservations = [{ 'hw-address': client.hardwareAddress, 'ip-address': '10.0.5.5' }]
    const answer = await server.reload({ ...service.keaOptions(4), subnet: { reservations } })
    assert.equal(answer.result, 0, answer.text)
    assert.equal(await client.renew(), false, 'it is another address from now on')
    assert.equal(await client.acquire(), '10.0.5.5')
    await fold.hears('10.0.5.5', active, hostName('second'))
    await waitFor('the end of the old lease to be told', () => fold.last(old)?.state !== active)
    await settle(server, fold)

    // Kea appends what it writes to its lease file.
    const written = readFileSync(server.leaseFile, 'utf8').split('\n')
    const line = (address: string) => written.findLastIndex((one) => one.startsWith(`${address},`))
    const word = (address: string) => fold.order.findLastIndex((one) => one.startsWith(`${address} `))
    assert.equal(word(old) < word('10.0.5.5'), line(old) < line('10.0.5.5'))
  })

  test(`DHCPv4: an address that was declined to Kea ${kea.kea} before anyone listened is ABANDONED (RFC 6926 section 6.2.7)`, {
    skip: kea.skip,
  }, async () => {
    await using service = await Service.start(kea, {
      families: [4],
      kea: { parameters: { 'decline-probation-period': 3600 } },
      subnet4: { pools: [{ pool: '10.1.0.0 - 10.1.0.15' }] },
      sidecar: false,
    })
    const server = service.kea(4)
    const port = PacketPort.open(service.lab)
    const client = new CraftedClient4(port, 1)
    const address = await client.acquire()
    client.decline()
    await waitFor('Kea to write it', () => server.leases().some(({ state }) => state === 1))
    // The feed's ring goes with the hook's epoch: what the sidecar knows it has from a walk.
    assert.equal((await server.reload()).result, 0)
    await service.startSidecar()
    const requestor = await BulkRequestor.connect(service.address(4))
    const { bindings, status } = await requestor.fetch({ by: 'all' })
    assert.equal(status, 'Success')
    assert.equal(bindings.length, 16)
    const states = new Map(bindings.map((binding) => [binding.address, binding]))
    const told = states.get(address)!
    assert.equal(told.state, abandoned)
    assert.equal(told.hardwareAddress.length + told.clientId.length, 0, "it is nobody's")
    assert.equal(bindings.filter(({ state }) => state === available).length, 15)
    await requestor.close()
  })

  for (const family of [4, 6] as const) {
    const { released: gone, expired: over } = endings[family]
    const made = (port: PacketPort, number: number, at: string) =>
      family === 4
        ? new CraftedClient4(port, number, { circuit: at })
        : new CraftedClient6(port, number, { circuit: at })
    const take = async (client: CraftedClient4 | CraftedClient6) => {
      if (client instanceof CraftedClient4) await client.acquire()
      else await client.acquire(['address'])
    }

    test(`DHCPv${family}: renewal, release and expiry at a Kea ${kea.kea} without multi-threading`, {
      skip: kea.skip,
    }, async () => {
      const single = { ...short[family], 'multi-threading': { 'enable-multi-threading': false } }
      const { service, fold } = await started(kea, family, single)
      await using _ = service
      const server = service.kea(family)
      const port = PacketPort.open(service.lab)
      const [stays, goes] = [made(port, 1, 'port-1'), made(port, 2, 'port-2')]
      await take(goes)
      await fold.hears(goes.address, active, circuit('port-2'))
      await goes.release()
      await fold.hears(goes.address, gone)
      await take(stays)
      await fold.hears(stays.address, active, circuit('port-1'))
      stays.attachment = { circuit: 'port-3' }
      await stays.renew()
      await fold.hears(stays.address, active, circuit('port-3'))
      await fold.hears(stays.address, over)
      await waitFor('Kea to reclaim it', () =>
        server.leases().some(({ address, state }) => address === stays.address && state === 2),
      )
      await settle(server, fold)

      // What the operator does is no reclamation, though it is on the same thread.
      await take(stays)
      await fold.hears(stays.address, active)
      await server.mustCommand(`lease${family}-wipe`, { 'subnet-id': 1 })
      await waitFor('the wipe to be told', () => fold.last(stays.address)?.state !== active)
      await settle(server, fold)
    })

    test(`DHCPv${family}: another lease file under a running Kea ${kea.kea} is told after config-reload`, {
      skip: kea.skip,
    }, async () => {
      const { service, fold } = await started(kea, family, {})
      await using _ = service
      const server = service.kea(family)
      const client = made(PacketPort.open(service.lab), 999, 'port-1')
      await take(client)
      await fold.hears(client.address, active)
      rmSync(server.leaseFile)
      writeLeaseFile(server.leaseFile, family, 200, Math.floor(Date.now() / 1000))
      assert.equal((await server.reload()).result, 0)
      await settle(server, fold)
      assert.equal(fold.active.size, 200)
    })
  }

  test(`leases that Kea ${kea.kea} does not reclaim are told to have ended all the same`, {
    skip: kea.skip,
  }, async () => {
    const never = { 'reclaim-timer-wait-time': 0 }
    const ended = async (family: Family) => {
      const parameters = { ...short[family], 'expired-leases-processing': never }
      const { service, fold } = await started(kea, family, parameters)
      await using _ = service
      const server = service.kea(family)
      const port = PacketPort.open(service.lab)
      const client = family === 4 ? new CraftedClient4(port, 1) : new CraftedClient6(port, 1)
      await client.acquire()
      const told = await fold.hears(client.address, active)
      await waitFor(
        'the end to be told',
        () => fold.last(client.address)?.state === endings[family].expired,
        90_000,
      )
      assert.ok(Date.now() / 1000 >= told.expires!, 'not before it')
      assert.equal(fold.history(client.address).length, 2)
      const row = server.leases().find(({ address }) => address === client.address)!
      assert.equal(row.state, 0, 'Kea has not reclaimed it')
      await settle(server, fold)
    }
    await Promise.all([ended(4), ended(6)])
  })
}
