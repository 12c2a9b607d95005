// The flags of kea-leasequery: only what is local to this host. All else comes from kea.conf, through the feed.
import { isIPv4, isIPv6 } from 'node:net'
import type { Family } from './binding.ts'
import { badFlag, type Flag, formatFlags, parseFlags } from './flags.ts'
import { type LogLevel, logLevels } from './log-lines.ts'
import { type OperationsPlace, readOperationsPlace } from './operations/place.ts'

export const DEFAULT_STATE_DIR = '/var/lib/kea-leasequery'

/** Of this host alone. */
export const DEFAULT_OPERATIONS = '127.0.0.1:9547'

/** Where the hook publishes, unless kea.conf says otherwise. */
export const defaultFeeds: Readonly<Record<Family, string>> = {
  4: 'ipc:///run/kea-lease-feed/dhcp4',
  6: 'ipc:///run/kea-lease-feed/dhcp6',
}

export const daemonFlags: readonly Flag[] = [
  {
    name: '--feed',
    value: 'dhcp4|dhcp6=ENDPOINT',
    repeats: true,
    byDefault: `dhcp4=${defaultFeeds[4]} and dhcp6=${defaultFeeds[6]}`,
    meaning: 'feed to follow; once given, only the families named are served',
  },
  {
    name: '--feed-keys',
    value: 'dhcp4|dhcp6=FILE',
    repeats: true,
    meaning:
      'CURVE keys of a feed over tcp://, which needs them: public-key, secret-key, and server-key of the hook',
  },
  {
    name: '--check-config',
    value: 'KEA.CONF',
    repeats: true,
    meaning: 'say what would be served by this configuration of Kea, and what is wrong in it, and end',
  },
  { name: '--make-feed-keys', meaning: 'print a new CURVE key pair and end' },
  {
    name: '--state-dir',
    value: 'DIR',
    byDefault: DEFAULT_STATE_DIR,
    meaning: 'where bindings and history are kept, one folder a family',
  },
  {
    name: '--listen',
    value: 'dhcp4|dhcp6=ADDRESS[:PORT]',
    repeats: true,
    meaning: 'listen here instead of where kea.conf says (IPv6 addresses in brackets)',
  },
  {
    name: '--require-tls',
    meaning: 'serve nothing without TLS, whatever tls.mode the feed brings',
  },
  {
    name: '--tls-ca',
    value: 'PATH',
    meaning: 'certificate authorities of requestors, instead of tls.trust-anchor in kea.conf',
  },
  {
    name: '--tls-cert',
    value: 'FILE',
    meaning: 'certificate of this server, instead of tls.cert-file',
  },
  { name: '--tls-key', value: 'FILE', meaning: 'its private key, instead of tls.key-file' },
  {
    name: '--metrics',
    value: 'ADDRESS:PORT|unix:PATH|off',
    byDefault: DEFAULT_OPERATIONS,
    meaning: 'where the status page, metrics and health checks are served',
  },
  {
    name: '--rebuild',
    meaning:
      'drop what is stored, damaged or not, and read all leases from Kea anew; history begins anew, too',
  },
  {
    name: '--log-level',
    value: 'LEVEL',
    byDefault: 'info',
    meaning: `least level logged: ${logLevels.join(', ')}`,
  },
  { name: '--version', meaning: 'print the version and end' },
  { name: '--help', meaning: 'print this and end' },
]

export interface ListenOverride {
  readonly address: string
  /** undefined: the port kea.conf says. */
  readonly port: number | undefined
}

export interface DaemonSettings {
  readonly feeds: ReadonlyMap<Family, string>
  /** They were named, not taken by default. */
  readonly feedsNamed: boolean
  /** Files, for feeds over tcp://. */
  readonly feedKeys: ReadonlyMap<Family, string>
  readonly stateDir: string
  readonly listen: ReadonlyMap<Family, readonly ListenOverride[]>
  readonly requireTls: boolean
  /** What is given here goes before the paths in kea.conf. */
  readonly tlsFiles: { trustAnchor?: string; certFile?: string; keyFile?: string }
  /** Where operators look; undefined = nowhere. */
  readonly operations: OperationsPlace | undefined
  readonly rebuild: boolean
  readonly logLevel: LogLevel
}

