// TLS by tls-engine.node: that it is used, and what nobody well-meaning sends. What it has in common with Node's own is in
// tls.test.ts and certificates.test.ts, for both.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { after, describe, it } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import fc from 'fast-check'
import { encodeBulkQuery } from '../../sidecar/requestor/bulk-client.ts'
import { startFrame } from '../../sidecar/requestor/start-tls.ts'
import {
  availableTlsEngine,
  type ConnectionEngine,
  type EngineSettings,
  type Fed,
  misfit,
} from '../../sidecar/server/tls-engine.ts'
import { EngineStream } from '../../sidecar/server/tls-engine-stream.ts'
import { topologyOf } from '../../sidecar/server/topology.ts'
import { framesOf } from '../../sidecar/wire/framing.ts'
import { Authority } from '../support/certificates.ts'
import { openssl, StartedTls } from '../support/openssl.ts'
import { TestService } from '../support/requestor-service.ts'
import { tlsWays } from '../support/tls-ways.ts'
import { waitFor } from '../support/wait.ts'

const authority = new Authority()
after(() => authority[Symbol.dispose]())
const server = authority.issue()
const client = authority.issue({ names: 'DNS:bng1.example.net', purpose: 'clientAuth' })

const available = availableTlsEngine()
const engine = 'engine' in available ? available.engine : undefined!

const required = {
  advanced: { 'active-query-enabled': true, 'bulk-query-enabled': true },
  tls: {
    mode: 'required',
    'trust-anchor': authority.certFile,
    'cert-file': server.certFile,
    'key-file': server.keyFile,
  },
}
const own = { ca: authority.cert, cert: client.cert, key: client.key }

type Version = 'TLSv1.2' | 'TLSv1.3'

function accept(changed: Partial<EngineSettings> = {}): ConnectionEngine {
  const settings = {
    ca: [authority.cert],
    crl: [],
    cert: server.cert,
    key: server.key,
    minVersion: 0x0303,
    maxVersion: 0x0304,
    cipherSuites: 'TLS_AES_256_GCM_SHA384',
    ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384',
    options: 0,
    recordsPerKey: 2 ** 24,
    ...changed,
  }
  return new engine.Context(settings).accept()
}

/** The requestor's end: `sent` gets its octets, and says what comes back. */
function requestorOf(sent: (octets: Uint8Array) => Uint8Array | undefined, version: Version) {
  const socket = new Duplex({
    read() {},
    write(octets, _encoding, done) {
      const answer = sent(octets)
      if (answer !== undefined) this.push(answer)
      done()
    },
  })
  const tls = connect({ socket, ...own, maxVersion: version, checkServerIdentity: () => undefined })
  tls.on('error', () => {})
  return { socket, tls }
}

/** A connection that has asked for TLS and got the go-ahead. */
async function started(service: TestService): Promise<Socket> {
  const socket = connectTcp({ port: await service.port(), host: '127.0.0.1' })
  socket.on('error', () => {})
  socket.write(startFrame(4, 1))
  await once(socket, 'data')
  return socket
}

async function secured(service: TestService, more: { maxVersion?: 'TLSv1.2' } = {}): Promise<TLSSocket> {
  const tls = connect({
    socket: await started(service),
    ...own,
    ...more,
    checkServerIdentity: () => undefined,
  })
  tls.on('error', () => {})
  await once(tls, 'secureConnect')
  return tls
}

