import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type BindingData, BindingState, NO_OCTETS, Origin } from '../../sidecar/binding.ts'
import {
  applyAnnotation,
  applyChange,
  overdue,
  RECLAIM_GRACE_SECONDS,
  reconcileRow,
  vanished,
} from '../../sidecar/feed/apply.ts'
import { type LeaseChange, type LeaseRow, Operation, type PacketData } from '../../sidecar/feed/events.ts'
import { ipv4, leaseRow, mac } from './model-hook.ts'

const T = 1_700_000_000
const NOW = T + 100
const ADDRESS = ipv4(1)
const ADDRESS6 = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)

function change(operation: Operation, lease: LeaseRow, origin: Origin, packet?: PacketData): LeaseChange {
  return { kind: 'change', operation, lease, origin, packet }
}

function packet(messageType: number, relay?: string, options = ''): PacketData {
  return {
    messageType,
    relay: relay === undefined ? undefined : Buffer.from(relay),
    options: Buffer.from(options),
  }
}

/** What a run of events makes of an address that had no binding. */
function after(...events: (LeaseChange | { at: number; change: LeaseChange })[]): BindingData | undefined {
  let binding: BindingData | undefined
  for (const event of events) {
    const [what, at] = 'at' in event ? [event.change, event.at] : [event, NOW]
    binding = applyChange(what, binding, at, false) ?? binding
  }
  return binding
}

const { add, update } = Operation
const DELETE = Operation.delete
const leased = change(add, leaseRow(ADDRESS, 1), Origin.client)

