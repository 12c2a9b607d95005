/**
 * Clocks that are set by an hour, forth and back, under load: Kea's, and the sidecar's own. Nothing is missed, base-times
 * never go back unless the operator begins anew, and what a requestor is told of a lease's time is what is left of it.
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FoldedBindings } from '../../sidecar/requestor/active-requestor.ts'
import { keyOf, type RequestorEvent } from '../../sidecar/requestor/events.ts'
import { Kea } from '../support/kea.ts'
import { fakeTimeLibrary, hostFakeTimeLibrary, keaRoots } from '../support/roots.ts'
import { differences, type Service } from '../support/service.ts'
import { Sidecar } from '../support/sidecar.ts'
import { waitFor } from '../support/wait.ts'
import {
  assertLoud,
  assertServed,
  begin,
  comeBack,
  hears,
  load,
  loud,
  startService,
} from './faults-support.ts'

const HOUR = 3600
/** So that no step by an hour ends a lease. */
const lifetime = { 'valid-lifetime': 20_000 }

/** Moves the clock of processes that run under libfaketime with this file. */
class Clock {
  readonly #file: string
  /** Times that it was seen to be moved. */
  steps = 0

  constructor(file: string) {
    this.#file = file
    this.set(0)
  }

  set(offset: number): void {
    writeFileSync(this.#file, `${offset < 0 ? '' : '+'}${offset}\n`)
  }

  env(library: string): Record<string, string> {
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      // What nobody sets in a running machine, nobody sets here.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
  }
}

/** What is told, and when by this machine's clock the time of each binding was told to end. */
class TimedBindings extends FoldedBindings {
  readonly ends = new Map<string, { at: number; toldAt: number }>()
  newestBaseTime = 0
  wentBack = 0

