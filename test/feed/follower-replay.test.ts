import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import type { ConfigPage } from '../../sidecar/feed/events.ts'
import { Driver } from './driver.ts'
import { ipv4, leaseRow, mac } from './model-hook.ts'

function inStep(settings = {}): Driver {
  const driver = new Driver(settings)
  driver.hook.write(leaseRow(ipv4(1), 1))
  driver.settle()
  assert.equal(driver.follower.status(driver.now).state, 'following')
  return driver
}

/** A lease of so many seconds, and a step of Kea's clock by so many milliseconds, after which it is told as ended. */
function endsByAStep(driver: Driver, validLifetime: number, step: number): void {
  driver.hook.write(leaseRow(ipv4(2), 2, { clientLastTransaction: driver.hook.now, validLifetime }))
  driver.settle()
  driver.hook.stepClock(step)
  driver.heartbeat()
  driver.pass(1_000)
  assert.equal(driver.store.get(ipv4(2))?.state, BindingState.expired)
}

describe('replay', () => {
  it('brings what was missed while the sidecar was down, without a walk', () => {
    const driver = inStep()
    driver.follower.stop()
    const saved = driver.store.save()
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.drop()
    driver.restart(saved, true)
    driver.settle()
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.active)
    assert.equal(driver.noted('gap').length, 1, 'only that of the first start')
    assert.deepEqual(
      driver.noted('replayed').map(({ count }) => count),
      [1],
    )
    assert.equal(driver.store.horizon, saved.horizon)
  })

  it('fills a gap between live batches in order', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.drop()
    driver.hook.write(leaseRow(ipv4(2), 3))
    driver.deliver()
    assert.equal(driver.store.get(ipv4(2)), undefined, 'nothing is applied out of order')
    driver.settle()
    assert.deepEqual(driver.store.get(ipv4(2))?.hardwareAddress, mac(3))
    assert.equal(driver.noted('gap').length, 1)
    const departures = driver.store.shown.filter(({ kind }) => kind === 'departure')
    assert.equal(departures.length, 1, 'the holder in between was seen')
  })

  it('notices by the heartbeat that the newest events never came', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.drop()
    driver.settle()
    assert.equal(driver.store.get(ipv4(2)), undefined)
    driver.heartbeat()
    driver.settle()
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.active)
    assert.equal(driver.noted('gap').length, 1)
  })

  it('turns into a walk when the ring has been overwritten', () => {
    const driver = inStep()
    driver.hook.ringSize = 2
    for (let i = 2; i < 10; i++) driver.hook.write(leaseRow(ipv4(i), i))
    driver.drop()
    driver.heartbeat()
    driver.settle()
    assert.equal(driver.store.counts.get(BindingState.active), 9)
    assert.equal(driver.noted('gap').length, 2)
    assert.equal(driver.follower.status(driver.now).state, 'following')
  })

  it('bounds the live batches that wait for it, and replays what it dropped', () => {
    const driver = inStep({ maxBufferedEvents: 3 })
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.drop()
    for (let i = 3; i < 20; i++) {
      driver.hook.write(leaseRow(ipv4(i), i))
      driver.deliver()
    }
    driver.settle()
    assert.equal(driver.store.counts.get(BindingState.active), 19)
    assert.ok(driver.follower.details(driver.now).counters.dropped > 0)
    assert.equal(driver.noted('gap').length, 1)
  })

  it('restamps what comes out equal: what was shown before a kill is taken back', () => {
    const driver = inStep()
    const saved = driver.store.save() // disk: .1 held by client 1
    driver.hook.write(leaseRow(ipv4(1), 2))
    driver.deliver() // shown
    const shownAt = driver.store.get(ipv4(1))!.changedAt
    driver.hook.write(leaseRow(ipv4(1), 1)) // back to what the disk holds, all while the sidecar is dead
    driver.drop()
    driver.restart(saved, false)
    driver.settle()
    const binding = driver.store.get(ipv4(1))!
    assert.deepEqual(binding.hardwareAddress, mac(1))
    assert.ok(binding.changedAt > shownAt, 'told again to those who saw client 2')
    assert.equal(driver.store.horizon, saved.horizon)
    assert.equal(driver.follower.status(driver.now).indexTrusted, true)
  })

  it('tells the end of what was shown and never reached the disk', () => {
    const driver = inStep()
    const saved = driver.store.save()
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.deliver()
    driver.hook.remove(ipv4(2))
    driver.drop()
    driver.restart(saved, false)
    driver.settle()
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.reset)
  })

  it('gives every address in its range a change time of the restart or later', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(1), 1))
    driver.deliver()
    const saved = driver.store.save()
    driver.hook.write(leaseRow(ipv4(1), 1)) // equal to what the disk holds
    for (let i = 2; i < 30; i++) {
      driver.hook.write(leaseRow(ipv4(i), i))
      if (i % 2 === 0) driver.hook.remove(ipv4(i))
    }
    driver.deliver()
    driver.restart(saved, false)
    const restartedAt = driver.logical
    driver.settle()
    for (let i = 1; i < 30; i++)
      assert.ok(driver.store.get(ipv4(i))!.changedAt >= restartedAt, `address ${i}`)
  })

  it('restamps, too, what arrives as a live event and was given its number before Hello', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(1), 1))
    driver.deliver()
    const saved = driver.store.save()
    driver.hook.write(leaseRow(ipv4(1), 1))
    driver.restart(saved, false)
    driver.answer() // Hello counts the event
    driver.deliver() // and it overtakes its replay
    assert.equal(driver.store.get(ipv4(1))?.changedAt, driver.logical)
  })

  it('drops a live event that changes nothing, and applies none twice', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(1), 1))
    driver.deliver()
    const shown = driver.store.shown.length
    driver.hook.write(leaseRow(ipv4(1), 1))
    const batch = driver.hook.publish()!
    driver.follower.message(batch, driver.now)
    driver.follower.message(batch, driver.now)
    assert.equal(driver.store.shown.length, shown)
    assert.equal(driver.store.position.seq, driver.hook.lastSeq)
  })

  it('asks again when a reply is lost', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.drop()
    driver.heartbeat()
    assert.equal(driver.requests.shift()?.body.kind, 'replay')
    driver.pass(3_500)
    assert.equal(driver.requests[0]?.body.kind, 'replay')
    driver.settle()
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.active)
  })
})

