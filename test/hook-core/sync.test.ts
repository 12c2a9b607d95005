import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Dealer, Request as RequestSocket } from 'zeromq'
import { contractType } from '../support/hook-core.ts'
import { encodeRequest, type FeedReply } from './feed-client.ts'
import { address, Stage } from './stage.ts'

test('Hello tells who answers, where the numbers stand, and how requestors are served', async () => {
  using stage = new Stage({
    family: 6,
    identity: {
      keaVersion: '3.0.3',
      hookVersion: '0.1.0',
      serverDuid: Buffer.from('0001aa', 'hex'),
      extendedInfo: true,
    },
  })
  stage.core.setService({ advanced: { 'active-query-enabled': true } })
  stage.core.start()
  stage.core.put({ address: Buffer.alloc(16, 1) })
  const { epoch, hello } = await stage.asker().hello()
  assert.equal(epoch.toString('hex'), stage.core.status().epoch)
  assert.equal(hello['contractMajor'], 1)
  assert.equal(hello['family'], 'V6')
  assert.equal(hello['keaVersion'], '3.0.3')
  assert.deepEqual(hello['serverDuid'], Buffer.from('0001aa', 'hex'))
  assert.equal(hello['service'], '{"advanced":{"active-query-enabled":true}}')
  assert.equal(hello['serviceGeneration'], 1)
  assert.equal(hello['tap'], true)
  assert.equal(hello['extendedInfo'], true)
  assert.deepEqual([hello.lastSeq, hello.oldestSeq], [1, 1])
})

test('Replay gives what is in the ring, page by page, and says what is not', async () => {
  using stage = new Stage({ ringEvents: 1000 })
  for (let n = 0; n < 1500; n++) stage.core.put({ address: address(n) })
  stage.core.start()
  const asker = stage.asker()
  const { epoch, hello } = await asker.hello()
  assert.deepEqual([hello.oldestSeq, hello.lastSeq], [501, 1500])
  let next = 501
  while (next <= 1500) {
    const { replay } = await asker.ask({ replay: { fromSeq: next, limit: 1000 } }, epoch)
    assert.equal(replay?.firstSeq, next)
    assert.ok(replay.events.length > 0 && replay.events.length <= 256)
    for (const event of replay.events) assert.deepEqual(event.change?.lease.address, address(next++ - 1))
  }
  const few = await asker.ask({ replay: { fromSeq: 600, limit: 3 } }, epoch)
  assert.equal(few.replay?.events.length, 3)
  const ahead = await asker.ask({ replay: { fromSeq: 1501, limit: 10 } }, epoch)
  assert.deepEqual(ahead.replay?.events, [])
  const gone = await asker.ask({ replay: { fromSeq: 500, limit: 10 } }, epoch)
  assert.equal(gone.error?.code, 'NOT_IN_RING')
  assert.match(gone.error.text, /oldest is 501/)
  assert.equal((await asker.ask({ replay: { limit: 10 } }, epoch)).error?.code, 'BAD_REQUEST')
})

test('pages give every lease once, ascending, stamped with what was given out before', async () => {
  using stage = new Stage({ pageShare: 1 })
  stage.core.generate({ count: 1000, first: address(0) })
  stage.core.removeSilently(address(10))
  stage.core.putSilently({ address: Buffer.from([11, 0, 0, 1]) })
  for (let n = 0; n < 5; n++) stage.core.put({ address: Buffer.from([9, 0, 0, n]) })
  stage.core.start()
  const asker = stage.asker()
  const { epoch } = await asker.hello()
  const seen: string[] = []
  let after: Buffer = Buffer.alloc(0)
  for (let end = false; !end; ) {
    const { page } = await asker.ask({ page: { walk: 77, after, limit: 400 } }, epoch)
    assert.equal(page?.walk, 77)
    assert.equal(page.stamp, 5)
    assert.ok(page.leases.length <= 256)
    assert.ok(Math.abs(page.clock - Date.now()) < 60_000)
    seen.push(...page.leases.map((lease) => lease.address.toString('hex')))
    after = page.leases.at(-1)?.address ?? after
    end = page.end === true
  }
  assert.deepEqual(
    seen,
    stage.core.leases().map((lease) => Buffer.from(lease.address).toString('hex')),
  )
  assert.equal(seen.length, 1005)
  assert.deepEqual(seen, seen.toSorted())
})

test('a page that cannot be read is an error with the reason, never an empty page', async () => {
  using stage = new Stage()
  stage.core.generate({ count: 10 })
  stage.core.failPages('connection to the database was lost')
  stage.core.start()
  const asker = stage.asker()
  const { epoch } = await asker.hello()
  const failed = await asker.ask({ page: { walk: 1 } }, epoch)
  assert.equal(failed.page, undefined)
  assert.deepEqual(failed.error, { code: 'LEASE_DATABASE', text: 'connection to the database was lost' })
  stage.core.failPages('being reconfigured', true)
  assert.equal((await asker.ask({ page: { walk: 1 } }, epoch)).error?.code, 'NOT_READY')
  stage.core.failPages(null)
  assert.equal((await asker.ask({ page: { walk: 1 } }, epoch)).page?.leases.length, 10)
  const ids = stage.core.takeLog().map(({ id }) => id)
  assert.ok(ids.includes('LEASE_FEED_PAGE_FAILED') && ids.includes('LEASE_FEED_PAGES_RECOVERED'))
})

