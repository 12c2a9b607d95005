import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Binding, BindingState, type Family, INFINITE } from '../../sidecar/binding.ts'
import { KeyedHash } from '../../sidecar/store/keyed-hash.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import { openStore, type Store } from '../../sidecar/store/open.ts'
import { MAX_LEVELS } from '../../sidecar/store/selector-chains.ts'
import {
  type BulkScan,
  type BulkScanOptions,
  type BulkSelector,
  type Change,
  MAX_BULK_SCANS,
} from '../../sidecar/store/store.ts'
import { type Choice, dataOf, Model, type ModelEntry } from './model.ts'
import { addressOf, bindingOf, FakeLevel, octets, plain, relayOf } from './support.ts'

const ADDRESSES = 12
/** Kea's clock is ahead of L by so many seconds. */
const AHEAD = 7

const choice: fc.Arbitrary<Choice> = fc.record({
  address: fc.nat(ADDRESSES - 1),
  client: fc.nat(2),
  relayId: fc.constantFrom('', 'r1', 'r2', 'r11'),
  remoteId: fc.constantFrom('', 'm1', 'r1', 'm11'),
  noise: fc.constantFrom('', 'n1'),
  inner: fc.constantFrom('', '', 'r1', 'r2', 'm1'),
  subnetId: fc.constantFrom(1, 2, 3),
  prefixLength: fc.constantFrom(0, 120, 64),
  state: fc.constantFrom(BindingState.active, BindingState.active, BindingState.released),
  validLifetime: fc.constantFrom(10, INFINITE),
})

/** A selector and, in words of the model, what it finds. */
interface Asked {
  readonly selector: BulkSelector
  readonly finds: (family: Family, choice: Choice) => boolean
}

const asked: fc.Arbitrary<Asked> = fc.oneof(
  fc.constant<Asked>({ selector: { by: 'all' }, finds: () => true }),
  fc.constantFrom(1, 2).map<Asked>((client) => ({
    selector: { by: 'client-id', clientId: octets(`client-${client}`) },
    finds: (_, choice) => choice.client === client,
  })),
  fc.constantFrom(0, 1).map<Asked>((client) => ({
    selector: { by: 'hardware-address', hardwareType: 1, hardwareAddress: Uint8Array.of(client, 1) },
    finds: (family, choice) => family === 4 && choice.client === client,
  })),
  fc.constantFrom('r1', 'r2', 'm1').map<Asked>((id) => ({
    selector: { by: 'relay-id', relayId: octets(id) },
    finds: (family, choice) => choice.relayId === id || (family === 6 && choice.inner === id),
  })),
  fc.constantFrom('r1', 'm1').map<Asked>((id) => ({
    selector: { by: 'remote-id', remoteId: octets(id) },
    finds: (family, choice) => choice.remoteId === id || (family === 6 && choice.inner === id),
  })),
  fc.constantFrom<number[][]>([1], [2, 3], [3, 3, 9]).map<Asked>((subnetIds) => ({
    selector: { by: 'subnets', subnetIds },
    finds: (family, choice) => family === 6 && subnetIds.includes(choice.subnetId),
  })),
)

const window = fc.record({
  start: fc.option(fc.integer({ min: 995, max: 1030 }), { nil: undefined }),
  end: fc.option(fc.integer({ min: 1000, max: 1060 }), { nil: undefined }),
  keaAhead: fc.constant(AHEAD),
})

const options: fc.Arbitrary<BulkScanOptions> = fc.record({
  window: fc.option(window, { nil: undefined }),
  departures: fc.constantFrom<(boolean | 'only')[]>(false, true, 'only'),
  where: fc.constantFrom(undefined, undefined, (data: Binding) => data.state === BindingState.active),
})

const scans = fc.nat(2)
const step = fc.oneof(
  { weight: 30, arbitrary: fc.record({ kind: fc.constant('put' as const), choice }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass' as const), seconds: fc.nat(4) }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'prune' as const }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('open' as const), which: scans, asked, options }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('next' as const),
      which: scans,
      limit: fc.integer({ min: 1, max: 3 }),
      visit: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      which: scans,
      address: fc.nat(ADDRESSES - 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const), which: scans }) },
)

/** Few values, so that chains of different ones share a hash. */
class PoorHash extends KeyedHash {
  override of(data: Uint8Array, length: number = data.length): number {
    return length & 1
  }
}

