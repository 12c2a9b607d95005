// Bulk answers over the real store, while it changes between slices: what a requestor knows after them, and after an active
// query that goes on from there, is what the store holds.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Binding, type BindingData, BindingState, type Family, stateAt } from '../../sidecar/binding.ts'
import { BulkClient } from '../../sidecar/requestor/bulk-client.ts'
import { ActiveClient } from '../../sidecar/requestor/client.ts'
import { keyOf, type ReportedBinding } from '../../sidecar/requestor/events.ts'
import type { BulkSelection } from '../../sidecar/requestor/selection.ts'
import { type OpenBulk, openBulk } from '../../sidecar/server/bulk-reader.ts'
import { ChangeReader, openAt } from '../../sidecar/server/change-reader.ts'
import { type Topology, topologyOf } from '../../sidecar/server/topology.ts'
import { dialect4 } from '../../sidecar/session/dialect4.ts'
import { dialect6 } from '../../sidecar/session/dialect6.ts'
import { defaultLimits } from '../../sidecar/session/limits.ts'
import { Session } from '../../sidecar/session/session.ts'
import type { Action, Moment, Rights } from '../../sidecar/session/session-io.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import type { BulkScan, BulkStore } from '../../sidecar/store/store.ts'
import { formatAddress, parseAddress } from '../../sidecar/wire/address.ts'
import { framesOf } from '../../sidecar/wire/framing.ts'
import { allRights, identities } from '../session/driver.ts'
import { relayOf } from '../store/support.ts'
import { binding } from '../support/requestor-service.ts'

const START = 1_800_000_000

/** A change: who holds what from now on. */
interface Step {
  readonly slot: number
  readonly client: number
  readonly relay: number
  readonly ended: boolean
  readonly seconds: number
}

const step = fc.record({
  slot: fc.nat(24),
  client: fc.nat(3),
  relay: fc.nat(2),
  ended: fc.boolean(),
  seconds: fc.nat(2),
})

function dataOf(family: Family, { slot, client, relay, ended }: Step, now: number): BindingData {
  const length = family === 6 && slot >= 20 ? [56, 60][client % 2]! : 0
  const address =
    family === 4 ? `192.0.2.${slot}` : length > 0 ? `2001:db8:0:${slot}00::` : `2001:db8:${slot % 2}::${slot}`
  return binding(address, now, {
    prefixLength: length,
    state: ended ? BindingState.released : BindingState.active,
    subnetId: family === 6 ? 1 + (slot % 2) : 1,
    hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, client),
    clientId: Uint8Array.of(0, 3, client),
    relay: relayOf(family, `r${relay}`, `port${client}`),
  })
}

function topology(family: Family): Topology {
  const subnet = { sharedNetwork: '', relayAddresses: [], renewTimer: 0, rebindTimer: 0 }
  const pools = [{ first: parseAddress('192.0.2.5')!, last: parseAddress('192.0.2.40')! }]
  return topologyOf(
    family === 4
      ? [{ ...subnet, id: 1, prefix: parseAddress('192.0.2.0')!, prefixLength: 24, pools }]
      : [1, 2].map((id) => ({
          ...subnet,
          id,
          prefix: parseAddress(id === 1 ? '2001:db8::' : '2001:db8:1::')!,
          prefixLength: 48,
        })),
  )
}

/** A session over a store, without sockets: the test says when the shell answers. */
class Served {
  readonly family: Family
  readonly memory: Memory
  readonly store: BulkStore
  now = START
  readonly #topology: Topology
  readonly #reader: ChangeReader
  readonly #rights: Rights
  #session!: Session
  #scans = new Map<number, OpenBulk>()
  #todo: Action[] = []
  received: Uint8Array[] = []
  closed = false

  constructor(family: Family, rights: Partial<Rights> = {}) {
    this.family = family
    this.memory = new Memory(family, { retention: { seconds: 1000, maxEnded: 1000 } })
    this.store = this.memory as unknown as BulkStore
    this.memory.raiseHorizon(START)
    this.#topology = topology(family)
    this.#reader = new ChangeReader(this.store, this.#topology.linkOf)
    this.#rights = { ...allRights, ...rights }
    this.connect()
  }