test('pages that fail in turn with others that do not are told of once a minute', async () => {
  using stage = new Stage()
  stage.core.generate({ count: 10 })
  stage.core.start()
  const asker = stage.asker()
  const { epoch } = await asker.hello()
  for (const reason of ['a row is no lease', null, 'a row is no lease', null, 'a row is no lease', null]) {
    stage.core.failPages(reason)
    assert.equal((await asker.ask({ page: { walk: 1 } }, epoch)).error?.text, reason ?? undefined)
  }
  const told = stage.core.takeLog().filter(({ id }) => id.startsWith('LEASE_FEED_PAGE'))
  assert.deepEqual(
    told.map(({ id }) => id),
    ['LEASE_FEED_PAGE_FAILED', 'LEASE_FEED_PAGES_RECOVERED'],
  )
  assert.match(told[0]!.text, /a row is no lease/)
})

test('many askers cost the main thread no more than one: pages are shared, and too many wait in vain', async () => {
  using stage = new Stage()
  stage.core.generate({ count: 300 })
  stage.core.delayPages(300)
  stage.core.start()
  const askers = Array.from({ length: 5 }, () => stage.asker())
  const { epoch } = await askers[0]!.hello()
  const first = stage.asker().ask({ page: { walk: 1, after: address(5) } }, epoch)
  for (const asker of askers) await asker.hello() // all connected, and the page is being read
  const same = await Promise.all(askers.map((asker, n) => asker.ask({ page: { walk: 2 + n } }, epoch)))
  assert.deepEqual(
    same.map((reply) => reply.page?.walk),
    [2, 3, 4, 5, 6],
  )
  await first
  assert.ok(stage.core.status().pages <= 3, `${stage.core.status().pages} pages read`)
  const greedy = stage.asker()
  for (let n = 0; n < 20; n++) await greedy.send({ page: { walk: 1, after: address(n) } }, epoch)
  const busy: FeedReply = await greedy.reply()
  assert.equal(busy.error?.code, 'BUSY')
})

test('another epoch is answered with WRONG_EPOCH, for each kind of request', async () => {
  using stage = new Stage()
  stage.core.start()
  const asker = stage.asker()
  const { epoch } = await asker.hello()
  stage.core.renew()
  stage.core.start()
  const bodies = [
    { replay: { fromSeq: 1 } },
    { page: { walk: 1 } },
    { config: {} },
    { report: { follower: 'x' } },
  ]
  const after = stage.asker()
  for (const body of bodies) {
    const reply = await after.ask(body, epoch)
    assert.equal(reply.error?.code, 'WRONG_EPOCH')
    assert.equal(reply.epoch.toString('hex'), stage.core.status().epoch)
  }
  const renewed = (await after.hello()).epoch
  assert.notDeepEqual(renewed, epoch)
  assert.ok(renewed.compare(epoch, 0, 8, 0, 8) >= 0, 'the newer epoch is known by its start')
})

test('configuration, service and resync have generations that heartbeats carry', async () => {
  using stage = new Stage()
  stage.core.start()
  const listener = stage.listener()
  const asker = stage.asker()
  const { epoch } = await asker.hello()
  await listener.connected()
  const subnet = {
    id: 1,
    prefix: address(0),
    prefixLength: 24,
    pools: [{ first: address(1), last: address(9) }],
  }
  stage.core.setConfig({ subnets: [subnet] })
  stage.core.setConfig({ subnets: [subnet] }) // the same: no new generation
  stage.core.setService('{}')
  stage.core.requestResync()
  for (;;) {
    const { heartbeat } = await listener.frame()
    if (
      heartbeat?.['configGeneration'] === 1 &&
      heartbeat['serviceGeneration'] === 1 &&
      heartbeat['resyncGeneration'] === 1
    )
      break
  }
  const { config } = await asker.ask({ config: {} }, epoch)
  assert.equal(config?.generation, 1)
  assert.equal(config.subnets[0]?.['id'], 1)
  assert.deepEqual(config.subnets[0]?.['pools'], [{ first: address(1), last: address(9) }])
})

