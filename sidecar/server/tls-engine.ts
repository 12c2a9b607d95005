// TLS by tls-engine.node, which makes a record of each message (RFC 7724 section 5.1) and many of them in one call.
import { constants, X509Certificate } from 'node:crypto'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { reasonOf } from '../errors.ts'
import { tlsCiphers, tlsVersions } from '../tls-profile.ts'
import type { Authorities, PeerChain } from './peer-judge.ts'
import { handshakeFailures, peerOf, type TlsUpgrader, tlsOptions, type Upgrade } from './tls.ts'
import { EngineStream } from './tls-engine-stream.ts'
import type { TlsMaterial } from './tls-files.ts'

/** What tls-engine.node is. */
export interface TlsEngine {
  /** What the connections of a service share. Throws Error with a reason where OpenSSL does not take it. */
  readonly Context: new (
    settings: EngineSettings,
  ) => EngineContext
  /** The OpenSSL whose headers it was compiled with, as OpenSSL writes it: `OpenSSL 3.0.19 27 Jan 2026`. */
  readonly builtFor: string
  /** The one that it calls. */
  readonly running: string
}

export interface EngineSettings {
  /** PEM, one each. */
  readonly ca: readonly string[]
  readonly crl: readonly string[]
  /** PEM: the certificate, then those that lead to its authority. */
  readonly cert: string
  readonly key: string
  /** As on the wire: 0x0304 is TLS 1.3. */
  readonly minVersion: number
  readonly maxVersion: number
  /** Those of TLS 1.3, and those of older versions; OpenSSL's lists. */
  readonly cipherSuites: string
  readonly ciphers: string
  /** SSL_OP_… */
  readonly options: number
  /** After so many records a new key is taken, in TLS 1.3. */
  readonly recordsPerKey: number
}

export interface EngineContext {
  /** The server's end of one connection. */
  accept(): ConnectionEngine
}

export interface ConnectionEngine {
  /** Takes what came from the socket. After a failure it takes nothing more. */
  feed(octets: Uint8Array): Fed
  /**
   * Makes ciphertext of whole messages, each with its size before it, in one record each.
   * @param into has room for them
   * @returns how many octets it is
   * @throws Error; then it is of no use any more
   */
  write(frames: Uint8Array, into: Uint8Array): number
  /** Ciphertext of close_notify (RFC 8446 section 6.1); nothing is written after it. */
  close(): Uint8Array
  /** DER: of the requestor's certificate, then of those it brought along. */
  certificates(): readonly Uint8Array[]
  /** Gives its memory back. */
  release(): void
}

export interface Fed {
  /** `ended`: by close_notify. */
  readonly state: 'handshake' | 'up' | 'ended' | 'failed'
  /** Ciphertext: answers of the handshake, alerts, new keys. */
  readonly toSend?: Uint8Array
  /** What the requestor said. */
  readonly received?: Uint8Array
  /** OpenSSL's, of a failure. */
  readonly reason?: string
  /** Where its certificate is why: the name of the fault, as Node writes it. */
  readonly refusal?: string
}

/**
 * RFC 8446 section 5.5: a key of AES-GCM is good for 2^24.5 full records, and a new one SHOULD be taken before. An active query
 * lasts for months.
 */
const RECORDS_PER_KEY = 2 ** 24

/** RFC 8446 section 4.2.1, RFC 5246 section 6.2.1. */
const wireVersions = { 'TLSv1.2': 0x0303, 'TLSv1.3': 0x0304 } as const

/** It, or why this Node cannot use it. */
export type AvailableTlsEngine = { readonly engine: TlsEngine } | { readonly missing: string }

export function availableTlsEngine(): AvailableTlsEngine {
  try {
    const engine = createRequire(import.meta.url)('./tls-engine.node') as TlsEngine
    const missing = misfit(engine, process.versions.openssl ?? 'none')
    return missing === undefined ? { engine } : { missing }
  } catch (error) {
    // Below it Node lists who asked for the file.
    return { missing: reasonOf(error).split('\n')[0]! }
  }
}

/**
 * Why an engine does not fit this Node, whose OpenSSL it has to call: within a major version of that, what is compiled for one
 * release runs with another.
 */
export function misfit(
  { builtFor, running }: Pick<TlsEngine, 'builtFor' | 'running'>,
  ofNode: string,
): string | undefined {
  const [own, built, called] = [ofNode, builtFor, running].map(versionOf) as [string, string, string]
  const major = (version: string) => version.split('.')[0]
  if (major(built) !== major(own)) return `it was built for OpenSSL ${built}, Node has ${own}`
  if (called !== own) return `it calls OpenSSL ${called}, Node has ${own}`
  return undefined
}

/** `3.0.19` of `OpenSSL 3.0.19 27 Jan 2026`, and of `3.0.19+quic`. */
function versionOf(text: string): string {
  return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? text
}

export class EngineUpgrader implements TlsUpgrader {
  readonly #engine: TlsEngine
  readonly #recordsPerKey: number
  #context: EngineContext
  #authorities: Authorities

  /** @throws Error with OpenSSL's reason when it does not take the material */
  constructor(engine: TlsEngine, material: TlsMaterial, recordsPerKey: number = RECORDS_PER_KEY) {
    this.#engine = engine
    this.#recordsPerKey = recordsPerKey
    this.#context = this.#contextOf(material)
    this.#authorities = material.authorities
  }

  replace(material: TlsMaterial): void {
    this.#context = this.#contextOf(material)
    this.#authorities = material.authorities
  }

  start(raw: Socket, upgrade: Upgrade): void {
    const authorities = this.#authorities
    const engine = this.#context.accept()
    const stream = new EngineStream(raw, engine, {
      up: () => {
        const [first, ...rest] = engine.certificates().map((der) => new X509Certificate(der))
        // OpenSSL does not let anybody in without one.
        if (first === undefined) return upgrade.failed(handshakeFailures.noCertificate)
        const chain: PeerChain = [first, ...rest]
        const peer = peerOf(stream, chain, authorities)
        if (typeof peer === 'string') upgrade.failed(peer)
        else upgrade.secured(peer)
      },
      failed: (reason) => upgrade.failed(reason),
    })
  }

  #contextOf({ ca, crl, cert, key }: TlsMaterial): EngineContext {
    const ciphers = tlsCiphers.split(':')
    const isSuite = (cipher: string) => cipher.startsWith('TLS_')
    return new this.#engine.Context({
      ca,
      crl,
      cert,
      key,
      minVersion: wireVersions[tlsVersions.minVersion],
      maxVersion: wireVersions[tlsVersions.maxVersion],
      cipherSuites: ciphers.filter(isSuite).join(':'),
      ciphers: ciphers.filter((cipher) => !isSuite(cipher)).join(':'),
      options: tlsOptions | constants.SSL_OP_CIPHER_SERVER_PREFERENCE,
      recordsPerKey: this.#recordsPerKey,
    })
  }
}
