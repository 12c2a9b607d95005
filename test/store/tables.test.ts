// The parts the store is made of: hash, linear hash, slabs, chains, ordinals, sorted runs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Chains } from '../../sidecar/store/chains.ts'
import { KeyedHash } from '../../sidecar/store/keyed-hash.ts'
import { LinearHash } from '../../sidecar/store/linear-hash.ts'
import { OrdinalQueue, Ordinals } from '../../sidecar/store/ordinals.ts'
import { Rows } from '../../sidecar/store/rows.ts'
import { LARGEST_PIECE, Slabs } from '../../sidecar/store/slabs.ts'
import { SortedRuns } from '../../sidecar/store/sorted-runs.ts'

test('the hash depends on key, octets and length', () => {
  const a = new KeyedHash(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))
  const b = new KeyedHash(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 9))
  const data = Uint8Array.of(1, 2, 3, 4, 5, 0)
  assert.equal(a.of(data), a.of(Uint8Array.from(data)))
  assert.notEqual(a.of(data), b.of(data))
  assert.notEqual(a.of(data), a.of(data, 5))
  const seen = new Set<number>()
  for (let i = 0; i < 100_000; i++) seen.add(a.of(Uint8Array.of(i >>> 16, i >>> 8, i)))
  // By chance about one pair in 2^32 collides: 1.2 of these.
  assert.ok(seen.size > 99_980, `${seen.size} of 100000 differ`)
})

test('linear hashing finds what is in, and only that, while it grows', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(4000)), { maxLength: 6000 }), (steps) => {
      const rows = new Rows(2)
      const table = new LinearHash(rows, 0, 1)
      const model = new Set<number>()
      const hashOf = (row: number): number => (row * 2654435761) >>> (row % 7 === 0 ? 20 : 0)
      for (const [put, i] of steps) {
        const row = i + 1
        rows.reach(row)
        if (put && !model.has(row)) {
          table.insert(hashOf(row), row)
          model.add(row)
        } else if (!put && model.delete(row)) table.remove(row)
      }
      assert.equal(table.size, model.size)
      for (let row = 1; row <= 4001; row++) {
        let found = false
        for (let at = table.first(hashOf(row)); at !== 0; at = table.next(at)) found ||= at === row
        assert.equal(found, model.has(row))
      }
    }),
    { numRuns: 30 },
  )
})

test('linear hashing keeps its chains short', () => {
  const rows = new Rows(2)
  const table = new LinearHash(rows, 0, 1)
  const hash = new KeyedHash()
  const count = 200_000
  for (let row = 1; row <= count; row++) {
    rows.reach(row)
    table.insert(hash.of(Uint8Array.of(row >>> 16, row >>> 8, row)), row)
  }
  let longest = 0
  for (let row = 1; row <= count; row++) {
    let length = 0
    for (let at = table.first(table.hashOf(row)); at !== 0; at = table.next(at)) length++
    longest = Math.max(longest, length)
  }
  assert.ok(longest < 24, `a bucket of ${longest}`)
})

test('pieces of a slab never overlap and keep what was written', () => {
  const length = fc.oneof(
    fc.integer({ min: 1, max: 700 }),
    fc.integer({ min: 1, max: LARGEST_PIECE }),
    fc.constantFrom(32, 33, 128, 129, 1024, 1025, LARGEST_PIECE),
  )
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.record({ length }), fc.record({ free: fc.nat() })), { maxLength: 300 }),
      (steps) => {
        const slabs = new Slabs()
        const live: { reference: number; length: number; fill: number }[] = []
        const check = (piece: (typeof live)[0]): void => {
          const at = slabs.offset(piece.reference)
          const page = slabs.page(piece.reference)
          assert.ok(at + piece.length <= page.length)
          assert.equal(page[at], piece.fill)
          assert.equal(page[at + piece.length - 1], piece.fill)
        }
        let fill = 0
        for (const it of steps) {
          if ('length' in it) {
            fill = (fill % 255) + 1
            const reference = slabs.alloc(it.length)
            slabs.page(reference).fill(fill, slabs.offset(reference), slabs.offset(reference) + it.length)
            assert.ok(slabs.fits(reference, it.length))
            live.push({ reference, length: it.length, fill })
          } else if (live.length > 0) {
            const [piece] = live.splice(it.free % live.length, 1)
            check(piece!)
            slabs.free(piece!.reference)
          }
        }
        for (const piece of live) check(piece)
      },
    ),
    { numRuns: 40 },
  )
})

