import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turns } from '../../sidecar/server/turns.ts'
import { waitFor } from '../support/wait.ts'

test('slices run in order, and those of downloads between those at the tail, one in nine', async () => {
  const turns = new Turns()
  const ran: string[] = []
  for (let i = 1; i <= 3; i++) turns.take(() => ran.push(`long ${i}`), 'long')
  for (let i = 1; i <= 20; i++) turns.take(() => ran.push(`tail ${i}`), 'tail')
  assert.equal(ran.length, 0, 'not at once')
  await waitFor('all slices', () => ran.length === 23)
  assert.equal(ran.indexOf('long 1'), 8)
  assert.equal(ran.indexOf('long 2'), 17)
  assert.equal(ran.at(-1), 'long 3')
  assert.deepEqual(
    ran.filter((one) => one.startsWith('tail')),
    Array.from({ length: 20 }, (_, i) => `tail ${i + 1}`),
  )
})

test('the event loop has its turn in between, however many slices wait', async () => {
  const turns = new Turns()
  let ran = 0
  const slice = () => {
    ran++
    for (const until = performance.now() + 1; performance.now() < until; );
  }
  for (let i = 0; i < 60; i++) turns.take(slice, i % 2 === 0 ? 'long' : 'tail')
  let others = 0
  const other = () => {
    others++
    if (ran < 60) setImmediate(other)
  }
  setImmediate(other)
  await waitFor('all slices', () => ran === 60)
  assert.ok(others >= 10, `${others} turns of others`)
  assert.equal(turns.waiting, 0)
})
