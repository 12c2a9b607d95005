// What the vectors do not show: splitting and joining, unknown options, and what any octets whatever lead to.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromSeconds2000, toSeconds2000 } from '../../sidecar/wire/absolute-time.ts'
import { Framer } from '../../sidecar/wire/framing.ts'
import { decodeMessage4, encodeFrame4 } from '../../sidecar/wire/v4/codec.ts'
import { subOptions4 } from '../../sidecar/wire/v4/options.ts'
import { decodeMessage6, encodeFrame6 } from '../../sidecar/wire/v6/codec.ts'
import {
  clientData6,
  options6,
  queryOptions6,
  rawOptions6,
  relayHops6,
} from '../../sidecar/wire/v6/options.ts'
import { WireError, type WireErrorCode } from '../../sidecar/wire/wire-error.ts'
import { concat, hex, message4, message6, option4, option6, toHex, u32, vector } from './bytes.ts'

function fails(run: () => unknown, code: WireErrorCode, where: RegExp): WireError {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof WireError, String(error))
    assert.equal(error.code, code)
    assert.match(error.message, where)
    return error
  }
  assert.fail('nothing was thrown')
}

const ACTIVE4 = option4(53, [16])

describe('DHCPv4 options', () => {
  it('joins an option that comes in several instances (RFC 3396 section 7)', () => {
    const message = decodeMessage4(
      message4(1, 7, [...ACTIVE4, ...option4(82, [1, 2, 9]), ...option4(12, [65]), ...option4(82, [9])]),
    )
    assert.deepEqual(message.options.relayAgentInformation, Uint8Array.of(1, 2, 9, 9))
    assert.deepEqual(message.options.unknown, [{ code: 12, data: Uint8Array.of(65) }])
  })

  it('splits a value over 255 octets, and joins it again (RFC 3396 section 5)', () => {
    const long = Uint8Array.from({ length: 600 }, (_, i) => i % 251)
    const frame = encodeFrame4({ op: 2, type: 13, xid: 1, options: { relayAgentInformation: long } })
    assert.equal(
      toHex(frame.subarray(2)),
      toHex(
        message4(2, 1, [
          ...option4(53, [13]),
          ...option4(82, long.subarray(0, 255)),
          ...option4(82, long.subarray(255, 510)),
          ...option4(82, long.subarray(510)),
        ]),
      ),
    )
    assert.deepEqual(decodeMessage4(frame.subarray(2)).options.relayAgentInformation, long)
  })

  it('writes exactly 255 octets as one instance', () => {
    const value = new Uint8Array(255).fill(3)
    const frame = encodeFrame4({ op: 2, type: 13, xid: 1, options: { relayAgentInformation: value } })
    assert.equal(frame.length, 2 + 240 + 3 + 2 + 255 + 1)
  })

  it('skips pad options, and ends at the end option whatever follows', () => {
    const message = decodeMessage4(message4(1, 7, [0, 0, ...ACTIVE4, 0, 255, 154, 9]))
    assert.equal(message.type, 16)
    assert.deepEqual(message.options, {})
  })

  it('reads options in file and sname where option 52 says so (RFC 2131 section 4.1)', () => {
    const message = decodeMessage4(
      message4(1, 7, [...ACTIVE4, ...option4(52, [3])], {
        108: [...option4(154, u32(5)), 255],
        44: [...option4(155, u32(6)), 255],
      }),
    )
    assert.equal(message.options.queryStartTime, 5)
    assert.equal(message.options.queryEndTime, 6)
  })

  it('keeps options it does not know, and writes them back', () => {
    const octets = message4(2, 7, [
      ...option4(53, [13]),
      ...option4(12, [65, 66]),
      ...option4(124, [1, 2, 3]),
    ])
    assert.equal(toHex(encodeFrame4(decodeMessage4(octets)).subarray(2)), toHex(octets))
  })

  it('writes option 82 behind all others (RFC 3046 section 2.1)', () => {
    const frame = encodeFrame4({
      op: 2,
      type: 13,
      xid: 1,
      options: {
        relayAgentInformation: Uint8Array.of(1, 1, 5),
        unknown: [{ code: 12, data: Uint8Array.of(65) }],
      },
    })
    assert.ok(toHex(frame).endsWith('0c 01 41 52 03 01 01 05 ff'))
  })

  it('cannot be answered where the form is broken', () => {
    const good = vector('v4', 'alq4').subarray(2)
    const cases: [Uint8Array, WireErrorCode, RegExp][] = [
      [good.subarray(0, 239), 'too-short', /DHCPv4 message/],
      [message4(1, 7, ACTIVE4, { 236: [0x63, 0x82, 0x53, 0x64] }), 'bad-value', /magic cookie/],
      [message4(1, 7, []), 'missing', /option 53/],
      [message4(1, 7, option4(53, [16, 16])), 'bad-value', /option 53/],
      [concat(message4(1, 7, ACTIVE4).subarray(0, -1), [154, 4, 1]), 'too-short', /DHCPv4 options/],
      [concat(message4(1, 7, ACTIVE4).subarray(0, -1), [154]), 'too-short', /DHCPv4 options/],
    ]
    for (const [octets, code, where] of cases)
      assert.equal(fails(() => decodeMessage4(octets), code, where).answerable, undefined)
  })

  it('can be answered where only a value is broken', () => {
    const cases: [number[], WireErrorCode, RegExp][] = [
      [option4(154, [1, 2, 3]), 'too-short', /154 \(queryStartTime\)/],
      [option4(154, [1, 2, 3, 4, 5]), 'trailing', /154/],
      [option4(55, []), 'too-short', /55/],
      [option4(151, []), 'too-short', /151/],
      [option4(151, [3, 65, 0]), 'bad-value', /NUL/],
      [[...option4(154, u32(1)), ...option4(154, u32(1))], 'trailing', /154/],
    ]
    for (const [options, code, where] of cases) {
      const octets = message4(1, 0x4a1c0001, [...ACTIVE4, ...options])
      const error = fails(() => decodeMessage4(octets), code, where)
      assert.deepEqual(error.answerable, { type: 16, xid: 0x4a1c0001 })
    }
  })

  it('writes a status text without NUL (RFC 6926 section 6.2.2)', () => {
    const frame = encodeFrame4({ op: 2, type: 17, xid: 1, options: { status: { code: 2, text: 'a\0ö' } } })
    assert.ok(toHex(frame).endsWith('97 05 02 61 20 c3 b6 ff'))
  })

  it('refuses to write what no size prefix can announce', () => {
    const data = new Uint8Array(65535)
    assert.throws(
      () => encodeFrame4({ op: 2, type: 13, xid: 1, options: { relayAgentInformation: data } }),
      RangeError,
    )
    assert.throws(
      () => encodeFrame6({ type: 17, xid: 1, options: { unknown: [{ code: 9, data }] } }),
      RangeError,
    )
  })
})

