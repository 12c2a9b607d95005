import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { BindingState, type Family } from '../../sidecar/binding.ts'
import { codeOf } from '../../sidecar/errors.ts'
import { FoldedBindings } from '../../sidecar/requestor/active-requestor.ts'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { dialect4 } from '../../sidecar/session/dialect4.ts'
import { Session } from '../../sidecar/session/session.ts'
import { binding, TestService } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'

const families: readonly Family[] = [4, 6]
const address = (family: Family, n: number) =>
  family === 4 ? `192.0.${n >> 8}.${n & 255}` : `2001:db8::${n.toString(16)}`

async function rejected(connecting: Promise<{ next(): Promise<unknown> }>): Promise<string> {
  try {
    const requestor = await connecting
    for (let event = await requestor.next(); event !== undefined; event = await requestor.next());
    return 'ended in order'
  } catch (error) {
    return codeOf(error)
  }
}

for (const family of families) {
  test(`DHCPv${family}: a change is told to a requestor that follows`, async () => {
    await using service = new TestService(family).walked().configure()
    const requestor = await service.connect()
    await requestor.until((event) => event.type === 'accepted')
    service.put(address(family, 7))
    const fold = new FoldedBindings()
    const event = await requestor.until((event) => event.type === 'binding', fold)
    assert.ok(event.type === 'binding')
    assert.equal(event.binding.expires, service.now + 3600)
    assert.deepEqual([...fold.active.keys()], [address(family, 7)])
    assert.equal(requestor.resumePoint, service.now)
  })

  test(`DHCPv${family}: catch-up brings what changed since, CatchUpComplete ends it, then changes follow`, async () => {
    await using service = new TestService(family).walked().configure()
    for (let n = 1; n <= 1500; n++) service.put(address(family, n))
    service.now += 10
    for (let n = 1; n <= 1000; n++) service.put(address(family, n), { state: BindingState.released })
    const requestor = await service.connect({ since: service.now })
    const fold = new FoldedBindings()
    await requestor.until((event) => event.type === 'catch-up-complete', fold)
    assert.equal(fold.told, 1000)
    assert.equal(fold.active.size, 0)
    service.put(address(family, 1))
    await requestor.until((event) => event.type === 'binding', fold)
    assert.equal(fold.active.size, 1)
  })

  test(`DHCPv${family}: reconnecting with the resume point brings what was missed`, async () => {
    await using service = new TestService(family).walked().configure()
    const fold = new FoldedBindings()
    const first = await service.connect({ since: service.now })
    for (let n = 1; n <= 50; n++) service.put(address(family, n))
    await first.until(() => fold.active.size === 50, fold)
    const { resumePoint } = first
    first.close()
    service.now += 100
    service.put(address(family, 1), { state: BindingState.expired })
    service.put(address(family, 60))
    const second = await service.connect({ since: resumePoint })
    await second.until((event) => event.type === 'catch-up-complete', fold)
    assert.equal(fold.active.size, 50)
    assert.equal(fold.active.has(address(family, 1)), false)
  })

  test(`DHCPv${family}: start times get DataMissing before the first walk and below the horizon`, async () => {
    await using service = new TestService(family).configure()
    const missing = async (since: number) => {
      const requestor = await service.connect({ since })
      const event = await requestor.until(
        ({ type }) => type === 'data-missing' || type === 'catch-up-complete',
      )
      requestor.close()
      return event.type === 'data-missing'
    }
    assert.equal(await missing(service.now), true, 'no walk yet')
    service.walked()
    assert.equal(await missing(service.now), false)
    assert.equal(await missing(service.now - 1), true, 'below the horizon')
  })

  test(`DHCPv${family}: after a crash a start time waits for the proof that nothing was lost`, async () => {
    await using service = new TestService(family).walked().configure()
    service.trusted = false
    const requestor = await service.connect({ since: service.now })
    const answer = requestor.next()
    const first = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300, 'nothing'))])
    assert.equal(first, 'nothing')
    service.trusted = true
    await answer
    await requestor.until(({ type }) => type === 'catch-up-complete')
  })

  test(`DHCPv${family}: a stop tells Active requestors QueryTerminated with a base-time`, async () => {
    const service = new TestService(family).walked().configure()
    const requestor = await service.connect()
    await requestor.until((event) => event.type === 'accepted')
    const stopped = service.service.stop()
    const event = await requestor.until(({ type }) => type === 'terminated').catch((error: Error) => error)
    assert.ok(!(event instanceof Error) && event.type === 'terminated', String(event))
    assert.equal(event.status, 'QueryTerminated')
    assert.equal(event.baseTime, service.now)
    await stopped
    await service.close()
  })
}

