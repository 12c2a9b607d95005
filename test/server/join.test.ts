import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joined } from '../../sidecar/server/join.ts'

const slab = Uint8Array.from({ length: 16 }, (_, i) => i)

test('messages side by side are joined without a copy', () => {
  const whole = joined([slab.subarray(2, 5), slab.subarray(5, 6), slab.subarray(6, 9)])
  assert.deepEqual([...whole], [2, 3, 4, 5, 6, 7, 8])
  assert.equal(whole.buffer, slab.buffer)
})

test('messages apart, out of order or of two slabs are copied in order', () => {
  const other = slab.slice()
  for (const messages of [
    [slab.subarray(2, 5), slab.subarray(6, 9)],
    [slab.subarray(5, 9), slab.subarray(2, 5)],
    [slab.subarray(2, 5), other.subarray(5, 9)],
    [slab.subarray(2, 5), slab.subarray(2, 5)],
  ]) {
    assert.deepEqual(
      [...joined(messages)],
      messages.flatMap((message) => [...message]),
    )
  }
})

test('one message is itself, none is nothing', () => {
  assert.deepEqual([...joined([slab.subarray(3, 4)])], [3])
  assert.equal(joined([]).length, 0)
})
