import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ClockStep, LogicalClock } from '../../sidecar/store/clock.ts'

/** A machine whose wall clock can be set; `persist` is the disk. */
class Machine {
  wall: number
  passed = 0
  disk = 0
  steps: ClockStep[] = []
  wanted = 0

  constructor(wall: number) {
    this.wall = wall
  }

  boot(): LogicalClock {
    const clock = new LogicalClock({
      wall: () => this.wall,
      monotonic: () => this.passed,
      persistedMark: this.disk,
      onStep: (step) => this.steps.push(step),
      onWanted: () => this.wanted++,
    })
    this.persist(clock)
    return clock
  }

  persist(clock: LogicalClock): void {
    this.disk = clock.wantedMark
    clock.markPersisted(this.disk)
  }

  pass(seconds: number): void {
    this.wall += seconds
    this.passed += seconds
  }
}

test('the clock is the wall clock, in whole seconds', () => {
  const machine = new Machine(5000.999)
  const clock = machine.boot()
  assert.equal(clock.now(), 5000)
  machine.pass(0.01)
  assert.equal(clock.now(), 5001)
})

test('a base-time told to a requestor is not undercut after the wall clock went back', () => {
  const machine = new Machine(5000)
  const clock = machine.boot()
  const told = clock.now()
  machine.wall = 3000
  assert.equal(clock.now(), told)
  machine.pass(10)
  assert.equal(clock.now(), told, 'it waits for the wall clock')
  assert.equal(clock.held, 1990)
  assert.deepEqual(machine.steps, [{ direction: 'backward', seconds: 2000 }])
})

test('a host that starts in 1970 goes on above what it told before', () => {
  const machine = new Machine(5000)
  const told = machine.boot().now()
  machine.wall = 12
  const clock = machine.boot()
  assert.ok(clock.now() > told)
  assert.equal(machine.steps[0]?.direction, 'backward')
})

test('no second is handed out before a mark at or above it is on disk', () => {
  const machine = new Machine(5000)
  const clock = machine.boot()
  machine.pass(100)
  const held = clock.now()
  assert.ok(held <= machine.disk, `${held} is above the mark ${machine.disk}`)
  assert.equal(machine.wanted, 1)
  machine.persist(clock)
  assert.equal(clock.now(), 5100)
})

test('the mark is renewed before it is reached, so that the clock does not stand still', () => {
  const machine = new Machine(5000)
  const clock = machine.boot()
  for (let i = 0; i < 100; i++) {
    machine.pass(0.5)
    assert.equal(clock.now(), Math.floor(machine.wall))
    if (clock.wantedMark > machine.disk) machine.persist(clock)
  }
})

test('a series of crashes does not run the clock away', () => {
  const machine = new Machine(5000)
  for (let crash = 0; crash < 10; crash++) {
    machine.pass(10)
    assert.ok(machine.boot().now() <= machine.wall + 1)
  }
  for (let crash = 0; crash < 10; crash++) machine.boot().now()
  assert.ok(machine.boot().now() < machine.wall + 11 * 7, 'seconds a crash')
})

test('while the disk fails the clock goes on', () => {
  const machine = new Machine(5000)
  const clock = machine.boot()
  clock.diskFails = true
  machine.pass(1000)
  assert.equal(clock.now(), 6000)
  clock.diskFails = false
  machine.pass(10)
  assert.equal(clock.now(), 6000, 'a mark is needed again')
})

test('a step forward is followed and reported, mere passing of time is not', () => {
  const machine = new Machine(5000)
  const clock = machine.boot()
  for (let i = 0; i < 1000; i++) {
    machine.pass(59)
    clock.now()
    machine.persist(clock)
  }
  machine.pass(86_400)
  clock.now()
  machine.persist(clock)
  assert.deepEqual(machine.steps, [])
  machine.wall += 3600
  clock.now()
  machine.persist(clock)
  assert.equal(clock.now(), Math.floor(machine.wall))
  assert.deepEqual(machine.steps, [{ direction: 'forward', seconds: 3600 }])
})

test('whatever the wall clock does and whenever the machine crashes, no later life hands out an earlier second', () => {
  const step = fc.oneof(
    fc.record({ pass: fc.double({ min: 0, max: 20, noNaN: true }) }),
    fc.record({ set: fc.integer({ min: 0, max: 20_000 }) }),
    fc.record({ persist: fc.boolean() }),
    fc.constant({ crash: true }),
    fc.constant({ read: true }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const machine = new Machine(10_000)
      let clock = machine.boot()
      let told = 0
      let lives = 0
      let toldInLife = -1
      for (const it of steps) {
        if ('pass' in it) machine.pass(it.pass)
        else if ('set' in it) machine.wall = it.set
        else if ('persist' in it) machine.persist(clock)
        else if ('crash' in it) {
          clock = machine.boot()
          lives++
          toldInLife = -1
        } else {
          const now = clock.now()
          assert.ok(now >= told, `${now} after ${told}`)
          if (toldInLife < 0 && lives > 0) assert.ok(now > told || told === 0)
          told = toldInLife = now
        }
      }
    }),
    { numRuns: 1000 },
  )
})
