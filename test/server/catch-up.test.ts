/**
 * Changes over the real store: messages are written straight from its records. They are, octet for octet, what the plain way
 * of objects gives for the same moment, wherever a slice ends, in the catch-up phase and behind it; CatchUpComplete comes once
 * and in its place; and who is cut after any message and comes back with its base-time misses nothing (RFC 7724 sections 7.2
 * to 7.4, RFC 7653 section 8).
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type BindingData, BindingState, stateAt } from '../../sidecar/binding.ts'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { ChangeReader, openAt, withCompanions } from '../../sidecar/server/change-reader.ts'
import type { ReplyContext } from '../../sidecar/session/dialect.ts'
import { defaultLimits } from '../../sidecar/session/limits.ts'
import type { ActiveQuery } from '../../sidecar/session/query.ts'
import { scopeOf } from '../../sidecar/session/selection.ts'
import { Session } from '../../sidecar/session/session.ts'
import type {
  Action,
  ActiveChange,
  ChangePen,
  Input,
  Moment,
  Rights,
  Service,
} from '../../sidecar/session/session-io.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import type { BulkStore, Change as StoredChange } from '../../sidecar/store/store.ts'
import { formatAddress } from '../../sidecar/wire/address.ts'
import { framesOf } from '../../sidecar/wire/framing.ts'
import { allRights, identities, START } from '../session/driver.ts'
import { type FamilyUnderTest, families } from '../session/families.ts'
import { reference4 } from '../session/reference4.ts'
import { reference6 } from '../session/reference6.ts'
import { option4, option6, toHex } from '../wire/bytes.ts'

const R1 = Uint8Array.of(0, 3, 1)
const R2 = Uint8Array.of(0, 3, 2)
const wants = { 4: [51, 61, 82, 91, 151, 152, 153, 156, 12, 60], 6: [100, 47, 39, 16] }
/** Subnets 1 and 2 are one link. */
const linkOf = (subnetId: number) => (subnetId === 3 ? 3 : 1)

interface Change {
  readonly n: number
  readonly client: number
  readonly ended: boolean
  readonly relay: boolean
  readonly subnetId: number
  readonly length: number
  readonly lifetime: number
  readonly seconds: number
}

const change: fc.Arbitrary<Change> = fc.record({
  n: fc.integer({ min: 1, max: 40 }),
  // One client holds many: more than are looked at in place.
  client: fc.constantFrom(1, 1, 1, 1, 2, 3),
  ended: fc.constantFrom(false, false, false, true),
  relay: fc.constantFrom(true, true, false),
  subnetId: fc.constantFrom(1, 1, 1, 2, 3),
  length: fc.constantFrom(0, 0, 0, 56, 64),
  lifetime: fc.constantFrom(3600, 3600, 30),
  seconds: fc.constantFrom(0, 0, 0, 1, 20),
})
const history = fc.array(change, { maxLength: 60, size: 'max' })
/** What happens while the requestor is told: changes, with so many slices after each. */
const meanwhile = fc.array(fc.tuple(change, fc.nat(2)), { maxLength: 15 })

const rightsOf = (family: FamilyUnderTest) =>
  fc
    .record({
      scoped: fc.constantFrom(false, false, true),
      withhold: fc.subarray(wants[family.family], { maxLength: 2 }),
      relayDataAlways: fc.boolean(),
    })
    .map(
      ({ scoped, withhold, relayDataAlways }): Rights => ({
        ...allRights,
        relayIds: scoped ? [R1] : [],
        // In DHCPv6 base-time (100) is how the requestor comes back; it cannot be withheld here.
        withhold: new Set(withhold.filter((code) => code !== 100)),
        relayDataAlways,
      }),
    )

class World {
  readonly family: FamilyUnderTest
  readonly memory: Memory
  readonly store: BulkStore
  readonly rights: Rights
  readonly service: Service
  now = START

  constructor(family: FamilyUnderTest, rights: Rights) {
    this.family = family
    this.rights = rights
    this.memory = new Memory(family.family)
    this.memory.raiseHorizon(START)
    this.store = this.memory as unknown as BulkStore
    this.service = { identity: identities[family.family], activeEnabled: true, bulkEnabled: false }
  }

  get moment(): Moment {
    return { mono: 0, now: this.now, keaNow: this.now }
  }

  put(one: Change): void {
    const { family, memory } = this
    this.now += one.seconds
    const data = family.binding(one.n, one.client, {
      state: one.ended ? BindingState.released : BindingState.active,
      subnetId: family.family === 6 ? one.subnetId : 1,
      prefixLength: family.family === 6 ? one.length : 0,
      clientLastTransaction: this.now,
      stateSince: this.now,
      validLifetime: one.lifetime,
      relay: family.relay(one.relay ? R1 : R2),
      options: Uint8Array.from(
        family.family === 4 ? option4(60, [one.client, 7]) : option6(16, [one.client, 7]),
      ),
    })
    // Ended and absent are equal.
    if (!one.ended || memory.get(data.address) !== undefined) memory.put(data, this.now)
  }

