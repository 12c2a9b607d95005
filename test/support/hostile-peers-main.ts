// A program of its own: many connections that mean harm, opened anew as soon as they are ended, until it is killed.
//   node hostile-peers-main.js PORT COUNT [CERT KEY]
// With a certificate the peers are permitted ones that ask without end. Prints one JSON line of counts each second.
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { encodeBulkQuery } from '../../sidecar/requestor/bulk-client.ts'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { startFrame } from '../../sidecar/requestor/start-tls.ts'

const [port, count, certFile, keyFile] = process.argv.slice(2)
const counts = { opened: 0, ended: 0, octets: 0 }
const noise = Buffer.alloc(16 * 1024, 'GET / HTTP/1.1\r\n\r\n')

/** What a peer does once it is connected; each kind wants another thing to fail. */
const kinds: Readonly<Record<string, (socket: Socket) => void>> = {
  silent: () => {},
  'half-open': (socket) => socket.end(),
  junk: (socket) => socket.write(noise),
  'huge-frame': (socket) => socket.write(Buffer.concat([Buffer.of(0xff, 0xff), noise])),
  slow: (socket) => drip(socket, startFrame(4, 7)),
  'clear-query': (socket) => socket.write(encodeActiveQuery({ family: 4, xid: 7 })),
  'no-hello': (socket) => socket.write(startFrame(4, 7)),
  'junk-hello': (socket) => afterGoAhead(socket, () => socket.write(noise)),
  'slow-hello': (socket) =>
    afterGoAhead(socket, () => drip(socket, Buffer.concat([Buffer.of(0x16, 3, 1, 0x0f, 0xff), noise]))),
  'no-certificate': (socket) =>
    afterGoAhead(socket, () => {
      connectTls({ socket, rejectUnauthorized: false }).on('error', () => {})
    }),
  'first-flight': (socket) =>
    afterGoAhead(socket, () => {
      // A whole ClientHello, whose answer is never taken.
      connectTls({ socket, rejectUnauthorized: false }).on('error', () => {})
      socket.pause()
    }),
}

function drip(socket: Socket, octets: Uint8Array): void {
  let at = 0
  const timer = setInterval(() => socket.write(octets.subarray(at, ++at)), 500)
  socket.on('close', () => clearInterval(timer))
}

function afterGoAhead(socket: Socket, then: () => void): void {
  socket.write(startFrame(4, 7))
  socket.once('data', then)
}

/** A permitted peer: queries without end; every other one takes no answers. */
function flood(socket: Socket, number: number): void {
  const tls = connectTls({
    socket,
    cert: readFileSync(certFile!),
    key: readFileSync(keyFile!),
    rejectUnauthorized: false,
  })
  tls.on('error', () => {})
  if (number % 2 === 0) {
    tls.on('data', (data) => {
      counts.octets += data.length
    })
  }
  let xid = 0
  const more = () => {
    if (tls.destroyed) return
    const queries = Array.from({ length: 200 }, () =>
      encodeBulkQuery({ family: 4, xid: ++xid, select: { by: 'all' } }),
    )
    tls.write(Buffer.concat(queries), () => setImmediate(more))
  }
  tls.once('secureConnect', more)
}

function open(number: number): void {
  const permitted = certFile !== undefined
  const localAddress = permitted
    ? '127.9.9.9'
    : `127.${1 + (number % 4)}.${(number >> 2) & 255}.${1 + (number % 200)}`
  const socket = connect({ host: '127.0.0.1', port: Number(port), localAddress })
  const names = Object.keys(kinds)
  socket.on('connect', () => {
    counts.opened++
    if (permitted) afterGoAhead(socket, () => flood(socket, number))
    else kinds[names[number % names.length]!]!(socket)
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    counts.ended++
    setTimeout(() => open(number), 50 + Math.random() * 200)
  })
}

for (let number = 0; number < Number(count); number++) setTimeout(() => open(number), Math.random() * 2_000)
setInterval(() => process.stdout.write(`${JSON.stringify(counts)}\n`), 1_000)
