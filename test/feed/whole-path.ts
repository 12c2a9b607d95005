// Everything between Kea's leases and what requestors hold, on clocks that the test moves: a source of leases, the follower,
// the real store on a disk that can fail and lose, sessions over it. A step is one thing that may happen; after any steps,
// and then peace, all of them hold the same.
import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { BindingState, expiryOf, type Family, NO_OCTETS, Origin, sameClient } from '../../sidecar/binding.ts'
import type { FeedMessage, FeedReply, FeedRequest } from '../../sidecar/feed/events.ts'
import { Follower } from '../../sidecar/feed/follower.ts'
import type { Moment } from '../../sidecar/session/session-io.ts'
import { shareBatches } from '../../sidecar/session/shared-batches.ts'
import { relaySelectors } from '../../sidecar/store/indexes.ts'
import { openStore, type Store } from '../../sidecar/store/open.ts'
import { type FamilyUnderTest, families } from '../session/families.ts'
import { FakeLevel } from '../store/support.ts'
import { toHex } from '../wire/bytes.ts'
import { keyOf } from './plain-store.ts'
import type { Source, SourceLease, SourceOptions } from './source.ts'
import { type Offer, readerOf, StoreRequestor } from './store-requestor.ts'

export const R1 = Uint8Array.of(0, 3, 1)
export const R2 = Uint8Array.of(0, 3, 2)
const ADDRESSES = 5
/** The few seconds before a lease ends and after, in which it is a matter of taste whether it is told as ended. */
const NEAR_END_SECONDS = 90
const START_SECONDS = 1_700_000_000

export interface Setup {
  readonly family: Family
  /** Kea keeps relay data with its rows (store-extended-info). */
  readonly extendedInfo: boolean
  /** Everybody is in step with some leases at the beginning. */
  readonly isPrimed: boolean
}

export interface Step {
  readonly run: (world: World) => void | Promise<void>
  toString(): string
}

/** One life of the sidecar. */
interface Life extends Offer {
  readonly level: FakeLevel
  readonly follower: Follower
  requests: FeedRequest[]
  shown: number
}

export class World {
  readonly family: FamilyUnderTest
  readonly setup: Setup
  readonly source: Source
  readonly requestors: readonly StoreRequestor[]
  /** What Kea holds, by address. */
  readonly leases = new Map<string, SourceLease>()
  #life: Life | undefined
  #mono = 1_000
  #wallMs = START_SECONDS * 1_000
  #keaAheadMs = 0
  #diskFails = false
  #boot = 1
  #late: FeedReply[] = []
  #lateMessages: FeedMessage[] = []
  /** A row was changed of which nobody was told. */
  #isSilent = false

  private constructor(setup: Setup, makeSource: (options: SourceOptions) => Source) {
    this.setup = setup
    this.family = families.find(({ family }) => family === setup.family)!
    const { family, extendedInfo } = setup
    this.source = makeSource({ family, extendedInfo, keaMs: () => this.keaMs })
    this.requestors = [new StoreRequestor(this.family), new StoreRequestor(this.family, { relayIds: [R1] })]
  }

  static async begin(setup: Setup, makeSource: (options: SourceOptions) => Source): Promise<World> {
    const world = new World(setup, makeSource)
    await world.#live(new FakeLevel())
    if (setup.isPrimed) {
      for (let n = 1; n < ADDRESSES; n++) world.grant(n, 1, n % 2 === 0 ? R1 : R2, 86_400)
      await world.#peace(4)
      for (const requestor of world.requestors) requestor.connect(world.life)
      world.#serveAll()
      for (const requestor of world.requestors) assert.ok(requestor.bulk(world.life))
      await world.life.store.flush()
    }
    return world
  }

  async end(): Promise<void> {
    await this.#life?.store.close()
    await this.source.close()
  }

  get life(): Life {
    return this.#life!
  }

  get keaMs(): number {
    return this.#wallMs + this.#keaAheadMs
  }

  get keaNow(): number {
    return Math.floor(this.keaMs / 1_000)
  }

  // ---- Kea

