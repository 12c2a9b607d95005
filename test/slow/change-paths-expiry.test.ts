/** Leases that end by time: expiry, reclamation, the flush that nobody is told of, and an address that goes on. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { perfdhcp } from '../support/clients.ts'
import { CraftedClient4, CraftedClient6 } from '../support/crafted-clients.ts'
import type { JsonObject } from '../support/kea-config.ts'
import { PacketPort } from '../support/packet-port.ts'
import { RecordedBindings } from '../support/recorded-bindings.ts'
import { keaRoots } from '../support/roots.ts'
import { Service, settle } from '../support/service.ts'
import { waitFor } from '../support/wait.ts'

const { active, available, expired } = BindingState

const short: JsonObject = { 'valid-lifetime': 4, 'renew-timer': 2, 'rebind-timer': 3 }
/** In DHCPv6 a preferred lifetime goes with it. */
const shortOf = { 4: short, 6: { ...short, 'preferred-lifetime': 4 } } as const

/** Reclaims and flushes each second. */
const soon: JsonObject = {
  'reclaim-timer-wait-time': 1,
  'flush-reclaimed-timer-wait-time': 1,
  'hold-reclaimed-time': 2,
  'max-reclaim-leases': 0,
  'max-reclaim-time': 0,
}
/** Never by itself: 0 switches the timer off. */
const never: JsonObject = { ...soon, 'reclaim-timer-wait-time': 0 }

for (const kea of keaRoots()) {
  for (const family of [4, 6] as const) {
    test(`DHCPv${family} leases that Kea ${kea.kea} reclaims end, and are told once: not when their rows are flushed`, {
      skip: kea.skip,
    }, async () => {
      const parameters = { ...shortOf[family], 'expired-leases-processing': soon }
      await using service = await Service.start(kea, { families: [family], kea: { parameters } })
      const server = service.kea(family)
      const fold = new RecordedBindings()
      await service.requestor(family, undefined, fold)
      const client = new (family === 4 ? CraftedClient4 : CraftedClient6)(PacketPort.open(service.lab), 1)
      await client.acquire()
      const key = client.address
      await fold.hears(key, active)
      await perfdhcp(service.lab, kea, family, { rate: 100, clients: 100, exchanges: 100 })
      await fold.hears(key, family === 4 ? expired : available)
      const kept = async () => {
        const { arguments: all } = await server.mustCommand(`lease${family}-get-all`)
        return (all as { leases?: unknown[] } | undefined)?.leases?.length ?? 0
      }
      await waitFor('Kea to flush all rows', async () => (await kept()) === 0)
      await settle(server, fold)
      assert.equal(fold.active.size, 0)
      const told = fold.told

      // A walk finds the rows gone, and nothing to tell: ended and absent are equal.
      const walks = service.sidecar.log().filter(({ event }) => event === 'feed.reconciled').length
      await server.mustCommand('lease-feed-resync')
      await waitFor(
        'a walk',
        () => service.sidecar.log().filter(({ event }) => event === 'feed.reconciled').length > walks,
      )
      assert.equal(fold.history(key).filter(({ state }) => state !== active).length, 1)

      await client.acquire()
      await fold.hears(client.address, active)
      const since = fold.told - told
      assert.ok(since >= 1 && since <= 4, `${since} bindings were told, for one client that came back`)
    })

    test(`the holder of an expired DHCPv${family} lease that Kea ${kea.kea} has not reclaimed renews it, then another client gets it`, {
      skip: kea.skip,
    }, async () => {
      const parameters = { ...shortOf[family], 'expired-leases-processing': never }
      const subnet: JsonObject =
        family === 4
          ? { pools: [{ pool: '10.1.0.7 - 10.1.0.7' }] }
          : { pools: [{ pool: '2001:db8:1::7 - 2001:db8:1::7' }] }
      await using service = await Service.start(kea, { families: [family], kea: { parameters, subnet } })
      const server = service.kea(family)
      const fold = new RecordedBindings()
      await service.requestor(family, undefined, fold)
      const port = PacketPort.open(service.lab)
      const made = (number: number) =>
        family === 4
          ? new CraftedClient4(port, number, { circuit: `port-${number}` })
          : new CraftedClient6(port, number, { circuit: `port-${number}` })
      const take = async (client: CraftedClient4 | CraftedClient6) => {
        if (client instanceof CraftedClient4) await client.acquire()
        else await client.acquire(['address'])
      }
      const one = made(1)
      const idOf = (client: CraftedClient4 | CraftedClient6) =>
        client instanceof CraftedClient4 ? client.clientId! : client.duid
      const heldBy = (client: CraftedClient4 | CraftedClient6, number: number) =>
        fold.hears(client.address, active, ({ clientId, relay }) => {
          const at = Buffer.from(relay?.circuitId ?? []).toString()
          return Buffer.from(clientId).equals(idOf(client)) && at === `port-${number}`
        })
      await take(one)
      await heldBy(one, 1)
      // For Kea a lease is past its expiry from the second after it on.
      const past = () =>
        waitFor('the lease to expire', () => server.activeLeases(Date.now() / 1000 - 2).length === 0)
      await past()
      const before = fold.history(one.address).length
      await take(one)
      await waitFor('the renewed lease to be told', () => fold.history(one.address).length > before)
      await heldBy(one, 1)
      await past()
      const other = made(2)
      await take(other)
      assert.equal(other.address, one.address, 'there is only this address')
      const told = await heldBy(other, 2)
      const row = server.leases().find(({ address }) => address === other.address)!
      assert.ok(Math.abs(told.expires! - row.expires) <= 1)
      if (family === 6) {
        // Who asks by DUID has to hear that the former client has it no more (RFC 7653 section 8.2).
        const ends = fold.history(one.address).filter(({ state }) => state === available)
        assert.ok(ends.some(({ clientId }) => Buffer.from(clientId).equals(idOf(one))))
      }
    })
  }
}
