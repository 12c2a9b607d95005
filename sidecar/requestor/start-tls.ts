// TLS from the requestor's side: asked for in clear text, then begun on the same connection (RFC 7724 section 7.2,
// RFC 7653 section 8.2). Whatever goes wrong ends the connection: there is no way back to clear text.
import { X509Certificate } from 'node:crypto'
import { isIPv6, type Socket } from 'node:net'
import { checkServerIdentity, connect, type PeerCertificate } from 'node:tls'
import { reasonOf, SidecarError } from '../errors.ts'
import { tlsCiphers, tlsVersions } from '../tls-profile.ts'
import { Framer } from '../wire/framing.ts'
import { decodeMessage4, encodeFrame4 } from '../wire/v4/codec.ts'
import { MessageType4, Op } from '../wire/v4/messages.ts'
import { statusNames4 } from '../wire/v4/status.ts'
import { decodeMessage6, encodeFrame6 } from '../wire/v6/codec.ts'
import { MessageType6 } from '../wire/v6/messages.ts'
import { statusNames6 } from '../wire/v6/status.ts'

/** PEM, all of it. */
export interface RequestorTls {
  /** Authorities that the server's certificate is judged by. */
  readonly ca: string | Buffer
  readonly cert: string | Buffer
  readonly key: string | Buffer
  /** Name or address that the server's certificate must have; the host connected to, without it. */
  readonly servername?: string | undefined
}

/** For the go-ahead, and then for the handshake. */
const TLS_SECONDS = 30

/**
 * @param peer for errors
 * @throws SidecarError ALQ_TLS; the socket is destroyed then
 */
export async function startTls(
  socket: Socket,
  family: 4 | 6,
  tls: RequestorTls,
  peer: { readonly address: string; readonly port: number },
  seconds = TLS_SECONDS,
): Promise<Socket> {
  try {
    await goAhead(socket, family, seconds)
    return await handshake(socket, tls, peer.address, seconds)
  } catch (error) {
    socket.destroy()
    throw new SidecarError('ALQ_TLS', { ...peer, reason: reasonOf(error) }, { cause: error })
  }
}

/**
 * Asks for TLS and waits until the server agrees.
 * @throws Error saying what it did instead
 */
export function goAhead(socket: Socket, family: 4 | 6, seconds: number): Promise<void> {
  const xid = Math.floor(Math.random() * 0x1000000)
  const framer = new Framer()
  return new Promise((resolve, reject) => {
    const done = (error?: Error) => {
      socket.off('data', onData).off('error', done).off('close', onClose).off('end', onClose)
      clearTimeout(timer)
      socket.pause()
      if (error === undefined) resolve()
      else reject(error)
    }
    const timer = setTimeout(
      () => done(new Error(`the server did not answer within ${seconds} s`)),
      1000 * seconds,
    )
    const onClose = () => done(new Error('the server closed the connection instead of an answer'))
    const onData = (octets: Buffer) => {
      try {
        framer.push(octets)
        const message = framer.next()
        if (message === undefined) return
        if (framer.buffered > 0) throw new Error('octets in clear text came behind the go-ahead')
        checkAnswer(message, family, xid)
        done()
      } catch (error) {
        done(error as Error)
      }
    }
    socket.on('data', onData).on('error', done).on('close', onClose).on('end', onClose)
    socket.write(startFrame(family, xid))
  })
}

/** DHCPTLS or STARTTLS, without options. */
export function startFrame(family: 4 | 6, xid: number): Uint8Array {
  return family === 4
    ? encodeFrame4({ op: Op.request, type: MessageType4.tls, xid, options: {} })
    : encodeFrame6({ type: MessageType6.startTls, xid, options: {} })
}

function checkAnswer(octets: Uint8Array, family: 4 | 6, xid: number): void {
  const [message, type, names] =
    family === 4
      ? [decodeMessage4(octets), MessageType4.tls, statusNames4]
      : [decodeMessage6(octets), MessageType6.reply, statusNames6]
  if (message.type !== type || message.xid !== xid) {
    throw new Error(`message ${message.type} with transaction-id ${message.xid} is no answer to it`)
  }
  const { status } = message.options
  if (status === undefined || status.code === 0) return
  throw new Error(`it answered ${names[status.code] ?? status.code}${status.text && ` (${status.text})`}`)
}

/**
 * Node's own check, but for IPv6 addresses: Node 22.23 finds none of those among a certificate's names. OpenSSL does.
 * @returns why it is not; undefined = it is
 */
function isCertifiedFor(host: string, certificate: PeerCertificate): Error | undefined {
  const fault = checkServerIdentity(host, certificate)
  if (fault === undefined || !isIPv6(host)) return fault
  return new X509Certificate(certificate.raw).checkIP(host) === undefined ? fault : undefined
}

function handshake(socket: Socket, tls: RequestorTls, host: string, seconds: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const secure = connect({
      socket,
      // Names go into the ClientHello as well; addresses must not (RFC 6066 section 3).
      host: tls.servername ?? host,
      ca: tls.ca,
      cert: tls.cert,
      key: tls.key,
      ...tlsVersions,
      ciphers: tlsCiphers,
      checkServerIdentity: isCertifiedFor,
    })
    const timer = setTimeout(
      () => secure.destroy(new Error(`no TLS handshake within ${seconds} s`)),
      1000 * seconds,
    )
    const closed = () => reject(new Error('the server closed the connection in the handshake'))
    secure.once('close', closed)
    secure.once('error', reject)
    secure.once('secureConnect', () => {
      clearTimeout(timer)
      secure.off('close', closed).off('error', reject)
      resolve(secure)
    })
    secure.once('close', () => clearTimeout(timer))
  })
}
