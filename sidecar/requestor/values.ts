// Values on the command line: octets, times, places.
import { isIP } from 'node:net'
import type { UnixSeconds } from '../binding.ts'
import { badFlag } from '../flags.ts'
import { parseAddress } from '../wire/address.ts'

/** Hexadecimal, with colons or without, or text in single quotes, as Kea writes them. */
export function parseOctets(flag: string, text: string): Uint8Array {
  const quoted = /^'(.+)'$/s.exec(text)
  if (quoted) return new Uint8Array(Buffer.from(quoted[1]!))
  const digits = text.replace(/^0x/i, '').replace(/[:\s-]/g, '')
  if (digits === '' || digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) {
    throw badFlag(flag, `${text} is neither hexadecimal octets (00:01:ab) nor text in single quotes ('abc')`)
  }
  return new Uint8Array(Buffer.from(digits, 'hex'))
}

/** `NUMBER/OCTETS`. */
export function parseNumbered(
  flag: string,
  text: string,
): { number: number | undefined; octets: Uint8Array } {
  const match = /^(\d{1,10})\/(.+)$/s.exec(text)
  if (!match) return { number: undefined, octets: parseOctets(flag, text) }
  const number = Number(match[1])
  if (number > 0xffffffff) throw badFlag(flag, `${match[1]} is more than 32 bits hold`)
  return { number, octets: parseOctets(flag, match[2]!) }
}

export function parseAddress6(flag: string, text: string): Uint8Array {
  const octets = parseAddress(text)
  if (octets?.length !== 16) throw badFlag(flag, `${text} is no IPv6 address`)
  return octets
}

/** Option codes, separated by commas. */
export function parseCodes(flag: string, text: string, family: 4 | 6): number[] {
  const most = family === 4 ? 254 : 65_535
  return text.split(',').map((word) => {
    const code = Number(word)
    if (!/^\d{1,5}$/.test(word) || code < 1 || code > most) {
      throw badFlag(flag, `${word} is no option code of DHCPv${family}`)
    }
    return code
  })
}

/** A number of at least 1, e.g. of seconds. */
export function parseCount(flag: string, text: string, most = 0x7fffffff): number {
  const value = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0 || value > most) {
    throw badFlag(flag, `${text} is no number above 0 and up to ${most}`)
  }
  return value
}

/** `host`, `host:port`, `[v6]`, `[v6]:port`, or a bare IPv6 address. */
export function splitHost(text: string): { host: string; port: number | undefined } {
  if (isIP(text) === 6) return { host: text, port: undefined }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text)
  const port = match?.[3] === undefined ? undefined : Number(match[3])
  if (!match || port === 0 || (port ?? 0) > 65535 || (match[1] !== undefined && isIP(match[1]) !== 6)) {
    throw badFlag('HOST', `${text} is no HOST[:PORT]; an IPv6 address with a port goes in brackets`)
  }
  return { host: (match[1] ?? match[2])!, port }
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 }

/** Unix seconds; a start time fits 32 bits on the wire. The server's clock is taken as ours (RFC 6926 section 6.2.5). */
export function parseTime(flag: string, text: string, now: UnixSeconds): UnixSeconds {
  const relative = /^-(\d{1,9})([smhdw])$/.exec(text)
  let seconds: number
  if (relative) seconds = Math.floor(now) - Number(relative[1]) * unitSeconds[relative[2]!]!
  else if (/^\d{1,10}$/.test(text)) seconds = Number(text)
  else if (/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(text)) {
    seconds = Math.floor(Date.parse(text) / 1000)
  } else seconds = Number.NaN
  if (!Number.isFinite(seconds) || seconds < 0 || seconds > 0xffffffff) {
    throw badFlag(flag, `${text} is no time: Unix seconds, 2026-01-31T12:00:00Z or -10m is wanted`)
  }
  return seconds
}
