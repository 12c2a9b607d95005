// What `leasequery watch` prints: a line for people, or one JSON object a line for programs.
import { BindingState, sameOctets, type UnixSeconds } from '../binding.ts'
import { bindingJson } from './binding-json.ts'
import { keyOf, type ReportedBinding, type RequestorEvent } from './events.ts'

/** What happened to a binding, as far as its messages tell. */
export type What =
  | 'granted'
  | 'renewed'
  | 'changed'
  | 'released'
  | 'expired'
  | 'declined'
  | 'deleted'
  | 'ended'
  | 'free'

/** Bindings remembered to tell a renewal from a grant; the oldest are forgotten first. */
const MAX_SEEN = 100_000

interface Seen {
  readonly active: boolean
  readonly clientId: Uint8Array
  readonly hardwareAddress: Uint8Array
  readonly expires: UnixSeconds | undefined
  readonly lastTransaction: UnixSeconds | undefined
}

/** Tells grants, renewals and other changes apart by what was seen before. */
export class Historian {
  readonly #seen = new Map<string, Seen>()
  readonly #most: number

  constructor(most: number = MAX_SEEN) {
    this.#most = most
  }

  /** @param at base-time of the message, the server's clock */
  judge(binding: ReportedBinding, at: UnixSeconds): What {
    const key = keyOf(binding)
    const before = this.#seen.get(key)
    const active = binding.state === BindingState.active
    // Deleted first, so that the map's order is that of last mention.
    this.#seen.delete(key)
    this.#seen.set(key, {
      active,
      clientId: binding.clientId,
      hardwareAddress: binding.hardwareAddress,
      expires: binding.expires,
      lastTransaction: binding.lastTransaction,
    })
    if (this.#seen.size > this.#most) this.#seen.delete(this.#seen.keys().next().value!)
    return active ? judgeActive(binding, before) : judgeEnded(binding, before, at)
  }
}

function judgeActive(binding: ReportedBinding, before: Seen | undefined): What {
  if (before === undefined) {
    // start-time-of-state (RFC 6926 section 6.2.4) older than the client's last words: it had it before.
    const { stateSince, lastTransaction } = binding
    return stateSince !== undefined && lastTransaction !== undefined && stateSince < lastTransaction
      ? 'renewed'
      : 'granted'
  }
  const same =
    sameOctets(before.clientId, binding.clientId) &&
    sameOctets(before.hardwareAddress, binding.hardwareAddress)
  if (!before.active || !same) return 'granted'
  const renewed =
    (binding.lastTransaction ?? 0) > (before.lastTransaction ?? 0) ||
    (binding.expires ?? 0) > (before.expires ?? 0)
  return renewed ? 'renewed' : 'changed'
}

function judgeEnded(binding: ReportedBinding, before: Seen | undefined, at: UnixSeconds): What {
  if (binding.family === 6) {
    // DHCPv6 says that a binding ended and not how (RFC 7653 defines no state). Its time was up, or somebody gave it up
    // before: mostly the client, so that is the word, though a declined or deleted lease looks the same.
    if (!before?.active || before.expires === undefined) return 'ended'
    // Both are whole seconds of two clocks.
    return at >= before.expires - 1 ? 'expired' : 'released'
  }
  switch (binding.state) {
    case BindingState.expired:
      return 'expired'
    case BindingState.released:
      return 'released'
    case BindingState.abandoned:
      return 'declined'
    case BindingState.reset:
      return 'deleted'
    case BindingState.available:
      return 'free'
    default:
      return 'ended'
  }
}

/** One line for people, or undefined for what need not be shown (keepalives). */
export function formatLine(event: RequestorEvent, historian: Historian): string | undefined {
  switch (event.type) {
    case 'binding':
      return `${timeOf(event.baseTime)}  ${formatBinding(event.binding, historian.judge(event.binding, event.baseTime))}`
    case 'accepted':
      return `${timeOf(event.baseTime)}  -- query accepted`
    case 'keepalive':
      return undefined
    case 'catch-up-complete':
      return `${timeOf(event.baseTime)}  -- catch-up complete, following changes`
    case 'data-missing':
      return `${timeOf(event.baseTime)}  -- data missing: the server's history does not reach back to the start time${because(event.text)}; a Bulk query is needed for what changed before`
    case 'terminated':
      return `${timeOf(event.baseTime)}  -- ${event.refused ? 'query refused' : 'query ended'}: ${event.status}${because(event.text)}`
  }
}

/** A binding as a line of a table. @param what what happened to it, or its state */
export function formatBinding(binding: ReportedBinding, what: string): string {
  const parts = [keyOf(binding).padEnd(binding.family === 4 ? 15 : 39), what.padEnd(8)]
  if (binding.hardwareAddress.length > 0) parts.push(`hw ${colons(binding.hardwareAddress)}`)
  if (binding.clientId.length > 0) {
    parts.push(`${binding.family === 4 ? 'client' : 'duid'} ${colons(binding.clientId)}`)
  }
  if (binding.expires !== undefined) {
    parts.push(`until ${Number.isFinite(binding.expires) ? timeOf(binding.expires) : 'ever'}`)
  }
  const { relay } = binding
  if (relay !== undefined) {
    const shown = [
      ['circuit', relay.circuitId],
      ['remote', relay.remoteId],
      ['relay', relay.relayId],
    ] as const
    for (const [name, octets] of shown) if (octets !== undefined) parts.push(`${name} ${readable(octets)}`)
  }
  if (relay?.nextHop !== undefined) parts.push(`via ${relay.nextHop}`)
  if (binding.remote) parts.push('(from a partner)')
  if (binding.status !== undefined) parts.push(`(${binding.status})`)
  return parts.join('  ')
}

/**
 * One JSON object, stable from version to version: names are only ever added. Octets are hexadecimal, times Unix seconds
 * on the server's clock; what was not told is null, and a lease without end has "infinite". sidecar/README.md lists all.
 */
export function formatJson(event: RequestorEvent, historian: Historian): string {
  const shared = {
    event: event.type,
    'base-time': event.baseTime ?? null,
    'resume-point': event.resumePoint ?? null,
  }
  switch (event.type) {
    case 'accepted':
    case 'keepalive':
    case 'catch-up-complete':
      return JSON.stringify(shared)
    case 'data-missing':
      return JSON.stringify({ ...shared, text: event.text })
    case 'terminated':
      return JSON.stringify({ ...shared, refused: event.refused, status: event.status, text: event.text })
    case 'binding': {
      const what = historian.judge(event.binding, event.baseTime)
      return JSON.stringify({ ...shared, what, ...bindingJson(event.binding) })
    }
  }
}

export function timeOf(seconds: UnixSeconds | undefined): string {
  // What a server sends fits 32 bits, give or take a lifetime: always a date.
  return seconds === undefined
    ? '-'.padEnd(20)
    : `${new Date(Math.floor(seconds) * 1000).toISOString().slice(0, 19)}Z`
}

function because(text: string): string {
  return text === '' ? '' : ` (${printable(text)})`
}

export function colons(octets: Uint8Array): string {
  return Buffer.from(octets)
    .toString('hex')
    .replace(/(..)(?=.)/g, '$1:')
}

/** As text where all of it is printable ASCII, else as hexadecimal: a terminal must never see a peer's control codes. */
function readable(octets: Uint8Array): string {
  const text = Buffer.from(octets).toString('latin1')
  return /^[\x21-\x7e]+$/.test(text) ? text : `0x${Buffer.from(octets).toString('hex')}`
}

export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '?')
}