test('a large configuration comes in pages, and those of another generation are not mixed', async () => {
  using stage = new Stage()
  stage.core.start()
  const asker = stage.asker()
  const { epoch } = await asker.hello()
  const reserved = (count: number) =>
    Array.from({ length: count }, (_, i) => {
      const one = Buffer.alloc(4)
      one.writeUInt32BE(0x0a000000 + 2 * i)
      return { first: one, last: one }
    })
  const subnets = [{ id: 1, prefix: address(0), prefixLength: 8 }]
  stage.core.setConfig({ subnets, reserved: reserved(50_000) })
  const whole = await asker.ask({ config: {} }, epoch)
  assert.equal(whole.error?.code, 'BAD_REQUEST')
  assert.match(whole.error!.text, /has 3 pages/)
  const first = (await asker.ask({ config: { page: 1 } }, epoch)).config!
  assert.deepEqual([first.page, first.pages, first.generation, first.subnets.length], [1, 3, 1, 1])
  const pages = [first]
  for (const page of [2, 3]) pages.push((await asker.ask({ config: { page, generation: 1 } }, epoch)).config!)
  const told = pages.flatMap((page) => page.reserved)
  assert.deepEqual(
    told.map(({ first: octets }) => octets.readUInt32BE()),
    Array.from({ length: 50_000 }, (_, i) => 0x0a000000 + 2 * i),
  )
  const beyond = await asker.ask({ config: { page: 4, generation: 1 } }, epoch)
  assert.match(beyond.error!.text, /page 4 of 3/)
  stage.core.setConfig({ subnets, reserved: reserved(30_000) })
  const anew = (await asker.ask({ config: { page: 3, generation: 1 } }, epoch)).config!
  assert.deepEqual([anew.page, anew.pages, anew.generation], [1, 2, 2])
})

test('reports stand in the status, and their problems in the log, once and cleaned', async () => {
  using stage = new Stage()
  stage.core.start()
  const asker = stage.asker()
  const { epoch } = await asker.hello()
  const report = {
    follower: 'sidecar 1',
    state: 'following',
    appliedSeq: 5,
    bindings: 6,
    requestors: 7,
    problems: [{ parameter: 'tls.cert-file', text: `no such file\nFORGED ${'x'.repeat(1000)}` }],
  }
  for (let n = 0; n < 3; n++) assert.ok((await asker.ask({ report }, epoch)).report)
  const row = stage.core.status().followers.find(({ follower }) => follower === 'sidecar 1')
  assert.deepEqual([row?.state, row?.appliedSeq, row?.bindings, row?.requestors], ['following', 5, 6, 7])
  assert.ok(row!.problems[0]!.text.startsWith('no such file?FORGED'))
  assert.equal(row!.problems[0]!.text.length, 512)
  const lines = stage.core.takeLog().filter(({ id }) => id === 'LEASE_FEED_FOLLOWER_PROBLEM')
  assert.equal(lines.length, 1)
  assert.match(lines[0]!.text, /parameter 'tls.cert-file'/)
  await asker.ask({ report: { ...report, problems: [] } }, epoch)
  assert.ok(stage.core.takeLog().some(({ id }) => id === 'LEASE_FEED_FOLLOWER_WELL'))
  for (let n = 0; n < 100; n++) await asker.ask({ report: { ...report, follower: `liar ${n}` } }, epoch)
  assert.equal(stage.core.status().followers.length, 16)
  assert.ok(stage.core.takeLog().filter(({ id }) => id === 'LEASE_FEED_FOLLOWER_PROBLEM').length <= 30)
})

test('hostile requests get words or nothing, and the feed goes on', async () => {
  using stage = new Stage()
  stage.core.start()
  const asker = stage.asker()
  const { epoch } = await asker.hello()
  const hostile = new Dealer({ linger: 0, receiveTimeout: 20_000 })
  try {
    hostile.connect(`${stage.endpoint}-sync`)
    for (let n = 0; n < 300; n++) {
      await hostile.send(Buffer.from(Array.from({ length: n }, (_, i) => (i * 37 + n * 101) & 0xff)))
    }
    await hostile.send([Buffer.from('a'), Buffer.from('b'), Buffer.from('c')])
    await hostile.send(Buffer.from('0805', 'hex')) // an id, and nothing else
    for (;;) {
      const [frame] = await hostile.receive()
      const reply = contractType('Reply').toObject(contractType('Reply').decode(frame!), {
        longs: Number,
        enums: String,
      })
      assert.equal(reply['error']?.code, 'BAD_REQUEST')
      assert.ok(reply['error'].text.length > 0)
      if (reply['id'] === 5) break
    }
    const long = await asker.ask({ page: { walk: 1, after: Buffer.alloc(16) } }, epoch)
    assert.equal(long.error?.code, 'BAD_REQUEST')
    assert.match(long.error.text, /16 octets/)
    // A request longer than any can be: ZeroMQ ends that connection, and only that one.
    await hostile.send(Buffer.alloc(100_000))
    assert.ok((await asker.hello()).hello)
    assert.ok(stage.core.status().badRequests >= 300)
    assert.equal(stage.core.takeLog().filter(({ id }) => id === 'LEASE_FEED_BAD_REQUEST').length, 1)
  } finally {
    hostile.close()
  }
})

test('a REQ socket is answered too', async () => {
  using stage = new Stage()
  stage.core.start()
  const socket = new RequestSocket({ linger: 0, receiveTimeout: 20_000 })
  try {
    socket.connect(`${stage.endpoint}-sync`)
    await socket.send(encodeRequest({ id: 3, hello: { contractMajor: 1, follower: 'by hand' } }))
    const [frame] = await socket.receive()
    const reply = contractType('Reply').toObject(contractType('Reply').decode(frame!), { longs: Number })
    assert.equal(reply['id'], 3)
    assert.equal(reply['hello']?.contractMajor, 1)
  } finally {
    socket.close()
  }
})
