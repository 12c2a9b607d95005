/** TCP that a test can cut: between a requestor and a server. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class CuttingProxy {
  readonly #server: Server
  readonly #open = new Set<Socket>()
  /** Connections made so far. */
  connections = 0
  /** New ones are closed at once. */
  shut = false

  private constructor(server: Server) {
    this.#server = server
  }

  static async to(target: { readonly host: string; readonly port: number }): Promise<CuttingProxy> {
    const server = createServer({ allowHalfOpen: true })
    const proxy = new CuttingProxy(server)
    server.on('connection', (socket) => proxy.#join(socket, connect({ ...target, allowHalfOpen: true })))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #join(near: Socket, far: Socket): void {
    this.connections++
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#open.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        this.#open.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
    if (this.shut) this.cut()
  }

  /** Ends all connections, in the middle of whatever is on its way. */
  cut(): void {
    for (const socket of this.#open) socket.destroy()
  }

  close(): void {
    this.cut()
    this.#server.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
