/** Every way in which clients change leases reaches requestors, with relay data and state: both families, real Kea. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import type { ReportedBinding } from '../../sidecar/requestor/events.ts'
import { perfdhcp } from '../support/clients.ts'
import { CraftedClient4, CraftedClient6 } from '../support/crafted-clients.ts'
import type { Kea } from '../support/kea.ts'
import type { JsonObject } from '../support/kea-config.ts'
import { PacketPort } from '../support/packet-port.ts'
import { RecordedBindings } from '../support/recorded-bindings.ts'
import { type KeaRoot, keaRoots } from '../support/roots.ts'
import { type Family, Service, settle } from '../support/service.ts'
import { waitFor } from '../support/wait.ts'

const { abandoned, active, available, released } = BindingState

const circuit = (port: string) => (binding: ReportedBinding) =>
  Buffer.from(binding.relay?.circuitId ?? []).toString() === port

interface Stage {
  readonly service: Service
  readonly server: Kea
  readonly fold: RecordedBindings
  readonly port: PacketPort
}

/** Kea of one family, a requestor that records, and the clients' side. */
async function withService(
  kea: KeaRoot,
  family: Family,
  parameters: JsonObject,
  story: (stage: Stage) => Promise<void>,
): Promise<void> {
  await using service = await Service.start(kea, { families: [family], kea: { parameters } })
  const fold = new RecordedBindings()
  await service.requestor(family, undefined, fold)
  await story({ service, server: service.kea(family), fold, port: PacketPort.open(service.lab) })
}

/** A probation that a test can wait for. */
const probation = { 'decline-probation-period': 3 }
/** Kea 3.0's default, set in both: early renewals are answered without a write, unless relay data to be stored changes. */
const caching = { 'cache-threshold': 0.25, 'store-extended-info': false }