  override apply(event: RequestorEvent): void {
    super.apply(event)
    const { baseTime } = event
    if (baseTime === undefined) return
    if (baseTime < this.newestBaseTime) this.wentBack++
    this.newestBaseTime = Math.max(this.newestBaseTime, baseTime)
    if (event.type !== 'binding') return
    const now = Date.now() / 1000
    this.ends.set(keyOf(event.binding), { at: now + (event.binding.expires ?? 0) - baseTime, toldAt: now })
  }
}

/** Waits until a requestor knows who holds what; by when, each from the moment it was told, is compared on its own. */
async function settleHolders(kea: Kea, fold: FoldedBindings): Promise<void> {
  await waitFor(
    `a requestor to know who holds what of ${kea}`,
    async () => {
      const found = (await differences(kea, fold)).filter((sentence) => !sentence.includes(' ends at '))
      if (found.length > 0) throw new Error(`${found.length} differences: ${found.slice(0, 3).join('; ')}`)
      return true
    },
    60_000,
  )
}

/** That leases told since a moment have as much time left as Kea gives them. @param offset of Kea's clock */
function assertTimes(kea: Kea, fold: TimedBindings, since: number, offset: number): void {
  let compared = 0
  for (const row of kea.activeLeases(Date.now() / 1000 + offset)) {
    const told = fold.ends.get(row.address)
    if (told === undefined || told.toldAt < since || row.cltt - offset < since) continue
    compared++
    const difference = told.at - (row.expires - offset)
    assert.ok(Math.abs(difference) < 15, `${row.address} is told to end ${difference} s late`)
  }
  assert.ok(compared > 10, `only ${compared} leases could be compared`)
}

async function freshKnows(service: Service): Promise<void> {
  const fresh = await begin(service, 4)
  await settleHolders(service.kea(4), fresh.fold)
  await fresh.close()
}

for (const kea of keaRoots()) {
  test(`requestors know the leases of Kea ${kea.kea}, and the time left of them, when its clock is set an hour forth and back`, {
    skip: kea.skip,
  }, async () => {
    await using service = await startService(kea, 4, { kea: { parameters: lifetime } })
    const { lab, sidecar } = service
    const clock = new Clock(lab.path('clock'))
    await service.kea(4).stop()
    const server = await Kea.start(lab, kea, 4, {
      ...service.keaOptions(4),
      env: clock.env(fakeTimeLibrary(kea)),
    })
    service.keas.set(4, server)
    const fold = new TimedBindings()
    const requestor = await service.requestor(4, undefined, fold)
    assertServed(await load(service, 2))
    await settleHolders(server, fold)
    const lines = loud(sidecar).length
    for (const [offset, direction] of [
      [HOUR, 'forward'],
      [0, 'backward'],
      [-HOUR, 'backward'],
    ] as const) {
      const running = load(service, 6)
      clock.set(offset)
      await sidecar.logged('clock.stepped', (line) => {
        const count = loud(sidecar)
          .slice(lines)
          .filter(({ event }) => event === 'clock.stepped').length
        return line.msg.startsWith(`the clock of Kea was moved ${direction} by 3`) && count > clock.steps
      })
      clock.steps++
      const since = Date.now() / 1000
      assertServed(await running)
      await settleHolders(server, fold)
      assertTimes(server, fold, since, offset)
      await freshKnows(service)
    }
    assert.equal(fold.wentBack, 0)
    assert.ok(!requestor.saw('terminated'))
    assertLoud(sidecar, { 'clock.stepped': 3 }, lines)
  })

  test(`base-times of Kea ${kea.kea}'s sidecar stand still when its clock is set back, and go by it again after lease-feed-resync`, {
    skip: kea.skip,
  }, async () => {
    await using service = await startService(kea, 4, { sidecar: false, kea: { parameters: lifetime } })
    const server = service.kea(4)
    const clock = new Clock(service.lab.path('clock'))
    const sidecar = await Sidecar.start(service.lab, { families: [4], env: clock.env(hostFakeTimeLibrary()) })
    await sidecar.logged('feed.reconciled')
    const fold = new TimedBindings()
    const requestor = await service.requestor(4, undefined, fold)
    const right = Date.now() / 1000
    let running = load(service, 3)
    await hears(requestor, 100)
    assertServed(await running)

    clock.set(HOUR)
    let since = Date.now() / 1000
    assertServed(await load(service, 3))
    const forth = await sidecar.logged('clock.stepped')
    assert.match(forth.msg, /moved forward by 3(600|599|601) s/)
    await settleHolders(server, fold)
    assertTimes(server, fold, since, 0)
    assert.ok(fold.newestBaseTime >= right + HOUR, 'base-times follow the clock forth')

    clock.set(0)
    since = Date.now() / 1000
    running = load(service, 4)
    const back = await sidecar.logged('clock.stepped', (line) => line.msg.includes('backward'))
    assert.match(back.msg, /lease-feed-resync/)
    await server.logged(/LEASE_FEED_FOLLOWER_PROBLEM.*was set back/)
    assertServed(await running)
    await settleHolders(server, fold)
    assertTimes(server, fold, since, 0)
    assert.equal(fold.wentBack, 0, 'no base-time is undercut')

    // A requestor that comes back now misses nothing.
    running = load(service, 3)
    await requestor.close()
    await sleep(500)
    const again = await comeBack(service, requestor)
    assert.equal(again.wasMissing, false)
    assertServed(await running)
    await settleHolders(server, again.requestor.fold)
    assert.equal(fold.wentBack, 0)
    await freshKnows(service)

    running = load(service, 5)
    const held = again.requestor.resumePoint!
    assert.ok(held > Date.now() / 1000 + HOUR / 2)
    assert.equal((await server.command('lease-feed-resync')).result, 0)
    const restarted = await sidecar.logged('clock.restarted')
    assert.ok(Number(restarted['seconds']) > HOUR - 60)
    const anew = await comeBack(service, again.requestor)
    assert.ok(anew.wasMissing, 'what it holds is of a time that never was')
    assertServed(await running)
    await settleHolders(server, anew.requestor.fold)
    const now = anew.requestor.resumePoint!
    assert.ok(Math.abs(now - Date.now() / 1000) < 30, `base-time is ${now}`)
    await server.logged('LEASE_FEED_FOLLOWER_WELL')
    assertLoud(sidecar, {
      'feed.gap': 1,
      'clock.stepped': 2,
      'clock.restarted': 1,
      'query.terminated': 1,
      // A second one where the Bulk query was answered in the very second of the new beginning.
      'query.data-missing': 2,
    })

    // And the next one needs no Bulk query.
    await anew.requestor.close()
    sidecar.kill('SIGKILL')
    await sidecar.exited
    await service.startSidecar()
    const last = await comeBack(service, anew.requestor)
    assert.equal(last.wasMissing, false)
    assertServed(await load(service, 1))
    await settleHolders(server, last.requestor.fold)
  })
}
