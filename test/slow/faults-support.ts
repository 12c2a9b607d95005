/** What the tests of faults share: clients in the background, requestors that come back, and lines that must be few. */

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { FoldedBindings } from '../../sidecar/requestor/active-requestor.ts'
import { BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import { type LoadResult, perfdhcp } from '../support/clients.ts'
import type { JsonObject } from '../support/kea-config.ts'
import type { KeaRoot } from '../support/roots.ts'
import {
  type Family,
  Service,
  type ServiceOptions,
  settle,
  type WatchingRequestor,
} from '../support/service.ts'
import type { LogLine, Sidecar } from '../support/sidecar.ts'
import { waitFor } from '../support/wait.ts'

/** As many addresses as the clients of {@link load} can want: a query for all of them is answered in a moment. */
export const smallPool: JsonObject = { pools: [{ pool: '10.1.0.0 - 10.1.15.255' }] }

/** One family, a small pool, and the sidecar. */
export function startService(
  kea: KeaRoot,
  family: Family,
  options: Omit<ServiceOptions, 'families'> = {},
): Promise<Service> {
  const subnet = family === 4 ? { subnet: smallPool } : {}
  return Service.start(kea, { ...options, families: [family], kea: { ...subnet, ...options.kea } })
}

/** Clients that come, renew and leave, for so many seconds. */
export function load(service: Service, seconds: number, rate = 150): Promise<LoadResult> {
  const [family] = service.families
  const mix = { rate, clients: 1500, seconds, renewals: rate / 5, releases: rate / 10 }
  return perfdhcp(service.lab, service.root, family!, mix)
}

/**
 * Kea answered all along. How much is lost depends on what else the machine does; a Kea that waits for somebody loses
 * nearly everything.
 */
export function assertServed(result: LoadResult): void {
  for (const [name, { sent, drops }] of Object.entries(result.exchanges)) {
    assert.ok(sent > 0, `perfdhcp sent no ${name}`)
    // A DHCPRELEASE is never answered (RFC 2131 section 3.1).
    if (name !== 'RELEASE') assert.ok(drops <= 0.9 * sent, `${drops} of ${sent} ${name} were lost`)
  }
}

/** Waits until a requestor has been told of so many bindings since it last had `from`. */
export function hears(requestor: WatchingRequestor, count: number, from = 0): Promise<boolean> {
  return waitFor(`a requestor to be told of ${count} bindings`, () => requestor.fold.told >= from + count)
}

/**
 * What a requestor does when its connection is gone: it comes back with its last base-time; told DataMissing, it fills the
 * gap with a Bulk query of everything, and goes on from there (RFC 7724 section 7.4.1, RFC 7653 section 8.4.1).
 */
export async function comeBack(
  service: Service,
  away: WatchingRequestor,
): Promise<{ requestor: WatchingRequestor; wasMissing: boolean }> {
  const { family } = away
  const since = away.resumePoint
  assert.ok(since !== undefined, 'a requestor that was served has a base-time to come back with')
  await away.over
  const back = await waitFor(`a requestor to come back with ${since}`, () =>
    service.requestor(family, since, away.fold),
  )
  if (await caughtUp(back)) return { requestor: back, wasMissing: false }
  await back.close()
  return { requestor: await begin(service, family), wasMissing: true }
}

/** Whether the catch-up phase is completed; DataMissing otherwise. */
async function caughtUp(requestor: WatchingRequestor): Promise<boolean> {
  const answer = await waitFor('CatchUpComplete or DataMissing', () => {
    if (requestor.saw('data-missing')) return 'data-missing'
    return requestor.caughtUp ? 'catch-up-complete' : undefined
  })
  return answer === 'catch-up-complete'
}

/** A requestor that knows nothing yet: a Bulk query of everything, then an Active one from the base-time of its answer. */
export async function begin(service: Service, family: Family): Promise<WatchingRequestor> {
  const bulk = await BulkRequestor.connect(service.address(family))
  const fold = new FoldedBindings()
  try {
    const { bindings, status, text, baseTime } = await bulk.fetch({ by: 'all' })
    assert.equal(status, 'Success', text)
    for (const binding of bindings) {
      fold.apply({ type: 'binding', binding, baseTime: baseTime!, resumePoint: baseTime })
    }
    const requestor = await service.requestor(family, baseTime, fold)
    if (await caughtUp(requestor)) return requestor
    // History had just begun anew when the Bulk query was answered, in that very second.
    await requestor.close()
    await sleep(1000)
  } finally {
    bulk.close()
  }
  return begin(service, family)
}

/** The fold of `requestor`, and of one that begins now with a Bulk query, equal Kea's leases. */
export async function assertSettled(service: Service, requestor: WatchingRequestor): Promise<void> {
  const { family } = requestor
  const kea = service.kea(family)
  await settle(kea, requestor.fold)
  const fresh = await begin(service, family)
  await settle(kea, fresh.fold)
  await fresh.close()
}

/** Lines that an operator is shown whatever his log level: warnings and errors; that of an insecure service is not news. */
export function loud(sidecar: Sidecar): LogLine[] {
  return sidecar.log().filter(({ event, level }) => level >= 40 && event !== 'config.insecure')
}

/**
 * That the warnings and errors of this run of the sidecar are of these events alone, each so often at most. That the disk
 * is slow may be no more than true, on a machine that has much else to do.
 * @param from how many of the lines came before what is judged
 */
export function assertLoud(sidecar: Sidecar, most: Readonly<Record<string, number>>, from = 0): void {
  const lines = loud(sidecar).slice(from)
  const shown = lines.map(({ event, msg }) => `${event}: ${msg}`)
  for (const event of new Set(lines.map((line) => line.event))) {
    const count = lines.filter((line) => line.event === event).length
    assert.ok(
      count <= (most[event] ?? (event === 'store.slow' ? 1 : 0)),
      `${count} lines of ${event}:\n${shown.slice(0, 20).join('\n')}`,
    )
  }
}

/** Lines of Kea with one of our message ids. */
export function keaLines(log: string, id: string): string[] {
  return log.split('\n').filter((line) => line.includes(` ${id} `))
}