  inScope(data: BindingData): boolean {
    return scopeOf(this.family.dialect, this.rights)(data)
  }

  /** What a requestor should know. */
  get held(): string[] {
    return this.#names((one) => stateAt(one, this.now) === BindingState.active)
  }

  /** Leases whose time is up, and of whose end nobody has said anything yet. */
  get lapsed(): string[] {
    return this.#names((one) => one.state !== stateAt(one, this.now))
  }

  #names(which: (binding: BindingData) => boolean): string[] {
    const scan = this.memory.openBulkScan({ by: 'all' })!
    const { changes } = scan.next(10_000, 100_000)
    scan.close()
    return changes
      .flatMap((one) => (one.kind === 'binding' ? [one.binding] : []))
      .filter((one) => which(one) && this.inScope(one))
      .map((one) => {
        const { address, prefixLength, clientId, hardwareAddress } = one
        const name = formatAddress(address) + (prefixLength > 0 ? `/${prefixLength}` : '')
        return `${name} ${toHex(this.family.family === 4 ? hardwareAddress : clientId)}`
      })
      .sort()
  }
}

/** A pen whose slices end after so many changes. */
function ending(pen: ChangePen, changes: number): ChangePen {
  let left = changes
  return {
    get length() {
      return left <= 0 ? Number.POSITIVE_INFINITY : pen.length
    },
    wants(record) {
      left--
      return pen.wants(record)
    },
    begin: (place, moment) => pen.begin(place, moment),
    turnTo: (next) => pen.turnTo(next),
    write: (record, companions) => pen.write(record, companions),
    tell(one) {
      left--
      pen.tell(one)
    },
  }
}

/** A session over the store; the test says when it is answered, and how long slices are. */
class Connection {
  readonly world: World
  readonly sent: Uint8Array[] = []
  readonly #session: Session
  readonly #reply: Omit<ReplyContext, 'told' | 'first'>
  #todo: Action | undefined
  readonly #reader: ChangeReader
  #until: number | undefined
  /** Base-time told last, from CatchUpComplete on. */
  #told = 0

  constructor(world: World, since: number) {
    this.world = world
    this.#reader = new ChangeReader(world.store, linkOf)
    const { family, rights, service } = world
    this.#session = new Session(
      family.dialect,
      {
        limits: { ...defaultLimits, batchChanges: 7 },
        rights,
        service,
        tls: { mode: 'off', ready: false },
      },
      world.moment,
    )
    const octets = encodeActiveQuery({ family: family.family, xid: 5, since, wants: wants[family.family] })
    const request = family.dialect.parse(octets.subarray(2), world.now, service, rights)
    const inScope = scopeOf(family.dialect, rights)
    assert.equal(request.kind, 'active')
    const { query } = request as { query: ActiveQuery }
    this.#reply = { query, service, rights, limits: defaultLimits, inScope, shows: inScope, view: undefined }
    this.#tell({ type: 'bytes', data: octets })
  }

  get catchingUp(): boolean {
    return this.#session.phase !== 'live'
  }

  #tell(input: Input): Uint8Array[] {
    const frames: Uint8Array[] = []
    for (const action of this.#session.handle(input, this.world.moment)) {
      if (action.type === 'send') frames.push(action.message)
      else if (action.type === 'send-frames') frames.push(...framesOf(action.frames.slice()))
      else if (action.type !== 'note') this.#todo = action
    }
    this.sent.push(...frames)
    if (frames.length > 0) this.#tell({ type: 'writable' })
    return frames
  }

  grew(): void {
    this.#tell({ type: 'index-grew' })
  }

  /** Answers what was asked, if anything was. */
  answer(changes = Number.POSITIVE_INFINITY): boolean {
    const { store, now, moment } = this.world
    const asked = this.#todo
    this.#todo = undefined
    switch (asked?.type) {
      case 'open': {
        const opened = openAt(store, asked.since, now)
        this.#until = opened.newest
        this.#tell(opened)
        return true
      }
      case 'write-changes': {
        const { after, until } = asked
        if (until !== undefined) assert.equal(until, this.#until)
        const first = this.sent.length === 0
        const pen = ending(asked.pen, changes)
        const written = this.#reader.write({ ...asked, pen }, moment)
        const { through } = written
        assert.ok(through <= (until ?? store.newestChange) && !written.overtaken)
        const expected = this.#plainly(after, through, until === undefined, first)
        const frames = this.#tell(written)
        assert.deepEqual(frames.slice(0, expected.length).map(toHex), expected.map(toHex))
        const more = frames.slice(expected.length).map((frame) => this.world.family.read(frame))
        assert.ok(more.every(({ bindings }) => bindings.length === 0))
        const complete = more.find(({ status }) => status === 'CatchUpComplete')
        assert.equal(complete !== undefined, through === until)
        if (complete !== undefined) this.#told = complete.baseTime!
        return true
      }
      default:
        return false
    }
  }

  /** What the changes above `after` up to `through` are in messages, made of objects one by one. */
  #plainly(after: number, through: number, live: boolean, first: boolean): Uint8Array[] {
    const { store, moment } = this.world
    const reply = { ...this.#reply, first, told: new Set<number>() }
    const frames: Uint8Array[] = []
    const { changes } = store.changesAfter(after, 10_000, 100_000)
    for (const [i, one] of changes.entries()) {
      if (numbersOf(one).changeNumber > through) break
      const behind = changes[i + 1]
      // No later than the change behind it, and never back.
      if (live) this.#told = Math.max(this.#told, behind ? numbersOf(behind).changedAt : moment.now)
      const baseTime = live ? this.#told : moment.now
      const told = this.#message(reply, withCompanions(store, linkOf, one), baseTime, moment)
      frames.push(...told)
      if (told.length > 0) reply.first = false
      const current = one.kind === 'departure' && store.get(one.departure.address)
      if (current && told.length > 0) reply.told.delete(current.changeNumber)
    }
    return frames
  }

  #message(reply: ReplyContext, one: ActiveChange, baseTime: number, moment: Moment): Uint8Array[] {
    const { dialect, family } = this.world.family
    if (one.kind === 'departure') return dialect.change(reply, one, baseTime, moment)
    const { binding, companions } = one
    if (!reply.shows(binding) || reply.told.has(binding.changeNumber)) return []
    return family === 4
      ? [reference4(reply, binding, baseTime, moment)]
      : reference6(reply, binding, companions, baseTime, moment)
  }
}

