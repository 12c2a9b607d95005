// TLS on a connection that is already accepted and has asked for it (RFC 7724 section 8.1, RFC 7653 section 9.1), whichever way
// it is made: tls-socket.ts has Node's own, tls-engine.ts that for many records at a time.
import { constants } from 'node:crypto'
import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Authorities, PeerChain } from './peer-judge.ts'
import type { TlsMaterial } from './tls-files.ts'

/** Lets requestors begin TLS. */
export interface TlsUpgrader {
  /**
   * New handshakes use this; connections that are up stay as they are.
   * @throws the system's error when OpenSSL does not take the material
   */
  replace(material: TlsMaterial): void
  /** Begins on a socket that nobody reads any more. One of `upgrade` is called, unless it closes. */
  start(raw: Socket, upgrade: Upgrade): void
}

export interface Upgrade {
  secured(peer: SecuredPeer): void
  failed(reason: string): void
}

/** What messages travel through, in clear text at this end. */
export interface MessageStream {
  /** To read from, and to end; writing is for `writeMessages`. */
  readonly socket: Duplex & { destroySoon(): void }
  /**
   * Hands over whole messages one behind the other, each with its size before it.
   * @param taken the kernel has them
   */
  writeMessages(frames: Uint8Array, taken: () => void): void
}

export interface SecuredPeer {
  /** Inside TLS. For DHCPv4 each message becomes a TLS record (RFC 7724 section 5.1), also while earlier ones wait. */
  readonly stream: MessageStream
  /** For the log: its names, or the subject where it has none. */
  readonly name: string
  readonly chain: PeerChain
  /** By which OpenSSL has let it in. */
  readonly letInBy: Authorities
  /** Whether a dNSName or iPAddress of its certificate is this name. */
  readonly certifiedFor: (name: string) => boolean
}

/** Milliseconds that a handshake may take: a little more than the session allows, which has the word. */
export const HANDSHAKE_MS = 35_000

/**
 * Each connection shows its certificate, so that what was revoked or replaced has an end. In TLS 1.3 Node sends tickets all the
 * same, which nothing answers to: sessions are not kept.
 */
export const tlsOptions =
  constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION

/** Octets of names in log lines. */
const MAX_NAME = 256
/** Certificates of a requestor that are looked at. */
const MAX_CHAIN = 11

/** In clear text, or where messages may share TLS records. */
export function plainStream(socket: Socket): MessageStream {
  return { socket, writeMessages: (frames, taken) => void socket.write(frames, taken) }
}

/**
 * What the certificates of a requestor that OpenSSL has let in say of it.
 * @param chain its own, then those it brought along
 * @returns why it is not let in all the same
 */
export function peerOf(stream: MessageStream, chain: PeerChain, letInBy: Authorities): SecuredPeer | string {
  const [certificate] = chain
  // OpenSSL takes an authority's own certificate for one of a requestor; any entry with an address would match it.
  if (certificate.ca) return 'its certificate is that of an authority'
  return {
    stream,
    name: (certificate.subjectAltName ?? certificate.subject).slice(0, MAX_NAME),
    chain: [certificate, ...chain.slice(1, MAX_CHAIN)],
    letInBy,
    certifiedFor: (name) => {
      if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined
      // Exact names: a certificate for *.example.net speaks for no one in particular.
      const exact = { subject: 'never', wildcards: false, partialWildcards: false } as const
      return !name.startsWith('.') && certificate.checkHost(name, exact) !== undefined
    },
  }
}

/** Why a handshake failed, in the words of the log. */
export const handshakeFailures = {
  refused: (why: string) => `its certificate is refused: ${why}`,
  noCertificate: 'it shows no certificate',
} as const
