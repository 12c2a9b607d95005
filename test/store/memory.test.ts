import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Binding, BindingState, type Family, INFINITE } from '../../sidecar/binding.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import { openStore, type Store } from '../../sidecar/store/open.ts'
import type { Change } from '../../sidecar/store/store.ts'
import { type Choice, dataOf, Model, type ModelEntry } from './model.ts'
import { addressOf, bindingOf, FakeLevel, octets, plain, relayOf } from './support.ts'

const ADDRESSES = 5

const choice: fc.Arbitrary<Choice> = fc.record({
  address: fc.nat(ADDRESSES - 1),
  client: fc.nat(2),
  relayId: fc.constantFrom('', 'r1', 'r2'),
  remoteId: fc.constantFrom('', 'm1'),
  noise: fc.constantFrom('', 'n1'),
  subnetId: fc.constantFrom(1, 1, 2),
  prefixLength: fc.constantFrom(56, 64),
  state: fc.constantFrom(
    BindingState.active,
    BindingState.active,
    BindingState.released,
    BindingState.abandoned,
  ),
  validLifetime: fc.constantFrom(10, 50, INFINITE),
})

const step = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('put' as const), choice }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass' as const), seconds: fc.nat(4) }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'prune' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'horizon' as const }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('cursor' as const),
      which: fc.nat(3),
      limit: fc.integer({ min: 1, max: 4 }),
      visit: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('mark' as const), address: fc.nat(ADDRESSES - 1) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'clear-marks' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('expect' as const),
      // More than are looked at in one go.
      addresses: fc.array(fc.nat(2 * ADDRESSES), { maxLength: 300, size: 'max' }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
)

function shown(change: Change): Record<string, unknown> {
  return change.kind === 'binding'
    ? { departure: false, ...plain(change.binding) }
    : { departure: true, ...plain(change.departure) }
}

function expected(entry: ModelEntry): Record<string, unknown> {
  return { departure: entry.departure, ...entry.data, changedAt: entry.at, changeNumber: entry.number }
}

/** Everything that can be asked of the store, asked. */
function compare(store: Store, model: Model, marked: ReadonlySet<number>): void {
  const entries = model.entries
  const { changes, through, atEnd } = store.changesAfter(0, 1000)
  assert.deepEqual(changes.map(shown), entries.map(expected))
  assert.equal(atEnd, true)
  assert.equal(through, store.newestChange)
  assert.equal(store.newestChange, model.newest)
  assert.equal(store.prunedThrough, model.prunedThrough)
  assert.equal(store.horizon, model.horizon)
  assert.equal(store.ended, model.ended)
  const view = store.view()
  const active: Record<string, unknown>[] = []
  const declined: Record<string, unknown>[] = []
  for (let i = 0; i < ADDRESSES; i++) {
    const entry = model.bindings.get(i)
    const binding = store.get(addressOf(model.family, i))
    assert.equal(store.seek(view, addressOf(model.family, i)), entry !== undefined)
    if (entry === undefined) assert.equal(binding, undefined)
    else {
      const { departure: _, ...rest } = expected(entry)
      assert.deepEqual(plain(binding!), rest)
      for (const name of Object.keys(rest) as (keyof Binding)[]) {
        assert.deepEqual(plain({ [name]: view[name] } as never), { [name]: rest[name] })
      }
      if (binding!.state === BindingState.active) active.push(rest)
      if (binding!.state === BindingState.abandoned) declined.push(rest)
    }
  }
  for (const client of [1, 2]) {
    const clientId = octets(`client-${client}`)
    const held = store.heldBy(clientId).map(plain)
    const hex = Buffer.from(clientId).toString('hex')
    assert.deepEqual(sorted(held), sorted(active.filter((binding) => binding['clientId'] === hex)))
  }
  for (const [state, count] of store.counts) {
    assert.equal(count, [...model.bindings.values()].filter((entry) => entry.data['state'] === state).length)
  }
  for (const at of new Set(entries.flatMap((entry) => [entry.at, entry.at + 1]))) {
    const since = store.changesAfter(store.before(at), 1000).changes
    assert.deepEqual(since.map(shown), entries.filter((entry) => entry.at >= at).map(expected))
  }
  const unmarked: Binding[] = []
  for (let from = 0; ; ) {
    const slice = store.unmarked(from, 2)
    unmarked.push(...slice.bindings)
    from = slice.next
    if (from === 0) break
  }
  assert.deepEqual(
    sorted(unmarked.map(plain)),
    sorted(
      [...active, ...declined].filter((binding) => {
        const i = Number.parseInt((binding['address'] as string).slice(-4), 16)
        return !marked.has(i)
      }),
    ),
  )
  const scan = store.openBulkScan({ by: 'all' })!
  let scanned = 0
  for (let done = false; !done; ) {
    const slice = scan.next(2, 3)
    scanned += slice.changes.length
    done = slice.done
  }
  scan.close()
  assert.equal(scanned, model.bindings.size)
}

