// The certificate of this server, its key and the authorities that requestors are judged by, read and looked at before they
// are used: OpenSSL takes an empty trust anchor without a word, and a key that does not fit only fails in a handshake.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { reasonOf, SidecarError } from '../errors.ts'
import type { Authorities } from './peer-judge.ts'
import { readRevocationList } from './revocation.ts'

/** Paths, as in kea.conf. */
export interface TlsPlaces {
  readonly trustAnchor: string
  readonly certFile: string
  readonly keyFile: string
}

export interface TlsMaterial {
  /** PEM, one certificate each. */
  readonly ca: readonly string[]
  /** PEM: revocation lists that stand beside the authorities. */
  readonly crl: readonly string[]
  /** PEM: the certificate, then those that lead to its authority. */
  readonly cert: string
  readonly key: string
  /** For connections that are up, read from `ca` and `crl`. */
  readonly authorities: Authorities
  /** What ends one day, and then keeps requestors out. */
  readonly ends: readonly Ending[]
  /** The key file may be read by everybody. */
  readonly keyExposed: boolean
}

export interface Ending {
  readonly what: 'certificate' | 'certificate of an authority' | 'revocation list'
  /** File, or folder. */
  readonly path: string
  /** Unix milliseconds. */
  readonly at: number
}

/** Octets read of one file at most: more is no certificate. */
const MAX_FILE = 4 * 1024 * 1024
/** Files of a folder looked at. */
const MAX_FILES = 1000

/** @throws SidecarError ALQ_TLS_MISSING, ALQ_TLS_FILE; `fields.parameter` names the parameter */
export function readTlsFiles(places: TlsPlaces): TlsMaterial {
  for (const [parameter, path] of parametersOf(places)) {
    if (path === '') throw new SidecarError('ALQ_TLS_MISSING', { parameter })
  }
  const { ca, crl, authorities } = readAuthorities(places.trustAnchor)
  const { cert, leaf } = readCertificate(places.certFile)
  const key = readKey(places.keyFile, { leaf, certFile: places.certFile })
  return {
    ca,
    crl,
    cert,
    key,
    authorities,
    ends: endings(places, leaf, authorities),
    keyExposed: (statSync(places.keyFile).mode & 0o007) !== 0,
  }
}

type TlsFault = SidecarError<'ALQ_TLS_MISSING' | 'ALQ_TLS_FILE'>

/** All that keeps these from being used, where {@link readTlsFiles} stops at the first; each file is read by itself. */
export function tlsFaults(places: TlsPlaces, wallMs: number): TlsFault[] {
  const faults: TlsFault[] = []
  const attempt = <T>(parameter: string, path: string, read: () => T): T | undefined => {
    try {
      if (path === '') throw new SidecarError('ALQ_TLS_MISSING', { parameter })
      return read()
    } catch (error) {
      faults.push(error as TlsFault)
      return undefined
    }
  }
  const { trustAnchor, certFile, keyFile } = places
  attempt('tls.trust-anchor', trustAnchor, () => readAuthorities(trustAnchor))
  const leaf = attempt('tls.cert-file', certFile, () => {
    const { leaf } = readCertificate(certFile)
    return at('tls.cert-file', certFile, () => {
      if (Date.parse(leaf.validFrom) > wallMs) throw new Error(`it is valid from ${leaf.validFrom} on only`)
      return leaf
    })
  })
  attempt('tls.key-file', keyFile, () => readKey(keyFile, leaf && { leaf, certFile }))
  return faults
}

function parametersOf(places: TlsPlaces): [parameter: string, path: string][] {
  return [
    ['tls.trust-anchor', places.trustAnchor],
    ['tls.cert-file', places.certFile],
    ['tls.key-file', places.keyFile],
  ]
}

function readKey(path: string, of: { leaf: X509Certificate; certFile: string } | undefined): string {
  return at('tls.key-file', path, () => {
    const text = readText(path)
    const key = createPrivateKey(text)
    if (of !== undefined && !of.leaf.checkPrivateKey(key))
      throw new Error(`it is not the key of the certificate in ${of.certFile}`)
    return text
  })
}

function endings(
  places: TlsPlaces,
  leaf: X509Certificate,
  { trusted, revocationLists }: Authorities,
): Ending[] {
  const { certFile, trustAnchor: path } = places
  // Of each kind the one that ends first; the others are told of once that one is replaced.
  const first = (what: Ending['what'], times: readonly (number | undefined)[]): Ending[] => {
    const known = times.filter((at) => at !== undefined && !Number.isNaN(at)) as number[]
    return known.length === 0 ? [] : [{ what, path, at: Math.min(...known) }]
  }
  return [
    { what: 'certificate', path: certFile, at: Date.parse(leaf.validTo) },
    ...first(
      'certificate of an authority',
      trusted.map(({ validTo }) => Date.parse(validTo)),
    ),
    ...first(
      'revocation list',
      revocationLists.map(({ nextUpdate }) => nextUpdate),
    ),
  ]
}

function readAuthorities(path: string): { ca: string[]; crl: string[]; authorities: Authorities } {
  return at('tls.trust-anchor', path, () => {
    const texts = statSync(path).isDirectory() ? readFolder(path) : [readText(path)]
    const ca = texts.flatMap((text) => blocks(text, 'CERTIFICATE'))
    const crl = texts.flatMap((text) => blocks(text, 'X509 CRL'))
    if (ca.length === 0) throw new Error('there is no certificate in it')
    // A folder of OpenSSL's holds each file twice, the second time under its hash.
    const unique = { ca: [...new Set(ca)], crl: [...new Set(crl)] }
    const authorities = {
      trusted: unique.ca.map((pem) => new X509Certificate(pem)),
      revocationLists: unique.crl.map(readRevocationList),
    }
    return { ...unique, authorities }
  })
}

function readFolder(path: string): string[] {
  const names = readdirSync(path).sort()
  if (names.length > MAX_FILES) throw new Error(`more than ${MAX_FILES} files are in it`)
  return names
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile())
    .map(readText)
}

function readCertificate(path: string): { cert: string; leaf: X509Certificate } {
  return at('tls.cert-file', path, () => {
    const chain = blocks(readText(path), 'CERTIFICATE')
    if (chain.length === 0) throw new Error('there is no certificate in it')
    const [leaf] = chain.map((pem) => new X509Certificate(pem))
    return { cert: chain.join('\n'), leaf: leaf! }
  })
}

function readText(path: string): string {
  const about = statSync(path)
  // Reading a pipe or a device would not end.
  if (!about.isFile()) throw new Error(`${path} is no file`)
  const { size } = about
  if (size > MAX_FILE) throw new Error(`${path} has ${size} octets, more than the ${MAX_FILE} allowed`)
  return readFileSync(path, 'utf8')
}

function blocks(text: string, kind: string): string[] {
  return text.match(new RegExp(`-----BEGIN ${kind}-----[^-]*-----END ${kind}-----`, 'g')) ?? []
}

function at<T>(parameter: string, path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new SidecarError('ALQ_TLS_FILE', { parameter, path, reason: reasonOf(error) }, { cause: error })
  }
}
