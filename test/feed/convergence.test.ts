// Whatever happens between Kea and the sidecar, and to the sidecar, at rest the store holds what Kea holds, and so does
// a requestor that resumes with the base-time it last saw.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { BindingState, expiryOf, NO_OCTETS, Origin } from '../../sidecar/binding.ts'
import { FeedErrorCode, type FeedReply } from '../../sidecar/feed/events.ts'
import type { Change } from '../../sidecar/store/store.ts'
import { Driver } from './driver.ts'
import { ipv4, leaseRow } from './model-hook.ts'
import { keyOf, type SavedStore } from './plain-store.ts'

const ADDRESSES = 6

/**
 * A requestor that follows the tail, and after each cut resumes with the last base-time it saw (L at that moment): it
 * knows who holds which address.
 */
class Requestor {
  readonly holders = new Map<string, string>()
  /** L when it last heard from the sidecar. */
  baseTime: number | undefined
  /** It was told DataMissing, or is new: only a Bulk query at the end helps. */
  needsBulk = true
  isConnected = false
  #read = 0

  connect(driver: Driver): void {
    this.isConnected = true
    this.#read = driver.store.shown.length
    const { horizon } = driver.store
    const isTrusted = driver.follower.status(driver.now).indexTrusted
    if (this.baseTime === undefined || !isTrusted || horizon === undefined || this.baseTime < horizon) {
      this.needsBulk = true
      return
    }
    for (const binding of driver.store.bindings.values()) {
      if (binding.changedAt >= this.baseTime) this.#learn({ kind: 'binding', binding })
    }
  }

  /** Reads what was shown since. */
  read(driver: Driver): void {
    if (!this.isConnected) return
    for (const change of driver.store.shown.slice(this.#read)) this.#learn(change)
    this.#read = driver.store.shown.length
    this.baseTime = driver.logical
  }

  cut(): void {
    this.isConnected = false
  }

  bulk(driver: Driver): void {
    this.holders.clear()
    for (const binding of driver.store.bindings.values()) this.#learn({ kind: 'binding', binding })
    this.needsBulk = false
  }

  #learn(change: Change): void {
    if (change.kind === 'departure') return // The binding itself comes as well.
    const { address, state, hardwareAddress } = change.binding
    if (state === BindingState.active) this.holders.set(keyOf(address), keyOf(hardwareAddress))
    else this.holders.delete(keyOf(address))
  }
}

class World {
  readonly driver: Driver
  readonly requestor = new Requestor()
  disk: SavedStore
  late: FeedReply[] = []

  constructor() {
    this.driver = new Driver({
      maxBufferedEvents: 4,
      massEndLeast: 3,
      massEndShare: 0.5,
      massEndPauseMs: 2_000,
    })
    this.driver.hook.pageSize = 2
    this.driver.hook.ringSize = 8
    this.disk = this.driver.store.save()
  }

  /** In step with a Kea of four leases, with a requestor that knows them. */
  prime(): void {
    const { driver, requestor } = this
    for (let n = 1; n <= 4; n++) driver.hook.write(leaseRow(ipv4(n), 1, { validLifetime: 86_400 }))
    driver.settle()
    requestor.connect(driver)
    requestor.read(driver)
    requestor.bulk(driver)
    this.flush()
  }

  flush(): void {
    this.disk = this.driver.store.save()
  }

  restart(wasClean: boolean): void {
    this.requestor.read(this.driver)
    this.requestor.cut()
    if (wasClean) {
      this.driver.follower.stop()
      this.flush()
    }
    this.late = []
    this.driver.restart(this.disk, wasClean)
  }

  /** @param isWatched no row was changed silently: the follower must know by itself when to walk */
  rest(isWatched: boolean): void {
    const { driver } = this
    driver.hook.pageError = undefined
    for (const reply of this.late) driver.reply(reply)
    this.late = []
    this.#live(100)
    // No lease is just about to end, or to be told as ended.
    while (
      [...driver.hook.leases.values()].some((row) => Math.abs(expiryOf(row) + 30 - driver.hook.now) < 90)
    ) {
      this.#live(30)
    }
    // Silent writers are found by the next walk.
    if (!isWatched) driver.follower.requestWalk('periodic', driver.now)
    this.#live(20)
  }

