/** Addresses that clients made themselves and registered with the server (RFC 9686): Kea 3.0. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import type { ReportedBinding } from '../../sidecar/requestor/events.ts'
import { CraftedClient6, octets6 } from '../support/crafted-clients.ts'
import { addresses } from '../support/laboratory.ts'
import { PacketPort } from '../support/packet-port.ts'
import { RecordedBindings } from '../support/recorded-bindings.ts'
import { mainKea } from '../support/roots.ts'
import { Service } from '../support/service.ts'

const { active, available } = BindingState
const kea = mainKea()

const circuit = (port: string) => (binding: ReportedBinding) =>
  Buffer.from(binding.relay?.circuitId ?? []).toString() === port

test(`DHCPv6: an address that a client registered with Kea ${kea.kea} (RFC 9686) is told, taken over, and deleted`, {
  skip: kea.skip,
}, async () => {
  await using service = await Service.start(kea, { families: [6] })
  const server = service.kea(6)
  const fold = new RecordedBindings()
  await service.requestor(6, undefined, fold)
  const port = PacketPort.open(service.lab)

  // Kea wants the registration to come from the address itself, and takes the last relay's for it.
  const address = addresses.relays6[0]
  const one = new CraftedClient6(port, 9, { circuit: 'port-1' })
  await one.register(octets6(address), 1000)
  const told = await fold.hears(address, active, circuit('port-1'))
  assert.deepEqual([...told.clientId], [...one.duid])
  const row = server.leases().find((lease) => lease.address === address)!
  assert.equal(row.state, 4)
  assert.ok(Math.abs(told.expires! - row.expires) <= 1)

  const other = new CraftedClient6(port, 10, { circuit: 'port-2' })
  await other.register(octets6(address), 1000)
  const taken = await fold.hears(address, active, circuit('port-2'))
  assert.deepEqual([...taken.clientId], [...other.duid])

  await server.mustCommand('lease6-del', { 'ip-address': address })
  await fold.hears(address, available)
})
