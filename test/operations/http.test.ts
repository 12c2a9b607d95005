// The operators' HTTP server: who is answered, what, and how much of it there can be.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingHttpHeaders, type RequestOptions, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createLog } from '../../sidecar/log.ts'
import { namesThisHost } from '../../sidecar/operations/host-check.ts'
import { MAX_CONNECTIONS, OperationsServer, type Route } from '../../sidecar/operations/http.ts'
import { pageRoutes } from '../../sidecar/operations/page-files.ts'
import { type OperationsPlace, readOperationsPlace } from '../../sidecar/operations/place.ts'
import { StatusSource } from '../../sidecar/operations/source.ts'
import type { ProcessStatus } from '../../sidecar/operations/status.ts'
import { MAX_VIEWERS, Viewers } from '../../sidecar/operations/viewers.ts'
import { packagePath } from '../support/package-root.ts'
import { waitFor } from '../support/wait.ts'

const anyPort: OperationsPlace = { kind: 'tcp', address: '127.0.0.1', port: 0 }

interface Line {
  readonly event: string
  readonly place?: string
  readonly msg: string
}

/** A server with a page, a route that fails, and what it logs. */
class TestServer {
  readonly lines: Line[] = []
  readonly viewers: Viewers
  readonly server: OperationsServer
  json = '{"n":1}'

  constructor(place = anyPort) {
    const log = createLog({
      level: 'debug',
      destination: { write: (text) => this.lines.push(JSON.parse(text)) },
    })
    this.viewers = new Viewers(
      () => this.json,
      (error) => log.operationsMistake({ path: '/events', error, stack: '' }),
    )
    const routes = new Map<string, Route>([
      ...pageRoutes(),
      ['/text', () => ({ type: 'text/plain', body: 'text\n' })],
      [
        '/mistake',
        () => {
          throw new RangeError('a bug')
        },
      ],
    ])
    this.server = new OperationsServer({ place, routes, viewers: this.viewers, log, retryMs: 50 })
  }

  logged(event: string): Promise<Line> {
    return waitFor(event, () => this.lines.find((line) => line.event === event))
  }

  async port(): Promise<number> {
    const { place } = await this.logged('operations.started')
    return Number(place!.split(':').at(-1))
  }

  async ask(path: string, options: RequestOptions = {}): Promise<Answered> {
    return ask({ host: '127.0.0.1', port: await this.port(), path, agent: false, ...options })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop()
  }
}

interface Answered {
  readonly code: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

function ask(options: RequestOptions): Promise<Answered> {
  return new Promise((resolve, reject) => {
    request(options, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text) => {
        body += text
      })
      response.on('end', () => resolve({ code: response.statusCode ?? 0, headers: response.headers, body }))
    })
      .on('error', reject)
      .end()
  })
}

test('each file of the page is served with its type, and asks nothing of another place', async () => {
  await using server = new TestServer()
  const { body, headers } = await server.ask('/')
  assert.match(String(headers['content-type']), /^text\/html/)
  const named = [...body.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, url]) => url!)
  const served = pageRoutes().map(([path]) => path)
  const elsewhere = new Set(['/status.json', '/metrics', '/ready', '/live'])
  for (const url of named) assert.ok(served.includes(url) || elsewhere.has(url), url)
  for (const path of served) {
    const { code, body, headers } = await server.ask(path)
    assert.equal(code, 200, path)
    assert.doesNotMatch(body.replaceAll('http://www.w3.org/2000/svg', ''), /\b(?:https?:)?\/\/[a-z]/, path)
    assert.match(
      String(headers['content-security-policy']),
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    )
    assert.doesNotMatch(String(headers['content-security-policy']), /unsafe/)
    assert.equal(headers['access-control-allow-origin'], undefined)
    assert.equal(headers['x-content-type-options'], 'nosniff')
  }
  // What the policy would not run must not be there.
  assert.doesNotMatch(body, /<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=|<style/)
  const imports = pageRoutes()
    .filter(([path]) => path.endsWith('.js'))
    .flatMap(([path]) => {
      const text = readFileSync(packagePath('sidecar', 'operations', 'page', path), 'utf8')
      return [...text.matchAll(/from '\.(\/[a-z]+\.js)'/g)].map(([, url]) => url!)
    })
  assert.ok(imports.length > 2)
  for (const url of imports) assert.ok(served.includes(url), url)
})