  /** Kea and the sidecar in peace. */
  #live(seconds: number): void {
    const { driver } = this
    for (let i = 0; i < seconds; i += 2) {
      driver.settle()
      driver.pass(2_000)
      driver.heartbeat()
    }
    driver.settle()
  }
}

interface Step {
  readonly run: (world: World) => void
  toString(): string
}

const address = fc.integer({ min: 1, max: ADDRESSES }).map((n) => ipv4(n))
const client = fc.integer({ min: 1, max: 3 })
const origin = fc.constantFrom(...Object.values(Origin))
const lifetime = fc.constantFrom(60, 86_400, 0xffffffff)

function step<T extends unknown[]>(
  name: string,
  arguments_: { [I in keyof T]: fc.Arbitrary<T[I]> },
  run: (world: World, ...values: T) => void,
): fc.Arbitrary<Step> {
  return fc.tuple<T>(...arguments_).map((values) => {
    const told = values.map((value) => (value instanceof Uint8Array ? `.${value[3]}` : JSON.stringify(value)))
    return { toString: () => `${name}(${told.join()})`, run: (world) => run(world, ...values) }
  })
}

const watchedSteps: fc.MaybeWeightedArbitrary<Step>[] = [
  {
    weight: 8,
    arbitrary: step('grant', [address, client, lifetime], ({ driver: { hook } }, a, c, validLifetime) =>
      hook.write(leaseRow(a, c, { clientLastTransaction: hook.now, validLifetime })),
    ),
  },
  {
    weight: 4,
    arbitrary: step('remove', [address, origin], ({ driver: { hook } }, a, o) => hook.remove(a, o)),
  },
  {
    weight: 2,
    arbitrary: step('release', [address, client], ({ driver: { hook } }, a, c) =>
      hook.write(leaseRow(a, c, { keaState: 3, validLifetime: 0, clientLastTransaction: hook.now })),
    ),
  },
  {
    weight: 1,
    arbitrary: step('decline', [address], ({ driver: { hook } }, a) =>
      hook.write(
        leaseRow(a, 0, {
          keaState: 1,
          hardwareType: 0,
          hardwareAddress: NO_OCTETS,
          clientLastTransaction: hook.now,
        }),
      ),
    ),
  },
  { weight: 10, arbitrary: step('deliver', [], ({ driver }) => driver.deliver()) },
  { weight: 4, arbitrary: step('lose', [], ({ driver }) => driver.drop()) },
  { weight: 3, arbitrary: step('heartbeat', [], ({ driver }) => driver.heartbeat()) },
  { weight: 12, arbitrary: step('answer', [], ({ driver }) => void driver.answer()) },
  { weight: 2, arbitrary: step('loseReply', [], ({ driver }) => void driver.requests.shift()) },
  {
    weight: 3,
    arbitrary: step('answerLate', [], (world) => {
      const request = world.driver.requests.shift()
      if (request !== undefined) world.late.push(world.driver.hook.answer(request))
    }),
  },
  {
    weight: 3,
    arbitrary: step('lateReply', [fc.boolean()], (world, again) => {
      const reply = world.late.shift()
      if (reply === undefined) return
      world.driver.reply(reply)
      if (again) world.late.push(reply)
    }),
  },
  {
    weight: 1,
    arbitrary: step('failPages', [], ({ driver: { hook } }) =>
      hook.failPages({ code: FeedErrorCode.leaseDatabase, text: 'gone' }),
    ),
  },
  {
    weight: 2,
    arbitrary: step('healPages', [], ({ driver: { hook } }) => hook.failPages(undefined)),
  },
  {
    weight: 1,
    // What Kea's loader drops goes without an event.
    arbitrary: step('reload', [fc.subarray([1, 2, 3, 4, 5, 6])], ({ driver: { hook } }, dropped) => {
      for (const n of dropped) hook.removeSilently(ipv4(n))
      hook.start()
    }),
  },
  { weight: 3, arbitrary: step('flush', [], (world) => world.flush()) },
  { weight: 1, arbitrary: step('kill', [], (world) => world.restart(false)) },
  { weight: 1, arbitrary: step('stopAndStart', [], (world) => world.restart(true)) },
  {
    weight: 4,
    arbitrary: step('pass', [fc.constantFrom(100, 1_000, 5_000, 40_000)], ({ driver }, ms) =>
      driver.pass(ms),
    ),
  },
  {
    weight: 1,
    arbitrary: step(
      'stepClock',
      [fc.integer({ min: -5_000_000, max: 5_000_000 })],
      ({ driver: { hook } }, ms) => hook.stepClock(ms),
    ),
  },
  {
    weight: 1,
    arbitrary: step('walk', [], ({ driver }) => {
      driver.follower.requestWalk('asked', driver.now)
      driver.collect()
    }),
  },
  {
    weight: 3,
    arbitrary: step(
      'connect',
      [],
      ({ driver, requestor }) => requestor.isConnected || requestor.connect(driver),
    ),
  },
  { weight: 6, arbitrary: step('read', [], ({ driver, requestor }) => requestor.read(driver)) },
  { weight: 2, arbitrary: step('cut', [], ({ requestor }) => requestor.cut()) },
  {
    weight: 1,
    arbitrary: step('bulk', [], ({ driver, requestor }) => {
      const { state, indexTrusted } = driver.follower.status(driver.now)
      if (requestor.isConnected && state === 'following' && indexTrusted) {
        requestor.read(driver)
        requestor.bulk(driver)
      }
    }),
  },
]

