import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdtemp, open as openFile, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openStore, type Store } from '../../sidecar/store/open.ts'
import { Damage } from './damage.ts'
import { addressOf, bindingOf, FakeLevel, octets } from './support.ts'

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

test('a flipped octet at the end of a round of batches leaves the position before the round, and an unclean stop', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'leasequery-flipped-'))
  const path = join(folder, 'store')
  const options = { family: 4, wall: () => 5_000, bootId: 'boot 1', batchRecords: 2 } as const
  const store = await openStore({ ...options, path })
  const put = (to: Store, name: string): void => {
    for (let i = 0; i < 5; i++) to.put(bindingOf(4, i, { hostname: octets(name) }), to.clock.now())
  }
  const names = (of: Store): string[] =>
    Array.from({ length: 5 }, (_, i) => Buffer.from(of.get(addressOf(4, i))!.hostname).toString())
  put(store, 'old')
  store.position = { epoch: 'e', seq: 1, walkPending: false }
  store.raiseHorizon(store.clock.now())
  await store.flush()
  put(store, 'new')
  store.position = { epoch: 'e', seq: 2, walkPending: false }
  await store.flush()
  const killed = join(folder, 'killed')
  await cp(path, killed, { recursive: true })
  await store.close()
  await flipEnd(killed)
  await flipEnd(path)

  for (const bootId of ['boot 1', 'boot 2']) {
    const harmed = join(folder, bootId)
    await cp(killed, harmed, { recursive: true })
    const again = await openStore({ ...options, path: harmed, bootId })
    const { wasClean, intact } = again.openReport
    // The third batch is gone, which would have moved the position; the two before it stand.
    assert.deepEqual({ wasClean, intact, seq: again.position.seq }, { wasClean: false, intact: true, seq: 1 })
    assert.deepEqual(names(again), ['new', 'new', 'new', 'new', 'old'])
    // What comes after the position is told again.
    put(again, 'new')
    assert.deepEqual(names(again), ['new', 'new', 'new', 'new', 'new'])
    await again.close()
  }

  // Of a clean stop the octet is in its note, which lies outside the database too.
  const alarms: string[] = []
  const stopped = await openStore({ ...options, path, alarm: ({ kind }) => alarms.push(kind) })
  assert.equal(stopped.openReport.wasClean, false)
  assert.deepEqual(alarms, ['older-than-stop'])
  assert.deepEqual(names(stopped), ['new', 'new', 'new', 'new', 'new'])
  await stopped.close()
  await rm(folder, { recursive: true })
})

/** Flips a bit of the last octet of the newest log. */
async function flipEnd(path: string): Promise<void> {
  const log = (await readdir(path))
    .filter((name) => name.endsWith('.log'))
    .sort()
    .at(-1)!
  const { size } = await stat(join(path, log))
  const file = await openFile(join(path, log), 'r+')
  const octet = Buffer.alloc(1)
  await file.read(octet, 0, 1, size - 1)
  octet[0] = octet[0]! ^ 1
  await file.write(octet, 0, 1, size - 1)
  await file.close()
}

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
