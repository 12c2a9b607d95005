// What a peer may cost: each limit with what happens beyond it, and the line that says so.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { LineLimits } from '../../sidecar/line-limits.ts'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { startFrame } from '../../sidecar/requestor/start-tls.ts'
import { ACCEPTED, AcceptRate, Bucket } from '../../sidecar/server/accept-rate.ts'
import { MAX_UNSECURED, MAX_UNSECURED_OF_ONE } from '../../sidecar/server/admission.ts'
import { ConnectionScans, QUERIES } from '../../sidecar/server/connection-scans.ts'
import { Refusals } from '../../sidecar/server/refusals.ts'
import { Turns } from '../../sidecar/server/turns.ts'
import { dialect4 } from '../../sidecar/session/dialect4.ts'
import { Session } from '../../sidecar/session/session.ts'
import { Authority } from '../support/certificates.ts'
import { TestService } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'

const authority = new Authority()
after(() => authority[Symbol.dispose]())
const server = authority.issue()
const client = authority.issue({ names: 'DNS:bng1.example.net', purpose: 'clientAuth' })
const secure = {
  requesters: [{ certificate: 'bng1.example.net' }],
  tls: {
    mode: 'required',
    'trust-anchor': authority.certFile,
    'cert-file': server.certFile,
    'key-file': server.keyFile,
  },
}
const own = { ca: authority.cert, cert: client.cert, key: client.key }

function peer(port: number, localAddress: string): Socket {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  socket.on('error', () => {})
  socket.resume()
  return socket
}

test('a bucket gives its burst at once, then so many a second', () => {
  const bucket = new Bucket({ perSecond: 10, burst: 3 })
  assert.deepEqual(
    [0, 0, 0, 0, 50, 100, 100, 10_000, 10_000, 10_000, 10_000].map((now) => bucket.take(now)),
    [true, true, true, false, false, true, false, true, true, true, false],
  )
})

test('strangers share a rate, each has one of its own; whoever has proved itself is not held up by them', () => {
  const rate = new AcceptRate()
  const many = (address: string, count: number) =>
    Array.from({ length: count }, () => rate.take(address, false, 0)).filter((reason) => reason === undefined)
      .length
  assert.equal(many('192.0.2.1', 1000), ACCEPTED.stranger.burst)
  let taken = 0
  for (let i = 0; i < 5_000; i++) taken += many(`2001:db8::${i.toString(16)}`, 1)
  assert.equal(taken, ACCEPTED.strangers.burst - ACCEPTED.stranger.burst)
  assert.match(rate.take('192.0.2.9', false, 0)!, /100 connections a second come in/)
  rate.proved('192.0.2.9')
  assert.equal(rate.take('192.0.2.9', false, 0), undefined)
})

test('connections that wait for TLS are bounded for each address, and in all: the oldest of whoever has most makes room', async () => {
  await using service = new TestService(4).walked().configure(secure)
  const port = await service.port()
  const ofOne = Array.from({ length: MAX_UNSECURED_OF_ONE + 4 }, () => peer(port, '127.0.0.2'))
  await waitFor('those beyond to be refused', () => service.logged('requestor.rejected').length === 4)
  assert.match(String(service.logged('requestor.rejected')[0]?.['reason']), /16 connections from there/)
  const others = Array.from({ length: MAX_UNSECURED - MAX_UNSECURED_OF_ONE }, (_, i) =>
    peer(port, `127.0.1.${i + 1}`),
  )
  await waitFor('all places to be taken', () => service.service.connections === MAX_UNSECURED)
  const requestor = await service.connect({ tls: own })
  await requestor.until(({ type }) => type === 'accepted')
  assert.equal(service.service.connections, MAX_UNSECURED)
  assert.match(String(service.logged('requestor.unsecured')[0]?.['reason']), /made room/)
  assert.equal(service.logged('requestor.unsecured')[0]?.['requestor'], '127.0.0.2')
  for (const socket of [...ofOne, ...others]) socket.destroy()
})

test('a handshake that is not finished in time ends its connection (RFC 7724 section 8.1)', async () => {
  await using service = new TestService(4, {
    createSession: (settings, moment) =>
      new Session(dialect4, { ...settings, limits: { ...settings.limits, tlsSeconds: 1 } }, moment),
  })
    .walked()
    .configure(secure)
  const socket = peer(await service.port(), '127.0.0.1')
  socket.write(startFrame(4, 1))
  // The beginning of a record that never comes.
  socket.once('data', () => socket.write(Buffer.of(0x16, 3, 1, 0x01, 0x00)))
  await once(socket, 'close')
  const line = await waitFor('the line', () => service.logged('requestor.unsecured')[0])
  assert.match(String(line['reason']), /no TLS within 1 s/)
})

test('half a query ends its connection after max-requester-idle-time, however it drips', async () => {
  await using service = new TestService(4)
    .walked()
    .configure({ advanced: { 'active-query-enabled': true, 'max-requester-idle-time': 2 } })
  const socket = peer(await service.port(), '127.0.0.1')
  const query = encodeActiveQuery({ family: 4, xid: 7 })
  let at = 0
  const timer = setInterval(() => socket.write(query.subarray(at, ++at)), 200)
  await once(socket, 'close')
  clearInterval(timer)
  const line = await waitFor('the line', () => service.logged('requestor.closed')[0])
  assert.match(String(line['reason']), /^idle/)
})