test('only GET and HEAD are answered, and only where there is something', async () => {
  await using server = new TestServer()
  const head = await server.ask('/text', { method: 'HEAD' })
  assert.deepEqual([head.code, head.body, head.headers['content-length']], [200, '', '5'])
  assert.equal((await server.ask('/text?of=1')).body, 'text\n')
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const { code, headers } = await server.ask('/text', { method })
    assert.deepEqual([code, headers.allow, headers.connection], [405, 'GET, HEAD', 'close'], method)
  }
  assert.equal((await server.ask('/../package.json')).code, 404)
  assert.equal((await server.ask('/page/index.html')).code, 404)
})

test('a page of another site cannot read it under a name of its own (DNS rebinding)', async () => {
  await using server = new TestServer()
  const port = await server.port()
  for (const host of ['evil.example', `evil.example:${port}`, '192.0.2.1', 'localhost.evil.example']) {
    const { code } = await server.ask('/text', { headers: { host } })
    assert.equal(code, 403, host)
  }
  for (const host of [
    'localhost',
    `localhost:${port}`,
    `127.0.0.1:${port}`,
    '127.0.0.9',
    '[::1]',
    hostname(),
  ]) {
    const { code } = await server.ask('/text', { headers: { host } })
    assert.equal(code, 200, host)
  }
  const named = { kind: 'tcp', address: 'dhcp.example.net', port: 1 } as const
  assert.ok(namesThisHost(named, 'DHCP.example.net:1', '192.0.2.1'))
  assert.ok(namesThisHost(named, '192.0.2.1', '::ffff:192.0.2.1'))
  assert.ok(!namesThisHost(named, '192.0.2.2', '192.0.2.1'))
  assert.ok(!namesThisHost(named, undefined, '192.0.2.1') && !namesThisHost(named, '', '192.0.2.1'))
})

test('a mistake of ours in an answer is logged, and the next question is answered', async () => {
  await using server = new TestServer()
  const { code, body } = await server.ask('/mistake')
  assert.equal(code, 500)
  assert.doesNotMatch(body, /bug/)
  assert.match(
    (await server.logged('operations.mistake')).msg,
    /internal error, \/mistake was not answered: a bug/,
  )
  assert.equal((await server.ask('/text')).code, 200)
})

test('those who look get a status each second; more than the limit are told so, and who leaves makes room', async () => {
  await using server = new TestServer()
  const port = await server.port()
  const watching = await Promise.all(Array.from({ length: MAX_VIEWERS }, () => watch(port)))
  for (const viewer of watching)
    await waitFor('the first status', () => viewer.text.includes('data: {"n":1}\n\n'))
  assert.equal((await server.ask('/events')).code, 503)
  server.json = '{"n":2}'
  for (const viewer of watching)
    await waitFor('the next status', () => viewer.text.includes('data: {"n":2}\n\n'))
  watching[0]!.socket.destroy()
  await waitFor('room', () => !server.viewers.isFull)
  const another = await watch(port)
  await waitFor('its status', () => another.text.includes('data: {"n":2}'))
  for (const { socket } of [...watching, another]) socket.destroy()
})

test('who does not read is passed over, then sent away; the others are told on', async () => {
  let n = 0
  const viewers = new Viewers(
    () => `${++n}`,
    () => assert.fail(),
    1,
  )
  const [reads, stalled, stalls] = [new FakeResponse(), new FakeResponse(), new FakeResponse()]
  for (const response of [reads, stalled, stalls]) viewers.add(response as unknown as ServerResponse)
  stalled.writableLength = 1024 * 1024
  stalls.writableLength = 1024 * 1024
  const [toldStalled, toldStalls] = [stalled.written, stalls.written]
  await waitFor('others to be told on', () => reads.written > 10)
  stalls.writableLength = 0
  await waitFor('one that reads again to be told on', () => stalls.written > toldStalls)
  await waitFor('one that does not to be sent away', () => stalled.destroyed)
  assert.equal(stalled.written, toldStalled)
  assert.ok(!reads.destroyed && !stalls.destroyed)
  viewers.close()
  assert.ok(reads.destroyed && stalls.destroyed)
})

/** What a viewer's connection is to the service, with as much waiting as the test says. */
class FakeResponse extends EventEmitter {
  written = 0
  writableLength = 0
  destroyed = false

  write(): boolean {
    this.written++
    return true
  }

  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }
}

