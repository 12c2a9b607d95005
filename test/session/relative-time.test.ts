import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { secondsLeft, secondsSince } from '../../sidecar/session/relative-time.ts'

const at = (now: number, keaNow: number) => ({ mono: 0, now, keaNow })

describe('times relative to base-time (RFC 6926 section 6.2.3, RFC 7653 section 6.3.1)', () => {
  it('tells what is left and what has passed when all clocks agree', () => {
    assert.equal(secondsLeft(5000, 1000, at(1000, 1000)), 4000)
    assert.equal(secondsSince(900, 1000, at(1000, 1000)), 100)
  })

  it('adds the distance from a held-back base-time to the present', () => {
    // Base-time is 30 s old: base-time + left is still the expiry, base-time - age still the moment.
    assert.equal(secondsLeft(5000, 970, at(1000, 1000)), 4030)
    assert.equal(secondsSince(900, 970, at(1000, 1000)), 70)
  })

  it('does not shorten a lease by the distance between two clocks', () => {
    // L runs an hour ahead of Kea, after a clock step that was taken back: a lease of 1800 s has 1800 s left.
    assert.equal(secondsLeft(1000 + 1800, 4600, at(4600, 1000)), 1800)
    assert.equal(secondsSince(1000 - 47, 4600, at(4600, 1000)), 47)
  })

  it('tells the expiry itself while L passes by seconds, after a start or a stall', () => {
    for (const now of [1000 - 8, 1000 + 6]) {
      assert.equal(secondsLeft(5000, now, at(now, 1000)), 5000 - now)
      assert.equal(secondsSince(900, now, at(now, 1000)), now - 900)
    }
    // A lease in its last seconds is not told as ended by an L that is ahead.
    assert.equal(secondsLeft(1003, 1006, at(1006, 1000)), 1)
  })

  it('keeps an infinite lease infinite, and a finite one finite', () => {
    assert.equal(secondsLeft(Number.POSITIVE_INFINITY, 0, at(1000, 1000)), 0xffffffff)
    assert.equal(secondsLeft(2 ** 40, 0, at(1000, 1000)), 0xfffffffe)
  })

  it('never tells less than nothing', () => {
    assert.equal(secondsLeft(999, 1000, at(1000, 1000)), 0)
    assert.equal(secondsSince(1020, 1000, at(1000, 1000)), 0) // a partner's clock is 20 s ahead
  })

  it('fits its field for any clocks', () => {
    const time = fc.integer({ min: 0, max: 2 ** 40 })
    fc.assert(
      fc.property(time, time, time, time, (then, base, now, keaNow) => {
        for (const value of [
          secondsLeft(then, base, at(now, keaNow)),
          secondsSince(then, base, at(now, keaNow)),
        ])
          assert.ok(Number.isInteger(value) && value >= 0 && value <= 0xfffffffe)
      }),
    )
  })
})
