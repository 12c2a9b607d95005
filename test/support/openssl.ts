/** openssl s_client against a requestor service: as a requestor that somebody else wrote. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { startFrame } from '../../sidecar/requestor/start-tls.ts'
import type { Issued } from './certificates.ts'
import type { TestService } from './requestor-service.ts'
import { waitFor } from './wait.ts'

/**
 * s_client knows nothing of DHCPTLS and STARTTLS: this asks for TLS in its name, and then hands octets on in both
 * directions.
 */
export class StartedTls {
  readonly service: TestService
  readonly #server: Server

  private constructor(service: TestService, server: Server) {
    this.service = service
    this.#server = server
  }

  static async open(service: TestService): Promise<StartedTls> {
    const port = await service.port()
    const host = service.family === 4 ? '127.0.0.1' : '::1'
    const server = createServer((downstream: Socket) => {
      downstream.pause()
      const upstream = connect({ port, host })
      upstream.write(startFrame(service.family, 1))
      upstream.once('data', () => upstream.pipe(downstream).pipe(upstream))
      for (const socket of [upstream, downstream]) socket.on('error', () => {})
      downstream.on('close', () => upstream.destroy())
      upstream.on('close', () => downstream.destroy())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new StartedTls(service, server)
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    await Promise.resolve()
  }
}

export interface Wished {
  readonly version?: '1.2' | '1.3'
  /** Nothing: it shows no certificate. */
  readonly own?: Issued
  /** Sends an active query once TLS is up, and ends with its first answer. */
  readonly query?: boolean
  /** So many times it asks for new keys first. */
  readonly keyUpdates?: number
  readonly more?: readonly string[]
}

/** @returns what it says of the handshake, and the octets that came inside TLS */
export async function openssl(
  { service, port }: StartedTls,
  wished: Wished,
): Promise<{ output: string; received: Buffer }> {
  const { keyUpdates = 0 } = wished
  const words = ['s_client', '-connect', `127.0.0.1:${port}`]
  // It takes commands only where the end of its input ends it, too.
  if (keyUpdates === 0) words.push('-ign_eof')
  if (wished.version !== undefined) words.push(`-tls${wished.version.replace('.', '_')}`)
  if (wished.own !== undefined) words.push('-cert', wished.own.certFile, '-key', wished.own.keyFile)
  // Weak keys are a matter of the server here.
  const child = spawn('openssl', [...words, '-cipher', 'DEFAULT@SECLEVEL=0', ...(wished.more ?? [])])
  const parts: Buffer[] = []
  let errors = ''
  child.stderr.on('data', (data) => {
    errors += data
  })
  const { family } = service
  const query = encodeActiveQuery({ family, xid: 0x0a0b0c })
  child.stdout.on('data', (data) => {
    parts.push(data)
    if (received(Buffer.concat(parts)).length > 0) child.kill()
  })
  child.stdin.on('error', () => {})
  if (keyUpdates > 0) await once(child.stdout, 'data')
  // It takes what it reads at once for one command.
  for (let n = 1; n <= keyUpdates; n++) {
    child.stdin.write('K\n')
    await waitFor('openssl to have done so', () => errors.split('KEYUPDATE').length > n)
  }
  if (wished.query === true) child.stdin.write(query)
  await once(child, 'close')
  const all = Buffer.concat(parts)
  return { output: `${all.toString('latin1')}${errors}`, received: received(all) }

  /** Its own words end with a line of dashes; of the octets the answer's transaction id tells. */
  function received(output: Buffer): Buffer {
    const xid = family === 4 ? Buffer.from([0, 0x0a, 0x0b, 0x0c]) : Buffer.from([0x0a, 0x0b, 0x0c])
    const at = output.indexOf(xid)
    return at < 0 ? Buffer.alloc(0) : output.subarray(at)
  }
}