export const statusFlags: readonly Flag[] = [
  {
    name: '--metrics',
    value: 'ADDRESS:PORT|unix:PATH',
    byDefault: DEFAULT_OPERATIONS,
    meaning: 'where the running kea-leasequery answers, as it was told by its own flag',
  },
  { name: '--json', meaning: 'print what /status.json says' },
  { name: '--help', meaning: 'print this and end' },
]

export type DaemonCommand =
  | { readonly run: 'help' }
  | { readonly run: 'version' }
  | { readonly run: 'keys' }
  | { readonly run: 'status-help' }
  | { readonly run: 'status'; readonly place: OperationsPlace; readonly json: boolean }
  | { readonly run: 'check'; readonly files: readonly string[]; readonly settings: DaemonSettings }
  | { readonly run: 'daemon'; readonly settings: DaemonSettings }

/** @throws SidecarError ALQ_FLAG */
export function parseDaemonFlags(argv: readonly string[]): DaemonCommand {
  if (argv[0] === 'status') return parseStatusFlags(argv.slice(1))
  const { given, words } = parseFlags(daemonFlags, argv)
  if (given.has('--help')) return { run: 'help' }
  if (given.has('--version')) return { run: 'version' }
  if (given.has('--make-feed-keys')) return { run: 'keys' }
  if (words.length > 0) throw badFlag(words[0]!, 'the daemon takes flags only')
  const feeds = readFeeds(given.get('--feed'))
  const settings: DaemonSettings = {
    feeds,
    feedsNamed: given.has('--feed'),
    feedKeys: readFeedKeys(given.get('--feed-keys') ?? [], feeds),
    stateDir: given.get('--state-dir')?.[0] ?? DEFAULT_STATE_DIR,
    listen: readListen(given.get('--listen') ?? []),
    requireTls: given.has('--require-tls'),
    tlsFiles: {
      ...named('trustAnchor', given.get('--tls-ca')),
      ...named('certFile', given.get('--tls-cert')),
      ...named('keyFile', given.get('--tls-key')),
    },
    operations: readOperationsPlace('--metrics', given.get('--metrics')?.[0] ?? DEFAULT_OPERATIONS),
    rebuild: given.has('--rebuild'),
    logLevel: readLevel(given.get('--log-level')?.[0] ?? 'info'),
  }
  const files = given.get('--check-config')
  return files === undefined ? { run: 'daemon', settings } : { run: 'check', files, settings }
}

function parseStatusFlags(argv: readonly string[]): DaemonCommand {
  const { given, words } = parseFlags(statusFlags, argv)
  if (given.has('--help')) return { run: 'status-help' }
  if (words.length > 0) throw badFlag(words[0]!, 'status takes flags only')
  const text = given.get('--metrics')?.[0] ?? DEFAULT_OPERATIONS
  const place = readOperationsPlace('--metrics', text)
  if (place === undefined) throw badFlag('--metrics', 'off is no place to ask')
  return { run: 'status', place, json: given.has('--json') }
}

function named<K extends string>(name: K, values: readonly string[] | undefined): { [k in K]?: string } {
  return values === undefined ? {} : ({ [name]: values[0]! } as { [k in K]: string })
}

function readFeeds(values: readonly string[] | undefined): Map<Family, string> {
  const feeds = new Map<Family, string>()
  for (const value of values ?? [`dhcp4=${defaultFeeds[4]}`, `dhcp6=${defaultFeeds[6]}`]) {
    const { family, text } = splitFamily('--feed', value)
    if (!/^(ipc|tcp):\/\/./.test(text)) {
      throw badFlag('--feed', `${text} is no endpoint: ipc:///path or tcp://host:port is wanted`)
    }
    if (feeds.has(family)) throw badFlag('--feed', `dhcp${family} is given twice`)
    feeds.set(family, text)
  }
  return feeds
}

