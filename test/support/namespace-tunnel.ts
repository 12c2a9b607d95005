/** A TCP port here that leads to one in a namespace of a laboratory, for servers that listen there. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Laboratory, Side } from './laboratory.ts'
import type { Endpoint } from './packet-port.ts'
import { waitFor } from './wait.ts'

/** In the namespace: each connection to the Unix socket becomes one to the server. */
const inside = `
const net = require('node:net')
const [path, host, port] = process.argv.slice(1)
net.createServer((near) => {
  const far = net.connect({ host, port: Number(port) })
  near.pipe(far).pipe(near)
  for (const end of [near, far]) end.on('error', () => { near.destroy(); far.destroy() })
}).listen(path)
`

/** @returns where to connect to, on this side of the namespace */
export async function openTunnel(
  lab: Laboratory,
  side: Side,
  to: Endpoint,
): Promise<{ host: string; port: number }> {
  const path = lab.path(lab.unique('tunnel'))
  const command = [process.execPath, '-e', inside, path, to.address, String(to.port)]
  lab.start(lab.unique('tunnel-process'), lab.inNamespace(side, command))
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket))
    return socket
  }
  const server = createServer((near) => {
    const far = keep(connect(path))
    keep(near).pipe(far).pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  lab.onClose(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await waitFor('the tunnel into the namespace', async () => {
    const probe = connect(path)
    await once(probe, 'connect')
    probe.destroy()
    return true
  })
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}
