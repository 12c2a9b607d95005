import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Requester, UNSAID } from '../../sidecar/config-requesters.ts'
import { entriesOf, MAX_ENTRIES, OTHERS } from '../../sidecar/server/entry-status.ts'
import type { RequestorStatus } from '../../sidecar/server/requestor-status.ts'

const entry = (changed: Partial<Requester>): Requester => ({
  place: 'requesters[0]',
  queries: ['active', 'bulk'],
  ...UNSAID,
  ...changed,
})
const network = (n: number) => entry({ network: { address: `10.0.${n >> 8}.${n & 255}`, prefixLength: 32 } })
const bng = entry({ certificate: 'bng1.example.net', subnets: [1, 2], queries: ['active'] })

function connection(requester: Requester, changed: Partial<RequestorStatus> = {}) {
  const status = { phase: 'live', lagChanges: 0, lagSeconds: 0, blockedSeconds: null, ...changed }
  return { requester, status: status as RequestorStatus }
}

test('each entry is told of, with connections or without, by the one of them that is worst off', () => {
  const connections = [
    connection(bng, { lagChanges: 7, lagSeconds: 2, blockedSeconds: 5 }),
    connection(bng, { phase: 'catching-up', lagChanges: 900 }),
  ]
  assert.deepEqual(entriesOf([bng, network(1)], connections), [
    {
      entry: 'bng1.example.net',
      view: '2 subnets',
      asks: 'active',
      connections: 2,
      caughtUp: 1,
      lagChanges: 900,
      lagSeconds: 2,
      blockedSeconds: 5,
    },
    {
      entry: '10.0.0.1/32',
      view: 'all bindings',
      asks: 'active and bulk',
      connections: 0,
      caughtUp: 0,
      lagChanges: 0,
      lagSeconds: 0,
      blockedSeconds: 0,
    },
  ])
})

test('of many entries the first are told of by name and the others as one, so that series stay few', () => {
  const requesters = Array.from({ length: 10_000 }, (_, n) => network(n))
  const entries = entriesOf(requesters, [
    connection(requesters[0]!),
    connection(requesters[MAX_ENTRIES]!, { lagChanges: 3 }),
    connection(requesters[9_999]!),
  ])
  assert.equal(entries.length, MAX_ENTRIES + 1)
  assert.deepEqual(
    entries
      .filter(({ connections }) => connections > 0)
      .map((one) => [one.entry, one.connections, one.lagChanges]),
    [
      ['10.0.0.0/32', 1, 0],
      [OTHERS, 2, 3],
    ],
  )
})

test('an entry that is there twice is told of once, and a connection of an entry that is gone not at all', () => {
  const entries = entriesOf([bng, bng, network(1)], [connection(bng), connection(network(2))])
  assert.deepEqual(
    entries.map((one) => [one.entry, one.connections]),
    [
      ['bng1.example.net', 1],
      ['10.0.0.1/32', 0],
    ],
  )
})
