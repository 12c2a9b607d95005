// The command line of `leasequery`.
import { isIP } from 'node:net'
import type { UnixSeconds } from '../binding.ts'
import { SidecarError } from '../errors.ts'
import { badFlag, type Flag, formatFlags, parseFlags } from '../flags.ts'
import { defaultPorts } from './open-socket.ts'

export const watchFlags: readonly Flag[] = [
  { name: '-4', byDefault: 'unless HOST is an IPv6 address', meaning: 'DHCPv4 (RFC 7724)' },
  { name: '-6', meaning: 'DHCPv6 (RFC 7653)' },
  {
    name: '--since',
    value: 'TIME',
    meaning:
      'begin with all that changed since TIME: Unix seconds, ISO 8601, or relative to now such as -10m (s, m, h, d)',
  },
  { name: '--json', meaning: 'print one JSON object a line' },
  {
    name: '--tls-ca',
    value: 'FILE',
    meaning: 'use TLS (DHCPTLS, STARTTLS): authorities that the server is judged by; takes all three files',
  },
  { name: '--tls-cert', value: 'FILE', meaning: 'certificate of this requestor' },
  { name: '--tls-key', value: 'FILE', meaning: 'its private key' },
  { name: '--tls-name', value: 'NAME', meaning: 'name in the certificate of the server, if not HOST' },
  { name: '--help', meaning: 'print this and end' },
]

export const exitCodes = {
  0: 'the output was closed, or interrupted',
  1: 'the connection failed, or the server closed, refused or ended the query',
  2: 'the command line is wrong',
} as const

export type Command =
  | { readonly run: 'help' }
  | { readonly run: 'watch-help' }
  | { readonly run: 'version' }
  | {
      readonly run: 'watch'
      readonly family: 4 | 6
      readonly host: string
      readonly port: number
      readonly since: UnixSeconds | undefined
      readonly json: boolean
      readonly tlsFiles: TlsFiles | undefined
    }

export interface TlsFiles {
  readonly ca: string
  readonly cert: string
  readonly key: string
  readonly servername: string | undefined
}

/**
 * @param now for relative times
 * @throws SidecarError ALQ_FLAG
 */
export function parseArguments(argv: readonly string[], now: UnixSeconds): Command {
  const [command, ...rest] = argv
  if (command === undefined || command === '--help' || command === 'help') return { run: 'help' }
  if (command === '--version') return { run: 'version' }
  if (command !== 'watch') throw badFlag(command, 'the command is watch; see leasequery --help')
  const { given, words } = parseFlags(watchFlags, rest)
  if (given.has('--help')) return { run: 'watch-help' }
  if (words.length !== 1) throw badFlag('HOST', words.length === 0 ? 'it is missing' : 'one is enough')
  if (given.has('-4') && given.has('-6')) throw badFlag('-6', '-4 and -6 exclude each other')
  const { host, port } = splitHost(words[0]!)
  const family = given.has('-6') || (isIP(host) === 6 && !given.has('-4')) ? 6 : 4
  const since = given.get('--since')?.[0]
  return {
    run: 'watch',
    family,
    host,
    port: port ?? defaultPorts[family],
    since: since === undefined ? undefined : parseSince(since, now),
    json: given.has('--json'),
    tlsFiles: readTls(given),
  }
}

function readTls(given: ReadonlyMap<string, readonly string[]>): TlsFiles | undefined {
  const names = ['--tls-ca', '--tls-cert', '--tls-key'] as const
  const [ca, cert, key] = names.map((name) => given.get(name)?.[0])
  const servername = given.get('--tls-name')?.[0]
  if (ca !== undefined && cert !== undefined && key !== undefined) return { ca, cert, key, servername }
  const missing = names.find((name) => !given.has(name))!
  if ([ca, cert, key, servername].some((file) => file !== undefined)) {
    throw badFlag(missing, 'it is missing: both sides of TLS show a certificate')
  }
  return undefined
}

/** `host`, `host:port`, `[v6]`, `[v6]:port`, or a bare IPv6 address. */
function splitHost(text: string): { host: string; port: number | undefined } {
  if (isIP(text) === 6) return { host: text, port: undefined }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text)
  const port = match?.[3] === undefined ? undefined : Number(match[3])
  if (!match || port === 0 || (port ?? 0) > 65535 || (match[1] !== undefined && isIP(match[1]) !== 6)) {
    throw badFlag('HOST', `${text} is no HOST[:PORT]; an IPv6 address with a port goes in brackets`)
  }
  return { host: (match[1] ?? match[2])!, port }
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 }

/** Unix seconds; a start time fits 32 bits on the wire. */
export function parseSince(text: string, now: UnixSeconds): UnixSeconds {
  const relative = /^-(\d{1,9})([smhdw])$/.exec(text)
  let seconds: number
  if (relative) seconds = Math.floor(now) - Number(relative[1]) * unitSeconds[relative[2]!]!
  else if (/^\d{1,10}$/.test(text)) seconds = Number(text)
  else if (/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(text)) {
    seconds = Math.floor(Date.parse(text) / 1000)
  } else seconds = Number.NaN
  if (!Number.isFinite(seconds) || seconds < 0 || seconds > 0xffffffff) {
    throw badFlag('--since', `${text} is no time: Unix seconds, 2026-01-31T12:00:00Z or -10m is wanted`)
  }
  return seconds
}

export function help(): string {
  return `leasequery: ask a DHCP server about its leases, and watch them change

Usage:
  leasequery watch HOST[:PORT] [FLAGS]   show every change of a binding as it happens (Active Leasequery)
  leasequery watch --help                its flags
  leasequery --version

${exitHelp()}`
}

export function watchHelp(): string {
  return `Usage: leasequery watch HOST[:PORT] [FLAGS]

Shows every change of a binding as it happens (Active Leasequery), one a line.
PORT is ${defaultPorts[4]} for DHCPv4 and ${defaultPorts[6]} for DHCPv6 unless given. IPv6 addresses with a port go in brackets: [2001:db8::1]:547.
With --json, "resume-point" is the TIME for --since with which a later watch of the same server misses nothing.

${formatFlags(watchFlags)}

${exitHelp()}`
}

function exitHelp(): string {
  const codes = Object.entries(exitCodes).map(([code, meaning]) => `  ${code}  ${meaning}`)
  return `Exit codes:\n${codes.join('\n')}\n`
}

/** Whether `error` means that the command line is wrong. */
export function isUsageError(error: unknown): error is SidecarError<'ALQ_FLAG'> {
  return error instanceof SidecarError && error.code === 'ALQ_FLAG'
}
