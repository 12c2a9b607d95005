/** Leases that were there before the hook: the first walk of a new epoch brings them all. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writeLeaseFile } from '../support/made-leases.ts'
import { keaRoots } from '../support/roots.ts'
import { Service, settle } from '../support/service.ts'

const COUNT = 200_000

for (const kea of keaRoots()) {
  for (const family of [4, 6] as const) {
    test(`${COUNT} DHCPv${family} leases that exist before the hook is loaded are all told (Kea ${kea.kea})`, {
      skip: kea.skip,
    }, async () => {
      await using service = await Service.start(kea, { families: [family] })
      const requestor = await service.requestor(family)
      const server = service.kea(family)
      await server.stop()
      writeLeaseFile(server.leaseFile, family, COUNT, Math.floor(Date.now() / 1000))
      await server.restart()
      assert.equal(server.activeLeases().length, COUNT, 'the lease file holds what was written')
      await settle(server, requestor.fold, 120_000)
      assert.equal(requestor.fold.active.size, COUNT)
    })
  }
}
