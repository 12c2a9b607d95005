// `leasequery check`: tries what a server has to offer, and names what is wrong in one sentence.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { codeOf, reasonOf, SidecarError } from '../errors.ts'
import { ActiveRequestor } from './active-requestor.ts'
import { BulkRequestor } from './bulk-requestor.ts'
import type { RequestorEvent } from './events.ts'
import { type FaultName, faults } from './faults.ts'
import { openSocket, peerOf, type ServerPlace } from './open-socket.ts'
import { goAhead } from './start-tls.ts'

/** Seconds that each question may take. */
const PATIENCE_SECONDS = 10
/** Start times tried, in seconds back. */
const ladder: readonly number[] = [60, 600, 3600, 6 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400]

export interface CheckReport {
  readonly family: 4 | 6
  readonly host: string
  readonly port: number
  /** undefined: all is well. */
  readonly fault: FaultName | undefined
  readonly sentence: string
  /** The connection was made secure. */
  readonly tls: boolean
  readonly active: boolean
  readonly bulk: boolean
  /** Seconds that a start time may lie back: so many are served, and so many are too far; undefined: not known. */
  readonly history: { readonly served: number; readonly tooFar: number | undefined } | undefined
  /** Seconds by which the server's clock is ahead of ours. */
  readonly clockAhead: number | undefined
}

/** What came of one question. */
type Outcome =
  | { readonly got: 'answer'; readonly event: RequestorEvent }
  | { readonly got: 'served' }
  | { readonly got: 'refusal'; readonly status: string; readonly text: string }
  | { readonly got: 'closed'; readonly error: SidecarError }
  | { readonly got: 'silence' }

interface Found {
  readonly fault: FaultName | undefined
  readonly reason?: string
  readonly tls?: boolean
  readonly active?: boolean
  readonly bulk?: boolean
  readonly history?: CheckReport['history']
  readonly clockAhead?: number | undefined
}

/** @param duid DHCPv6 Client-ID of the requestor */
export async function check(place: ServerPlace, duid?: Uint8Array): Promise<CheckReport> {
  const { address: host, port } = peerOf(place)
  const { family } = place
  const found = await new Check(place, duid).run()
  const { fault, reason = '', tls = false, active = false, bulk = false, history, clockAhead } = found
  const what = tls ? 'over TLS' : 'in clear text'
  const sentence =
    fault === undefined
      ? `${host} port ${port} serves DHCPv${family} Active and Bulk Leasequery ${what}`
      : faults[fault].sentence({ host, port, family, reason })
  return { family, host, port, fault, sentence, tls, active, bulk, history, clockAhead }
}

class Check {
  readonly #place: ServerPlace
  readonly #duid: Uint8Array | undefined

  constructor(place: ServerPlace, duid: Uint8Array | undefined) {
    this.#place = place
    this.#duid = duid
  }

  async run(): Promise<Found> {
    const own = this.#ownCertificate()
    if (own !== undefined) return { fault: 'own-certificate', reason: own }
    const clear = { ...this.#place, tls: undefined }
    try {
      const socket = await openSocket(clear, '')
      socket.destroy()
    } catch (error) {
      const found = connectFault(error)
      if (found !== undefined) return found
    }
    if (this.#place.tls !== undefined) {
      const found = await this.#tryTls()
      if (found !== undefined) return found
    }
    const active = await this.#askActive(this.#place, Math.floor(Date.now() / 1000))
    const bulk = await this.#askBulk()
    return this.#judge(active, bulk)
  }

  /** What is wrong with our own files, as far as they tell by themselves. */
  #ownCertificate(): string | undefined {
    const { tls } = this.#place
    if (tls === undefined) return undefined
    try {
      const certificate = new X509Certificate(tls.cert)
      if (!certificate.checkPrivateKey(createPrivateKey(tls.key))) {
        return 'the file of --tls-key holds the key of another certificate'
      }
      if (Date.parse(certificate.validTo) < Date.now()) {
        return `it expired on ${certificate.validTo}: replace the file of --tls-cert`
      }
      if (Date.parse(certificate.validFrom) > Date.now()) {
        return `it is valid from ${certificate.validFrom} on only: look at the clock of this host`
      }
    } catch (error) {
      return `its files cannot be read as PEM: ${reasonOf(error)}`
    }
    return undefined
  }

  /** A TLS connection and nothing more; undefined = it came up, as far as this side sees. */
  async #tryTls(): Promise<Found | undefined> {
    const { host, tls } = this.#place
    try {
      const socket = await openSocket(this.#place, '')
      socket.destroy()
      return undefined
    } catch (error) {
      const alert = alertOf(error)
      if (alert !== undefined) return { fault: 'own-certificate', reason: alert }
      const theirs = certificateFault(error, tls?.servername ?? host)
      if (theirs !== undefined) return { fault: 'server-certificate', reason: theirs }
      const reason = reasonOf((error as Error).cause ?? error)
      if (/TLSConnectionRefused/.test(reason)) return { fault: 'tls-refused', reason: 'TLSConnectionRefused' }
      if (
        /instead of an answer|no answer to it|did not answer/.test(reason) ||
        codeOf(error) === 'ALQ_SERVER_CLOSED'
      ) {
        // It does not know the message, or it does not know us.
        const clear = await this.#askActive({ ...this.#place, tls: undefined }, 0)
        return clear.got === 'closed'
          ? this.#stranger()
          : { fault: 'tls-refused', reason: 'it does not answer that' }
      }
      return { fault: 'tls-failed', reason }
    }
  }