/** Bindings do not cross a network in clear text, nor does who sends them go unproved. */
function readFeedKeys(values: readonly string[], feeds: ReadonlyMap<Family, string>): Map<Family, string> {
  const keys = new Map<Family, string>()
  for (const value of values) {
    const { family, text } = splitFamily('--feed-keys', value)
    if (keys.has(family)) throw badFlag('--feed-keys', `dhcp${family} is given twice`)
    if (!feeds.get(family)?.startsWith('tcp:')) {
      throw badFlag('--feed-keys', `dhcp${family} has no feed over tcp://, and others need no keys`)
    }
    keys.set(family, text)
  }
  for (const [family, endpoint] of feeds) {
    if (endpoint.startsWith('tcp:') && !keys.has(family)) {
      throw badFlag('--feed', `${endpoint} needs CURVE keys: --feed-keys dhcp${family}=FILE`)
    }
  }
  return keys
}

function readListen(values: readonly string[]): Map<Family, ListenOverride[]> {
  const listen = new Map<Family, ListenOverride[]>()
  for (const value of values) {
    const { family, text } = splitFamily('--listen', value)
    const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text)
    const address = match?.[1] ?? match?.[2] ?? ''
    const port = match?.[3] === undefined ? undefined : Number(match[3])
    if (!(family === 4 ? isIPv4(address) : isIPv6(address)) || (port ?? 0) > 65535) {
      const wanted = family === 4 ? '192.0.2.1:67' : '[2001:db8::1]:547'
      throw badFlag('--listen', `${text} is no place to listen for dhcp${family}, such as ${wanted}`)
    }
    const list = listen.get(family) ?? []
    list.push({ address, port })
    listen.set(family, list)
  }
  return listen
}

function splitFamily(flag: string, value: string): { family: Family; text: string } {
  const match = /^dhcp([46])=(.+)$/.exec(value)
  if (!match) throw badFlag(flag, `${value} does not begin with dhcp4= or dhcp6=`)
  return { family: match[1] === '4' ? 4 : 6, text: match[2]! }
}

function readLevel(level: string): LogLevel {
  if ((logLevels as readonly string[]).includes(level)) return level as LogLevel
  throw badFlag('--log-level', `${level} is none of ${logLevels.join(', ')}`)
}

/** Exit codes of the daemon. */
export const exitCodes = {
  0: 'stopped as asked; `--check-config`: all is well',
  1: 'cannot run (state directory, store or feed endpoint), or not stopped cleanly; `--check-config`: something is wrong',
  2: 'a flag is wrong; `--check-config`: the file cannot be read, or is no configuration of Kea',
} as const

export function daemonHelp(): string {
  return `kea-leasequery: Active and Bulk Leasequery for ISC Kea

Follows the lease feed of the hook libdhcp_lease_feed.so and serves leasequery requestors over TCP.
The service is configured in kea.conf, in the parameters of the hook.

Usage: kea-leasequery [FLAGS]
       kea-leasequery status [FLAGS]    tells how a running one is (status --help)

${formatFlags(daemonFlags)}

${formatExitCodes(exitCodes)}
`
}

/** Exit codes of `kea-leasequery status`. */
export const statusExitCodes = {
  0: 'ready: requestors are served as they should be',
  1: 'not ready, or only one of two families is; the reasons are printed',
  2: 'a flag is wrong',
  3: 'no kea-leasequery answers there',
} as const

export function statusHelp(): string {
  return `kea-leasequery status: how the kea-leasequery that runs on this host is, as its status page has it

Usage: kea-leasequery status [FLAGS]

${formatFlags(statusFlags)}

${formatExitCodes(statusExitCodes)}
`
}

function formatExitCodes(codes: Readonly<Record<number, string>>): string {
  return ['Exit codes:', ...Object.entries(codes).map(([code, meaning]) => `  ${code}  ${meaning}`)].join(
    '\n',
  )
}
