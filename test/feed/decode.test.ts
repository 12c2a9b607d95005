import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Family } from '../../sidecar/binding.ts'
import { type Draft, encodeMessage } from '../../sidecar/feed/contract.ts'
import { decodeFeedMessage, decodeReply } from '../../sidecar/feed/decode.ts'
import { DecodeError } from '../../sidecar/feed/decode-error.ts'
import { encodeRequest } from '../../sidecar/feed/encode.ts'
import type { ConfigPage, EventBatch, LeaseChange, SnapshotPage } from '../../sidecar/feed/events.ts'

const epoch = Buffer.from('000001935f3a2b00f00dfacecafebeef', 'hex')
const v4 = Uint8Array.of(192, 0, 2, 1)
const v6 = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x57)

const lease4: Draft<'Lease'> = {
  address: v4,
  validLifetime: 4294967295,
  cltt: 1_700_000_000,
  subnetId: 7,
  hardwareType: 1,
  hardwareAddress: Uint8Array.of(2, 0, 0x5e, 0, 0, 1),
  clientId: Uint8Array.of(1, 2, 3),
  hostname: Buffer.from('host'),
  storedRelay: { agentInfo: Uint8Array.of(1, 1, 65) },
}

function batchFrame(events: Draft<'Event'>[], fields: Draft<'EventBatch'> = {}): Uint8Array {
  return encodeMessage('FeedMessage', {
    batch: { epoch, firstSeq: 5, clock: 1_700_000_000_123, events, ...fields },
  })
}

function decodedChange(
  lease: Draft<'Lease'>,
  family: Family,
  change: Draft<'LeaseChange'> = {},
): LeaseChange {
  const frame = batchFrame([{ change: { operation: 1, lease, origin: 1, ...change } }])
  const event = (decodeFeedMessage(frame, family) as EventBatch).events[0]!
  if (event.kind === 'unreadable') throw event.error
  return event as LeaseChange
}

describe('a batch', () => {
  it('comes out with every field', () => {
    const frame = batchFrame([
      {
        change: {
          operation: 2,
          lease: lease4,
          origin: 4,
          packet: {
            messageType: 3,
            relay: { agentInfo: Uint8Array.of(1, 1, 66) },
            options: Uint8Array.of(12, 1, 97),
          },
        },
      },
      { annotation: { address: v4, hardwareAddress: Uint8Array.of(9), hardwareType: 1, origin: 3 } },
    ])
    const batch = decodeFeedMessage(frame, 4) as EventBatch
    assert.equal(batch.epoch, epoch.toString('hex'))
    assert.deepEqual([batch.firstSeq, batch.clock, batch.events.length], [5, 1_700_000_000_123, 2])
    const [change, annotation] = batch.events
    assert.ok(change?.kind === 'change' && annotation?.kind === 'annotation')
    assert.deepEqual([change.operation, change.origin, change.lease.validLifetime], [2, 4, 0xffffffff])
    assert.deepEqual([...change.lease.storedRelay!], [1, 1, 65])
    assert.deepEqual([...change.packet!.relay!], [1, 1, 66])
    assert.deepEqual([...change.packet!.options], [12, 1, 97])
    assert.deepEqual([annotation.origin, annotation.packet, annotation.clientId.length], [3, undefined, 0])
  })

  it('keeps the number of an event that cannot be read', () => {
    const bad = { change: { operation: 1, lease: { ...lease4, address: Uint8Array.of(1, 2, 3) } } }
    const good = { change: { operation: 1, lease: lease4 } }
    const batch = decodeFeedMessage(batchFrame([good, bad, good]), 4) as EventBatch
    assert.deepEqual(
      batch.events.map(({ kind }) => kind),
      ['change', 'unreadable', 'change'],
    )
    const event = batch.events[1]
    assert.ok(event?.kind === 'unreadable')
    assert.equal(event.error.field, 'change.lease.address')
  })

  it('keeps the number of an event of a kind yet to come', () => {
    const batch = decodeFeedMessage(batchFrame([{}]), 4) as EventBatch
    assert.deepEqual(batch.events, [{ kind: 'unknown' }])
  })

  it('is read with an origin this version does not know as one of unknown origin', () => {
    assert.equal(decodedChange(lease4, 4, { origin: 77 }).origin, 0)
  })

  it('is refused where a number cannot be kept exactly', () => {
    const frame = Buffer.from(batchFrame([]))
    const firstSeq = frame.indexOf(Buffer.from([0x10, 5])) // field 2, varint 5
    assert.notEqual(firstSeq, -1)
    const huge = Buffer.concat([
      frame.subarray(0, 1),
      Buffer.from([frame[1]! + 8]),
      frame.subarray(2, firstSeq + 1),
      Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]), // 2^56
      frame.subarray(firstSeq + 2),
    ])
    assert.throws(() => decodeFeedMessage(huge, 4), { name: 'DecodeError', field: 'batch.first_seq' })
  })
})