test('who is not among the requesters is closed at once, with a line that names the reason', async () => {
  await using service = new TestService(4).walked().configure({ requesters: ['192.0.2.1'] })
  assert.equal(await rejected(service.connect()), 'ALQ_SERVER_CLOSED')
  const [line] = service.logged('requestor.rejected')
  assert.equal(line?.['requestor'], '127.0.0.1')
  assert.match(String(line?.['reason']), /not among the requesters/)
})

test('lines about refused connections are limited, and the rest is counted', async () => {
  await using service = new TestService(4).walked().configure({ requesters: ['192.0.2.1'] })
  for (let i = 0; i < 25; i++) await rejected(service.connect())
  assert.ok(service.logged('requestor.rejected').length <= 10)
})

test('RFC 7724 section 8.1: connections over the limit are closed at once', async () => {
  await using service = new TestService(4).walked().configure({
    requesters: ['127.0.0.1'],
    advanced: { 'active-query-enabled': true, 'max-requester-connections': 2 },
  })
  for (let i = 0; i < 2; i++) {
    const requestor = await service.connect()
    await requestor.until((event) => event.type === 'accepted')
  }
  assert.equal(await rejected(service.connect()), 'ALQ_SERVER_CLOSED')
  assert.match(String(service.logged('requestor.rejected')[0]?.['reason']), /all 2 connections are taken/)
})

test('one requestor alone does not take the last free connection where others are configured', async () => {
  await using service = new TestService(4).walked().configure({
    requesters: ['127.0.0.1', '127.0.0.2'],
    advanced: { 'active-query-enabled': true, 'max-requester-connections': 2 },
  })
  const first = await service.connect()
  await first.until((event) => event.type === 'accepted')
  assert.equal(await rejected(service.connect()), 'ALQ_SERVER_CLOSED')
  const other = await service.connect({ localAddress: '127.0.0.2' })
  await other.until((event) => event.type === 'accepted')
})

test('an entry limits its own connections', async () => {
  await using service = new TestService(4)
    .walked()
    .configure({ requesters: [{ address: '127.0.0.0/8', 'max-connections': 1 }] })
  const first = await service.connect()
  await first.until((event) => event.type === 'accepted')
  assert.equal(await rejected(service.connect({ localAddress: '127.0.0.2' })), 'ALQ_SERVER_CLOSED')
})

test('an entry without "active" is refused an active query', async () => {
  await using service = new TestService(4)
    .walked()
    .configure({ requesters: [{ address: '127.0.0.1', queries: ['bulk'] }] })
  const requestor = await service.connect()
  const event = await requestor.until(({ type }) => type === 'terminated')
  assert.ok(event.type === 'terminated' && event.refused && event.status === 'NotAllowed')
})

test('--require-tls is not weakened by tls.mode off: TLS stays required, and the sentence says so', async () => {
  await using service = new TestService(4, { requireTls: true }).walked().configure()
  assert.match(service.service.problems[0]!.text, /--require-tls/)
  assert.equal(await rejected(service.connect()), 'ALQ_SERVER_CLOSED')
  await waitFor('the line', () => service.logged('requestor.misbehaved').length === 1)
})

test('nothing listens while both services are off', async () => {
  await using service = new TestService(4).walked().configure({ advanced: {} })
  assert.deepEqual(service.service.places, [])
  assert.deepEqual(service.service.problems, [])
})

test('new parameters apply without a restart: the listener stays, who lost permission is told and closed', async () => {
  await using service = new TestService(4).walked().configure({ requesters: ['127.0.0.1', '127.0.0.2'] })
  const port = await service.port()
  const stays = await service.connect()
  await stays.until((event) => event.type === 'accepted')
  const goes = await service.connect({ localAddress: '127.0.0.2' })
  await goes.until((event) => event.type === 'accepted')
  service.configure({ requesters: ['127.0.0.1'] })
  const event = await goes.until(({ type }) => type === 'terminated')
  assert.ok(event.type === 'terminated' && event.status === 'QueryTerminated')
  assert.equal(await service.port(), port)
  service.put('192.0.2.7')
  await stays.until((event) => event.type === 'binding')
})