async function watch(port: number): Promise<{ readonly socket: Socket; text: string }> {
  const socket = connect({ host: '127.0.0.1', port })
  const viewer = { socket, text: '' }
  socket.on('error', () => {})
  socket.on('data', (data) => {
    viewer.text += data
  })
  socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await waitFor('the head of the answer', () => /^HTTP\/1\.1 200 .*text\/event-stream/s.test(viewer.text))
  return viewer
}

test('a head that is too long is refused', async () => {
  await using server = new TestServer()
  const { code } = await server.ask('/text', { headers: { 'x-long': 'x'.repeat(20_000) } })
  assert.equal(code, 431)
})

test('connections beyond the limit are closed, until there are fewer', async () => {
  await using server = new TestServer()
  const port = await server.port()
  const open = Array.from({ length: MAX_CONNECTIONS }, () => connect({ host: '127.0.0.1', port }))
  await Promise.all(open.map((socket) => new Promise((resolve) => socket.on('connect', resolve))))
  await assert.rejects(server.ask('/text'), /ECONNRESET|socket hang up/)
  for (const socket of open) socket.destroy()
  await waitFor(
    'an answer again',
    async () => (await server.ask('/text').catch(() => undefined))?.code === 200,
  )
})

test('a place that is taken is told of once and taken when it is free', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  await using server = new TestServer({ kind: 'tcp', address: '127.0.0.1', port })
  const { msg } = await server.logged('operations.failed')
  assert.match(msg, new RegExp(`127\\.0\\.0\\.1:${port}: .*EADDRINUSE.*; requestors are served all the same`))
  await new Promise((resolve) => other.close(resolve))
  assert.equal((await server.ask('/text')).code, 200)
  assert.equal(server.lines.filter(({ event }) => event === 'operations.failed').length, 1)
})

test('a socket in the file system is for the group too, and one that was left behind is replaced', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'alq-operations-'))
  try {
    const path = join(folder, 'status.sock')
    {
      await using server = new TestServer({ kind: 'unix', path })
      await server.logged('operations.started')
      assert.equal(statSync(path).mode & 0o777, 0o660)
      const { code } = await ask({ socketPath: path, path: '/text', headers: { host: 'anything' } })
      assert.equal(code, 200)
      // Whoever has it keeps it.
      await using second = new TestServer({ kind: 'unix', path })
      await second.logged('operations.failed')
      assert.equal((await ask({ socketPath: path, path: '/text' })).code, 200)
    }
    await leaveSocket(path)
    await using server = new TestServer({ kind: 'unix', path })
    await server.logged('operations.started')
    assert.equal((await ask({ socketPath: path, path: '/text' })).code, 200)
    // What is no socket is nobody's to remove.
    const file = join(folder, 'file')
    writeFileSync(file, 'mine')
    await using refused = new TestServer({ kind: 'unix', path: file })
    await refused.logged('operations.failed')
    assert.equal(readFileSync(file, 'utf8'), 'mine')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

/** What a process that was killed leaves. */
async function leaveSocket(path: string): Promise<void> {
  const program = 'net.createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))'
  await once(spawn(process.execPath, ['-e', program, path]), 'exit')
}

test('a status is built at most once a second, whoever asks', () => {
  let now = 0
  let built = 0
  const source = new StatusSource(
    () => ({ at: ++built }) as unknown as ProcessStatus,
    () => now,
  )
  for (now = 0; now < 1000; now += 10) assert.equal(source.json(), '{"at":1}')
  assert.equal(built, 1)
  now = 1000
  assert.equal(source.status().at, 2)
  assert.equal(source.json(), '{"at":2}')
  now = 1999
  assert.equal(source.json(), '{"at":2}')
})

test('the place is an address and port, a socket, or off; what it is not is refused', () => {
  const read = (text: string) => readOperationsPlace('--metrics', text)
  assert.equal(read('off'), undefined)
  assert.deepEqual(read('127.0.0.1:9547'), { kind: 'tcp', address: '127.0.0.1', port: 9547 })
  assert.deepEqual(read('[::1]:0'), { kind: 'tcp', address: '::1', port: 0 })
  assert.deepEqual(read('dhcp.example.net:80'), { kind: 'tcp', address: 'dhcp.example.net', port: 80 })
  assert.deepEqual(read('unix:/run/status.sock'), { kind: 'unix', path: '/run/status.sock' })
  for (const text of [
    '',
    '9547',
    '127.0.0.1',
    '127.0.0.1:65536',
    '[127.0.0.1]:1',
    '::1:1',
    'unix:here',
    ':9547',
  ]) {
    assert.throws(() => read(text), /flag --metrics: .* is no place/, text)
  }
})