describe('the horizon', () => {
  it('stays after a clean stop, though Kea was started anew', () => {
    const driver = inStep()
    driver.follower.stop()
    const saved = driver.store.save()
    driver.hook.start()
    driver.restart(saved, true)
    assert.equal(driver.follower.status(driver.now).indexTrusted, true)
    driver.settle()
    assert.equal(driver.store.horizon, saved.horizon)
  })

  it('moves to the end of the new walk after an unclean stop that cannot be replayed', () => {
    const driver = inStep()
    const saved = driver.store.save()
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.deliver() // shown, not on disk
    driver.hook.removeSilently(ipv4(2))
    driver.hook.start()
    driver.restart(saved, false)
    assert.equal(
      driver.follower.status(driver.now).indexTrusted,
      false,
      'not before it is known what was lost',
    )
    driver.answer() // Hello: another epoch
    assert.ok(driver.store.horizon! > saved.horizon!)
    assert.equal(driver.follower.status(driver.now).indexTrusted, false)
    driver.logical += 7
    driver.settle()
    assert.equal(driver.store.horizon, driver.logical)
    assert.equal(driver.follower.status(driver.now).indexTrusted, true)
  })

  it('moves when the ring no longer holds what the unclean stop may have lost', () => {
    const driver = inStep()
    const saved = driver.store.save()
    driver.hook.ringSize = 1
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.hook.write(leaseRow(ipv4(3), 3))
    driver.drop()
    driver.restart(saved, false)
    driver.settle()
    assert.equal(driver.store.horizon, driver.logical)
  })

  it('remembers an unclean stop over a clean one in which Kea was never heard', () => {
    const driver = inStep()
    const horizon = driver.store.horizon!
    driver.restart(driver.store.save(), false)
    driver.stopAndStart() // Kea does not answer
    assert.ok(driver.store.horizon! > horizon)
  })
})

describe('a Kea that comes hours after the sidecar', () => {
  it('is asked with its first heartbeat, however rarely it was asked in vain', () => {
    const driver = new Driver()
    for (let i = 0; i < 6 * 60; i++) driver.pass(60_000)
    driver.requests = [] // All of them are too old to be answered.
    driver.heartbeat()
    driver.pass(1)
    assert.deepEqual(
      driver.requests.map(({ body }) => body.kind),
      ['hello'],
    )
    driver.heartbeat()
    assert.equal(driver.requests.length, 1, 'the next heartbeat does not ask again')
    driver.settle()
    assert.equal(driver.follower.status(driver.now).state, 'following')
  })
})