  #leaseOf(n: number, client: number, relayId: Uint8Array, validLifetime: number): SourceLease {
    const { address, iaid, hardwareType, hardwareAddress, clientId } = this.family.binding(n, client)
    // Every second address of DHCPv6 is a delegated prefix.
    const prefixLength = this.setup.family === 6 && n % 2 === 0 ? 128 - 8 * (client % 2) : 0
    return {
      address,
      iaid,
      hardwareType,
      hardwareAddress,
      clientId,
      prefixLength,
      keaState: 0,
      subnetId: 1,
      validLifetime,
      preferredLifetime: this.setup.family === 6 ? Math.floor(validLifetime / 2) : 0,
      clientLastTransaction: this.keaNow,
      hostname: NO_OCTETS,
      relayId,
    }
  }

  /** A client is given an address, or renews it, through a relay, or through none. */
  grant(n: number, client: number, relayId: Uint8Array, validLifetime: number, isSilent = false): void {
    // In a second of its own: a row alike but for its relay data may as well be stale, see Reconciler.
    if (isSilent) this.pass(1_000)
    const lease = this.#leaseOf(n, client, relayId, validLifetime)
    const before = this.leases.get(keyOf(lease.address))
    // A packet from no relay leaves what the row has; another client's row begins anew.
    const kept = before !== undefined && before.keaState === 0 && sameClient(before, lease)
    const stored = relayId.length > 0 ? relayId : kept ? before.relayId : NO_OCTETS
    this.#write({ ...lease, relayId: stored }, Origin.client, relayId, isSilent)
  }

  release(n: number): void {
    const before = this.#at(n)
    if (before === undefined) return
    const ended = {
      ...before,
      keaState: 3,
      validLifetime: 0,
      preferredLifetime: 0,
      clientLastTransaction: this.keaNow,
    }
    this.#write(ended, Origin.client, before.relayId)
  }

  decline(n: number): void {
    const lease = this.#leaseOf(n, 0, NO_OCTETS, 86_400)
    const nobody = { keaState: 1, hardwareType: 0, hardwareAddress: NO_OCTETS, clientId: NO_OCTETS }
    this.#write({ ...lease, ...nobody, prefixLength: 0 }, Origin.client, undefined)
  }

  remove(n: number, origin: Origin | undefined): void {
    const { address } = this.#leaseOf(n, 1, NO_OCTETS, 0)
    if (!this.leases.delete(keyOf(address))) return
    if (origin === undefined) this.#isSilent = true
    this.source.remove(address, origin)
  }

  /** Without store-extended-info Kea may answer a renewal from its cache: only an annotation tells of the relay. */
  cachedRenewal(n: number, relayId: Uint8Array): void {
    const lease = this.#at(n)
    if (this.setup.extendedInfo || lease === undefined || lease.keaState !== 0) return
    this.leases.set(keyOf(lease.address), { ...lease, relayId })
    this.source.annotate(lease, relayId)
  }

  /** More events than the ring holds. */
  burst(count: number): void {
    for (let i = 0; i < count; i++) this.grant(1 + (i % ADDRESSES), i % 3, i % 2 ? R1 : R2, 86_400)
  }

  /** Kea is configured anew, and its loader drops some rows. */
  reload(dropped: readonly number[]): void {
    for (const n of dropped) this.remove(n, undefined)
    this.source.reload()
  }

  #at(n: number): SourceLease | undefined {
    return this.leases.get(keyOf(this.#leaseOf(n, 1, NO_OCTETS, 0).address))
  }

  #write(
    lease: SourceLease,
    origin: Origin,
    packetRelayId: Uint8Array | undefined,
    isSilent: boolean = false,
  ): void {
    this.leases.set(keyOf(lease.address), lease)
    if (isSilent) this.#isSilent = true
    const { extendedInfo } = this.setup
    const row = extendedInfo ? lease : { ...lease, relayId: NO_OCTETS }
    this.source.write(row, isSilent ? undefined : { origin, packetRelayId })
  }

  // ---- the feed

  async deliver(): Promise<void> {
    for (const message of await this.source.take()) this.#hand(message)
  }

  /** What was published is lost on the way, or comes when it is of no use any more. */
  async lose(isLate: boolean): Promise<void> {
    const messages = await this.source.take()
    if (isLate) this.#lateMessages.push(...messages)
  }

  lateMessages(): void {
    for (const message of this.#lateMessages.splice(0)) this.#hand(message)
  }

  async heartbeat(): Promise<void> {
    const heartbeat = await this.source.heartbeat()
    // The publisher sends in order.
    await this.deliver()
    if (heartbeat !== undefined) this.#hand(heartbeat)
  }

  async answer(isLate = false): Promise<boolean> {
    const request = this.life.requests.shift()
    if (request === undefined) return false
    const reply = await this.source.answer(request)
    if (reply === undefined) return true
    if (isLate) this.#late.push(reply)
    else this.#reply(reply)
    return true
  }

  loseReply(): void {
    this.life.requests.shift()
  }

  lateReply(again: boolean): void {
    const reply = this.#late.shift()
    if (reply === undefined) return
    this.#reply(reply)
    if (again) this.#late.push(reply)
  }

  walk(): void {
    this.life.follower.requestWalk('asked', this.#mono)
    this.#collect()
  }

  #hand(message: FeedMessage): void {
    this.life.follower.message(message, this.#mono)
    this.#collect()
  }

  #reply(reply: FeedReply): void {
    this.life.follower.reply(reply, this.#mono)
    this.#collect()
  }

  #collect(): void {
    const { life } = this
    for (const output of life.follower.takeOutputs())
      if (output.kind === 'request') life.requests.push(output.request)
  }

  // ---- time

  pass(ms: number): void {
    this.#mono += ms
    this.#wallMs += ms
    this.#tick()
  }

  stepKea(ms: number): void {
    this.#keaAheadMs += ms
  }

  /** Somebody sets the clock of the sidecar's host; Kea's stays. */
  stepWall(ms: number): void {
    this.#wallMs += ms
    this.#keaAheadMs -= ms
  }

  #tick(): void {
    const { follower } = this.life
    follower.tick(this.#mono)
    this.#collect()
    for (let i = 0; i < 10_000 && follower.deadline() <= this.#mono; i++) {
      follower.tick(this.#mono)
      this.#collect()
    }
    for (const requestor of this.requestors) requestor.tick()
  }

  // ---- the sidecar

  /** The disk gets on. */
  async turns(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await nextTurn()
  }

  failDisk(fails: boolean): void {
    this.#diskFails = fails
  }

  prune(): void {
    const { store } = this.life
    store.prune(store.clock.now())
  }

  async stopAndStart(): Promise<void> {
    this.#diskFails = false
    const { follower, level, store } = this.life
    follower.stop()
    await store.close()
    this.#cutAll()
    await this.#live(new FakeLevel(level.content))
  }

  async kill(): Promise<void> {
    const content = this.life.level.content
    await this.#die()
    await this.#live(new FakeLevel(content))
  }

  /** The machine of sidecar and Kea loses power: both lose what was not on the disk itself, each its own. */
  async losePower(kept: readonly boolean[], dropped: readonly number[]): Promise<void> {
    const content = this.life.level.afterPowerLoss((batch) => kept[batch % kept.length] ?? true)
    await this.#die()
    this.#boot++
    this.reload(dropped)
    await this.#live(new FakeLevel(content))
  }

  async #die(): Promise<void> {
    this.#cutAll()
    this.#diskFails = false
    await this.life.store.close()
  }

  #cutAll(): void {
    for (const requestor of this.requestors) requestor.cut(Number.POSITIVE_INFINITY)
  }

  async #live(level: FakeLevel): Promise<void> {
    this.#late = []
    this.#lateMessages = []
    level.fate = () => (this.#diskFails ? 'fail' : 'write')
    const store: Store = await openStore({
      path: '/fake',
      family: this.setup.family,
      level,
      wall: () => this.#wallMs / 1_000,
      monotonic: () => this.#mono / 1_000,
      bootId: `boot ${this.#boot}`,
      gatherMilliseconds: 0,
      retryMilliseconds: 1,
      batchRecords: 3,
      retention: { seconds: 3_600, maxEnded: 4 },
    })
    const follower = new Follower(
      {
        family: this.setup.family,
        store,
        clock: () => store.clock.now(),
        opening: store.openReport,
        settings: {
          walkEveryMs: 0,
          maxBufferedEvents: 4,
          massEndLeast: 3,
          massEndShare: 0.5,
          massEndPauseMs: 2_000,
        },
      },
      this.#mono,
    )
    const moment = (): Moment => {
      const keaNow = follower.keaNow(this.#mono) ?? this.keaNow
      return { mono: this.#mono, now: store.clock.now(), keaNow }
    }
    this.#life = {
      level,
      store,
      follower,
      requests: [],
      shown: store.newestChange,
      dialect: shareBatches(this.family.dialect),
      reader: readerOf(store),
      moment,
      isTrusted: () => follower.status(this.#mono).indexTrusted,
      isWalkPending: () => follower.status(this.#mono).walkPending,
    }
    this.#collect()
  }

  // ---- requestors

  grew(): void {
    const { life } = this
    if (life.shown === life.store.newestChange) return
    life.shown = life.store.newestChange
    for (const requestor of this.requestors) requestor.grew()
  }

  #serveAll(): void {
    this.grew()
    for (const requestor of this.requestors)
      while (requestor.serve(3) || requestor.read(Number.POSITIVE_INFINITY));
  }

  // ---- the end

  /** Nothing goes wrong any more, for long enough. */
  async rest(): Promise<void> {
    this.#diskFails = false
    this.source.failPages(false)
    this.lateMessages()
    for (const reply of this.#late.splice(0)) this.#reply(reply)
    await this.#peace(50)
    const isNearEnd = (lease: SourceLease): boolean =>
      Math.abs(expiryOf(lease) + NEAR_END_SECONDS / 3 - this.keaNow) < NEAR_END_SECONDS
    while ([...this.leases.values()].some(isNearEnd)) await this.#peace(15)
    // Silent writers are found by the next walk.
    if (this.#isSilent) this.walk()
    await this.#peace(10)
    await this.life.store.flush()
  }

  /** Everybody lives for twice so many seconds. */
  async #peace(rounds: number): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      await this.#settle()
      this.pass(2_000)
      await this.heartbeat()
      this.#serveAll()
      await nextTurn()
    }
    await this.#settle()
  }

  async #settle(): Promise<void> {
    for (let i = 0; i < 2_000; i++) {
      await this.deliver()
      if (await this.answer()) continue
      this.#tick()
      this.#serveAll()
      if (this.life.requests.length === 0) return
    }
    throw new Error('the follower asks without end')
  }

  /** @throws AssertionError where somebody holds something else than Kea */
  check(): void {
    const { follower, store } = this.life
    const { state, walkPending } = follower.status(this.#mono)
    assert.deepEqual({ state, walkPending }, { state: 'following', walkPending: false })
    assert.equal(store.position.seq, this.source.lastSeq)
    const [everybody] = this.requestors
    const held = [...this.leases.values()]
      .filter((one) => one.keaState === 0 && one.validLifetime !== 0 && expiryOf(one) > this.keaNow)
      .map((one) => everybody!.nameOf({ ...one } as never))
    assert.deepEqual(everybody!.heldIn(store), held.sort(), 'the store and Kea')
    if (this.setup.extendedInfo) this.#checkRelays()
    for (const [i, requestor] of this.requestors.entries()) {
      requestor.connect(this.life)
      this.#serveAll()
      if (requestor.needsBulk) assert.ok(requestor.bulk(this.life), 'Bulk queries are answered')
      assert.deepEqual(requestor.live, requestor.heldIn(store), `requestor ${i} and the store`)
    }
  }

  #checkRelays(): void {
    for (const lease of this.leases.values()) {
      const binding = this.life.store.get(lease.address)
      if (binding?.state !== BindingState.active || lease.keaState !== 0) continue
      // Of a client that has come back without a relay, what it had before may be known.
      if (lease.relayId.length === 0) continue
      const { relayIds } = relaySelectors(this.setup.family, binding.relay)
      assert.deepEqual(relayIds.map(toHex), [toHex(lease.relayId)], 'the relay of a binding')
    }
  }
}

