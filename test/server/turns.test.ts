import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turns } from '../../sidecar/server/turns.ts'
import { waitFor } from '../support/wait.ts'

test('slices run in order, and those of Bulk queries between those of Active ones, one in nine', async () => {
  const turns = new Turns()
  const ran: string[] = []
  for (let i = 1; i <= 3; i++) turns.take(() => ran.push(`bulk ${i}`), 'bulk')
  for (let i = 1; i <= 20; i++) turns.take(() => ran.push(`active ${i}`))
  assert.equal(ran.length, 0, 'not at once')
  await waitFor('all slices', () => ran.length === 23)
  assert.equal(ran.indexOf('bulk 1'), 8)
  assert.equal(ran.indexOf('bulk 2'), 17)
  assert.equal(ran.at(-1), 'bulk 3')
  assert.deepEqual(
    ran.filter((one) => one.startsWith('active')),
    Array.from({ length: 20 }, (_, i) => `active ${i + 1}`),
  )
})

test('the event loop has its turn in between, however many slices wait', async () => {
  const turns = new Turns()
  let ran = 0
  const slice = () => {
    ran++
    for (const until = performance.now() + 1; performance.now() < until; );
  }
  for (let i = 0; i < 60; i++) turns.take(slice, i % 2 === 0 ? 'bulk' : 'active')
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