describe('epochs', () => {
  it('that end bring a walk, and late messages of the old one change nothing', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(2), 2))
    const late = driver.hook.publish()!
    const lateBeat = driver.hook.heartbeat()
    driver.hook.removeSilently(ipv4(1))
    driver.hook.start()
    driver.hook.removeSilently(ipv4(2))
    driver.heartbeat()
    driver.settle()
    assert.equal(driver.store.get(ipv4(1))?.state, BindingState.reset)
    assert.equal(driver.store.position.epoch, driver.hook.epoch)
    driver.follower.message(late, driver.now)
    driver.follower.message(lateBeat, driver.now)
    driver.settle()
    assert.equal(driver.store.get(ipv4(2)), undefined)
    assert.equal(driver.store.position.epoch, driver.hook.epoch)
    assert.equal(driver.follower.status(driver.now).state, 'following')
  })

  it('are followed even when their time is before that of the last one', () => {
    const driver = inStep()
    driver.hook.start()
    driver.hook.epoch = '0'.repeat(32) // Kea's clock has stepped back
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.heartbeat()
    driver.settle()
    assert.equal(driver.store.position.epoch, '0'.repeat(32))
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.active)
  })
})

describe('time', () => {
  it('ends a lease 30 s past its expiry that Kea has not reclaimed, once', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(2), 2, { clientLastTransaction: driver.hook.now, validLifetime: 60 }))
    driver.settle()
    for (let i = 0; i < 85; i++) {
      driver.pass(1_000)
      driver.heartbeat()
    }
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.active)
    for (let i = 0; i < 10; i++) {
      driver.pass(1_000)
      driver.heartbeat()
    }
    const binding = driver.store.get(ipv4(2))!
    assert.equal(binding.state, BindingState.expired)
    assert.equal(binding.stateSince, binding.clientLastTransaction + 60)
    const shown = driver.store.shown.length
    driver.follower.requestWalk('test', driver.now) // the row still says: in force
    driver.settle()
    assert.equal(driver.store.shown.length, shown)
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.expired)
  })

  it('walks when Kea’s clock goes back: what was told as ended may be in force again', () => {
    const driver = inStep()
    endsByAStep(driver, 60, 3_600_000)
    driver.hook.stepClock(-3_600_000)
    // Believed after some seconds of it: a message that waited tells an old time too.
    for (let i = 0; i < 12; i++) {
      driver.heartbeat()
      driver.settle()
      driver.pass(1_000)
    }
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.active)
  })

  it('walks when Kea’s clock went back just before a restart, or while nobody listened', () => {
    for (const isHeard of [true, false]) {
      const driver = inStep()
      endsByAStep(driver, 60, 3_600_000)
      driver.hook.stepClock(-3_600_000)
      if (isHeard) driver.heartbeat() // Too short a time for the step to be believed.
      driver.stopAndStart()
      driver.settle()
      assert.equal(driver.store.get(ipv4(2))?.state, BindingState.active)
      // Once: what the walk has judged is by the clock as it is now.
      driver.stopAndStart()
      const { walks } = driver.follower.details(driver.now).counters
      driver.settle()
      assert.equal(driver.follower.details(driver.now).counters.walks, walks)
    }
  })

  it('walks when Kea’s clock went back in steps of which none is large', () => {
    const driver = inStep()
    endsByAStep(driver, 120, 160_000)
    for (let steps = 0; steps < 4; steps++) {
      driver.hook.stepClock(-25_000)
      for (let i = 0; i < 6; i++) {
        driver.heartbeat()
        driver.settle()
        driver.pass(1_000)
      }
    }
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.active)
  })

  it('judges a lease that a walk left out again after a step back that only the restart shows', () => {
    const driver = inStep()
    driver.hook.stepClock(3_600_000)
    driver.hook.writeSilently(
      leaseRow(ipv4(2), 2, { clientLastTransaction: driver.hook.now - 3_600, validLifetime: 60 }),
    )
    driver.follower.requestWalk('test', driver.now)
    driver.settle()
    assert.equal(driver.store.get(ipv4(2)), undefined)
    driver.hook.stepClock(-3_600_000)
    driver.stopAndStart()
    driver.settle()
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.active)
  })

  it('ends many leases in pieces, and none that was renewed meanwhile', () => {
    const driver = new Driver()
    const cltt = driver.hook.now
    for (let i = 0; i < 2_500; i++) {
      const fields = { clientLastTransaction: cltt, validLifetime: 60 }
      driver.hook.writeSilently(leaseRow(ipv4(i % 250, 10 + Math.floor(i / 250)), i % 200, fields))
    }
    driver.settle()
    driver.now += 95_000
    driver.hook.clock += 95_000
    driver.heartbeat()
    driver.follower.tick(driver.now)
    assert.equal(driver.store.counts.get(BindingState.expired), 1_000)
    const last = ipv4(249, 19)
    driver.hook.write(
      leaseRow(last, 249 % 200, { clientLastTransaction: driver.hook.now, validLifetime: 600 }),
    )
    driver.deliver()
    driver.tick()
    assert.equal(driver.store.counts.get(BindingState.expired), 2_499)
    assert.equal(driver.store.get(last)?.state, BindingState.active)
  })

  it('stops ending leases in pieces when events turn out to be missing', () => {
    const driver = new Driver()
    for (let i = 0; i < 1_500; i++) {
      const fields = { clientLastTransaction: driver.hook.now, validLifetime: 60 }
      driver.hook.writeSilently(leaseRow(ipv4(i % 250, 10 + Math.floor(i / 250)), i % 200, fields))
    }
    driver.settle()
    driver.now += 95_000
    driver.hook.clock += 95_000
    driver.heartbeat()
    driver.follower.tick(driver.now)
    driver.hook.ringSize = 0
    driver.hook.pageError = { code: 4, text: 'gone' }
    driver.hook.write(leaseRow(ipv4(1), 1))
    driver.drop()
    driver.heartbeat()
    driver.answer()
    driver.answer()
    driver.tick()
    assert.equal(driver.store.counts.get(BindingState.expired), 1_000)
    assert.ok(driver.follower.deadline() > driver.now)
  })

  it('ends nothing by the clock while events are missing', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(2), 2, { clientLastTransaction: driver.hook.now, validLifetime: 60 }))
    driver.settle()
    driver.hook.ringSize = 0
    driver.hook.pageError = { code: 4, text: 'busy' }
    for (let i = 0; i < 120; i++) {
      driver.pass(1_000)
      if (i === 50) {
        driver.hook.write(
          leaseRow(ipv4(2), 2, { clientLastTransaction: driver.hook.now, validLifetime: 600 }),
        )
        driver.drop()
      }
      driver.heartbeat()
      while (driver.answer()) {}
    }
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.active)
    assert.equal(driver.store.get(ipv4(2))?.validLifetime, 60)
  })

  it('says since when the feed is silent, and that it is back', () => {
    const driver = inStep()
    driver.heartbeat()
    for (let i = 0; i < 6; i++) driver.pass(1_000)
    assert.equal(driver.follower.status(driver.now).state, 'silent')
    assert.equal(driver.follower.status(driver.now).silentForMs, 6_000)
    assert.deepEqual(
      driver.noted('silent').map(({ seconds }) => seconds),
      [5],
    )
    driver.heartbeat()
    driver.settle()
    assert.deepEqual(
      driver.noted('back').map(({ seconds }) => seconds),
      [6],
    )
    assert.equal(driver.follower.status(driver.now).state, 'following')
  })
})

