// What the follower counts, for metrics, beside what really happened.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Origin } from '../../sidecar/binding.ts'
import { changeKinds } from '../../sidecar/feed/change-kind.ts'
import { KeaState } from '../../sidecar/feed/events.ts'
import { Driver } from './driver.ts'
import { ipv4, leaseRow } from './model-hook.ts'

const inStep = (): Driver => {
  const driver = new Driver()
  driver.settle()
  return driver
}
const counted = (driver: Driver) => driver.follower.details(driver.now)

/** The kinds that were counted at all. */
function kinds(driver: Driver): Record<string, number> {
  const { byKind } = counted(driver).counters
  return Object.fromEntries(
    changeKinds.map((kind) => [kind, byKind[kind]]).filter(([, count]) => count !== 0),
  )
}

describe('changes are counted by what became of the binding', () => {
  it('of a client that comes, renews and leaves, and of the next one', () => {
    const driver = inStep()
    const later = (seconds: number) => ({ clientLastTransaction: 1_700_000_000 + seconds })
    driver.hook.write(leaseRow(ipv4(1), 1))
    driver.hook.write(leaseRow(ipv4(1), 1, later(1)))
    driver.hook.write(leaseRow(ipv4(1), 1, later(2)))
    driver.hook.remove(ipv4(1), Origin.client)
    driver.hook.write(leaseRow(ipv4(1), 2, later(3)))
    driver.settle()
    assert.deepEqual(kinds(driver), { granted: 2, renewed: 2, released: 1 })
    assert.equal(counted(driver).counters.changes, 5)
  })

  it('of ends of each kind', () => {
    const driver = inStep()
    for (let i = 1; i <= 4; i++) driver.hook.write(leaseRow(ipv4(i), i))
    driver.hook.remove(ipv4(1), Origin.reclamation)
    driver.hook.remove(ipv4(2), Origin.operator)
    driver.hook.write(leaseRow(ipv4(3), 0, { keaState: KeaState.declined }))
    driver.hook.remove(ipv4(3), Origin.reclamation)
    driver.hook.write(leaseRow(ipv4(4), 4, { keaState: KeaState.released }))
    driver.settle()
    assert.deepEqual(kinds(driver), {
      granted: 4,
      released: 1,
      expired: 1,
      declined: 1,
      deleted: 1,
      freed: 1,
    })
  })

  it('of what a walk finds, which is counted of the walk besides', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(1), 1))
    driver.settle()
    driver.hook.writeSilently(leaseRow(ipv4(2), 2))
    driver.hook.writeSilently(leaseRow(ipv4(3), 3))
    driver.hook.removeSilently(ipv4(1))
    driver.follower.requestWalk('a test', driver.now)
    driver.collect()
    driver.pass(3_000)
    driver.settle()
    assert.deepEqual(kinds(driver), { granted: 3, deleted: 1 })
    const { walks, walkChanged, walkEnded, walkSeconds } = counted(driver).counters
    assert.deepEqual({ walks, walkChanged, walkEnded }, { walks: 2, walkChanged: 2, walkEnded: 1 })
    assert.equal(walkSeconds, 3)
  })
})

describe('a walk that does not end', () => {
  it('has told what it found so far all the same', () => {
    const driver = inStep()
    driver.hook.pageSize = 2
    for (let i = 1; i <= 5; i++) driver.hook.writeSilently(leaseRow(ipv4(i), i))
    driver.follower.requestWalk('a test', driver.now)
    driver.collect()
    driver.answer()
    assert.equal(counted(driver).counters.walkChanged, 2)
    driver.follower.requestWalk('another one, in its stead', driver.now)
    driver.collect()
    driver.settle()
    const { changes, walks, walkChanged } = counted(driver).counters
    assert.deepEqual({ changes, walks, walkChanged }, { changes: 5, walks: 2, walkChanged: 5 })
  })
})

describe('losses', () => {
  it('are counted by event where the ring no longer has them, and not where a replay brings them', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(1), 1))
    driver.settle()
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.drop()
    driver.heartbeat()
    driver.settle()
    assert.deepEqual([counted(driver).counters.replayed, counted(driver).counters.lost], [1, 0])
    driver.hook.ringSize = 2
    for (let i = 3; i <= 9; i++) driver.hook.write(leaseRow(ipv4(i), i))
    driver.drop()
    driver.heartbeat()
    driver.settle()
    const { gaps, lost } = counted(driver).counters
    // 3 to 9 were published to nobody; what the ring still had of them counts as lost too, since a walk comes anyway.
    assert.deepEqual({ gaps, lost }, { gaps: 2, lost: 7 }) // The first gap is that of the first start.
  })
})

describe('the delay from Kea to the store', () => {
  const delays = (driver: Driver) => counted(driver).applyDelay
  const below = (driver: Driver, bound: number) => {
    const { bounds, counts } = delays(driver)
    return counts.slice(0, bounds.indexOf(bound) + 1).reduce((sum, count) => sum + count, 0)
  }

  it('is that of each live event, counted from the fastest message', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(1), 1))
    driver.deliver()
    assert.equal(below(driver, 0.001), 1)
    driver.hook.write(leaseRow(ipv4(2), 2))
    driver.hook.write(leaseRow(ipv4(3), 3))
    const late = driver.hook.publish()!
    driver.pass(700)
    driver.follower.message(late, driver.now)
    assert.equal(below(driver, 0.5), 1)
    assert.equal(below(driver, 1), 3)
    assert.equal(Math.round(10 * delays(driver).sum), 14)
  })

  it('leaves out what is replayed: nobody knows when that was published first', () => {
    const driver = inStep()
    driver.hook.write(leaseRow(ipv4(1), 1))
    driver.drop()
    driver.pass(900)
    driver.heartbeat()
    driver.settle()
    assert.equal(counted(driver).counters.replayed, 1)
    assert.equal(
      delays(driver).counts.reduce((sum, count) => sum + count, 0),
      0,
    )
  })
})

it("the state of the hook's ring is that of its newest heartbeat", () => {
  const driver = inStep()
  for (let i = 1; i <= 5; i++) driver.hook.write(leaseRow(ipv4(i), i))
  driver.settle()
  const ring = { events: 65_536, overwritten: 3, lost: 2, cut: 1 }
  driver.follower.message({ ...driver.hook.heartbeat(), ring }, driver.now)
  assert.deepEqual(counted(driver).ring, { ...ring, kept: 5 })
})