  connect(): void {
    this.closed = false
    this.#todo = []
    this.#session = new Session(
      this.family === 4 ? dialect4 : dialect6,
      {
        limits: { ...defaultLimits, batchChanges: 7 },
        rights: this.#rights,
        service: {
          identity: identities[this.family],
          activeEnabled: true,
          bulkEnabled: true,
          subnetsOfLink: (link) => this.#topology.subnetsOfLink(link),
          isOnLink: (address) => this.#topology.isOnLink(address),
        },
        tls: { mode: 'off', ready: false },
      },
      this.#moment,
    )
  }

  get #moment(): Moment {
    return { mono: 0, now: this.now, keaNow: this.now }
  }

  put(one: Step): void {
    this.now += one.seconds
    this.memory.put(dataOf(this.family, one, this.now), this.now)
    this.tell({ type: 'index-grew' })
  }

  tell(input: Parameters<Session['handle']>[0]): void {
    const actions = this.#session.handle(input, this.#moment)
    for (const action of actions) {
      if (action.type === 'send') this.received.push(action.message)
      // A copy: the octets are good until the next slice is asked for.
      else if (action.type === 'send-frames') this.received.push(...framesOf(action.frames.slice()))
      else if (action.type === 'close') this.closed = true
      else if (action.type === 'scan-close') {
        this.#scans.get(action.scan)?.close()
        this.#scans.delete(action.scan)
      } else if (action.type !== 'note' && action.type !== 'reading') this.#todo.push(action)
    }
    if (actions.some(({ type }) => type === 'send' || type === 'send-frames') && !this.closed)
      this.tell({ type: 'writable' })
  }

  /** Answers one thing that was asked of the shell; slices are cut short, so that changes come in between. */
  answer(): boolean {
    const action = this.#todo.shift()
    if (action === undefined || this.closed) return false
    switch (action.type) {
      case 'scan-open': {
        const bulk = openBulk(this.#small(), this.#topology, action.query, () => this.#moment)!
        this.#scans.set(action.scan, bulk)
        this.tell({ type: 'scan-opened', scan: action.scan, horizon: this.memory.horizon! })
        return true
      }
      case 'scan-next': {
        const bulk = this.#scans.get(action.scan)!
        this.tell({ type: 'slice', scan: action.scan, slice: bulk.next(action.settled) })
        return true
      }
      case 'open':
        this.tell(openAt(this.store, action.since, this.now))
        return true
      case 'write-changes':
        this.tell(this.#reader.write(action, this.#moment))
        return true
      default:
        throw new Error(action.type)
    }
  }

  settle(): void {
    while (this.answer());
  }

  /** The store, giving two finds at a time and ending each slice there. */
  #small(): BulkStore {
    const { memory } = this
    return new Proxy(this.store, {
      get(target, name) {
        if (name !== 'openBulkScan') {
          const value = Reflect.get(target, name, target) as unknown
          return typeof value === 'function' ? value.bind(target) : value
        }
        return (...args: Parameters<BulkStore['openBulkScan']>) => {
          const scan = memory.openBulkScan(...args)!
          return {
            get overtaken() {
              return scan.overtaken
            },
            settle: (which: Parameters<BulkScan['settle']>[0]) => scan.settle(which),
            close: () => scan.close(),
            // A slice ends where so much was looked at.
            next: () => ({ ...scan.next(2), visited: 1_000_000 }),
          }
        }
      },
    })
  }

  get bindings(): Binding[] {
    const scan = this.memory.openBulkScan({ by: 'all' })!
    const { changes } = scan.next(10_000, 100_000)
    scan.close()
    return changes.flatMap((change) => (change.kind === 'binding' ? [change.binding] : []))
  }

  /** What a requestor should know: key and client of what is held. */
  held(wanted: (binding: Binding) => boolean = () => true): string[] {
    return this.bindings
      .filter((one) => stateAt(one, this.now) === BindingState.active && wanted(one))
      .map((one) => line(keyOfBinding(one), one.clientId))
      .sort()
  }
}

