// Where the search for faults begins: octets that are right, so that it need not find out by itself what a message is.
import { encodeMessage } from '../../sidecar/feed/contract.ts'
import { vector, vectorNames } from '../wire/bytes.ts'

/** Whole frames without their size. */
export function wireSeeds(family: 'v4' | 'v6'): Uint8Array[] {
  return frames(family).map((frame) => frame.subarray(2))
}

/** Steps of a session (targets.ts): a frame is received, everything is answered, a binding changes, time passes. */
export function querySeeds(family: 'v4' | 'v6'): Uint8Array[] {
  const RECEIVE = 1
  const CHANGE = [4, 1, 2]
  const PASS = [5, 70]
  return frames(family).map((frame) =>
    Uint8Array.from([0, RECEIVE, frame.length >>> 8, frame.length & 0xff, ...frame, ...CHANGE, 3, ...PASS]),
  )
}

/** A frame in one piece, for a requestor that asked for what changed since. */
export function answerSeeds(family: 'v4' | 'v6'): Uint8Array[] {
  return frames(family).map((frame) =>
    Uint8Array.from([1, frame.length >>> 8, frame.length & 0xff, ...frame]),
  )
}

function frames(family: 'v4' | 'v6'): Uint8Array[] {
  return vectorNames(family).map((name) => vector(family, name))
}

export function feedSeeds(): Uint8Array[] {
  const epoch = Buffer.alloc(16, 7)
  const address = Uint8Array.of(192, 0, 2, 1)
  const lease = {
    address,
    validLifetime: 3600,
    cltt: 1_800_000_000,
    subnetId: 1,
    hardwareType: 1,
    hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, 1),
    hostname: Buffer.from('host'),
    storedRelay: { hops: [{ linkAddress: Buffer.alloc(16), peerAddress: Buffer.alloc(16) }] },
  }
  const packet = {
    messageType: 3,
    relay: { agentInfo: Uint8Array.of(1, 1, 65) },
    options: Buffer.alloc(8, 3),
  }
  const events = [{ change: { operation: 1, origin: 1, lease, packet } }, { annotation: { address, packet } }]
  const page = { walk: 1, stamp: 5, leases: [lease], end: true }
  const subnets = [{ id: 1, prefix: address, prefixLength: 24, pools: [{ first: address, last: address }] }]
  return [
    encodeMessage('FeedMessage', { batch: { epoch, firstSeq: 1, clock: 1, events } }),
    encodeMessage('FeedMessage', { heartbeat: { epoch, lastSeq: 1, oldestSeq: 1, clock: 1 } }),
    encodeMessage('Reply', { id: 1, epoch, hello: { contractMajor: 1, family: 4, service: '{}' } }),
    encodeMessage('Reply', { id: 1, epoch, page }),
    encodeMessage('Reply', { id: 1, epoch, config: { subnets } }),
    encodeMessage('Reply', { id: 1, epoch, error: { code: 1, text: 'no' } }),
  ]
}

export function parameterSeeds(): Uint8Array[] {
  const values = [
    {},
    {
      requesters: [
        '192.0.2.0/24',
        '2001:db8::/32',
        {
          certificate: 'bng1.example.net',
          queries: ['active', 'bulk'],
          subnets: [1],
          'relay-ids': ['00:03', "'relay'", '0xABCD'],
          'remote-ids': ['09'],
          'withhold-options': [12],
          'max-connections': 2,
          keepalive: { interval: 30, form: 'empty-active' },
        },
      ],
      advanced: {
        'bulk-query-enabled': true,
        'lease-query-ip': ['192.0.2.53'],
        'lease-query-tcp-port': 1067,
      },
      tls: { mode: 'required', 'trust-anchor': '/ca.pem', 'cert-file': '/c.pem', 'key-file': '/k.pem' },
      history: { retention: 604800, 'max-ended': 1000 },
      'capture-options': [12, 82],
    },
  ]
  return values.map((value) => Buffer.from(JSON.stringify(value)))
}
