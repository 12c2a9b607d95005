/** DHCPv4 clients without IPv4: what they say comes inside of DHCPv6, through both of Kea's servers (RFC 7341). */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { CraftedClient4 } from '../support/crafted-clients.ts'
import { pools } from '../support/kea-config.ts'
import { PacketPort } from '../support/packet-port.ts'
import { RecordedBindings } from '../support/recorded-bindings.ts'
import { keaRoots } from '../support/roots.ts'
import { Service, settle } from '../support/service.ts'

const { active, released } = BindingState

for (const kea of keaRoots()) {
  test(`a DHCPv4 lease that was asked for over DHCPv6 is told with its client, renewed and released (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    await using service = await Service.start(kea, {
      kea: { parameters: { 'dhcp4o6-port': 6767 } },
      subnet4: { '4o6-subnet': pools.v6.subnet },
    })
    const server = service.kea(4)
    const fold = new RecordedBindings()
    await service.requestor(4, undefined, fold)
    const client = new CraftedClient4(PacketPort.open(service.lab), 1, { circuit: 'port-1' })
    client.overDhcpv6 = true

    const address = await client.acquire()
    const leased = await fold.hears(address, active)
    assert.deepEqual([...leased.clientId], [...client.clientId!])
    await settle(server, fold)

    client.hostName = 'renewed'
    assert.ok(await client.renew())
    await fold.hears(address, active, ({ options }) =>
      options.some(({ code, data }) => code === 12 && Buffer.from(data).toString() === 'renewed'),
    )
    await settle(server, fold)

    client.release()
    await fold.hears(address, released)
    await settle(server, fold)
  })
}