function sorted(bindings: Record<string, unknown>[]): Record<string, unknown>[] {
  return bindings.sort((a, b) => (a['changeNumber'] as number) - (b['changeNumber'] as number))
}

for (const family of [4, 6] as const) {
  test(`DHCPv${family}: the store is its model, whatever is put, pruned, marked, read and reopened`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const retention = { seconds: 8, maxEnded: 3 }
        const model = new Model(family, retention)
        let now = 1000
        let putCount = 0
        let level = new FakeLevel()
        const open = (): Promise<Store> =>
          openStore({
            path: '/fake',
            family,
            retention,
            wall: () => 0,
            level,
            batchRecords: 3,
            gatherMilliseconds: 0,
          })
        let store = await open()
        let marked = new Set<number>()
        const cursors = Array.from({ length: 4 }, () => ({
          at: 0,
          lost: false,
          fold: new Map<string, unknown>(),
        }))
        for (const it of steps) {
          if (it.kind === 'put') {
            const isNew = !model.bindings.has(it.choice.address)
            const since = ++putCount
            const number = store.put(dataOf(family, it.choice, since), now)
            model.put(it.choice, since, now)
            assert.equal(number, model.newest)
            if (isNew) marked.delete(it.choice.address)
          } else if (it.kind === 'pass') now += it.seconds
          else if (it.kind === 'prune') {
            assert.equal(store.prune(now), model.prune(now))
          } else if (it.kind === 'horizon') {
            store.raiseHorizon(now)
            model.raiseHorizon(now)
          } else if (it.kind === 'mark') {
            store.mark(addressOf(family, it.address))
            if (model.bindings.has(it.address)) marked.add(it.address)
          } else if (it.kind === 'clear-marks') {
            store.clearMarks()
            marked = new Set()
          } else if (it.kind === 'expect') {
            store.expect(it.addresses.map((address) => addressOf(family, address)))
          } else if (it.kind === 'reopen') {
            await store.close()
            level = new FakeLevel(level.content)
            store = await open()
            assert.equal(store.openReport.wasClean, true)
            now = Math.max(now, store.clock.now())
            marked = new Set()
          } else {
            const cursor = cursors[it.which]!
            cursor.lost ||= cursor.at < store.prunedThrough
            const { changes, through } = store.changesAfter(cursor.at, it.limit, it.visit)
            for (const change of changes) {
              const { changeNumber, address } = change.kind === 'binding' ? change.binding : change.departure
              assert.ok(changeNumber > cursor.at && changeNumber <= through)
              if (change.kind === 'binding')
                cursor.fold.set(Buffer.from(address).toString('hex'), shown(change))
            }
            cursor.at = through
          }
        }
        compare(store, model, marked)
        // Each cursor, however it came here, ends up with the store, unless it was told that it missed something.
        for (const cursor of cursors) {
          cursor.lost ||= cursor.at < store.prunedThrough
          for (const change of store.changesAfter(cursor.at, 1000).changes) {
            if (change.kind !== 'binding') continue
            cursor.fold.set(Buffer.from(change.binding.address).toString('hex'), shown(change))
          }
          const held = [...cursor.fold.values()].filter(
            (binding) => (binding as { state: number }).state === BindingState.active,
          )
          const active = [...model.bindings.values()]
            .filter((entry) => entry.data['state'] === BindingState.active)
            .map(expected)
          if (!cursor.lost) assert.deepEqual(sorted(held as never), sorted(active))
        }
        await store.close()
      }),
      { numRuns: 150 },
    )
  })
}