  async #judge(active: Outcome, bulk: Outcome): Promise<Found> {
    const tls = this.#place.tls !== undefined
    const broken = [active, bulk].find(
      (outcome) => outcome.got === 'closed' && codeOf(outcome.error) === 'ALQ_SERVER_PROTOCOL',
    )
    if (broken?.got === 'closed')
      return { fault: 'no-leasequery', reason: broken.error.fields['reason' as never] }
    if (active.got === 'closed' && bulk.got === 'closed') return this.#allClosed(active, bulk)
    const serves = { tls, active: active.got === 'answer', bulk: bulk.got === 'served' }
    if (active.got === 'silence' && bulk.got !== 'served') {
      return { fault: 'no-leasequery', reason: `it says nothing within ${PATIENCE_SECONDS} s`, ...serves }
    }
    const why = (outcome: Outcome) =>
      outcome.got === 'refusal'
        ? `${outcome.status}${outcome.text && `: ${outcome.text}`}`
        : outcome.got === 'closed'
          ? 'it closes the connection'
          : 'it does not answer'
    if (active.got !== 'answer') {
      const busy = active.got === 'refusal' && active.status === 'QueryTerminated'
      return { fault: busy ? 'not-ready' : 'active-off', reason: why(active), ...serves }
    }
    const clock = this.#clock(active)
    if (bulk.got !== 'served') {
      const busy = bulk.got === 'refusal' && bulk.status === 'QueryTerminated'
      return { fault: busy ? 'not-ready' : 'bulk-off', reason: why(bulk), ...serves, ...clock }
    }
    const now = Math.floor(Date.now() / 1000) + (clock.clockAhead ?? 0)
    return { fault: undefined, ...serves, ...clock, history: await this.#history(now) }
  }

  #clock(active: Extract<Outcome, { got: 'answer' }>): { clockAhead: number | undefined } {
    const { baseTime } = active.event
    return { clockAhead: baseTime === undefined ? undefined : Math.round(baseTime - Date.now() / 1000) }
  }

  /** Neither query is answered. */
  async #allClosed(
    active: Extract<Outcome, { got: 'closed' }>,
    bulk: Extract<Outcome, { got: 'closed' }>,
  ): Promise<Found> {
    if (this.#place.tls !== undefined) {
      // With TLS 1.3 the server judges our certificate after our side is up: its alert comes instead of an answer, if it
      // sends one at all.
      const reason = alertOf(active.error) ?? alertOf(bulk.error) ?? this.#rejected()
      return { fault: 'own-certificate', reason }
    }
    const answer = await askForTls(this.#place, PATIENCE_SECONDS)
    if (answer === 'go-ahead') return { fault: 'tls-required' }
    // It speaks with us, and answers no query: DHCPv4 has no status for a query that is off.
    if (answer === 'refused')
      return { fault: 'active-off', reason: 'it closes the connection, with Bulk queries as well' }
    return this.#stranger()
  }

  /** The server closed without a reason: what is likeliest. */
  #rejected(): string {
    const { ca, cert } = this.#place.tls!
    const own = new X509Certificate(cert)
    const authorities = String(ca).match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? []
    const known = authorities.some((pem) => own.checkIssued(new X509Certificate(pem)))
    const first = 'the server closes the connection once it has seen it: '
    const names = own.subjectAltName ?? 'it has none'
    return known
      ? `${first}a subject alternative name of it (${names}), or the address of this host, must be in requesters in Kea's configuration; requestor.unsecured in the log there says more`
      : `${first}it was issued by another authority than those in --tls-ca, and tls.trust-anchor there must hold that authority; requestor.unsecured in the log there says more`
  }

  async #stranger(): Promise<Found> {
    let address = ''
    try {
      const socket = await openSocket({ ...this.#place, tls: undefined }, '')
      if (socket.localAddress !== undefined) address = ` (${socket.localAddress})`
      socket.destroy()
    } catch {
      // Then without it.
    }
    return { fault: 'no-requester', reason: address }
  }

  /** Until the first answer to an active query with this start time. */
  async #askActive(place: ServerPlace, since: number): Promise<Outcome> {
    let requestor: ActiveRequestor | undefined
    try {
      const receiveTimeout = PATIENCE_SECONDS
      requestor = await ActiveRequestor.connect({ ...place, since, duid: this.#duid, receiveTimeout })
      for (;;) {
        const event = await requestor.next()
        if (event === undefined) throw new Error('the query ended without a word')
        if (event.type === 'terminated') return { got: 'refusal', status: event.status, text: event.text }
        // What was accepted may still turn out to be DataMissing.
        if (event.type !== 'accepted') return { got: 'answer', event }
      }
    } catch (error) {
      return failed(error)
    } finally {
      requestor?.close()
    }
  }

  /** A query that finds nothing, and so costs the server nothing. */
  async #askBulk(): Promise<Outcome> {
    let requestor: BulkRequestor | undefined
    try {
      const options = { ...this.#place, duid: this.#duid, dataTimeout: PATIENCE_SECONDS }
      requestor = await BulkRequestor.connect(options)
      const clientId = new Uint8Array(Buffer.from('leasequery check'))
      const { status, text } = await requestor.fetch({ by: 'client-id', clientId })
      return status === 'Success' ? { got: 'served' } : { got: 'refusal', status, text }
    } catch (error) {
      return failed(error)
    } finally {
      requestor?.close()
    }
  }

  /** How far back a start time may lie, by halving. @param now on the server's clock */
  async #history(now: number): Promise<CheckReport['history']> {
    const served = async (back: number): Promise<boolean | undefined> => {
      const outcome = await this.#askActive(this.#place, now - back)
      if (outcome.got !== 'answer') return undefined
      return outcome.event.type !== 'data-missing'
    }
    let [low, high] = [-1, ladder.length]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      const answer = await served(ladder[middle]!)
      if (answer === undefined) return undefined
      if (answer) low = middle
      else high = middle
    }
    return { served: low < 0 ? 0 : ladder[low]!, tooFar: ladder[high] }
  }
}

