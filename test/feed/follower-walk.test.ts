import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BindingState, NO_OCTETS, Origin } from '../../sidecar/binding.ts'
import { FeedErrorCode, Operation } from '../../sidecar/feed/events.ts'
import { Driver } from './driver.ts'
import { ipv4, leaseRow } from './model-hook.ts'

/** A sidecar in step with a Kea of `count` leases: 192.0.2.1 and so on, clients of the same number. */
function inStep(count: number, settings = {}): Driver {
  const driver = new Driver(settings)
  for (let i = 1; i <= count; i++) driver.hook.writeSilently(leaseRow(ipv4(i), i))
  driver.settle()
  assert.equal(driver.follower.status(driver.now).state, 'following')
  return driver
}

function stateOf(driver: Driver, last: number): BindingState | undefined {
  return driver.store.get(ipv4(last))?.state
}

describe('first start', () => {
  it('is complete, and has a horizon, only when the walk has ended', () => {
    const driver = new Driver()
    driver.hook.pageSize = 2
    for (let i = 1; i <= 5; i++) driver.hook.writeSilently(leaseRow(ipv4(i), i))
    driver.answer() // Hello
    assert.equal(driver.store.position.walkPending, true)
    driver.answer() // page 1, or the configuration
    driver.answer()
    const status = driver.follower.status(driver.now)
    assert.equal(status.state, 'walking')
    assert.equal(status.indexTrusted, false)
    assert.equal(driver.store.horizon, undefined)
    driver.logical += 3
    driver.settle()
    assert.equal(driver.store.position.walkPending, false)
    assert.equal(driver.store.horizon, driver.logical)
    assert.equal(driver.follower.status(driver.now).indexTrusted, true)
    assert.equal(driver.store.counts.get(BindingState.active), 5)
    assert.deepEqual(
      driver.noted('reconciled').map(({ count, changed, ended }) => [count, changed, ended]),
      [[5, 5, 0]],
    )
  })

  it('applies live events while the walk is under way, and a page leaves newer ones alone', () => {
    const driver = new Driver()
    driver.hook.writeSilently(leaseRow(ipv4(1), 1))
    driver.hook.writeSilently(leaseRow(ipv4(2), 2))
    driver.answer()
    const page = driver.requests.find(({ body }) => body.kind === 'page')!
    const stale = driver.hook.answer(page)
    driver.hook.remove(ipv4(1))
    driver.hook.write(leaseRow(ipv4(2), 9))
    driver.deliver()
    driver.reply(stale)
    driver.settle()
    assert.equal(driver.store.get(ipv4(1)), undefined)
    assert.deepEqual(driver.store.get(ipv4(2))?.hardwareAddress, leaseRow(ipv4(2), 9).hardwareAddress)
  })

  it('asks for the next page before it applies one, and still knows which rows are older than events', () => {
    const driver = new Driver()
    driver.hook.pageSize = 2
    for (let i = 1; i <= 4; i++) driver.hook.writeSilently(leaseRow(ipv4(i), i))
    driver.answer()
    const pageAsked = () => driver.requests.find(({ body }) => body.kind === 'page')
    const first = pageAsked()!
    const stale = driver.hook.answer(first)
    driver.hook.write(leaseRow(ipv4(2), 9))
    driver.deliver()
    driver.requests = []
    const put = driver.store.put.bind(driver.store)
    const underWay: boolean[] = []
    driver.store.put = (data, at) => {
      underWay.push(pageAsked() !== undefined)
      return put(data, at)
    }
    driver.reply(stale)
    assert.deepEqual(underWay, [true]) // Of the first row; the second one is older than its event.
    assert.deepEqual(driver.store.get(ipv4(2))?.hardwareAddress, leaseRow(ipv4(2), 9).hardwareAddress)
    driver.settle()
    assert.equal(driver.store.counts.get(BindingState.active), 4)
    assert.deepEqual(driver.store.get(ipv4(2))?.hardwareAddress, leaseRow(ipv4(2), 9).hardwareAddress)
  })

  it('holds a page until the events up to its stamp are applied', () => {
    const driver = new Driver()
    driver.answer()
    driver.hook.write(leaseRow(ipv4(1), 1))
    const page = driver.requests.find(({ body }) => body.kind === 'page')!
    driver.reply(driver.hook.answer(page))
    assert.equal(driver.store.get(ipv4(1)), undefined)
    assert.equal(driver.store.position.walkPending, true)
    driver.deliver()
    driver.tick()
    assert.equal(stateOf(driver, 1), BindingState.active)
    assert.equal(driver.store.position.walkPending, false)
  })
})

const packetOf = (relay: string) => ({ messageType: 3, relay: Buffer.from(relay), options: NO_OCTETS })