describe('a lease', () => {
  const wrong: [string, Family, Draft<'Lease'>][] = [
    ['change.lease.address', 6, lease4],
    ['change.lease.address', 4, { ...lease4, address: v6 }],
    ['change.lease.type', 4, { ...lease4, type: 1, prefixLength: 24 }],
    ['change.lease.prefix_length', 6, { address: v6, type: 1 }],
    ['change.lease.prefix_length', 6, { address: v6, type: 1, prefixLength: 129 }],
    ['change.lease.prefix_length', 6, { address: v6, prefixLength: 128 }],
    ['change.lease.hardware_type', 4, { ...lease4, hardwareType: 65536 }],
    ['change.lease.cltt', 4, { ...lease4, cltt: 2 ** 40 }],
    ['change.lease.hostname', 4, { ...lease4, hostname: new Uint8Array(20_000) }],
    [
      'change.lease.stored_relay.hops[0].peer_address',
      6,
      { address: v6, storedRelay: { hops: [{ linkAddress: v6, peerAddress: v4 }] } },
    ],
  ]
  for (const [field, family, lease] of wrong) {
    it(`is refused for its ${field} in DHCPv${family}`, () => {
      assert.throws(() => decodedChange(lease, family), { name: 'DecodeError', field })
    })
  }

  it("has no client where Kea's empty DUID stands in a declined one", () => {
    const declined = decodedChange({ address: v6, state: 1, clientId: Uint8Array.of(0, 0, 0) }, 6)
    assert.equal(declined.lease.clientId.length, 0)
    const active = decodedChange({ address: v6, clientId: Uint8Array.of(0, 0, 0) }, 6)
    assert.equal(active.lease.clientId.length, 3)
  })

  it('in a page that cannot be read is told apart, with its address', () => {
    const frame = encodeMessage('Reply', {
      id: 9,
      epoch,
      page: { walk: 1, stamp: 3, clock: 5, leases: [lease4, { ...lease4, hardwareType: 1e6 }], end: true },
    })
    const page = decodeReply(frame, 4).body as SnapshotPage
    assert.equal(page.leases.length, 1)
    assert.deepEqual(
      page.unreadable.map(({ address }) => [...address!]),
      [[...v4]],
    )
  })
})

describe('relay data', () => {
  const link = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
  const near = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
  const client = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0x5e, 0xff, 0xfe, 0x10, 0, 0x57)

  it('5007-4.1.2.4-03: of one relay is peer-address and RELAY-FORW without the client message (RFC 5007 section 4.1.2.4)', () => {
    const options = Uint8Array.of(0, 18, 0, 2, 101, 49)
    const info = { hops: [{ hopCount: 0, linkAddress: link, peerAddress: client, options }], source: near }
    const { lease } = decodedChange({ address: v6, storedRelay: info }, 6)
    assert.deepEqual([...lease.storedRelay!], [...near, 12, 0, ...link, ...client, ...options])
  })

  it('5007-4.1.2.4-03: of two relays is nested as it was received', () => {
    const outer = Uint8Array.of(0, 37, 0, 1, 1)
    const inner = Uint8Array.of(0, 18, 0, 1, 2)
    const info = {
      hops: [
        { hopCount: 1, linkAddress: near, peerAddress: link, options: outer },
        { hopCount: 0, linkAddress: link, peerAddress: client, options: inner },
      ],
    }
    const { lease } = decodedChange({ address: v6, storedRelay: info }, 6)
    assert.deepEqual(
      [...lease.storedRelay!],
      // A stored row does not have the relay's own address: its link-address stands for it.
      [...near, 12, 1, ...near, ...link, ...outer, 0, 9, 0, 39, 12, 0, ...link, ...client, ...inner],
    )
  })
})