test('a widened view does not resume, also after a restart and over a while without any entry', async () => {
  const narrow = { requesters: [{ address: '127.0.0.1', subnets: [1], 'remote-ids': ['0a'] }] }
  const first = new TestService(4).walked().configure(narrow)
  const seen = first.now
  first.now += 10
  first.configure({ requesters: ['127.0.0.2'] })
  const { folder } = first
  await first.service.stop()
  await using second = new TestService(4, { folder }).walked()
  second.now = seen + 20
  second.service.restore()
  second.configure({ requesters: ['127.0.0.1'] })
  const again = await second.connect({ since: seen })
  await again.until((event) => event.type === 'data-missing')
  const later = await second.connect({ since: second.now })
  await later.until((event) => event.type === 'catch-up-complete')
})

test('other entries that change leave a narrow one alone: it resumes, and so do wide ones behind it', async () => {
  const narrow = { certificate: 'bng1.example.net', subnets: [1] }
  await using service = new TestService(4).walked().configure({ requesters: [narrow, '127.0.0.1'] })
  const seen = service.now
  service.now += 10
  service.configure({ requesters: [narrow, '127.0.0.1', '127.0.0.3'] })
  const again = await service.connect({ since: seen })
  await again.until((event) => event.type === 'catch-up-complete')
})

test('a sidecar that does not know what it showed before answers older start times with DataMissing', async () => {
  await using service = new TestService(4).walked()
  service.now += 10
  service.service.restore()
  service.configure()
  const again = await service.connect({ since: service.now - 1 })
  await again.until((event) => event.type === 'data-missing')
})

test('a widened view does not resume: older start times get DataMissing', async () => {
  await using service = new TestService(4)
    .walked()
    .configure({ requesters: [{ address: '127.0.0.1', 'relay-ids': ['0a'] }] })
  const before = service.now
  const requestor = await service.connect({ since: before })
  await requestor.until((event) => event.type === 'catch-up-complete')
  service.now += 10
  service.configure({ requesters: ['127.0.0.1'] })
  await requestor.until((event) => event.type === 'terminated')
  const again = await service.connect({ since: requestor.resumePoint })
  await again.until((event) => event.type === 'data-missing')
  service.now += 10
  const later = await service.connect({ since: service.now })
  await later.until((event) => event.type === 'catch-up-complete')
})

test('bad parameters keep the old ones in force and become a problem that names them', async () => {
  await using service = new TestService(4).walked().configure()
  const requestor = await service.connect()
  await requestor.until((event) => event.type === 'accepted')
  service.configure({ requesters: ['nonsense'] })
  assert.equal(service.service.problems[0]?.parameter, 'requesters[0]')
  assert.equal(service.logged('config.rejected').length, 1)
  service.put('192.0.2.7')
  await requestor.until((event) => event.type === 'binding')
  service.configure()
  assert.deepEqual(service.service.problems, [])
})

test('parameters accepted last are served under after a restart without Kea', async () => {
  const first = new TestService(4).walked().configure()
  await first.port()
  await first.service.stop()
  await using second = new TestService(4, { folder: first.folder }).walked()
  second.service.restore()
  const requestor = await second.connect()
  await requestor.until((event) => event.type === 'accepted')
  assert.equal(second.logged('config.applied')[0]?.['source'], 'store')
})

test('without any accepted parameters nothing is served', async () => {
  await using service = new TestService(4).walked()
  service.service.restore()
  assert.deepEqual(service.service.places, [])
})

test('an address that cannot be listened on is a problem, and tried again', async () => {
  await using service = new TestService(4, { listen: [{ address: '192.0.2.1', port: 0 }] })
    .walked()
    .configure()
  await waitFor('the problem', () => service.service.problems.length === 1)
  assert.match(service.service.problems[0]!.text, /cannot listen on 192.0.2.1/)
  assert.equal(service.logged('listener.failed').length, 1)
})

