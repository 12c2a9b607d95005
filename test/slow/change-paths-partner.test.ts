/**
 * A high-availability pair: what the primary leases reaches the requestors of the standby, change by change and when
 * the standby reads all leases anew because its own lease file is gone.
 */

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import type { ReportedBinding } from '../../sidecar/requestor/events.ts'
import { perfdhcp } from '../support/clients.ts'
import { startControlAgent } from '../support/control-agent.ts'
import { CraftedClient4, CraftedClient6 } from '../support/crafted-clients.ts'
import { Kea, leaseCommands } from '../support/kea.ts'
import type { HookLibrary, JsonObject } from '../support/kea-config.ts'
import { PacketPort } from '../support/packet-port.ts'
import { RecordedBindings } from '../support/recorded-bindings.ts'
import { type KeaRoot, keaRoots } from '../support/roots.ts'
import { Service, settle } from '../support/service.ts'
import { waitFor } from '../support/wait.ts'

const { active, available, released } = BindingState

const circuit = (port: string) => (binding: ReportedBinding) =>
  Buffer.from(binding.relay?.circuitId ?? []).toString() === port

const ports = { primary: 8101, standby: 8102 } as const

/** Kea's high-availability library as one of the two. Each laboratory has a loopback interface of its own. */
function highAvailability(name: 'primary' | 'standby', threads = true): HookLibrary {
  const pair = {
    'multi-threading': { 'enable-multi-threading': threads },
    'this-server-name': name,
    mode: 'hot-standby',
    'heartbeat-delay': 1000,
    'max-response-delay': 60_000,
    'max-ack-delay': 10_000,
    'max-unacked-clients': 0,
    'sync-page-limit': 10,
    peers: [
      { name: 'primary', url: `http://127.0.0.1:${ports.primary}/`, role: 'primary' },
      { name: 'standby', url: `http://127.0.0.1:${ports.standby}/`, role: 'standby' },
    ],
  }
  return { library: 'libdhcp_ha.so', parameters: { 'high-availability': [pair] } }
}

function together(...servers: Kea[]): Promise<boolean> {
  return waitFor(
    'both servers to be in hot-standby',
    async () => {
      for (const server of servers) {
        const { arguments: status } = await server.mustCommand('ha-heartbeat')
        const { state } = status as { state: string }
        if (state !== 'hot-standby') throw new Error(`${server} is in ${state}`)
      }
      return true
    },
    90_000,
  )
}

for (const kea of keaRoots()) {
  for (const family of [4, 6] as const) {
    test(`DHCPv${family}: what a high-availability partner leases is told by the standby (Kea ${kea.kea})`, {
      skip: kea.skip,
    }, async () => {
      // The standby hears no clients here: its interface would be the primary's.
      const quiet = { 'interfaces-config': { interfaces: [] } }
      await using service = await Service.start(kea, { families: [family], kea: { parameters: quiet } })
      const standby = service.kea(family)
      const options = service.keaOptions(family)
      const hooks = [...(options.hooks ?? []), highAvailability('standby')]
      const answer = await standby.reload({ ...options, hooks })
      assert.equal(answer.result, 0, answer.text)
      const primary = await Kea.start(service.lab, kea, family, {
        name: 'primary',
        hooks: [{ library: leaseCommands }, highAvailability('primary')],
      })
      await together(primary, standby)
      await service.serving(family)
      const fold = new RecordedBindings()
      await service.requestor(family, undefined, fold)
      // data-source is an option of DHCPv4 (RFC 6926 section 6.2.8); DHCPv6 has none.
      const isRemote = (binding: ReportedBinding) => family === 6 || binding.remote

      const client = new (family === 4 ? CraftedClient4 : CraftedClient6)(PacketPort.open(service.lab), 1, {
        circuit: 'port-1',
      })
      await client.acquire()
      const { address } = client
      const partners = (port: string) => (binding: ReportedBinding) =>
        isRemote(binding) && circuit(port)(binding)
      await fold.hears(address, active, partners('port-1'))
      client.attachment = { circuit: 'port-2' }
      await client.renew()
      await fold.hears(address, active, partners('port-2'))
      await settle(standby, fold)

      await client.release()
      await fold.hears(address, family === 4 ? released : available, isRemote)
      await settle(standby, fold)

      // The standby's own operator is no partner.
      const own = family === 4 ? '10.1.9.9' : '2001:db8:1::9:9'
      const lease = family === 4 ? { 'hw-address': '02:00:00:00:09:09' } : { duid: '00:03:00:01:09', iaid: 1 }
      await standby.mustCommand(`lease${family}-add`, { 'ip-address': own, 'subnet-id': 1, ...lease })
      await fold.hears(own, active, ({ remote }) => !remote)

      await perfdhcp(service.lab, kea, family, { rate: 50, clients: 30, exchanges: 30 })
      await waitFor('the standby to have them', () => standby.activeLeases().length > 30)
      await settle(standby, fold)

      // The standby loses its leases, gets all there are from the primary, page by page, and keeps none of its own.
      await standby.stop()
      rmSync(standby.leaseFile)
      await perfdhcp(service.lab, kea, family, {
        rate: 50,
        clients: 30,
        exchanges: 30,
        flags: ['-b', 'mac=00:0c:01:09:03:04'],
      })
      await standby.restart()
      await together(primary, standby)
      assert.equal(standby.activeLeases().length, primary.activeLeases().length)
      await settle(standby, fold)
      await settle(primary, fold)
      assert.ok(fold.active.size >= 60)
      // Whose they are is not asked here: a follower's first walk of an epoch may find rows before it hears of them, and
      // a row does not say who wrote it.
    })
  }
}