describe("Kea's scenarios", () => {
  const declined = leaseRow(ADDRESS, 0, {
    keaState: 1,
    hardwareType: 0,
    hardwareAddress: NO_OCTETS,
    clientLastTransaction: T + 50,
    validLifetime: 86400,
  })
  const released = leaseRow(ADDRESS, 1, { keaState: 3, validLifetime: 0 })
  const reclaimed = leaseRow(ADDRESS, 1, { keaState: 2, validLifetime: 60 })
  const shortLeased = change(add, leaseRow(ADDRESS, 1, { validLifetime: 60 }), Origin.client)

  const rows: [string, LeaseChange[], BindingState | undefined, Origin?][] = [
    ['REQUEST, a new lease', [leased], BindingState.active, Origin.client],
    [
      'an offer with offer-lifetime',
      [change(add, leaseRow(ADDRESS, 1, { validLifetime: 60 }), Origin.client)],
      BindingState.active,
    ],
    [
      'renew',
      [leased, change(update, leaseRow(ADDRESS, 1, { clientLastTransaction: T + 50 }), Origin.client)],
      BindingState.active,
    ],
    [
      'RELEASE, row deleted',
      [leased, change(DELETE, leaseRow(ADDRESS, 1), Origin.client)],
      BindingState.released,
      Origin.client,
    ],
    [
      'RELEASE, row kept in state 3',
      [leased, change(update, released, Origin.client)],
      BindingState.released,
    ],
    [
      'RELEASE before Kea 2.7: state 0, lifetime 0',
      [leased, change(update, leaseRow(ADDRESS, 1, { validLifetime: 0 }), Origin.client)],
      BindingState.released,
    ],
    [
      'the same client again after its release',
      [
        leased,
        change(update, released, Origin.client),
        change(update, reclaimed, Origin.reclamation),
        leased,
      ],
      BindingState.active,
    ],
    [
      'RELEASE, the row reclaimed later',
      [leased, change(update, released, Origin.client), change(update, reclaimed, Origin.reclamation)],
      BindingState.released,
    ],
    ['DECLINE', [leased, change(update, declined, Origin.client)], BindingState.abandoned],
    ["a conflict that Kea's ping found", [change(add, declined, Origin.client)], BindingState.abandoned],
    [
      'end of probation',
      [leased, change(update, declined, Origin.client), change(DELETE, declined, Origin.reclamation)],
      BindingState.available,
      Origin.reclamation,
    ],
    [
      'expiry, reclaimed by the timer',
      [shortLeased, change(update, reclaimed, Origin.reclamation)],
      BindingState.expired,
      Origin.reclamation,
    ],
    [
      'expiry, reclaimed with removal',
      [shortLeased, change(DELETE, shortLeased.lease, Origin.reclamation)],
      BindingState.expired,
    ],
    [
      'flush of the reclaimed row',
      [shortLeased, change(update, reclaimed, Origin.reclamation), change(DELETE, reclaimed, Origin.unknown)],
      BindingState.expired,
      Origin.reclamation,
    ],
    [
      'the expired lease of one client given to another',
      [
        shortLeased,
        change(update, reclaimed, Origin.reclamation),
        change(update, leaseRow(ADDRESS, 2), Origin.client),
      ],
      BindingState.active,
    ],
    [
      'lease4-add',
      [change(add, leaseRow(ADDRESS, 1), Origin.operator)],
      BindingState.active,
      Origin.operator,
    ],
    [
      'lease4-del',
      [leased, change(DELETE, leased.lease, Origin.operator)],
      BindingState.reset,
      Origin.operator,
    ],
    [
      'lease4-wipe of a released row',
      [leased, change(update, released, Origin.client), change(DELETE, released, Origin.operator)],
      BindingState.released,
    ],
    [
      "a partner's update",
      [change(add, leaseRow(ADDRESS, 1), Origin.partner)],
      BindingState.active,
      Origin.partner,
    ],
    [
      "a partner's delete before expiry: its client released the lease",
      [leased, change(DELETE, leased.lease, Origin.partner)],
      BindingState.released,
    ],
    [
      'a delete by nobody knows whom after expiry',
      [shortLeased, change(DELETE, shortLeased.lease, Origin.unknown)],
      BindingState.expired,
    ],
    [
      'a delete by nobody knows whom before expiry',
      [leased, change(DELETE, leased.lease, Origin.unknown)],
      BindingState.reset,
    ],
    [
      'a delete of a declined row past its probation',
      [
        leased,
        change(update, { ...declined, validLifetime: 10 }, Origin.client),
        change(DELETE, { ...declined, validLifetime: 10 }, Origin.unknown),
      ],
      BindingState.available,
    ],
    [
      'an infinite lease deleted',
      [
        change(add, leaseRow(ADDRESS, 1, { validLifetime: 0xffffffff }), Origin.client),
        change(DELETE, leaseRow(ADDRESS, 1, { validLifetime: 0xffffffff }), Origin.unknown),
      ],
      BindingState.reset,
    ],
    [
      'ADDR-REG-INFORM',
      [change(add, leaseRow(ADDRESS6, 1, { keaState: 4, iaid: 0 }), Origin.client)],
      BindingState.active,
    ],
    [
      'a state of a Kea to come',
      [leased, change(update, leaseRow(ADDRESS, 1, { keaState: 9 }), Origin.client)],
      BindingState.transitioning,
    ],
    ['the end of a lease nobody was told of', [change(update, released, Origin.client)], undefined],
    ['a delete of a lease nobody was told of', [change(DELETE, leased.lease, Origin.operator)], undefined],
  ]
  for (const [scenario, events, state, origin] of rows) {
    it(`${scenario}: ${Object.entries(BindingState).find(([, value]) => value === state)?.[0] ?? 'no binding'}`, () => {
      const binding = after(...events)
      assert.equal(binding?.state, state)
      if (origin !== undefined) assert.equal(binding?.origin, origin)
    })
  }

  it('a declined address belongs to nobody, and to no relay', () => {
    const binding = after(
      change(add, leaseRow(ADDRESS, 1), Origin.client, packet(3, 'r1', 'host')),
      change(update, { ...declined, storedRelay: Buffer.from('r1') }, Origin.client),
    )!
    assert.deepEqual(
      [binding.hardwareAddress, binding.relay, binding.options],
      [NO_OCTETS, NO_OCTETS, NO_OCTETS],
    )
  })
})

