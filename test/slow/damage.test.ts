// As test/store/damage.test.ts, over larger stores and many more times.
import { test } from 'node:test'
import { Damage } from '../store/damage.ts'

test('large files harmed at random are refused, opened right, or known to be of an earlier moment', async () => {
  await using damage = await Damage.prepare(900)
  await damage.check(Number(process.env['PROPERTY_RUNS'] ?? 600))
})
