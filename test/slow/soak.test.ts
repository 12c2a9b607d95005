/**
 * A day in a minute, or in a day: clients that come, renew and leave, faults at random, requestors that stay, go, come back
 * and read slowly. After each round every one of them knows Kea's leases, and memory is where it was.
 *
 *     SOAK_SECONDS=86400 npm test -- --all --only slow/soak      for a day; SOAK_SEED=N: the same faults again
 */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { perfdhcp } from '../support/clients.ts'
import { mainKea } from '../support/roots.ts'
import { type Family, Service, settle, type WatchingRequestor } from '../support/service.ts'
import { begin, comeBack, smallPool } from './faults-support.ts'

const seconds = Number(process.env['SOAK_SECONDS'] ?? 60)
const seed = Number(process.env['SOAK_SEED'] ?? Date.now() % 1_000_000)
/** Of each round: so long do clients come. */
const ROUND_SECONDS = 6
const CLIENTS = 800
const REQUESTORS = 3
/** More than daemon or Kea need for so few clients, however often they are started, and less than a leak takes in a day. */
const MOST_MEGABYTES = 400

const kea = mainKea()

/** Numbers from 0 to below 1 (mulberry32), the same for a seed. */
function numbers(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const faults: Readonly<Record<string, (service: Service, family: Family) => Promise<unknown>>> = {
  none: async () => {},
  'the sidecar is killed': async ({ sidecar }) => {
    sidecar.kill('SIGKILL')
    await sidecar.exited
    await sidecar.restart()
  },
  'the sidecar is stopped and started': ({ sidecar }) => sidecar.restart(),
  'the sidecar hangs': async ({ sidecar }) => {
    sidecar.kill('SIGSTOP')
    await sleep(2000)
    sidecar.kill('SIGCONT')
  },
  'Kea is killed': async (service, family) => {
    const server = service.kea(family)
    server.kill('SIGKILL')
    await server.exited
    await server.restart()
  },
  'Kea reads its configuration again': async (service, family) => {
    assert.equal((await service.kea(family).reload()).result, 0)
  },
  'a walk is asked for': (service, family) => service.kea(family).mustCommand('lease-feed-resync'),
}

/** What a requestor does in a round, besides taking what comes. */
const habits: readonly ((requestor: WatchingRequestor) => Promise<void>)[] = [
  async () => {},
  (requestor) => requestor.close(),
  async (requestor) => {
    requestor.hold()
    await sleep(2000)
    requestor.release()
  },
]

function residentMegabytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

/** The requestor, or itself come back where its connection is over. */
async function stillThere(service: Service, requestor: WatchingRequestor): Promise<WatchingRequestor> {
  const isOver = await Promise.race([requestor.over.then(() => true), sleep(0, false)])
  return isOver ? (await comeBack(service, requestor)).requestor : requestor
}

test(`${seconds} s of clients, faults and requestors at random (seed ${seed}): nothing is missed, and memory stays (Kea ${kea.kea})`, {
  skip: kea.skip,
}, async (context) => {
  await using service = await Service.start(kea, { subnet4: smallPool })
  const random = numbers(seed)
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!
  let requestors = await Promise.all(
    service.families.flatMap((family) => Array.from({ length: REQUESTORS }, () => begin(service, family))),
  )
  const happened: string[] = []
  for (const until = performance.now() + 1000 * seconds; performance.now() < until; ) {
    const mix = { rate: 100, clients: CLIENTS, seconds: ROUND_SECONDS, renewals: 40, releases: 30 }
    const clients = Promise.all(service.families.map((family) => perfdhcp(service.lab, kea, family, mix)))
    const habit = requestors.map((requestor) => oneOf(habits)(requestor))
    await sleep(2000 * random())
    const fault = oneOf(Object.keys(faults))
    happened.push(fault)
    await faults[fault]!(service, oneOf(service.families))
    await Promise.all([clients, ...habit])
    for (const family of service.families) await service.serving(family, 60_000)
    requestors = await Promise.all(requestors.map((requestor) => stillThere(service, requestor)))
    for (const { family, fold } of requestors) await settle(service.kea(family), fold)
    for (const { pid } of [service.sidecar, ...service.keas.values()]) {
      assert.ok(
        residentMegabytes(pid) < MOST_MEGABYTES,
        `${residentMegabytes(pid)} MB after ${happened.join(', ')}`,
      )
    }
  }
  context.diagnostic(`${happened.length} rounds: ${happened.join(', ')}`)
  context.diagnostic(`the sidecar holds ${Math.round(residentMegabytes(service.sidecar.pid))} MB`)
})