describe('start-time-of-state (RFC 6926 section 6.2.4)', () => {
  it('is kept by a renew', () => {
    const renewed = change(update, leaseRow(ADDRESS, 1, { clientLastTransaction: T + 90 }), Origin.client)
    assert.equal(after({ at: T, change: leased }, { at: T + 90, change: renewed })?.stateSince, T)
  })

  it("is the client's transaction, also where Kea tells of it an hour late", () => {
    assert.equal(after({ at: T + 3600, change: leased })?.stateSince, T)
  })

  it('is new with another client', () => {
    const other = change(update, leaseRow(ADDRESS, 2, { clientLastTransaction: T + 60 }), Origin.client)
    assert.equal(after({ at: T, change: leased }, { at: T + 60, change: other })?.stateSince, T + 60)
  })

  it('is new with another length of a prefix', () => {
    const first = leaseRow(ADDRESS6, 1, { prefixLength: 64 })
    const second = leaseRow(ADDRESS6, 1, { prefixLength: 56, clientLastTransaction: T + 60 })
    const binding = after(
      { at: T, change: change(add, first, Origin.client) },
      { at: T + 60, change: change(update, second, Origin.operator) },
    )
    assert.equal(binding?.stateSince, T + 60)
  })

  it('is the expiry of an expired lease, and the moment of a release', () => {
    const short = leaseRow(ADDRESS, 1, { validLifetime: 60 })
    const expired = after(
      change(add, short, Origin.client),
      change(update, { ...short, keaState: 2 }, Origin.reclamation),
    )
    assert.equal(expired?.stateSince, T + 60)
    const released = after(
      leased,
      change(update, leaseRow(ADDRESS, 1, { keaState: 3, validLifetime: 0 }), Origin.client),
    )
    assert.equal(released?.stateSince, NOW)
  })

  it("is never after Kea's clock", () => {
    const ahead = change(add, leaseRow(ADDRESS, 1, { clientLastTransaction: NOW + 500 }), Origin.partner)
    assert.equal(after(ahead)?.stateSince, NOW)
  })
})

describe('captured data', () => {
  const relayed = change(add, leaseRow(ADDRESS, 1), Origin.client, packet(3, 'r1', 'o1'))
  const text = (octets: Uint8Array | undefined) => Buffer.from(octets ?? []).toString()
  const dataOf = (binding: BindingData | undefined) => [text(binding?.relay), text(binding?.options)]
  const renewed = (fields: Partial<LeaseRow> = {}) =>
    leaseRow(ADDRESS, 1, { clientLastTransaction: T + 50, ...fields })

  it('is kept by a change without packet data', () => {
    assert.deepEqual(dataOf(after(relayed, change(update, renewed(), Origin.operator))), ['r1', 'o1'])
  })

  it('is cleared by another client', () => {
    assert.deepEqual(dataOf(after(relayed, change(update, leaseRow(ADDRESS, 2), Origin.client))), ['', ''])
  })

  it('is the newest packet’s', () => {
    assert.deepEqual(
      dataOf(after(relayed, change(update, renewed(), Origin.client, packet(3, 'r2', 'o2')))),
      ['r2', 'o2'],
    )
  })

  it('of the relay stays when the client renews directly, as in Kea', () => {
    assert.deepEqual(
      dataOf(after(relayed, change(update, renewed(), Origin.client, packet(3, undefined, 'o2')))),
      ['r1', 'o2'],
    )
  })

  it('is not reduced to what a RELEASE repeats', () => {
    const released = leaseRow(ADDRESS, 1, { keaState: 3, validLifetime: 0 })
    assert.deepEqual(
      dataOf(after(relayed, change(update, released, Origin.client, packet(7, undefined, '')))),
      ['r1', 'o1'],
    )
  })

  it('comes from the row where no packet was seen, and from a newer row', () => {
    const stored = renewed({ storedRelay: Buffer.from('r9') })
    assert.deepEqual(dataOf(after(change(add, stored, Origin.partner))), ['r9', ''])
    assert.deepEqual(dataOf(after(relayed, change(update, stored, Origin.partner))), ['r9', 'o1'])
  })

  it('of a partner is as new as its write, also within the same second', () => {
    const moved = leaseRow(ADDRESS, 1, { storedRelay: Buffer.from('r9') })
    for (const origin of [Origin.partner, Origin.unknown]) {
      assert.deepEqual(dataOf(after(relayed, change(update, moved, origin))), ['r9', 'o1'])
    }
  })

  it('of a packet outlives older data of the row', () => {
    const reclaimed = leaseRow(ADDRESS, 1, { keaState: 2, storedRelay: Buffer.from('r0') })
    assert.deepEqual(dataOf(after(relayed, change(update, reclaimed, Origin.reclamation))), ['r1', 'o1'])
  })

  it('keeps the peer-address that a stored row lacks', () => {
    const peer = Buffer.alloc(16, 1)
    const link = Buffer.alloc(16, 2)
    const message = Buffer.from('relay-forw')
    const first = leaseRow(ADDRESS6, 1)
    const seen = { messageType: 3, relay: Buffer.concat([peer, message]), options: NO_OCTETS }
    const row = leaseRow(ADDRESS6, 1, {
      clientLastTransaction: T + 50,
      storedRelay: Buffer.concat([link, message]),
    })
    const binding = after(change(add, first, Origin.client, seen), change(update, row, Origin.unknown))
    assert.deepEqual(binding?.relay, seen.relay)
  })
})