/** A scan as the model follows it. */
class Watched {
  readonly #family: Family
  readonly #asked: Asked
  readonly #options: BulkScanOptions
  readonly #model: Model
  readonly scan: BulkScan
  /** What matched from the opening on, and has not come yet. */
  #must: Set<string>
  readonly #came = new Set<number>()
  readonly #settled = new Set<number>()

  constructor(family: Family, model: Model, memory: Memory, asked: Asked, options: BulkScanOptions) {
    this.#family = family
    this.#asked = asked
    this.#options = options
    this.#model = model
    this.scan = memory.openBulkScan(asked.selector, options)!
    assert.equal(this.scan.openedAt, model.newest)
    this.#must = new Set(this.#matching())
  }

  #matches(entry: ModelEntry): boolean {
    const { window, departures, where } = this.#options
    if (
      entry.departure
        ? window === undefined || departures === false
        : window !== undefined && departures === 'only'
    )
      return false
    if (where !== undefined && entry.data['state'] !== BindingState.active) return false
    if (window !== undefined) {
      const times = [
        entry.at,
        (entry.data['stateSince'] as number) - AHEAD,
        (entry.data['clientLastTransaction'] as number) - AHEAD,
      ]
      if (!times.some((at) => at >= (window.start ?? 0) && at <= (window.end ?? Infinity))) return false
    }
    return this.#asked.finds(this.#family, entry.choice)
  }

  #matching(): string[] {
    return this.#model.entries.filter((entry) => this.#matches(entry)).map(identity)
  }

  /** To be called after each change to the store. */
  look(): void {
    const matching = new Set(this.#matching())
    for (const one of this.#must) if (!matching.has(one)) this.#must.delete(one)
  }

  next(limit: number, visit: number): boolean {
    const { changes, visited, done } = this.scan.next(limit, visit)
    assert.ok(changes.length <= limit)
    assert.ok(visited <= visit, `${visited} visited, ${visit} allowed`)
    for (const change of changes) this.#take(change)
    if (done) {
      if (!this.scan.overtaken) assert.deepEqual([...this.#must], [])
      assert.deepEqual(this.scan.next(100), { changes: [], visited: 0, done: true })
    }
    return done
  }

  #take(change: Change): void {
    const record = change.kind === 'binding' ? change.binding : change.departure
    const entry = this.#model.entries.find((entry) => entry.number === record.changeNumber)
    assert.ok(entry !== undefined, 'it is in the store now')
    assert.equal(entry.departure, change.kind === 'departure')
    assert.deepEqual(plain(record), { ...entry.data, changedAt: entry.at, changeNumber: entry.number })
    assert.ok(this.#matches(entry), 'it matches now')
    this.#must.delete(identity(entry))
    const { address } = entry.choice
    assert.ok(!this.#came.has(address), 'no binding comes twice, and no departure after it')
    if (change.kind === 'departure') return
    assert.ok(!this.#settled.has(address), 'what is settled does not come')
    this.#came.add(address)
  }

  settle(address: number): void {
    this.scan.settle(addressOf(this.#family, address))
    if (!this.#model.bindings.has(address)) return
    this.#settled.add(address)
    this.#must.delete(`binding ${address}`)
  }
}

function identity(entry: ModelEntry): string {
  return entry.departure
    ? `departure ${entry.choice.address} ${entry.selectors}`
    : `binding ${entry.choice.address}`
}

for (const family of [4, 6] as const) {
  test(`DHCPv${family}: a scan gives what matched throughout, nothing foreign, and nothing twice, whatever happens meanwhile`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.boolean(), (steps, collide) => {
        const retention = { seconds: 20, maxEnded: 6 }
        const memory = new Memory(family, { retention, hash: collide ? new PoorHash() : new KeyedHash() })
        const model = new Model(family, retention)
        let now = 1000
        const open: (Watched | undefined)[] = []
        const close = (which: number): void => {
          open[which]?.scan.close()
          open[which] = undefined
        }
        for (const it of steps) {
          if (it.kind === 'put') {
            memory.put(dataOf(family, it.choice, now + AHEAD), now)
            model.put(it.choice, now + AHEAD, now)
          } else if (it.kind === 'pass') now += it.seconds
          else if (it.kind === 'prune') {
            memory.prune(now)
            model.prune(now)
          } else if (it.kind === 'open') {
            close(it.which)
            open[it.which] = new Watched(family, model, memory, it.asked, it.options)
          } else if (it.kind === 'next') {
            if (open[it.which]?.next(it.limit, it.visit) === true) close(it.which)
          } else if (it.kind === 'settle') open[it.which]?.settle(it.address)
          else close(it.which)
          for (const one of open) one?.look()
        }
        for (const [which, one] of open.entries()) {
          for (let turns = 0; one !== undefined && !one.next(2, 3); turns++) assert.ok(turns < 1000)
          close(which)
        }
        assert.equal(memory.bulkScans, 0)
      }),
      { numRuns: 400 },
    )
  })
}

// ---- stories

const put = (memory: Memory, i: number, at: number, some: Parameters<typeof bindingOf>[2] = {}): number =>
  memory.put(bindingOf(memory.family, i, some), at)
const via = (relayId: string) => ({ relay: relayOf(4, relayId, '') })
const r1: BulkSelector = { by: 'relay-id', relayId: octets('r1') }

function told(changes: readonly Change[]): string[] {
  return changes.map((change) => {
    const { address } = change.kind === 'binding' ? change.binding : change.departure
    return `${change.kind === 'departure' ? '-' : ''}${((address.at(-2) ?? 0) << 8) | (address.at(-1) ?? 0)}`
  })
}

/** All that is left, in slices of one. */
function rest(scan: BulkScan): string[] {
  const all: string[] = []
  for (let done = false; !done; ) {
    const slice = scan.next(1, 1)
    all.push(...told(slice.changes))
    done = slice.done
  }
  return all
}

test('RFC 6926 section 8.2: a relay loses the binding its scan is at: the rest comes, and nothing of another relay', () => {
  const memory = new Memory(4)
  for (let i = 1; i <= 4; i++) put(memory, i, 100, via('r1'))
  for (let i = 5; i <= 8; i++) put(memory, i, 100, via('r2'))
  const scan = memory.openBulkScan(r1)!
  assert.deepEqual(told(scan.next(1).changes), ['1'])
  put(memory, 2, 101, via('r2'))
  assert.deepEqual(rest(scan), ['3', '4'])
})

test('a binding that leaves a relay and returns behind its scan still comes, and once', () => {
  const memory = new Memory(4)
  for (let i = 1; i <= 4; i++) put(memory, i, 100, via('r1'))
  const scan = memory.openBulkScan(r1)!
  assert.deepEqual(told(scan.next(2).changes), ['1', '2'])
  for (const i of [1, 3, 4]) {
    put(memory, i, 101, via('r2'))
    put(memory, i, 101, via('r1'))
  }
  assert.deepEqual(rest(scan).sort(), ['3', '4'])
})

test('a scan ends with what was there at its start, however fast others come', () => {
  const memory = new Memory(4)
  for (let i = 0; i < 10; i++) put(memory, i, 100, via('r1'))
  for (const selector of [r1, { by: 'all' }] as const) {
    const scan = memory.openBulkScan(selector)!
    const came = new Set<string>()
    for (let done = false, turns = 0; !done; turns++) {
      const slice = scan.next(1, 1)
      for (const one of told(slice.changes)) came.add(one)
      done = slice.done
      assert.ok(turns < 100)
      for (let i = 0; i < 5; i++) put(memory, 1000 + memory.newestChange, 101, via('r1'))
      // The last one leaves, so that there is a new last one.
      put(memory, 9, 101, via('r2'))
    }
    for (let i = 0; i < 9; i++) assert.ok(came.has(String(i)))
    scan.close()
  }
})

test('records that grow and move in memory are met once', () => {
  const memory = new Memory(6, { retention: { maxEnded: 0 } })
  for (let i = 0; i < 300; i++) put(memory, i, 100, { options: new Uint8Array(10) })
  const scan = memory.openBulkScan({ by: 'all' })!
  const met = new Map<string, number>()
  for (let turn = 0, done = false; !done; turn++) {
    const slice = scan.next(7)
    done = slice.done
    for (const i of told(slice.changes)) met.set(i, (met.get(i) ?? 0) + 1)
    put(memory, turn * 3, 101, { options: new Uint8Array(500) })
    put(memory, 299 - turn, 101, { state: BindingState.released })
    memory.prune(101)
    put(memory, 1000 + turn, 101)
  }
  scan.close()
  for (const [i, times] of met) assert.equal(times, 1, `binding ${i}`)
  for (let i = 0; i < 250; i++) assert.equal(met.get(String(i)), 1, `binding ${i}`)
})

test('an ended binding that is pruned and leased again does not come twice', () => {
  const memory = new Memory(4, { retention: { maxEnded: 0 } })
  // Ordinals that are free, ahead of the scan.
  for (let i = 0; i < 10; i++) put(memory, i, 100, { state: BindingState.released })
  put(memory, 20, 100)
  memory.prune(100)
  put(memory, 30, 100, { state: BindingState.released })
  const scan = memory.openBulkScan({ by: 'all' })!
  assert.deepEqual(told(scan.next(1).changes), ['30'])
  memory.prune(101)
  put(memory, 30, 101)
  assert.deepEqual(rest(scan), ['20'])
})

test('a relay has an ended binding pruned, leased again, lost and won back: it does not come twice', () => {
  const memory = new Memory(4, { retention: { maxEnded: 0 } })
  put(memory, 1, 100, { ...via('r1'), state: BindingState.released })
  put(memory, 2, 100, via('r1'))
  const scan = memory.openBulkScan(r1)!
  assert.deepEqual(told(scan.next(1).changes), ['1'])
  memory.prune(100)
  put(memory, 1, 101, via('r1'))
  put(memory, 1, 102, via('r2'))
  put(memory, 1, 103, via('r1'))
  assert.deepEqual(rest(scan), ['2'])
})

test('an ordinal that a scan still has to look at is not given to another binding', () => {
  const memory = new Memory(4, { retention: { maxEnded: 0 } })
  put(memory, 1, 100, { ...via('r1'), state: BindingState.released })
  put(memory, 2, 100, { ...via('r1'), state: BindingState.released })
  put(memory, 3, 100, via('r1'))
  const scan = memory.openBulkScan(r1)!
  assert.deepEqual(told(scan.next(1).changes), ['1'])
  memory.prune(100)
  // The next new bindings would take the ordinals of 1 and 2.
  put(memory, 4, 101, via('r1'))
  put(memory, 1, 101, via('r1'))
  assert.deepEqual(rest(scan), ['3'])
})

test('what was told with its client before it left the relay and came back is not told again', () => {
  const memory = new Memory(6)
  const relay = (id: string) => ({ relay: relayOf(6, id, '') })
  for (let i = 1; i <= 3; i++) put(memory, i, 100, relay('r1'))
  const scan = memory.openBulkScan(r1)!
  assert.deepEqual(told(scan.next(1).changes), ['1'])
  put(memory, 3, 101, relay('r2'))
  put(memory, 3, 102, relay('r1'))
  scan.settle(addressOf(6, 3))
  assert.deepEqual(rest(scan), ['2'])
})

test('RFC 5460 section 5.2.1: what was told with its client is not told again, what joins the client later is', () => {
  const memory = new Memory(6)
  const c = { clientId: octets('c') }
  const d = { clientId: octets('d') }
  put(memory, 1, 100, c)
  put(memory, 2, 100, c)
  put(memory, 3, 100, d)
  put(memory, 9, 100, d)
  const scan = memory.openBulkScan({ by: 'subnets', subnetIds: [1] })!
  assert.deepEqual(told(scan.next(1).changes), ['1'])
  // Told with 1, in one message of c.
  scan.settle(addressOf(6, 2))
  // 9 goes from d, not told yet, to c, told already.
  put(memory, 9, 101, c)
  assert.deepEqual(rest(scan), ['3', '9'])
})

test('RFC 6926 section 8.2: a window looks at transaction, state and change, and both its bounds are inside', () => {
  const memory = new Memory(4)
  const times = (clientLastTransaction: number, stateSince: number) => ({ clientLastTransaction, stateSince })
  put(memory, 1, 500, times(100, 100))
  put(memory, 2, 500, times(200, 100))
  put(memory, 3, 500, times(199, 100))
  put(memory, 4, 500, times(301, 300))
  put(memory, 5, 500, times(301, 301))
  put(memory, 6, 500, times(100, 250))
  const ask = (window: BulkScanOptions['window']): string[] =>
    rest(memory.openBulkScan({ by: 'all' }, { window })!)
  assert.deepEqual(ask({ start: 200, end: 300 }), ['2', '4', '6'])
  assert.deepEqual(ask({ start: 190, end: 290, keaAhead: 10 }), ['2', '4', '6'])
  assert.deepEqual(ask({ start: 501 }), [])
  assert.deepEqual(ask({ start: 500, end: 500 }), ['1', '2', '3', '4', '5', '6'])
  assert.deepEqual(ask({ end: 100 }), ['1', '2', '3', '6'])
})

test('a short window costs what changed in it, not what the selector finds', () => {
  const memory = new Memory(6)
  const relay = { relay: relayOf(6, 'r1', '') }
  for (let i = 0; i < 20_000; i++) put(memory, i, 100 + Math.floor(i / 1000), relay)
  for (let i = 0; i < 10; i++) put(memory, 500 * i, 10_000 + i, { ...relay, stateSince: 10_000 })
  for (const selector of [
    { by: 'all' },
    { by: 'subnets', subnetIds: [1] },
    { by: 'relay-id', relayId: octets('r1') },
  ] as const) {
    const scan = memory.openBulkScan(selector, { window: { start: 10_005 } })!
    const { changes, visited, done } = scan.next(100)
    assert.deepEqual(told(changes), ['2500', '3000', '3500', '4000', '4500'])
    assert.ok(done)
    assert.ok(visited < 20, `${visited} visited`)
  }
  const few = memory.openBulkScan(
    { by: 'client-id', clientId: Uint8Array.of(9, 0, 7) },
    { window: { start: 1 } },
  )!
  const { changes, visited } = few.next(100)
  assert.deepEqual(told(changes), ['7'])
  assert.equal(visited, 1)
})

test('former holders alone cost what there are of them, not what changed in the window', () => {
  const memory = new Memory(6)
  for (let i = 0; i < 10_000; i++) put(memory, i, 100)
  for (let i = 0; i < 5; i++) put(memory, i, 200 + i, { clientId: octets('another') })
  for (let i = 0; i < 10_000; i++) put(memory, i + 10_000, 300)
  const selector: BulkSelector = { by: 'client-id', clientId: Uint8Array.of(9, 0, 3) }
  const scan = memory.openBulkScan(selector, { window: { start: 50 }, departures: 'only' })!
  const { changes, visited, done } = scan.next(100)
  assert.deepEqual(told(changes), ['-3'])
  assert.ok(done)
  assert.equal(visited, 5)
  const late = memory.openBulkScan({ by: 'all' }, { window: { start: 150 }, departures: 'only' })!
  // The last one takes the place of one that goes, which the scan has not come to.
  assert.deepEqual(told(late.next(1).changes), ['-4'])
  put(memory, 0, 400)
  put(memory, 5, 400, { clientId: octets('another') })
  assert.deepEqual(rest(late), ['-3', '-2', '-1'])
})

test('a binding that is renewed during a scan of a window is not missed for it', () => {
  const memory = new Memory(4)
  for (let i = 1; i <= 4; i++) put(memory, i, 1000 + i)
  const scan = memory.openBulkScan({ by: 'all' }, { window: { start: 1001 } })!
  assert.deepEqual(told(scan.next(1).changes), ['1'])
  for (const i of [1, 2, 4]) put(memory, i, 1010)
  assert.deepEqual(rest(scan).sort(), ['2', '3', '4'])
})

test('a scan of a window that begins at the horizon misses nothing of what was pruned before', () => {
  const memory = new Memory(4, { retention: { seconds: 100 } })
  memory.raiseHorizon(1)
  put(memory, 3, 1000)
  put(memory, 1, 1000, { state: BindingState.released })
  put(memory, 2, 1001)
  memory.prune(1101)
  assert.equal(memory.horizon, 1001)
  const scan = memory.openBulkScan({ by: 'all' }, { window: { start: 1001 } })!
  assert.equal(scan.overtaken, false)
  assert.deepEqual(rest(scan), ['2'])
  assert.equal(scan.overtaken, false)
  scan.close()
})

test('a scan of a window tells when pruning takes ends that it had not come by', () => {
  for (const passed of [true, false]) {
    const memory = new Memory(4, { retention: { seconds: 100 } })
    memory.raiseHorizon(1)
    for (let i = 1; i <= 4; i++)
      put(memory, i, 1000, { state: i === 1 ? BindingState.released : BindingState.active })
    const scan = memory.openBulkScan({ by: 'all' }, { window: { start: 900 } })!
    if (passed) assert.deepEqual(told(scan.next(1).changes), ['1'])
    memory.prune(2000)
    rest(scan)
    assert.equal(scan.overtaken, !passed)
  }
})

test('RFC 5460 sections 5.4.1 and 5.3.3: relay-id and remote-id are found at any hop', () => {
  const memory = new Memory(6)
  put(memory, 1, 100, { relay: relayOf(6, 'outer', 'x', '', 'inner') })
  put(memory, 2, 100, { relay: relayOf(6, 'inner', 'x') })
  put(memory, 3, 100, { relay: relayOf(6, 'inner', 'x', '', 'inner') })
  const ask = (selector: BulkSelector): string[] => rest(memory.openBulkScan(selector)!).sort()
  assert.deepEqual(ask({ by: 'relay-id', relayId: octets('inner') }), ['1', '2', '3'])
  assert.deepEqual(ask({ by: 'remote-id', remoteId: octets('inner') }), ['1', '3'])
  assert.deepEqual(ask({ by: 'relay-id', relayId: octets('outer') }), ['1'])
  assert.deepEqual(ask({ by: 'relay-id', relayId: octets('x') }), [])
  assert.deepEqual(ask({ by: 'relay-id', relayId: new Uint8Array(0) }), [])
})

test('relay data with a thousand ids neither fails nor takes memory for each', () => {
  const memory = new Memory(6)
  const ids = Array.from({ length: 1000 }, (_, i) => [0, 53, 0, 2, i >>> 8, i & 255]).flat()
  const relay = Uint8Array.from([...new Array(16).fill(0), 12, 0, ...new Array(32).fill(0), ...ids])
  put(memory, 1, 100, { relay })
  const before = memory.chains.octets
  put(memory, 1, 101, { relay: relay.slice(0, -1) })
  put(memory, 2, 101, { relay })
  assert.ok(memory.chains.octets <= before, 'one row of each level serves both')
  const found = (i: number): number =>
    rest(memory.openBulkScan({ by: 'relay-id', relayId: Uint8Array.of(i >>> 8, i & 255) })!).length
  for (let i = 0; i < MAX_LEVELS; i++) assert.equal(found(i), 2)
  put(memory, 1, 102, { relay: new Uint8Array(0) })
  for (let i = 0; i < MAX_LEVELS; i++) assert.equal(found(i), 1)
})

test('DHCPv4: hardware addresses of another type are another client', () => {
  const memory = new Memory(4)
  const hardwareAddress = Uint8Array.of(2, 0, 0, 0, 0, 1)
  put(memory, 1, 100, { hardwareAddress, hardwareType: 1 })
  put(memory, 2, 100, { hardwareAddress, hardwareType: 6 })
  put(memory, 3, 100, { hardwareAddress: Uint8Array.of(), hardwareType: 1 })
  assert.deepEqual(rest(memory.openBulkScan({ by: 'hardware-address', hardwareType: 6, hardwareAddress })!), [
    '2',
  ])
})

test('RFC 5007 section 4.1.2.1: an address is found itself and in the delegated prefixes around it', () => {
  const memory = new Memory(6)
  const at = (...some: number[]): Uint8Array =>
    Uint8Array.from([0x20, 1, 0xd, 0xb8, ...some, ...new Array(12).fill(0)].slice(0, 16))
  const enter = (address: Uint8Array, prefixLength: number): void => {
    memory.put({ ...bindingOf(6, 1), address, prefixLength }, 100)
  }
  enter(at(), 32)
  enter(at(1), 40)
  enter(at(1, 2), 52)
  enter(at(1, 2, 0x10), 52)
  enter(at(1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 5), 0)
  enter(at(1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 6), 128)
  const ask = (address: Uint8Array): number[] => {
    const scan = memory.openBulkScan({ by: 'address', address })!
    const { changes, done } = scan.next(100)
    scan.close()
    assert.ok(done)
    return changes.map((change) => (change.kind === 'binding' ? change.binding.prefixLength : -1))
  }
  assert.deepEqual(ask(at(1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 5)), [0, 52, 40, 32])
  assert.deepEqual(ask(at(1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 6)), [128, 52, 40, 32])
  assert.deepEqual(ask(at(1, 2, 0x0f, 0xff)), [52, 40, 32])
  assert.deepEqual(ask(at(1, 2, 0x1f)), [52, 40, 32])
  assert.deepEqual(ask(at(1, 2, 0x20)), [40, 32])
  assert.deepEqual(ask(at(2)), [32])
  assert.deepEqual(ask(Uint8Array.from([0x30, ...new Array(15).fill(0)])), [])
  memory.put({ ...bindingOf(6, 1), address: at(1, 2), prefixLength: 60 }, 101)
  assert.deepEqual(ask(at(1, 2, 0x0f, 0xff)), [40, 32], 'the prefix is another length now')
})

test('delegated prefixes are found as a plain comparison of bits finds them', () => {
  const prefix = fc.record({
    bits: fc.nat(0xffff),
    length: fc.integer({ min: 112, max: 128 }),
    single: fc.boolean(),
  })
  fc.assert(
    fc.property(
      fc.array(prefix, { maxLength: 12 }),
      fc.array(fc.nat(0xffff), { maxLength: 20 }),
      (prefixes, asked) => {
        const memory = new Memory(6)
        const held = new Map<number, number>()
        for (const { bits, length, single } of prefixes) {
          const start = single ? bits : bits & ~((1 << (128 - length)) - 1)
          put(memory, start, 100, { prefixLength: single ? 0 : length })
          held.set(start, single ? 0 : length)
        }
        for (const i of [...asked, ...held.keys()]) {
          const wanted = [...held].filter(
            ([start, length]) =>
              start >>> (length === 0 ? 0 : 128 - length) === i >>> (length === 0 ? 0 : 128 - length),
          )
          const found = told(
            memory.openBulkScan({ by: 'address', address: addressOf(6, i) })!.next(200).changes,
          )
          assert.deepEqual(found.map(Number).sort(), wanted.map(([start]) => start).sort())
        }
      },
    ),
    { numRuns: 200 },
  )
})

test('as many scans are open as may be, and closing one makes room', () => {
  const memory = new Memory(4)
  put(memory, 1, 100)
  const scans = Array.from({ length: MAX_BULK_SCANS }, () => memory.openBulkScan(r1)!)
  assert.equal(memory.openBulkScan({ by: 'all' }), undefined)
  scans[0]!.close()
  scans[0]!.close()
  assert.equal(memory.bulkScans, MAX_BULK_SCANS - 1)
  assert.deepEqual(scans[0]!.next(1), { changes: [], visited: 0, done: true })
  assert.notEqual(memory.openBulkScan({ by: 'all' }), undefined)
  assert.equal(memory.openBulkScan({ by: 'all' }), undefined)
})

test('after a start scans find everything, before what was loaded is in chains, meanwhile and after', async () => {
  const level = new FakeLevel()
  const open = (): Promise<Store> => openStore({ path: '/fake', family: 6, wall: () => 0, level })
  const relayIds = ['r1', 'r2', 'r3']
  const relay = (which: number) => ({ relay: relayOf(6, relayIds[which % 3]!, '') })
  const count = 3000
  let store = await open()
  for (let i = 0; i < count; i++) store.put(bindingOf(6, i, relay(i)), 100)
  await store.close()
  store = await open()
  const expected = relayIds.map((_, which) =>
    Array.from({ length: count / 3 }, (_, i) => String(3 * i + which)),
  )
  const compare = (): void => {
    for (const [which, relayId] of relayIds.entries()) {
      const scan = store.openBulkScan({ by: 'relay-id', relayId: octets(relayId) })!
      const found: string[] = []
      for (let done = false; !done; ) {
        const slice = scan.next(1000)
        found.push(...told(slice.changes))
        done = slice.done
      }
      scan.close()
      assert.deepEqual(found.sort(), expected[which]!.sort())
    }
  }
  assert.equal(store.chained, false)
  compare()
  // Some of what is not in chains yet changes, and some of what is: to another relay, or merely in time.
  const early = store.openBulkScan({ by: 'relay-id', relayId: octets('r1') })!
  let turns = 0
  for (; !store.chained; turns++) {
    const i = (turns * 739) % count
    store.put(bindingOf(6, i, relay(i + turns)), 100)
    for (const list of expected) if (list.includes(String(i))) list.splice(list.indexOf(String(i)), 1)
    expected[(i + turns) % 3]!.push(String(i))
    compare()
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(turns > 2)
  compare()
  assert.ok(early.next(2000).changes.length > count / 3 - turns)
  early.close()
  await store.close()
})
