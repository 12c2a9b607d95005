/**
 * Messages about bindings are written straight from the store's memory. They are, octet for octet, what the plain way of an
 * object with options gives (reference4.ts, reference6.ts), for arbitrary bindings, queries, rights and clocks.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Binding,
  type BindingData,
  BindingState,
  type Family,
  INFINITE,
  Origin,
} from '../../sidecar/binding.ts'
import { PackedBinding } from '../../sidecar/packed-binding.ts'
import { numberOf } from '../../sidecar/server/topology.ts'
import type { Dialect, ReplyContext } from '../../sidecar/session/dialect.ts'
import { dialect4 } from '../../sidecar/session/dialect4.ts'
import { dialect6 } from '../../sidecar/session/dialect6.ts'
import { defaultLimits } from '../../sidecar/session/limits.ts'
import type { Moment } from '../../sidecar/session/session-io.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import { framesOf } from '../../sidecar/wire/framing.ts'
import { Code4 } from '../../sidecar/wire/v4/options.ts'
import { Code6 } from '../../sidecar/wire/v6/options.ts'
import { Writer } from '../../sidecar/wire/writer.ts'
import { allRights, identities } from './driver.ts'
import { reference4, referenceAvailable4 } from './reference4.ts'
import { reference6 } from './reference6.ts'

const NOW = 1_800_000_000

const octets = (maxLength: number) => fc.uint8Array({ maxLength })
/** Times about the present, and such as nobody has. */
const time = fc.oneof(
  fc.integer({ min: NOW - 5000, max: NOW + 100 }),
  fc.constantFrom(0, 1, 0xfffffffe, 0xffffffff),
)
const lifetime = fc.oneof(fc.integer({ min: 0, max: 7200 }), fc.constantFrom(INFINITE, INFINITE - 1))

/** Options in a row, mostly whole, with codes that are asked for and such as nobody asks for. */
function optionsOf(family: Family) {
  const codes = family === 4 ? [12, 12, 60, 82, 51, 77, 255] : [16, 17, 16, 1, 47, 39, 65000]
  const head = (code: number, length: number) =>
    family === 4 ? [code, length] : [code >> 8, code & 255, length >> 8, length & 255]
  const one = fc
    .tuple(fc.constantFrom(...codes), octets(40))
    .map(([code, data]) => [...head(code, data.length), ...data])
  const whole = fc.array(one, { maxLength: 5 }).map((parts) => Uint8Array.from(parts.flat()))
  const large = fc
    .tuple(fc.constantFrom(...codes), fc.integer({ min: 0, max: 90 }))
    .map(([code, count]) =>
      Uint8Array.from(
        Array.from({ length: count }, () => [...head(code, 200), ...new Uint8Array(200)]).flat(),
      ),
    )
  return fc.oneof({ weight: 6, arbitrary: whole }, { weight: 2, arbitrary: large }, octets(30))
}

/** Relay data, some of it with a relay-id that may be withheld; in DHCPv6 mostly a RELAY-FORW. */
function relayOf(family: Family) {
  if (family === 4)
    return fc.oneof(
      octets(80),
      fc.integer({ min: 200, max: 600 }).map((size) => new Uint8Array(size).fill(1)),
    )
  const forwarded = octets(12).map((id) =>
    Uint8Array.from([
      ...new Uint8Array(16).fill(9),
      12,
      0,
      ...new Uint8Array(32),
      0,
      53,
      0,
      id.length,
      ...id,
    ]),
  )
  return fc.oneof(forwarded, octets(80), fc.constant(new Uint8Array(17_000)))
}

function bindingOf(family: Family): fc.Arbitrary<BindingData> {
  return fc.record({
    address: fc.uint8Array({ minLength: family === 4 ? 4 : 16, maxLength: family === 4 ? 4 : 16 }),
    prefixLength: family === 4 ? fc.constant(0) : fc.constantFrom(0, 0, 56, 64, 128),
    state: fc.constantFrom(...Object.values(BindingState), BindingState.active, BindingState.active),
    origin: fc.constantFrom(...Object.values(Origin)),
    subnetId: fc.integer({ min: 1, max: 3 }),
    iaid: fc.constant(1),
    hardwareType: fc.constantFrom(1, 6, 255, 300),
    hardwareAddress: fc.oneof(octets(16), octets(24)),
    clientId: fc.oneof(octets(20), fc.constant(new Uint8Array(300).fill(3))),
    validLifetime: lifetime,
    preferredLifetime: lifetime,
    clientLastTransaction: time,
    stateSince: time,
    hostname: fc.oneof(octets(20), fc.constant(new Uint8Array(260).fill(0x61))),
    relay: relayOf(family),
    options: optionsOf(family),
  })
}

interface Asked {
  readonly reply: Omit<ReplyContext, 'told'>
  readonly baseTime: number
  readonly moment: Moment
}

