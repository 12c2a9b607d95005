// The store on the real LevelDB: what an operator can do to it, and what a killed process leaves.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, open as openFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { SidecarError } from '../../sidecar/errors.ts'
import { classicLevel } from '../../sidecar/store/level.ts'
import { openStore, type Store } from '../../sidecar/store/open.ts'
import { encodeState, STATE_KEY } from '../../sidecar/store/record.ts'
import { addressOf, bindingOf, octets } from './support.ts'

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'leasequery-store-'))
})
after(() => rm(directory, { recursive: true }))

const wall = (): number => 5000
const open = (name: string, some = {}): Promise<Store> =>
  openStore({ path: join(directory, name), family: 4, wall, ...some })

async function filled(name: string, count: number): Promise<string> {
  const store = await open(name)
  for (let i = 0; i < count; i++) {
    store.put(bindingOf(4, i, { options: octets(`options of ${i}`) }), store.clock.now())
    if (i % 3 === 0) store.put(bindingOf(4, i, { clientId: octets('second') }), store.clock.now())
  }
  store.position = { epoch: 'e', seq: count, walkPending: false }
  await store.close()
  return join(directory, name)
}

test('4388-6.7-01 4388-6.7-02: what was put is there after a restart, with position, horizon, blobs and departures', async () => {
  const store = await open('plain')
  assert.equal(store.openReport.wasNew, true)
  assert.deepEqual(store.position, { epoch: '', seq: 0, walkPending: true })
  for (let i = 0; i < 3000; i++) store.put(bindingOf(4, i), store.clock.now())
  store.put(bindingOf(4, 7, { clientId: octets('another') }), store.clock.now())
  store.raiseHorizon(store.clock.now())
  store.position = { epoch: 'aa', seq: 3001, walkPending: false, judgedAt: 1_763_758_800 }
  store.meta.set('config', octets('{"requesters":[]}'))
  store.meta.set('gone', octets('x'))
  store.meta.set('gone', undefined)
  const all = store.changesAfter(0, 10_000).changes
  await store.close()
  const again = await open('plain')
  const { wasNew, wasClean, sameBoot, intact, bindings, departures } = again.openReport
  assert.deepEqual(
    { wasNew, wasClean, sameBoot, intact, bindings, departures },
    { wasNew: false, wasClean: true, sameBoot: true, intact: true, bindings: 3000, departures: 1 },
  )
  assert.deepEqual(again.changesAfter(0, 10_000).changes, all)
  assert.deepEqual(again.position, { epoch: 'aa', seq: 3001, walkPending: false, judgedAt: 1_763_758_800 })
  assert.equal(again.horizon, 5000)
  assert.equal(again.meta.get('config')?.toString(), '{"requesters":[]}')
  assert.equal(again.meta.get('gone'), undefined)
  assert.ok(again.clock.now() > 5000)
  await again.close()
})

test('a store that has lost its newest log does not pass for cleanly stopped, though what is left says so', async () => {
  const path = await filled('lost-log', 100)
  // The next run makes a table of the old log, and writes a new one.
  const next = await open('lost-log')
  assert.equal(next.openReport.wasClean, true)
  next.put(bindingOf(4, 1000), next.clock.now())
  await next.flush()
  const copy = join(directory, 'lost-log-copy')
  await cp(path, copy, { recursive: true })
  await next.close()
  const logs = (await readdir(copy)).filter((name) => name.endsWith('.log'))
  for (const name of logs) await rm(join(copy, name))
  const found = await open('lost-log-copy')
  assert.equal(found.get(addressOf(4, 1000)), undefined, 'what the log held is gone')
  assert.ok(found.get(addressOf(4, 7)))
  assert.equal(found.openReport.wasClean, false)
  await found.close()
  const again = await open('lost-log-copy')
  assert.equal(again.openReport.wasClean, true)
  await again.close()
})

