import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeaClock } from '../../sidecar/feed/kea-clock.ts'

const T0 = 1_763_758_800_000

test('messages that waited while this process was stopped do not set the clock back', () => {
  const clock = new KeaClock()
  clock.hear(T0, 1000)
  // Stopped for ten minutes; then what has queued up comes at once, second after second of it.
  for (let second = 1; second <= 600; second++) {
    assert.equal(clock.hear(T0 + second * 1000, 601_000 + second), 0)
    assert.equal(clock.now(601_000 + second), T0 / 1000 + 600)
  }
})

test('a queue that takes long to empty does not set the clock back either', () => {
  const clock = new KeaClock()
  clock.hear(T0, 0)
  for (let second = 1; second <= 100; second++) {
    // Kea's second comes each 200 ms, from 100 s back.
    assert.equal(clock.hear(T0 + second * 1000, 100_000 + second * 200), 0)
  }
  assert.equal(clock.now(120_000), T0 / 1000 + 120)
})

test('a clock that goes back is believed when it stays there', () => {
  const clock = new KeaClock()
  clock.hear(T0, 0)
  const hour = 3_600_000
  const told = [1, 2, 3, 4, 5].map((second) => clock.hear(T0 - hour + second * 1000, second * 1000))
  assert.deepEqual(
    told.filter((back) => back !== 0),
    [hour],
  )
  assert.equal(clock.now(5000), (T0 - hour) / 1000 + 5)
})

test('a clock that goes forward is believed at once', () => {
  const clock = new KeaClock()
  clock.hear(T0, 0)
  clock.hear(T0 + 3_600_000, 10)
  assert.equal(clock.now(10), T0 / 1000 + 3600)
})

test('a clock that drifts against this one is followed both ways', () => {
  for (const drift of [-1, 1]) {
    const clock = new KeaClock()
    for (let second = 0; second <= 10_000; second++) clock.hear(T0 + second * (1000 + drift), second * 1000)
    const expected = T0 + 10_000 * (1000 + drift)
    assert.ok(Math.abs(clock.now(10_000_000)! * 1000 - expected) < 2000)
  }
})

test("Kea's second turns with this host's where both have one clock", () => {
  const clock = new KeaClock()
  // Each message is 3 ms on its way.
  clock.hear(T0 + 500, 503)
  for (const ms of [997, 998, 999, 1000, 1001, 1002, 1003]) {
    assert.equal(clock.now(ms, T0 + ms), Math.floor((T0 + ms) / 1000))
  }
  assert.equal(clock.now(1000, T0 + 61_000), T0 / 1000, 'but a host a minute ahead is another clock')
})

test('a first message that was long on its way does not lengthen leases where Kea is on this host', () => {
  const clock = new KeaClock(true)
  clock.hear(T0, 4000)
  assert.equal(clock.now(4000, T0 + 4000), T0 / 1000 + 4)
})
