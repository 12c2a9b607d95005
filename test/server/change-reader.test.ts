import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { ChangeReader, MAX_SLICE_OCTETS, openAt } from '../../sidecar/server/change-reader.ts'
import { topologyOf } from '../../sidecar/server/topology.ts'
import type { ActiveChange, ChangePen } from '../../sidecar/session/session-io.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import type { BulkStore } from '../../sidecar/store/store.ts'
import { formatAddress, parseAddress } from '../../sidecar/wire/address.ts'
import { binding } from '../support/requestor-service.ts'

const NOW = 1_800_000_000
const asStore = (memory: Memory) => memory as unknown as BulkStore
const companions = (change: ActiveChange) =>
  change.companions.map(({ address }) => formatAddress(address)).sort()

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
  const { changes } = new ChangeReader(asStore(memory), topology.linkOf).read(0, 100)
  assert.deepEqual(changes.map(companions), [
    ['2001:db8:2::1'],
    ['2001:db8:1::1'],
    [],
    ['2001:db8:1::1', '2001:db8:2::1'],
    [],
  ])
})

test('declined bindings share an empty DUID in Kea and are no companions of each other', () => {
  const memory = new Memory(6)
  for (let n = 1; n <= 50; n++) {
    memory.put(
      binding(`2001:db8:1::${n}`, NOW, { clientId: Uint8Array.of(0, 0, 0), state: BindingState.abandoned }),
      NOW,
    )
  }
  const { changes } = new ChangeReader(asStore(memory), topology.linkOf).read(0, 200)
  assert.deepEqual(
    changes.map((change) => change.companions.length),
    new Array(50).fill(0),
  )
})

test('DHCPv4 has no companions', () => {
  const memory = new Memory(4)
  memory.put(binding('192.0.2.1', NOW, { clientId: Uint8Array.of(1, 2) }), NOW)
  memory.put(binding('192.0.2.2', NOW, { clientId: Uint8Array.of(1, 2) }), NOW)
  const { changes } = new ChangeReader(asStore(memory), topology.linkOf).read(0, 100)
  assert.deepEqual(changes.map(companions), [[], []])
})

test('a slice ends at so many octets of output, and the next goes on behind it', () => {
  const memory = new Memory(4)
  const options = new Uint8Array(1000)
  for (let n = 1; n <= 200; n++) memory.put(binding(`192.0.2.${n}`, NOW, { options }), NOW)
  const reader = new ChangeReader(asStore(memory), topology.linkOf)
  const seen: string[] = []
  let after = 0
  for (let slices = 1; ; slices++) {
    const batch = reader.read(after, 200)
    assert.ok((batch.changes.length - 1) * 1000 < MAX_SLICE_OCTETS)
    for (const change of batch.changes)
      if (change.kind === 'binding') seen.push(formatAddress(change.binding.address))
    after = batch.through
    if (batch.atEnd) {
      assert.ok(slices >= 200_000 / MAX_SLICE_OCTETS - 1)
      break
    }
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 200 }, (_, i) => `192.0.2.${i + 1}`),
  )
})

test('readers at the same place share one batch until something is stored', () => {
  const memory = new Memory(4)
  memory.put(binding('192.0.2.1', NOW), NOW)
  const reader = new ChangeReader(asStore(memory), topology.linkOf)
  const first = reader.read(0, 200)
  assert.equal(reader.read(0, 200), first)
  memory.put(binding('192.0.2.2', NOW), NOW)
  assert.equal(reader.read(0, 200).changes.length, 2)
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
  const ended = { state: BindingState.released }
  memory.put(binding('192.0.2.1', NOW, ended), NOW)
  memory.put(binding('192.0.2.2', NOW), NOW)
  memory.prune(NOW + 100)
  const shown: unknown[] = []
  const pen: ChangePen = {
    length: 0,
    wants: (record) => shown.push(record) > 0,
    write: () => assert.fail('nothing is to be written'),
    tell: () => assert.fail('nothing is to be told'),
  }
  const moment = { mono: 0, now: NOW + 100, keaNow: NOW + 100 }
  const reader = new ChangeReader(asStore(memory), topology.linkOf)
  assert.deepEqual(reader.write(0, 2, pen, moment), {
    type: 'written',
    through: 0,
    newest: 2,
    overtaken: true,
  })
  assert.equal(shown.length, 0)
})
