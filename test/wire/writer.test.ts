/** Octets are copied by words and room is zero: held against the plain way, at all lengths and places. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Writer } from '../../sidecar/wire/writer.ts'

const source = Uint8Array.from({ length: 2000 }, (_, i) => (i * 7 + 3) & 255)
// Not at the beginning of its buffer.
const data = new DataView(Uint8Array.from([9, 9, 9, ...source]).buffer, 3)

const part = fc
  .tuple(fc.nat(1000), fc.oneof(fc.nat(12), fc.nat(900)))
  .map(([from, length]) => [from, from + length] as const)

test('octets of any length come as they are, behind whatever stands there', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.array(part, { maxLength: 8 }), (before, parts) => {
      const writer = new Writer(1)
      writer.zeros(before)
      for (const [from, to] of parts) writer.copy(data, from, to)
      const expected = [new Uint8Array(before), ...parts.map(([from, to]) => source.subarray(from, to))]
      assert.deepEqual(Buffer.from(writer.view()), Buffer.concat(expected))
    }),
  )
})

test('what is left out is zero, also where something stood before', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(part, fc.nat(100), fc.constant('reset' as const), fc.constant('back' as const)), {
        maxLength: 30,
      }),
      (steps) => {
        const writer = new Writer(4)
        let expected = Buffer.alloc(0)
        for (const step of steps) {
          if (step === 'reset') {
            writer.reset()
            expected = Buffer.alloc(0)
          } else if (step === 'back') {
            expected = expected.subarray(0, expected.length >> 1)
            writer.truncate(expected.length)
          } else if (typeof step === 'number') {
            writer.zeros(step)
            expected = Buffer.concat([expected, Buffer.alloc(step)])
          } else {
            writer.copy(data, ...step)
            expected = Buffer.concat([expected, source.subarray(...step)])
          }
        }
        assert.deepEqual(Buffer.from(writer.take()), expected)
      },
    ),
  )
})

test('a long DHCPv4 option is split alike, copied or written and ended (RFC 3396 section 5)', () => {
  for (const length of [1, 254, 255, 256, 510, 511, 1000]) {
    const copied = new Writer()
    copied.copyOption4(82, data, 5, 5 + length)
    const ended = new Writer()
    const mark = ended.beginOption4(82)
    ended.octets(source.subarray(5, 5 + length))
    ended.endOption4(mark)
    assert.deepEqual(copied.take(), ended.take(), `${length} octets`)
  }
  const none = new Writer()
  none.copyOption4(82, data, 5, 5)
  assert.equal(none.length, 0)
})

test('what was not written cannot be patched, and what does not fit its length field is our mistake', () => {
  const writer = new Writer()
  writer.zeros(6)
  assert.throws(() => writer.patch8(6, 1), RangeError)
  assert.throws(() => writer.patch16(5, 1), RangeError)
  assert.throws(() => writer.patch32(3, 1), RangeError)
  assert.throws(() => writer.patch(4, new Uint8Array(3)), RangeError)
  assert.throws(() => writer.patchCopy(4, data, 0, 3), RangeError)
  assert.throws(() => writer.truncate(7), RangeError)
  const large = new DataView(new ArrayBuffer(70_000))
  assert.throws(() => writer.copyOption6(47, large, 0, 65_536), RangeError)
})
