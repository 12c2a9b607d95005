import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Binding, BindingState } from '../../sidecar/binding.ts'
import { ChangeReader, MAX_SLICE_OCTETS, openAt } from '../../sidecar/server/change-reader.ts'
import { topologyOf } from '../../sidecar/server/topology.ts'
import type { ActiveChange, ChangePen } from '../../sidecar/session/session-io.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import type { BulkStore } from '../../sidecar/store/store.ts'
import { formatAddress, parseAddress } from '../../sidecar/wire/address.ts'
import { binding } from '../support/requestor-service.ts'

const NOW = 1_800_000_000
const asStore = (memory: Memory) => memory as unknown as BulkStore

/** A change, by addresses. */
interface Shown {
  readonly address: string
  readonly companions: readonly string[]
}

/** A pen that writes nothing, and counts so many octets for each change. */
class Recorder implements ChangePen {
  readonly shown: Shown[] = []
  readonly places: object[] = []
  readonly #octets: number
  length = 0

  constructor(octets = 0) {
    this.#octets = octets
  }

  begin(place: object): undefined {
    this.places.push(place)
    this.length = 0
  }

  turnTo(): void {}

  wants(): boolean {
    return true
  }

  write(record: Binding, companions: readonly Binding[]): void {
    const addresses = companions.map(({ address }) => formatAddress(address)).sort()
    this.shown.push({ address: formatAddress(record.address), companions: addresses })
    this.length += this.#octets
  }

  tell(change: ActiveChange): void {
    const about = change.kind === 'binding' ? change.binding : change.departure
    this.write(about, change.companions)
  }
}

const moment = { mono: 0, now: NOW, keaNow: NOW }

/** Everything there is, told to a pen. */
function shown(memory: Memory): readonly Shown[] {
  const pen = new Recorder()
  const reader = new ChangeReader(asStore(memory), topology.linkOf)
  for (let after = 0; after < memory.newestChange; )
    after = reader.write({ after, until: undefined, limit: 1000, pen }, moment).through
  return pen.shown
}

const subnet = (id: number, prefix: string, sharedNetwork = '', relay?: string) => ({
  id,
  prefix: parseAddress(prefix)!,
  prefixLength: 64,
  sharedNetwork,
  relayAddresses: relay === undefined ? [] : [parseAddress(relay)!],
  renewTimer: 10 * id,
  rebindTimer: 20 * id,
})
const topology = topologyOf([
  subnet(1, '2001:db8:1::', 'net'),
  subnet(2, '2001:db8:2::', 'net', '2001:db8:ff::1'),
  subnet(3, '2001:db8:3::'),
])

test('RFC 5460 section 5.2.1: a change comes with the client’s other live bindings on its link', () => {
  const memory = new Memory(6)
  const clientId = Uint8Array.of(0, 3, 0, 1, 9)
  memory.put(binding('2001:db8:1::1', NOW, { clientId, subnetId: 1 }), NOW)
  memory.put(binding('2001:db8:2::1', NOW, { clientId, subnetId: 2 }), NOW) // the same shared network
  memory.put(binding('2001:db8:3::1', NOW, { clientId, subnetId: 3 }), NOW) // another link
  memory.put(binding('2001:db8:2::2', NOW, { clientId, subnetId: 2, state: BindingState.expired }), NOW)
  memory.put(binding('2001:db8:1::9', NOW, { subnetId: 1 }), NOW) // another client
  const told = shown(memory).map(({ companions }) => companions)
  assert.deepEqual(told, [['2001:db8:2::1'], ['2001:db8:1::1'], [], ['2001:db8:1::1', '2001:db8:2::1'], []])
})

test('declined bindings share an empty DUID in Kea and are no companions of each other', () => {
  const memory = new Memory(6)
  for (let n = 1; n <= 50; n++) {
    memory.put(
      binding(`2001:db8:1::${n}`, NOW, { clientId: Uint8Array.of(0, 0, 0), state: BindingState.abandoned }),
      NOW,
    )
  }
  assert.deepEqual(
    shown(memory).map(({ companions }) => companions.length),
    new Array(50).fill(0),
  )
})

test('DHCPv4 has no companions', () => {
  const memory = new Memory(4)
  memory.put(binding('192.0.2.1', NOW, { clientId: Uint8Array.of(1, 2) }), NOW)
  memory.put(binding('192.0.2.2', NOW, { clientId: Uint8Array.of(1, 2) }), NOW)
  const told = shown(memory).map(({ companions }) => companions)
  assert.deepEqual(told, [[], []])
})

test('a slice ends at so many octets of output, and the next goes on behind it', () => {
  const memory = new Memory(4)
  for (let n = 1; n <= 200; n++) memory.put(binding(`192.0.2.${n}`, NOW), NOW)
  const reader = new ChangeReader(asStore(memory), topology.linkOf)
  const pen = new Recorder(1000)
  let after = 0
  for (let slices = 1; ; slices++) {
    const { through, newest } = reader.write({ after, until: undefined, limit: 200, pen }, moment)
    assert.ok(pen.length < MAX_SLICE_OCTETS + 1000)
    after = through
    if (through < newest) continue
    assert.ok(slices >= 200_000 / MAX_SLICE_OCTETS - 1)
    break
  }
  assert.deepEqual(
    pen.shown.map(({ address }) => address),
    Array.from({ length: 200 }, (_, i) => `192.0.2.${i + 1}`),
  )
})

