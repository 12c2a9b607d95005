// Revocation lists, as far as connections that are up have to be judged by them (RFC 5280 section 5). Handshakes are judged by
// OpenSSL, which also checks that a list is signed by its authority.
import type { X509Certificate } from 'node:crypto'
import { type DerElement, DerTag, derElements, derTime } from './der.ts'

export interface RevocationList {
  /** Hexadecimal DER of the authority's name. */
  readonly issuer: string
  /** Hexadecimal, as they stand in the list. */
  readonly serials: ReadonlySet<string>
  /** Unix milliseconds from which a newer list is wanted; undefined = not said. */
  readonly nextUpdate: number | undefined
}

/** @param pem one block `X509 CRL` @throws Error with a reason */
export function readRevocationList(pem: string): RevocationList {
  try {
    const der = Buffer.from(pem.replace(/-----[^-]*-----|\s/g, ''), 'base64')
    const [list] = derElements(der)
    const [signed] = derElements(sequence(list))
    return ofSigned(derElements(sequence(signed)))
  } catch (error) {
    throw new Error(`a revocation list in it cannot be read: ${(error as Error).message}`)
  }
}

/** TBSCertList: version?, signature, issuer, thisUpdate, nextUpdate?, revokedCertificates?, extensions? */
function ofSigned(parts: readonly DerElement[]): RevocationList {
  const [, issuer, thisUpdate, ...rest] = parts[0]?.tag === DerTag.integer ? parts.slice(1) : parts
  if (issuer?.tag !== DerTag.sequence || thisUpdate === undefined) throw new Error('parts are missing')
  const [maybeNext] = rest
  const hasNext = maybeNext?.tag === DerTag.utcTime || maybeNext?.tag === DerTag.generalizedTime
  const revoked = rest[hasNext ? 1 : 0]
  const serials = new Set<string>()
  if (revoked?.tag === DerTag.sequence) {
    for (const entry of derElements(revoked.value)) {
      const [serial] = derElements(sequence(entry))
      if (serial?.tag === DerTag.integer) serials.add(hex(serial.value))
    }
  }
  return { issuer: hex(issuer.whole), serials, nextUpdate: hasNext ? derTime(maybeNext!) : undefined }
}

/** Whether one of the lists names this certificate. */
export function isRevoked(certificate: X509Certificate, lists: readonly RevocationList[]): boolean {
  if (lists.length === 0) return false
  const { issuer, serial } = namesOf(certificate.raw)
  return lists.some((list) => list.issuer === issuer && list.serials.has(serial))
}

/** TBSCertificate: [0] version?, serialNumber, signature, issuer, ... (RFC 5280 section 4.1) */
function namesOf(der: Uint8Array): { issuer: string; serial: string } {
  const [certificate] = derElements(der)
  const [signed] = derElements(sequence(certificate))
  const parts = derElements(sequence(signed))
  const [serial, , issuer] = parts[0]?.tag === DerTag.integer ? parts : parts.slice(1)
  return { issuer: hex(issuer?.whole ?? []), serial: hex(serial?.value ?? []) }
}

function sequence(element: DerElement | undefined): Uint8Array {
  if (element?.tag !== DerTag.sequence) throw new Error('a SEQUENCE is missing')
  return element.value
}

function hex(octets: Uint8Array | readonly number[]): string {
  return Buffer.from(octets).toString('hex')
}