describe('reserved addresses', () => {
  const at = (n: number) => Uint8Array.of(192, 0, 2, n)
  const decoded = (reserved: Draft<'AddressRange'>[]) =>
    decodeReply(encodeMessage('Reply', { id: 1, epoch, config: { reserved } }), 4).body as ConfigPage

  it('are kept as they come, first and last of each range, and a lone page is the whole', () => {
    const { reserved, page, pages } = decoded([
      { first: at(1), last: at(1) },
      { first: at(4), last: at(9) },
    ])
    assert.deepEqual(
      [...reserved],
      [at(1), at(1), at(4), at(9)].flatMap((octets) => [...octets]),
    )
    assert.deepEqual([page, pages], [1, 1])
  })

  const refused: [string, Draft<'AddressRange'>[], RegExp][] = [
    ['without a last one', [{ first: at(1) }], /reserved.last: 0 octets instead of 4/],
    ['of another family', [{ first: v6, last: v6 }], /reserved.first: 16 octets instead of 4/],
    ['the wrong way round', [{ first: at(2), last: at(1) }], /a range ends before it begins/],
    ['twice', [1, 1].map(() => ({ first: at(1), last: at(2) })), /the ranges do not ascend/],
  ]
  for (const [what, reserved, expected] of refused)
    it(`are refused ${what}`, () => {
      assert.throws(
        () => decoded(reserved),
        (error) => error instanceof DecodeError && expected.test(error.message),
      )
    })
})

describe('any octets', () => {
  it('are a message or a DecodeError, nothing else', () => {
    const valid = [
      Buffer.from(batchFrame([{ change: { operation: 1, lease: lease4, origin: 1 } }])),
      Buffer.from(encodeMessage('FeedMessage', { heartbeat: { epoch, lastSeq: 4, clock: 9 } })),
      Buffer.from(encodeMessage('Reply', { id: 1, epoch, page: { leases: [lease4], end: true } })),
      Buffer.from(encodeMessage('Reply', { id: 1, epoch, hello: { family: 4, serverIdentifiers: [v4] } })),
      Buffer.from(
        encodeMessage('Reply', {
          id: 1,
          epoch,
          config: {
            subnets: [{ id: 1, prefix: v4 }],
            reserved: [{ first: v4, last: v4 }],
            page: 1,
            pages: 2,
          },
        }),
      ),
    ]
    const damaged = fc
      .tuple(fc.constantFrom(...valid), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat())
      .map(([frame, changes, cut]) => {
        const copy = Buffer.from(frame)
        for (const [at, octet] of changes) copy[at % copy.length] = octet
        return cut % 3 === 0 ? copy.subarray(0, cut % copy.length) : copy
      })
    fc.assert(
      fc.property(
        fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })),
        fc.constantFrom<Family>(4, 6),
        (frame, family) => {
          for (const decode of [decodeFeedMessage, decodeReply]) {
            try {
              decode(frame, family)
            } catch (error) {
              assert.ok(error instanceof DecodeError, String(error))
            }
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('requests', () => {
  it('are encoded as the contract says', async () => {
    const { decodeMessage } = await import('../../sidecar/feed/contract.ts')
    const hex = epoch.toString('hex')
    const encoded = encodeRequest(
      { id: 7, epoch: hex, body: { kind: 'page', walk: 3, after: v4, limit: 256 } },
      'me',
    )
    const request = decodeMessage('Request', encoded)
    assert.equal(request.id, 7)
    assert.deepEqual(Buffer.from(request.epoch), epoch)
    assert.deepEqual([request.page?.walk, request.page?.limit, [...request.page!.after]], [3, 256, [...v4]])
    const hello = decodeMessage('Request', encodeRequest({ id: 1, epoch: '', body: { kind: 'hello' } }, 'me'))
    assert.deepEqual([hello.epoch.length, hello.hello?.contractMajor, hello.hello?.follower], [0, 1, 'me'])
  })
})
