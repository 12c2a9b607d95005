// The disk behind, on a LevelDB that delays, fails, forgets and tears: what a restart finds is an earlier moment.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BindingState } from '../../sidecar/binding.ts'
import { type OpenStoreOptions, openStore, type Store, type StoreAlarm } from '../../sidecar/store/open.ts'
import { type Choice, dataOf, Model, type ModelEntry } from './model.ts'
import { addressOf, bindingOf, FakeLevel, type Fate, octets, plain } from './support.ts'

const ADDRESSES = 6
const PATH = '/fake'
const RETENTION = { seconds: 1000, maxEnded: 5 }

function open(level: FakeLevel, some: Partial<OpenStoreOptions> = {}): Promise<Store> {
  return openStore({
    path: PATH,
    family: 4,
    wall: () => 1000,
    monotonic: () => 0,
    retention: RETENTION,
    level,
    bootId: 'boot 1',
    gatherMilliseconds: 0,
    retryMilliseconds: 1,
    ...some,
  })
}

const choice: fc.Arbitrary<Choice> = fc.record({
  address: fc.nat(ADDRESSES - 1),
  client: fc.nat(2),
  relayId: fc.constantFrom('r1', 'r2'),
  remoteId: fc.constant(''),
  noise: fc.constant(''),
  subnetId: fc.constant(1),
  prefixLength: fc.constant(0),
  state: fc.constantFrom(BindingState.active, BindingState.active, BindingState.released),
  validLifetime: fc.constant(100),
})

function contents(store: Store): Record<string, unknown>[] {
  return store
    .changesAfter(0, 10_000, 1_000_000)
    .changes.map((change) =>
      change.kind === 'binding'
        ? { departure: false, ...plain(change.binding) }
        : { departure: true, ...plain(change.departure) },
    )
}

function modelContents(model: Model): Record<string, unknown>[] {
  return model.entries.map((entry: ModelEntry) => ({
    departure: entry.departure,
    ...entry.data,
    changedAt: entry.at,
    changeNumber: entry.number,
  }))
}

