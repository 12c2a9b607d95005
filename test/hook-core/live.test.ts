import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HookOrigin } from '../support/hook-core.ts'
import { waitFor } from '../support/wait.ts'
import type { FeedFrame } from './feed-client.ts'
import { address, Stage } from './stage.ts'

const mac = Buffer.from('020000000001', 'hex')

test('a change on the feed says all that the lease and its packet said', async () => {
  using stage = new Stage()
  stage.core.start()
  const listener = stage.listener()
  await listener.connected()
  const lease = {
    address: address(1),
    validLifetime: 3600,
    cltt: 1_700_000_000,
    subnetId: 7,
    poolId: 2,
    hardwareType: 1,
    hardwareAddress: mac,
    clientId: Buffer.from('01020000000001', 'hex'),
    hostname: Buffer.from('host.example.net'),
    fqdnForward: true,
  }
  const packet = {
    messageType: 3,
    relay: { agentInfo: Buffer.from('0102aabb', 'hex') },
    options: Buffer.from('0c0168', 'hex'),
  }
  assert.equal(stage.core.put(lease, { origin: HookOrigin.client, packet }), 1)
  assert.equal(stage.core.put({ ...lease, state: 1 }, { origin: HookOrigin.operator }), 2)
  assert.equal(stage.core.remove(address(1), { origin: HookOrigin.reclamation }), 3)
  assert.equal(stage.core.remove(address(1)), 0)
  const [added, updated, removed] = await listener.until(3)
  assert.deepEqual(added?.change, {
    operation: 'ADD',
    origin: 'CLIENT',
    lease,
    packet: { ...packet, relay: { ...packet.relay, hops: [] } },
  })
  assert.deepEqual(updated?.change, {
    operation: 'UPDATE',
    origin: 'OPERATOR',
    lease: { ...lease, state: 1 },
  })
  assert.deepEqual(removed?.change, {
    operation: 'DELETE',
    origin: 'RECLAMATION',
    lease: { ...lease, state: 1 },
  })
})

test('a delegated prefix comes with every hop of its relays', async () => {
  using stage = new Stage({ family: 6 })
  stage.core.start()
  const listener = stage.listener()
  await listener.connected()
  const prefix = Buffer.from('20010db8000100000000000000000000', 'hex')
  const link = Buffer.from('20010db8000000000000000000000001', 'hex')
  const peer = Buffer.from('fe800000000000000000000000000002', 'hex')
  const hops = [
    { hopCount: 1, linkAddress: link, peerAddress: peer, options: Buffer.from('0012000178', 'hex') },
    { linkAddress: peer, peerAddress: link },
  ]
  const lease = {
    address: prefix,
    type: 1,
    prefixLength: 56,
    iaid: 9,
    clientId: Buffer.from('00030001aa', 'hex'),
  }
  stage.core.put(
    { ...lease, storedRelay: { hops } },
    { packet: { messageType: 5, relay: { hops, source: peer } } },
  )
  const [event] = await listener.until(1)
  assert.deepEqual(event?.change, {
    operation: 'ADD',
    lease: { ...lease, type: 'PREFIX', storedRelay: { hops } },
    packet: { messageType: 5, relay: { hops, source: peer } },
  })
  assert.deepEqual(stage.core.leases()[0]?.address, prefix)
})

test('an annotation names the client it is about', async () => {
  using stage = new Stage()
  stage.core.start()
  const listener = stage.listener()
  await listener.connected()
  const client = { address: address(1), hardwareType: 1, hardwareAddress: mac, clientId: Buffer.from('c') }
  stage.core.annotate({ ...client, origin: HookOrigin.partner })
  stage.core.annotate({ ...client, packet: { messageType: 3 } })
  const [partner, packet] = await listener.until(2)
  assert.deepEqual(partner?.annotation, { ...client, origin: 'PARTNER' })
  assert.deepEqual(packet?.annotation, { ...client, packet: { messageType: 3 } })
})

