/**
 * Requestors of an Active query in a process of their own, which read as fast as they can and count messages, so that the
 * server is the limit: node audience.js {"family","host","port","count","query"(hex),"tls"?}
 *
 * Says 'ready' to its parent when each has got the answer to its query; answers every message of the parent with how many
 * messages and octets have come since.
 */
import type { Family } from '../../sidecar/binding.ts'
import { openSocket } from '../../sidecar/requestor/open-socket.ts'
import type { RequestorTls } from '../../sidecar/requestor/start-tls.ts'
import { FrameCounter } from './frame-counter.ts'

export interface AudienceWishes {
  readonly family: Family
  readonly host: string
  readonly port: number
  readonly count: number
  readonly query: string
  readonly tls?: RequestorTls
}

export interface Heard {
  readonly messages: number
  readonly octets: number
}

/** Connections made at a time. */
const AT_A_TIME = 4

const wishes = JSON.parse(process.argv[2]!) as AudienceWishes
let messages = 0
let octets = 0

async function join(): Promise<void> {
  const socket = await openSocket(wishes, 'without an answer')
  const frames = new FrameCounter()
  await new Promise<void>((resolve) => {
    socket.on('data', (data) => {
      octets += data.length
      messages += frames.ended(data)
      resolve()
    })
    socket.on('close', () => {
      console.error('the server closed a connection of the audience')
      process.exit(1)
    })
    socket.write(Buffer.from(wishes.query, 'hex'))
  })
}

for (let joined = 0; joined < wishes.count; joined += AT_A_TIME) {
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, wishes.count - joined) }, join))
}
process.on('message', () => process.send!({ messages, octets } satisfies Heard))
process.on('disconnect', () => process.exit())
process.send!('ready')
