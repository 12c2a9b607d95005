// The resume promise, on which everything rests: after the catch-up phase, for any prefix of the octets a requestor
// received, coming back with the last base-time in that prefix brings every binding whose newest change is not in it.
// RFC 7724 sections 7.3, 7.4 and 8.2, RFC 7653 sections 8.3, 8.4 and 9.3 ask for no less.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type BindingData, BindingState, sameOctets } from '../../sidecar/binding.ts'
import type { Dialect } from '../../sidecar/session/dialect.ts'
import type { ActiveChange } from '../../sidecar/session/session-io.ts'
import { formatAddress } from '../../sidecar/wire/address.ts'
import { toHex } from '../wire/bytes.ts'
import { Driver, SimulatedTime } from './driver.ts'
import { type FamilyUnderTest, families } from './families.ts'
import { IndexModel } from './index-model.ts'

const R1 = Uint8Array.of(0, 3, 1)
const R2 = Uint8Array.of(0, 3, 2)

type Step =
  | { do: 'change'; n: number; client: number; ended: boolean; relay: boolean; length: number }
  | { do: 'pass'; seconds: number }
  | { do: 'step'; seconds: number }
  | { do: 'pin'; pinned: boolean }
  | { do: 'answer'; limit: number }
  | { do: 'take' }
  | { do: 'grew' }
  | { do: 'prune' }
  | { do: 'terminate' }
  | { do: 'cut'; at: number }

const change = fc.record({
  do: fc.constant('change' as const),
  n: fc.integer({ min: 1, max: 4 }),
  client: fc.integer({ min: 1, max: 3 }),
  ended: fc.boolean(),
  relay: fc.boolean(),
  length: fc.constantFrom(0, 0, 0, 56, 64),
})

