// A mirror against the service itself, over sockets and a disk of its own.
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { type BindingData, BindingState, type Family } from '../../../sidecar/binding.ts'
import { SidecarError } from '../../../sidecar/errors.ts'
import type { ChangeJson } from '../../../sidecar/requestor/mirror/change-json.ts'
import type { Receiver } from '../../../sidecar/requestor/mirror/delivery.ts'
import { topologyOf } from '../../../sidecar/server/topology.ts'
import { Authority } from '../../support/certificates.ts'
import { CuttingProxy } from '../../support/cutting-proxy.ts'
import { TestMirror } from '../../support/mirror.ts'
import { TestService } from '../../support/requestor-service.ts'
import { waitFor } from '../../support/wait.ts'

const authority = new Authority()
after(() => authority[Symbol.dispose]())
const both = { 'active-query-enabled': true, 'bulk-query-enabled': true }
const hosts = { 4: '127.0.0.1', 6: '::1' } as const
const address = (family: Family, n: number) =>
  family === 4 ? `10.0.${n >> 8}.${n & 255}` : `2001:db8::${n.toString(16)}`
const ended = { state: BindingState.released } satisfies Partial<BindingData>

/** What the service holds: the truth that a mirror has to come to. */
class Truth {
  readonly service: TestService
  readonly live = new Map<string, number>()

  constructor(service: TestService) {
    this.service = service
  }

  put(n: number, changed: Partial<BindingData> = {}): void {
    const key = address(this.service.family, n)
    const data = { clientLastTransaction: this.service.now, ...changed }
    this.service.put(key, data)
    if (changed.state === undefined || changed.state === BindingState.active)
      this.live.set(key, this.service.now + 3600)
    else this.live.delete(key)
  }

  get keys(): string[] {
    return [...this.live.keys()].sort()
  }

  /** Waits until the mirror knows just this, with the right ends on its own clock. */
  async reached(mirror: TestMirror): Promise<void> {
    await waitFor('the mirror to know what the service knows', async () => {
      assert.deepEqual(await mirror.keys(), this.keys)
      return true
    })
  }
}

async function service(family: Family, changed: Record<string, unknown> = {}): Promise<TestService> {
  const made = new TestService(family)
  // The clock of the service is the machine's here: what a mirror computes on its own clock is compared.
  made.now = Math.floor(Date.now() / 1000)
  made.service.setTopology(topologyOf([]))
  return made.walked().configure({ advanced: { ...both, 'lease-query-ip': hosts[family] }, ...changed })
}

async function mirrorOf(made: TestService, more: Partial<ConstructorParameters<typeof TestMirror>[0]> = {}) {
  const server = { host: hosts[made.family], port: await made.port() }
  return new TestMirror({ family: made.family, servers: [server], tls: 'off', ...more })
}

/** A receiver in memory, whose failures a test decides. */
class Memory implements Receiver {
  readonly name = 'memory'
  readonly most: number
  readonly log: ChangeJson[] = []
  readonly held = new Map<string, ChangeJson>()
  fails = (_: readonly ChangeJson[]): boolean => false

  constructor(most = 5) {
    this.most = most
  }

  async hand(changes: readonly ChangeJson[]): Promise<void> {
    // It may have taken them and still fail: what is handed over again must not hurt.
    this.log.push(...changes)
    for (const change of changes) {
      if (change.change === 'removed') this.held.delete(change.key)
      else this.held.set(change.key, change)
    }
    if (this.fails(changes))
      throw new SidecarError('ALQ_RECEIVER', { receiver: this.name, reason: 'not today' })
  }

  get keys(): string[] {
    return [...this.held.keys()].sort()
  }
}

