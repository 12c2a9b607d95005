// The certificate of this server, its key and the authorities that requestors are judged by, read and looked at before they
// are used: OpenSSL takes an empty trust anchor without a word, and a key that does not fit only fails in a handshake.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { reasonOf, SidecarError } from '../errors.ts'

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
  /** Unix milliseconds from which the certificate is worth nothing. */
  readonly expires: number
}

/** Octets read of one file at most: more is no certificate. */
const MAX_FILE = 4 * 1024 * 1024
/** Files of a folder looked at. */
const MAX_FILES = 1000

/** @throws SidecarError ALQ_TLS_MISSING, ALQ_TLS_FILE; `fields.parameter` names the parameter */
export function readTlsFiles(places: TlsPlaces): TlsMaterial {
  const parameters = [
    ['tls.trust-anchor', places.trustAnchor],
    ['tls.cert-file', places.certFile],
    ['tls.key-file', places.keyFile],
  ] as const
  for (const [parameter, path] of parameters) {
    if (path === '') throw new SidecarError('ALQ_TLS_MISSING', { parameter })
  }
  const [{ ca, crl }, { cert, leaf }] = [
    readAuthorities(places.trustAnchor),
    readCertificate(places.certFile),
  ]
  const key = at('tls.key-file', places.keyFile, () => {
    const text = readText(places.keyFile)
    if (!leaf.checkPrivateKey(createPrivateKey(text)))
      throw new Error(`it is not the key of the certificate in ${places.certFile}`)
    return text
  })
  return { ca, crl, cert, key, expires: Date.parse(leaf.validTo) }
}

function readAuthorities(path: string): { ca: string[]; crl: string[] } {
  return at('tls.trust-anchor', path, () => {
    const texts = statSync(path).isDirectory() ? readFolder(path) : [readText(path)]
    const ca = texts.flatMap((text) => blocks(text, 'CERTIFICATE'))
    const crl = texts.flatMap((text) => blocks(text, 'X509 CRL'))
    if (ca.length === 0) throw new Error('there is no certificate in it')
    for (const pem of ca) new X509Certificate(pem)
    // A folder of OpenSSL's holds each file twice, the second time under its hash.
    return { ca: [...new Set(ca)], crl: [...new Set(crl)] }
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
  const { size } = statSync(path)
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