test('readers at the same place share it until something is stored, or the subnets are others', () => {
  const memory = new Memory(4)
  memory.put(binding('192.0.2.1', NOW), NOW)
  const reader = new ChangeReader(asStore(memory), topology.linkOf)
  const pen = new Recorder()
  const read = () => reader.write({ after: 0, until: undefined, limit: 200, pen }, moment)
  read()
  read()
  memory.put(binding('192.0.2.2', NOW), NOW)
  read()
  reader.linkOf = topology.linkOf
  read()
  const [first, second, third, fourth] = pen.places
  assert.equal(second, first)
  assert.notEqual(third, second)
  assert.notEqual(fourth, third)
})

test('what was written for another in the same words is not shown', () => {
  const memory = new Memory(4)
  memory.put(binding('192.0.2.1', NOW), NOW)
  const reader = new ChangeReader(asStore(memory), topology.linkOf)
  const pen = Object.assign(new Recorder(), { begin: () => 1 })
  const { through } = reader.write({ after: 0, until: undefined, limit: 200, pen }, moment)
  assert.equal(through, 1)
  assert.deepEqual(pen.shown, [])
})

test('openAt: complete from the horizon on, not before, not in the future, never before a first walk', () => {
  const memory = new Memory(4)
  memory.put(binding('192.0.2.1', NOW), NOW)
  assert.equal(openAt(asStore(memory), NOW, NOW).complete, false)
  memory.raiseHorizon(NOW)
  memory.put(binding('192.0.2.2', NOW), NOW + 5)
  assert.deepEqual(openAt(asStore(memory), NOW + 1, NOW + 5), {
    type: 'opened',
    after: 1,
    newest: 2,
    complete: true,
  })
  assert.equal(openAt(asStore(memory), NOW - 1, NOW + 5).complete, false)
  assert.equal(openAt(asStore(memory), NOW + 100, NOW + 5).complete, false)
  assert.deepEqual(openAt(asStore(memory), undefined, NOW), {
    type: 'opened',
    after: 2,
    newest: 2,
    complete: true,
  })
})

test('a link-address is that of a subnet, or of one of its relays; a shared network is one link', () => {
  assert.deepEqual(topology.subnetsOfLink(parseAddress('2001:db8:1::5')!), [1, 2])
  assert.deepEqual(topology.subnetsOfLink(parseAddress('2001:db8:ff::1')!), [1, 2])
  assert.deepEqual(topology.subnetsOfLink(parseAddress('2001:db8:3::')!), [3])
  assert.deepEqual(topology.subnetsOfLink(parseAddress('2001:db8:4::')!), [])
  assert.deepEqual(topology.timers(2), { renew: 20, rebind: 40 })
})

test('configured addresses are those of all pools, none twice; an address is on a link by its subnet or a prefix pool', () => {
  const subnet = { sharedNetwork: '', relayAddresses: [], renewTimer: 0, rebindTimer: 0 }
  const range = (first: string, last: string) => ({ first: parseAddress(first)!, last: parseAddress(last)! })
  const four = topologyOf([
    {
      ...subnet,
      id: 1,
      prefix: parseAddress('192.0.2.0')!,
      prefixLength: 24,
      pools: [range('192.0.2.20', '192.0.2.30'), range('192.0.2.10', '192.0.2.19')],
    },
    {
      ...subnet,
      id: 2,
      prefix: parseAddress('192.0.2.0')!,
      prefixLength: 24,
      pools: [range('192.0.2.25', '192.0.2.40'), range('255.255.255.254', '255.255.255.255')],
    },
  ])
  const of = (text: string) => Buffer.from(parseAddress(text)!).readUInt32BE(0)
  const ranges = ['192.0.2.10', '192.0.2.40', '255.255.255.254', '255.255.255.255']
  assert.deepEqual([...four.configured], ranges.map(of))
  const six = topologyOf([
    {
      ...subnet,
      id: 1,
      prefix: parseAddress('2001:db8:1::')!,
      prefixLength: 64,
      prefixPools: [{ prefix: parseAddress('2001:db8:8000::')!, prefixLength: 33 }],
    },
  ])
  assert.deepEqual(
    ['2001:db8:1::5', '2001:db8:ffff::5', '2001:db8:1:1::5'].map((text) => six.isOnLink(parseAddress(text)!)),
    [true, true, false],
  )
  assert.equal(six.configured.length, 0)
})

test('a pen is shown nothing where pruning took an end that it was to tell of', () => {
  const memory = new Memory(4, { retention: { seconds: 10, maxEnded: 1000 } })
  memory.put(binding('192.0.2.1', NOW, { state: BindingState.released }), NOW)
  memory.put(binding('192.0.2.2', NOW), NOW)
  memory.prune(NOW + 100)
  const pen = new Recorder()
  const reader = new ChangeReader(asStore(memory), topology.linkOf)
  const written = reader.write({ after: 0, until: 2, limit: 200, pen }, moment)
  assert.deepEqual(written, { type: 'written', through: 0, newest: 2, overtaken: true })
  assert.deepEqual([pen.places, pen.shown], [[], []])
})
