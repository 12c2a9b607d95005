import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState, NO_OCTETS } from '../../sidecar/binding.ts'
import type { ReportedBinding, RequestorEvent } from '../../sidecar/requestor/events.ts'
import { formatJson, formatLine, Historian, type What } from '../../sidecar/requestor/print.ts'

const T0 = 1763758800 // 2025-11-21T21:00:00Z

const leased: ReportedBinding = {
  family: 4,
  address: '192.0.2.57',
  prefixLength: 0,
  state: BindingState.active,
  clientId: Uint8Array.of(1, 2, 0, 0x5e, 0x10, 0, 0x57),
  hardwareType: 1,
  hardwareAddress: Uint8Array.of(2, 0, 0x5e, 0x10, 0, 0x57),
  expires: T0 + 3600,
  preferredUntil: undefined,
  lastTransaction: T0,
  stateSince: T0,
  remote: false,
  relay: {
    circuitId: Uint8Array.from(Buffer.from('eth1/0/7')),
    remoteId: Uint8Array.of(0, 1, 0x1b),
    relayId: undefined,
    nextHop: undefined,
    linkAddress: undefined,
    raw: Uint8Array.of(1, 8),
  },
  server: NO_OCTETS,
  status: undefined,
  options: [{ code: 12, data: Uint8Array.of(0x66) }],
}

function told(changed: Partial<ReportedBinding>, baseTime = T0): RequestorEvent {
  return { type: 'binding', binding: { ...leased, ...changed }, baseTime, resumePoint: baseTime }
}

type Step = [changed: Partial<ReportedBinding>, expected: What, at?: number]
const stories: readonly [what: string, steps: readonly Step[]][] = [
  ['a first mention with a state as old as the last words is a grant', [[{}, 'granted']]],
  ['a first mention with an older state is a renewal', [[{ stateSince: T0 - 100 }, 'renewed']]],
  [
    'a later expiry is a renewal',
    [
      [{}, 'granted'],
      [{ expires: T0 + 7200, lastTransaction: T0 + 1800 }, 'renewed'],
    ],
  ],
  [
    'the same lease with other options is a change',
    [
      [{}, 'granted'],
      [{ options: [] }, 'changed'],
    ],
  ],
  [
    'another client is a grant',
    [
      [{}, 'granted'],
      [{ hardwareAddress: Uint8Array.of(9) }, 'granted'],
    ],
  ],
  [
    'a lease after its end is a grant',
    [
      [{}, 'granted'],
      [{ state: BindingState.expired }, 'expired'],
      [{}, 'granted'],
    ],
  ],
  [
    'ends are told by their state',
    [
      [{ state: BindingState.released }, 'released'],
      [{ state: BindingState.abandoned }, 'declined'],
      [{ state: BindingState.reset }, 'deleted'],
      [{ state: BindingState.available }, 'free'],
      [{ state: BindingState.transitioning }, 'ended'],
    ],
  ],
  [
    'DHCPv6 does not say how a binding ended (RFC 7653 defines no state)',
    [[{ family: 6, state: BindingState.available }, 'ended']],
  ],
  [
    'a DHCPv6 binding that ends before its time was given up',
    [
      [{ family: 6, expires: T0 + 3600 }, 'granted'],
      [{ family: 6, state: BindingState.available }, 'released', T0 + 60],
    ],
  ],
  [
    'a DHCPv6 binding that ends when its time is up has expired',
    [
      [{ family: 6, expires: T0 + 3600 }, 'granted'],
      [{ family: 6, state: BindingState.available }, 'expired', T0 + 3600],
    ],
  ],
]
for (const [what, steps] of stories) {
  test(what, () => {
    const historian = new Historian()
    for (const [changed, expected, at = T0] of steps) {
      assert.equal(historian.judge({ ...leased, ...changed }, at), expected)
    }
  })
}

test('what was seen is bounded: the oldest mention is forgotten first', () => {
  const historian = new Historian(2)
  historian.judge({ ...leased, address: '192.0.2.1' }, T0)
  historian.judge({ ...leased, address: '192.0.2.2' }, T0)
  historian.judge({ ...leased, address: '192.0.2.1' }, T0)
  historian.judge({ ...leased, address: '192.0.2.3' }, T0)
  assert.equal(historian.judge({ ...leased, address: '192.0.2.2', options: [] }, T0), 'granted', 'forgotten')
  assert.equal(historian.judge({ ...leased, address: '192.0.2.3', options: [] }, T0), 'changed', 'remembered')
})

test('a line for people has time, address, what happened, client, end and relay', () => {
  assert.equal(
    formatLine(told({}), new Historian()),
    '2025-11-21T21:00:00Z  192.0.2.57       granted   hw 02:00:5e:10:00:57  client 01:02:00:5e:10:00:57  ' +
      'until 2025-11-21T22:00:00Z  circuit eth1/0/7  remote 0x00011b',
  )
  assert.match(formatLine(told({ expires: Number.POSITIVE_INFINITY }), new Historian())!, /until ever/)
  assert.match(
    formatLine(told({ family: 6, address: '2001:db8::', prefixLength: 56 }), new Historian())!,
    /2001:db8::\/56 .* duid 01:/,
  )
})

test('texts of a server cannot control the terminal', () => {
  const line = formatLine(
    {
      type: 'terminated',
      refused: false,
      status: 'UnspecFail',
      text: 'a\u001b[31m\nb',
      baseTime: T0,
      resumePoint: T0,
    },
    new Historian(),
  )
  assert.equal(line, '2025-11-21T21:00:00Z  -- query ended: UnspecFail (a?[31m?b)')
})

test('keepalives are not shown to people, but are to programs', () => {
  const keepalive: RequestorEvent = { type: 'keepalive', baseTime: T0, resumePoint: T0 }
  assert.equal(formatLine(keepalive, new Historian()), undefined)
  assert.equal(
    formatJson(keepalive, new Historian()),
    `{"event":"keepalive","base-time":${T0},"resume-point":${T0}}`,
  )
})

test('the JSON of a binding has every field, always', () => {
  assert.deepEqual(
    JSON.parse(
      formatJson(told({ expires: Number.POSITIVE_INFINITY, stateSince: undefined }), new Historian()),
    ),
    {
      event: 'binding',
      'base-time': T0,
      'resume-point': T0,
      what: 'granted',
      family: 4,
      address: '192.0.2.57',
      'prefix-length': null,
      state: 'active',
      'client-id': '0102005e100057',
      'hardware-type': 1,
      'hardware-address': '02005e100057',
      expires: 'infinite',
      'preferred-until': null,
      'last-transaction': T0,
      'state-since': null,
      remote: false,
      relay: {
        'circuit-id': '657468312f302f37',
        'remote-id': '00011b',
        'relay-id': null,
        'next-hop': null,
        'link-address': null,
        raw: '0108',
      },
      server: null,
      status: null,
      options: [{ code: 12, data: '66' }],
    },
  )
  const bare = JSON.parse(formatJson(told({ relay: undefined, clientId: NO_OCTETS }), new Historian()))
  assert.equal(bare.relay, null)
  assert.equal(bare['client-id'], null)
})
