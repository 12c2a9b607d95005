// A connection to a server, from the requestor's side.
import { connect, type Socket } from 'node:net'
import { codeOf, reasonOf, SidecarError } from '../errors.ts'
import { type RequestorTls, startTls } from './start-tls.ts'

const CONNECT_TIMEOUT_SECONDS = 10

export const defaultPorts = { 4: 67, 6: 547 } as const

/** What it means that the server closes without having said anything. */
export const NOT_SERVED = {
  active:
    'without an answer: it does not permit this requestor, has Active Leasequery off, or wants (other) TLS',
  bulk: 'without an answer: it does not permit this requestor, has Bulk Leasequery off, or wants (other) TLS',
} as const

export interface ServerPlace {
  readonly family: 4 | 6
  readonly host: string
  /** 67 or 547 without it. */
  readonly port?: number | undefined
  readonly localAddress?: string | undefined
  /** Asks for TLS first, and goes no further without it. */
  readonly tls?: RequestorTls | undefined
}

export function peerOf(options: ServerPlace): { address: string; port: number } {
  return { address: options.host, port: options.port ?? defaultPorts[options.family] }
}

/**
 * @param notServed what it means when the server takes the connection and resets it
 * @throws SidecarError ALQ_CONNECT, ALQ_SERVER_CLOSED, ALQ_TLS
 */
export async function openSocket(options: ServerPlace, notServed: string): Promise<Socket> {
  const socket = await openPlain(options, notServed)
  return options.tls === undefined ? socket : startTls(socket, options.family, options.tls, peerOf(options))
}

function openPlain(options: ServerPlace, notServed: string): Promise<Socket> {
  const { address, port } = peerOf(options)
  const { localAddress } = options
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: address,
      port,
      noDelay: true,
      ...(localAddress === undefined ? {} : { localAddress }),
    })
    const fail = (reason: string, cause?: unknown) => {
      socket.destroy()
      reject(new SidecarError('ALQ_CONNECT', { address, port, reason }, { cause }))
    }
    socket.setTimeout(CONNECT_TIMEOUT_SECONDS * 1000, () =>
      fail(`no answer within ${CONNECT_TIMEOUT_SECONDS} s`),
    )
    socket.once('error', (error) => {
      // Accepted and reset before we could speak: as if closed a moment later.
      if (codeOf(error) !== 'ECONNRESET') fail(describe(error), error)
      else reject(new SidecarError('ALQ_SERVER_CLOSED', { address, port, when: notServed }, { cause: error }))
    })
    socket.once('connect', () => {
      socket.removeAllListeners('error')
      socket.removeAllListeners('timeout')
      resolve(socket)
    })
  })
}

function describe(error: Error): string {
  const texts: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'nothing listens there',
    ENOTFOUND: 'no host has this name',
    EHOSTUNREACH: 'the host cannot be reached',
    ENETUNREACH: 'the network cannot be reached',
  }
  return texts[codeOf(error)] ?? reasonOf(error)
}
