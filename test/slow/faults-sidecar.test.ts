/**
 * What happens to the sidecar as a process, on real Kea and under load: killed, stopped, out of memory, two of one feed,
 * started long before Kea. Each time clients notice nothing, and requestors know Kea's leases afterwards.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ActiveRequestor } from '../../sidecar/requestor/active-requestor.ts'
import { daemonOfContract } from '../support/other-contract.ts'
import { run } from '../support/processes.ts'
import { keaRoots } from '../support/roots.ts'
import { settle, WatchingRequestor } from '../support/service.ts'
import { Sidecar } from '../support/sidecar.ts'
import { waitFor } from '../support/wait.ts'
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

for (const kea of keaRoots()) {
  for (const family of [4, 6] as const) {
    test(`DHCPv${family}: a sidecar that is killed under load of Kea ${kea.kea} and started again has missed nothing`, {
      skip: kea.skip,
    }, async () => {
      await using service = await startService(kea, family)
      const requestor = await service.requestor(family)
      const running = load(service, 5)
      await hears(requestor, 200)
      service.sidecar.kill('SIGKILL')
      await service.sidecar.exited
      await sleep(500)
      await service.startSidecar()
      const replayed = await service.sidecar.logged('feed.replayed')
      assert.ok(Number(replayed['count']) > 0, 'what happened meanwhile came out of the ring')
      const back = await comeBack(service, requestor)
      assert.equal(back.wasMissing, false, 'nothing that was shown was lost')
      assertServed(await running)
      await assertSettled(service, back.requestor)
      const opened = await service.sidecar.logged('store.opened')
      assert.equal(opened['clean'], false)
      assertLoud(service.sidecar, {})
    })
  }

  test(`a sidecar that hangs until the ring of Kea ${kea.kea} has overflown says so in one line, and finds what it missed`, {
    skip: kea.skip,
  }, async () => {
    await using service = await startService(kea, 4)
    const { sidecar } = service
    const tiny = { feed: { endpoint: service.lab.feedEndpoint(4), 'ring-size': 1024 } }
    assert.equal((await service.kea(4).reload(service.keaOptions(4, tiny))).result, 0)
    const requestor = await service.requestor(4)
    assertServed(await load(service, 2))
    await assertSettled(service, requestor)
    const lines = loud(sidecar).length
    sidecar.kill('SIGSTOP')
    assertServed(await load(service, 8, 300))
    sidecar.kill('SIGCONT')
    await assertSettled(service, requestor)
    const gap = loud(sidecar)
      .slice(lines)
      .find(({ event }) => event === 'feed.gap')
    assert.match(String(gap?.msg), /^events after \d+ are missing: the ring of the hook /)
    assertLoud(sidecar, { 'feed.gap': 1, 'feed.silent': 1 }, lines)
  })

  test(`a sidecar that runs out of memory ends, and goes on where it was when started again (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    await using service = await startService(kea, 4)
    const requestor = await service.requestor(4)
    const running = load(service, 5)
    await hears(requestor, 100)
    // From here on the system refuses it any more memory.
    await run(['prlimit', `--pid=${service.sidecar.pid}`, '--data=1048576'])
    const { code, signal } = await service.sidecar.exited
    assert.ok(code !== 0, `it ended with ${code ?? signal}`)
    // Node says so where it can; where it needs memory for that, the signal is all there is.
    if (signal === null) assert.match(service.sidecar.output(), /out of memory|allocation failed/i)
    await service.startSidecar()
    const opened = await service.sidecar.logged('store.opened')
    assert.match(opened.msg, /had not ended in order/)
    const back = await comeBack(service, requestor)
    assertServed(await running)
    await assertSettled(service, back.requestor)
    assertLoud(service.sidecar, {})
  })

  test(`two sidecars on one Kea ${kea.kea} are both right, whichever is killed, and Kea's log names each`, {
    skip: kea.skip,
  }, async () => {
    await using service = await startService(kea, 4)
    const port = service.ports[6] // Not used otherwise here.
    const other = await Sidecar.start(service.lab, {
      families: [4],
      stateDir: service.lab.path('state-2'),
      flags: ['--listen', `dhcp4=127.0.0.1:${port}`],
    })
    await other.logged('feed.reconciled')
    const requestor = await service.requestor(4)
    const second = await ActiveRequestor.connect({ ...service.address(4), port })
    const ofOther = new WatchingRequestor(4, second)
    const running = load(service, 4)
    await hears(requestor, 100)
    service.sidecar.kill('SIGKILL')
    await service.sidecar.exited
    await service.startSidecar()
    const back = await comeBack(service, requestor)
    assertServed(await running)
    await assertSettled(service, back.requestor)
    await settle(service.kea(4), ofOther.fold)
    await ofOther.close()
    assertLoud(service.sidecar, {})
    assertLoud(other, { 'feed.gap': 1 }) // Its first start.
    const hellos = keaLines(service.kea(4).log(), 'LEASE_FEED_FOLLOWER_HELLO').join('\n')
    for (const { pid } of [service.sidecar, other]) assert.match(hellos, new RegExp(`pid ${pid}\\b`))
  })

  test(`a sidecar that was started long before Kea ${kea.kea} follows it within seconds`, {
    skip: kea.skip,
  }, async () => {
    await using service = await startService(kea, 4, { sidecar: false })
    const server = service.kea(4)
    await server.stop()
    const early = await Sidecar.start(service.lab, { families: [4] })
    // By now it asks each 16 s only, had it to rely on asking; what hours do is shown in test/feed.
    await sleep(16_000)
    assert.deepEqual(
      loud(early).map(({ event }) => event),
      ['feed.silent'],
    )
    await server.restart()
    const since = performance.now()
    await early.logged('feed.connected')
    const took = performance.now() - since
    assert.ok(took < 10_000, `it took ${took} ms`)
    await early.logged('feed.reconciled')
    assertLoud(early, { 'feed.gap': 1, 'feed.silent': 1 })
  })

  test(`a sidecar older or newer than the hook in Kea ${kea.kea} says so and serves on; one that fits goes on from there`, {
    skip: kea.skip,
  }, async () => {
    await using service = await startService(kea, 4)
    const { lab } = service
    const requestor = await service.requestor(4)
    assertServed(await load(service, 2))
    await assertSettled(service, requestor)
    await service.sidecar.stop()
    await requestor.over
    const running = load(service, 12)
    let away = requestor
    for (const major of [0, 2]) {
      const other = await Sidecar.start(lab, {
        families: [4],
        program: daemonOfContract(lab.path(`v${major}`), major),
      })
      const { msg } = await other.logged('feed.problem')
      assert.match(
        msg,
        new RegExp(
          `version 1 of the feed's contract, this program version ${major}: they must be of one release`,
        ),
      )
      await service.kea(4).logged(new RegExp(`LEASE_FEED_FOLLOWER_CONTRACT.*speaks version ${major}`))
      await service.kea(4).logged(/LEASE_FEED_FOLLOWER_PROBLEM.*version/)
      const listening = await other.logged('listener.started')
      assert.equal(listening['port'], service.ports[4])
      // What it knows it serves; nothing of what it cannot read.
      away = await service.requestor(4, away.resumePoint, away.fold)
      await waitFor('the catch-up phase to end', () => away.caughtUp)
      const told = away.fold.told
      await sleep(2_000)
      assert.equal(away.fold.told, told)
      assertLoud(other, { 'feed.problem': 1 })
      await other.stop()
      await away.over
    }
    await service.startSidecar()
    const back = await comeBack(service, away)
    assert.equal(back.wasMissing, false)
    assertServed(await running)
    await assertSettled(service, back.requestor)
    assertLoud(service.sidecar, {})
  })
}
