import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openStore } from '../../sidecar/store/open.ts'
import { Damage } from './damage.ts'
import { bindingOf, FakeLevel } from './support.ts'

test('files harmed at random are refused, opened right, or known to be of an earlier moment', async () => {
  await using damage = await Damage.prepare(120)
  await damage.check(Number(process.env['PROPERTY_RUNS'] ?? 120))
  const { refused, whole, earlier } = damage.outcomes
  assert.ok(
    refused > 0 && whole > 0 && earlier > 0,
    `not every outcome was met: ${JSON.stringify(damage.outcomes)}`,
  )
})

test('a database that has lost its last life is no cleanly stopped one, and the operator hears of it', async () => {
  const options = { path: '/fake', family: 4, wall: () => 1_000, bootId: 'boot 1' } as const
  const first = new FakeLevel()
  const store = await openStore({ ...options, level: first })
  store.put(bindingOf(4, 1), 2_000)
  await store.close()
  const second = new FakeLevel(first.content)
  const again = await openStore({ ...options, level: second })
  assert.equal(again.openReport.wasClean, true)
  again.put(bindingOf(4, 2), 2_001)
  await again.close()
  // The database as the first life left it; what was written beside it by the second one is there.
  const rolledBack = new Map(first.content)
  rolledBack.set('note', second.content.get('note')!)
  const alarms: string[] = []
  const level = new FakeLevel(rolledBack)
  const third = await openStore({ ...options, level, alarm: ({ kind }) => alarms.push(kind) })
  assert.equal(third.openReport.wasClean, false)
  assert.ok(alarms.includes('older-than-stop'))
  await third.close()
})