function failed(error: unknown): Outcome {
  if (!(error instanceof SidecarError)) throw error
  return codeOf(error) === 'ALQ_SERVER_SILENT' ? { got: 'silence' } : { got: 'closed', error }
}

/** undefined: the connection was taken, whatever became of it. */
function connectFault(error: unknown): Found | undefined {
  if (codeOf(error) !== 'ALQ_CONNECT') {
    if (codeOf(error) === 'ALQ_SERVER_CLOSED') return undefined
    throw error
  }
  const { cause } = error as Error
  const code = codeOf(cause)
  if (code === 'ECONNREFUSED') return { fault: 'port-closed' }
  const reason = String((error as SidecarError<'ALQ_CONNECT'>).fields.reason)
  return { fault: /^(ENOTFOUND|EAI_)/.test(code) ? 'unknown-host' : 'unreachable', reason }
}

function hasCode(error: unknown, code: RegExp): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (code.test(codeOf(at))) return true
  return false
}

/** What the server said about our certificate (RFC 8446 section 6.2), found wherever it is in what was thrown. */
function alertOf(error: unknown): string | undefined {
  const alerts: readonly [RegExp, string][] = [
    [
      /CERTIFICATE_EXPIRED/,
      'the server says that it has expired: replace the file of --tls-cert, or look at the clock there',
    ],
    [
      /UNKNOWN_CA/,
      'the server does not know the authority that issued it: its tls.trust-anchor must hold that authority, or --tls-cert the certificates that lead to it',
    ],
    [/CERTIFICATE_REVOKED/, 'the server says that it was revoked: have a new one issued'],
    [/CERTIFICATE_REQUIRED/, 'the server got none: --tls-cert must hold it'],
    [
      /BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_UNKNOWN/,
      'the server does not accept it, e.g. since it is not made for clients (extendedKeyUsage clientAuth)',
    ],
  ]
  if (!hasCode(error, /^ERR_SSL_.*ALERT/)) return undefined
  return alerts.find(([code]) => hasCode(error, code))?.[1]
}

/** Why we do not accept the server's certificate. */
function certificateFault(error: unknown, name: string): string | undefined {
  const texts: Readonly<Record<string, string>> = {
    CERT_HAS_EXPIRED: 'it has expired: replace tls.cert-file there, or look at the clock of this host',
    CERT_NOT_YET_VALID: 'it is not valid yet: look at the clock of this host',
    CERT_REVOKED: 'it was revoked',
    ERR_TLS_CERT_ALTNAME_INVALID: `it is not made for ${name}: give a name that it is made for with --tls-name, or have it issued for ${name}`,
    INVALID_PURPOSE: 'it is not made for servers (extendedKeyUsage serverAuth)',
  }
  const unknown =
    'the file of --tls-ca does not hold the authority that issued it (or the server does not send the certificates between)'
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = codeOf(at)
    if (texts[code] !== undefined) return texts[code]
    if (/^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_)/.test(code)) return `${unknown}: ${reasonOf(at)}`
  }
  return undefined
}

/**
 * Asks for TLS on a connection of its own, and closes it.
 * @returns what the server says to it; `closed` when it says nothing of use
 */
async function askForTls(place: ServerPlace, seconds: number): Promise<'go-ahead' | 'refused' | 'closed'> {
  let socket: Socket | undefined
  try {
    socket = await openSocket({ ...place, tls: undefined }, '')
    await goAhead(socket, place.family, seconds)
    return 'go-ahead'
  } catch (error) {
    return /TLSConnectionRefused/.test(reasonOf(error)) ? 'refused' : 'closed'
  } finally {
    socket?.destroy()
  }
}