describe('DHCPv6 options', () => {
  const ALQ = (options: number[]): Uint8Array => message6(22, 0x7c0001, options)

  it('keeps options it does not know at every level', () => {
    const octets = message6(17, 5, [
      ...option6(200, [1]),
      ...option6(45, [
        ...option6(1, [0, 3]),
        ...option6(46, u32(0)),
        ...option6(5, [...hex('20 01 0d b8 00*12'), ...u32(1), ...u32(2), ...option6(13, [0, 0])]),
        ...option6(200, [7, 7]),
      ]),
    ])
    const decoded = decodeMessage6(octets)
    assert.deepEqual(decoded.options.unknown, [{ code: 200, data: Uint8Array.of(1) }])
    assert.deepEqual(decoded.options.clientData?.unknown, [{ code: 200, data: Uint8Array.of(7, 7) }])
    assert.deepEqual(decoded.options.clientData?.iaAddresses?.[0]?.options, [
      { code: 13, data: Uint8Array.of(0, 0) },
    ])
    assert.deepEqual(decodeMessage6(encodeFrame6(decoded).subarray(2)), decoded)
  })

  it('reads times inside OPTION_LQ_QUERY as well, where RFC 7653 leaves their place open', () => {
    const decoded = decodeMessage6(ALQ(option6(44, [4, ...hex('00*16'), ...option6(101, u32(9))])))
    assert.equal(decoded.options.leaseQuery?.options.startTime, 9)
  })

  it('cannot be answered where the form is broken', () => {
    for (const octets of [
      hex('16'),
      hex('16 7c 00'),
      hex('16 7c 00 01 00'),
      hex('16 7c 00 01 00 01 00 05 01'),
    ])
      assert.equal(fails(() => decodeMessage6(octets), 'too-short', /DHCPv6/).answerable, undefined)
  })

  it('can be answered where only a value is broken, with the Client-ID where it could be read', () => {
    const client = [0, 3, 0, 1]
    const cases: [number[], WireErrorCode, RegExp][] = [
      [option6(101, [1, 2, 3]), 'too-short', /101 \(startTime\)/],
      [option6(101, [1, 2, 3, 4, 5]), 'trailing', /101/],
      [option6(6, [0, 100, 0]), 'too-short', /6 \(requestedOptions\)/],
      [option6(44, [1, 2, 3]), 'too-short', /44 \(leaseQuery\)/],
      [option6(44, [1, ...hex('00*16'), 0, 5, 0]), 'too-short', /44/],
      [
        option6(44, [1, ...hex('00*16'), ...option6(5, hex('00*23'))]),
        'too-short',
        /OPTION_LQ_QUERY option 5/,
      ],
      [option6(45, option6(26, [...hex('00*8 81 00*16')])), 'bad-value', /prefix length 129/],
      [[...option6(101, u32(1)), ...option6(101, u32(1))], 'duplicate', /101/],
      [option6(13, [0]), 'too-short', /13/],
      [option6(13, [0, 1, 0]), 'bad-value', /NUL/],
      [option6(2, []), 'too-short', /2 \(serverId\)/],
    ]
    for (const [options, code, where] of cases) {
      const error = fails(() => decodeMessage6(ALQ([...option6(1, client), ...options])), code, where)
      assert.deepEqual(error.answerable, { type: 22, xid: 0x7c0001, clientId: Uint8Array.from(client) })
    }
    const without = fails(() => decodeMessage6(ALQ(option6(101, []))), 'too-short', /101/)
    assert.deepEqual(without.answerable, { type: 22, xid: 0x7c0001, clientId: undefined })
  })

  it('takes 32 nested relays apart and no more', () => {
    let message: number[] = [12, 0, ...hex('00*32')]
    for (let hops = 1; hops < 32; hops++) message = [12, hops, ...hex('00*32'), ...option6(9, message)]
    assert.equal(relayHops6(Uint8Array.from(message)).length, 32)
    const deeper = Uint8Array.from([12, 32, ...hex('00*32'), ...option6(9, message)])
    fails(() => relayHops6(deeper), 'too-deep', /32 relays/)
  })

  it('does not go deeper than its options are meant to nest', () => {
    let nested: number[] = []
    for (let depth = 0; depth < 4000; depth++) nested = option6(45, nested).concat()
    const decoded = decodeMessage6(message6(17, 1, nested))
    assert.equal(decoded.options.clientData?.unknown?.[0]?.code, 45)
  })
})

