// Batches and pages are read by hand: whatever the contract lets a lease be, it is read as the library of Protocol Buffers
// reads it, also with fields of a later version in between.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Family } from '../../sidecar/binding.ts'
import { type Draft, decodeMessage, encodeMessage, type Message } from '../../sidecar/feed/contract.ts'
import { decodeFeedMessage, decodeReply } from '../../sidecar/feed/decode.ts'
import { DecodeError } from '../../sidecar/feed/decode-error.ts'
import type { EventBatch, LeaseRow, SnapshotPage } from '../../sidecar/feed/events.ts'
import { relayOctets } from '../../sidecar/feed/relay-data.ts'

const EPOCH = new Uint8Array(16).fill(7)
const number32 = fc.oneof(fc.constantFrom(0, 1, 127, 128, 0x7fffffff, 0x80000000, 0xffffffff), fc.nat())
const octets = fc.uint8Array({ maxLength: 300, size: 'max' })
const addressOf = (family: Family) => {
  const length = family === 4 ? 4 : 16
  return fc.uint8Array({ minLength: length, maxLength: length })
}

const relay = (family: Family): fc.Arbitrary<Draft<'RelayInfo'>> =>
  family === 4
    ? fc.record({ agentInfo: octets })
    : fc.record({
        hops: fc.array(
          fc.record({
            hopCount: fc.nat(255),
            linkAddress: addressOf(6),
            peerAddress: addressOf(6),
            options: octets,
          }),
          { maxLength: 3 },
        ),
        source: fc.oneof(addressOf(6), fc.constant(new Uint8Array(0))),
      })

const lease = (family: Family): fc.Arbitrary<Draft<'Lease'>> =>
  fc.record({
    address: addressOf(family),
    state: fc.oneof(fc.nat(4), number32),
    validLifetime: number32,
    preferredLifetime: number32,
    cltt: fc.oneof(fc.constantFrom(0, 0xfffffffe), fc.nat()),
    subnetId: number32,
    poolId: number32,
    iaid: number32,
    hardwareType: fc.nat(0xffff),
    hardwareAddress: octets,
    clientId: octets,
    hostname: octets,
    fqdnForward: fc.boolean(),
    fqdnReverse: fc.boolean(),
    storedRelay: fc.option(relay(family)),
  })

/** Fields of each type that no version so far has. */
const unknown = fc.constantFrom<Uint8Array>(
  Uint8Array.of(),
  Uint8Array.of(0xf8, 0x07, 0x96, 0x01), // number 127, a varint
  Uint8Array.of(0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8),
  Uint8Array.of(0xfa, 0x07, 3, 10, 20, 30),
  Uint8Array.of(0xfd, 0x07, 1, 2, 3, 4),
  Uint8Array.of(0xf8, 0x07, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
)

/** A field that holds octets or a message. */
function field(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts)
  const length: number[] = []
  let left = content.length
  for (; left >= 0x80; left >>>= 7) length.push((left & 0x7f) | 0x80)
  return Buffer.concat([Uint8Array.of(tag), Uint8Array.of(...length, left), content])
}

function expected(message: Message<'Lease'>, family: Family): LeaseRow {
  const { storedRelay } = message
  return {
    address: message.address,
    prefixLength: message.prefixLength,
    keaState: message.state,
    subnetId: message.subnetId,
    iaid: message.iaid,
    hardwareType: message.hardwareType,
    hardwareAddress: message.hardwareAddress,
    clientId: message.clientId,
    validLifetime: message.validLifetime,
    preferredLifetime: message.preferredLifetime,
    clientLastTransaction: message.cltt,
    hostname: message.hostname,
    storedRelay: storedRelay == null ? undefined : relayOctets(storedRelay, family, 'lease', 'stored_relay'),
  }
}

/** Octets as text, so that views and copies compare alike, and what the library has where there are none. */
function plain(value: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      each instanceof Uint8Array || Array.isArray(each) ? Buffer.from(each).toString('hex') : each,
    ]),
  )
}

for (const family of [4, 6] as const) {
  test(`v${family}: a lease in a batch and in a page is read as the library reads it`, () => {
    fc.assert(
      fc.property(
        lease(family),
        relay(family),
        octets,
        unknown,
        unknown,
        (draft, packetRelay, options, a, b) => {
          const encoded = Buffer.concat([a, encodeMessage('Lease', draft), b])
          const row = plain(expected(decodeMessage('Lease', encoded), family))

          const packet = encodeMessage('PacketData', { messageType: 3, relay: packetRelay, options })
          const change = field(
            10,
            b,
            Uint8Array.of(8, 2),
            field(18, encoded),
            Uint8Array.of(24, 4),
            field(34, packet, a),
          )
          const head = encodeMessage('EventBatch', { epoch: EPOCH, firstSeq: 2 ** 52, clock: 2 ** 41 })
          const frame = field(10, a, head, field(34, a, change, b), field(34, change))
          const batch = decodeFeedMessage(Buffer.concat([a, frame, b]), family) as EventBatch
          assert.deepEqual([batch.firstSeq, batch.clock, batch.events.length], [2 ** 52, 2 ** 41, 2])
          for (const event of batch.events) {
            assert.ok(event.kind === 'change')
            assert.deepEqual(plain(event.lease), row)
            assert.deepEqual([event.operation, event.origin, event.packet?.messageType], [2, 4, 3])
            assert.deepEqual(Buffer.from(event.packet!.options), Buffer.from(options))
            const told = relayOctets(
              decodeMessage('RelayInfo', encodeMessage('RelayInfo', packetRelay)),
              family,
              '',
              '',
            )
            assert.deepEqual(
              event.packet!.relay && Buffer.from(event.packet!.relay),
              told && Buffer.from(told),
            )
          }

          const rest = encodeMessage('SnapshotPage', { walk: 9, stamp: 2 ** 40, clock: 2 ** 41, end: true })
          const reply = Buffer.concat([
            encodeMessage('Reply', { id: 5, epoch: EPOCH }),
            b,
            field(42, a, rest, field(42, encoded)),
          ])
          const { id, body } = decodeReply(reply, family)
          const page = body as SnapshotPage
          assert.deepEqual([id, page.kind, page.walk, page.stamp, page.end], [5, 'page', 9, 2 ** 40, true])
          assert.deepEqual(page.leases.map(plain), [row])
        },
      ),
      { numRuns: 300 },
    )
  })
}

test('a batch that is cut short anywhere is refused, whole', () => {
  const draft: Draft<'Lease'> = { address: Uint8Array.of(192, 0, 2, 1), cltt: 1_700_000_000, clientId: EPOCH }
  const events = [1, 2].map(() => ({ change: { operation: 1, origin: 1, lease: draft } }))
  const content = encodeMessage('EventBatch', { epoch: EPOCH, firstSeq: 1, clock: 1, events })
  for (let cut = 0; cut < content.length; cut++) {
    const frame = encodeMessage('FeedMessage', {
      batch: { epoch: EPOCH, firstSeq: 1, clock: 1, events },
    }).slice(0, cut)
    if (cut > 0) assert.throws(() => decodeFeedMessage(frame, 4), DecodeError, `cut at ${cut}`)
  }
  // Lengths that reach beyond what holds them.
  const lease = encodeMessage('Lease', draft)
  const inside = Buffer.concat([Uint8Array.of(8, 1), Uint8Array.of(18, lease.length + 4), lease])
  const frame = field(10, field(34, field(10, inside), Uint8Array.of(0xf8, 0x07, 1, 1)))
  assert.throws(() => decodeFeedMessage(frame, 4), DecodeError)
})