/** Writers that Kea's lease manager never sees. */
const silentSteps: fc.MaybeWeightedArbitrary<Step>[] = [
  {
    weight: 2,
    arbitrary: step('grantSilently', [address, client], ({ driver: { hook } }, a, c) =>
      hook.writeSilently(leaseRow(a, c, { clientLastTransaction: hook.now, validLifetime: 86_400 })),
    ),
  },
  {
    weight: 2,
    arbitrary: step('removeSilently', [address], ({ driver: { hook } }, a) => hook.removeSilently(a)),
  },
]

function check({ driver, requestor }: World): void {
  const { hook, store, follower } = driver
  assert.equal(follower.status(driver.now).state, 'following')
  assert.equal(store.position.walkPending, false)
  assert.equal(store.position.seq, hook.lastSeq)
  const held = new Map<string, string>()
  for (const [key, row] of hook.leases) {
    if (row.keaState === 0 && row.validLifetime !== 0 && expiryOf(row) > hook.now)
      held.set(key, keyOf(row.hardwareAddress))
  }
  const stored = new Map<string, string>()
  for (const [key, binding] of store.bindings) {
    if (binding.state === BindingState.active) stored.set(key, keyOf(binding.hardwareAddress))
  }
  assert.deepEqual(sorted(stored), sorted(held), 'the store and Kea')
  requestor.read(driver)
  if (!requestor.isConnected) requestor.connect(driver)
  if (requestor.needsBulk) requestor.bulk(driver)
  assert.deepEqual(sorted(requestor.holders), sorted(held), 'the requestor and Kea')
}

function sorted(map: ReadonlyMap<string, string>): [string, string][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** @param isWatched as for {@link World.rest} */
function converges(steps: fc.MaybeWeightedArbitrary<Step>[], isWatched: boolean): void {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 80, size: 'max' }),
      (isPrimed, taken) => {
        const world = new World()
        if (isPrimed) world.prime()
        for (const { run } of taken) run(world)
        world.rest(isWatched)
        check(world)
      },
    ),
    { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 2_000), includeErrorInReport: true },
  )
}

describe('at rest, store and requestor hold what Kea holds', () => {
  it('whatever was lost, late, repeated, failed, killed or reloaded on the way', () => {
    converges(watchedSteps, true)
  })

  it('also what nobody reported, after the next walk', () => {
    converges([...watchedSteps, ...silentSteps], false)
  })
})