function askedOf(family: Family): fc.Arbitrary<Asked> {
  const codes = family === 4 ? [...Object.values(Code4), 60, 77] : [...Object.values(Code6), 16, 17, 39]
  const some = fc.subarray(codes).map((list) => new Set<number>(list))
  const few = fc.oneof(
    fc.constant(new Set<number>()),
    fc.subarray(codes, { maxLength: 2 }).map((list) => new Set<number>(list)),
  )
  return fc
    .record({
      xid: fc.integer({ min: 0, max: 0xffffff }),
      requestorId: family === 4 ? fc.constant(new Uint8Array(0)) : octets(20),
      wantsBaseTime: fc.boolean(),
      requested: some,
      withhold: few,
      relayDataAlways: fc.boolean(),
      first: fc.boolean(),
      maxReply: fc.constantFrom(defaultLimits.maxReply, defaultLimits.maxReply, 700),
      timers: fc.option(fc.record({ renew: fc.nat(4000), rebind: fc.nat(4000) }), { nil: undefined }),
      scoped: fc.boolean(),
      behind: fc.integer({ min: 0, max: 100 }),
      keaAhead: fc.constantFrom(0, 3, -400, 100_000),
    })
    .map(
      ({
        xid,
        requestorId,
        wantsBaseTime,
        requested,
        first,
        maxReply,
        timers,
        scoped,
        behind,
        keaAhead,
        ...rights
      }) => ({
        baseTime: NOW - behind,
        moment: { mono: 0, now: NOW, keaNow: NOW + keaAhead },
        reply: {
          query: { xid, requestorId, wantsBaseTime, requested },
          rights: { ...allRights, ...rights },
          limits: { ...defaultLimits, maxReply },
          service: {
            identity: identities[family],
            activeEnabled: true,
            bulkEnabled: true,
            timers: (id) => (id === 1 ? timers : undefined),
          },
          first,
          shows: () => true,
          inScope: ({ subnetId }) => !scoped || subnetId !== 2,
          view: undefined,
        },
      }),
    )
}

/** What is in the store now: a binding and what its client holds besides. */
interface Stored {
  readonly memory: Memory
  readonly binding: Binding
  readonly companions: readonly Binding[]
}

function store(family: Family, data: BindingData, others: readonly BindingData[]): Stored {
  const memory = new Memory(family)
  const all = [data, ...others].map((one, i) => {
    const address = Uint8Array.from(one.address)
    address[0] = i
    return { ...one, address, clientId: data.clientId }
  })
  for (const one of all) memory.put(one, NOW)
  const [binding, ...companions] = all.map(({ address }) => memory.get(address)!)
  return { memory, binding: binding!, companions }
}

const told = (asked: Asked): ReplyContext => ({ ...asked.reply, told: new Set() })

/** By change() from objects, by write() from copies, and by write() from the store's memory. */
function ways(dialect: Dialect, { memory, binding, companions }: Stored, asked: Asked) {
  const { baseTime, moment } = asked
  const written = (record: PackedBinding, besides: readonly PackedBinding[]) => {
    const reply = told(asked)
    const writer = new Writer()
    writer.zeros(3)
    const messages = dialect.write(writer, reply, record, besides, baseTime, moment)
    const frames = framesOf(writer.view(3))
    assert.equal(messages, frames.length)
    return { frames, told: [...reply.told] }
  }
  const view = (address: Uint8Array) => {
    const found = memory.view()
    assert.ok(memory.seek(found, address))
    return found
  }
  const reply = told(asked)
  const frames = dialect.change(reply, { kind: 'binding', binding, companions }, baseTime, moment)
  return [
    { frames, told: [...reply.told] },
    written(
      new PackedBinding().pack(binding),
      companions.map((one) => new PackedBinding().pack(one)),
    ),
    written(
      view(binding.address),
      companions.map(({ address }) => view(address)),
    ),
  ]
}

const hex = (frames: readonly Uint8Array[]) => frames.map((frame) => Buffer.from(frame).toString('hex'))

test('DHCPv4: messages about bindings are what the plain way gives (RFC 4388 section 6.4, RFC 6926 section 8.3)', () => {
  fc.assert(
    fc.property(bindingOf(4), askedOf(4), (data, asked) => {
      const stored = store(4, data, [])
      const reference = reference4(told(asked), stored.binding, asked.baseTime, asked.moment)
      for (const { frames } of ways(dialect4, stored, asked)) assert.deepEqual(hex(frames), hex([reference]))
    }),
    { numRuns: 600 },
  )
})

test('DHCPv4: messages about free addresses are what the plain way gives (RFC 6926 section 8.3)', () => {
  const address = fc.uint8Array({ minLength: 4, maxLength: 4 })
  fc.assert(
    fc.property(address, time, askedOf(4), (octets, since, asked) => {
      const writer = new Writer(1)
      writer.zeros(3)
      const { baseTime } = asked
      dialect4.writeAvailable!(writer, told(asked), numberOf(octets), since, baseTime)
      const reference = referenceAvailable4(told(asked), octets, since, baseTime)
      assert.deepEqual(hex(framesOf(writer.view(3))), hex([reference]))
    }),
  )
})

test('DHCPv6: messages about clients are what the plain way gives (RFC 5460 section 5.2.1, RFC 5007 section 4.1.2)', () => {
  fc.assert(
    fc.property(
      bindingOf(6),
      fc.array(bindingOf(6), { maxLength: 30 }),
      askedOf(6),
      (data, others, asked) => {
        const stored = store(6, data, others)
        const reply = told(asked)
        const reference = reference6(reply, stored.binding, stored.companions, asked.baseTime, asked.moment)
        for (const { frames, told } of ways(dialect6, stored, asked)) {
          assert.deepEqual(hex(frames), hex(reference))
          assert.deepEqual(told, [...reply.told])
        }
      },
    ),
    { numRuns: 150 },
  )
})
