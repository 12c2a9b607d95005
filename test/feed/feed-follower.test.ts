import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { curveKeyPair, Publisher } from 'zeromq'
import { BindingState, Origin } from '../../sidecar/binding.ts'
import { syncEndpoint } from '../../sidecar/feed/link.ts'
import type { HookLease } from '../support/hook-core.ts'
import { waitFor } from '../support/wait.ts'
import { FollowedCore } from './over-core.ts'

const cltt = Math.floor(Date.now() / 1000)

function lease4(n: number, client = n): HookLease {
  return {
    address: Uint8Array.of(192, 0, 2, n),
    validLifetime: 3600,
    cltt,
    subnetId: 3,
    hardwareType: 1,
    hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, client),
    clientId: Uint8Array.of(1, client),
    hostname: Buffer.from(`host${client}`),
  }
}

describe("the hook's core and the follower", () => {
  it('agree after the first walk, with generated leases of both families', async () => {
    for (const family of [4, 6] as const) {
      await using followed = new FollowedCore({ family })
      followed.core.generate({ count: 3_000, storedRelay: true })
      followed.core.start()
      await followed.follow()
      await followed.inStep()
      followed.agrees()
      assert.equal(followed.follower.status().indexTrusted, true)
      assert.ok(followed.store.horizon !== undefined)
    }
  })

  it('carry a change with all that the packet held', async () => {
    await using followed = new FollowedCore()
    followed.core.start()
    await followed.follow()
    await followed.inStep()
    followed.core.put(lease4(1), {
      origin: 1,
      packet: {
        messageType: 3,
        relay: { agentInfo: Uint8Array.of(1, 1, 65) },
        options: Uint8Array.of(60, 1, 98),
      },
    })
    await followed.inStep()
    const binding = followed.store.get(Uint8Array.of(192, 0, 2, 1))!
    assert.equal(binding.state, BindingState.active)
    assert.equal(binding.origin, Origin.client)
    assert.deepEqual(
      [[...binding.relay], [...binding.options]],
      [
        [1, 1, 65],
        [60, 1, 98],
      ],
    )
    assert.deepEqual([binding.clientLastTransaction, binding.stateSince, binding.subnetId], [cltt, cltt, 3])
    assert.ok(followed.changes > 0)
    followed.core.annotate({
      address: binding.address,
      hardwareType: 1,
      hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, 1),
      clientId: Uint8Array.of(1, 1),
      origin: 4,
    })
    followed.core.remove(Uint8Array.of(192, 0, 2, 1), { origin: 3 })
    await followed.inStep()
    assert.equal(followed.store.get(binding.address)?.state, BindingState.reset)
  })

  it('carry a relayed DHCPv6 change with the address that the relay sent from', async () => {
    await using followed = new FollowedCore({ family: 6 })
    followed.core.start()
    await followed.follow()
    await followed.inStep()
    const address = Buffer.from('20010db8000000000000000000000057', 'hex')
    const link = Buffer.from('20010db8000100000000000000000001', 'hex')
    const source = Buffer.from('20010db800ff00000000000000000001', 'hex')
    const peer = Buffer.from('fe80000000000000000000005e000057', 'hex')
    const options = Uint8Array.of(0, 18, 0, 1, 9)
    followed.core.put(
      {
        address,
        type: 1,
        prefixLength: 56,
        validLifetime: 3600,
        preferredLifetime: 1800,
        cltt,
        iaid: 7,
        clientId: Uint8Array.of(0, 3, 0, 1),
      },
      {
        origin: 1,
        packet: {
          messageType: 3,
          relay: { hops: [{ linkAddress: link, peerAddress: peer, options }], source },
        },
      },
    )
    await followed.inStep()
    const binding = followed.store.get(address)!
    assert.deepEqual(
      Buffer.from(binding.relay),
      Buffer.concat([source, Uint8Array.of(12, 0), link, peer, options]),
    )
    assert.deepEqual([binding.prefixLength, binding.iaid, binding.preferredLifetime], [56, 7, 1800])
  })

  it('agree after a storm that overwrote the ring', async () => {
    await using followed = new FollowedCore({ ringEvents: 512 })
    followed.core.generate({ count: 2_000 })
    followed.core.start()
    await followed.follow()
    await followed.inStep()
    await followed.core.churn({ changes: 100_000, removals: 0.2, newClients: 0.2 })
    await followed.inStep()
    followed.agrees()
  })

  it('agree after a reload that dropped leases, and after what nobody reported', async () => {
    await using followed = new FollowedCore()
    for (let n = 1; n <= 9; n++) followed.core.put(lease4(n))
    followed.core.start()
    await followed.follow()
    await followed.inStep()
    followed.core.renew()
    followed.core.removeSilently(Uint8Array.of(192, 0, 2, 4))
    followed.core.start()
    await followed.inStep()
    followed.agrees()
    assert.equal(followed.store.get(Uint8Array.of(192, 0, 2, 4))?.state, BindingState.reset)
    followed.core.putSilently(lease4(5, 55))
    await followed.walked()
    followed.agrees()
  })

  it('agree after a restart of the sidecar, by replay alone', async () => {
    await using followed = new FollowedCore()
    for (let n = 1; n <= 9; n++) followed.core.put(lease4(n))
    followed.core.start()
    await followed.follow()
    await followed.inStep()
    await followed.unfollow()
    for (let n = 3; n <= 12; n++) followed.core.put(lease4(n, n + 100))
    followed.notes.length = 0
    await followed.follow()
    await followed.inStep()
    followed.agrees()
    assert.deepEqual(
      followed.noted('replayed').map(({ count }) => count),
      [10],
    )
    assert.deepEqual(followed.noted('gap'), [])
    assert.equal(followed.follower.details().counters.walks, 0)
  })

  it('end nothing while pages fail, and go on by themselves', async () => {
    await using followed = new FollowedCore()
    for (let n = 1; n <= 9; n++) followed.core.put(lease4(n))
    followed.core.start()
    await followed.follow()
    await followed.inStep()
    followed.core.failPages('connection to the database lost')
    followed.follower.requestWalk('test')
    await waitFor('the problem to be told', () => followed.follower.status().problems.length > 0)
    assert.match(followed.follower.status().problems[0]!.text, /connection to the database lost/)
    assert.equal(followed.store.counts.get(BindingState.active), 9)
    followed.core.failPages(null)
    await followed.inStep()
    assert.deepEqual(followed.follower.status().problems, [])
    followed.agrees()
  })

  it('exchange service, configuration and report', async () => {
    await using followed = new FollowedCore()
    followed.core.setService({ requesters: ['192.0.2.0/24'] })
    followed.core.setConfig({
      subnets: [
        {
          id: 7,
          prefix: Uint8Array.of(192, 0, 2, 0),
          prefixLength: 24,
          sharedNetwork: 'floor',
          pools: [{ first: Uint8Array.of(192, 0, 2, 1), last: Uint8Array.of(192, 0, 2, 9) }],
          renewTimer: 900,
        },
      ],
      reserved: [{ first: Uint8Array.of(192, 0, 2, 20), last: Uint8Array.of(192, 0, 2, 29) }],
    })
    followed.core.start()
    await followed.follow()
    followed.follower.report({ requestors: 3, problems: [{ parameter: 'tls.cert-file', text: 'is gone' }] })
    await followed.inStep()
    assert.deepEqual(JSON.parse(followed.services[0]!), { requesters: ['192.0.2.0/24'] })
    const {
      subnets: [subnet],
      reserved,
    } = await waitFor('the subnets', () => followed.config)
    assert.deepEqual(
      [subnet?.id, subnet?.prefixLength, subnet?.sharedNetwork, subnet?.renewTimer],
      [7, 24, 'floor', 900],
    )
    assert.deepEqual([...subnet!.pools[0]!.last], [192, 0, 2, 9])
    assert.deepEqual([...reserved], [192, 0, 2, 20, 192, 0, 2, 29])
    followed.core.setService({ requesters: [] })
    await waitFor('the new service', () => followed.services.length === 2)
    const report = await waitFor('the report', () =>
      followed.core.status().followers.find(({ state }) => state === 'following'),
    )
    assert.deepEqual([report.follower, report.requestors], ['test follower', 3])
    assert.deepEqual(report.problems, [{ parameter: 'tls.cert-file', text: 'is gone' }])
    followed.core.requestResync()
    await waitFor('the resync', () => followed.resyncs === 1)
    await followed.inStep()
    assert.equal(followed.follower.details().counters.walks, 2)
  })

  it('exchange a configuration of many pages', async () => {
    await using followed = new FollowedCore()
    const reserved = Array.from({ length: 60_000 }, (_, i) => {
      const one = Uint8Array.of(10, (2 * i) >>> 16, (2 * i) >>> 8, 2 * i)
      return { first: one, last: one }
    })
    followed.core.setConfig({ subnets: [], reserved })
    followed.core.start()
    await followed.follow()
    const config = await waitFor('the configuration', () => followed.config)
    const told = Buffer.from(config.reserved)
    assert.equal(told.length, 8 * 60_000)
    for (let i = 0; i < 60_000; i++) {
      assert.equal(told.readUInt32BE(8 * i), 0x0a000000 + 2 * i)
      assert.equal(told.readUInt32BE(8 * i + 4), 0x0a000000 + 2 * i)
    }
  })

  it('find each other again after a silence', async () => {
    await using followed = new FollowedCore()
    followed.core.put(lease4(1))
    followed.core.start()
    await followed.follow({ settings: { silentAfterMs: 1_500 } })
    await followed.inStep()
    followed.core.stop()
    followed.core.put(lease4(2))
    await waitFor('the silence', () => followed.follower.status().state === 'silent')
    assert.ok(followed.follower.status().silentForMs >= 1_500)
    assert.equal(followed.store.counts.get(BindingState.active), 1, 'what is known stays')
    followed.core.start()
    await followed.inStep()
    followed.agrees()
    assert.equal(followed.noted('back').length, 1)
  })

  it('speak over tcp:// under CURVE', async () => {
    const server = curveKeyPair()
    const client = curveKeyPair()
    const keys = new FollowedCore()
    const curveKeyFile = join(keys.folder, 'keys')
    writeFileSync(
      curveKeyFile,
      `curve\n    public-key = "${server.publicKey}"\n    secret-key = "${server.secretKey}"\n    client-key = "${client.publicKey}"\n`,
      { mode: 0o600 },
    )
    chmodSync(curveKeyFile, 0o600)
    try {
      await using followed = new FollowedCore({
        endpoint: `tcp://127.0.0.1:${await freePort()}`,
        curveKeyFile,
      })
      followed.core.put(lease4(1))
      followed.core.start()
      await followed.follow({
        curve: {
          serverPublicKey: server.publicKey,
          publicKey: client.publicKey,
          secretKey: client.secretKey,
        },
      })
      await followed.inStep()
      followed.agrees()
    } finally {
      await keys[Symbol.asyncDispose]()
    }
  })
})

