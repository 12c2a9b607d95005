// The command-line tool against a scripted server and against the real service.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { encodeFrame4 } from '../../sidecar/wire/v4/codec.ts'
import { compiled } from '../support/package-root.ts'
import { TestService } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'

class Watch {
  readonly child: ChildProcess
  output = ''
  errors = ''

  constructor(...argv: string[]) {
    this.child = spawn(process.execPath, [compiled('sidecar/requestor/main.ts'), ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout!.on('data', (data) => {
      this.output += data
    })
    this.child.stderr!.on('data', (data) => {
      this.errors += data
    })
  }

  get lines(): string[] {
    return this.output.split('\n').slice(0, -1)
  }

  async exitCode(): Promise<number | null> {
    if (this.child.exitCode === null) await once(this.child, 'exit')
    return this.child.exitCode
  }

  [Symbol.dispose](): void {
    this.child.kill('SIGKILL')
  }
}

/** A server that does what `script` says with each connection. */
async function scripted(script: (socket: Socket) => void): Promise<Server & { port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    script(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(server, { port: (server.address() as AddressInfo).port })
}

/** Calls back with the xid of the query once it has come. */
function onQuery(socket: Socket, answer: (xid: number) => void): void {
  let received = Buffer.alloc(0)
  socket.on('data', (data) => {
    received = Buffer.concat([received, data])
    if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0))
      answer(received.readUInt32BE(6))
  })
}

test('a change is printed as a line, and the interrupted tool ends quietly', async () => {
  await using service = new TestService(4).walked().configure()
  using watch = new Watch('watch', `127.0.0.1:${await service.port()}`)
  await waitFor('the query to be accepted', () => watch.output.includes('query accepted'))
  service.put('192.0.2.57')
  await waitFor('the grant', () => watch.lines.some((line) => /192\.0\.2\.57 +granted .*until /.test(line)))
  service.put('192.0.2.57', { state: BindingState.released })
  await waitFor('the release', () => watch.lines.some((line) => /192\.0\.2\.57 +released/.test(line)))
  watch.child.kill('SIGINT')
  assert.equal(await watch.exitCode(), 0)
  assert.equal(watch.errors, '')
})

test('--json --since prints objects, catch-up-complete among them', async () => {
  await using service = new TestService(6).walked().configure()
  service.put('2001:db8::7', { prefixLength: 0 })
  using watch = new Watch('watch', `[::1]:${await service.port()}`, '--json', '--since', String(service.now))
  await waitFor('the end of catch-up', () => watch.output.includes('"catch-up-complete"'))
  const objects = watch.lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.deepEqual(
    objects.map((object) => object['event']),
    ['accepted', 'binding', 'catch-up-complete'],
  )
  assert.equal(objects[1]?.['address'], '2001:db8::7')
  assert.equal(objects[2]?.['resume-point'], service.now)
})

test('a reader that goes away ends the tool quietly', async () => {
  await using service = new TestService(4).walked().configure()
  using watch = new Watch('watch', `127.0.0.1:${await service.port()}`, '--json')
  await waitFor('the first line', () => watch.lines.length > 0)
  watch.child.stdout!.destroy()
  const puts = setInterval(() => service.put('192.0.2.57'), 20)
  try {
    assert.equal(await watch.exitCode(), 0)
  } finally {
    clearInterval(puts)
  }
  assert.equal(watch.errors, '')
})

const endings: readonly [what: string, script: (socket: Socket) => void, sentence: RegExp][] = [
  ['closes at once', (socket) => socket.destroy(), /without an answer: it does not permit this requestor/],
  [
    'closes after a change',
    (socket) =>
      onQuery(socket, (xid) => {
        socket.end(
          encodeFrame4({
            op: 2,
            type: 13,
            xid,
            ciaddr: Uint8Array.of(192, 0, 2, 7),
            options: { baseTime: 1_800_000_000 },
          }),
        )
      }),
    /closed the connection without a word/,
  ],
  [
    'refuses the query',
    (socket) =>
      onQuery(socket, (xid) => {
        socket.end(encodeFrame4({ op: 2, type: 17, xid, options: { status: { code: 4, text: 'not you' } } }))
      }),
    /refused the query: NotAllowed \(not you\)/,
  ],
  [
    'answers another query',
    (socket) =>
      onQuery(socket, (xid) => socket.write(encodeFrame4({ op: 2, type: 17, xid: xid ^ 1, options: {} }))),
    /broke the protocol: transaction-id/,
  ],
  [
    'speaks something else',
    (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n'.repeat(1000)),
    /broke the protocol/,
  ],
]
for (const [what, script, sentence] of endings) {
  test(`a server that ${what} is told in one sentence, with exit code 1`, async () => {
    const server = await scripted(script)
    try {
      using watch = new Watch('watch', `127.0.0.1:${server.port}`)
      assert.equal(await watch.exitCode(), 1)
      await waitFor('the sentence', () => sentence.test(watch.errors))
      assert.equal(watch.errors.trim().split('\n').length, 1)
    } finally {
      server.close()
    }
  })
}

test('a port where nothing listens is told in one sentence, with exit code 1', async () => {
  const server = await scripted(() => {})
  const { port } = server
  server.close()
  await once(server, 'close')
  using watch = new Watch('watch', `127.0.0.1:${port}`)
  assert.equal(await watch.exitCode(), 1)
  assert.match(watch.errors, /^leasequery: cannot connect to 127\.0\.0\.1 port \d+: nothing listens there\n$/)
})

test('a wrong flag has exit code 2; help goes to standard output with exit code 0', async () => {
  using wrong = new Watch('watch', 'h', '--sinc', '1')
  assert.equal(await wrong.exitCode(), 2)
  assert.match(wrong.errors, /did you mean --since/)
  using help = new Watch('watch', '--help')
  assert.equal(await help.exitCode(), 0)
  await waitFor('the help', () => help.output.includes('--since TIME'))
})
