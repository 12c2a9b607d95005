/** Kea reloads its configuration, and the hook with it, again and again under load: no crash, no leak, no lost change. */

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { perfdhcp } from '../support/clients.ts'
import type { Kea } from '../support/kea.ts'
import { keaRoots } from '../support/roots.ts'
import { type Family, Service, settle } from '../support/service.ts'

const RELOADS = 50

/** Resident kilobytes of a process. */
function resident(kea: Kea): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${kea.pid}/status`, 'utf8'))?.[1])
}

function openFiles(kea: Kea): number {
  return readdirSync(`/proc/${kea.pid}/fd`).length
}

for (const kea of keaRoots()) {
  test(`${RELOADS} config-reloads under load lose no change and leave nothing behind (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    await using service = await Service.start(kea)
    await Promise.all(service.families.map((family) => reloadUnderLoad(service, family)))
  })
}

async function reloadUnderLoad(service: Service, family: Family): Promise<void> {
  const server = service.kea(family)
  const requestor = await service.requestor(family)
  const load = { rate: 100, clients: 1000, seconds: 20, renewals: 10, releases: 10 }
  const running = perfdhcp(service.lab, service.root, family, load)
  const reloadTen = async (): Promise<number> => {
    for (let i = 0; i < 10; i++) assert.equal((await server.reload()).result, 0)
    return resident(server)
  }
  await reloadTen()
  const settled = await reloadTen()
  const files = openFiles(server)
  let last = 0
  for (let round = 2; round < RELOADS / 10; round++) last = await reloadTen()
  // Leases come in meanwhile, some hundred octets each; a leaked library, ring or thread would be 30 times 32 MB.
  assert.ok(last < settled + 64 * 1024, `grew from ${settled} to ${last} kB in 30 reloads`)
  // A follower that is just connecting has a few; one left behind by each reload would be thirty.
  const left = openFiles(server)
  assert.ok(left < files + 15, `${left} descriptors are open, ${files} were 30 reloads before`)
  assert.equal(server.exit, undefined)
  assert.match((await running).text, /received packets/)
  await settle(server, requestor.fold)
}
