import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { curveKeyPair, Dealer, Subscriber } from 'zeromq'
import { contractType, HookCore } from '../support/hook-core.ts'
import { waitFor } from '../support/wait.ts'
import { encodeRequest } from './feed-client.ts'
import { address, Stage } from './stage.ts'

const logged = (core: HookCore, id: string) => {
  const lines: string[] = []
  return waitFor(`log line ${id}`, () => {
    lines.push(...core.takeLog().map((line) => line.id))
    return lines.includes(id)
  })
}

test('the sockets are open to the group, and a second feed is told who holds the path', () => {
  using stage = new Stage()
  stage.core.start()
  assert.deepEqual(readdirSync(stage.folder).sort(), ['feed', 'feed-sync', 'feed.lock'])
  for (const name of ['feed', 'feed-sync']) assert.equal(statSync(stage.path(name)).mode & 0o777, 0o660)
  assert.equal(readFileSync(stage.path('feed.lock'), 'utf8'), `${process.pid}\n`)
  const second = stage.another()
  assert.throws(() => second.start(), new RegExp(`belongs to process ${process.pid}.*feed\\.lock`))
  assert.deepEqual(readdirSync(stage.folder).sort(), ['feed', 'feed-sync', 'feed.lock'])
  stage.core.stop()
  assert.deepEqual(readdirSync(stage.folder), [])
  second.start()
  assert.ok(existsSync(stage.path('feed')))
})

test('a feed that was killed leaves a path that the next one takes', async () => {
  using stage = new Stage()
  const script = `
    const { HookCore } = require(${JSON.stringify(addonPath())})
    new HookCore({ family: 4, endpoint: ${JSON.stringify(stage.endpoint)} }).start()
    process.kill(process.pid, 'SIGKILL')`
  await assert.rejects(promisify(execFile)(process.execPath, ['-e', script]))
  assert.deepEqual(readdirSync(stage.folder).sort(), ['feed', 'feed-sync', 'feed.lock'])
  stage.core.start()
  assert.ok((await stage.asker().hello()).hello)
})

test('a program that forgets to stop its feed ends all the same', async () => {
  using stage = new Stage()
  const script = `
    const { HookCore } = require(${JSON.stringify(addonPath())})
    const core = new HookCore({ family: 4, endpoint: ${JSON.stringify(stage.endpoint)} })
    core.generate({ count: 1000 })
    core.start()
    core.churn({ changes: 1e12 })
    setTimeout(() => process.exit(0), 50)`
  await promisify(execFile)(process.execPath, ['-e', script], { timeout: 30_000 })
})

test('a feed that is forgotten goes with its object', async () => {
  using stage = new Stage()
  const script = `
    const { HookCore } = require(${JSON.stringify(addonPath())})
    const { existsSync } = require('node:fs')
    const start = () => new HookCore({ family: 4, endpoint: ${JSON.stringify(stage.endpoint)} }).start()
    start()
    const look = () => { global.gc(); if (existsSync(${JSON.stringify(stage.path('feed'))})) setTimeout(look, 10) }
    setTimeout(look, 10)`
  await promisify(execFile)(process.execPath, ['--expose-gc', '-e', script], { timeout: 30_000 })
  assert.deepEqual(readdirSync(stage.folder), [])
})

test('a missing folder is named', () => {
  const core = new HookCore({ family: 4, endpoint: 'ipc:///nowhere/at/all/dhcp4' })
  assert.throws(() => core.start(), /'\/nowhere\/at\/all' does not exist/)
  core.close()
})

test('sockets whose files were removed are bound anew, and followers find them', async () => {
  using stage = new Stage()
  stage.core.start()
  const early = stage.listener()
  await early.connected()
  unlinkSync(stage.path('feed'))
  unlinkSync(stage.path('feed-sync'))
  await logged(stage.core, 'LEASE_FEED_SOCKET_REBOUND')
  await waitFor(
    'both socket files',
    () => existsSync(stage.path('feed')) && existsSync(stage.path('feed-sync')),
  )
  const late = stage.listener()
  await late.connected()
  assert.ok((await stage.asker().hello()).hello)
  const seq = stage.core.put({ address: address(1) })
  await late.until(seq)
  while (early.events === 0) {
    stage.core.put({ address: address(2) })
    await early.frame()
  }
  // And nothing is left of it at the end.
  stage.core.stop()
  assert.deepEqual(readdirSync(stage.folder), [])
})

test('stop and start keep the epoch and go on with the numbers; a reload begins anew', async () => {
  using stage = new Stage()
  stage.core.start()
  const listener = stage.listener()
  await listener.connected()
  const { epoch } = stage.core.status()
  await listener.until(stage.core.put({ address: address(1) }))
  stage.core.stop()
  stage.core.put({ address: address(2) })
  stage.core.start()
  // Published with nobody there to hear: the follower sees it in the heartbeat and replays.
  let last = 0
  while (last < 2) last = (await listener.frame()).heartbeat?.['lastSeq'] ?? 0
  assert.equal(stage.core.status().epoch, epoch)
  const asker = stage.asker()
  const replay = await asker.ask({ replay: { fromSeq: 2, limit: 9 } }, Buffer.from(epoch, 'hex'))
  assert.deepEqual(replay.replay?.events[0]?.change?.lease.address, address(2))
  stage.core.renew()
  stage.core.start()
  assert.notEqual(stage.core.status().epoch, epoch)
  assert.equal(stage.core.put({ address: address(3) }), 1)
  assert.equal(stage.core.leaseCount, 3)
})