test('a second process is refused in one sentence', async () => {
  const store = await open('locked')
  await assert.rejects(open('locked'), (error: SidecarError) => {
    assert.equal(error.code, 'ALQ_STORE_LOCKED')
    assert.match(error.message, /^store .*locked is in use by another process/)
    return true
  })
  await assert.rejects(open('locked', { rebuild: true }), { code: 'ALQ_STORE_LOCKED' })
  await store.close()
})

test('a store of the other family is refused', async () => {
  await (await open('family')).close()
  await assert.rejects(open('family', { family: 6 }), {
    code: 'ALQ_STORE_FAMILY',
    message: /holds DHCPv4 bindings, but is opened for DHCPv6/,
  })
})

test('a store of a newer version is refused, and taken when it is to be rebuilt', async () => {
  const path = await filled('newer', 3)
  const level = classicLevel(path)
  await level.open()
  const value = Buffer.from((await level.read(STATE_KEY))!)
  value[0] = 2
  await level.write([{ type: 'put', key: STATE_KEY, value }], true)
  await level.close()
  await assert.rejects(open('newer'), { code: 'ALQ_STORE_VERSION', message: /format 2, written by a newer/ })
  const store = await open('newer', { rebuild: true })
  assert.equal(store.openReport.wasNew, true)
  assert.equal(store.newestChange, 0)
  await store.close()
})

test('a store begun anew in the place of another is younger than any base-time of that one (RFC 7724 section 8.2)', async () => {
  const store = await open('rebuilt')
  const told = store.clock.now()
  await store.close()
  // The wall clock stands where it stood: all of this happened within a second.
  const rebuilt = await open('rebuilt', { rebuild: true })
  rebuilt.raiseHorizon(rebuilt.clock.now())
  assert.ok(rebuilt.horizon! > told, `history begins at ${rebuilt.horizon}, ${told} was told`)
  await rebuilt.close()
})

test('a foreign database is not taken for an empty store', async () => {
  const level = classicLevel(join(directory, 'foreign'))
  await level.open()
  await level.write([{ type: 'put', key: Buffer.from('some'), value: Buffer.from('thing') }], true)
  await level.close()
  await assert.rejects(open('foreign'), { code: 'ALQ_STORE_DAMAGED', message: /the state is missing/ })
})

test('a state that does not fit its records is refused', async () => {
  const path = await filled('state', 3)
  const level = classicLevel(path)
  await level.open()
  const value = (await level.read(STATE_KEY))!
  const state = JSON.parse(value.subarray(5).toString())
  await level.write([{ type: 'put', key: STATE_KEY, value: encodeState({ ...state, records: 9 }) }], true)
  await level.close()
  await assert.rejects(open('state'), { code: 'ALQ_STORE_DAMAGED', message: /missing or old/ })
})

test('a store so large that a thread reads it comes back whole, or is refused', async () => {
  const path = await filled('large', 40_000)
  const listed = (store: Store): string[] =>
    store.changesAfter(0, 100_000, 1_000_000).changes.map((change) => {
      const { address, changeNumber } = change.kind === 'binding' ? change.binding : change.departure
      return `${change.kind} ${address.join('.')} ${changeNumber}`
    })
  const store = await open('large')
  const { bindings, departures } = store.openReport
  assert.deepEqual({ bindings, departures }, { bindings: 40_000, departures: 13_334 })
  const all = listed(store)
  assert.equal(all.length, 53_334)
  store.put(bindingOf(4, 1), store.clock.now())
  await store.close()
  const again = await open('large')
  assert.deepEqual(
    listed(again).slice(0, -1),
    all.filter((one) => !one.startsWith('binding 192.0.0.1 ')),
  )
  await again.close()

  const tables = (await readdir(path)).filter((name) => name.endsWith('.ldb'))
  const table = join(path, tables[0]!)
  const { size } = await stat(table)
  const file = await openFile(table, 'r+')
  await file.write(Buffer.alloc(20_000), 0, 20_000, Math.floor(size / 2))
  await file.close()
  await assert.rejects(open('large'), { code: 'ALQ_STORE_DAMAGED' })
})

