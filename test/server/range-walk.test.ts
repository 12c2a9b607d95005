/**
 * All configured addresses (DHCPv4) while the store changes: RFC 6926 section 8.2 has a server tell of each binding that
 * matches, and section 6.2.7 knows AVAILABLE for an address that is free. Whatever is bound, freed, forgotten and bound
 * anew between two slices, each configured address comes once, as it is when it comes.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { BindingState } from '../../sidecar/binding.ts'
import type { PackedBinding } from '../../sidecar/packed-binding.ts'
import { AddressSet } from '../../sidecar/server/address-set.ts'
import { openBulk } from '../../sidecar/server/bulk-reader.ts'
import { type Ranges4, topologyOf } from '../../sidecar/server/topology.ts'
import type { BulkFind, Moment, Pen, ScanQuery } from '../../sidecar/session/session-io.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import type { BulkStore } from '../../sidecar/store/store.ts'
import { bindingOf } from '../store/support.ts'

const BASE = 0xc0000000
/** Addresses of a test: several slices, of which one tells of 32. */
const ADDRESSES = 400
const NOW = 10_000

const octets = (address: number) => Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address)
const addressOf = (n: number) => BASE + n * 7 // over several chunks of the set

/** Ranges as a configuration has them: ascending, none next to another. */
const ranges = fc
  .uniqueArray(fc.nat(ADDRESSES * 7), { maxLength: 12 })
  .map((ends) => ends.sort((a, b) => a - b))
  .map((ends) => {
    const pools: { first: Uint8Array; last: Uint8Array }[] = []
    for (let i = 0; i + 1 < ends.length; i += 2)
      pools.push({ first: octets(BASE + ends[i]!), last: octets(BASE + ends[i + 1]!) })
    return pools
  })

type Step = { readonly kind: 'bind' | 'free' | 'forget'; readonly n: number } | { readonly kind: 'slice' }
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('bind', 'bind', 'free', 'forget'), n: fc.nat(ADDRESSES - 1) }),
  fc.constant({ kind: 'slice' } as const),
)

/** A store whose ends go as soon as it is told to forget. */
function storeOf(bound: readonly number[]): Memory {
  const memory = new Memory(4)
  for (const n of bound) put(memory, n, BindingState.active)
  memory.raiseHorizon(NOW - 100)
  return memory
}

function put(memory: Memory, n: number, state: BindingState): void {
  const at = Math.max(memory.newestAt, NOW)
  memory.put(
    bindingOf(4, n, { address: octets(addressOf(n)), state, clientLastTransaction: at, stateSince: at }),
    at,
  )
}

/** Notes what it is told, held against the store at that moment; each message ends the slice. */
class NotingPen implements Pen {
  readonly #memory: Memory
  length = 0
  /** Address, and whether it was bound. */
  readonly told: (readonly [number, boolean])[] = []

  constructor(memory: Memory) {
    this.#memory = memory
  }

  write(record: PackedBinding): boolean {
    const stored = this.#memory.get(record.address)!
    assert.deepEqual([record.changeNumber, record.state], [stored.changeNumber, stored.state])
    this.told.push([record.address4, true])
    return this.#wrote()
  }

