import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { Family } from '../../sidecar/binding.ts'
import { FoldedBindings } from '../../sidecar/requestor/active-requestor.ts'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { type RequestorTls, startFrame } from '../../sidecar/requestor/start-tls.ts'
import { decodeMessage4 } from '../../sidecar/wire/v4/codec.ts'
import { decodeMessage6 } from '../../sidecar/wire/v6/codec.ts'
import { Authority, type Issued } from '../support/certificates.ts'
import { TestService } from '../support/requestor-service.ts'
import { tlsWays } from '../support/tls-ways.ts'
import { waitFor } from '../support/wait.ts'

const authority = new Authority()
const stranger = new Authority('another authority')
after(() => {
  authority[Symbol.dispose]()
  stranger[Symbol.dispose]()
})
const server = authority.issue()
const client = authority.issue({ names: 'DNS:bng1.example.net,IP:192.0.2.77', purpose: 'clientAuth' })

const files = (own: Issued = server) => ({
  mode: 'required',
  'trust-anchor': authority.certFile,
  'cert-file': own.certFile,
  'key-file': own.keyFile,
})
const tlsOf = ({ cert, key }: Issued, ca = authority.cert): RequestorTls => ({ ca, cert, key })
const bothQueries = { 'active-query-enabled': true, 'bulk-query-enabled': true }
const address = (family: Family, n: number) =>
  family === 4 ? `10.0.${n >> 8}.${n & 255}` : `2001:db8::${n.toString(16)}`

/** Octets that a raw connection gets until it is closed, after sending `octets`. */
async function answerTo(service: TestService, octets: Uint8Array): Promise<Buffer> {
  const host = service.family === 4 ? '127.0.0.1' : '::1'
  const socket = connect({ port: await service.port(), host })
  const parts: Buffer[] = []
  socket.on('data', (data) => parts.push(data)).on('error', () => {})
  socket.write(octets)
  await once(socket, 'close')
  return Buffer.concat(parts)
}

async function failure(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('it did not fail')
}

