/**
 * The main promise on real Kea: what a requestor was told, folded together, is what Kea's lease file holds. Kea, clients
 * and sidecar are real; the lease file is read by code that owes nothing to the product.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LoadResult, perfdhcp } from '../support/clients.ts'
import { keaRoots } from '../support/roots.ts'
import { type Family, Service, settle, type WatchingRequestor } from '../support/service.ts'
import { waitFor } from '../support/wait.ts'

const RATE = 500

/** Clients that come, renew and leave. */
function load(service: Service, family: Family, seconds: number, rate = RATE): Promise<LoadResult> {
  const mix = { rate, clients: 8 * rate, seconds, renewals: rate / 10, releases: rate / 10 }
  return perfdhcp(service.lab, service.root, family, mix)
}

/** Both families at once, for stories in which the load is only the background. */
function loadBoth(service: Service, seconds: number): Promise<LoadResult[]> {
  return Promise.all(service.families.map((family) => load(service, family, seconds, RATE / 2)))
}

/**
 * Kea answered all along. How many packets are lost at this rate depends on what else the machine does (the benchmark
 * measures that, beside Kea alone); a Kea that waits for somebody loses nearly all.
 */
function assertServed(result: LoadResult): void {
  for (const [name, exchange] of Object.entries(result.exchanges)) {
    assert.ok(exchange.sent > 0, `perfdhcp sent no ${name}`)
    // A DHCPRELEASE is never answered (RFC 2131 section 3.1).
    if (name === 'RELEASE') continue
    const most = exchange.sent / 4
    assert.ok(exchange.drops <= most, `${exchange.drops} of ${exchange.sent} ${name} were lost`)
  }
}

async function requestors(service: Service): Promise<WatchingRequestor[]> {
  return Promise.all(service.families.map((family) => service.requestor(family)))
}

async function settleAll(service: Service, watching: readonly WatchingRequestor[]): Promise<void> {
  for (const { family, fold } of watching) await settle(service.kea(family), fold)
}

/**
 * Comes back with the last base-time as start time, and checks what the catch-up phase brings: only what changed since,
 * then CatchUpComplete (RFC 7724 section 7.4.1, RFC 7653 section 8.4.1).
 */
async function comeBack(service: Service, away: WatchingRequestor): Promise<WatchingRequestor> {
  const since = away.resumePoint
  assert.ok(since !== undefined, 'a requestor that was served has a base-time to come back with')
  const back = await service.requestor(away.family, since, away.fold)
  await waitFor('CatchUpComplete', () => {
    assert.ok(!back.saw('data-missing'), `start time ${since} was answered with DataMissing`)
    return back.caughtUp
  })
  return back
}

for (const kea of keaRoots()) {
  test(`a requestor, connected or back with its last base-time, knows the leases of Kea ${kea.kea} after 20 s of load in each family`, {
    skip: kea.skip,
  }, async () => {
    await using service = await Service.start(kea)
    const watching = await requestors(service)
    for (const live of watching) {
      const away = await service.requestor(live.family)
      const running = load(service, live.family, 20)
      await waitFor('the first changes to reach the requestor', () => away.fold.told > 500)
      await away.close()
      const atClose = new Set(away.fold.active.keys())
      assertServed(await running)
      await settle(service.kea(live.family), live.fold)

      const toldBefore = away.fold.told
      const since = away.resumePoint!
      const back = await comeBack(service, away)
      await settle(service.kea(live.family), back.fold)
      assert.ok(back.fold.told > toldBefore, 'the catch-up phase brought what changed meanwhile')
      assert.ok([...atClose].some((key) => back.fold.active.has(key)))
      for (const [key, binding] of back.fold.active) {
        if (atClose.has(key)) continue
        assert.ok(
          binding.lastTransaction! >= since - 1,
          `${key} changed at ${binding.lastTransaction}, long before ${since}`,
        )
      }
      await back.close()
    }
  })

  test(`nothing is missed when the sidecar is killed during a run and started again (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    await using service = await Service.start(kea)
    const watching = await requestors(service)
    const running = loadBoth(service, 15)
    for (const { fold } of watching) await waitFor('the first changes', () => fold.told > 500)
    await sleep(2000)
    service.sidecar.kill('SIGKILL')
    await service.sidecar.exited
    await Promise.all(watching.map(({ over }) => over))
    await sleep(1000)
    await service.startSidecar()
    const back = await Promise.all(watching.map((requestor) => comeBack(service, requestor)))
    for (const result of await running) assertServed(result)
    await settleAll(service, back)
    const fresh = await Promise.all(watching.map((requestor) => comeBack(service, requestor)))
    await settleAll(service, fresh)
  })

  test(`7724-8.2-15: clients notice nothing of a sidecar that hangs or is absent, and requestors catch up (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    await using service = await Service.start(kea)
    const watching = await requestors(service)
    service.sidecar.kill('SIGSTOP')
    for (const result of await loadBoth(service, 8)) assertServed(result)
    service.sidecar.kill('SIGCONT')
    await settleAll(service, watching)

    await service.sidecar.stop()
    for (const { events } of watching) {
      await waitFor('the goodbye', () => events.some((event) => event.type === 'terminated'))
    }
    for (const result of await loadBoth(service, 8)) assertServed(result)
    await service.startSidecar()
    await settleAll(service, await Promise.all(watching.map((requestor) => comeBack(service, requestor))))
  })
}
