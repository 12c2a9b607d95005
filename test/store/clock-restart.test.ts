// L begun anew after the host's clock was far in the future: what stands in the store then, also where the machine stops
// before all of it is on disk.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openAt } from '../../sidecar/server/change-reader.ts'
import { openStore, type Store } from '../../sidecar/store/open.ts'
import { TimeLine } from '../../sidecar/store/time-line.ts'
import { addressOf, bindingOf, FakeLevel, octets } from './support.ts'

const RIGHT = 1_800_000_000
const WRONG = RIGHT + 10 * 365 * 86_400

class Machine {
  wall = RIGHT
  passed = 0
  level = new FakeLevel()
  readonly steps: string[] = []

  open(some: object = {}): Promise<Store> {
    return openStore({
      path: '/nowhere',
      family: 4,
      level: this.level,
      bootId: 'boot',
      wall: () => this.wall,
      monotonic: () => this.passed,
      batchRecords: 4,
      gatherMilliseconds: 0,
      alarm: (alarm) => {
        if (alarm.kind === 'clock-step') this.steps.push(alarm.step.direction)
      },
      ...some,
    })
  }

  pass(seconds: number): void {
    this.wall += seconds
    this.passed += seconds
  }

  /** A store with changes of the right time and of the wrong one, in which the clock has just been set right. */
  async strayed(): Promise<{ store: Store; told: number }> {
    const store = await this.open()
    for (let i = 0; i < 10; i++) store.put(bindingOf(4, i), store.clock.now())
    store.raiseHorizon(store.clock.now())
    await store.flush()
    this.pass(60)
    this.wall = WRONG
    store.clock.now()
    await store.flush()
    for (let i = 10; i < 30; i++) store.put(bindingOf(4, i), store.clock.now())
    // One that leaves its end behind, too.
    store.put(bindingOf(4, 3, { clientId: octets('another') }), store.clock.now())
    const told = store.clock.now()
    assert.equal(told, WRONG)
    await store.flush()
    this.pass(30)
    this.wall = RIGHT + 90
    store.clock.now()
    return { store, told }
  }
}

test('base-times go by the clock again, and neither old start times nor those of the future are answered', async () => {
  const machine = new Machine()
  const { store, told } = await machine.strayed()
  assert.deepEqual(machine.steps, ['forward', 'backward'])
  assert.ok(store.clock.now() >= told, 'until then no second is undercut')
  const newest = store.newestChange

  assert.ok(store.restartClock() > WRONG - RIGHT - 3600)
  const at = RIGHT + 90
  assert.equal(store.clock.now(), at)
  assert.equal(store.newestChange, newest)
  await store.flush()
  machine.pass(2)
  assert.equal(store.clock.now(), at + 2)
  const change = store.put(bindingOf(4, 40), store.clock.now())
  const complete = (since: number) =>
    openAt(store, since, store.clock.now()).complete && !store.disowns(since)
  assert.equal(complete(RIGHT), false)
  assert.equal(complete(told), false)
  assert.equal(complete(at), false)
  assert.equal(complete(at + 1), true)
  assert.deepEqual(
    store
      .changesAfter(openAt(store, at + 1, at + 2).after, 100)
      .changes.map((told) => told.kind === 'binding' && told.binding.changeNumber),
    [change],
  )

  // Ten years later the clock is there by itself.
  machine.wall = WRONG - 10
  machine.pass(1000)
  store.clock.now()
  await store.flush()
  assert.ok(store.clock.now() > told)
  assert.equal(complete(told), false, 'who comes with it has missed ten years')
  assert.equal(complete(WRONG - 20), true)
  assert.equal(complete(store.clock.now()), true)
  await store.close()
})

test('nothing is done where base-times are not far ahead of the clock', async () => {
  const machine = new Machine()
  const store = await machine.open()
  store.put(bindingOf(4, 1), store.clock.now())
  store.raiseHorizon(store.clock.now())
  await store.flush()
  machine.wall -= 50
  assert.equal(store.restartClock(), 0)
  assert.equal(store.clock.now(), RIGHT)
  assert.equal(store.horizon, RIGHT)
  await store.close()
})

test('the store is whole wherever the machine stops while the changed times are written', async () => {
  const machine = new Machine()
  const { store } = await machine.strayed()
  const stops: ReadonlyMap<string, Buffer>[] = []
  machine.level.delay = async () => {
    stops.push(machine.level.content)
  }
  store.restartClock()
  store.put(bindingOf(4, 50), store.clock.now())
  await store.flush()
  stops.push(machine.level.content)
  await store.close()
  assert.ok(stops.length > 5, `${stops.length} places to stop at`)

  let restarted = 0
  for (const content of stops) {
    const again = new Machine()
    again.wall = RIGHT + 100
    again.level = new FakeLevel(content)
    const found = await again.open()
    assert.equal(found.openReport.intact, true)
    const { changes } = found.changesAfter(0, 1000)
    const times = changes.map(
      (change) => (change.kind === 'binding' ? change.binding : change.departure).changedAt,
    )
    assert.deepEqual(
      times,
      [...times].sort((a, b) => a - b),
    )
    if (found.clock.now() < WRONG) {
      restarted++
      assert.ok(times.every((at) => at <= RIGHT + 100))
      assert.equal(found.disowns(WRONG), true)
      assert.equal(found.disowns(RIGHT + 200), false)
    } else {
      assert.ok(found.clock.now() >= WRONG, 'as if it had not been asked for')
    }
    await found.flush()
    await found.close()
    // What was of before is written anew by now.
    const third = await new Promise<Store>((resolve, reject) => again.open().then(resolve, reject))
    assert.deepEqual(
      third.changesAfter(0, 1000).changes.map((change) => change.kind),
      changes.map((change) => change.kind),
    )
    assert.equal(third.get(addressOf(4, 20))?.validLifetime, 3600)
    await third.close()
  }
  assert.ok(restarted >= stops.length - 2, `${restarted} of ${stops.length} stops found the clock begun anew`)
})

test('of an unknown jump, or one of too many, all of the future is disowned', () => {
  const unknown = new TimeLine()
  unknown.restart(100, 900, 1)
  assert.deepEqual(
    [100, 101, 900, 901].map((at) => unknown.disowns(at)),
    [false, true, true, false],
  )

  const many = new TimeLine()
  for (let second = 800; second < 850; second++) many.jumped(second)
  many.restart(100, 900, 1)
  assert.equal(many.disowns(101), true)

  const known = new TimeLine(new TimeLine().encode())
  known.jumped(50)
  known.jumped(800)
  known.jumped(850)
  known.restart(100, 900, 7)
  const kept = new TimeLine(known.encode())
  assert.deepEqual(
    [101, 799, 800, 900, 901].map((at) => kept.disowns(at)),
    [false, false, true, true, false],
  )
  assert.deepEqual([kept.timeOf(7, 880), kept.timeOf(7, 20), kept.timeOf(8, 880)], [100, 20, 880])
})

test('a clock that is begun anew for ever keeps to its bounds', () => {
  const line = new TimeLine()
  for (let i = 1; i <= 1000; i++) {
    line.jumped(10_000 + i)
    line.restart(i, 10_000 + i, i)
  }
  assert.ok(line.encode().length < 2000)
  for (let i = 1; i <= 1000; i++) assert.equal(line.disowns(10_000 + i), true)
})