for (const { family, way, parts } of tlsWays) {
  const rfc = family === 4 ? 'RFC 7724 section 8.1' : 'RFC 7653 section 9.1'
  describe(`TLS, ${way} (${rfc})`, () => {
    it(`${family === 4 ? '7724-8.1-07 7724-8.1-02 6926-9-05' : '7653-9.1-07 7653-9.1-02'}: is begun on the same port; Active and Bulk Leasequery are served inside it`, async () => {
      await using service = new TestService(family, parts)
        .walked()
        .configure({ tls: files(), advanced: bothQueries })
      service.put(address(family, 1))
      const requestor = await service.connect({ tls: tlsOf(client), since: service.now })
      const fold = new FoldedBindings()
      await requestor.until(({ type }) => type === 'catch-up-complete', fold)
      service.put(address(family, 2))
      await requestor.until(({ type }) => type === 'binding', fold)
      assert.deepEqual([...fold.active.keys()], [address(family, 1), address(family, 2)])
      const bulk = await service.bulk({ tls: tlsOf(client) })
      const clientId = fold.active.get(address(family, 1))!.clientId
      const select =
        family === 4
          ? {
              by: 'hardware-address' as const,
              hardwareType: 1,
              hardwareAddress: Uint8Array.of(2, 0, 0x5e, 0, 0, 1),
            }
          : { by: 'client-id' as const, clientId }
      const { bindings, status } = await bulk.fetch(select)
      assert.equal(status, 'Success')
      assert.deepEqual(
        bindings.map((binding) => binding.address),
        [address(family, 1)],
      )
      assert.match(String(service.logged('requestor.secured')[0]?.['peer']), /bng1\.example\.net/)
      requestor.close()
      bulk.close()
      await waitFor('both to be gone', () => service.service.connections === 0)
    })

    it('serves nothing in clear text where TLS is required: the connection is closed', async () => {
      await using service = new TestService(family, parts).walked().configure({ tls: files() })
      assert.equal((await answerTo(service, encodeActiveQuery({ family, xid: 7 }))).length, 0)
    })

    it('closes where octets come behind the start of TLS, without a go-ahead', async () => {
      await using service = new TestService(family, parts).walked().configure({ tls: files() })
      const octets = Buffer.concat([startFrame(family, 1), encodeActiveQuery({ family, xid: 7 })])
      assert.equal((await answerTo(service, octets)).length, 0)
    })

    it(`${family === 4 ? '7724-8.1-16' : '7653-9.1-13'}: closes when the handshake fails`, async () => {
      await using service = new TestService(family, parts).walked().configure({ tls: files() })
      const host = family === 4 ? '127.0.0.1' : '::1'
      const socket = connect({ port: await service.port(), host })
      socket.on('error', () => {})
      socket.write(startFrame(family, 1))
      await once(socket, 'data')
      socket.resume()
      socket.write('no ClientHello at all, as long as a record header')
      await once(socket, 'close')
      await waitFor('the line', () => service.logged('requestor.unsecured').length === 1)
      await waitFor('the connection to be gone', () => service.service.connections === 0)
    })

    it('is refused with TLSConnectionRefused where tls.mode is off, and the requestor goes no further', async () => {
      await using service = new TestService(family, parts).walked().configure()
      const message = await failure(() => service.connect({ tls: tlsOf(client) }))
      assert.match(message, /TLSConnectionRefused/)
    })

    it(`${family === 4 ? '7724-8.1-11: ' : ''}gives the go-ahead whatever the load, and refuses behind it`, async () => {
      await using service = new TestService(family, parts)
        .walked()
        .configure({ tls: files(), advanced: { ...bothQueries, 'max-requester-connections': 1 } })
      const first = await service.connect({ tls: tlsOf(client) })
      await first.until(({ type }) => type === 'accepted')
      const host = family === 4 ? '127.0.0.1' : '::1'
      const socket = connect({ port: await service.port(), host })
      socket.write(startFrame(family, 1))
      const [answer] = (await once(socket, 'data')) as [Buffer]
      const frame = Uint8Array.from(answer.subarray(2))
      const { options } = family === 4 ? decodeMessage4(frame) : decodeMessage6(frame)
      assert.equal(options.status, undefined)
      socket.destroy()
      await failure(async () => (await service.connect({ tls: tlsOf(client) })).until(() => true))
      const line = await waitFor('the line', () =>
        service
          .logged('requestor.unsecured')
          .find(({ reason }) => /connections are taken/.test(String(reason))),
      )
      assert.ok(line)
      service.put(address(family, 1))
      await first.until(({ type }) => type === 'binding')
    })

    it('refuses a requestor that shows no certificate', async () => {
      await using service = new TestService(family, parts).walked().configure({ tls: files() })
      const none = { ca: authority.cert, cert: '', key: '' }
      await failure(async () => (await service.connect({ tls: none })).until(() => true))
      const line = await waitFor('the line', () => service.logged('requestor.unsecured')[0])
      assert.match(String(line['reason']), /shows no certificate/)
    })

    it('judges the certificate of the server: another authority, another name', async () => {
      await using service = new TestService(family, parts).walked().configure({ tls: files() })
      assert.match(await failure(() => service.connect({ tls: tlsOf(client, stranger.cert) })), /no TLS with/)
      const named = { ...tlsOf(client), servername: 'dhcp.example.net' }
      assert.match(await failure(() => service.connect({ tls: named })), /dhcp\.example\.net/)
    })

    it(`${family === 4 ? '7724-8.1-06' : '7653-9.1-06'}: finds the entry of a requestor by a name in its certificate; others of the authority are closed`, async () => {
      await using service = new TestService(family, parts).walked().configure({
        tls: files(),
        requesters: [{ certificate: 'bng1.example.net', queries: ['active'] }, { certificate: '192.0.2.99' }],
      })
      const requestor = await service.connect({ tls: tlsOf(client) })
      await requestor.until(({ type }) => type === 'accepted')
      const byAddress = await service.connect({ tls: tlsOf(authority.issue({ names: 'IP:192.0.2.99' })) })
      await byAddress.until(({ type }) => type === 'accepted')
      for (const names of ['DNS:bng2.example.net', 'DNS:*.example.net', 'IP:192.0.2.98']) {
        await failure(async () =>
          (await service.connect({ tls: tlsOf(authority.issue({ names })) })).until(() => true),
        )
      }
      await waitFor('the lines', () => service.logged('requestor.unsecured').length === 3)
      assert.match(String(service.logged('requestor.unsecured')[0]?.['reason']), /not among the requesters/)
      // A connection lives on where its entry does, and ends with it.
      service.configure({
        tls: files(),
        requesters: [{ certificate: 'bng1.example.net', queries: ['active'] }],
      })
      const ended = await byAddress.until(({ type }) => type === 'terminated')
      assert.ok(ended.type === 'terminated')
      service.put(address(family, 1))
      await requestor.until(({ type }) => type === 'binding')
    })

    it('loads new files on a reload without ending connections, and keeps the old ones where they are bad', async () => {
      await using service = new TestService(family, parts)
      const own = { certFile: join(service.folder, 'cert.pem'), keyFile: join(service.folder, 'key.pem') }
      copyFileSync(server.certFile, own.certFile)
      copyFileSync(server.keyFile, own.keyFile)
      service.walked().configure({ tls: files({ ...server, ...own }) })
      const first = await service.connect({ tls: tlsOf(client) })
      await first.until(({ type }) => type === 'accepted')
      const renewed = authority.issue({ names: 'DNS:renewed.example.net' })
      copyFileSync(renewed.certFile, own.certFile)
      service.service.reloadTls()
      assert.match(service.service.problems[0]!.text, /tls\.key-file .* is not the key of the certificate/)
      assert.equal(service.logged('tls.kept').length, 1)
      const second = await service.connect({ tls: tlsOf(client) })
      await second.until(({ type }) => type === 'accepted')
      copyFileSync(renewed.keyFile, own.keyFile)
      service.service.reloadTls()
      assert.deepEqual(service.service.problems, [])
      const tls = { ...tlsOf(client), servername: 'renewed.example.net' }
      const third = await service.connect({ tls })
      await third.until(({ type }) => type === 'accepted')
      service.put(address(family, 1))
      for (const requestor of [first, second, third]) await requestor.until(({ type }) => type === 'binding')
    })

    it('ends connections whose kind the configuration no longer permits', async () => {
      await using service = new TestService(family, parts).walked().configure({ tls: files() })
      const requestor = await service.connect({ tls: tlsOf(client) })
      await requestor.until(({ type }) => type === 'accepted')
      service.configure()
      await requestor.until(({ type }) => type === 'terminated')
    })
  })
}

