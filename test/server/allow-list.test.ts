import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Family } from '../../sidecar/binding.ts'
import { parseService } from '../../sidecar/config.ts'
import { LineLimit } from '../../sidecar/line-limits.ts'
import { AllowList, sameRights } from '../../sidecar/server/allow-list.ts'

function allow(requesters: unknown[], family: Family = 4): AllowList {
  return new AllowList(parseService(JSON.stringify({ requesters }), family))
}

test('an address, a network and nothing else match', () => {
  const list = allow(['192.0.2.7', '198.51.100.0/24'])
  assert.equal(list.match({ address: '192.0.2.7' })?.place, 'requesters[0]')
  assert.equal(list.match({ address: '198.51.100.255' })?.place, 'requesters[1]')
  assert.equal(list.match({ address: '192.0.2.8' }), undefined)
  assert.equal(list.match({ address: '' }), undefined)
})

test('the first match decides', () => {
  const list = allow([{ address: '192.0.2.7', queries: ['bulk'] }, '192.0.2.0/24'])
  assert.deepEqual(list.match({ address: '192.0.2.7' })?.queries, ['bulk'])
  assert.deepEqual(list.match({ address: '192.0.2.8' })?.queries, ['active', 'bulk'])
})

test('IPv4 mapped into IPv6 is the IPv4 requestor; a zone is left out', () => {
  assert.ok(allow(['192.0.2.7']).match({ address: '::ffff:192.0.2.7' }))
  assert.ok(allow(['fe80::1'], 6).match({ address: 'fe80::1%eth0' }))
  assert.ok(allow(['2001:db8::/32'], 6).match({ address: '2001:db8:ff::1' }))
})

test('an entry by certificate never matches by address', () => {
  const list = allow([{ certificate: 'bng1.example.net' }])
  assert.equal(list.match({ address: '192.0.2.7' }), undefined)
  assert.ok(list.match({ address: '192.0.2.7', certifiedFor: (name) => name === 'bng1.example.net' }))
  assert.equal(list.asksForCertificates, true)
})

test('rights are compared, not their order or place', () => {
  const [a, b, c] = parseService(
    JSON.stringify({
      requesters: [
        { address: '192.0.2.1', queries: ['active', 'bulk'] },
        { address: '192.0.2.2', queries: ['bulk', 'active'] },
        { address: '192.0.2.1', 'withhold-options': [12] },
      ],
    }),
    4,
  ).requesters
  assert.ok(sameRights(a!, b!))
  assert.ok(!sameRights(a!, c!))
})

test('lines over the limit are counted, and the next window tells the count', () => {
  const limit = new LineLimit(2, 1000)
  const written: number[] = []
  for (const now of [0, 1, 2, 3, 999, 1000]) limit.run(now, (suppressed) => written.push(suppressed))
  assert.deepEqual(written, [0, 0, 3])
})
