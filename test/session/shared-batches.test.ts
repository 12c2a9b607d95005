import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { BindingState } from '../../sidecar/binding.ts'
import type { Dialect } from '../../sidecar/session/dialect.ts'
import { shareBatches } from '../../sidecar/session/shared-batches.ts'
import { framed, message4, message6, option4, option6, toHex, u32 } from '../wire/bytes.ts'
import { Driver, type Setup, SimulatedTime } from './driver.ts'
import { type FamilyUnderTest, families, REQUESTOR } from './families.ts'
import { IndexModel } from './index-model.ts'

const R1 = Uint8Array.of(0, 3, 1)
const R2 = Uint8Array.of(0, 3, 2)

/** A query with a list of requested options of its own. */
function query(
  family: FamilyUnderTest,
  xid: number,
  requested: readonly number[],
  since?: number,
): Uint8Array {
  return family.family === 4
    ? framed(
        message4(1, xid, [
          ...option4(53, [16]),
          ...option4(55, requested),
          ...(since === undefined ? [] : option4(154, u32(since))),
        ]),
      )
    : framed(
        message6(22, xid, [
          ...option6(1, REQUESTOR),
          ...option6(
            6,
            requested.flatMap((code) => [0, code]),
          ),
          ...(since === undefined ? [] : option6(101, u32(since - SINCE_2000))),
        ]),
      )
}

const requested = { 4: [51, 58, 59, 61, 82, 153, 12], 6: [100, 47, 39] }
const SINCE_2000 = 946684800

function requestorsOf(family: FamilyUnderTest) {
  return fc.array(
    fc.record({
      xid: fc.integer({ min: 1, max: 0xffffff }),
      // Mostly alike, so that there is something to share.
      requested: fc.oneof(
        { weight: 2, arbitrary: fc.constant(requested[family.family]) },
        { weight: 1, arbitrary: fc.subarray(requested[family.family], { minLength: 1 }) },
      ),
      withhold: fc.oneof(
        { weight: 2, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.subarray(requested[family.family]) },
      ),
      late: fc.boolean(),
      maxReply: fc.constantFrom(16382, 330),
      scoped: fc.constantFrom(false, false, true),
      batchChanges: fc.constantFrom(1, 3, 200),
      slow: fc.boolean(),
    }),
    { minLength: 2, maxLength: 6 },
  )
}

const steps = fc.array(
  fc.record({
    n: fc.integer({ min: 1, max: 4 }),
    client: fc.integer({ min: 1, max: 2 }),
    ended: fc.boolean(),
    relay: fc.boolean(),
    seconds: fc.constantFrom(0, 0, 0, 1, 3),
    // Clocks that are far apart: then a time left depends on both, to the second.
    keaStep: fc.constantFrom(0, 0, 0, 1, -1, 100),
    renew: fc.constantFrom(900, 900, 1000),
    rebind: fc.constantFrom(0, 0, 1500),
    announce: fc.boolean(),
  }),
  { maxLength: 25 },
)

/** Counts how often the dialect below was asked to encode a change. */
function counting(dialect: Dialect): { dialect: Dialect; encoded: () => number } {
  let count = 0
  return {
    dialect: {
      ...dialect,
      change(...args) {
        count++
        return dialect.change(...args)
      },
      write(...args) {
        count++
        return dialect.write(...args)
      },
    },
    encoded: () => count,
  }
}

for (const family of families)
  describe(`shared encodings, DHCPv${family.family}`, () => {
    it('are octet for octet what each session would have encoded for itself', () => {
      fc.assert(
        fc.property(requestorsOf(family), steps, (requestors, all) => {
          const time = new SimulatedTime()
          const index = new IndexModel()
          const shared = shareBatches(family.dialect)
          let renew = 900
          let rebind = 0
          const configure = (t1: number, t2: number): void => {
            if (t1 !== renew || t2 !== rebind) index.topology++
            renew = t1
            rebind = t2
          }
          const connect = (one: (typeof requestors)[number], since?: number): Driver[] => {
            const setup: Partial<Setup> = {
              limits: { batchChanges: one.batchChanges, maxReply: one.maxReply },
              rights: { withhold: new Set(one.withhold), relayIds: one.scoped ? [R1] : [] },
              service: { timers: () => ({ renew, rebind }) },
            }
            const octets = query(family, one.xid, one.requested, since)
            return [shared, family.dialect].map((dialect) => {
              const driver = new Driver(dialect, setup, time, index).receive(octets)
              driver.reading = !one.slow
              return driver
            })
          }
          const pairs = requestors.filter((one) => !one.late).map((one) => connect(one))
          for (const [i, step] of all.entries()) {
            if (i === all.length >> 1)
              pairs.push(...requestors.filter((one) => one.late).map((one) => connect(one, time.now - 2)))
            time.pass(step.seconds)
            time.keaAhead += step.keaStep
            configure(step.renew, step.rebind)
            const { keaNow, now } = time.moment
            const changes = {
              state: step.ended ? BindingState.released : BindingState.active,
              clientLastTransaction: keaNow,
              stateSince: keaNow,
              relay: family.relay(step.relay ? R1 : R2),
            }
            index.put(family.binding(step.n, step.client, changes), now)
            if (!step.announce) continue
            for (const driver of pairs.flat()) {
              driver.grew()
              driver.settle()
            }
          }
          // Those who lag read when Kea's clock shows the same second, but L has moved, or another T1 is configured.
          for (const [i, pair] of pairs.entries()) {
            if (i === 2) {
              time.pass(1)
              time.keaAhead--
            }
            if (i === 1) configure(1100, rebind)
            if (i === 4) configure(renew, 1600)
            if (i === 3) time.keaAhead++
            for (const driver of pair) {
              driver.reading = true
              driver.grew()
              driver.settle()
            }
            assert.deepEqual(
              pair[0]!.sent.map((frame) => toHex(frame.octets)),
              pair[1]!.sent.map((frame) => toHex(frame.octets)),
            )
          }
        }),
        { numRuns: 300 },
      )
    })

    it('are made once for all requestors of one view, and once for each view', () => {
      const time = new SimulatedTime()
      const index = new IndexModel()
      const { dialect, encoded } = counting(family.dialect)
      const shared = shareBatches(dialect)
      const [one, other] = requested[family.family] as [number, number]
      const drivers = [[one], [one], [one], [one, other]].map((codes, i) =>
        new Driver(shared, {}, time, index).receive(query(family, i + 1, codes)),
      )
      index.put(family.binding(1, 1), time.now)
      for (const driver of drivers) {
        driver.fresh()
        driver.grew()
        driver.settle()
      }
      assert.equal(encoded(), 2)
      assert.deepEqual(
        drivers.map((driver) => family.read(driver.fresh()[0]!).xid),
        [1, 2, 3, 4],
      )
    })

    it('are not kept for changes that a requestor is late for', () => {
      const time = new SimulatedTime()
      const index = new IndexModel()
      const { dialect, encoded } = counting(family.dialect)
      const shared = shareBatches(dialect)
      index.put(family.binding(1, 1), time.now)
      time.pass(10)
      for (let n = 0; n < 2; n++) new Driver(shared, {}, time, index).receive(family.query(time.now - 10))
      assert.equal(encoded(), 2)
    })
  })
