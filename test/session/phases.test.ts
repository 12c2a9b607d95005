// Every phase with every input: where it leads, or that the shell must not do it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accepted, inputTypes, type Phase, phases } from '../../sidecar/session/phases.ts'
import type { Input, InputType } from '../../sidecar/session/session-io.ts'
import { allRights, Driver, START } from './driver.ts'
import { type FamilyUnderTest, families } from './families.ts'

const REQUIRED = { mode: 'required', ready: true } as const

const into: Record<Phase, (family: FamilyUnderTest) => Driver> = {
  expecting: (family) => new Driver(family.dialect),
  securing: (family) => new Driver(family.dialect, { tls: REQUIRED }).receive(family.tlsStart(1)),
  refused: (family) =>
    new Driver(family.dialect, { tls: { mode: 'required', ready: false } }).receive(family.tlsStart(1)),
  bulk: (family) => {
    const driver = new Driver(family.dialect, { service: { bulkEnabled: true } })
    driver.tell({ type: 'bytes', data: family.bulk(5) })
    return driver
  },
  opening: (family) => {
    const driver = new Driver(family.dialect)
    driver.tell({ type: 'bytes', data: family.query(START) })
    return driver
  },
  'catching-up': (family) => {
    const driver = new Driver(family.dialect)
    driver.index.put(family.binding(1, 1), driver.time.now)
    driver.tell({ type: 'bytes', data: family.query(START) })
    driver.answer()
    return driver
  },
  live: (family) => {
    const driver = new Driver(family.dialect).receive(family.query())
    driver.index.put(family.binding(1, 1), driver.time.now)
    driver.grew()
    return driver
  },
  closed: (family) => {
    const driver = new Driver(family.dialect)
    driver.tell({ type: 'ended' })
    return driver
  },
}

function inputs(driver: Driver): Record<InputType, Input> {
  return {
    bytes: { type: 'bytes', data: Uint8Array.of(0) },
    secured: { type: 'secured', rights: allRights },
    opened: { type: 'opened', after: 0, newest: 0, complete: true },
    written: { type: 'written', through: driver.index.newest, newest: driver.index.newest, overtaken: false },
    'scan-opened': { type: 'scan-opened', scan: 1, horizon: 0 },
    'scan-refused': { type: 'scan-refused', scan: 1, text: 'not now' },
    slice: { type: 'slice', scan: 1, slice: { finds: [], done: true, overtaken: false } },
    'index-grew': { type: 'index-grew' },
    writable: { type: 'writable' },
    progress: { type: 'progress' },
    deadline: { type: 'deadline' },
    ended: { type: 'ended' },
    terminate: { type: 'terminate', text: 'stop' },
  }
}

/** Where an input leads that is taken; without an entry the phase stays. */
const leads: { readonly [P in Phase]?: { readonly [I in InputType]?: Phase } } = {
  expecting: { ended: 'closed', terminate: 'closed' },
  securing: { bytes: 'closed', secured: 'expecting', ended: 'closed', terminate: 'closed' },
  refused: { ended: 'closed', terminate: 'closed' },
  bulk: { 'scan-refused': 'expecting', slice: 'expecting', terminate: 'closed' },
  opening: { opened: 'live', ended: 'closed', terminate: 'closed' },
  'catching-up': { written: 'live', ended: 'closed', terminate: 'closed' },
  live: { ended: 'closed', terminate: 'closed' },
}

for (const family of families)
  describe(`DHCPv${family.family} session, each phase with each input`, () => {
    for (const phase of phases)
      for (const type of inputTypes)
        it(`${phase}: ${type}`, () => {
          const driver = into[phase](family)
          assert.equal(driver.session.phase, phase)
          // A slice is the answer to something.
          if (phase === 'bulk' && type === 'slice') driver.answer()
          const input = inputs(driver)[type]
          if (phase === 'closed') {
            assert.deepEqual(driver.tell(input), [])
            assert.equal(driver.session.phase, 'closed')
          } else if (!accepted[phase].has(type) && type !== 'index-grew') {
            assert.throws(() => driver.tell(input), new RegExp(`input ${type} in phase ${phase}`))
            assert.equal(driver.session.phase, phase)
          } else {
            driver.tell(input)
            assert.equal(driver.session.phase, leads[phase]?.[type] ?? phase)
          }
        })

    it('does not take changes that it has not asked for', () => {
      const driver = new Driver(family.dialect).receive(family.query())
      const written = { type: 'written', through: 0, newest: 0, overtaken: false } as const
      assert.throws(() => driver.tell(written), /not asked for/)
    })
  })