function keyOfBinding({ address, prefixLength }: Binding): string {
  return prefixLength === 0 ? formatAddress(address) : `${formatAddress(address)}/${prefixLength}`
}

function line(key: string, clientId: Uint8Array): string {
  return `${key} ${clientId.at(-1)}`
}

/** What a requestor knows that goes by addresses. */
class Known {
  readonly #held = new Map<string, string>()
  readonly told: string[] = []

  apply(one: ReportedBinding): void {
    this.told.push(keyOf(one))
    if (one.state === BindingState.active) this.#held.set(keyOf(one), line(keyOf(one), one.clientId))
    else this.#held.delete(keyOf(one))
  }

  get lines(): string[] {
    return [...this.#held.values()].sort()
  }
}

/** Asks, changing the store as told between the answers. @returns how it ended */
function bulk(
  served: Served,
  known: Known,
  select: BulkSelection,
  during: readonly (Step & { answers: number })[] = [],
  window: { start?: number } = {},
): { status: string; baseTime: number | undefined } {
  const client = new BulkClient(served.family)
  served.received = []
  served.tell({ type: 'bytes', data: client.query({ xid: 5, select, ...window }) })
  for (const one of during) {
    served.put(one)
    for (let i = 0; i < one.answers; i++) served.answer()
  }
  served.settle()
  let ended: { status: string; baseTime: number | undefined } | undefined
  for (const frame of served.received) {
    for (const event of client.handle(frame, served.now)) {
      if (event.type === 'binding') known.apply(event.binding)
      else ended = event
    }
  }
  assert.ok(ended !== undefined, 'the query has ended')
  return ended
}

function active(served: Served, known: Known, since: number): void {
  const client = new ActiveClient({ family: served.family, xid: 6, since })
  served.received = []
  served.tell({ type: 'bytes', data: client.query() })
  served.settle()
  const events = served.received.flatMap((frame) => client.handle(frame, served.now))
  assert.ok(
    events.some(({ type }) => type === 'catch-up-complete'),
    'caught up',
  )
  for (const event of events) if (event.type === 'binding') known.apply(event.binding)
}

type Selected = readonly [BulkSelection, (binding: Binding) => boolean]
const selections = (family: Family): readonly Selected[] => [
  [{ by: 'all' }, () => true],
  [{ by: 'client-id', clientId: Uint8Array.of(0, 3, 1) }, ({ clientId }) => clientId[2] === 1],
  [
    { by: 'relay-id', relayId: Uint8Array.from(Buffer.from('r1')) },
    ({ relay }) => Buffer.from(relay).includes(Buffer.from('r1')),
  ],
  [
    { by: 'remote-id', remoteId: Uint8Array.from(Buffer.from('port2')) },
    ({ relay }) => Buffer.from(relay).includes(Buffer.from('port2')),
  ],
  ...(family === 4 ? [byHardware] : []),
]

const byHardware: Selected = [
  { by: 'hardware-address', hardwareType: 1, hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, 3) },
  ({ clientId }) => clientId[2] === 3,
]

const changing = step.chain((one) => fc.nat(3).map((answers) => ({ ...one, answers })))

