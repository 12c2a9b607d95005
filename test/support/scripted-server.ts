/** A leasequery server that does what a test says, connection by connection: for what a real one never does. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { type TLSSocket, TLSSocket as TlsServerSocket } from 'node:tls'

/** What a requestor did on one connection. */
export class ScriptedConnection {
  readonly socket: Socket
  /** All octets that came in clear text. */
  clear: Buffer = Buffer.alloc(0)
  /** When it was made and when it was over, by performance.now(). */
  readonly began = performance.now()
  over: { readonly reset: boolean } | undefined
  #buffered: Buffer = Buffer.alloc(0)
  #frames: Buffer[] = []
  #waiting: (() => void)[] = []
  #speaker: Socket | TLSSocket
  readonly #onEnd: () => void

  constructor(socket: Socket) {
    this.socket = socket
    this.#speaker = socket
    let reset = false
    socket.on('error', (error) => {
      reset = (error as { code?: string }).code === 'ECONNRESET'
    })
    socket.on('data', this.#onClear)
    this.#onEnd = () => {
      this.over ??= { reset }
      this.#wake()
    }
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onEnd)
  }

  readonly #onClear = (data: Buffer) => {
    this.clear = Buffer.concat([this.clear, data])
    this.#onData(data)
  }

  #onData(data: Buffer): void {
    this.#buffered = Buffer.concat([this.#buffered, data])
    while (this.#buffered.length >= 2 && this.#buffered.length >= 2 + this.#buffered.readUInt16BE(0)) {
      const end = 2 + this.#buffered.readUInt16BE(0)
      this.#frames.push(this.#buffered.subarray(0, end))
      this.#buffered = this.#buffered.subarray(end)
    }
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async #changed(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** The next frame, size prefix included. @throws Error when the requestor closes first */
  async frame(): Promise<Buffer> {
    while (this.#frames.length === 0) {
      if (this.over) throw new Error('the requestor closed instead of another frame')
      await this.#changed()
    }
    return this.#frames.shift()!
  }

  get frames(): number {
    return this.#frames.length
  }

  /** Until the requestor has closed. */
  async closed(): Promise<{ readonly reset: boolean }> {
    while (!this.over) await this.#changed()
    return this.over
  }

  send(...octets: Uint8Array[]): void {
    for (const one of octets) this.#speaker.write(one)
  }

  /** The server's part of a handshake. */
  async secure(options: {
    cert: string
    key: string
    ca?: string
    ciphers?: string
    maxVersion?: 'TLSv1.2'
  }): Promise<TLSSocket> {
    this.socket.off('data', this.#onClear)
    const secure = new TlsServerSocket(this.socket, {
      isServer: true,
      ...options,
      requestCert: true,
      rejectUnauthorized: false,
    })
    secure.on('error', this.#onEnd)
    secure.on('end', this.#onEnd)
    secure.on('close', this.#onEnd)
    this.#speaker = secure
    secure.on('data', (data: Buffer) => this.#onData(data))
    await once(secure, 'secure')
    return secure
  }
}

export class ScriptedServer {
  readonly #server: Server
  readonly connections: ScriptedConnection[] = []
  #waiting: (() => void)[] = []
  #taken = 0

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<ScriptedServer> {
    const server = createServer({ allowHalfOpen: true })
    const scripted = new ScriptedServer(server)
    server.on('connection', (socket) => {
      scripted.connections.push(new ScriptedConnection(socket))
      for (const wake of scripted.#waiting.splice(0)) wake()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return scripted
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** The next connection that no test has taken yet. */
  async connection(): Promise<ScriptedConnection> {
    while (this.connections.length === this.#taken) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this.connections[this.#taken++]!
  }

  close(): void {
    for (const { socket } of this.connections) socket.destroy()
    this.#server.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
