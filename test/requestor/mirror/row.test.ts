import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BindingJson } from '../../../sidecar/requestor/binding-json.ts'
import { compareRecords } from '../../../sidecar/requestor/mirror/better.ts'
import {
  changeBetween,
  changeFor,
  currentOf,
  isEmpty,
  type KeptRecord,
  NO_ROW,
  withoutUntold,
  withRecord,
} from '../../../sidecar/requestor/mirror/row.ts'
import { ClockSkew } from '../../../sidecar/requestor/mirror/skew.ts'

const NOW = 1_800_000_000

export const known: BindingJson = {
  family: 4,
  address: '192.0.2.1',
  'prefix-length': null,
  state: 'active',
  'client-id': null,
  'hardware-type': 1,
  'hardware-address': '02005e000001',
  expires: NOW + 3600,
  'preferred-until': null,
  'last-transaction': NOW,
  'state-since': NOW,
  remote: false,
  relay: null,
  server: null,
  status: null,
  options: [],
}

function record(changed: Partial<BindingJson>, rest: Partial<KeptRecord> = {}): KeptRecord {
  const binding = { ...known, ...changed }
  return { active: binding.state === 'active', binding, heard: NOW, generation: 1, byActive: true, ...rest }
}

describe('records of several servers about one binding', () => {
  const cases: readonly [what: string, better: Partial<BindingJson>, worse: Partial<BindingJson>][] = [
    ['the later client-last-transaction-time', { 'last-transaction': NOW }, { 'last-transaction': NOW - 1 }],
    [
      'that time, though it is remote and its state is older',
      { 'last-transaction': NOW, remote: true, 'state-since': NOW - 99 },
      { 'last-transaction': NOW - 1, 'state-since': NOW },
    ],
    [
      'it against the start of the state of the other, where only one has it',
      { 'last-transaction': NOW },
      { 'last-transaction': null, 'state-since': NOW - 1 },
    ],
    [
      'the same the other way round',
      { 'last-transaction': null, 'state-since': NOW + 1 },
      { 'last-transaction': NOW },
    ],
    [
      'the later start of the state, where none has it',
      { 'last-transaction': null, 'state-since': NOW },
      { 'last-transaction': null, 'state-since': NOW - 1 },
    ],
    ['local data, where times say nothing', { remote: false }, { remote: true }],
    [
      'local data, where no times are known',
      { 'last-transaction': null, 'state-since': null },
      { 'last-transaction': null, 'state-since': null, remote: true },
    ],
  ]
  for (const [what, better, worse] of cases) {
    it(`6926-7.6-02: the better one is that with ${what}`, () => {
      assert.ok(compareRecords(record(better), record(worse), NOW) < 0)
      assert.ok(compareRecords(record(worse), record(better), NOW) > 0)
    })
  }

  it('5007-4.3.4-02, 5007-4.3.4-01: in DHCPv6 the newest contact counts; what only one server knows of a client stays', () => {
    const six = { family: 6, 'state-since': null, 'hardware-address': null, 'client-id': '000301' } as const
    const newer = record({ ...six, 'last-transaction': NOW })
    const older = record({ ...six, 'last-transaction': NOW - 1 })
    assert.ok(compareRecords(newer, older, NOW) < 0)
    const address = withRecord(NO_ROW, 1, record({ ...six, address: '2001:db8::1' }), false)
    const prefix = withRecord(
      NO_ROW,
      2,
      record({ ...six, address: '2001:db8:1::', 'prefix-length': 56 }),
      false,
    )
    const clients = [address, prefix].map((row) => currentOf(row, NOW)?.['client-id'])
    assert.deepEqual(clients, ['000301', '000301'])
  })

  it('a lease past its end does not win by being local: its server is away', () => {
    const gone = record({ expires: NOW - 1 })
    const told = record({ state: 'available', expires: null, remote: true })
    assert.ok(compareRecords(told, gone, NOW) < 0)
  })

  it('the record heard last is better where nothing else tells', () => {
    assert.ok(compareRecords(record({}, { heard: NOW + 1 }), record({}), NOW) < 0)
  })

  it('6926-7.6-01: two servers that tell of one address make one binding, the better one', () => {
    let row = withRecord(NO_ROW, 1, record({ 'last-transaction': NOW - 10, expires: NOW + 10 }), false)
    row = withRecord(row, 2, record({ 'last-transaction': NOW, expires: NOW + 20 }), false)
    assert.equal(currentOf(row, NOW)?.expires, NOW + 20)
    row = withRecord(row, 1, record({ 'last-transaction': NOW + 5, expires: NOW + 30 }), false)
    assert.equal(currentOf(row, NOW)?.expires, NOW + 30)
  })

  it('7724-9-04: an end that one server tells counts, though another has not told it yet; then nothing is kept', () => {
    let row = withRecord(NO_ROW, 1, record({}), false)
    row = withRecord(row, 2, record({}), false)
    row = withRecord(row, 1, record({ state: 'released', 'last-transaction': NOW + 5 }), false)
    assert.equal(currentOf(row, NOW), undefined)
    assert.equal(isEmpty(row), false)
    row = withRecord(row, 2, record({ state: 'released', 'last-transaction': NOW + 5 }), false)
    assert.ok(isEmpty(row))
  })
})