test('relay data that is sent unasked from now on widens the view: older start times get DataMissing', async () => {
  await using service = new TestService(4).walked().configure({ requesters: [{ address: '127.0.0.1' }] })
  const requestor = await service.connect({ since: service.now })
  await requestor.until((event) => event.type === 'catch-up-complete')
  service.now += 10
  service.configure({ requesters: [{ address: '127.0.0.1', 'relay-data-always': true }] })
  await requestor.until((event) => event.type === 'terminated')
  const again = await service.connect({ since: requestor.resumePoint })
  await again.until((event) => event.type === 'data-missing')
})

test('a requestor that lags too far is ended with a line, and comes back where it was', async () => {
  await using service = new TestService(4)
    .walked()
    .configure({ advanced: { 'active-query-enabled': true, 'active-query-max-lag': 60 } })
  const count = 20_000
  const requestor = await service.connect({ since: service.now })
  const fold = new FoldedBindings()
  await requestor.until((event) => event.type === 'catch-up-complete', fold)
  // A hundred slices: when the first is there, most are not.
  for (let i = 0; i < count; i++) service.put(`10.0.${i >> 8}.${i & 255}`)
  await requestor.until((event) => event.type === 'binding', fold)
  service.now += 61
  service.put('192.0.2.1')
  const event = await requestor.until(({ type }) => type === 'terminated', fold)
  assert.ok(event.type === 'terminated' && event.status === 'QueryTerminated')
  assert.ok(fold.told < count)
  const line = service.logged('query.terminated').at(-1)
  assert.match(String(line?.['reason']), /lags 61 s behind the changes, over the 60 s allowed/)
  const again = await service.connect({ since: requestor.resumePoint })
  await again.until(({ type }) => type === 'catch-up-complete', fold)
  assert.equal(fold.active.size, count + 1)
})

test('a silent feed ends Active queries and refuses new ones until it is back', async () => {
  await using service = new TestService(4)
    .walked()
    .configure({ advanced: { 'active-query-enabled': true, 'max-feed-silence': 120 } })
  const requestor = await service.connect()
  await requestor.until((event) => event.type === 'accepted')
  service.service.checkSilence(119_999)
  assert.equal(service.logged('active.suspended').length, 0)
  service.service.checkSilence(120_000)
  const event = await requestor.until(({ type }) => type === 'terminated')
  assert.ok(event.type === 'terminated' && event.status === 'QueryTerminated')
  const refused = await service.connect({ since: service.now })
  const answer = await refused.until(({ type }) => type === 'terminated')
  assert.ok(answer.type === 'terminated' && answer.refused && answer.status === 'QueryTerminated')
  service.service.checkSilence(0)
  const again = await service.connect({ since: service.now })
  await again.until(({ type }) => type === 'catch-up-complete')
  assert.equal(service.logged('active.resumed').length, 1)
})

test('a session that fails ends its own connection only', async () => {
  let sessions = 0
  const failing = {
    handle(): never {
      throw new RangeError('a bug')
    },
    deadline: () => undefined,
    phase: 'expecting' as const,
    activeProgress: () => undefined,
  }
  await using service = new TestService(4, {
    createSession: (settings, moment) =>
      ++sessions === 2 ? failing : new Session(dialect4, settings, moment),
  })
    .walked()
    .configure()
  const first = await service.connect()
  await first.until(({ type }) => type === 'accepted')
  assert.equal(await rejected(service.connect()), 'ALQ_SERVER_CLOSED')
  assert.match(String(service.logged('requestor.failed')[0]?.['stack']), /RangeError: a bug/)
  service.put('192.0.2.7')
  await first.until(({ type }) => type === 'binding')
})

test('a requestor that catches up does not hold up one that follows', async () => {
  await using service = new TestService(4).walked().configure()
  for (let i = 0; i < 30_000; i++) {
    service.memory.put(binding(`10.0.${i >> 8}.${i & 255}`, service.now), service.now)
  }
  const follows = await service.connect()
  await follows.until(({ type }) => type === 'accepted')
  const catchesUp = await service.connect({ since: service.now })
  const fold = new FoldedBindings()
  await catchesUp.until(({ type }) => type === 'binding', fold)
  service.put('192.0.2.7')
  let caughtUp = false
  const all = catchesUp
    .until(({ type }) => type === 'catch-up-complete', fold)
    .then(() => {
      caughtUp = true
    })
  await follows.until(({ type }) => type === 'binding')
  assert.equal(caughtUp, false)
  await all
  assert.equal(fold.active.size, 30_000)
})