describe('absolute times', () => {
  it('count from 2000-01-01 UTC in DHCPv6 (RFC 7653 section 6.3.1)', () => {
    assert.equal(toSeconds2000(Date.UTC(2000, 0, 1) / 1000), 0)
    assert.equal(toSeconds2000(1763758800), 0x30b38f50)
  })

  it('are modulo 2^32, and mean the second nearest to the present', () => {
    const wrap = Date.UTC(2000, 0, 1) / 1000 + 2 ** 32
    assert.equal(toSeconds2000(wrap), 0)
    assert.equal(fromSeconds2000(0, wrap + 5), wrap)
    assert.equal(fromSeconds2000(0, wrap - 5), wrap)
    assert.equal(fromSeconds2000(2 ** 32 - 1, wrap + 5), wrap - 1)
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 34 }),
        fc.integer({ min: 1 - 2 ** 31, max: 2 ** 31 - 1 }),
        (near, by) => assert.equal(fromSeconds2000(toSeconds2000(near + by), near), near + by),
      ),
    )
  })
})

describe('any octets give a value or a WireError', () => {
  /** Octets that look enough like messages to get into every corner. */
  const mutated = (frames: Uint8Array[]): fc.Arbitrary<Uint8Array> =>
    fc
      .tuple(
        fc.constantFrom(...frames),
        fc.array(fc.tuple(fc.nat(700), fc.nat(255)), { maxLength: 6 }),
        fc.option(fc.nat(700)),
      )
      .map(([frame, changes, length]) => {
        const octets = frame.slice(2)
        for (const [at, value] of changes) octets[at % octets.length] = value
        return length === null ? octets : octets.slice(0, length)
      })
  const v4 = ['alq4', 'active4', 'tls4-refuse', 'unassigned4'].map((name) => vector('v4', name))
  const v6 = ['alq6', 'lqreply6', 'lq6-relayid', 'removed6', 'done6'].map((name) => vector('v6', name))
  const noise = fc.uint8Array({ maxLength: 600 })

  const decoders: [string, fc.Arbitrary<Uint8Array>, (octets: Uint8Array) => unknown][] = [
    ['decodeMessage4', fc.oneof(noise, mutated(v4)), decodeMessage4],
    ['decodeMessage6', fc.oneof(noise, mutated(v6)), decodeMessage6],
    ['subOptions4', noise, (octets) => subOptions4(octets)],
    ['rawOptions6', noise, (octets) => rawOptions6(octets, 'here')],
    [
      'relayHops6',
      fc.oneof(
        noise,
        noise.map((rest) => concat([12, 0], hex('00*32'), rest)),
      ),
      relayHops6,
    ],
    ['options6', noise, (octets) => options6.decode(rawOptions6(octets, 'here'), 'here')],
    ['queryOptions6', noise, (octets) => queryOptions6.decode(rawOptions6(octets, 'here'), 'here')],
    ['clientData6', noise, (octets) => clientData6.decode(rawOptions6(octets, 'here'), 'here')],
    [
      'Framer',
      noise,
      (octets) => {
        const framer = new Framer()
        framer.push(octets)
        while (framer.next() !== undefined);
      },
    ],
  ]
  for (const [name, octets, decode] of decoders)
    it(name, () => {
      fc.assert(
        fc.property(octets, (input) => {
          try {
            decode(input)
          } catch (error) {
            if (!(error instanceof WireError)) throw error
          }
        }),
        { numRuns: 2000 },
      )
    })

  it('and what could be read comes back the same after it is written and read again', () => {
    const check =
      (decode: (o: Uint8Array) => unknown, encode: (m: never) => Uint8Array) => (input: Uint8Array) => {
        let value: unknown
        try {
          value = decode(input)
        } catch {
          return
        }
        assert.deepEqual(decode(encode(value as never).subarray(2)), value)
      }
    fc.assert(fc.property(mutated(v6), check(decodeMessage6, encodeFrame6)), { numRuns: 2000 })
    fc.assert(
      fc.property(
        // A hardware address is at most 16 octets; what claims more is kept as read.
        mutated(v4),
        check(decodeMessage4, encodeFrame4),
      ),
      { numRuns: 2000 },
    )
  })
})