  writeAvailable(address: number, since: number): boolean {
    assert.equal(this.#memory.get(octets(address)), undefined)
    assert.equal(since, this.#memory.horizon! - 1)
    this.told.push([address, false])
    return this.#wrote()
  }

  hasTold(): boolean {
    return false
  }

  take(): Extract<BulkFind, { kind: 'written' }> {
    this.length = 0
    return { kind: 'written', frames: new Uint8Array(0), messages: 0, bindings: 0 }
  }

  #wrote(): boolean {
    this.length += 1_000_000
    return true
  }
}

interface Asked {
  readonly pools: readonly { first: Uint8Array; last: Uint8Array }[]
  readonly steps: readonly Step[]
  readonly window?: ScanQuery['window']
}

/** Carries out the steps, reads on to the end, and gives what was told and which addresses were touched. */
function read(memory: Memory, { pools, steps, window }: Asked) {
  const topology = topologyOf([
    {
      id: 1,
      prefix: octets(BASE),
      prefixLength: 8,
      sharedNetwork: '',
      relayAddresses: [],
      renewTimer: 0,
      rebindTimer: 0,
      pools,
    },
  ])
  const pen = new NotingPen(memory)
  const moment: Moment = { mono: 0, now: NOW, keaNow: NOW }
  const query: ScanQuery = {
    selector: { by: 'all' },
    window,
    configured: true,
    departures: false,
    where: () => true,
    pen,
  }
  const bulk = openBulk(memory as unknown as BulkStore, topology, query, () => moment)!
  const touched = new Set<number>()
  let done = false
  for (const step of steps) {
    if (step.kind === 'slice') {
      if (!done) ({ done } = bulk.next([]))
      continue
    }
    touched.add(addressOf(step.n))
    if (step.kind === 'bind') put(memory, step.n, BindingState.active)
    else put(memory, step.n, BindingState.released)
    if (step.kind === 'forget') {
      memory.retention = { seconds: 0, maxEnded: 0 }
      memory.prune(Math.max(memory.newestAt, NOW) + 1)
    }
  }
  while (!done) ({ done } = bulk.next([]))
  bulk.close()
  return { told: pen.told, touched, configured: topology.configured }
}

function holds(ranges: Ranges4, address: number): boolean {
  for (let i = 0; i < ranges.length; i += 2)
    if (address >= ranges[i]! && address <= ranges[i + 1]!) return true
  return false
}

function addressesOf(ranges: Ranges4): number[] {
  const all: number[] = []
  for (let i = 0; i < ranges.length; i += 2) for (let n = ranges[i]!; n <= ranges[i + 1]!; n++) all.push(n)
  return all
}

const bound = fc.uniqueArray(fc.nat(ADDRESSES - 1), { maxLength: ADDRESSES })
const steps = fc.array(anyStep, { maxLength: 300, size: 'max' })

describe('all configured addresses', () => {
  it('come once each, and what is bound outside of them, whatever changes meanwhile', () => {
    fc.assert(
      fc.property(bound, ranges, steps, (bound, pools, steps) => {
        const memory = storeOf(bound)
        const { told, touched, configured } = read(memory, { pools, steps })
        const addresses = told.map(([address]) => address)
        assert.equal(new Set(addresses).size, addresses.length)
        const inside = addresses.filter((address) => holds(configured, address)).sort((a, b) => a - b)
        assert.deepEqual(inside, addressesOf(configured))
        for (const [address, isBound] of told) assert.ok(isBound || holds(configured, address))
        const outside = new Set(addresses.filter((address) => !holds(configured, address)))
        for (const n of bound)
          if (!holds(configured, addressOf(n)) && !touched.has(addressOf(n)))
            assert.ok(outside.has(addressOf(n)))
      }),
      { numRuns: 100 },
    )
  })

  it('come by the window where it reaches below the horizon: what did not change in it does not', () => {
    fc.assert(
      fc.property(bound, ranges, steps, fc.constantFrom(undefined, 1), (bound, pools, steps, start) => {
        const memory = storeOf(bound)
        // All that is bound at the opening is younger than the window; what changes meanwhile is, too.
        const window = { start, end: NOW - 1 }
        const { told, touched, configured } = read(memory, { pools, steps, window })
        const held = new Set(bound.map(addressOf))
        const addresses = told.map(([address]) => address)
        assert.equal(new Set(addresses).size, addresses.length)
        for (const [address] of told) assert.ok(!held.has(address) || touched.has(address))
        const free = addressesOf(configured).filter((address) => !held.has(address) && !touched.has(address))
        for (const address of free) assert.ok(addresses.includes(address))
      }),
      { numRuns: 60 },
    )
  })

  it('are few where the ranges are none, and end where the numbers do', () => {
    const memory = storeOf([1, 2])
    assert.deepEqual(
      read(memory, { pools: [], steps: [] }).told.map(([address]) => address),
      [addressOf(1), addressOf(2)],
    )
    const last = [{ first: octets(0xfffffffe), last: octets(0xffffffff) }]
    assert.deepEqual(read(storeOf([]), { pools: last, steps: [] }).told, [
      [0xfffffffe, false],
      [0xffffffff, false],
    ])
  })
})

it('a set of addresses knows how many follow one another', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0, 0x7fffff00, 0xfffff000),
      fc.array(fc.tuple(fc.nat(4000), fc.integer({ min: 1, max: 300 })), { maxLength: 20 }),
      fc.array(fc.nat(4095), { maxLength: 50 }),
      (base, runs, asked) => {
        const set = new AddressSet()
        const expected = new Set<number>()
        for (const [from, length] of runs)
          for (let n = from; n < Math.min(from + length, 4096); n++) {
            set.add(base + n)
            expected.add(base + n)
          }
        for (const n of [...asked, ...runs.map(([from]) => from)]) {
          const address = base + n
          const run = set.run(address)
          for (let i = 0; i < run; i++) assert.ok(expected.has(address + i))
          // It may end with a chunk, but nowhere else.
          assert.ok(!expected.has(address + run) || (address + run) % 2048 === 0)
          assert.equal(run > 0, expected.has(address))
          assert.equal(set.has(address), expected.has(address))
        }
      },
    ),
  )
})