it('files that are missing or wrong: TLS is refused, nothing is served, and the sentence names file and reason', async () => {
  const wrong = join(authority.folder, 'wrong.pem')
  writeFileSync(wrong, 'no certificate')
  const cases = [
    [
      { ...files(), 'cert-file': '/nonexistent/cert.pem' },
      'tls.cert-file',
      /\/nonexistent\/cert\.pem.*ENOENT/,
    ],
    [{ ...files(), 'cert-file': wrong }, 'tls.cert-file', /wrong\.pem.*no certificate in it/],
    [{ ...files(), 'trust-anchor': wrong }, 'tls.trust-anchor', /wrong\.pem.*no certificate in it/],
    [{ ...files(), 'trust-anchor': '/dev/zero' }, 'tls.trust-anchor', /\/dev\/zero is no file/],
    [{ ...files(), 'key-file': client.keyFile }, 'tls.key-file', /not the key of the certificate/],
    [{ ...files(), 'key-file': '' }, 'tls.key-file', /tls\.key-file is not given/],
  ] as const
  for (const [tls, parameter, text] of cases) {
    await using service = new TestService(4).walked().configure({ tls })
    const [problem] = service.service.problems
    assert.equal(problem?.parameter, parameter)
    assert.match(problem.text, text)
    assert.equal(service.logged('tls.missing').length, 1)
    assert.match(await failure(() => service.connect({ tls: tlsOf(client) })), /TLSConnectionRefused/)
    assert.equal((await answerTo(service, encodeActiveQuery({ family: 4, xid: 7 }))).length, 0)
    service.configure({ tls: files() })
    const requestor = await service.connect({ tls: tlsOf(client) })
    await requestor.until(({ type }) => type === 'accepted')
    assert.deepEqual(
      service.service.problems.filter(({ text }) => !text.includes('was refused')),
      [],
    )
  }
})

it('a certificate that ends soon is told of ahead, once', async () => {
  await using service = new TestService(4).walked().configure({ tls: files(authority.issue({ days: 10 })) })
  service.service.checkTls(Date.now())
  service.service.checkTls(Date.now())
  assert.deepEqual(
    service.logged('tls.expires').map(({ days }) => days),
    [9],
  )
  await using long = new TestService(4).walked().configure({ tls: files() })
  long.service.checkTls(Date.now())
  assert.equal(long.logged('tls.expires').length, 0)
})

