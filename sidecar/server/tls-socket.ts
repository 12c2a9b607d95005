// TLS by Node's own TLSSocket.
//
// A tls.Server that never listens takes the sockets: a TLSSocket made by hand would let certificates of anybody in, since
// only the server refuses what cannot be verified.
import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'
import { codeOf, reasonOf } from '../errors.ts'
import { tlsCiphers, tlsVersions } from '../tls-profile.ts'
import { framesOf } from '../wire/framing.ts'
import type { Authorities, PeerChain } from './peer-judge.ts'
import {
  HANDSHAKE_MS,
  handshakeFailures,
  type MessageStream,
  peerOf,
  plainStream,
  type TlsUpgrader,
  tlsOptions,
  type Upgrade,
} from './tls.ts'
import type { TlsMaterial } from './tls-files.ts'

export class SocketUpgrader implements TlsUpgrader {
  readonly #server: Server
  readonly #pending = new WeakMap<object, { readonly upgrade: Upgrade; readonly authorities: Authorities }>()
  #authorities: Authorities

  /**
   * @param streamOf how messages are written
   * @throws the system's error when OpenSSL does not take the material
   */
  constructor(material: TlsMaterial, streamOf: (socket: TLSSocket) => MessageStream = plainStream) {
    this.#authorities = material.authorities
    this.#server = createServer({
      ...contextOf(material),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_MS,
    })
    this.#server.on('secureConnection', (socket) => {
      const taken = this.#taken(socket)
      const certificate = socket.getPeerX509Certificate()
      if (taken === undefined || !socket.authorized || certificate === undefined) {
        socket.destroy()
        return
      }
      const { upgrade, authorities } = taken
      const peer = peerOf(streamOf(socket), chainOf(certificate), authorities)
      if (typeof peer === 'string') upgrade.failed(peer)
      else upgrade.secured(peer)
    })
    this.#server.on('tlsClientError', (error, socket) => {
      // After a time-out Node leaves it open.
      socket.destroy()
      const taken = this.#taken(socket)
      taken?.upgrade.failed(failureOf(error, socket))
      taken?.raw.destroy()
    })
  }

  replace(material: TlsMaterial): void {
    this.#server.setSecureContext(contextOf(material))
    this.#authorities = material.authorities
  }

  start(raw: Socket, upgrade: Upgrade): void {
    this.#pending.set(raw, { upgrade, authorities: this.#authorities })
    this.#server.emit('connection', raw)
  }

  #taken(socket: TLSSocket) {
    // Node does not say publicly which socket lies below.
    const raw = (socket as unknown as { _parent?: Socket })._parent
    const pending = raw && this.#pending.get(raw)
    if (pending === undefined) return undefined
    this.#pending.delete(raw!)
    return { ...pending, raw: raw! }
  }
}

/**
 * Each message becomes a TLS record of its own (RFC 7724 section 5.1), even while earlier ones wait: without _writev a
 * Writable hands them over one by one, one a turn of the event loop. Undocumented; a test counts records.
 */
export function oneRecordPerMessage(socket: TLSSocket): MessageStream {
  ;(socket as unknown as { _writev: unknown })._writev = null
  return {
    socket,
    writeMessages: (frames, taken) => {
      const messages = framesOf(frames)
      const last = messages.pop()
      for (const message of messages) socket.write(message)
      if (last !== undefined) socket.write(last, taken)
    },
  }
}

function contextOf(material: TlsMaterial): SecureContextOptions {
  return {
    ca: [...material.ca],
    ...(material.crl.length > 0 ? { crl: [...material.crl] } : {}),
    cert: material.cert,
    key: material.key,
    ...tlsVersions,
    ciphers: tlsCiphers,
    honorCipherOrder: true,
    secureOptions: tlsOptions,
  }
}

function chainOf(certificate: X509Certificate): PeerChain {
  const chain: [X509Certificate, ...X509Certificate[]] = [certificate]
  for (let at = certificate.issuerCertificate; at !== undefined; at = at.issuerCertificate) {
    if (chain.length > 10 || chain.some((one) => one.fingerprint256 === at!.fingerprint256)) break
    chain.push(at)
  }
  return chain
}

function failureOf(error: Error, socket: TLSSocket): string {
  const unverified: unknown = socket.authorizationError
  if (unverified) return handshakeFailures.refused(String(unverified))
  if (codeOf(error) === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return handshakeFailures.noCertificate
  if (codeOf(error) === 'ECONNRESET') return 'it closed the connection'
  // OpenSSL's texts bring place and line in its source.
  const { reason } = error as { reason?: unknown }
  return typeof reason === 'string' ? reason : reasonOf(error)
}