/**
 * Without threads the library has no listener of its own, and a partner's commands come as any operator's do, on the main
 * thread: by HTTP from Kea 3.0 on, by the control agent before.
 */
function withoutThreads({ kea }: KeaRoot, name: 'primary' | 'standby', socket: string): JsonObject {
  const sockets = [
    { 'socket-type': 'unix', 'socket-name': socket },
    { 'socket-type': 'http', 'socket-address': '127.0.0.1', 'socket-port': ports[name] },
  ]
  return {
    'multi-threading': { 'enable-multi-threading': false },
    ...(kea === '2.6' ? {} : { 'control-sockets': sockets }),
  }
}

for (const [single, family] of keaRoots().flatMap((kea) => [[kea, 4] as const, [kea, 6] as const])) {
  test(`DHCPv${family}: what a partner leases is told as the partner's, without multi-threading (Kea ${single.kea})`, {
    skip: single.skip,
  }, async () => {
    const quiet = { 'interfaces-config': { interfaces: [] } }
    await using service = await Service.start(single, { families: [family], kea: { parameters: quiet } })
    const standby = service.kea(family)
    const options = service.keaOptions(family)
    const answer = await standby.reload({
      ...options,
      parameters: { ...quiet, ...withoutThreads(single, 'standby', standby.socketFile) },
      hooks: [...(options.hooks ?? []), highAvailability('standby', false)],
    })
    assert.equal(answer.result, 0, answer.text)
    const primary = await Kea.start(service.lab, single, family, {
      name: 'primary',
      parameters: withoutThreads(single, 'primary', service.lab.path('primary.sock')),
      hooks: [{ library: leaseCommands }, highAvailability('primary', false)],
    })
    if (single.kea === '2.6') {
      startControlAgent(service.lab, standby, ports.standby)
      startControlAgent(service.lab, primary, ports.primary)
    }
    await together(primary, standby)
    await service.serving(family)
    const fold = new RecordedBindings()
    await service.requestor(family, undefined, fold)
    const isRemote = (binding: ReportedBinding) => family === 6 || binding.remote

    const port = PacketPort.open(service.lab)
    const client = new (family === 4 ? CraftedClient4 : CraftedClient6)(port, 1, { circuit: 'port-1' })
    await client.acquire()
    const { address } = client
    await fold.hears(address, active, (binding) => isRemote(binding) && circuit('port-1')(binding))
    await settle(standby, fold)
    await client.release()
    await fold.hears(address, family === 4 ? released : available, isRemote)

    const own = family === 4 ? '10.1.9.9' : '2001:db8:1::9:9'
    const lease = family === 4 ? { 'hw-address': '02:00:00:00:09:09' } : { duid: '00:03:00:01:09', iaid: 1 }
    await standby.mustCommand(`lease${family}-add`, { 'ip-address': own, 'subnet-id': 1, ...lease })
    await fold.hears(own, active, ({ remote }) => !remote)
    await settle(standby, fold)
  })
}