for (const kea of keaRoots()) {
  test(`DHCPv4 clients of Kea ${kea.kea}: DORA, renewal by another port, release, and again`, {
    skip: kea.skip,
  }, async () => {
    await withService(kea, 4, {}, async ({ server, fold, port }) => {
      const client = new CraftedClient4(port, 1, { circuit: 'port-1', remote: 'switch-a' })
      const address = await client.acquire()
      const first = await fold.hears(address, active, circuit('port-1'))
      assert.equal(Buffer.from(first.relay!.remoteId!).toString(), 'switch-a')
      assert.deepEqual([...first.hardwareAddress], [...client.mac])
      assert.equal(first.remote, false)
      await settle(server, fold)

      client.attachment = { circuit: 'port-2', remote: 'switch-a' }
      assert.ok(await client.renew())
      await fold.hears(address, active, circuit('port-2'))
      await settle(server, fold)

      // A renewal that goes past the relay says nothing of the port: what is known of it stays (RFC 7724 section 8.1).
      const written = server.leases().find((row) => row.address === address)!
      await waitFor('the next second', () => Math.floor(Date.now() / 1000) > written.cltt)
      client.renewDirectly()
      await waitFor('Kea to renew the lease', () =>
        server.activeLeases().some((row) => row.address === address && row.cltt > written.cltt),
      )
      await settle(server, fold)
      await fold.hears(address, active, circuit('port-2'))

      client.release()
      await fold.hears(address, released)
      await settle(server, fold)
      assert.equal(await client.acquire(), address, 'Kea gives a client its old address')
      await fold.hears(address, active, circuit('port-2'))
      await settle(server, fold)

      // Released, and another client gets the address: nothing of the first one's attachment is told of it.
      client.release()
      await fold.hears(address, released)
      await server.mustCommand('lease4-del', { 'ip-address': address })
      await server.mustCommand('lease4-add', {
        'ip-address': address,
        'hw-address': '02:00:00:00:99:99',
        'subnet-id': 1,
      })
      const other = await fold.hears(address, active)
      assert.equal(other.relay, undefined)
      await settle(server, fold)
    })
  })

  test(`DHCPv4: a declined address of Kea ${kea.kea} is ABANDONED, and AVAILABLE after probation (RFC 6926 section 6.2.7)`, {
    skip: kea.skip,
  }, async () => {
    await withService(kea, 4, probation, async ({ server, fold, port }) => {
      const client = new CraftedClient4(port, 2, { circuit: 'port-1' })
      const address = await client.acquire()
      await fold.hears(address, active, circuit('port-1'))
      client.decline()
      const declined = await fold.hears(address, abandoned)
      assert.equal(declined.relay, undefined, "it is nobody's")
      await settle(server, fold)
      await fold.hears(address, available)
      await settle(server, fold)
    })
  })

  for (const [what, family] of [
    ['renewal', 4],
    ['renewal', 6],
    ['client that begins anew', 4],
    ['client that begins anew', 6],
  ] as const) {
    test(`DHCPv${family}: a ${what}, which Kea ${kea.kea} answers from its cache, still tells the new port`, {
      skip: kea.skip,
    }, async () => {
      await withService(kea, family, caching, async ({ server, fold, port }) => {
        const attachment = { circuit: 'port-1' }
        const client =
          family === 4 ? new CraftedClient4(port, 3, attachment) : new CraftedClient6(port, 3, attachment)
        await client.acquire()
        const keys = client instanceof CraftedClient4 ? [client.address] : [client.address, client.prefix]
        for (const key of keys) await fold.hears(key, active, circuit('port-1'))
        const rows = () => JSON.stringify(server.leases())
        const before = rows()
        client.attachment = { circuit: 'port-2' }
        if (what === 'renewal') assert.notEqual(await client.renew(), false)
        else await client.acquire()
        for (const key of keys) await fold.hears(key, active, circuit('port-2'))
        assert.equal(rows(), before, 'Kea wrote nothing')
        await settle(server, fold)
      })
    })
  }

  test(`DHCPv4: a client that a reservation moves to another address of Kea ${kea.kea} leaves the first one`, {
    skip: kea.skip,
  }, async () => {
    await withService(kea, 4, {}, async ({ service, server, fold, port }) => {
      const client = new CraftedClient4(port, 4)
      const address = await client.acquire()
      await fold.hears(address, active)
      const reservations = [{ 'hw-address': client.hardwareAddress, 'ip-address': '10.0.5.5' }]
      const answer = await server.reload({ ...service.keaOptions(4), subnet: { reservations } })
      assert.equal(answer.result, 0, answer.text)
      await client.renew()
      assert.equal(await client.acquire(), '10.0.5.5')
      await fold.hears('10.0.5.5', active)
      await settle(server, fold)
      assert.notEqual(fold.last(address)?.state, active)
    })
  })

  test(`DHCPv4: addresses that Kea ${kea.kea} keeps for those it offered them to (offer-lifetime)`, {
    skip: kea.skip,
  }, async () => {
    await withService(kea, 4, { 'offer-lifetime': 120 }, async ({ server, fold, port }) => {
      const client = new CraftedClient4(port, 5, { circuit: 'port-1' })
      const offered = await client.discover()
      await waitFor('Kea to write the offer', () => server.activeLeases().length === 1)
      await fold.hears(offered, active, circuit('port-1'))
      await settle(server, fold)
      assert.equal(await client.acquire(), offered)
      await settle(server, fold)
    })
  })

  test(`DHCPv6 clients of Kea ${kea.kea}: address and prefix, renewal by another port, release of one and both`, {
    skip: kea.skip,
  }, async () => {
    await withService(kea, 6, {}, async ({ server, fold, port }) => {
      const client = new CraftedClient6(port, 1, { circuit: 'port-1', remote: 'switch-a' })
      await client.acquire()
      const { address, prefix } = client
      assert.match(prefix, /\/56$/)
      for (const key of [address, prefix]) {
        const told = await fold.hears(key, active, circuit('port-1'))
        assert.equal(Buffer.from(told.relay!.remoteId!).subarray(4).toString(), 'switch-a')
        assert.deepEqual([...told.clientId], [...client.duid])
      }
      await settle(server, fold)

      client.attachment = { circuit: 'port-2', remote: 'switch-a' }
      await client.renew()
      for (const key of [address, prefix]) await fold.hears(key, active, circuit('port-2'))
      await settle(server, fold)

      await client.release(['prefix'])
      await fold.hears(prefix, available)
      await settle(server, fold)
      assert.ok(fold.active.has(address))

      await client.acquire(['address', 'prefix'], true)
      await fold.hears(client.address, active)
      await fold.hears(client.prefix, active)
      await settle(server, fold)
      await client.release()
      await fold.hears(client.address, available)
      await fold.hears(client.prefix, available)
      await settle(server, fold)
      assert.equal(fold.active.size, 0)
    })
  })

  test(`DHCPv6: a declined address of Kea ${kea.kea} ends for its client, and is free after probation`, {
    skip: kea.skip,
  }, async () => {
    await withService(kea, 6, probation, async ({ server, fold, port }) => {
      const client = new CraftedClient6(port, 2, { circuit: 'port-1' })
      await client.acquire()
      const { address, prefix } = client
      await fold.hears(address, active)
      await client.decline()
      await fold.hears(address, available)
      const ended = fold.history(address).filter(({ state }) => state === available)
      assert.deepEqual(
        [...ended[0]!.clientId],
        [...client.duid],
        'the client that declined it is told not to hold it',
      )
      await settle(server, fold)
      assert.ok(fold.active.has(prefix), 'its prefix stays')
      await waitFor('the end of probation', async () => {
        const { result } = await server.mustCommand('lease6-get', { 'ip-address': address })
        return result === 3
      })
      await settle(server, fold)
      await client.acquire(['address'])
      await fold.hears(client.address, active)
      await settle(server, fold)
    })
  })

  test(`DHCPv6: a client that a reservation moves to another address of Kea ${kea.kea} leaves the first one`, {
    skip: kea.skip,
  }, async () => {
    await withService(kea, 6, {}, async ({ service, server, fold, port }) => {
      const client = new CraftedClient6(port, 4)
      await client.acquire(['address'])
      const { address } = client
      await fold.hears(address, active)
      const reservations = [{ duid: client.duidText, 'ip-addresses': ['2001:db8:1::5:5'] }]
      const answer = await server.reload({ ...service.keaOptions(6), subnet: { reservations } })
      assert.equal(answer.result, 0, answer.text)
      await client.acquire(['address'])
      assert.equal(client.address, '2001:db8:1::5:5')
      await fold.hears('2001:db8:1::5:5', active)
      await fold.hears(address, available)
      await settle(server, fold)
    })
  })

  // Without stored extended info the packets are all there is; with it, a lost event's relay data comes from the row.
  for (const stored of [true, false]) {
    for (const family of [4, 6] as const) {
      test(`DHCPv${family}: relay data of Kea ${kea.kea} with store-extended-info ${stored}, live and when the event was lost`, {
        skip: kea.skip,
      }, async () => {
        await withService(kea, family, { 'store-extended-info': stored }, async (stage) => {
          const { service, server, fold, port } = stage
          const made = async (number: number, at: string) => {
            const attachment = { circuit: at, remote: 'switch-a' }
            const client =
              family === 4
                ? new CraftedClient4(port, number, attachment)
                : new CraftedClient6(port, number, attachment)
            if (client instanceof CraftedClient4) await client.acquire()
            else await client.acquire(['address'])
            return {
              address: client.address,
              id: client instanceof CraftedClient4 ? client.clientId! : client.duid,
            }
          }
          const seen = await made(7, 'port-7')
          await fold.hears(seen.address, active, circuit('port-7'))

          // The ring goes with the hook's epoch: what happened before the reload cannot be replayed.
          await service.sidecar.stop()
          const unseen = await made(8, 'port-8')
          assert.equal((await server.reload()).result, 0)
          await service.startSidecar()
          const requestor = await BulkRequestor.connect(service.address(family))
          const relayOf = async (clientId: Uint8Array): Promise<ReportedBinding> => {
            const result = await requestor.fetch({ by: 'client-id', clientId })
            assert.equal(result.status, 'Success', result.text)
            assert.equal(result.bindings.length, 1)
            return result.bindings[0]!
          }
          await waitFor('the walk to end', async () => {
            const { bindings } = await requestor.fetch({ by: 'client-id', clientId: unseen.id })
            return bindings.length > 0
          })
          assert.ok(circuit('port-7')(await relayOf(seen.id)), 'what a packet has told outlives a walk')
          const told = await relayOf(unseen.id)
          assert.equal(told.address, unseen.address)
          assert.equal(circuit('port-8')(told), stored)
          if (!stored) assert.equal(told.relay, undefined)
          await requestor.close()
        })
      })
    }
  }

  for (const family of [4, 6] as const) {
    test(`DHCPv${family} load with lease caching, renewals and releases (Kea ${kea.kea})`, {
      skip: kea.skip,
    }, async () => {
      await withService(kea, family, caching, async ({ service, server, fold }) => {
        await perfdhcp(service.lab, kea, family, {
          rate: 100,
          clients: 100,
          seconds: 4,
          renewals: 30,
          releases: 30,
          flags: family === 6 ? ['-A', '1'] : [],
        })
        await settle(server, fold)
        assert.ok(fold.active.size > 0)
      })
    })
  }
}
