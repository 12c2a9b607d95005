import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ActiveCursor } from '../../sidecar/session/active-query.ts'
import { START } from './driver.ts'
import { dhcp4 } from './families.ts'
import { IndexModel } from './index-model.ts'

/** An index with one change a second, beginning at START. */
function indexOf(count: number): IndexModel {
  const index = new IndexModel()
  for (let n = 1; n <= count; n++) index.put(dhcp4.binding(n, n), START + n - 1)
  return index
}

const told = (cursor: ActiveCursor, index: IndexModel, now: number, limit = 100): string[] =>
  [...cursor.advance(index.read(cursor.after, limit), now)].map((step) =>
    step.kind === 'caught-up'
      ? `caught-up@${step.baseTime - START}`
      : `${step.change.kind === 'binding' ? step.change.binding.changeNumber : 'gone'}@${step.baseTime - START}`,
  )

describe('the cursor of an active query', () => {
  it('gives each message the time of the change behind it, and the last one the present', () => {
    const cursor = new ActiveCursor(0, undefined, START)
    assert.deepEqual(told(cursor, indexOf(3), START + 50), ['1@1', '2@2', '3@50'])
  })

  it('gives the last message of a batch that is not the last its own time', () => {
    const cursor = new ActiveCursor(0, undefined, START)
    const index = indexOf(5)
    assert.deepEqual(told(cursor, index, START + 50, 2), ['1@1', '2@1'])
    assert.deepEqual(told(cursor, index, START + 50, 2), ['3@3', '4@3'])
    assert.deepEqual(told(cursor, index, START + 50, 2), ['5@50'])
  })

  it('says the present in the catch-up phase, and holds back from CatchUpComplete on', () => {
    const cursor = new ActiveCursor(0, 2, START + 50, START)
    assert.equal(cursor.catchingUp, true)
    assert.deepEqual(told(cursor, indexOf(4), START + 50), ['1@50', '2@50', 'caught-up@2', '3@3', '4@50'])
    assert.equal(cursor.catchingUp, false)
  })

  it('is caught up at once when there is nothing to catch up with', () => {
    const cursor = new ActiveCursor(3, 3, START + 9, START + 9)
    assert.deepEqual(told(cursor, indexOf(3), START + 9), ['caught-up@9'])
    assert.deepEqual(told(cursor, indexOf(3), START + 9), [])
  })

  it('is caught up also where what was newest has moved on since', () => {
    const index = indexOf(2)
    const cursor = new ActiveCursor(0, 2, START + 5, START)
    index.put(dhcp4.binding(2, 2), START + 5)
    assert.deepEqual(told(cursor, index, START + 5), ['1@5', 'caught-up@5', '3@5'])
  })

  it('vouches for the present only when the index was read to its end just now', () => {
    const cursor = new ActiveCursor(0, undefined, START)
    told(cursor, indexOf(1), START + 10)
    assert.equal(cursor.baseTime(START + 30), START + 10)
    assert.equal(cursor.baseTime(START + 30, true), START + 30)
    assert.equal(cursor.baseTime(START + 31), START + 30)
  })

  it('never goes back, whatever it is told', () => {
    const cursor = new ActiveCursor(0, undefined, START + 100)
    assert.deepEqual(told(cursor, indexOf(2), START + 100), ['1@100', '2@100'])
  })

  it('completes the catch-up phase exactly once, behind every change up to the newest and before every later one', () => {
    const sizes = fc.integer({ min: 0, max: 20 })
    fc.assert(
      fc.property(
        sizes,
        sizes,
        fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        (count, start, moves, limit) => {
          const index = indexOf(count)
          const until = index.newest
          const cursor = new ActiveCursor(Math.min(start, until), until, START + 100, START)
          const seen: string[] = []
          for (let round = 0; round < 80; round++) {
            // Between two reads a binding changes again, or a new one comes.
            if (round < moves.length) index.put(dhcp4.binding(moves[round]!, 1), START + 100 + round)
            seen.push(...told(cursor, index, START + 200, limit))
            if (round >= moves.length && index.read(cursor.after, 1).changes.length === 0) break
          }
          const at = seen.findIndex((one) => one.startsWith('caught-up'))
          assert.equal(seen.filter((one) => one.startsWith('caught-up')).length, 1)
          for (const [i, one] of seen.entries())
            if (i !== at)
              assert.equal(Number.parseInt(one, 10) <= until, i < at, `${one} in ${seen.join(' ')}`)
        },
      ),
    )
  })
})