test('stop sends what the ring still holds', async () => {
  using stage = new Stage()
  stage.core.start()
  const listener = stage.listener()
  await listener.connected()
  let seq = 0
  for (let n = 0; n < 1000; n++) seq = stage.core.put({ address: address(n) })
  stage.core.stop(2000)
  const events = await listener.until(seq)
  assert.equal(events.length, 1000)
})

test('too many connections are ended, and the honest one comes back', async () => {
  using stage = new Stage()
  stage.core.start()
  await stage.asker().hello()
  const crowd = Array.from({ length: 60 }, () => new Dealer({ linger: 0 }))
  try {
    for (const one of crowd) one.connect(`${stage.endpoint}-sync`)
    await logged(stage.core, 'LEASE_FEED_TOO_MANY_CONNECTIONS')
  } finally {
    for (const one of crowd) one.close()
  }
  await logged(stage.core, 'LEASE_FEED_SOCKET_REBOUND')
  assert.ok((await stage.asker().hello()).hello)
})

test('too many subscriptions disconnect the subscribers, who come back', async () => {
  using stage = new Stage()
  stage.core.start()
  const listener = stage.listener()
  await listener.connected()
  // Several, since a SUB socket queues no more than 1000 subscriptions itself.
  const greedy = Array.from({ length: 4 }, () => new Subscriber({ linger: 0 }))
  try {
    for (const [n, one] of greedy.entries()) {
      one.connect(stage.endpoint)
      for (let topic = 0; topic < 500; topic++) one.subscribe(`topic ${n} ${topic}`)
    }
    await logged(stage.core, 'LEASE_FEED_TOO_MANY_SUBSCRIPTIONS')
  } finally {
    for (const one of greedy) one.close()
  }
  while (listener.events === 0) {
    stage.core.put({ address: address(1) })
    await listener.frame()
  }
})

test('tcp:// serves those whose CURVE key it knows, and nobody else', async () => {
  using stage = new Stage()
  const server = curveKeyPair()
  const known = curveKeyPair()
  const unknown = curveKeyPair()
  const port = await twoFreePorts()
  const endpoint = `tcp://127.0.0.1:${port}`
  assert.throws(() => stage.another({ endpoint }).start(), /CURVE key file/)
  const curveKeyFile = stage.path('keys')
  writeFileSync(
    curveKeyFile,
    `curve\n    public-key = "${server.publicKey}"\n    secret-key = "${server.secretKey}"\n    client-key = "${known.publicKey}"\n`,
    { mode: 0o644 },
  )
  assert.throws(() => stage.another({ endpoint, curveKeyFile }).start(), /closed to others/)
  chmodSync(curveKeyFile, 0o600)
  const core = stage.another({ endpoint, curveKeyFile })
  core.start()
  const dealer = (keys?: { publicKey: string; secretKey: string }) => {
    const socket = new Dealer({
      linger: 0,
      ...(keys === undefined
        ? {}
        : {
            curveServerKey: server.publicKey,
            curvePublicKey: keys.publicKey,
            curveSecretKey: keys.secretKey,
          }),
    })
    socket.connect(`tcp://127.0.0.1:${port + 1}`)
    return socket
  }
  const sockets = [dealer(unknown), dealer(), dealer(known)]
  try {
    for (const socket of sockets)
      await socket.send(encodeRequest({ id: 1, hello: { contractMajor: 1, follower: 'x' } }))
    const answered = sockets.map((socket) => socket.receive())
    answered[0]!.catch(() => {})
    answered[1]!.catch(() => {})
    const [frame] = await answered[2]!
    assert.ok(contractType('Reply').toObject(contractType('Reply').decode(frame!))['hello'])
    const others = await Promise.race([
      answered[0],
      answered[1],
      stage.core.churn({ changes: 0 }).then(() => 'silence'),
    ])
    assert.equal(others, 'silence')
    assert.equal(core.status().followers.length, 1)
  } finally {
    for (const socket of sockets) socket.close()
  }
})

function addonPath(): string {
  const addon = process.report.getReport() as unknown as { sharedObjects: string[] }
  const path = addon.sharedObjects.find((name) => name.endsWith('lease_feed_core.node'))
  if (path === undefined) throw new Error('the addon is not loaded')
  return path
}

async function twoFreePorts(): Promise<number> {
  const listen = (port: number) =>
    new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
      const server = createServer().once('error', reject)
      server.listen(port, '127.0.0.1', () => resolve(server))
    })
  for (;;) {
    const first = await listen(0)
    const { port } = first.address() as { port: number }
    const second = await listen(port + 1).catch(() => undefined)
    await Promise.all([first, second].map((server) => server && new Promise((done) => server.close(done))))
    if (second !== undefined) return port
  }
}