test('where all connections are taken, an idle one of whoever has most makes room for who has none', async () => {
  await using service = new TestService(4).walked().configure({
    requesters: ['127.0.0.1', '127.0.0.2', '127.0.0.3'],
    advanced: { 'active-query-enabled': true, 'max-requester-connections': 4 },
  })
  const port = await service.port()
  const busy = await service.connect({ localAddress: '127.0.0.1' })
  await busy.until(({ type }) => type === 'accepted')
  const idle = [peer(port, '127.0.0.1'), peer(port, '127.0.0.1')]
  await waitFor('three', () => service.service.connections === 3)
  const second = await service.connect({ localAddress: '127.0.0.2' })
  await second.until(({ type }) => type === 'accepted')
  const third = await service.connect({ localAddress: '127.0.0.3' })
  await third.until(({ type }) => type === 'accepted')
  assert.equal(service.service.connections, 4)
  assert.match(String(service.logged('requestor.closed')[0]?.['reason']), /made room for another requestor/)
  service.put('192.0.2.7')
  await busy.until(({ type }) => type === 'binding')
  for (const socket of idle) socket.destroy()
})

test('Bulk queries begun without end on one connection wait, and are begun all the same', async () => {
  let opened = 0
  const scans = new ConnectionScans({
    turns: new Turns(),
    alive: () => true,
    guarded: (work) => work(),
    openBulk: () => {
      opened++
      return { refused: 'nothing is looked for here' }
    },
    tell: () => {},
  })
  const query = {
    selector: { by: 'all' },
    window: undefined,
    configured: false,
    departures: false,
    pen: undefined,
    where: () => true,
  } as const
  const began = performance.now()
  const more = 100
  for (let scan = 0; scan < QUERIES.burst + more; scan++) scans.open(scan, query)
  await waitFor('all to be begun', () => opened === QUERIES.burst + more)
  const least = (1000 * more) / QUERIES.perSecond - 50
  assert.ok(performance.now() - began >= least, `${performance.now() - began} ms`)
})

test('lines of one requestor do not hide those of another, and what was left out is counted', () => {
  const limits = new LineLimits()
  const written: string[] = []
  const line = (event: string, of: 'all' | 'requestor', requestor: string) =>
    limits.run(event, { lines: 2, of }, requestor, (suppressed) =>
      written.push(`${event} ${requestor} ${suppressed}`),
    )
  for (let i = 0; i < 5; i++) line('a', 'requestor', 'one')
  line('a', 'requestor', 'two')
  for (const who of ['one', 'two', 'three']) line('b', 'all', who)
  assert.deepEqual(written, ['a one 0', 'a one 0', 'a two 0', 'b one 0', 'b two 0'])
})

test('the status tells of few refused requestors, steadily, and forgets them', () => {
  const refusals = new Refusals()
  for (let i = 0; i < 100; i++) refusals.note(`192.0.2.${i}`, 'it is not among the requesters', i)
  const texts = () => refusals.problems(1_000).map(({ text }) => text)
  assert.equal(texts().length, 5)
  assert.match(texts()[0]!, /^requestor 192\.0\.2\.0 was refused: it is not/)
  refusals.note('198.51.100.1', 'it shows no certificate', 70_000)
  assert.ok(refusals.problems(70_000).some(({ text }) => text.includes('198.51.100.1')))
  assert.deepEqual(refusals.problems(800_000), [])
})

test('each query has a line at its end that says who asked, what came of it and how much was told', async () => {
  await using service = new TestService(4)
    .walked()
    .configure({ ...secure, advanced: { 'active-query-enabled': true, 'bulk-query-enabled': true } })
  service.put('192.0.2.7')
  const requestor = await service.connect({ tls: own, since: service.now })
  await requestor.until(({ type }) => type === 'catch-up-complete')
  requestor.close()
  const bulk = await service.bulk({ tls: own })
  await bulk.fetch({
    by: 'hardware-address',
    hardwareType: 1,
    hardwareAddress: Uint8Array.of(2, 0, 0x5e, 0, 2, 7),
  })
  const closed = await waitFor('the end of the active query', () => service.logged('query.closed')[0])
  const done = await waitFor('that of the Bulk query', () => service.logged('query.done')[0])
  for (const line of [closed, done]) {
    assert.equal(line['requestor'], '127.0.0.1')
    assert.match(String(line['peer']), /bng1\.example\.net/)
  }
  assert.equal(closed['query'], 'active')
  assert.ok(Number(closed['messages']) >= 2)
  assert.equal(done['count'], 1)
  const started = service.logged('query.started').length
  const ended = ['query.done', 'query.refused', 'query.terminated', 'query.closed'].flatMap((event) =>
    service.logged(event),
  )
  assert.equal(ended.length, started)
})
