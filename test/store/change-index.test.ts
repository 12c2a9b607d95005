import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ChangeIndex } from '../../sidecar/store/change-index.ts'

type Entry = { number: number; ordinal: number; at: number }

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      gap: fc.constantFrom(1, 1, 1, 2, 700, 5000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('many' as const), count: fc.integer({ min: 1, max: 6000 }) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('clear' as const), which: fc.nat() }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('thin' as const), keep: fc.integer({ min: 1, max: 40 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('replace' as const), which: fc.nat() }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('scan' as const),
      after: fc.nat(20_000),
      limit: fc.integer({ min: 1, max: 300 }),
      visit: fc.integer({ min: 1, max: 9000 }),
    }),
  },
)

test('the change index behaves as a sorted list of numbers', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const index = new ChangeIndex()
      let model: Entry[] = []
      const times = new Map<number, number>()
      let newest = 0
      let ordinal = 0
      let at = 100
      const append = (gap: number): void => {
        newest += gap
        at += gap % 2
        ordinal++
        index.append(newest, ordinal)
        model.push({ number: newest, ordinal, at })
        times.set(ordinal, at)
      }
      for (const it of steps) {
        if (it.kind === 'append') append(it.gap)
        else if (it.kind === 'many') for (let i = 0; i < it.count; i++) append(1)
        else if (it.kind === 'clear' && model.length > 0) {
          const [gone] = model.splice(it.which % model.length, 1)
          index.clear(gone!.number)
        } else if (it.kind === 'thin') {
          const kept = model.filter((_, i) => i % it.keep === 0)
          for (const entry of model) if (!kept.includes(entry)) index.clear(entry.number)
          model = kept
        } else if (it.kind === 'replace' && model.length > 0) {
          const entry = model[it.which % model.length]!
          entry.ordinal = ++ordinal
          times.set(ordinal, entry.at)
          index.replace(entry.number, ordinal)
        } else if (it.kind === 'scan') {
          const seen: number[] = []
          const through = index.scan(it.after, it.limit, it.visit, (o) => seen.push(o))
          const expected = model.filter((entry) => entry.number > it.after)
          assert.deepEqual(
            seen,
            expected.slice(0, seen.length).map((entry) => entry.ordinal),
          )
          assert.ok(seen.length <= it.limit)
          if (it.after <= newest) {
            assert.ok(through >= it.after && through <= newest)
            assert.equal(
              seen.length,
              expected.filter((entry) => entry.number <= through).length,
              'all up to `through` was shown',
            )
            assert.ok(through > it.after || it.after === newest, 'each call gets on')
          }
        }
        assert.equal(index.newest, newest)
        assert.equal(index.size, model.length)
      }
      const all: number[] = []
      for (let after = 0; after < newest; ) after = index.scan(after, 1000, 1000, (o) => all.push(o))
      assert.deepEqual(
        all,
        model.map((entry) => entry.ordinal),
      )
      for (const time of [0, 100, 101, Math.floor((100 + at) / 2), at, at + 1]) {
        const first = model.find((entry) => entry.at >= time)
        assert.equal(
          index.before(time, (o) => times.get(o)!),
          first === undefined ? newest : first.number - 1,
        )
      }
    }),
    { numRuns: 60 },
  )
})

test('what moves on takes its room along: the index stays in proportion to its entries', () => {
  const index = new ChangeIndex()
  const bindings = 5000
  const at = new Float64Array(bindings)
  let number = 0
  // One binding in a hundred never changes again; the others go on and on.
  const append = (i: number): void => {
    at[i] = ++number
    index.append(number, i + 1)
  }
  for (let i = 0; i < bindings; i++) append(i)
  for (let round = 0; round < 400; round++) {
    for (let i = 0; i < bindings; i++) {
      if (i % 100 === 0 && i / 100 < round) continue
      index.clear(at[i]!)
      append(i)
    }
  }
  assert.equal(index.size, bindings)
  assert.ok(index.octets < 24 * bindings + 4 * 16_384, `${index.octets} octets`)
})

test('an entry that is not there is a mistake of the caller', () => {
  const index = new ChangeIndex()
  index.append(5, 1)
  assert.throws(() => index.clear(4), RangeError)
  assert.throws(() => index.append(5, 2), RangeError)
  index.clear(5)
  assert.throws(() => index.clear(5), RangeError)
})