describe('what cannot be followed', () => {
  it('is a contract of another major version, until the hook is of ours', () => {
    const driver = new Driver()
    driver.hook.contractMajor = 2
    driver.answer()
    assert.equal(driver.follower.status(driver.now).state, 'refused')
    assert.match(driver.noted('problem')[0]!.reason, /version 2 .* version 1/)
    for (let i = 0; i < 6; i++) {
      driver.pass(1_000)
      driver.heartbeat()
      driver.requests.length = 0
    }
    const { state, silentForMs } = driver.follower.status(driver.now)
    assert.deepEqual([state, silentForMs], ['refused', 6_000], 'heard is not followed')
    driver.hook.contractMajor = 1
    driver.pass(30_000)
    driver.settle()
    assert.equal(driver.follower.status(driver.now).state, 'following')
  })

  it('is an event that cannot be read: it counts as lost, and a walk finds what it did', async () => {
    const { DecodeError } = await import('../../sidecar/feed/decode-error.ts')
    const driver = inStep()
    driver.hook.writeSilently(leaseRow(ipv4(2), 2))
    driver.hook.event({ kind: 'unreadable', error: new DecodeError('change.lease', 'missing') })
    driver.hook.write(leaseRow(ipv4(3), 3))
    driver.settle()
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.active)
    assert.equal(driver.store.get(ipv4(3))?.state, BindingState.active)
    assert.match(driver.noted('gap').at(-1)!.reason, /change\.lease/)
  })
})