describe('the sockets', () => {
  it('survive frames that are no messages', async () => {
    await using followed = new FollowedCore()
    const publisher = new Publisher({ linger: 0 })
    await publisher.bind(followed.endpoint)
    await followed.follow()
    await waitFor('the complaint', async () => {
      await publisher.send(Buffer.from('no protobuf at all'))
      return followed.noted('problem').some(({ reason }) => /cannot be read/.test(reason))
    })
    publisher.close()
    assert.equal(followed.follower.status().state, 'connecting')
  })

  it('refuse an endpoint that is none', () => {
    assert.equal(syncEndpoint('ipc:///run/x/dhcp4'), 'ipc:///run/x/dhcp4-sync')
    assert.equal(syncEndpoint('tcp://[2001:db8::1]:4711'), 'tcp://[2001:db8::1]:4712')
    for (const endpoint of ['', 'ipc://', 'tcp://host', 'tcp://host:65535', 'udp://host:1']) {
      assert.throws(() => syncEndpoint(endpoint), { code: 'ALQ_FEED_ENDPOINT' })
    }
  })

  it('can be closed while nobody answers', async () => {
    await using followed = new FollowedCore()
    await followed.follow()
    await followed.unfollow()
  })
})

/** Of two that follow each other, most likely: nothing else on this host asks for the second. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
