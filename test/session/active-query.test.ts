import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ActiveCursor } from '../../sidecar/session/active-query.ts'
import { START } from './driver.ts'

/** Of an index with one change a second, beginning at START: moves over a slice; number and base-time of each change. */
function told(cursor: ActiveCursor, count: number, now: number, limit = 100): string[] {
  const end = Math.min(count, cursor.after + limit)
  const steps: string[] = []
  for (let n = cursor.after + 1; n <= end; n++)
    steps.push(`${n}@${cursor.step(n < count ? START + n : undefined, now) - START}`)
  cursor.moveTo(end, count, now)
  return steps
}

describe('the cursor of an active query', () => {
  it('gives each message the time of the change behind it, and the last one the present', () => {
    const cursor = new ActiveCursor(0, undefined, START)
    assert.deepEqual(told(cursor, 3, START + 50), ['1@1', '2@2', '3@50'])
  })

  it('gives the last message of a slice the time of the change behind it, too', () => {
    const cursor = new ActiveCursor(0, undefined, START)
    const index = 5
    assert.deepEqual(told(cursor, index, START + 50, 2), ['1@1', '2@2'])
    assert.deepEqual(told(cursor, index, START + 50, 2), ['3@3', '4@4'])
    assert.deepEqual(told(cursor, index, START + 50, 2), ['5@50'])
  })

  it('says the present in the catch-up phase, and from CatchUpComplete on no more than the query came at', () => {
    const cursor = new ActiveCursor(0, 4, START + 50)
    assert.equal(cursor.baseTime(START + 60), START + 60)
    assert.equal(cursor.moveTo(2, 5, START + 70), undefined)
    assert.equal(cursor.until, 4)
    assert.equal(cursor.baseTime(START + 70), START + 70)
    assert.equal(cursor.moveTo(4, 5, START + 80), START + 50)
    assert.equal(cursor.until, undefined)
    assert.equal(cursor.lag(START + 80), 30)
    assert.equal(cursor.after, 4)
  })

  it('is caught up with the present where there is nothing behind the catch-up phase', () => {
    const cursor = new ActiveCursor(0, 4, START + 50)
    assert.equal(cursor.moveTo(4, 4, START + 80), START + 80)
    assert.equal(cursor.lag(START + 80), 0)
  })

  it('is caught up at once when there is nothing to catch up with', () => {
    const cursor = new ActiveCursor(3, 3, START + 9)
    assert.equal(cursor.moveTo(3, 3, START + 9), START + 9)
    assert.deepEqual(told(cursor, 3, START + 9), [])
  })

  it('vouches for the present only when the index was read to its end just now', () => {
    const cursor = new ActiveCursor(0, undefined, START)
    told(cursor, 1, START + 10)
    assert.equal(cursor.baseTime(START + 30), START + 10)
    assert.equal(cursor.baseTime(START + 30, true), START + 30)
    assert.equal(cursor.baseTime(START + 31), START + 30)
  })

  it('never goes back, whatever it is told', () => {
    const cursor = new ActiveCursor(0, undefined, START + 100)
    assert.deepEqual(told(cursor, 2, START + 100), ['1@100', '2@100'])
  })
})