describe('tls-engine.node', () => {
  it('is used by the Node of this run, and the log says so', async () => {
    assert.deepEqual('missing' in available && available.missing, false)
    await using service = new TestService(4).walked().configure(required)
    assert.equal(service.logged('tls.engine').length, 1)
    service.configure({ ...required, requesters: ['127.0.0.1'] })
    assert.equal(service.logged('tls.engine').length, 1)
    await using six = new TestService(6).walked().configure(required)
    assert.equal(six.logged('tls.engine').length + six.logged('tls.slow').length, 0)
  })

  it('is left out where it does not fit, and the log says why', async () => {
    const [, without] = tlsWays
    await using service = new TestService(4, without.parts).walked().configure(required)
    assert.match(String(service.logged('tls.slow')[0]?.['reason']), /a test leaves it out/)
    const three = 'OpenSSL 3.0.19 27 Jan 2026'
    const five = 'OpenSSL 3.5.8 25 Aug 2026'
    assert.equal(misfit({ builtFor: three, running: three }, '3.0.19'), undefined)
    assert.equal(
      misfit({ builtFor: three, running: 'OpenSSL 3.0.19+quic 27 Jan 2026' }, '3.0.19+quic'),
      undefined,
    )
    assert.equal(misfit({ builtFor: three, running: five }, '3.5.8'), undefined)
    assert.match(misfit({ builtFor: three, running: three }, '4.0.0')!, /built for OpenSSL 3\.0\.19.*4\.0\.0/)
    assert.match(misfit({ builtFor: three, running: five }, '3.0.19')!, /calls OpenSSL 3\.5\.8/)
  })

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`whatever becomes of a handshake on its way, it ends or goes on; ${version}`, async () => {
      const flights = await recorded(version)
      assert.ok(flights.length >= 2)
      const change = fc.record({
        flight: fc.nat(flights.length - 1),
        at: fc.nat(5_000),
        octet: fc.nat(255),
        how: fc.constantFrom('replace', 'insert', 'cut', 'repeat'),
        piece: fc.integer({ min: 1, max: 3_000 }),
      })
      fc.assert(
        fc.property(change, ({ flight, at, octet, how, piece }) => {
          const one = accept()
          const octets = Buffer.concat(
            flights.map((original, n) =>
              n === flight ? changed(original, how, at % original.length, octet) : original,
            ),
          )
          let state = 'handshake'
          for (let from = 0; from < octets.length; from += piece) {
            const fed = one.feed(octets.subarray(from, from + piece))
            // What has failed stays so.
            assert.ok(state !== 'failed' || (fed.state === 'failed' && fed.toSend === undefined))
            state = fed.state
          }
          // Keys are new for each connection: nothing recorded from another can lead into this one.
          assert.notEqual(state, 'up')
          assert.throws(() => one.write(Buffer.of(0, 1, 1), Buffer.alloc(64)), /not up/)
          one.release()
        }),
        { numRuns: 200 },
      )
    })
  }

  it('noise and records without end are no handshake', () => {
    for (const octets of [
      Buffer.alloc(100_000, 'GET / HTTP/1.1\r\n\r\n'),
      Buffer.concat([Buffer.of(0x16, 3, 1, 0xff, 0xff), Buffer.alloc(70_000)]),
      Buffer.concat([Buffer.of(0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff), Buffer.alloc(70_000)]),
      // A fatal alert.
      Buffer.of(0x15, 3, 3, 0, 2, 2, 40),
    ]) {
      const one = accept()
      const { state, reason } = one.feed(octets)
      assert.equal(state, 'failed')
      assert.ok(reason)
      assert.equal(one.feed(octets).state, 'failed')
      one.release()
      assert.equal(one.feed(octets).state, 'failed')
      assert.equal(one.close().length, 0)
      assert.deepEqual(one.certificates(), [])
    }
  })

  it('a message that is cut off, or has no room, ends the connection instead of leaving a gap in it', async () => {
    for (const [frames, room, said] of [
      [Buffer.of(0, 1, 7, 0, 9, 7), 1000, /cut off/],
      [Buffer.of(0, 1, 7, 0), 1000, /cut off/],
      [Buffer.of(0, 1, 7, 0, 1, 7), 30, /no room/],
    ] as const) {
      const one = await up('TLSv1.3')
      assert.throws(() => one.engine.write(frames, Buffer.alloc(room)), said)
      assert.throws(() => one.engine.write(Buffer.of(0, 1, 7), Buffer.alloc(1000)), /not up/)
    }
  })

  it('RFC 8446 section 5.5: takes a new key after so many records; the requestor reads on', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const one = await up(version, { recordsPerKey: 10 })
      const received: Buffer[] = []
      one.tls.on('data', (octets) => received.push(octets))
      const frames = Buffer.concat(Array.from({ length: 95 }, (_, n) => Buffer.of(0, 1, n)))
      const room = Buffer.alloc(10_000)
      const ciphertext = room.subarray(0, one.engine.write(frames, room))
      // As often as TLS 1.2 needs one: it has none but with a whole handshake.
      assert.equal(recordsOf(ciphertext), version === 'TLSv1.3' ? 95 + 9 : 95)
      one.socket.push(Buffer.from(ciphertext))
      await waitFor('all of it', () => Buffer.concat(received).length === frames.length)
      assert.deepEqual(framesOf(Buffer.concat(received)), framesOf(frames))
    }
  })

  it('whoever makes TLS answer and takes no answers is let go', async () => {
    const { raw, ends, fault } = await fedOn({ state: 'up', toSend: Buffer.alloc(4_000) })
    assert.match(String(fault), /takes no answers/)
    assert.ok(raw.destroyed && raw.writableLength < 100_000)
    assert.deepEqual(ends, ['up'])
  })

  it('a handshake without end has one', async () => {
    const { ends, octets } = await fedOn({ state: 'handshake' })
    assert.deepEqual(ends, ['a handshake of over 262144 octets'])
    assert.ok(octets < 262_144 + 10_000)
  })

  it('RFC 7724 section 8.1: a requestor that goes away in the handshake leaves nothing behind', async () => {
    await using service = new TestService(4).walked().configure(required)
    const hello = (await recorded('TLSv1.3'))[0]!
    for (const octets of [Buffer.alloc(0), hello.subarray(0, 7), hello]) {
      for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
        const socket = await started(service)
        if (octets.length > 0) await new Promise((done) => socket.write(octets, done))
        socket.resume()
        socket[leave]()
      }
    }
    await waitFor('all to be gone', () => service.service.connections === 0)
    assert.equal(service.logged('requestor.unsecured').length, 9)
  })

  it('octets that no key was used for end the connection, and only that', async () => {
    await using service = new TestService(4).walked().configure(required)
    const stays = await service.connect({ tls: own })
    await stays.until(({ type }) => type === 'accepted')
    const raw = await started(service)
    const tls = connect({ socket: raw, ...own, checkServerIdentity: () => undefined })
    tls.on('error', () => {})
    await once(tls, 'secureConnect')
    await waitFor('the service to know it', () => service.logged('requestor.secured').length === 2)
    tls.resume()
    raw.write(Buffer.concat([Buffer.of(0x17, 3, 3, 0, 64), Buffer.alloc(64, 7)]))
    await once(raw, 'close')
    await waitFor('the line', () => service.logged('requestor.closed').length === 1)
    service.put('10.0.0.1')
    await stays.until(({ type }) => type === 'binding')
  })
})