/** Lets the disk get on by a few turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

const fate = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Fate>('write') },
  { weight: 2, arbitrary: fc.constant<Fate>('fail') },
  { weight: 2, arbitrary: fc.constant<Fate>('fail-done') },
)
const event = fc.record({ choice, turns: fc.nat(3), prune: fc.integer({ min: 0, max: 9 }) })

test('killed at any moment, the store comes back at its position with exactly the changes up to it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 40 }),
      fc.array(fate, { minLength: 1, maxLength: 30 }),
      fc.infiniteStream(fc.nat(3)),
      async (events, fates, delays) => {
        const level = new FakeLevel()
        let write = 0
        const store = await open(level)
        level.fate = () => fates[write++ % fates.length]!
        level.delay = () => turns(delays.next().value as number)
        const model = new Model(4, RETENTION)
        const moments = new Map<number, { model: Model; blob: string }>([
          [0, { model: model.copy(), blob: '' }],
        ])
        const images: ReadonlyMap<string, Buffer>[] = []
        let seq = 0
        for (const it of events) {
          seq++
          const at = 2000 + seq
          store.put(dataOf(4, it.choice, seq), at)
          model.put(it.choice, seq, at)
          if (it.prune === 0) assert.equal(store.prune(at), model.prune(at))
          if (it.prune === 1) {
            store.raiseHorizon(at)
            model.raiseHorizon(at)
          }
          store.meta.set('config', octets(`${seq}`))
          store.position = { epoch: 'e', seq, walkPending: false }
          moments.set(seq, { model: model.copy(), blob: `${seq}` })
          for (let i = 0; i < it.turns; i++) {
            await turns(1)
            images.push(level.content)
          }
        }
        level.fate = () => 'write'
        level.delay = async () => {}
        await store.flush().catch(() => store.flush())
        images.push(level.content)
        let last = -1
        for (const image of images) {
          const again = await open(new FakeLevel(image))
          const { seq: found } = again.position
          assert.ok(found >= last, 'the position never goes back')
          last = found
          const moment = moments.get(found)!
          assert.deepEqual(contents(again), modelContents(moment.model))
          assert.equal(again.horizon, moment.model.horizon)
          assert.equal(again.prunedThrough, moment.model.prunedThrough)
          assert.equal(again.meta.get('config')?.toString() ?? '', moment.blob)
          assert.equal(again.openReport.wasClean, false)
          assert.equal(again.openReport.intact, true)
          assert.equal(again.position.walkPending, found === 0)
          await again.close()
        }
        assert.equal(last, seq)
        await store.close()
      },
    ),
    { numRuns: 60 },
  )
})

test('changes that come faster than a batch: no change up to the position is missing, replaying the rest gives all', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 10, maxLength: 60 }),
      fc.array(fate, { minLength: 1, maxLength: 30 }),
      async (events, fates) => {
        const level = new FakeLevel()
        let write = 0
        // Two records a batch: the disk is behind nearly always, positions come at the end of rounds.
        const store = await open(level, { batchRecords: 2 })
        level.fate = () => fates[write++ % fates.length]!
        level.delay = () => turns(1)
        const images: { content: ReadonlyMap<string, Buffer>; shown: number }[] = []
        let seq = 0
        for (const it of events) {
          seq++
          store.put(dataOf(4, it.choice, seq), 2000 + seq)
          store.position = { epoch: 'e', seq, walkPending: false }
          if (it.turns > 1) {
            await turns(it.turns)
            images.push({ content: level.content, shown: store.newestChange })
          }
        }
        level.fate = () => 'write'
        await store.flush().catch(() => store.flush())
        images.push({ content: level.content, shown: store.newestChange })
        for (const { content, shown } of images) {
          const again = await open(new FakeLevel(content))
          const from = again.position.seq
          const have = contents(again)
          const upTo = new Model(4, RETENTION)
          for (let i = 1; i <= from; i++) upTo.put(events[i - 1]!.choice, i, 2000 + i)
          for (const entry of modelContents(upTo)) {
            // Either it is there as it was, or a later change has come over it; a departure may also have been taken back.
            const same = have.find(
              (other) =>
                other['address'] === entry['address'] &&
                (other['changeNumber'] as number) >= (entry['changeNumber'] as number),
            )
            assert.ok(same !== undefined, `${entry['address']} of position ${from}`)
          }
          assert.ok(have.every((entry) => (entry['changeNumber'] as number) <= shown))
          // Replay: every holder that ever was is told of, by the binding or by a departure.
          const replayed = new Model(4, RETENTION)
          for (let i = 1; i <= seq; i++) replayed.put(events[i - 1]!.choice, i, 2000 + i)
          for (let i = from + 1; i <= seq; i++) again.put(dataOf(4, events[i - 1]!.choice, i), 10_000 + i)
          const names = (entries: Record<string, unknown>[]): string[] =>
            entries
              .map((entry) =>
                [entry['departure'], entry['address'], entry['clientId'], entry['relay']].join(' '),
              )
              .sort()
          assert.deepEqual(names(contents(again)), names(modelContents(replayed)))
          for (let i = 0; i < ADDRESSES; i++) {
            const binding = again.get(addressOf(4, i))
            const { changeNumber: _, changedAt: __, ...is } = binding === undefined ? {} : plain(binding)
            const { ...should } = replayed.bindings.get(i)?.data ?? {}
            assert.deepEqual(is, should)
          }
          await again.close()
        }
        await store.close()
      },
    ),
    { numRuns: 60 },
  )
})

test('a walk that is pending stays pending until its end is on disk, and the horizon comes with it', async () => {
  const level = new FakeLevel()
  const store = await open(level, { batchRecords: 4 })
  level.delay = () => turns(2)
  store.position = { epoch: 'e2', seq: 500, walkPending: true }
  for (let i = 0; i < 100; i++) store.put(bindingOf(4, i), 2000)
  store.raiseHorizon(2000)
  store.position = { epoch: 'e2', seq: 500, walkPending: false }
  const seen = new Set<string>()
  const reading = store.flush()
  let done = false
  reading.then(() => {
    done = true
  })
  while (!done) {
    await turns(1)
    const again = await open(new FakeLevel(level.content))
    const { walkPending } = again.position
    assert.equal(again.horizon === undefined, walkPending)
    if (!walkPending) assert.equal(contents(again).length, 100)
    seen.add(`${walkPending}`)
    await again.close()
  }
  assert.deepEqual([...seen], ['true', 'false'])
  await store.close()
})

test('one batch is in flight, and a failed one holds back every later position', async () => {
  const alarms: StoreAlarm[] = []
  const level = new FakeLevel()
  const store = await open(level, { alarm: (alarm) => alarms.push(alarm) })
  level.fate = () => 'fail'
  store.put(bindingOf(4, 1), 2000)
  store.position = { epoch: 'e', seq: 1, walkPending: false }
  await assert.rejects(store.flush(), { code: 'ALQ_STORE_WRITE' })
  assert.equal(store.diskFails, true)
  // Served from memory meanwhile.
  store.put(bindingOf(4, 2), 2001)
  store.position = { epoch: 'e', seq: 2, walkPending: false }
  assert.equal(store.get(addressOf(4, 2))?.changedAt, 2001)
  await assert.rejects(store.flush(), /cannot be written: no space left on device/)
  assert.equal((await open(new FakeLevel(level.content))).position.seq, 0)
  level.openFails = true
  await assert.rejects(store.flush(), { code: 'ALQ_STORE_WRITE' })
  level.openFails = false
  level.fate = () => 'write'
  while (store.diskFails) await turns(1)
  await store.flush()
  assert.equal(alarms[0]?.kind, 'write-failed')
  assert.equal(alarms.at(-1)?.kind, 'write-recovered')
  assert.equal(alarms.filter((alarm) => alarm.kind === 'write-recovered').length, 1)
  const again = await open(new FakeLevel(level.content))
  assert.equal(again.position.seq, 2)
  assert.equal(contents(again).length, 2)
  await store.close()
})

test('a disk that loses what it had acknowledged is written anew from memory', async () => {
  const level = new FakeLevel()
  const store = await open(level, { batchRecords: 8 })
  for (let i = 0; i < 40; i++) store.put(bindingOf(4, i), 2000)
  store.meta.set('config', octets('kept'))
  store.raiseHorizon(2000)
  store.position = { epoch: 'e', seq: 40, walkPending: false }
  await store.flush()
  const fates: Fate[] = ['write', 'fail-lose']
  level.fate = () => fates.shift() ?? 'write'
  store.put(bindingOf(4, 1, { state: BindingState.released }), 2001)
  await store.flush()
  store.put(bindingOf(4, 2, { state: BindingState.released }), 2002)
  store.position = { epoch: 'e', seq: 42, walkPending: false }
  await assert.rejects(store.flush())
  await store.flush()
  const again = await open(new FakeLevel(level.content))
  assert.deepEqual(contents(again), contents(store))
  assert.equal(again.position.seq, 42)
  assert.equal(again.horizon, 2000)
  assert.equal(again.meta.get('config')?.toString(), 'kept')
  await store.close()
})

test('a clean stop is noted, an unclean one and a new boot are seen', async () => {
  const first = new FakeLevel()
  const store = await open(first)
  assert.deepEqual(
    { ...store.openReport, milliseconds: 0 },
    {
      wasNew: true,
      wasClean: false,
      sameBoot: false,
      intact: true,
      bindings: 0,
      departures: 0,
      milliseconds: 0,
    },
  )
  store.put(bindingOf(4, 1), 2000)
  await store.flush()
  const crashed = await open(new FakeLevel(first.content))
  assert.equal(crashed.openReport.wasClean, false)
  assert.equal(crashed.openReport.sameBoot, true)
  assert.equal(crashed.openReport.bindings, 1)
  await store.close()
  const level = new FakeLevel(first.content)
  const clean = await open(level, { bootId: 'boot 2' })
  assert.equal(clean.openReport.wasClean, true)
  assert.equal(clean.openReport.sameBoot, false)
  const open1 = await open(new FakeLevel(level.content), { bootId: 'boot 2' })
  assert.equal(open1.openReport.wasClean, false, 'the note is taken back when the store is opened')
})

test('a closed store takes nothing more, and closing while the disk fails says so', async () => {
  const level = new FakeLevel()
  const store = await open(level)
  store.put(bindingOf(4, 1), 2000)
  await store.close()
  assert.throws(() => store.put(bindingOf(4, 2), 2000), { code: 'ALQ_STORE_CLOSED' })
  await assert.rejects(store.flush(), { code: 'ALQ_STORE_CLOSED' })
  const failing = await open(new FakeLevel(level.content))
  const broken = new FakeLevel()
  const other = await open(broken)
  broken.fate = () => 'fail'
  other.put(bindingOf(4, 1), 2000)
  await assert.rejects(other.close(), { code: 'ALQ_STORE_WRITE' })
  assert.equal((await open(new FakeLevel(broken.content))).openReport.wasClean, false)
  await failing.close()
})

test('the clock of a new life is above every second told before, also where nothing changed', async () => {
  const level = new FakeLevel()
  let wall = 5000
  const options = { wall: () => wall, monotonic: () => wall, clockAheadSeconds: 5 }
  const store = await open(level, options)
  let told = 0
  for (wall = 5000; wall < 5050; wall++) {
    told = store.clock.now()
    await turns(4)
    // Whenever the machine stops here, its store knows of a second at least as late.
    const image = new FakeLevel(level.content)
    const again = await open(image, { wall: () => 12 })
    assert.ok(again.clock.now() > told, `${again.clock.now()} after ${told}`)
    await again.close()
  }
  assert.ok(told >= 5045, 'and the clock did not stand still')
  await store.close()
})

test('after a power loss a hole is found: no horizon, a walk pending, everything else served', async () => {
  const level = new FakeLevel()
  const store = await open(level)
  for (let i = 0; i < 5; i++) store.put(bindingOf(4, i), 2000)
  store.raiseHorizon(2000)
  store.meta.set('config', octets('kept'))
  store.position = { epoch: 'e', seq: 5, walkPending: false }
  await store.flush()
  const image = new Map(level.content)
  image.delete(`62${Buffer.from(addressOf(4, 3)).toString('hex')}`)
  await assert.rejects(
    open(new FakeLevel(image)),
    { code: 'ALQ_STORE_DAMAGED' },
    'same boot: nothing excuses it',
  )
  const alarms: StoreAlarm[] = []
  const holed = new FakeLevel(image)
  const again = await open(holed, { bootId: 'boot 2', alarm: (alarm) => alarms.push(alarm) })
  assert.equal(again.openReport.intact, false)
  assert.equal(again.horizon, undefined)
  assert.equal(again.position.walkPending, true)
  assert.equal(contents(again).length, 4)
  assert.equal(alarms[0]?.kind, 'incomplete-after-power-loss')
  await again.close()
  const third = await open(new FakeLevel(holed.content), { bootId: 'boot 2' })
  assert.equal(third.openReport.intact, true)
  assert.equal(third.position.walkPending, true)
  assert.equal(third.meta.get('config')?.toString(), 'kept')
  await third.close()
  await store.close()
})

test('no single octet of a record can change, and no entry go, without being noticed', async () => {
  const level = new FakeLevel()
  const store = await open(level)
  store.put(bindingOf(4, 1), 2000)
  store.put(bindingOf(4, 1, { clientId: octets('another') }), 2001)
  store.meta.set('config', octets('{}'))
  await store.close()
  const content = level.content
  for (const [key, value] of content) {
    if (key === 'note') continue
    const without = new Map(content)
    without.delete(key)
    await assert.rejects(open(new FakeLevel(without)), { code: 'ALQ_STORE_DAMAGED' })
    const cut = new Map(content)
    cut.set(key, value.subarray(0, value.length - 1))
    await assert.rejects(open(new FakeLevel(cut)), /store/)
    const moved = new Map(content)
    moved.delete(key)
    moved.set(`${key.slice(0, -2)}77`, value)
    if (key.startsWith('6d')) await assert.rejects(open(new FakeLevel(moved)), { code: 'ALQ_STORE_DAMAGED' })
    else if (key !== '73') {
      // A record says itself where it belongs, so nothing wrong is served; what stays under the other key is noticed.
      const misplaced = new FakeLevel(moved)
      const served = await open(misplaced)
      assert.equal(served.changesAfter(0, 10).changes.length, 2)
      served.put(bindingOf(4, 1), 2002)
      await served.close()
      await assert.rejects(open(new FakeLevel(misplaced.content)), { code: 'ALQ_STORE_DAMAGED' })
    }
    for (let at = 0; at < value.length; at++) {
      const flipped = new Map(content)
      const bad = Buffer.from(value)
      bad[at] = bad[at]! ^ 0x41
      flipped.set(key, bad)
      await assert.rejects(open(new FakeLevel(flipped)), (error: Error & { code?: string }) => {
        assert.match(error.message, /^store \/fake /)
        return error.code === 'ALQ_STORE_DAMAGED' || (at === 0 && error.code === 'ALQ_STORE_VERSION')
      })
    }
  }
})

test('an older record in place of a newer one is noticed', async () => {
  const level = new FakeLevel()
  const store = await open(level)
  const key = `62${Buffer.from(addressOf(4, 1)).toString('hex')}`
  store.put(bindingOf(4, 1), 2000)
  await store.flush()
  const old = level.content.get(key)!
  store.put(bindingOf(4, 1, { hostname: octets('newer') }), 2001)
  await store.close()
  const image = new Map(level.content)
  assert.notDeepEqual(image.get(key), old)
  image.set(key, old)
  await assert.rejects(open(new FakeLevel(image)), { code: 'ALQ_STORE_DAMAGED' })
})