test('a path that cannot be a directory, or be written, is named', async () => {
  await writeFile(join(directory, 'file'), 'no directory')
  await assert.rejects(open('file'), { code: 'ALQ_STORE_OPEN', message: /file cannot be/ })
  await assert.rejects(open('file/below'), { code: 'ALQ_STORE_OPEN' })
})

test('damaged files are refused or their damage is found, never served', async () => {
  const path = await filled('pristine', 2000)
  // Into table files, so that both kinds of file are there.
  await (await open('pristine')).close()
  const content = async (store: Store): Promise<unknown> =>
    store.changesAfter(0, 100_000, 1_000_000).changes.map(({ kind, ...rest }) => ({ kind, ...rest }))
  const whole = await open('pristine')
  const expected = await content(whole)
  await whole.close()
  let refused = 0
  let served = 0
  const files = (await readdir(path)).filter((name) => name !== 'LOCK' && !name.startsWith('LOG'))
  for (const name of files) {
    const { size } = await stat(join(path, name))
    if (size === 0) continue
    for (const harm of ['flip', 'zero', 'cut'] as const) {
      for (const share of [0.1, 0.5, 0.9]) {
        const copy = join(directory, 'copy')
        await rm(copy, { recursive: true, force: true })
        await cp(path, copy, { recursive: true })
        const at = Math.floor(size * share)
        if (harm === 'cut') await truncate(join(copy, name), at)
        else {
          const file = await openFile(join(copy, name), 'r+')
          const piece = Buffer.alloc(harm === 'flip' ? 1 : Math.min(512, size - at))
          const { bytesRead } = await file.read(piece, 0, piece.length, at)
          if (harm === 'flip') piece[0] = piece[0]! ^ 0x10
          else piece.fill(0)
          await file.write(piece, 0, bytesRead, at)
          await file.close()
        }
        try {
          const store = await openStore({ path: copy, family: 4, wall })
          assert.deepEqual(await content(store), expected, `${name} ${harm} at ${at} of ${size}`)
          served++
          await store.close()
        } catch (error) {
          assert.match(String((error as SidecarError).code), /^ALQ_STORE_(DAMAGED|OPEN)$/, String(error))
          refused++
        }
        const rebuilt = await openStore({ path: copy, family: 4, wall, rebuild: true })
        assert.equal(rebuilt.newestChange, 0)
        await rebuilt.close()
      }
    }
  }
  // Some octets of a file are of no consequence; most are.
  assert.ok(refused > served, `${refused} refused, ${served} served`)
})

test('a process killed at any moment leaves an earlier moment: what it had flushed, and nothing half', async () => {
  const path = join(directory, 'killed')
  const writer = fileURLToPath(new URL('./writer.js', import.meta.url))
  let flushed = 0
  for (let life = 0; life < 5; life++) {
    const child = fork(writer, [path], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    let second = 0
    let reports = 0
    const enough = new Promise<void>((resolve, reject) => {
      child.on('message', (message: { flushed: number; second: number }) => {
        flushed = message.flushed
        second = message.second
        if (++reports === 3 + life) resolve()
      })
      child.on('exit', () => reject(new Error('the writer ended by itself')))
    })
    await enough
    child.kill('SIGKILL')
    await once(child, 'exit')
    const store = await openStore({ path, family: 4, wall })
    const { seq } = store.position
    assert.ok(seq >= flushed, `${seq} is on disk, ${flushed} was flushed`)
    assert.equal(store.openReport.wasClean, false)
    assert.equal(store.openReport.intact, true)
    assert.ok(store.clock.now() > second)
    for (let i = 0; i < 5000; i++) {
      const newest = seq - ((((seq - i) % 5000) + 5000) % 5000)
      assert.equal(store.get(addressOf(4, i))?.iaid, newest > 0 ? newest : undefined)
    }
    await store.close()
  }
})