for (const family of [4, 6] as const) {
  const rfc = family === 4 ? '7724' : '7653'
  describe(`a mirror of DHCPv${family}`, () => {
    it(`${rfc}-4-01: an empty replica is filled by Bulk, then Active follows without a gap`, async () => {
      await using made = await service(family)
      const truth = new Truth(made)
      for (let n = 1; n <= 600; n++) truth.put(n)
      await using mirror = await (await mirrorOf(made)).start()
      await truth.reached(mirror)
      await waitFor('Active', () => mirror.noted('live').length === 1)
      truth.put(700)
      truth.put(3, ended)
      await truth.reached(mirror)
      assert.deepEqual(
        mirror.notes.map(({ event }) => event),
        ['asking', 'bulk-complete', 'asking', 'live'],
      )
    })

    it('7724-9-03, 7653-10-02: goes on where it was after a restart, by catch-up, from a folder for its owner only', async () => {
      await using made = await service(family)
      const truth = new Truth(made)
      for (let n = 1; n <= 50; n++) truth.put(n)
      await using mirror = await (await mirrorOf(made)).start()
      await waitFor('Active', () => mirror.noted('live').length === 1)
      await mirror.stop()
      truth.put(5, ended)
      truth.put(60)
      await mirror.start()
      await truth.reached(mirror)
      assert.equal(mirror.noted('bulk-complete').length, 1)
      assert.equal(statSync(mirror.path).mode & 0o777, 0o700)
    })

    it('ends equal after 20 cuts in the middle of changes', async () => {
      await using made = await service(family)
      using proxy = await CuttingProxy.to({ host: hosts[family], port: await made.port() })
      const truth = new Truth(made)
      for (let n = 1; n <= 300; n++) truth.put(n)
      const servers = [{ host: '127.0.0.1', port: proxy.port }]
      await using mirror = await (await mirrorOf(made, { servers, retrySeconds: 0.02 })).start()
      for (let round = 0; round < 20; round++) {
        const before = proxy.connections
        for (let i = 0; i < 20; i++) truth.put(1 + ((round * 37 + i * 11) % 400), i % 3 === 0 ? ended : {})
        proxy.cut()
        if (round % 5 === 4) made.now++
        await waitFor('it to come back', () => proxy.connections > before)
      }
      await truth.reached(mirror)
    })

    it(`${rfc}-${family === 4 ? '7.4.1-08' : '8.4.1-07'}: recovers by Bulk after an absence longer than the history`, async () => {
      await using made = await service(family)
      const truth = new Truth(made)
      for (let n = 1; n <= 50; n++) truth.put(n)
      await using mirror = await (await mirrorOf(made)).start()
      await waitFor('Active', () => mirror.noted('live').length === 1)
      await mirror.stop()
      made.now += 100
      for (let n = 1; n <= 10; n++) truth.put(n, ended)
      truth.put(90)
      made.now += 100
      // As after pruning: what ended is forgotten.
      made.memory.retention = { seconds: 10, maxEnded: 1 }
      for (let i = 0; i < 20; i++) made.memory.prune(made.now)
      await mirror.start()
      await waitFor('DataMissing', () => mirror.noted('data-missing').length === 1)
      await waitFor('the end of recovery', () => mirror.noted('live').length === 2)
      assert.equal(mirror.noted('bulk-complete').length, 2)
      await truth.reached(mirror)
      assert.equal(mirror.noted('asking-window').length, 1)
      truth.put(91)
      await truth.reached(mirror)
    })

    it('over TLS: the same, and never without it', async () => {
      const own = authority.issue()
      const tls = { 'trust-anchor': authority.certFile, 'cert-file': own.certFile, 'key-file': own.keyFile }
      await using made = await service(family, { tls })
      const truth = new Truth(made)
      for (let n = 1; n <= 50; n++) truth.put(n)
      await using secure = await (
        await mirrorOf(made, { tls: { ca: authority.cert, cert: own.cert, key: own.key } })
      ).start()
      await truth.reached(secure)
      await using clear = await (await mirrorOf(made)).start()
      await waitFor('the failure', () => clear.noted('lost').length > 0)
      assert.deepEqual(await clear.keys(), [])
    })

    it('two servers make one replica, and what only one of them knows is in it', async () => {
      await using one = await service(family)
      await using two = await service(family)
      const [first, second] = [new Truth(one), new Truth(two)]
      for (let n = 1; n <= 20; n++) first.put(n)
      for (let n = 11; n <= 30; n++) second.put(n)
      const servers = [
        { host: hosts[family], port: await one.port() },
        { host: hosts[family], port: await two.port() },
      ]
      await using mirror = await (await mirrorOf(one, { servers })).start()
      await waitFor('both', async () => (await mirror.keys()).length === 30)
      // The newer word counts, whoever has it.
      two.now += 10
      second.put(15, { ...ended, clientLastTransaction: two.now })
      await waitFor('the end', async () => !(await mirror.keys()).includes(address(family, 15)))
      first.put(15, ended)
      // A server that is asked no more takes its bindings with it.
      await mirror.stop()
      await mirror.start({ servers: [servers[1]!] })
      await second.reached(mirror)
    })

    it('hands over a snapshot, then every change; a receiver that fails half the time loses nothing', async () => {
      await using made = await service(family)
      const truth = new Truth(made)
      for (let n = 1; n <= 60; n++) truth.put(n)
      const memory = new Memory()
      let calls = 0
      memory.fails = () => calls++ % 2 === 1
      await using mirror = await (await mirrorOf(made, { receivers: [memory] })).start()
      await waitFor('the snapshot', () => memory.held.size === 60)
      await waitFor('Active', () => mirror.noted('live').length === 1)
      for (let n = 1; n <= 30; n++)
        truth.put(
          n,
          n % 2 === 0
            ? ended
            : { hardwareAddress: Uint8Array.of(2, 9, 9, 9, 9, n), clientId: Uint8Array.of(0, 3, 0, 1, 9, n) },
        )
      await waitFor('the changes', () => {
        assert.deepEqual(memory.keys, truth.keys)
        assert.ok([...memory.held.values()].some(({ change }) => change === 'changed'))
        return true
      })
      const newest = new Map<string, number>()
      for (const { key, number } of memory.log) {
        assert.ok(number >= (newest.get(key) ?? 0), `${key} went back`)
        newest.set(key, number)
      }
    })

    it('hands over what changed while it did not run, and not what the receiver has', async () => {
      await using made = await service(family)
      const truth = new Truth(made)
      for (let n = 1; n <= 20; n++) truth.put(n)
      const memory = new Memory()
      await using mirror = await (await mirrorOf(made, { receivers: [memory] })).start()
      await waitFor('the snapshot', () => memory.held.size === 20)
      await waitFor('Active', () => mirror.noted('live').length === 1)
      await mirror.stop()
      truth.put(1, ended)
      truth.put(21)
      memory.log.length = 0
      await mirror.start()
      await waitFor('both changes', () => memory.keys.join() === truth.keys.join())
      const told = [...new Set(memory.log.map(({ change, key }) => `${change} ${key}`))].sort()
      assert.deepEqual(told, [`added ${address(family, 21)}`, `removed ${address(family, 1)}`])
    })
  })
}