it('parameters that come again unchanged load replaced files, too: a reload of Kea is one of the sidecar', async () => {
  await using service = new TestService(4)
  const own = { certFile: join(service.folder, 'cert.pem'), keyFile: join(service.folder, 'key.pem') }
  const tls = files({ ...server, ...own })
  service.walked().configure({ tls })
  assert.match(await failure(() => service.connect({ tls: tlsOf(client) })), /TLSConnectionRefused/)
  copyFileSync(server.certFile, own.certFile)
  copyFileSync(server.keyFile, own.keyFile)
  service.configure({ tls })
  const requestor = await service.connect({ tls: tlsOf(client) })
  await requestor.until(({ type }) => type === 'accepted')
})

for (const { way, parts } of tlsWays.filter(({ family }) => family === 4)) {
  it(`7724-5.1-02: each message has a TLS record of its own, also behind a blocked requestor; ${way}`, async () => {
    await using service = new TestService(4, parts).walked().configure({ tls: files() })
    const port = await service.port()
    const records = new RecordCounter()
    let upstream: Socket | undefined
    const proxy = createServer((downstream) => {
      upstream = connect({ port, host: '127.0.0.1' })
      upstream.on('data', (data) => {
        records.push(data)
        downstream.write(data)
      })
      downstream.on('data', (data) => upstream!.write(data))
      for (const socket of [upstream, downstream]) socket.on('error', () => {})
      downstream.on('close', () => upstream!.destroy())
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    try {
      const through = (proxy.address() as { port: number }).port
      const requestor = await service.connect({ port: through, tls: tlsOf(client), since: service.now })
      await requestor.until(({ type }) => type === 'catch-up-complete')
      const before = records.applicationData
      // More than the kernel takes while nobody reads.
      upstream!.pause()
      const total = 40_000
      for (let n = 0; n < total; n++) service.put(address(4, n))
      service.now++
      await new Promise((resolve) => setTimeout(resolve, 500))
      assert.ok(records.applicationData - before < total / 2, 'the connection is backed up')
      upstream!.resume()
      const fold = new FoldedBindings()
      await requestor.until(() => fold.told === total, fold)
      assert.equal(records.applicationData - before, total)
      requestor.close()
    } finally {
      proxy.close()
    }
  })

  it(`7724-7.2-04 7653-8.2-04: of openssl s_client it takes TLS 1.2 and 1.3, no older version and no weak cipher; ${way}`, async () => {
    await using service = new TestService(4, parts).walked().configure({ tls: files() })
    const port = await service.port()
    // s_client knows nothing of DHCPTLS: the way there is asked for in its name.
    const proxy = createServer((downstream) => {
      downstream.pause()
      const upstream = connect({ port, host: '127.0.0.1' })
      upstream.write(startFrame(4, 1))
      upstream.once('data', () => upstream.pipe(downstream).pipe(upstream))
      for (const socket of [upstream, downstream]) socket.on('error', () => {})
      downstream.on('close', () => upstream.destroy())
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    try {
      const through = (proxy.address() as { port: number }).port
      const own = ['-cert', client.certFile, '-key', client.keyFile, '-CAfile', authority.certFile]
      const attempt = async (...wishes: string[]) => {
        const words = [
          's_client',
          '-connect',
          `127.0.0.1:${through}`,
          ...own,
          '-verify_return_error',
          ...wishes,
        ]
        const child = spawn('openssl', words, { stdio: ['pipe', 'pipe', 'ignore'] })
        let text = ''
        child.stdout.on('data', (data) => {
          text += data
          if (/Verify return code/.test(text)) child.stdin.end()
        })
        await once(child, 'close')
        return /New, (\S+), Cipher is (\S+)/.exec(text)?.slice(1) ?? []
      }
      assert.deepEqual(await attempt('-tls1_3'), ['TLSv1.3', 'TLS_AES_256_GCM_SHA384'])
      assert.deepEqual(await attempt('-tls1_2'), ['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384'])
      const weak = [
        ['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'],
        ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA256'],
      ]
      for (const wishes of weak) assert.doesNotMatch((await attempt(...wishes)).join(), /TLS|ECDHE/)
    } finally {
      proxy.close()
    }
  })
}

/** Counts records of application data; the frame in clear text at the beginning is passed over. */
class RecordCounter {
  applicationData = 0
  #held = Buffer.alloc(0)
  #inClear = true

  push(octets: Buffer): void {
    this.#held = Buffer.concat([this.#held, octets])
    for (;;) {
      const head = this.#inClear ? 2 : 5
      if (this.#held.length < head) return
      const size = head + this.#held.readUInt16BE(head - 2)
      if (this.#held.length < size) return
      if (!this.#inClear && this.#held[0] === 23) this.applicationData++
      this.#inClear = false
      this.#held = this.#held.subarray(size)
    }
  }
}
