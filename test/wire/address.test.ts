import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
  prefixContains,
} from '../../sidecar/wire/address.ts'
import { hex } from './bytes.ts'

describe('addresses as text', () => {
  const written: [octets: string, text: string][] = [
    ['c0 00 02 39', '192.0.2.57'],
    ['00*4', '0.0.0.0'],
    ['00*16', '::'],
    ['00*15 01', '::1'],
    ['20 01 0d b8 00*12', '2001:db8::'],
    ['20 01 0d b8 00*10 00 01', '2001:db8::1'],
    // RFC 5952 section 4.2.2: one group of zeros is not shortened
    ['20 01 0d b8 00 00 00 01 00 01 00 01 00 01 00 01', '2001:db8:0:1:1:1:1:1'],
    // section 4.2.3: the longest run, the first of equal ones
    ['20 01 00 00 00 00 00 01 00 00 00 00 00 00 00 01', '2001:0:0:1::1'],
    ['20 01 0d b8 00 00 00 00 00 01 00 00 00 00 00 01', '2001:db8::1:0:0:1'],
    // section 4.1 and 4.3: no leading zeros, lower case
    ['00 0a 0b cd 00 01 00 02 00 03 00 04 00 05 00 06', 'a:bcd:1:2:3:4:5:6'],
    // section 5: embedded IPv4
    ['00*10 ff ff c0 00 02 01', '::ffff:192.0.2.1'],
  ]
  for (const [octets, text] of written)
    it(`writes and reads ${text} (RFC 5952)`, () => {
      assert.equal(formatAddress(hex(octets)), text)
      assert.deepEqual(parseAddress(text), hex(octets))
    })

  const read: [text: string, octets: string][] = [
    ['2001:DB8:0:0:0:0:0:1', '20 01 0d b8 00*11 01'],
    ['64:ff9b::192.0.2.33', '00 64 ff 9b 00*8 c0 00 02 21'],
    ['1:2:3:4:5:6:7::', '00 01 00 02 00 03 00 04 00 05 00 06 00 07 00 00'],
  ]
  for (const [text, octets] of read)
    it(`reads ${text} (RFC 4291 section 2.2)`, () => assert.deepEqual(parseAddress(text), hex(octets)))

  const wrong = [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    '0x1.2.3.4',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '[::1]',
    '1.2.3.4::',
    '::1.2.3.4.5',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
  ]
  for (const text of wrong)
    it(`does not take ${JSON.stringify(text)} for an address`, () =>
      assert.equal(parseAddress(text), undefined))

  it('reads back what it writes', () => {
    const octets = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
        .map((a) => Uint8Array.from(a)),
    )
    fc.assert(fc.property(octets, (value) => assert.deepEqual(parseAddress(formatAddress(value)), value)))
  })

  it('never throws for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:./]{0,40}$/)), (text) => {
        parseAddress(text)
        parsePrefix(text)
      }),
    )
  })
})

describe('prefixes as text', () => {
  it('reads a length, and a plain address as a full one', () => {
    assert.deepEqual(parsePrefix('192.0.2.0/24'), { address: hex('c0 00 02 00'), length: 24 })
    assert.deepEqual(parsePrefix('192.0.2.1'), { address: hex('c0 00 02 01'), length: 32 })
    assert.deepEqual(parsePrefix('::/0'), { address: hex('00*16'), length: 0 })
    assert.equal(formatPrefix(parsePrefix('2001:db8:4700::/40')!), '2001:db8:4700::/40')
  })

  for (const text of [
    '192.0.2.1/24',
    '192.0.2.0/33',
    '192.0.2.0/',
    '192.0.2.0/024',
    '::/129',
    '::/1/2',
    '/8',
  ])
    it(`does not take ${text} for a prefix`, () => assert.equal(parsePrefix(text), undefined))

  it('contains just the addresses that share its bits', () => {
    const prefix = parsePrefix('192.0.2.128/25')!
    assert.equal(prefixContains(prefix, parseAddress('192.0.2.128')!), true)
    assert.equal(prefixContains(prefix, parseAddress('192.0.2.127')!), false)
    assert.equal(prefixContains(parsePrefix('0.0.0.0/0')!, parseAddress('255.1.1.1')!), true)
    assert.equal(prefixContains(parsePrefix('::/0')!, parseAddress('192.0.2.1')!), false)
    assert.equal(prefixContains(parsePrefix('192.0.2.1')!, parseAddress('192.0.2.1')!), true)
  })
})
