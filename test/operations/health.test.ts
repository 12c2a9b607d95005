import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type FamilyFacts, rules, verdict } from '../../sidecar/operations/health.ts'
import { packageRoot } from '../support/package-root.ts'

const well: FamilyFacts = {
  family: 4,
  expected: true,
  storeOpen: true,
  feedState: 'following',
  socketsGone: false,
  silentForMs: 300,
  walked: true,
  configured: true,
  enabled: true,
  listening: 2,
  places: 2,
  lacksCertificate: false,
  problems: [],
}
const judge = (...changed: Partial<FamilyFacts>[]) =>
  verdict({ families: changed.map((facts) => ({ ...well, ...facts })) })

test('a family that is followed, known and served is ready', () => {
  assert.deepEqual(judge({}, { family: 6 }), {
    ready: true,
    sentence: 'All is well: DHCPv4 and DHCPv6 are followed and served.',
    reasons: [],
    concerns: [],
    advice: [],
  })
})

/** Each breaks one rule, and no other. */
const faults: readonly [Partial<FamilyFacts>, RegExp][] = [
  [{ storeOpen: false }, /store is not open/],
  [{ feedState: 'silent', silentForMs: 61_400 }, /has not been heard for 61 s/],
  [{ feedState: 'connecting' }, /has not been heard yet/],
  [{ feedState: 'refused' }, /another release/],
  [{ walked: false }, /first walk/],
  [{ configured: false, enabled: false, listening: 0, places: 0 }, /no parameters/],
  [{ enabled: false, listening: 0, places: 0 }, /neither Active nor Bulk/],
  [{ lacksCertificate: true }, /no certificate/],
  [{ listening: 0 }, /does not listen/],
  [{ listening: 1 }, /1 of 2 addresses/],
]

for (const [fault, reason] of faults) {
  test(`not ready, with one reason that names the family: ${JSON.stringify(fault)}`, () => {
    const { ready, reasons, sentence, advice } = judge({ family: 6, ...fault }, { family: 4 })
    assert.equal(ready, false)
    assert.equal(reasons.length, 1)
    assert.match(reasons[0]!, /^DHCPv6: /)
    assert.match(reasons[0]!, reason)
    assert.ok(sentence.includes(reasons[0]!))
    assert.equal(advice.length, 1)
    assert.match(advice[0]!, /^[A-Z].*\.$/)
  })
}

test('where Kea is silent, what to look at depends on whether its library has sockets', () => {
  const advice = (socketsGone: boolean) => judge({ feedState: 'silent', socketsGone }).advice.join()
  assert.match(advice(true), /has no sockets: see whether kea-dhcp4 runs, .* hooks-libraries/)
  assert.match(advice(false), /sockets of its feed are there: see whether kea-dhcp4 was killed/)
})

test('a walk, a replay and a pending walk of a known store leave it ready', () => {
  for (const feedState of ['walking', 'replaying', 'following'] as const) {
    assert.ok(judge({ feedState }).ready, feedState)
  }
})

test('a family that nobody expects is not judged, unless it is all there is', () => {
  const absent = {
    family: 6,
    expected: false,
    feedState: 'silent',
    walked: false,
    configured: false,
  } as const
  assert.ok(judge({}, absent).ready)
  assert.deepEqual(judge(absent).reasons, ['no Kea has been heard yet'])
})

test('what the operator should know is told, and makes nobody turn away', () => {
  const { ready, concerns, sentence } = judge({ problems: ['the disk is full', 'the folder is open to all'] })
  assert.ok(ready)
  assert.deepEqual(concerns, ['DHCPv4: the disk is full', 'DHCPv4: the folder is open to all'])
  assert.match(sentence, /the disk is full, and 1 more/)
})

test('sidecar/README.md has the rules of readiness', () => {
  const readme = readFileSync(join(packageRoot, 'sidecar', 'README.md'), 'utf8')
  for (const { rule } of rules) assert.ok(readme.includes(`- ${rule}`), rule)
})