describe('an annotation', () => {
  const base = after(change(add, leaseRow(ADDRESS, 1), Origin.unknown, packet(3, 'r1', 'o1')))!
  const annotation = {
    kind: 'annotation' as const,
    address: ADDRESS,
    hardwareType: 1,
    hardwareAddress: mac(1),
    clientId: NO_OCTETS,
    origin: Origin.unknown as Origin,
    packet: undefined as PacketData | undefined,
  }

  it('says who caused the change', () => {
    assert.equal(
      applyAnnotation({ ...annotation, origin: Origin.partner }, base, false)?.origin,
      Origin.partner,
    )
  })

  it('brings the relay of a renew that Kea answered from its cache', () => {
    const next = applyAnnotation({ ...annotation, packet: packet(3, 'r2', 'o1') }, base, false)
    assert.equal(Buffer.from(next!.relay).toString(), 'r2')
    assert.equal(next?.state, base.state)
  })

  it('says of a deletion that it was a partner’s client that released the lease', () => {
    const deleted = after(leased, change(DELETE, leased.lease, Origin.unknown))!
    const by = (origin: Origin) => applyAnnotation({ ...annotation, origin }, deleted, false)
    assert.deepEqual(by(Origin.partner), { ...deleted, state: BindingState.released, origin: Origin.partner })
    assert.equal(by(Origin.operator)?.state, BindingState.reset)
    // What an operator's command has reset stays so.
    const reset = by(Origin.operator)
    assert.equal(
      applyAnnotation({ ...annotation, origin: Origin.partner }, reset, true)?.state,
      BindingState.reset,
    )
  })

  it('does nothing to another client’s binding, to none, and to one it agrees with', () => {
    assert.equal(
      applyAnnotation({ ...annotation, hardwareAddress: mac(2), origin: Origin.partner }, base, false),
      undefined,
    )
    assert.equal(applyAnnotation({ ...annotation, origin: Origin.partner }, undefined, true), undefined)
    assert.equal(applyAnnotation({ ...annotation, packet: packet(3, 'r1', 'o1') }, base, false), undefined)
  })
})

describe('a replayed event', () => {
  it('is a change even where it changes nothing', () => {
    const binding = after(leased)!
    assert.equal(applyChange(leased, binding, NOW, false), undefined)
    assert.deepEqual(applyChange(leased, binding, NOW, true), binding)
  })

  it('tells the end of a binding that is not stored', () => {
    const next = applyChange(change(DELETE, leased.lease, Origin.operator), undefined, NOW, true)
    assert.equal(next?.state, BindingState.reset)
  })

  it('tells an end again as it is stored', () => {
    const ended = after(leased, change(DELETE, leased.lease, Origin.client))!
    assert.equal(applyChange(change(DELETE, leased.lease, Origin.unknown), ended, NOW, true), ended)
  })
})