/** Without tls-engine.node as well. */
for (const { way, parts } of tlsWays.filter(({ family }) => family === 4)) {
  describe(`inside TLS, ${way}`, () => {
    it('RFC 5460 section 6.6: a requestor that closes its end after the query gets the whole answer', async () => {
      await using service = new TestService(4, parts).walked().configure(required)
      service.service.setTopology(topologyOf([]))
      const count = 5_000
      for (let n = 0; n < count; n++) service.put(`10.0.${n >> 8}.${n & 255}`)
      const raw = await started(service)
      raw.allowHalfOpen = true
      // Over a socket it takes that from the socket.
      const tls = connect({ socket: raw, ...own, checkServerIdentity: () => undefined })
      const received: Buffer[] = []
      tls.on('data', (octets) => received.push(octets)).on('error', () => {})
      tls.end(encodeBulkQuery({ family: 4, xid: 1, select: { by: 'all' } }))
      await once(tls, 'end')
      // Each binding, and DHCPLEASEQUERYDONE.
      assert.equal(framesOf(Buffer.concat(received)).length, count + 1)
      tls.destroy()
      await waitFor('it to be gone', () => service.service.connections === 0)
    })

    it('RFC 9325 section 3.5: TLS 1.2 is not renegotiated', async () => {
      await using service = new TestService(4, parts).walked().configure(required)
      const tls = await secured(service, { maxVersion: 'TLSv1.2' })
      tls.renegotiate({}, () => {})
      const [fault] = (await once(tls, 'error')) as [Error]
      assert.match(String(fault), /no.renegotiation/i)
      tls.destroy()
      await waitFor('it to be gone', () => service.service.connections === 0)
    })

    it('RFC 8446 section 4.6.3: a requestor may ask for new keys', async () => {
      await using service = new TestService(4, parts).walked().configure(required)
      service.put('10.0.0.1')
      await using asking = await StartedTls.open(service)
      const { received } = await openssl(asking, { version: '1.3', own: client, query: true, keyUpdates: 5 })
      assert.ok(received.length > 0)
    })
  })
}

/** What a requestor sends in a handshake that comes about, flight by flight. */
async function recorded(version: Version): Promise<Buffer[]> {
  const { flights } = await up(version)
  return flights
}

/** A connection whose handshake is done, in memory. */
async function up(version: Version, changed: Partial<EngineSettings> = {}) {
  const one = accept(changed)
  const flights: Buffer[] = []
  let done = () => {}
  const isUp = new Promise<void>((resolve) => {
    done = resolve
  })
  const { socket, tls } = requestorOf((octets) => {
    flights.push(Buffer.from(octets))
    const { state, toSend } = one.feed(octets)
    if (state === 'up') done()
    return toSend
  }, version)
  await isUp
  if (!tls.authorized) await once(tls, 'secureConnect')
  return { engine: one, socket, tls, flights }
}

/** What becomes of a requestor that sends and reads nothing, where TLS always says the same to that. */
async function fedOn(said: Fed) {
  const engine: ConnectionEngine = {
    feed: () => said,
    write: () => 0,
    close: () => Buffer.alloc(0),
    certificates: () => [],
    release: () => {},
  }
  const raw = new Duplex({ read() {}, write() {} }) as unknown as Socket
  const ends: string[] = []
  const stream = new EngineStream(raw, engine, {
    up: () => ends.push('up'),
    failed: (reason) => ends.push(reason),
  })
  let fault: Error | undefined
  stream.on('error', (error) => {
    fault = error
  })
  const isOver = () => stream.destroyed || ends.some((end) => end !== 'up')
  let octets = 0
  for (; octets < 1_000_000 && !isOver(); octets += 10_000) {
    raw.push(Buffer.alloc(10_000))
    await new Promise(setImmediate)
  }
  stream.destroy()
  return { raw, ends, fault, octets }
}

function changed(original: Buffer, how: string, at: number, octet: number): Buffer {
  const [before, behind] = [original.subarray(0, at), original.subarray(at)]
  if (how === 'cut') return before
  if (how === 'repeat') return Buffer.concat([before, behind, behind])
  return Buffer.concat([before, Buffer.of(octet), how === 'insert' ? behind : behind.subarray(1)])
}

function recordsOf(ciphertext: Buffer): number {
  let count = 0
  for (let at = 0; at < ciphertext.length; count++) at += 5 + ciphertext.readUInt16BE(at + 3)
  return count
}