/** All with one cltt; its row keeps these relay data. */
const withStored = (n: number, stored: string) => leaseRow(ipv4(n), n, { storedRelay: Buffer.from(stored) })

describe('a walk', () => {
  it('that was cut by a stop of the sidecar is begun anew, whatever the ring holds', () => {
    const driver = new Driver()
    driver.hook.pageSize = 1
    driver.hook.writeSilently(leaseRow(ipv4(1), 1))
    driver.hook.writeSilently(leaseRow(ipv4(2), 2))
    driver.answer()
    driver.answer()
    driver.answer()
    driver.hook.write(leaseRow(ipv4(3), 3))
    driver.deliver() // a position in this epoch, with the ring whole from there
    driver.restart(driver.store.save(), false)
    driver.settle()
    assert.equal(stateOf(driver, 2), BindingState.active)
    assert.equal(driver.store.position.walkPending, false)
  })

  it('takes no page that says another epoch, though it answers the very question', () => {
    const driver = new Driver()
    driver.hook.writeSilently(leaseRow(ipv4(1), 1))
    driver.answer() // Hello
    while (driver.requests[0]?.body.kind !== 'page') driver.answer()
    driver.answer((reply) => ({ ...reply, epoch: 'e'.repeat(32) }))
    assert.equal(driver.store.get(ipv4(1)), undefined)
    assert.equal(driver.requests.at(-1)?.body.kind, 'hello', 'who is there now is asked')
    driver.settle()
    assert.equal(stateOf(driver, 1), BindingState.active)
  })

  it('takes the relay data of a row that was written again in the very second in which events were lost', () => {
    const driver = new Driver()
    driver.hook.extendedInfo = true
    driver.hook.write(withStored(1, 'r1'), { packet: packetOf('r1') })
    driver.settle()
    driver.hook.write(withStored(1, 'r2'), { packet: packetOf('r2') })
    driver.drop()
    driver.hook.start()
    driver.heartbeat()
    driver.settle()
    assert.equal(Buffer.from(driver.store.get(ipv4(1))!.relay).toString(), 'r2')
  })

  it('keeps the relay data it knows where the row may be of a time when Kea did not keep them', () => {
    const driver = new Driver()
    driver.hook.extendedInfo = true
    driver.settle()
    driver.hook.write(withStored(1, 'stale'), { packet: packetOf('r1') })
    driver.hook.write(leaseRow(ipv4(2), 2, { clientLastTransaction: 1_700_000_100 }))
    driver.settle()
    driver.hook.start()
    driver.heartbeat()
    driver.settle()
    assert.equal(Buffer.from(driver.store.get(ipv4(1))!.relay).toString(), 'r1')
  })

  it('leaves equal bindings untouched and changes the others now', () => {
    const driver = inStep(3)
    const before = driver.store.get(ipv4(1))
    driver.hook.writeSilently(leaseRow(ipv4(2), 2, { hostname: Buffer.from('new') }))
    driver.hook.removeSilently(ipv4(3))
    driver.logical += 100
    driver.follower.requestWalk('test', driver.now)
    driver.collect()
    driver.settle()
    assert.deepEqual(driver.store.get(ipv4(1)), before)
    assert.equal(driver.store.get(ipv4(2))?.changedAt, driver.logical)
    assert.equal(driver.store.get(ipv4(2))?.origin, Origin.unknown)
    assert.equal(driver.store.get(ipv4(3))?.state, BindingState.reset)
    assert.equal(driver.store.get(ipv4(3))?.changedAt, driver.logical)
  })

  it('makes no record of inactive rows and ends no binding twice', () => {
    const driver = inStep(1)
    driver.hook.writeSilently(leaseRow(ipv4(1), 1, { keaState: 3, validLifetime: 0 }))
    driver.hook.writeSilently(leaseRow(ipv4(2), 2, { keaState: 2 }))
    driver.follower.requestWalk('test', driver.now)
    driver.settle()
    assert.equal(stateOf(driver, 1), BindingState.released)
    assert.equal(driver.store.get(ipv4(2)), undefined)
    const shown = driver.store.shown.length
    driver.hook.removeSilently(ipv4(1))
    driver.follower.requestWalk('test', driver.now)
    driver.settle()
    assert.equal(driver.store.shown.length, shown)
  })

  it('ends nothing when a page fails, however often', () => {
    const driver = inStep(4)
    driver.hook.pageSize = 2
    driver.follower.requestWalk('test', driver.now)
    driver.collect()
    driver.answer()
    driver.hook.pageError = { code: FeedErrorCode.leaseDatabase, text: 'connection lost' }
    for (let i = 0; i < 5; i++) {
      driver.answer()
      driver.pass(40_000)
      driver.heartbeat()
    }
    assert.equal(driver.store.counts.get(BindingState.active), 4)
    assert.equal(driver.follower.status(driver.now).walkPending, true)
    assert.match(driver.follower.status(driver.now).problems[0]!.text, /connection lost/)
    driver.hook.pageError = undefined
    driver.pass(40_000)
    driver.heartbeat()
    driver.settle()
    assert.equal(driver.store.counts.get(BindingState.active), 4)
    assert.deepEqual(driver.follower.status(driver.now).problems, [])
  })

  it('ends nothing on an empty page that is not the last', () => {
    const driver = inStep(2)
    driver.follower.requestWalk('test', driver.now)
    driver.collect()
    driver.answer((reply) => ({ ...reply, body: { ...reply.body, leases: [], end: false } as never }))
    driver.tick()
    assert.equal(driver.store.counts.get(BindingState.active), 2)
    assert.equal(driver.follower.status(driver.now).walkPending, true)
  })

  it('ignores pages of another walk, another epoch, and repeated ones', () => {
    const driver = inStep(2)
    driver.follower.requestWalk('test', driver.now)
    driver.collect()
    const request = driver.requests[0]!
    const late = driver.hook.answer(request)
    driver.hook.removeSilently(ipv4(1))
    driver.hook.start()
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.heartbeat()
    driver.settle()
    assert.equal(stateOf(driver, 1), BindingState.reset)
    driver.reply(late) // its stamp is lower than what has been applied, and it still shows 192.0.2.1
    driver.settle()
    assert.equal(stateOf(driver, 1), BindingState.reset)
  })

  it('goes on from where it stood after a loss, and around to there again', () => {
    const driver = inStep(6)
    driver.hook.pageSize = 2
    driver.hook.ringSize = 0
    driver.follower.requestWalk('test', driver.now)
    driver.collect()
    driver.answer() // 1 and 2 are covered
    driver.hook.removeSilently(ipv4(1)) // the lost events would have told
    driver.hook.write(leaseRow(ipv4(5), 15))
    driver.drop()
    driver.heartbeat()
    const asked: string[] = []
    for (let i = 0; i < 50 && driver.follower.status(driver.now).walkPending; i++) {
      const request = driver.requests[0]
      if (request?.body.kind === 'page') asked.push(Buffer.from(request.body.after).toString('hex'))
      if (!driver.answer()) driver.tick()
    }
    assert.equal(stateOf(driver, 1), BindingState.reset)
    assert.deepEqual(driver.store.get(ipv4(5))?.hardwareAddress, leaseRow(ipv4(5), 15).hardwareAddress)
    const laps = asked.filter((after) => after === '')
    assert.equal(laps.length, 1, 'one passage over the first address after the loss')
    assert.ok(asked.includes('c0000202'), 'goes on where it stood')
  })

  it('asks anew for a page that was read before the lost events', () => {
    const driver = inStep(3)
    driver.hook.ringSize = 0
    driver.follower.requestWalk('test', driver.now)
    driver.collect()
    const request = driver.requests.shift()!
    const early = driver.hook.answer(request)
    driver.hook.write(leaseRow(ipv4(2), 12))
    driver.drop()
    driver.heartbeat() // asks for a replay, is told that the ring has moved on, asks Hello where to
    driver.answer()
    driver.answer()
    assert.equal(driver.noted('gap').length, 2)
    driver.reply(early)
    driver.settle()
    assert.deepEqual(driver.store.get(ipv4(2))?.hardwareAddress, leaseRow(ipv4(2), 12).hardwareAddress)
  })

  it('asks anew for a page that took so long that too many addresses had events meanwhile', () => {
    const driver = inStep(1)
    driver.follower.requestWalk('test', driver.now)
    driver.collect()
    const page = driver.hook.answer(driver.requests.shift()!)
    // 192.0.2.1 goes, and then more addresses have events than are kept apart.
    driver.hook.remove(ipv4(1))
    for (let i = 0; i < 65_536; i++) {
      driver.hook.event({
        kind: 'change',
        operation: Operation.delete,
        lease: leaseRow(Uint8Array.of(10, 0, i >> 8, i & 0xff), 1),
        origin: Origin.unknown,
        packet: undefined,
      })
    }
    driver.deliver()
    driver.reply(page)
    assert.equal(stateOf(driver, 1), BindingState.reset, 'the page still shows it')
    assert.equal(driver.requests.at(-1)?.body.kind, 'page')
    driver.settle()
    assert.equal(stateOf(driver, 1), BindingState.reset)
    assert.equal(driver.follower.status(driver.now).walkPending, false)
  })

  it('does not wait for events that were overwritten', () => {
    const driver = inStep(2)
    driver.hook.ringSize = 1
    driver.follower.requestWalk('test', driver.now)
    driver.collect()
    for (let i = 10; i < 60; i++) driver.hook.write(leaseRow(ipv4(i), i))
    driver.drop()
    driver.heartbeat()
    driver.settle()
    assert.equal(driver.store.counts.get(BindingState.active), 52)
    assert.equal(driver.follower.status(driver.now).state, 'following')
    assert.equal(driver.follower.details(driver.now).counters.gaps > 1, true)
  })

  it('that would end too many bindings waits for a second one to agree', () => {
    const driver = inStep(20, { massEndLeast: 5, massEndShare: 0.1 })
    for (let i = 1; i <= 15; i++) driver.hook.removeSilently(ipv4(i))
    driver.follower.requestWalk('test', driver.now)
    driver.settle()
    assert.equal(driver.store.counts.get(BindingState.active), 20)
    assert.match(driver.noted('problem').at(-1)!.reason, /15 of 20 active bindings/)
    assert.equal(driver.follower.status(driver.now).problems.length, 1)
    driver.pass(10_000)
    driver.heartbeat()
    driver.settle()
    assert.equal(driver.store.counts.get(BindingState.active), 20, 'the second walk has a pause before it')
    driver.pass(25_000)
    driver.heartbeat()
    driver.pass(1_000)
    driver.settle()
    assert.equal(driver.store.counts.get(BindingState.active), 5)
    assert.deepEqual(driver.follower.status(driver.now).problems, [])
  })

  it('that finds many more gone than the one before it has not agreed with that one', () => {
    const driver = inStep(40, { massEndLeast: 5, massEndShare: 0.1 })
    const remove = (first: number, last: number) => {
      for (let i = first; i <= last; i++) driver.hook.removeSilently(ipv4(i))
    }
    const walkOnceMore = () => {
      driver.follower.requestWalk('test', driver.now)
      driver.settle()
    }
    remove(1, 10)
    walkOnceMore()
    remove(11, 30)
    walkOnceMore()
    assert.equal(driver.store.counts.get(BindingState.active), 40, 'twenty were missed once only')
    assert.match(driver.noted('problem').at(-1)!.reason, /30 of 40 active bindings/)
    remove(31, 33)
    walkOnceMore()
    assert.equal(driver.store.counts.get(BindingState.active), 7, 'three more are no mass')
    assert.deepEqual(driver.follower.status(driver.now).problems, [])
  })

  it('that ended too many is not confirmed by a second one that finds them again', () => {
    const driver = inStep(20, { massEndLeast: 5, massEndShare: 0.1 })
    const gone = [...driver.hook.leases]
    driver.hook.leases.clear()
    driver.follower.requestWalk('test', driver.now)
    driver.settle()
    for (const [key, row] of gone) driver.hook.leases.set(key, row)
    const shown = driver.store.shown.length
    driver.pass(31_000)
    driver.heartbeat()
    driver.pass(1_000)
    driver.settle()
    assert.equal(driver.store.shown.length, shown)
    assert.equal(driver.follower.status(driver.now).walkPending, false)
  })

  it('happens each walkEveryMs and when the operator asks', () => {
    const driver = inStep(1, { walkEveryMs: 600_000 })
    driver.hook.writeSilently(leaseRow(ipv4(2), 2))
    for (let i = 0; i < 300 && driver.store.get(ipv4(2)) === undefined; i++) {
      driver.pass(3_000)
      driver.heartbeat()
      driver.settle()
    }
    assert.equal(stateOf(driver, 2), BindingState.active)
    assert.equal(driver.follower.details(driver.now).counters.walks, 2)
    driver.hook.writeSilently(leaseRow(ipv4(3), 3))
    driver.hook.resyncGeneration += 1
    driver.heartbeat()
    driver.settle()
    assert.equal(stateOf(driver, 3), BindingState.active)
    assert.equal(driver.outputs.filter(({ kind }) => kind === 'resync').length, 1)
  })

  it('of no need leaves Bulk alone, but a stop in it is one that cannot be replayed', () => {
    const driver = inStep(3)
    driver.hook.pageSize = 1
    // A periodic walk, begun by time alone.
    const periodic = inStep(3, { walkEveryMs: 10_000 })
    periodic.hook.pageSize = 1
    periodic.pass(9_000)
    periodic.heartbeat()
    periodic.pass(1_500)
    assert.equal(periodic.follower.status(periodic.now).walking, true)
    assert.equal(periodic.follower.status(periodic.now).walkPending, false)
    assert.equal(periodic.store.position.walkPending, true)
    const horizon = periodic.store.horizon!
    periodic.restart(periodic.store.save(), false)
    periodic.settle()
    assert.ok(periodic.store.horizon! > horizon)
  })
})
