// A requestor that is nothing but a socket: it sends octets, collects frames, and sees how its connection ends.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { TestService } from '../support/requestor-service.ts'

export class RawRequestor {
  readonly socket: Socket
  /** Whole frames received, and what follows them. */
  readonly frames: Uint8Array[] = []
  /** How the connection ended. */
  readonly end: Promise<'closed' | 'reset'>
  #rest: Uint8Array = new Uint8Array(0)
  #waiting: (() => void)[] = []
  #gone = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (data) => this.#take(data))
    socket.on('end', () => socket.end())
    let outcome: 'closed' | 'reset' = 'closed'
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') outcome = 'reset'
    })
    this.end = new Promise((resolve) => {
      socket.on('close', () => {
        this.#gone = true
        this.#wake()
        resolve(outcome)
      })
    })
  }

  /** @param localAddress who it is, among 127.0.0.0/8 */
  static async connect(service: TestService, localAddress?: string): Promise<RawRequestor> {
    const host = service.family === 4 ? '127.0.0.1' : '::1'
    const at = { port: await service.port(), host, allowHalfOpen: true }
    const socket = connect(localAddress === undefined ? at : { ...at, localAddress })
    const requestor = new RawRequestor(socket)
    await once(socket, 'connect')
    return requestor
  }

  send(...octets: Uint8Array[]): this {
    for (const one of octets) this.socket.write(one)
    return this
  }

  /** The first frame for which this holds. @throws when the connection ends before */
  async until(holds: (frame: Uint8Array) => boolean): Promise<Uint8Array> {
    for (let seen = 0; ; ) {
      for (; seen < this.frames.length; seen++) if (holds(this.frames[seen]!)) return this.frames[seen]!
      if (this.#gone) throw new Error(`the connection ended after ${this.frames.length} frames`)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  close(): void {
    this.socket.destroy()
  }

  /** Goes without a word of good-bye: its kernel sends a reset. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  #take(data: Uint8Array): void {
    let rest = Buffer.concat([this.#rest, data])
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE()) {
      const length = 2 + rest.readUInt16BE()
      this.frames.push(Uint8Array.from(rest.subarray(0, length)))
      rest = rest.subarray(length)
    }
    this.#rest = rest
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) one()
  }
}
