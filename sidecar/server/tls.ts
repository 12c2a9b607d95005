// TLS on a connection that is already accepted and has asked for it (RFC 7724 section 8.1, RFC 7653 section 9.1).
//
// A tls.Server that never listens takes the sockets: a TLSSocket made by hand would let certificates of anybody in, since
// only the server refuses what cannot be verified.
import { constants, type X509Certificate } from 'node:crypto'
import { isIP, type Socket } from 'node:net'
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'
import { codeOf, reasonOf } from '../errors.ts'
import { tlsCiphers, tlsVersions } from '../tls-profile.ts'
import type { Authorities, PeerChain } from './peer-judge.ts'
import type { TlsMaterial } from './tls-files.ts'

/** A little more than the session allows: it has the word. */
const HANDSHAKE_MS = 35_000

export interface SecuredPeer {
  readonly socket: TLSSocket
  /** For the log: its names, or the subject where it has none. */
  readonly name: string
  readonly chain: PeerChain
  /** By which OpenSSL has let it in. */
  readonly letInBy: Authorities
  /** Whether a dNSName or iPAddress of its certificate is this name. */
  readonly certifiedFor: (name: string) => boolean
}

export interface Upgrade {
  secured(peer: SecuredPeer): void
  failed(reason: string): void
}

export class TlsUpgrader {
  readonly #server: Server
  readonly #pending = new WeakMap<object, { readonly upgrade: Upgrade; readonly authorities: Authorities }>()
  #authorities: Authorities

  /** @throws the system's error when OpenSSL does not take the material */
  constructor(material: TlsMaterial) {
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
      // OpenSSL takes an authority's own certificate for one of a requestor; any entry with an address would match it.
      if (certificate.ca) upgrade.failed('its certificate is that of an authority')
      else upgrade.secured(peerOf(socket, certificate, authorities))
    })
    this.#server.on('tlsClientError', (error, socket) => {
      // After a time-out Node leaves it open.
      socket.destroy()
      this.#taken(socket)?.upgrade.failed(failureOf(error, socket))
    })
  }

  /** New handshakes use this; connections that are up stay as they are. @throws as the constructor */
  replace(material: TlsMaterial): void {
    this.#server.setSecureContext(contextOf(material))
    this.#authorities = material.authorities
  }

  /** Lets the requestor begin TLS on a socket that nobody reads any more. One of `upgrade` is called, unless it closes. */
  start(raw: Socket, upgrade: Upgrade): void {
    this.#pending.set(raw, { upgrade, authorities: this.#authorities })
    this.#server.emit('connection', raw)
  }

  #taken(socket: TLSSocket) {
    // Node does not say publicly which socket lies below.
    const raw = (socket as unknown as { _parent?: object })._parent
    if (raw === undefined) return undefined
    const taken = this.#pending.get(raw)
    this.#pending.delete(raw)
    return taken
  }
}

/**
 * Each write becomes a TLS record of its own (RFC 7724 section 5.1), even while earlier ones wait: without _writev a
 * Writable hands them over one by one. Undocumented; a test counts records.
 */
export function oneRecordPerWrite(socket: TLSSocket): void {
  ;(socket as unknown as { _writev: unknown })._writev = null
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
    // Each connection shows its certificate, so that what was revoked or replaced has an end. In TLS 1.3 tickets go out
    // all the same, which nothing answers to: sessions are not kept.
    secureOptions:
      constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
  }
}

/** Octets of names in log lines. */
const MAX_NAME = 256

function peerOf(socket: TLSSocket, certificate: X509Certificate, letInBy: Authorities): SecuredPeer {
  const chain: [X509Certificate, ...X509Certificate[]] = [certificate]
  for (let at = certificate.issuerCertificate; at !== undefined; at = at.issuerCertificate) {
    if (chain.length > 10 || chain.some((one) => one.fingerprint256 === at!.fingerprint256)) break
    chain.push(at)
  }
  return {
    socket,
    name: (certificate.subjectAltName ?? certificate.subject).slice(0, MAX_NAME),
    chain,
    letInBy,
    certifiedFor: (name) => {
      if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined
      // Exact names: a certificate for *.example.net speaks for no one in particular.
      const exact = { subject: 'never', wildcards: false, partialWildcards: false } as const
      return !name.startsWith('.') && certificate.checkHost(name, exact) !== undefined
    },
  }
}

function failureOf(error: Error, socket: TLSSocket): string {
  const unverified: unknown = socket.authorizationError
  if (unverified) return `its certificate is refused: ${String(unverified)}`
  if (codeOf(error) === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'it shows no certificate'
  if (codeOf(error) === 'ECONNRESET') return 'it closed the connection'
  // OpenSSL's texts bring place and line in its source.
  const { reason } = error as { reason?: unknown }
  return typeof reason === 'string' ? reason : reasonOf(error)
}