// ---- stories

const put = (memory: Memory, i: number, at: number, some: Parameters<typeof bindingOf>[2] = {}): number =>
  memory.put(bindingOf(memory.family, i, some), at)
const kinds = (memory: Memory, after = 0): string[] =>
  memory.changesAfter(after, 1000).changes.map((change) => {
    const { address, clientId, state } = change.kind === 'binding' ? change.binding : change.departure
    return `${change.kind} ${address.at(-1)} of ${new TextDecoder().decode(clientId)} ${state}`
  })
const c1 = { clientId: octets('c1'), relay: relayOf(4, 'r1', '') }
const c2 = { clientId: octets('c2'), relay: relayOf(4, 'r2', '') }

test('who selects by the old relay or client is told that the binding left', () => {
  const memory = new Memory(4)
  put(memory, 7, 100, c1)
  const seen = memory.newestChange
  put(memory, 7, 101, c2)
  assert.deepEqual(kinds(memory, seen), ['departure 7 of c1 6', 'binding 7 of c2 2'])
  const [departure] = memory.changesAfter(seen, 1).changes
  assert.equal(departure?.kind, 'departure')
  if (departure?.kind !== 'departure') return
  assert.equal(departure.departure.changedAt, 101)
  assert.deepEqual(departure.departure.relay, c1.relay, 'the old holder, with its own data only')
})

test('a holder that had ended is still told of after another one has the address', () => {
  const memory = new Memory(4)
  put(memory, 7, 100, c1)
  const seen = memory.newestChange
  const ended = put(memory, 7, 101, { ...c1, state: BindingState.released })
  put(memory, 7, 102, c2)
  assert.deepEqual(kinds(memory, seen), ['departure 7 of c1 4', 'binding 7 of c2 2'])
  assert.deepEqual(kinds(memory, ended), ['binding 7 of c2 2'], 'who has seen the end is not told twice')
})

test('a departure goes when the binding returns, and there is one for each former holder', () => {
  const memory = new Memory(4)
  put(memory, 7, 100, c1)
  for (let i = 0; i < 5; i++) {
    put(memory, 7, 101 + i, c2)
    put(memory, 7, 101 + i, c1)
  }
  assert.deepEqual(kinds(memory), ['departure 7 of c2 6', 'binding 7 of c1 2'])
  assert.equal(memory.ended, 1)
})

test('a changed circuit-id or option is no departure', () => {
  const memory = new Memory(4)
  put(memory, 7, 100, { relay: relayOf(4, 'r1', 'm1', 'port 1') })
  put(memory, 7, 101, { relay: relayOf(4, 'r1', 'm1', 'port 2'), options: octets('other') })
  assert.equal(memory.departures, 0)
})

test('another length of a delegated prefix ends the old one', () => {
  const memory = new Memory(6)
  put(memory, 7, 100, { prefixLength: 64 })
  put(memory, 7, 101, { prefixLength: 56 })
  assert.equal(memory.get(addressOf(6, 7))?.prefixLength, 56)
  const lengths = memory
    .changesAfter(0, 10)
    .changes.map((change) =>
      change.kind === 'binding' ? change.binding.prefixLength : -change.departure.prefixLength,
    )
  assert.deepEqual(lengths, [-64, 56])
})

test('the horizon is the second after the newest pruned end: two ended in one second, one is gone', () => {
  const memory = new Memory(4, { retention: { maxEnded: 1 } })
  memory.raiseHorizon(400)
  put(memory, 1, 500, { state: BindingState.released })
  put(memory, 2, 500, { state: BindingState.released })
  assert.equal(memory.prune(501), 1)
  assert.equal(memory.get(addressOf(4, 1)), undefined)
  assert.equal(memory.horizon, 501)
  assert.equal(memory.prunedThrough, 1)
  memory.raiseHorizon(450)
  assert.equal(memory.horizon, 501, 'it never moves back')
})

test('pruning before the first walk has ended leaves its trace in the first horizon', () => {
  const memory = new Memory(4, { retention: { maxEnded: 0 } })
  put(memory, 1, 500, { state: BindingState.released })
  memory.prune(501)
  assert.equal(memory.horizon, undefined)
  memory.raiseHorizon(400)
  assert.equal(memory.horizon, 501)
})