// ---- steps

const address = fc.integer({ min: 1, max: ADDRESSES })
const client = fc.integer({ min: 1, max: 3 })
const relay = fc.constantFrom(R1, R1, R2, NO_OCTETS)
const origin = fc.constantFrom(...Object.values(Origin))
const lifetime = fc.constantFrom(60, 86_400, 86_400, 0xffffffff)
const some = fc.subarray([1, 2, 3, 4, 5])
const requestor = fc.integer({ min: 0, max: 1 })
const few = fc.integer({ min: 1, max: 4 })

function step<T extends unknown[]>(
  weight: number,
  name: string,
  arguments_: { [I in keyof T]: fc.Arbitrary<T[I]> },
  run: (world: World, ...values: T) => void | Promise<void>,
): fc.WeightedArbitrary<Step> {
  const arbitrary = fc.tuple<T>(...arguments_).map((values) => ({
    toString: () =>
      `${name}(${values.map((value) => (value instanceof Uint8Array ? toHex(value) : JSON.stringify(value))).join()})`,
    run: (world: World) => run(world, ...values),
  }))
  return { weight, arbitrary }
}

export const steps: readonly fc.WeightedArbitrary<Step>[] = [
  step(9, 'grant', [address, client, relay, lifetime], (world, n, c, r, l) => world.grant(n, c, r, l)),
  step(1, 'grantSilently', [address, client, relay], (world, n, c, r) => world.grant(n, c, r, 86_400, true)),
  step(2, 'release', [address], (world, n) => world.release(n)),
  step(1, 'decline', [address], (world, n) => world.decline(n)),
  step(3, 'remove', [address, origin], (world, n, o) => world.remove(n, o)),
  step(1, 'removeSilently', [address], (world, n) => world.remove(n, undefined)),
  step(2, 'cachedRenewal', [address, relay], (world, n, r) => world.cachedRenewal(n, r)),
  step(1, 'burst', [fc.constantFrom(6, 12, 60)], (world, count) => world.burst(count)),
  step(1, 'reload', [some], (world, dropped) => world.reload(dropped)),
  step(10, 'deliver', [], (world) => world.deliver()),
  step(3, 'lose', [fc.boolean()], (world, isLate) => world.lose(isLate)),
  step(2, 'lateMessages', [], (world) => world.lateMessages()),
  step(3, 'heartbeat', [], (world) => world.heartbeat()),
  step(12, 'answer', [], async (world) => void (await world.answer())),
  step(2, 'answerLate', [], async (world) => void (await world.answer(true))),
  step(2, 'loseReply', [], (world) => world.loseReply()),
  step(3, 'lateReply', [fc.boolean()], (world, again) => world.lateReply(again)),
  step(1, 'failPages', [], (world) => world.source.failPages(true)),
  step(2, 'healPages', [], (world) => world.source.failPages(false)),
  step(4, 'pass', [fc.constantFrom(100, 1_000, 5_000, 40_000)], (world, ms) => world.pass(ms)),
  step(1, 'stepKea', [fc.integer({ min: -5_000_000, max: 5_000_000 })], (world, ms) => world.stepKea(ms)),
  step(1, 'stepWall', [fc.integer({ min: -5_000_000, max: 5_000_000 })], (world, ms) => world.stepWall(ms)),
  step(1, 'walk', [], (world) => world.walk()),
  step(4, 'turns', [few], (world, count) => world.turns(count)),
  step(2, 'flush', [], (world) => world.life.store.flush().catch(() => {})),
  step(1, 'failDisk', [fc.boolean()], (world, fails) => world.failDisk(fails)),
  step(2, 'prune', [], (world) => world.prune()),
  step(1, 'kill', [], (world) => world.kill()),
  step(
    1,
    'losePower',
    [fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }), some],
    (world, kept, dropped) => world.losePower(kept, dropped),
  ),
  step(1, 'stopAndStart', [], (world) => world.stopAndStart()),
  step(4, 'connect', [requestor], (world, r) => world.requestors[r]!.connect(world.life)),
  step(4, 'grew', [], (world) => world.grew()),
  step(8, 'serve', [requestor, few], (world, r, limit) => void world.requestors[r]!.serve(limit)),
  step(8, 'read', [requestor, few], (world, r, messages) => void world.requestors[r]!.read(messages)),
  step(2, 'cut', [requestor, fc.integer({ min: 0, max: 3 })], (world, r, messages) =>
    world.requestors[r]!.cut(messages),
  ),
  step(1, 'bulk', [requestor], (world, r) => void world.requestors[r]!.bulk(world.life)),
]

export const setups: fc.Arbitrary<Setup> = fc.record({
  family: fc.constantFrom<Family>(4, 6),
  extendedInfo: fc.boolean(),
  isPrimed: fc.boolean(),
})

/**
 * Takes any steps, then checks that everybody holds the same.
 * @param runs unless PROPERTY_RUNS says another number; a failure prints the seed and path with which fc.assert() repeats it
 */
export async function converges(
  makeSource: (options: SourceOptions) => Source,
  runs: number,
  maxLength = 70,
): Promise<void> {
  const taken = fc.array(fc.oneof(...steps), { minLength: 1, maxLength, size: 'max' })
  await fc.assert(
    fc.asyncProperty(setups, taken, async (setup, all) => {
      const world = await World.begin(setup, makeSource)
      try {
        for (const { run } of all) await run(world)
        await world.rest()
        world.check()
      } finally {
        await world.end()
      }
    }),
    { numRuns: Number(process.env['PROPERTY_RUNS'] ?? runs), includeErrorInReport: true },
  )
}