function numbersOf(one: StoredChange): { changeNumber: number; changedAt: number } {
  return one.kind === 'binding' ? one.binding : one.departure
}

/** What a requestor makes of messages: of an address in DHCPv4, of a client's address in DHCPv6. */
class Requestor {
  readonly family: FamilyUnderTest
  readonly #live: Map<string, string>
  resume: number

  constructor(family: FamilyUnderTest, held: readonly string[], resume: number) {
    this.family = family
    this.#live = new Map(held.map((name) => [this.#keyOf(name), name]))
    this.resume = resume
  }

  #keyOf(name: string): string {
    return this.family.family === 4 ? name.split(' ')[0]! : name
  }

  /** Base-times of the catch-up phase are not kept (RFC 7724 section 7.3, RFC 7653 section 8.4). */
  receive(frames: readonly Uint8Array[]): this {
    let catchingUp = true
    for (const frame of frames) {
      const { bindings, status, baseTime } = this.family.read(frame)
      for (const one of bindings) {
        const name = one.slice(0, one.lastIndexOf(' '))
        if (one.endsWith(' live')) this.#live.set(this.#keyOf(name), name)
        else this.#live.delete(this.#keyOf(name))
      }
      if (status === 'CatchUpComplete') catchingUp = false
      if (catchingUp) continue
      assert.ok(baseTime! >= this.resume, `base-time went back from ${this.resume} to ${baseTime}`)
      this.resume = baseTime!
    }
    return this
  }

  get live(): string[] {
    return [...this.#live.values()].sort()
  }
}

/** @param slices how many changes each slice takes, over and over */
function absence(
  family: FamilyUnderTest,
  rights: Rights,
  before: readonly Change[],
  away: readonly Change[],
  during: readonly (readonly [Change, number])[],
  slices: readonly number[],
) {
  const world = new World(family, rights)
  for (const one of before) world.put(one)
  const [known, since] = [world.held, world.now]
  for (const one of away) world.put(one)
  const connection = new Connection(world, since)
  let turn = 0
  const answer = () => connection.answer(slices[turn++ % slices.length])
  answer()
  for (const [one, answers] of during) {
    world.put(one)
    connection.grew()
    for (let i = 0; i < answers; i++) answer()
  }
  while (answer());
  return { world, known, since, sent: connection.sent }
}

const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 })

for (const family of families)
  describe(`DHCPv${family.family}: the catch-up phase over a store that changes`, () => {
    it('is written as objects would be told, and completes once, where the newest change at the query is passed', () => {
      fc.assert(
        fc.property(
          rightsOf(family),
          history,
          history,
          meanwhile,
          sizes,
          (rights, before, away, during, slices) => {
            const { sent } = absence(family, rights, before, away, during, slices)
            const complete = sent.filter((frame) => family.read(frame).status === 'CatchUpComplete')
            assert.equal(complete.length, 1)
          },
        ),
        { numRuns: 80 },
      )
    })

    it('cut behind any message and resumed by the last base-time, brings all that was missed', () => {
      fc.assert(
        fc.property(
          rightsOf(family),
          history,
          history,
          meanwhile,
          sizes,
          (rights, before, away, during, slices) => {
            const { world, known, since, sent } = absence(family, rights, before, away, during, slices)
            for (let cut = 0; cut <= sent.length; cut++) {
              const requestor = new Requestor(family, known, since).receive(sent.slice(0, cut))
              const again = new Connection(world, requestor.resume)
              while (again.answer());
              assert.equal(again.catchingUp, false)
              const lapsed = new Set(world.lapsed)
              const live = requestor.receive(again.sent).live.filter((name) => !lapsed.has(name))
              assert.deepEqual(live, world.held)
            }
          },
        ),
        { numRuns: 20 },
      )
    })
  })
