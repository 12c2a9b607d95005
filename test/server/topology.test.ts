import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type LinkSubnet, type Ranges4, topologyOf } from '../../sidecar/server/topology.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'

const address = (text: string) => parseAddress(text)!

function subnet(prefix: string, prefixLength: number, more: Partial<LinkSubnet> = {}): LinkSubnet {
  return {
    id: 1,
    prefix: address(prefix),
    prefixLength,
    sharedNetwork: '',
    relayAddresses: [],
    renewTimer: 0,
    rebindTimer: 0,
    ...more,
  }
}

const octets = (n: number) => Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n)

/** Ranges of a small world, as they stand in pools: in any order, overlapping, one of them the wrong way round. */
const anyRanges = fc.array(
  fc.tuple(fc.nat(60), fc.nat(6)).map(([first, more]) => [first, first + more] as const),
  { maxLength: 12 },
)

/** As the feed gives reservations: ascending, none twice. */
function ascending(ranges: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  let end = -1
  return [...ranges]
    .sort(([a], [b]) => a - b)
    .flatMap(([first, last]) => {
      const from = Math.max(first, end + 1)
      if (from > last) return []
      end = last
      return [[from, last] as const]
    })
}

describe('the configured addresses', () => {
  // At both ends of the numbers too, where 32 bits overflow.
  for (const base of [0, 0xc0000200, 0xffffffff - 66])
    it(`are those of pools and of reservations, each once and in order, from ${base} on`, () => {
      fc.assert(
        fc.property(anyRanges, anyRanges.map(ascending), (pools, reserved) => {
          const range = ([first, last]: readonly [number, number]) => ({
            first: octets(base + first),
            last: octets(base + last),
          })
          const packed = Buffer.concat(reserved.map(range).flatMap(({ first, last }) => [first, last]))
          const { configured } = topologyOf([subnet('0.0.0.0', 0, { pools: pools.map(range) })], packed)
          const expected = new Set<number>()
          for (const [first, last] of [...pools, ...reserved])
            for (let n = first; n <= last; n++) expected.add(base + n)
          assert.deepEqual(
            addressesOf(configured),
            [...expected].sort((a, b) => a - b),
          )
        }),
      )
    })

  it('are so many ranges as there are gaps, and no more', () => {
    const reserved = Buffer.from([192, 0, 2, 1, 192, 0, 2, 9, 192, 0, 2, 21, 192, 0, 2, 30])
    const pools = [{ first: address('192.0.2.10'), last: address('192.0.2.20') }]
    const { configured } = topologyOf([subnet('192.0.2.0', 24, { pools })], reserved)
    assert.deepEqual([...configured], [0xc0000201, 0xc000021e])
  })

  it('are none of DHCPv6', () => {
    const reserved = Buffer.concat([address('2001:db8:1::'), address('2001:db8:1::ff')])
    assert.equal(topologyOf([subnet('2001:db8::', 64)], reserved).configured.length, 0)
  })
})

describe('a link-address', () => {
  const relay = '2001:db8:ff::1'
  const { subnetsOfLink } = topologyOf([
    subnet('2001:db8:1::', 64, { id: 1, sharedNetwork: 'street', relayAddresses: [address(relay)] }),
    subnet('2001:db8:2::', 64, { id: 2, sharedNetwork: 'street' }),
    subnet('2001:db8:3::', 64, { id: 3, relayAddresses: [address(relay), address('2001:db8:1::2')] }),
    subnet('2001:db8::', 32, { id: 4 }),
  ])

  const cases: [string, string, number[]][] = [
    ['in a subnet stands for its shared network, and for a wider subnet', '2001:db8:2::1', [1, 2, 4]],
    ['of a relay of several links stands for all of them', relay, [1, 2, 3, 4]],
    ["in one subnet and of another one's relay stands for both", '2001:db8:1::2', [1, 2, 3, 4]],
    ['of nowhere stands for none', '2001:db9::1', []],
  ]
  for (const [what, text, subnets] of cases)
    it(`${what} (RFC 5460 section 7.2: "links that could contain that address")`, () =>
      assert.deepEqual(subnetsOfLink(address(text)), subnets))
})

describe('a reserved prefix', () => {
  it('is on a link, from its first address to its last (RFC 5007 section 4.4.1)', () => {
    const prefixes = [
      ['2001:db8:1::', '2001:db8:1:ff:ffff:ffff:ffff:ffff'],
      ['2001:db8:3::', '2001:db8:3:ff:ffff:ffff:ffff:ffff'],
    ]
    const reserved = Buffer.concat(prefixes.flat().map(address))
    const { isOnLink } = topologyOf([subnet('2001:db8::', 64)], reserved)
    for (const on of ['2001:db8::1', ...prefixes.flat(), '2001:db8:1:80::1'])
      assert.ok(isOnLink(address(on)), on)
    for (const off of [
      '2001:db8:0:ffff:ffff:ffff:ffff:ffff',
      '2001:db8:1:100::',
      '2001:db8:2::',
      '2001:db8:4::',
    ])
      assert.ok(!isOnLink(address(off)), off)
  })
})

function addressesOf(ranges: Ranges4): number[] {
  const all: number[] = []
  for (let i = 0; i < ranges.length; i += 2) for (let n = ranges[i]!; n <= ranges[i + 1]!; n++) all.push(n)
  return all
}
