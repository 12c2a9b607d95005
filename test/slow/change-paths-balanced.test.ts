/**
 * A load-balancing pair: each server leases to its half of the clients, and the requestors of each are told of all
 * leases, of the partner's as REMOTE (RFC 6926 section 6.2.8); also when one has lost its leases, and when it is down.
 */

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { ActiveRequestor } from '../../sidecar/requestor/active-requestor.ts'
import { CraftedClient4 } from '../support/crafted-clients.ts'
import { feedLibrary, Kea, type KeaOptions, leaseCommands } from '../support/kea.ts'
import type { HookLibrary, Json } from '../support/kea-config.ts'
import { addresses, interfaces } from '../support/laboratory.ts'
import { PacketPort } from '../support/packet-port.ts'
import { RecordedBindings } from '../support/recorded-bindings.ts'
import { type KeaRoot, keaRoots } from '../support/roots.ts'
import { Service, settle, WatchingRequestor } from '../support/service.ts'
import { Sidecar } from '../support/sidecar.ts'
import { GiveUp, waitFor } from '../support/wait.ts'

const { active } = BindingState

const names = ['one', 'two'] as const
type Name = (typeof names)[number]
/** Two addresses of one interface; Kea's sockets are then bound to them. */
const own = { one: addresses.server4, two: '10.0.0.9' } as const

function balancing(name: Name): HookLibrary {
  const pair = {
    'this-server-name': name,
    mode: 'load-balancing',
    'heartbeat-delay': 1000,
    'max-response-delay': 4000,
    'max-ack-delay': 10_000,
    'max-unacked-clients': 0,
    'sync-page-limit': 5,
    peers: [
      { name: 'one', url: 'http://127.0.0.1:8101/', role: 'primary' },
      { name: 'two', url: 'http://127.0.0.1:8102/', role: 'secondary' },
    ],
  }
  return { library: 'libdhcp_ha.so', parameters: { 'high-availability': [pair] } }
}

/** What both have: a pool for each half of the clients, and the address of its own. */
function half(kea: KeaRoot, name: Name): Pick<KeaOptions, 'parameters' | 'subnet'> {
  const pool = (first: string, last: string, server: Name): Json => ({
    pool: `${first} - ${last}`,
    ...(kea.kea === '2.6' ? { 'client-class': `HA_${server}` } : { 'client-classes': [`HA_${server}`] }),
  })
  return {
    parameters: {
      'interfaces-config': { interfaces: [`${interfaces.server}/${own[name]}`], 'dhcp-socket-type': 'udp' },
    },
    subnet: { pools: [pool('10.1.0.0', '10.1.255.255', 'one'), pool('10.2.0.0', '10.2.255.255', 'two')] },
  }
}

function inState(server: Kea, wanted: string): Promise<boolean> {
  return waitFor(
    `${server} to be in ${wanted}`,
    async () => {
      if (server.exit) throw new GiveUp(`${server} ended`)
      const { arguments: status } = await server.mustCommand('ha-heartbeat')
      const { state } = status as { state: string }
      if (state !== wanted) throw new Error(`it is in ${state}`)
      return true
    },
    120_000,
  )
}

for (const kea of keaRoots()) {
  test(`DHCPv4: both servers of a load-balancing pair tell of all leases (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    await using service = await Service.start(kea, { families: [4], kea: half(kea, 'one') })
    const { lab } = service
    await lab.run('server', ['ip', 'addr', 'add', `${own.two}/8`, 'dev', interfaces.server])
    const one = service.kea(4)
    const options = service.keaOptions(4)
    const answer = await one.reload({ ...options, hooks: [...(options.hooks ?? []), balancing('one')] })
    assert.equal(answer.result, 0, answer.text)

    // The second server, with a feed, a sidecar and a port of its own.
    const endpoint = `ipc://${lab.path('feed', 'dhcp4-two')}`
    const port = service.ports[6]
    const parameters = service.hookParameters(4)
    const advanced = { ...(parameters['advanced'] as object), 'lease-query-tcp-port': port }
    const two = await Kea.start(lab, kea, 4, {
      ...half(kea, 'two'),
      name: 'two',
      hooks: [
        { library: feedLibrary, parameters: { ...parameters, advanced, feed: { endpoint } } },
        { library: leaseCommands },
        balancing('two'),
      ],
    })
    const sidecar = await Sidecar.start(lab, {
      families: [4],
      feeds: { 4: endpoint },
      stateDir: lab.path('state-two'),
    })
    await sidecar.logged('feed.reconciled')
    await inState(one, 'load-balancing')
    await inState(two, 'load-balancing')
    await service.serving(4)

    const folds = { one: new RecordedBindings(), two: new RecordedBindings() }
    await service.requestor(4, undefined, folds.one)
    const watching = await waitFor('the second sidecar to serve', async () => {
      const requestor = await ActiveRequestor.connect({ family: 4, host: '127.0.0.1', port })
      const second = new WatchingRequestor(4, requestor, folds.two)
      await second.accepted
      return second
    })

    const packets = PacketPort.open(lab)
    const clients = Array.from({ length: 12 }, (_, i) => {
      const client = new CraftedClient4(packets, i + 1, { circuit: `port-${i}` })
      client.servers = names.map((name) => ({ address: own[name], port: 67 }))
      return client
    })
    for (const client of clients) await client.acquire()
    await settle(one, folds.one)
    await settle(two, folds.two)
    const servedBy = (client: CraftedClient4): Name => (client.address.startsWith('10.1.') ? 'one' : 'two')
    for (const name of names) {
      assert.ok(
        clients.some((client) => servedBy(client) === name),
        `${name} has clients`,
      )
    }
    for (const client of clients) {
      for (const name of names) {
        await folds[name].hears(
          client.address,
          active,
          ({ remote }) => remote === (servedBy(client) !== name),
        )
      }
    }

    // The second loses its leases, and gets all there are from the first.
    await two.stop()
    rmSync(two.leaseFile)
    await two.restart()
    await inState(one, 'load-balancing')
    await inState(two, 'load-balancing')
    assert.equal(two.activeLeases().length, clients.length)
    await settle(one, folds.one)
    await settle(two, folds.two)

    // One serves all clients while two is down: what it then writes is its own.
    await two.stop()
    await inState(one, 'partner-down')
    const orphan = clients.find((client) => servedBy(client) === 'two')!
    orphan.attachment = { circuit: 'port-99' }
    assert.ok(await orphan.renew())
    await folds.one.hears(orphan.address, active, ({ remote }) => !remote)
    await settle(one, folds.one)
    await two.restart()
    await inState(one, 'load-balancing')
    await inState(two, 'load-balancing')
    await settle(one, folds.one)
    await settle(two, folds.two)
    await folds.two.hears(orphan.address, active, ({ relay }) => {
      return Buffer.from(relay?.circuitId ?? []).toString() === 'port-99'
    })
    await watching.close()
  })
}