test('changes of two threads arrive in order and without gaps', async () => {
  using stage = new Stage()
  stage.core.generate({ count: 100_000 })
  stage.core.start()
  const listener = stage.listener()
  await listener.connected()
  const churns = [
    stage.core.churn({ changes: 20_000, seed: 1, rate: 40_000 }),
    stage.core.churn({ changes: 20_000, seed: 2, rate: 40_000, removals: 0.2, newClients: 0.1 }),
  ]
  const held = new Map<string, string>()
  while (listener.next <= 40_000) {
    const { batch } = await listener.frame()
    for (const { change } of batch?.events ?? []) {
      const key = change!.lease.address.toString('hex')
      // The order of the database: an ADD follows a DELETE and nothing else.
      if (held.has(key)) assert.equal(held.get(key) === 'DELETE', change!.operation === 'ADD')
      held.set(key, change!.operation)
    }
  }
  assert.deepEqual(await Promise.all(churns), [20_000, 20_000])
  assert.deepEqual(listener.gaps, [])
  assert.equal(listener.events, 40_000)
  const gone = [...held.values()].filter((operation) => operation === 'DELETE').length
  assert.equal(stage.core.leaseCount, 100_000 - gone)
})

test('a generated change takes about as much room as a relayed one in a provider network', async () => {
  for (const family of [4, 6] as const) {
    using stage = new Stage({ family })
    stage.core.generate({ count: 1000, storedRelay: true })
    stage.core.start()
    const listener = stage.listener()
    await listener.connected()
    await stage.core.churn({ changes: 64 })
    const [frame] = await listener.socket.receive()
    const octets = frame!.length / 64
    assert.ok(octets > 200 && octets < 450, `${octets} octets`)
  }
})

test('a heartbeat never announces what has not been sent before it', async () => {
  using stage = new Stage()
  stage.core.generate({ count: 1000 })
  stage.core.start()
  const listener = stage.listener()
  await listener.connected()
  const churn = stage.core.churn({ changes: 30_000, rate: 10_000 })
  let beats = 0
  while (beats < 3) {
    const { heartbeat } = await listener.frame()
    if (heartbeat === undefined) continue
    beats++
    assert.equal(heartbeat.lastSeq ?? 0, listener.next === 0 ? 0 : listener.next - 1)
  }
  await churn
})

test('a small ring under a flood shows the gap, counts it and logs it seldom', async () => {
  using stage = new Stage({ ringEvents: 64 })
  stage.core.generate({ count: 1000 })
  stage.core.start()
  const listener = stage.listener()
  await listener.connected()
  stage.core.takeLog()
  await stage.core.churn({ changes: 300_000 })
  // The last batches may be lost too: the heartbeat tells.
  let last = 0
  let beat: FeedFrame['heartbeat']
  while (last < 300_000) {
    beat = (await listener.frame()).heartbeat
    last = beat?.['lastSeq'] ?? 0
  }
  const missing = last - listener.events
  const { overwritten, published, lastSeq } = stage.core.status()
  assert.ok(overwritten > 0)
  assert.equal(overwritten + published, lastSeq)
  // And so does each heartbeat, for whoever counts it.
  assert.equal(beat?.['overwritten'], overwritten)
  assert.equal(beat['ringEvents'], 64)
  // What ZeroMQ dropped for this listener comes on top of what the ring lost.
  assert.ok(missing >= overwritten)
  assert.ok(listener.gaps.length > 0)
  // Told when the first episode is over, and what came after it ten seconds later.
  let told = 0
  let lineCount = 0
  await waitFor('all that was overwritten to be logged', () => {
    const lines = stage.core.takeLog().filter(({ id }) => id === 'LEASE_FEED_RING_OVERWRITTEN')
    lineCount += lines.length
    told += lines.reduce((sum, { text }) => sum + Number.parseInt(text, 10), 0)
    return told >= overwritten
  })
  assert.equal(told, overwritten)
  assert.ok(lineCount <= 3, `${lineCount} lines`)
})