const steps = (prunes: boolean): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 8, arbitrary: change },
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('pass' as const), seconds: fc.constantFrom(1, 1, 2, 70) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant('step' as const), seconds: fc.constantFrom(-5, 5, -3600) }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('pin' as const), pinned: fc.boolean() }) },
      {
        weight: 6,
        arbitrary: fc.record({ do: fc.constant('answer' as const), limit: fc.integer({ min: 1, max: 3 }) }),
      },
      { weight: 6, arbitrary: fc.record({ do: fc.constant('take' as const) }) },
      { weight: 5, arbitrary: fc.record({ do: fc.constant('grew' as const) }) },
      { weight: prunes ? 5 : 0, arbitrary: fc.record({ do: fc.constant('prune' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('terminate' as const) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('cut' as const),
          at: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
      },
    ),
    { minLength: 5, maxLength: 80 },
  )

/** What a requestor knows: `address client` of each live binding; in DHCPv4 the address alone is the key. */
class Requestor {
  readonly family: FamilyUnderTest
  live = new Map<string, string>()
  resume: number | undefined
  /** Change numbers in what it received. */
  told = new Set<number>()

  constructor(family: FamilyUnderTest) {
    this.family = family
  }

  take(bindings: readonly string[]): void {
    for (const one of bindings) {
      const [address, client, state] = [
        one.split(' ')[0]!,
        one.split(' ').slice(1, -1).join(' '),
        one.split(' ').at(-1),
      ]
      const key = this.family.family === 4 ? address : `${address} ${client}`
      if (state === 'live') this.live.set(key, `${address} ${client}`)
      else this.live.delete(key)
    }
  }
}

/** A dialect that keeps, for each frame in the order in which they are made and sent, the numbers of the changes it tells. */
function recording(dialect: Dialect, numbers: number[][]): Dialect {
  const numberOf = (one: ActiveChange): number =>
    one.kind === 'binding' ? one.binding.changeNumber : one.departure.changeNumber
  return {
    ...dialect,
    change(reply, one, baseTime, moment) {
      const frames = dialect.change(reply, one, baseTime, moment)
      for (const _ of frames)
        numbers.push([numberOf(one), ...one.companions.map((companion) => companion.changeNumber)])
      return frames
    },
    write(to, reply, record, companions, baseTime, moment) {
      const count = dialect.write(to, reply, record, companions, baseTime, moment)
      for (let i = 0; i < count; i++)
        numbers.push([record, ...companions].map(({ changeNumber }) => changeNumber))
      return count
    },
  }
}

function run(family: FamilyUnderTest, all: readonly Step[], scoped: boolean): void {
  const time = new SimulatedTime()
  const index = new IndexModel()
  const requestor = new Requestor(family)
  const inScope = (data: BindingData): boolean => !scoped || sameOctets(data.relay, family.relay(R1))
  const nameOf = (data: BindingData): string => {
    const address = formatAddress(data.address) + (data.prefixLength > 0 ? `/${data.prefixLength}` : '')
    return `${address} ${toHex(family.family === 4 ? data.hardwareAddress : data.clientId)}`
  }
  const heldNow = (): string[] =>
    index.bindings
      .filter((one) => one.state === BindingState.active && inScope(one))
      .map(nameOf)
      .sort()

  const askBulk = (): void => {
    requestor.live.clear()
    requestor.take(heldNow().map((one) => `${one} live`))
    for (const one of index.bindings) requestor.told.add(one.changeNumber)
  }

  let numbers: number[][] = []
  const connect = (): Driver => {
    numbers = []
    const rights = scoped ? { relayIds: [R1] } : {}
    const driver = new Driver(recording(family.dialect, numbers), { rights }, time, index)
    driver.tell({ type: 'bytes', data: family.query(requestor.resume) })
    if (requestor.resume === undefined) {
      // Without a start time the promise begins when the query is accepted; what is held then is for Bulk to say.
      driver.answer()
      askBulk()
    }
    return driver
  }

  /** The requestor reads the first `share` of all octets that were sent, then the connection is gone. */
  const receive = (driver: Driver, share: number): void => {
    const total = driver.sent.reduce((sum, frame) => sum + frame.octets.length, 0)
    let left = Math.floor(share * total)
    let catchingUp = requestor.resume !== undefined
    let highest = 0
    let about = 0
    for (const { octets, moment } of driver.sent) {
      left -= octets.length
      if (left < 0) break
      const reply = family.read(octets)
      assert.ok(reply.baseTime! <= moment.now, 'base-time is not in the future')
      requestor.take(reply.bindings)
      if (reply.bindings.length > 0) for (const number of numbers[about++]!) requestor.told.add(number)
      if (reply.status === 'CatchUpComplete') catchingUp = false
      if (reply.status === 'DataMissing') {
        assert.ok(catchingUp, 'DataMissing belongs to the catch-up phase')
        assert.equal(reply.baseTime, moment.now)
        catchingUp = false
        missing = true
      }
      if (catchingUp) continue
      // Base-times never go back: the most recent one is the highest.
      assert.ok(reply.baseTime! >= highest, `base-time went back from ${highest} to ${reply.baseTime}`)
      highest = reply.baseTime!
      requestor.resume = highest
    }
  }
  let missing = false

  let driver = connect()
  for (const step of all) {
    switch (step.do) {
      case 'change': {
        const { keaNow, now } = time.moment
        const data = family.binding(step.n, step.client, {
          state: step.ended ? BindingState.released : BindingState.active,
          clientLastTransaction: keaNow,
          stateSince: keaNow,
          validLifetime: 1_000_000,
          preferredLifetime: 1_000_000,
          prefixLength: family.family === 6 ? step.length : 0,
          relay: family.relay(step.relay ? R1 : R2),
        })
        // Ended and absent are equal.
        if (!step.ended || index.get(data.address) !== undefined) index.put(data, now)
        break
      }
      case 'pass':
        driver.pass(step.seconds)
        break
      case 'step':
        time.step(step.seconds)
        break
      case 'pin':
        time.pin(step.pinned)
        break
      case 'answer':
        driver.answer(step.limit)
        break
      case 'take':
        driver.take()
        break
      case 'grew':
        driver.grew()
        break
      case 'prune':
        index.prune()
        break
      case 'terminate':
        driver.tell({ type: 'terminate', text: 'a test' })
        break
      case 'cut':
        receive(driver, step.at)
        // What the requestor does then (RFC 7724 section 7.4.1); later changes it has heard of already, or will.
        if (missing) askBulk()
        missing = false
        driver = connect()
        break
    }
  }

  // The last connection is cut as well; the one after it is left in peace.
  receive(driver, 1)
  if (missing) return // it would ask for a Bulk answer now, which says all
  time.pin(false)
  driver = connect()
  driver.settle()
  receive(driver, 1)
  if (missing) return
  assert.deepEqual([...requestor.live.values()].sort(), heldNow())
  for (const one of index.bindings)
    if (inScope(one))
      assert.ok(requestor.told.has(one.changeNumber), `change ${one.changeNumber} was never told`)
}

for (const family of families)
  describe(`the resume promise, DHCPv${family.family}`, () => {
    for (const [title, scoped, prunes] of [
      ['holds over any cuts, slow reads, concurrent changes and clock steps', false, false],
      ['holds while pruning runs', false, true],
      ['holds for a requestor that is shown the bindings of one relay only', true, true],
    ] as const)
      it(title, () => {
        fc.assert(
          fc.property(steps(prunes), (all) => run(family, all, scoped)),
          { numRuns: 1500 },
        )
      })
  })
