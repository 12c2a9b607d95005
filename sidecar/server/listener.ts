// One address and port that requestors connect to. What cannot be bound is tried again: an address may come up later
// than the daemon, and a port may be freed.
import { createServer, type Server, type Socket } from 'node:net'
import type { Family } from '../binding.ts'
import type { Log } from '../log.ts'

export interface Place {
  readonly address: string
  /** 0 = any free one (tests). */
  readonly port: number
}

/** Milliseconds between attempts to bind. */
const RETRY_MS = 5_000
/** Connections the kernel keeps for us to accept. */
const BACKLOG = 128

export class Listener {
  readonly place: Place
  readonly #family: Family
  readonly #log: Log
  readonly #onSocket: (socket: Socket) => void
  readonly #onState: () => void
  #server: Server | undefined
  #retry: NodeJS.Timeout | undefined
  #failure: Error | undefined
  #closed = false

  /**
   * @param onSocket takes over each accepted socket, half-open allowed and undelayed
   * @param onState called when it became bound, or could not
   */
  constructor(
    family: Family,
    place: Place,
    log: Log,
    onSocket: (socket: Socket) => void,
    onState: () => void,
  ) {
    this.#family = family
    this.place = place
    this.#log = log
    this.#onSocket = onSocket
    this.#onState = onState
    this.#open()
  }

  /** The port bound, once it is. */
  get port(): number | undefined {
    const address = this.#server?.listening ? this.#server.address() : null
    return address !== null && typeof address === 'object' ? address.port : undefined
  }

  /** Why it does not listen; undefined while it does, or has not been tried yet. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Accepts no more; sockets already accepted live on. Resolves when the port is free. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#retry)
    const port = this.port
    const server = this.#server
    if (server === undefined || port === undefined) {
      server?.close()
      return
    }
    // Its callback waits for all connections as well; the port itself is free at once.
    server.close()
    this.#log.listenerStopped({ address: this.place.address, port })
  }

  #open(): void {
    // RFC 5460 section 6.6: a requestor may close its end after the query and still wait for the answer.
    const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true })
    this.#server = server
    server.on('connection', this.#onSocket)
    server.on('error', (error) => {
      if (this.#closed) return
      // Only the first failure of a series is logged: the retries are many.
      if (this.#failure === undefined) this.#log.listenerFailed({ ...this.place, error })
      this.#failure = error
      server.close()
      this.#retry = setTimeout(() => this.#open(), RETRY_MS)
      this.#onState()
    })
    server.on('listening', () => {
      if (this.#closed) {
        server.close()
        return
      }
      this.#failure = undefined
      this.#log.listenerStarted({ address: this.place.address, port: this.port! })
      this.#onState()
    })
    server.listen({
      host: this.place.address,
      port: this.place.port,
      backlog: BACKLOG,
      // Each family has its own service; IPv4 requestors never come in through an IPv6 socket.
      ipv6Only: this.#family === 6,
    })
  }
}
