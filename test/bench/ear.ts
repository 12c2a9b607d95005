/**
 * A requestor of an Active query in a process of its own, which notes when messages come and does nothing else:
 * node ear.js {"family","host","port","query"(hex),"tls"?}
 *
 * Says 'ready' to its parent when it has the answer to its query; answers every message of the parent with what has come
 * since the last.
 */
import type { Family } from '../../sidecar/binding.ts'
import { openSocket } from '../../sidecar/requestor/open-socket.ts'
import type { RequestorTls } from '../../sidecar/requestor/start-tls.ts'
import { FrameCounter } from './frame-counter.ts'
import { monotonicMs } from './measure.ts'

export interface EarWishes {
  readonly family: Family
  readonly host: string
  readonly port: number
  readonly query: string
  readonly tls?: RequestorTls
}

/** For each piece that came: when, see monotonicMs(), and how many messages ended in it. */
export type HeardAt = (readonly [at: number, messages: number])[]

const wishes = JSON.parse(process.argv[2]!) as EarWishes
const frames = new FrameCounter()
let heard: HeardAt = []

const socket = await openSocket(wishes, 'without an answer')
socket.once('data', () => process.send!('ready'))
socket.on('data', (data) => heard.push([monotonicMs(), frames.ended(data)]))
socket.on('close', () => {
  console.error('the server closed the connection of the one who listens')
  process.exit(1)
})
socket.write(Buffer.from(wishes.query, 'hex'))
process.on('message', () => {
  process.send!(heard)
  heard = []
})
process.on('disconnect', () => process.exit())