describe('a Bulk answer beside an active query', () => {
  const told = (state: string, byActive: boolean, generation = 2) =>
    record({ state }, { byActive, generation })

  it('never undoes what the active query told since it was asked', () => {
    const row = withRecord(NO_ROW, 1, told('active', true), true)
    assert.equal(withRecord(row, 1, told('released', false), true), row)
    const ended = withRecord(row, 1, told('released', true), true)
    assert.equal(currentOf(withRecord(ended, 1, told('active', false), true), NOW), undefined)
    const unknown = withRecord(NO_ROW, 1, told('released', true), true)
    assert.equal(currentOf(withRecord(unknown, 1, told('active', false), true), NOW), undefined)
  })

  it('counts against what was told before it was asked', () => {
    const row = withRecord(NO_ROW, 1, told('active', true, 1), false)
    assert.equal(currentOf(withRecord(row, 1, told('released', false), true), NOW), undefined)
  })

  it('ends what it does not tell, and forgets what had ended', () => {
    const old = withRecord(NO_ROW, 1, told('active', true, 1), false)
    assert.ok(isEmpty(withoutUntold(old, 1, 2, false)))
    const fresh = withRecord(NO_ROW, 1, told('active', false), true)
    assert.equal(withoutUntold(fresh, 1, 2, false), fresh)
    const ended = withRecord(fresh, 1, told('released', true), true)
    assert.ok(!isEmpty(ended))
    assert.ok(isEmpty(withoutUntold(ended, 1, 2, false)))
  })

  it('keeps no row for addresses that nobody holds', () => {
    assert.equal(withRecord(NO_ROW, 1, told('available', false), true), NO_ROW)
  })
})

describe('what a receiver is handed', () => {
  it('is what differs between what it has and what is', () => {
    const later = { ...known, expires: NOW + 7200 }
    assert.equal(changeBetween(undefined, known, true)?.change, 'added')
    assert.equal(changeBetween(known, undefined, true)?.change, 'removed')
    assert.equal(changeBetween(undefined, undefined, true), undefined)
    assert.equal(changeBetween(known, { ...known, server: 'c0000201', remote: true }, true), undefined)
    assert.deepEqual(changeBetween(known, later, true), { change: 'changed', binding: later, before: known })
    assert.equal(changeBetween(known, later, false), undefined, 'a renewal that is not wanted')
    const moved = { ...later, 'hardware-address': '02005e000002' }
    assert.equal(changeBetween(known, moved, false)?.change, 'changed')
  })

  it('is how it stands, in any case, where an attempt was not acknowledged: the receiver may have taken it', () => {
    const tried = { told: undefined, queued: 1, tried: known }
    assert.equal(changeFor(tried, undefined, true)?.change, 'removed')
    assert.equal(changeFor(tried, known, true)?.change, 'added')
    assert.equal(changeFor({ ...tried, told: known }, known, true)?.change, 'changed')
    assert.equal(changeFor({ told: known, queued: undefined }, known, true), undefined)
  })

  it('is nothing where times differ by the grain of two clocks', () => {
    assert.equal(changeBetween(known, { ...known, expires: NOW + 3601 }, true), undefined)
  })
})

describe('the difference of two clocks (RFC 6926 section 7.4)', () => {
  it('is nothing within the seconds of a message on its way', () => {
    const skew = new ClockSkew()
    for (const late of [0, 0.4, 1.7, 0.9]) skew.observe(NOW - late, NOW)
    assert.equal(skew.seconds, 0)
  })

  it('is found with the first message, and stays the same while base-times lag behind', () => {
    const skew = new ClockSkew()
    skew.observe(NOW + 3600, NOW + 0.2)
    const first = skew.seconds
    assert.ok(Math.abs(first - 3600) <= 1)
    for (let i = 0; i < 20; i++) skew.observe(NOW + 3600 - 5, NOW + i / 10)
    assert.equal(skew.seconds, first)
  })

  it('is not mistaken for messages that wait because we read slowly', () => {
    const skew = new ClockSkew()
    skew.observe(NOW, NOW)
    for (let i = 0; i < 100_000; i++) skew.observe(NOW + i / 1000, NOW + i / 900)
    assert.equal(skew.seconds, 0)
  })

  it('follows a clock that was set back', () => {
    const skew = new ClockSkew()
    skew.observe(NOW + 3600, NOW)
    for (let i = 0; i < 70; i++) skew.observe(NOW + i, NOW + i)
    assert.equal(skew.seconds, 0)
  })
})