it('6926-7.5-01, 5460-6.4-01: several servers are asked in parallel, each on a connection of its own', async () => {
  await using one = await service(4)
  await using two = await service(4)
  const servers = [
    { host: '127.0.0.1', port: await one.port() },
    { host: '127.0.0.1', port: await two.port() },
  ]
  await using mirror = await (await mirrorOf(one, { servers })).start()
  await waitFor('both to be followed', () => mirror.noted('live').length === 2)
  assert.equal(one.service.connections, 1)
  assert.equal(two.service.connections, 1)
})

it('a change that is never taken does not hold up the others', async () => {
  await using made = await service(4)
  const truth = new Truth(made)
  for (let n = 1; n <= 10; n++) truth.put(n)
  const memory = new Memory(4)
  memory.fails = (changes) => changes.some(({ key }) => key === '10.0.0.3')
  await using mirror = await (await mirrorOf(made, { receivers: [memory] })).start()
  await waitFor('all others', () => {
    const done = mirror.mirror.status.deliveries[0]!.handed
    return done >= 9
  })
})

it('a server that tells of more bindings than are wanted is given up, with a sentence', async () => {
  await using made = await service(4)
  const truth = new Truth(made)
  for (let n = 1; n <= 600; n++) truth.put(n)
  await using mirror = await (await mirrorOf(made, { maxBindings: 100 })).start()
  await waitFor('the end of it', () => {
    const [lost] = mirror.noted('lost')
    return lost?.event === 'lost' && /more than 100 bindings: raise --max-bindings/.test(lost.reason)
  })
  assert.ok((await mirror.keys()).length <= 100)
})

it('a folder of the other family is refused in one sentence', async () => {
  await using made = await service(4)
  await using mirror = await (await mirrorOf(made)).start()
  await mirror.stop()
  await assert.rejects(mirror.start({ family: 6 }), /it holds DHCPv4; each family needs a folder of its own/)
})
