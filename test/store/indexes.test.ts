import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { relaySelectors, sameSelectors, selectorKey } from '../../sidecar/store/indexes.ts'
import { bindingOf, octets, relayOf } from './support.ts'

const bytes = (...parts: (number | number[] | Uint8Array)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...part])))
const texts = (found: readonly Uint8Array[]): string[] => found.map((id) => new TextDecoder().decode(id))

test('RFC 6925 section 2, RFC 3046 section 3.2: relay-id and remote-id are found in option 82', () => {
  // biome-ignore format: one suboption a line
  const relay = bytes(
    1, 4, octets('port'),   // circuit-id
    2, 3, octets('cpe'),    // remote-id
    12, 2, octets('r1'),    // relay-id
  )
  const found = relaySelectors(4, relay)
  assert.deepEqual(texts(found.relayIds), ['r1'])
  assert.deepEqual(texts(found.remoteIds), ['cpe'])
})

test('RFC 5460 section 5.4.1, RFC 4649: relay-id and remote-id are found at every hop', () => {
  const header = [12, 0, ...new Array(32).fill(7)]
  // biome-ignore format: one option a line
  const inner = bytes(
    header,
    0, 53, 0, 2, octets('r2'),
    0, 37, 0, 7, [0, 0, 0, 9], octets('cpe'),
  )
  // biome-ignore format: one option a line
  const relay = bytes(
    new Array(16).fill(0xfe),         // peer-address, RFC 5007 section 4.1.2.4
    header,
    0, 18, 0, 1, octets('i'),         // interface-id
    0, 9, 0, inner.length, inner,     // OPTION_RELAY_MSG
    0, 53, 0, 2, octets('r1'),
  )
  const found = relaySelectors(6, relay)
  assert.deepEqual(texts(found.relayIds), ['r1', 'r2'])
  assert.deepEqual(texts(found.remoteIds), ['\0\0\0\x09cpe'])
})

test('relay data that is cut short or malformed is missing, never an error', () => {
  for (const family of [4, 6] as const) {
    const whole = relayOf(family, 'relay', 'remote', 'noise')
    for (let length = 0; length < whole.length; length++) {
      const { relayIds } = relaySelectors(family, whole.subarray(0, length))
      assert.deepEqual(texts(relayIds), [])
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (relay) => {
        relaySelectors(family, relay)
        relaySelectors(family, bytes(new Array(16).fill(0), 12, relay))
      }),
      { numRuns: 500 },
    )
  }
})

test('nesting deeper than any hop limit is left alone', () => {
  let message = bytes(12, 0, new Array(32).fill(0), 0, 53, 0, 1, 65)
  for (let hop = 0; hop < 200; hop++) {
    message = bytes(12, 0, new Array(32).fill(0), 0, 9, message.length >>> 8, message.length & 255, message)
  }
  assert.deepEqual(relaySelectors(6, bytes(new Array(16).fill(0), message)).relayIds, [])
})

test('selecting values are the same exactly when their key is', () => {
  for (const family of [4, 6] as const) {
    const some = fc.record({
      prefixLength: fc.constantFrom(0, 64),
      subnetId: fc.constantFrom(1, 256),
      hardwareType: fc.constantFrom(1, 6),
      hardwareAddress: fc.constantFrom(octets('a'), octets('ab')),
      clientId: fc.constantFrom(octets('b'), octets('')),
      relay: fc.constantFrom(
        relayOf(family, 'r', ''),
        relayOf(family, 'r', '', 'noise'),
        relayOf(family, '', 'r'),
        octets(''),
      ),
    })
    fc.assert(
      fc.property(some, some, (left, right) => {
        const a = bindingOf(family, 1, left)
        const b = bindingOf(family, 1, right)
        const equal = Buffer.from(selectorKey(family, a)).equals(selectorKey(family, b))
        assert.equal(equal, sameSelectors(family, a, b))
      }),
      { numRuns: 500 },
    )
  }
})