describe('an event of a kind yet to come', () => {
  it('is passed over, and counts', () => {
    const driver = inStep()
    driver.hook.event({ kind: 'unknown' })
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.settle()
    assert.equal(driver.store.position.seq, driver.hook.lastSeq)
    assert.equal(driver.store.get(ipv4(2))?.state, BindingState.active)
    assert.equal(driver.noted('gap').length, 1)
  })
})

describe('a hook that publishes and does not answer', () => {
  it('is told as a problem, unlike one that is not there', () => {
    const driver = new Driver()
    driver.requests.length = 0
    driver.pass(3_000)
    assert.deepEqual(driver.follower.status(driver.now).problems, [])
    driver.heartbeat()
    driver.requests.length = 0
    driver.pass(4_500)
    assert.match(driver.follower.status(driver.now).problems[0]!.text, /has not answered/)
    driver.settle()
    assert.deepEqual(driver.follower.status(driver.now).problems, [])
  })
})

describe('the configuration', () => {
  it('is asked for again when its generation changes, the service likewise', () => {
    const driver = inStep()
    const count = (kind: string) => driver.outputs.filter((output) => output.kind === kind).length
    assert.deepEqual([count('config'), count('hello')], [1, 1])
    driver.hook.configGeneration = 2
    driver.heartbeat()
    driver.settle()
    assert.deepEqual([count('config'), count('hello')], [2, 1])
    driver.hook.serviceGeneration = 2
    driver.heartbeat()
    driver.settle()
    assert.deepEqual([count('config'), count('hello')], [2, 2])
  })

  const pages = [1, 2, 3].map((n) => Uint8Array.of(n, 0, 0, 1, n, 0, 0, 9))

  /** A new configuration of three pages has been announced. */
  function announced(): Driver {
    const driver = inStep()
    driver.outputs.length = 0
    driver.hook.configGeneration = 2
    driver.hook.configPages = pages
    driver.heartbeat()
    return driver
  }

  function configs(driver: Driver) {
    return driver.outputs.flatMap((output) => (output.kind === 'config' ? [output.config] : []))
  }

  it('is put together from its pages, each asked for once', () => {
    const driver = announced()
    driver.settle()
    const [whole, ...more] = configs(driver)
    assert.deepEqual(
      [...whole!.reserved],
      pages.flatMap((page) => [...page]),
    )
    assert.deepEqual([whole!.generation, more.length], [2, 0])
    driver.heartbeat()
    driver.settle()
    assert.equal(configs(driver).length, 1)
  })

  it('is begun anew when it changes between two pages', () => {
    const driver = announced()
    driver.answer()
    driver.answer()
    driver.hook.configGeneration = 3
    driver.hook.configPages = pages.slice(1)
    driver.settle()
    const [whole, ...more] = configs(driver)
    assert.deepEqual(
      [...whole!.reserved],
      pages.slice(1).flatMap((page) => [...page]),
    )
    assert.deepEqual([whole!.generation, more.length], [3, 0])
  })

  it('goes on with the page whose reply was lost', () => {
    const driver = announced()
    driver.answer()
    const [second] = driver.requests.splice(0)
    driver.pass(5_000)
    const [again] = driver.requests
    assert.deepEqual(again!.body, second!.body)
    assert.notEqual(again!.id, second!.id)
    driver.settle()
    assert.equal(configs(driver).length, 1)
  })

  it('is begun anew, after a pause, when a page comes that does not follow', () => {
    const driver = announced()
    driver.answer()
    driver.answer((reply) => ({ ...reply, body: { ...reply.body, page: 3 } as ConfigPage }))
    assert.match(
      driver.follower.status(driver.now).problems[0]!.text,
      /page 3 of generation 2 does not follow page 1 of 2/,
    )
    assert.equal(driver.requests.length, 0)
    driver.pass(1_000)
    assert.deepEqual(driver.requests[0]!.body, { kind: 'config', page: 1, generation: 0 })
    driver.settle()
    assert.equal(configs(driver)[0]!.reserved.length, 24)
    assert.deepEqual(driver.follower.status(driver.now).problems, [])
  })

  it('is refused where it has more pages than any hook makes', () => {
    const driver = announced()
    driver.answer((reply) => ({ ...reply, body: { ...reply.body, pages: 1_025 } as ConfigPage }))
    assert.match(
      driver.follower.status(driver.now).problems[0]!.text,
      /1025 pages, more than the 1024 allowed/,
    )
    assert.equal(configs(driver).length, 0)
  })
})
