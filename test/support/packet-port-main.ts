/**
 * Runs inside a network namespace and moves datagrams: what the parent sends over the channel goes out, what comes in
 * goes to the parent. Ends with the parent. See packet-port.ts.
 */

import { createSocket, type Socket } from 'node:dgram'
import type { Incoming, Outgoing } from './packet-port.ts'

const sockets = new Map<string, Promise<Socket>>()

/** The socket of a local address and port; made when it is first used. */
function socketOf(address: string, port: number): Promise<Socket> {
  const name = `${address} ${port}`
  const known = sockets.get(name)
  if (known) return known
  const made = new Promise<Socket>((resolve, reject) => {
    const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4' })
    socket.once('error', reject)
    socket.on('message', (octets) => {
      const incoming: Incoming = { address, port, octets: octets.toString('hex') }
      process.send?.(incoming)
    })
    socket.bind(port, address, () => resolve(socket))
  })
  sockets.set(name, made)
  return made
}

process.on('message', (message: Outgoing) => {
  const { from, to } = message
  socketOf(from.address, from.port)
    .then((socket) => socket.send(Buffer.from(message.octets, 'hex'), to.port, to.address))
    .catch((error: Error) => {
      console.error(error)
      process.exit(1)
    })
})
process.on('disconnect', () => process.exit())