describe('a row of a page', () => {
  const row = leaseRow(ADDRESS, 1)
  const stored = after(change(add, row, Origin.client, packet(3, 'r1', 'o1')))!

  it('that agrees says nothing, whoever caused what is stored', () => {
    assert.equal(reconcileRow(row, stored, NOW), undefined)
    assert.equal(reconcileRow({ ...row, storedRelay: Buffer.from('older') }, stored, NOW), undefined)
  })

  for (const [what, fields] of Object.entries({
    'another client': { hardwareAddress: mac(2) },
    'a later transaction': { clientLastTransaction: T + 10 },
    'another lifetime': { validLifetime: 7200 },
    'another subnet': { subnetId: 2 },
    'a host name': { hostname: Buffer.from('a') },
  })) {
    it(`with ${what} is a change of unknown origin`, () => {
      const next = reconcileRow({ ...row, ...fields }, stored, NOW)
      assert.equal(next?.origin, Origin.unknown)
      assert.equal(next?.state, BindingState.active)
    })
  }

  it('brings relay data where none are known', () => {
    const bare = after(leased)!
    const next = reconcileRow({ ...row, storedRelay: Buffer.from('r1') }, bare, NOW)
    assert.equal(Buffer.from(next!.relay).toString(), 'r1')
  })

  it('that is not in force makes no binding and ends none that has ended', () => {
    const inactive = { ...row, keaState: 2 }
    const ended = vanished(stored, NOW)
    assert.equal(reconcileRow(inactive, undefined, NOW), undefined)
    assert.equal(reconcileRow(inactive, ended, NOW), undefined)
    assert.equal(reconcileRow(inactive, stored, NOW)?.state, BindingState.expired)
  })

  it('that is declined is told though nobody saw the decline, until its probation is over', () => {
    const declined = { ...row, keaState: 1 }
    const told = reconcileRow(declined, undefined, NOW)
    assert.equal(told?.state, BindingState.abandoned)
    assert.equal(reconcileRow(declined, told, NOW), undefined)
    assert.equal(reconcileRow(declined, undefined, T + 3600), undefined)
    // DHCPv6 knows no such state, and nobody holds it.
    assert.equal(reconcileRow({ ...declined, address: ADDRESS6 }, undefined, NOW), undefined)
    const gone = vanished(told!, NOW)
    assert.deepEqual([gone.state, gone.stateSince], [BindingState.available, NOW])
    assert.equal(vanished(told!, T + 4000).stateSince, T + 3600)
  })

  it('past its expiry does not bring back what was told as ended', () => {
    const short = { ...row, validLifetime: 60 }
    const binding = after(change(add, short, Origin.client))!
    const late = T + 60 + RECLAIM_GRACE_SECONDS
    assert.equal(reconcileRow(short, binding, late - 1), undefined)
    assert.equal(reconcileRow(short, binding, late)?.state, BindingState.expired)
    assert.equal(reconcileRow(short, overdue(binding), late), undefined)
    assert.equal(reconcileRow(short, undefined, late), undefined)
  })
})

describe('a binding that no walk met', () => {
  it('has expired if its time is over, else it was reset; nobody knows by whom', () => {
    const binding = after(leased)!
    assert.deepEqual(
      [vanished(binding, NOW).state, vanished(binding, NOW).stateSince],
      [BindingState.reset, NOW],
    )
    const late = vanished(binding, T + 3600)
    assert.deepEqual(
      [late.state, late.stateSince, late.origin],
      [BindingState.expired, T + 3600, Origin.unknown],
    )
  })
})

describe('a lease that Kea reclaims after it was told as ended', () => {
  it('is not told again', () => {
    const short = leaseRow(ADDRESS, 1, { validLifetime: 60 })
    const ended = overdue(after(change(add, short, Origin.client))!)
    assert.equal(
      applyChange(change(update, { ...short, keaState: 2 }, Origin.reclamation), ended, T + 95, false),
      undefined,
    )
  })

  it('is active again when its client comes back', () => {
    const short = leaseRow(ADDRESS, 1, { validLifetime: 60 })
    const ended = overdue(after(change(add, short, Origin.client))!)
    const again = change(update, { ...short, clientLastTransaction: T + 95 }, Origin.client)
    assert.equal(applyChange(again, ended, T + 95, false)?.state, BindingState.active)
  })
})