test('a cursor that pruning has passed can see it', () => {
  const memory = new Memory(4, { retention: { seconds: 10 } })
  for (let i = 0; i < 10; i++) put(memory, i, 100 + i, { state: BindingState.released })
  const cursor = 3
  assert.ok(memory.prunedThrough <= cursor)
  memory.prune(120)
  assert.equal(memory.prunedThrough, 10)
  assert.deepEqual(memory.changesAfter(cursor, 10), { changes: [], through: 10, atEnd: true })
})

test('pruning by number raises an alarm with each call that moved the horizon early, and is counted apart', () => {
  let alarms = 0
  const memory = new Memory(4, { retention: { maxEnded: 2 }, onPrunedByCount: () => alarms++ })
  for (let i = 0; i < 10; i++) {
    put(memory, i, 100, { state: BindingState.released })
    memory.prune(100)
  }
  assert.equal(memory.ended, 2)
  assert.equal(alarms, 8)
  put(memory, 20, 10_000_000)
  memory.prune(10_000_000)
  assert.equal(memory.ended, 0)
  assert.equal(alarms, 8, 'not for what has reached its age')
  assert.deepEqual(memory.forgotten, { age: 2, count: 8 })
})

test('pruning is bounded a call and gets everywhere in the end', () => {
  const memory = new Memory(4, { retention: { seconds: 10 } })
  const count = 20_000
  for (let i = 0; i < count; i++)
    put(memory, i, 100, { state: i % 2 ? BindingState.released : BindingState.active })
  let calls = 0
  for (let left = count / 2; left > 0; calls++) {
    const dropped = memory.prune(1000)
    assert.ok(dropped <= 4096)
    left -= dropped
    assert.ok(calls < 100)
  }
  assert.ok(calls > 1)
  assert.equal(memory.prune(1000), 0)
  assert.equal(memory.counts.get(BindingState.active), count / 2)
  assert.equal(memory.ended, 0)
})

test('retention may be changed while the store serves', () => {
  const memory = new Memory(4, { retention: { seconds: 1000 } })
  for (let i = 0; i < 10; i++) put(memory, i, 100 + i, { state: BindingState.released })
  assert.equal(memory.prune(200), 0)
  memory.retention = { seconds: 95, maxEnded: 100 }
  assert.equal(memory.prune(200), 5)
  memory.retention = { seconds: 1000, maxEnded: 1 }
  assert.equal(memory.prune(200), 4)
})

test('a client of many bindings is looked at in part where that is asked for', () => {
  const memory = new Memory(6)
  for (let i = 0; i < 1000; i++) put(memory, i, 100, { clientId: octets('many') })
  put(memory, 0, 101, { clientId: octets('many'), state: BindingState.released })
  assert.equal(memory.heldBy(octets('many')).length, 999)
  assert.equal(memory.heldBy(octets('many'), 10).length, 9)
  assert.deepEqual(memory.heldBy(new Uint8Array(0)), [])
})

test('change times never decrease', () => {
  const memory = new Memory(4)
  put(memory, 1, 100)
  assert.throws(() => put(memory, 2, 99), RangeError)
  assert.throws(() => put(memory, 2, Number.NaN), RangeError)
  assert.equal(memory.newestChange, 1)
})

test('what was read does not change under the reader', () => {
  const memory = new Memory(4)
  put(memory, 1, 100, { options: octets('before') })
  const read = memory.get(addressOf(4, 1))!
  put(memory, 1, 101, { options: octets('after!') })
  put(memory, 2, 101, { options: octets('others') })
  assert.deepEqual(read.options, octets('before'))
})

test('a binding may be put from a view of itself', () => {
  const memory = new Memory(4)
  put(memory, 1, 100, { options: octets('a rather long set of options'), hostname: octets('name') })
  const view = memory.view()
  memory.seek(view, addressOf(4, 1))
  const { options, hostname, relay, clientId, hardwareAddress } = view
  put(memory, 1, 101, { options: hostname, hostname: options, relay, clientId, hardwareAddress })
  const read = memory.get(addressOf(4, 1))!
  assert.deepEqual(read.hostname, octets('a rather long set of options'))
  assert.deepEqual(read.options, octets('name'))
})

