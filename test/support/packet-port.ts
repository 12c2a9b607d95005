/** Datagrams from and to the client side of a laboratory, as the tests make them. */

import { type ChildProcess, spawn } from 'node:child_process'
import type { Laboratory } from './laboratory.ts'
import { compiled } from './package-root.ts'
import { GiveUp, waitFor } from './wait.ts'

export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** To the process in the namespace. Octets are hexadecimal. */
export interface Outgoing {
  readonly from: Endpoint
  readonly to: Endpoint
  readonly octets: string
}

/** From it: what arrived at a local address and port. */
export interface Incoming extends Endpoint {
  readonly octets: string
}

export class PacketPort {
  readonly #child: ChildProcess
  readonly #received: Buffer[] = []
  #ended: string | undefined

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (message) => this.#received.push(Buffer.from((message as Incoming).octets, 'hex')))
    child.on('exit', (code, signal) => {
      this.#ended = `the process that sends packets ended with ${signal ?? code}`
    })
    child.on('error', (error) => {
      this.#ended = error.message
    })
  }

  /** Sockets live in the client namespace of the laboratory, and go with it. */
  static open(lab: Laboratory): PacketPort {
    const command = [
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--',
      ...lab.inNamespace('client', [process.execPath, compiled('test/support/packet-port-main.ts')]),
    ]
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    lab.onClose(async () => {
      if (child.connected) child.disconnect()
    })
    return new PacketPort(child)
  }

  send(from: Endpoint, to: Endpoint, octets: Uint8Array): void {
    const message: Outgoing = { from, to, octets: Buffer.from(octets).toString('hex') }
    this.#child.send(message)
  }

  /**
   * Sends, and sends again now and then, until what `isAnswer` recognizes comes back: datagrams get lost, also here.
   * @param to  where to; to each of several, as relay agents do
   * @throws Error when nothing comes for half a minute
   */
  async exchange<T>(
    what: string,
    from: Endpoint,
    to: Endpoint | readonly Endpoint[],
    octets: Uint8Array,
    isAnswer: (octets: Buffer) => T | undefined,
  ): Promise<T> {
    let sentAt = Number.NEGATIVE_INFINITY
    const { answer } = await waitFor(`an answer to ${what}`, () => {
      if (this.#ended) throw new GiveUp(this.#ended)
      for (const received of this.#received.splice(0)) {
        const answer = isAnswer(received)
        if (answer !== undefined) return { answer }
      }
      if (performance.now() - sentAt > 3000) {
        for (const one of [to].flat()) this.send(from, one, octets)
        sentAt = performance.now()
      }
      return undefined
    })
    return answer
  }
}