// ---- sockets

async function rawQuery(service: TestService, since?: number): Promise<Socket> {
  const socket = connect({ port: await service.port(), host: '127.0.0.1', allowHalfOpen: true })
  await once(socket, 'connect')
  socket.write(encodeActiveQuery({ family: 4, xid: 7, since }))
  return socket
}

test('a requestor that stops reading holds a bounded number of octets, and loses nothing', async () => {
  await using service = new TestService(4).walked().configure()
  const total = 40_000
  const fold = new FoldedBindings()
  const requestor = await service.connect({ since: service.now })
  await requestor.until((event) => event.type === 'catch-up-complete', fold)
  requestor.hold()
  const memoryBefore = process.memoryUsage().arrayBuffers
  const addresses = Array.from({ length: total }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
  // More than what the kernel buffers of both sides take: 40,000 messages of about 300 octets.
  for (let round = 0; round < 4; round++) {
    service.now++
    for (const address of addresses) service.memory.put(binding(address, service.now), service.now)
    service.service.indexGrew()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const grown = process.memoryUsage().arrayBuffers - memoryBefore
  assert.ok(grown < 256 * 1024 * 1024, `${grown} octets`)
  requestor.release()
  await requestor.until(() => fold.active.size === total && requestor.resumePoint === service.now, fold)
  assert.ok(fold.told <= 4 * total)
})

test('RFC 7724 section 8.4: a requestor that closes its end of an active query is closed', async () => {
  await using service = new TestService(4).walked().configure()
  const socket = await rawQuery(service)
  await once(socket, 'data')
  socket.end()
  socket.resume()
  await once(socket, 'close')
  await waitFor('the connection to be gone', () => service.service.connections === 0)
  assert.match(String(service.logged('requestor.closed')[0]?.['reason']), /^requestor-closed/)
})

test('RFC 7724 section 8.1.1: octets that are no query close the connection', async () => {
  await using service = new TestService(4).walked().configure()
  const socket = connect({ port: await service.port(), host: '127.0.0.1' })
  socket.on('error', () => {})
  socket.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'.repeat(2000)))
  await once(socket, 'close')
  await waitFor('the line', () => service.logged('requestor.misbehaved').length === 1)
})

test('a connection without a query is closed after max-requester-idle-time', async () => {
  await using service = new TestService(4)
    .walked()
    .configure({ advanced: { 'active-query-enabled': true, 'max-requester-idle-time': 1 } })
  const socket = connect({ port: await service.port(), host: '127.0.0.1' })
  socket.resume()
  await once(socket, 'close')
  const line = await waitFor('the line', () => service.logged('requestor.closed')[0])
  assert.match(String(line['reason']), /^idle/)
})

test('RFC 7724 section 8.2: a requestor that stays blocked is closed after the send time-out', async () => {
  await using service = new TestService(4)
    .walked()
    .configure({ advanced: { 'active-query-enabled': true, 'active-query-send-timeout': 1 } })
  for (let i = 0; i < 60_000; i++) {
    service.memory.put(binding(`10.0.${i >> 8}.${i & 255}`, service.now), service.now)
  }
  const socket = await rawQuery(service, service.now)
  socket.pause()
  socket.on('error', () => {})
  await waitFor('the connection to be closed', () => service.logged('requestor.closed').length === 1)
  assert.match(String(service.logged('requestor.closed')[0]?.['reason']), /^blocked/)
  socket.destroy()
})

test('a slow requestor that keeps reading a little is not taken for blocked', async () => {
  await using service = new TestService(4)
    .walked()
    .configure({ advanced: { 'active-query-enabled': true, 'active-query-send-timeout': 3 } })
  for (let i = 0; i < 60_000; i++) {
    service.memory.put(binding(`10.0.${i >> 8}.${i & 255}`, service.now), service.now)
  }
  const socket = await rawQuery(service, service.now)
  let received = 0
  const until = performance.now() + 4000
  socket.on('data', (data) => {
    received += data.length
    socket.pause()
    if (performance.now() < until) setTimeout(() => socket.resume(), 20)
    else socket.resume()
  })
  await waitFor('all to arrive', () => received > 60_000 * 244)
  assert.equal(service.logged('requestor.closed').length, 0)
  socket.destroy()
})