test('an address of the wrong family and octets beyond any field are refused', () => {
  const memory = new Memory(6)
  assert.throws(() => memory.get(Uint8Array.of(192, 0, 2, 1)), /4 octets .* DHCPv6/)
  assert.throws(() => put(memory, 1, 100, { options: new Uint8Array(70_000) }), /70000/)
  assert.equal(memory.newestChange, 0)
  put(memory, 1, 100, { options: new Uint8Array(65_535).fill(7), relay: new Uint8Array(65_535).fill(8) })
  assert.equal(memory.get(addressOf(6, 1))?.options.at(-1), 7)
})

test('a number that would not come back as it was put is refused', () => {
  const memory = new Memory(6)
  for (const some of [
    { hardwareType: 65_536 },
    { prefixLength: 256 },
    { subnetId: 2 ** 32 },
    { iaid: -1 },
    { validLifetime: 0.5 },
    { preferredLifetime: Number.NaN },
  ]) {
    assert.throws(() => put(memory, 1, 100, some), RangeError, JSON.stringify(some))
  }
  assert.equal(memory.get(addressOf(6, 1)), undefined)
})

test('overdue bindings are found in bounded calls, each of them, and only those', () => {
  const memory = new Memory(4)
  const count = 40_000
  const ends = (i: number): number => (i * 7919) % 1000
  for (let i = 0; i < count; i++) {
    put(memory, i, 100, {
      clientLastTransaction: 0,
      validLifetime: i % 10 === 9 ? INFINITE : ends(i),
      state: i % 10 === 8 ? BindingState.released : BindingState.active,
    })
  }
  const due = new Set<number>()
  for (let i = 0; i < count; i++) if (i % 10 < 8 && ends(i) <= 400) due.add(i)
  const found = new Set<number>()
  for (let call = 0; call < 200; call++) {
    const bindings = memory.overdue(400)
    assert.ok(bindings.length <= 4096)
    for (const binding of bindings) {
      const i = (binding.address.at(-2)! << 8) | binding.address.at(-1)!
      assert.ok(due.has(i))
      found.add(i)
      memory.put({ ...binding, state: BindingState.expired }, 101)
    }
  }
  assert.equal(found.size, due.size)
  assert.deepEqual(memory.overdue(400), [])
  put(memory, 5, 102, { clientLastTransaction: 0, validLifetime: 300 })
  assert.equal(memory.overdue(400).length, 1, 'a binding that comes to be due later')
})

for (const family of [4, 6] satisfies Family[]) {
  test(`DHCPv${family}: a binding of about 200 variable octets stays within its memory`, () => {
    const memory = new Memory(family)
    const count = 100_000
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < count; i++) {
        const address = addressOf(family, i)
        address[address.length - 3] = i >>> 16
        put(memory, i, 100 + round, {
          address,
          clientId: Uint8Array.of(0, i >>> 16, i >>> 8, i, 1, 2, 3),
          relay: relayOf(family, 'relay', `cpe ${i}`, 'slot 1 port 1'),
          options: new Uint8Array(100),
        })
      }
    }
    const { rows, slabs } = memory.table.memory
    const octetsEach = (rows + slabs + memory.index.octets + memory.chains.octets) / count + 4
    assert.ok(octetsEach < (family === 4 ? 400 : 500), `${octetsEach} octets`)
  })
}

test('what a client holds besides a binding comes in the order of heldBy, where it lies, and never more than asked for', () => {
  const memory = new Memory(6)
  const clientId = octets('several')
  for (let i = 1; i <= 5; i++) memory.put(bindingOf(6, i, { clientId }), 1000)
  memory.put(bindingOf(6, 9, { clientId: octets('one') }), 1000)
  memory.put(bindingOf(6, 10, { clientId: octets('') }), 1000)
  const view = memory.view()
  const besides = (i: number, most: number) => {
    assert.ok(memory.seek(view, addressOf(6, i)))
    return memory.besides(view, most)?.map(({ address }) => [...address])
  }
  const held = memory.heldBy(clientId).map(({ address }) => [...address])
  for (let i = 1; i <= 5; i++) assert.deepEqual(besides(i, 4), held.toSpliced(i - 1, 1))
  assert.equal(besides(3, 3), undefined)
  assert.deepEqual([besides(9, 4), besides(10, 4)], [[], []])
})
