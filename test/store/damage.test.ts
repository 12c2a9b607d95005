import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, open as openFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
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

test('a store that LevelDB dies of is refused in one sentence by the next start, and rebuilt when asked', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'leasequery-deadly-'))
  const path = join(folder, 'store')
  const options = { path, family: 4, wall: () => 5_000 } as const
  const store = await openStore(options)
  // What cannot be compressed lies in a table as it is.
  for (let i = 0; i < 500; i++) store.put(bindingOf(4, i, { options: randomBytes(300) }), store.clock.now())
  await store.close()
  await (await openStore(options)).close()
  const table = (await readdir(path)).find((name) => name.endsWith('.ldb'))!
  const file = await openFile(join(path, table), 'r+')
  // The first key of the table: octets shared with the one before, octets of its own. LevelDB's are never below 8.
  await file.write(Uint8Array.of(3), 0, 1, 1)
  await file.close()
  const writer = fork(fileURLToPath(new URL('./writer.js', import.meta.url)), [path], { stdio: 'ignore' })
  const [, signal] = await once(writer, 'exit')
  assert.equal(signal, 'SIGABRT')
  await assert.rejects(openStore(options), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'ALQ_STORE_DAMAGED')
    assert.match(error.message, /reading it ends the process \(SIGABRT\)/)
    return true
  })
  const rebuilt = await openStore({ ...options, rebuild: true })
  assert.equal(rebuilt.openReport.wasNew, true)
  await rebuilt.close()
  const again = await openStore(options)
  assert.equal(again.openReport.wasClean, true)
  await again.close()
  await rm(folder, { recursive: true })
})