for (const family of [4, 6] as const) {
  describe(`DHCPv${family}: answers of a store that changes`, () => {
    for (const [index, [select, wanted]] of selections(family).entries()) {
      it(`by ${select.by}: what is held, where nothing changes meanwhile`, () => {
        fc.assert(
          fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
            const served = new Served(family)
            for (const one of steps) served.put(one)
            const known = new Known()
            assert.equal(bulk(served, known, select).status, 'Success')
            // In DHCPv6 the client's other bindings on the link are told beside (RFC 5007 section 4.1.2.2).
            const held = served.held(wanted)
            if (family === 4) assert.deepEqual(known.lines, held)
            else assert.ok(held.every((one) => known.lines.includes(one)))
            if (index < 2) assert.deepEqual(known.lines, held)
          }),
        )
      })

      it(`by ${select.by}: all that is held throughout, and no address twice in DHCPv4, where it changes`, () => {
        fc.assert(
          fc.property(
            fc.array(step, { maxLength: 60 }),
            fc.array(changing, { maxLength: 30 }),
            (steps, during) => {
              const served = new Served(family)
              for (const one of steps) served.put(one)
              const before = served.held(wanted)
              const known = new Known()
              const touched = new Set(during.map((one) => one.slot))
              assert.equal(bulk(served, known, select, during).status, 'Success')
              for (const one of before)
                if (!touchedKey(family, one.split(' ')[0]!, touched))
                  assert.ok(known.lines.includes(one), one)
              if (family === 4) assert.equal(new Set(known.told).size, known.told.length)
            },
          ),
        )
      })
    }

    it('Bulk, and Active from its base-time on, give what the store holds', () => {
      fc.assert(
        fc.property(
          fc.array(step, { maxLength: 60 }),
          fc.array(changing, { maxLength: 30 }),
          fc.array(step, { maxLength: 10 }),
          (steps, during, after) => {
            const served = new Served(family)
            for (const one of steps) served.put(one)
            const known = new Known()
            const asked = served.now
            const { baseTime } = bulk(served, known, { by: 'all' }, during)
            for (const one of after) served.put(one)
            active(served, known, baseTime ?? asked)
            assert.deepEqual(known.lines, served.held())
          },
        ),
      )
    })

    it('a window from an old answer on brings a requestor up to date, ends included', () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), fc.array(step, { maxLength: 60 }), (steps, later) => {
          const served = new Served(family)
          for (const one of steps) served.put(one)
          const known = new Known()
          const start = served.now
          bulk(served, known, { by: 'all' })
          for (const one of later) served.put(one)
          served.connect()
          assert.equal(bulk(served, known, { by: 'all' }, [], { start }).status, 'Success')
          assert.deepEqual(known.lines, served.held())
        }),
      )
    })

    it('so does one of a requestor that is bound to a relay-id', () => {
      const relayIds = [Uint8Array.from(Buffer.from('r1'))]
      const inScope = ({ relay }: Binding) => Buffer.from(relay).includes(Buffer.from('r1'))
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), fc.array(step, { maxLength: 60 }), (steps, later) => {
          const served = new Served(family, { relayIds })
          for (const one of steps) served.put(one)
          const known = new Known()
          const start = served.now
          bulk(served, known, { by: 'all' })
          assert.deepEqual(known.lines, served.held(inScope))
          for (const one of later) served.put(one)
          served.connect()
          assert.equal(bulk(served, known, { by: 'all' }, [], { start }).status, 'Success')
          assert.deepEqual(known.lines, served.held(inScope))
        }),
      )
    })

    it('a window below the horizon is never answered with less than it asks for', () => {
      fc.assert(
        fc.property(
          fc.array(step, { minLength: 1, maxLength: 40 }),
          fc.array(step, { minLength: 1, maxLength: 40 }),
          fc.nat(1200),
          (steps, later, wait) => {
            const served = new Served(family)
            for (const one of steps) served.put(one)
            const known = new Known()
            const start = served.now
            bulk(served, known, { by: 'all' })
            for (const one of later) served.put(one)
            served.now += wait
            served.memory.prune(served.now)
            served.connect()
            const { status } = bulk(served, known, { by: 'all' }, [], { start })
            if (status === 'Success') {
              // Addresses outside of all pools, of which nothing is known any more, are nobody's to tell of.
              const outside = (one: string) => family === 4 && Number(one.split(' ')[0]!.split('.')[3]) < 5
              assert.deepEqual(
                known.lines.filter((one) => !outside(one)),
                served.held().filter((one) => !outside(one)),
              )
            } else {
              assert.equal(status, 'QueryTerminated')
              assert.ok(served.memory.horizon! > start)
              assert.equal(family, 6)
            }
          },
        ),
      )
    })
  })
}

/** Whether one of these slots is about this address. */
function touchedKey(family: Family, key: string, slots: ReadonlySet<number>): boolean {
  return [...slots].some((slot) =>
    [0, 1].some((client) => {
      const data = dataOf(family, { slot, client, relay: 0, ended: false, seconds: 0 }, START)
      return keyOfBinding({ ...data, changedAt: 0, changeNumber: 0 }) === key
    }),
  )
}