test('a slab gives empty pages back for pieces of another size', () => {
  const slabs = new Slabs()
  const small = Array.from({ length: 50_000 }, () => slabs.alloc(100))
  const full = slabs.octets
  for (const reference of small) slabs.free(reference)
  assert.ok(slabs.octets <= 1 << 18, `${slabs.octets} octets for nothing`)
  for (let i = 0; i < 20_000; i++) slabs.alloc(200)
  assert.ok(slabs.octets <= full)
})

test('chains hold the members of each value in link order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.nat(8)), { maxLength: 400 }),
      (steps) => {
        const values = new Map<number, Uint8Array>()
        const chains = new Chains((ordinal, value) => Buffer.from(values.get(ordinal)!).equals(value))
        // Two values share each hash.
        const hashOf = (value: Uint8Array): number => value.length >>> 1
        const model = new Map<string, number[]>()
        for (const [ordinal, choice] of steps) {
          // 8 only takes out.
          const old = values.get(ordinal)
          if (old !== undefined) {
            chains.remove(ordinal)
            chains.remove(ordinal)
            const members = model.get(Buffer.from(old).toString('hex'))!
            members.splice(members.indexOf(ordinal), 1)
            values.delete(ordinal)
          }
          if (choice === 8) continue
          const value = new Uint8Array(choice).fill(choice)
          values.set(ordinal, value)
          chains.add(ordinal, hashOf(value), value)
          const key = Buffer.from(value).toString('hex')
          model.set(key, [...(model.get(key) ?? []), ordinal])
        }
        for (const [key, members] of model) {
          const value = Buffer.from(key, 'hex')
          const found: number[] = []
          const first = chains.first(hashOf(value), value)
          for (let at = first; at !== 0; at = chains.next(at)) found.push(at)
          assert.deepEqual(found, members)
          for (const [i, member] of members.entries()) {
            assert.equal(chains.previous(member), members.at(i - 1))
          }
          if (first !== 0) assert.equal(chains.last(first), members.at(-1))
        }
      },
    ),
    { numRuns: 200 },
  )
})

test('ordinals freed during a scan are not used again before it closes', () => {
  const ordinals = new Ordinals()
  const [a, b] = [ordinals.next(), ordinals.next()]
  ordinals.free(a)
  const release = ordinals.hold()
  ordinals.free(b)
  assert.equal(ordinals.next(), a, 'freed before the scan began')
  assert.equal(ordinals.next(), 3, 'b might still be met')
  const later = ordinals.hold()
  release()
  release()
  assert.equal(ordinals.next(), b, 'the later scan began after b was freed')
  later()
})

test('a queue gives back what it was given, in order', () => {
  const queue = new OrdinalQueue()
  let given = 0
  let taken = 0
  for (let round = 1; round < 40; round++) {
    for (let i = 0; i < round * 700; i++) queue.push(++given)
    while (queue.length > round * 50) {
      assert.equal(queue.peek(), ++taken)
      assert.equal(queue.shift(), taken)
    }
  }
  while (queue.length > 0) assert.equal(queue.shift(), ++taken)
  assert.equal(taken, given)
})

test('sorted runs come out in order, however far the numbers lie apart', async () => {
  for (const span of [1, 2 ** 20, 2 ** 40]) {
    const runs = new SortedRuns()
    const count = 150_000
    for (let i = 0; i < count; i++) runs.add(((i * 7919) % count) * span + 1, (i * 7919) % count)
    let next = 0
    await runs.merge((number, ordinal) => {
      if (ordinal !== next || number !== next * span + 1) assert.fail(`${number} at place ${next}`)
      next++
    })
    assert.equal(next, count)
  }
  await new SortedRuns().merge(() => assert.fail('nothing was added'))
})
