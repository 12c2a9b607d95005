// Whether the certificate of a requestor that is connected would still be let in: handshakes are judged by OpenSSL once,
// but an active query lasts for months, and authorities, revocation lists and time move on meanwhile.
import type { X509Certificate } from 'node:crypto'
import { isRevoked, type RevocationList } from './revocation.ts'

/** By what certificates are judged. */
export interface Authorities {
  readonly trusted: readonly X509Certificate[]
  readonly revocationLists: readonly RevocationList[]
}

/** The certificate of a requestor, and those it brought along that lead to its authority. */
export type PeerChain = readonly [X509Certificate, ...X509Certificate[]]

/** Nothing leads from it to an authority; where the certificates in between are not known, this may only seem so. */
export const NO_PATH = 'its authority is not trusted any more'

/** Certificates between one of a requestor and its authority, at most. */
const MAX_PATH = 10

/**
 * @param wallMs Unix milliseconds
 * @returns why it is not let in any more, or the Unix milliseconds at which a certificate on the way to its authority ends
 */
export function judgePeer(chain: PeerChain, authorities: Authorities, wallMs: number): string | number {
  const { trusted, revocationLists } = authorities
  let current: X509Certificate = chain[0]
  let ends = Number.POSITIVE_INFINITY
  for (let step = 0; step < MAX_PATH; step++) {
    const until = Date.parse(current.validTo)
    if (until <= wallMs) return step === 0 ? 'it has ended' : 'that of its authority has ended'
    ends = Math.min(ends, until)
    const anchor = trusted.find((one) => one.fingerprint256 === current.fingerprint256)
    if (anchor !== undefined && issuedBy(current, current)) return ends
    if (isRevoked(current, revocationLists)) return 'it is revoked'
    const issuer = [...trusted, ...chain].find((one) => one !== current && issuedBy(current, one))
    if (issuer === undefined) return NO_PATH
    current = issuer
  }
  return NO_PATH
}

function issuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

/**
 * Judges one that OpenSSL has just let in. Some releases of Node (24.21; nodejs/node issue 65579) keep from a server what a
 * requestor brought along between its certificate and its authority: then OpenSSL's word stands, as long as the authorities are
 * still those it knew.
 * @returns as {@link judgePeer}
 */
export function judgeNewPeer(
  chain: PeerChain,
  letInBy: Authorities,
  authorities: Authorities,
  wallMs: number,
): string | number {
  const judged = judgePeer(chain, authorities, wallMs)
  const hidden = judged === NO_PATH && chain.length === 1 && letInBy === authorities
  return hidden ? Date.parse(chain[0].validTo) : judged
}
