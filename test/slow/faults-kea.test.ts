/**
 * What happens to Kea, its lease file and its end of the feed under load: the hook reloaded, Kea killed, the end of the
 * lease file lost, the feed's sockets deleted, a second Kea with the same endpoint. Each time a requestor that is
 * connected all along knows Kea's leases afterwards, and one line says what happened.
 */

import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import { keyOf } from '../../sidecar/requestor/events.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { Kea } from '../support/kea.ts'
import { keaRoots } from '../support/roots.ts'
import { type Service, settle } from '../support/service.ts'
import {
  assertLoud,
  assertServed,
  assertSettled,
  comeBack,
  hears,
  keaLines,
  load,
  loud,
  startService,
} from './faults-support.ts'

const GAP = /^events after \d+ are missing: Kea has been started or configured anew$/

/** That the sidecar said once that Kea began anew, and at most that it had not heard from it meanwhile. */
function assertBegunAnew(service: Service, from: number): void {
  const gap = loud(service.sidecar)
    .slice(from)
    .find(({ event }) => event === 'feed.gap')
  assert.match(String(gap?.msg), GAP)
  assertLoud(service.sidecar, { 'feed.gap': 1, 'feed.silent': 1 }, from)
}

/** Takes the last rows of a lease file away, as if they had never reached the disk. */
function loseTail(path: string, rows: number): void {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  assert.ok(lines.length > 2 * rows, `${path} has ${lines.length} lines`)
  writeFileSync(path, `${lines.slice(0, -rows).join('\n')}\n`)
}

for (const kea of keaRoots()) {
  for (const family of [4, 6] as const) {
    test(`DHCPv${family}: a requestor knows the leases of Kea ${kea.kea} after a config-reload under load, after kill -9, and after the end of its lease file was lost`, {
      skip: kea.skip,
    }, async () => {
      await using service = await startService(kea, family)
      const server = service.kea(family)
      const requestor = await service.requestor(family)

      let lines = loud(service.sidecar).length
      let running = load(service, 4)
      await hears(requestor, 100)
      assert.equal((await server.reload()).result, 0)
      assertServed(await running)
      await assertSettled(service, requestor)
      assertBegunAnew(service, lines)

      lines = loud(service.sidecar).length
      running = load(service, 4)
      await hears(requestor, 50, requestor.fold.told)
      server.kill('SIGKILL')
      await server.exited
      await running
      await server.restart()
      assertServed(await load(service, 2))
      await assertSettled(service, requestor)
      assertBegunAnew(service, lines)

      lines = loud(service.sidecar).length
      const before = requestor.fold.told
      server.kill('SIGKILL')
      await server.exited
      loseTail(server.leaseFile, 150)
      await server.restart()
      await settle(server, requestor.fold)
      assert.ok(requestor.fold.told > before, 'what Kea forgot is told')
      assertServed(await load(service, 2))
      await assertSettled(service, requestor)
      assertBegunAnew(service, lines)
      const saw = (type: 'terminated' | 'data-missing') => requestor.saw(type)
      assert.ok(!saw('terminated') && !saw('data-missing'), 'the connection was of use all along')
    })
  }

  for (const family of [4, 6] as const) {
    test(`DHCPv${family}: a sidecar started anew while Kea ${kea.kea} is down answers as before, and finds what Kea did when it is back`, {
      skip: kea.skip,
    }, async () => {
      await using service = await startService(kea, family)
      const server = service.kea(family)
      const requestor = await service.requestor(family)
      assertServed(await load(service, 2))
      await assertSettled(service, requestor)
      await requestor.close()
      const everything = async () => {
        const bulk = await BulkRequestor.connect(service.address(family))
        try {
          // On one link, so that what is known of links decides.
          const linkAddress = parseAddress(family === 4 ? '10.1.0.1' : '2001:db8:1::1')!
          const wishes = family === 4 ? {} : { linkAddress }
          const { bindings, status, text } = await bulk.fetch({ by: 'all' }, wishes)
          assert.equal(status, 'Success', text)
          return bindings.map((binding) => `${keyOf(binding)} ${binding.state}`).sort()
        } finally {
          bulk.close()
        }
      }
      const before = await everything()
      assert.ok(before.length > 200, `${before.length} bindings`)
      await server.stop()
      await service.startSidecar()
      assert.deepEqual(await everything(), before)
      const applied = await service.sidecar.logged('config.applied')
      assert.equal(applied['source'], 'store')
      await service.sidecar.logged('feed.silent')
      assertLoud(service.sidecar, { 'feed.silent': 1 })

      await server.restart()
      const running = load(service, 2)
      const back = await comeBack(service, requestor)
      assert.equal(back.wasMissing, false)
      assertServed(await running)
      await assertSettled(service, back.requestor)
      assertLoud(service.sidecar, { 'feed.silent': 1, 'feed.gap': 1 })
    })
  }

  test(`the sockets of the feed, deleted while Kea ${kea.kea} and the sidecar run, are made anew, and nothing is missed`, {
    skip: kea.skip,
  }, async () => {
    await using service = await startService(kea, 4)
    const server = service.kea(4)
    const requestor = await service.requestor(4)
    const lines = loud(service.sidecar).length
    const running = load(service, 5)
    await hears(requestor, 100)
    for (const name of ['dhcp4', 'dhcp4-sync']) rmSync(service.lab.path('feed', name))
    await server.logged('LEASE_FEED_SOCKET_REBOUND')
    assertServed(await running)
    await assertSettled(service, requestor)
    assertLoud(service.sidecar, {}, lines)
    // Another sidecar finds the new ones.
    await service.startSidecar()
    await service.sidecar.logged('feed.connected')
    assert.ok(keaLines(server.log(), 'LEASE_FEED_SOCKET_REBOUND').length <= 2)
    assert.equal(keaLines(server.log(), 'LEASE_FEED_SOCKET_LOST').length, 0)
  })

  test(`a second Kea ${kea.kea} with the same endpoint, and kea-dhcp4 -T, leave the feed to the first and say so`, {
    skip: kea.skip,
  }, async () => {
    await using service = await startService(kea, 4)
    const requestor = await service.requestor(4)
    const lines = loud(service.sidecar).length
    const running = load(service, 6)
    await hears(requestor, 100)
    // It must not answer the clients of the first.
    const parameters = { 'interfaces-config': { interfaces: [] } }
    const options = { ...service.keaOptions(4), parameters, name: 'second' }
    const second = await Kea.start(service.lab, kea, 4, options)
    await second.logged('LEASE_FEED_START_FAILED')
    assert.match(
      keaLines(second.log(), 'LEASE_FEED_START_FAILED').join('\n'),
      /belongs to process \d+.*DHCP is served/,
    )
    const checked = await Kea.check(service.lab, kea, 4, options)
    assert.ok(checked.accepted, checked.text)
    assert.equal((await second.command('lease-feed-status')).result, 0)
    assertServed(await running)
    await assertSettled(service, requestor)
    assert.equal(keaLines(second.log(), 'LEASE_FEED_START_FAILED').length, 1, 'tried again, told once')
    await second.stop()
    assertServed(await load(service, 1))
    await assertSettled(service, requestor)
    assertLoud(service.sidecar, {}, lines)
    assert.equal(keaLines(service.kea(4).log(), 'LEASE_FEED_SOCKET_REBOUND').length, 0)
  })
}
