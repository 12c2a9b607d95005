// The command line of `leasequery`.
import { isIP } from 'node:net'
import type { UnixSeconds } from '../binding.ts'
import { SidecarError } from '../errors.ts'
import { badFlag, type Flag, type ParsedFlags, parseFlags } from '../flags.ts'
import type { VirtualSubnet } from '../wire/field-types.ts'
import { checkFlags, fetchFlags, mirrorFlags, showFlags, watchFlags } from './command-flags.ts'
import { defaultPorts } from './open-socket.ts'
import type { BulkSelection } from './selection.ts'
import {
  parseAddress6,
  parseCodes,
  parseCount,
  parseNumbered,
  parseOctets,
  parseTime,
  splitHost,
} from './values.ts'

export interface TlsFiles {
  readonly ca: string
  readonly cert: string
  readonly key: string
  readonly servername: string | undefined
}

export interface Place {
  readonly host: string
  readonly port: number
}

/** What all that ask one server have. */
interface Asking extends Place {
  readonly family: 4 | 6
  readonly json: boolean
  readonly tlsFiles: TlsFiles | undefined
  readonly duid: Uint8Array | undefined
}

export interface WatchCommand extends Asking {
  readonly run: 'watch'
  readonly since: UnixSeconds | undefined
  readonly select: BulkSelection | undefined
  readonly linkAddress: Uint8Array | undefined
  readonly wants: readonly number[] | undefined
  readonly receiveTimeout: number | undefined
}

export interface FetchCommand extends Asking {
  readonly run: 'fetch'
  readonly select: BulkSelection
  readonly linkAddress: Uint8Array | undefined
  readonly start: UnixSeconds | undefined
  readonly end: UnixSeconds | undefined
  readonly vpn: VirtualSubnet | undefined
  readonly wants: readonly number[] | undefined
  readonly dataTimeout: number | undefined
}

export interface CheckCommand extends Asking {
  readonly run: 'check'
}

export interface MirrorCommand {
  readonly run: 'mirror'
  readonly family: 4 | 6
  readonly servers: readonly Place[]
  readonly state: string
  /** undefined: --tls off. */
  readonly tlsFiles: TlsFiles | undefined
  readonly exec: string | undefined
  readonly jsonl: string | undefined
  readonly webhook: string | undefined
  readonly webhookHeaders: readonly string[]
  readonly renewals: boolean
  readonly pollSeconds: number | undefined
  readonly retrySeconds: number | undefined
  readonly receiveTimeout: number | undefined
  readonly dataTimeout: number | undefined
  readonly maxBindings: number | undefined
  readonly wants: readonly number[] | undefined
  readonly duid: Uint8Array | undefined
  readonly json: boolean
}

export const commandNames = ['watch', 'fetch', 'mirror', 'check', 'show'] as const
export type CommandName = (typeof commandNames)[number]

export type Command =
  | { readonly run: 'help'; readonly about: CommandName | undefined }
  | { readonly run: 'version' }
  | { readonly run: 'show'; readonly state: string; readonly json: boolean }
  | WatchCommand
  | FetchCommand
  | CheckCommand
  | MirrorCommand

export const commandFlags: Readonly<Record<CommandName, readonly Flag[]>> = {
  watch: watchFlags,
  fetch: fetchFlags,
  mirror: mirrorFlags,
  check: checkFlags,
  show: showFlags,
}

/**
 * @param now for relative times
 * @throws SidecarError ALQ_FLAG
 */
export function parseArguments(argv: readonly string[], now: UnixSeconds): Command {
  const [command, ...rest] = argv
  if (command === undefined || command === '--help' || command === 'help')
    return { run: 'help', about: undefined }
  if (command === '--version') return { run: 'version' }
  const name = commandNames.find((known) => known === command)
  if (name === undefined) {
    throw badFlag(command, `the commands are ${commandNames.join(', ')}; see leasequery --help`)
  }
  const { given, words } = parseFlags(commandFlags[name], rest)
  if (given.has('--help')) return { run: 'help', about: name }
  const args = new Arguments(given, words, now)
  switch (name) {
    case 'watch':
      return args.watch()
    case 'fetch':
      return args.fetch()
    case 'mirror':
      return args.mirror()
    case 'check':
      return { run: 'check', ...args.asking() }
    case 'show':
      return { run: 'show', state: args.one('DIR'), json: given.has('--json') }
  }
}

class Arguments {
  readonly #given: ParsedFlags['given']
  readonly #words: readonly string[]
  readonly #now: UnixSeconds

  constructor(given: ParsedFlags['given'], words: readonly string[], now: UnixSeconds) {
    this.#given = given
    this.#words = words
    this.#now = now
  }

  watch(): WatchCommand {
    const asking = this.asking()
    const { family } = asking
    const since = this.#value('--since', (flag, text) => parseTime(flag, text, this.#now))
    const select = this.#selection(family)
    const linkAddress = this.#value('--link-address', parseAddress6)
    if (family === 4 && (select !== undefined || linkAddress !== undefined)) {
      throw badFlag('-4', 'DHCPv4 Active Leasequery is about all bindings (RFC 7724 section 4)')
    }
    const receiveTimeout = this.#value('--receive-timeout', parseCount)
    return { run: 'watch', ...asking, since, select, linkAddress, wants: this.#wants(family), receiveTimeout }
  }

  fetch(): FetchCommand {
    const asking = this.asking()
    const { family } = asking
    const time = (name: string) => this.#value(name, (flag, text) => parseTime(flag, text, this.#now))
    const linkAddress = this.#value('--link-address', parseAddress6)
    if (family === 4 && linkAddress !== undefined) throw badFlag('--link-address', 'DHCPv4 has no such query')
    return {
      run: 'fetch',
      ...asking,
      select: this.#selection(family) ?? { by: 'all' },
      linkAddress,
      start: time('--start'),
      end: time('--end'),
      vpn: this.#vpn(),
      wants: this.#wants(family),
      dataTimeout: this.#value('--data-timeout', parseCount),
    }
  }

  mirror(): MirrorCommand {
    if (this.#words.length === 0) throw badFlag('HOST', 'it is missing')
    const hosts = this.#words.map(splitHost)
    const families = new Set(hosts.map(({ host }) => this.#family(host)))
    if (families.size > 1) throw badFlag('HOST', 'a mirror is of one family: say -4 or -6')
    const family = [...families][0]!
    const state = this.#text('--state')
    if (state === undefined) throw badFlag('--state', 'it is missing: a folder for the replica')
    const tls = this.#text('--tls')
    const tlsFiles = this.#tls()
    if (tls !== undefined && tls !== 'off')
      throw badFlag('--tls', `${tls} is no mode; off is, and the TLS files`)
    if (tls === 'off' && tlsFiles !== undefined) throw badFlag('--tls', 'it is off, but TLS files are given')
    if (tls === undefined && tlsFiles === undefined) {
      throw badFlag('--tls-ca', 'it is missing: give the TLS files, or --tls off to go in clear text')
    }
    const webhook = this.#text('--webhook')
    if (webhook !== undefined && !/^https?:$/.test(URL.canParse(webhook) ? new URL(webhook).protocol : '')) {
      throw badFlag('--webhook', `${webhook} is no URL of http or https`)
    }
    return {
      run: 'mirror',
      family,
      servers: hosts.map(({ host, port }) => ({ host, port: port ?? defaultPorts[family] })),
      state,
      tlsFiles,
      exec: this.#text('--exec'),
      jsonl: this.#text('--jsonl'),
      webhook,
      webhookHeaders: this.#given.get('--webhook-header') ?? [],
      renewals: !this.#given.has('--skip-renewals'),
      pollSeconds: this.#value('--poll', parseCount),
      retrySeconds: this.#value('--retry', parseCount),
      receiveTimeout: this.#value('--receive-timeout', parseCount),
      dataTimeout: this.#value('--data-timeout', parseCount),
      maxBindings: this.#value('--max-bindings', (flag, text) => parseCount(flag, text, 1e12)),
      wants: this.#wants(family),
      duid: this.#value('--duid', parseOctets),
      json: this.#given.has('--json'),
    }
  }

  asking(): Asking {
    const { host, port } = splitHost(this.one('HOST'))
    const family = this.#family(host)
    return {
      family,
      host,
      port: port ?? defaultPorts[family],
      json: this.#given.has('--json'),
      tlsFiles: this.#tls(),
      duid: this.#value('--duid', parseOctets),
    }
  }

  /** The only word. */
  one(what: string): string {
    const [word, ...more] = this.#words
    if (word === undefined || more.length > 0) {
      throw badFlag(what, word === undefined ? 'it is missing' : 'one is enough')
    }
    return word
  }

  #family(host: string): 4 | 6 {
    if (this.#given.has('-4') && this.#given.has('-6')) throw badFlag('-6', '-4 and -6 exclude each other')
    return this.#given.has('-6') || (isIP(host) === 6 && !this.#given.has('-4')) ? 6 : 4
  }

  #selection(family: 4 | 6): BulkSelection | undefined {
    const found: [string, BulkSelection][] = []
    const add = (flag: string, make: (text: string) => BulkSelection) => {
      const text = this.#text(flag)
      if (text !== undefined) found.push([flag, make(text)])
    }
    const only = (flag: string, wanted: 4 | 6) => {
      if (family !== wanted) throw badFlag(flag, `DHCPv${family} has no such query`)
    }
    add('--hardware-address', (text) => {
      only('--hardware-address', 4)
      const { number = 1, octets } = parseNumbered('--hardware-address', text)
      if (number > 255 || octets.length > 16) throw badFlag('--hardware-address', `${text} is too large`)
      return { by: 'hardware-address', hardwareType: number, hardwareAddress: octets }
    })
    add('--client-id', (text) => ({ by: 'client-id', clientId: parseOctets('--client-id', text) }))
    add('--relay-id', (text) => ({ by: 'relay-id', relayId: parseOctets('--relay-id', text) }))
    add('--remote-id', (text) => {
      const { number, octets } = parseNumbered('--remote-id', text)
      if (family === 4) return { by: 'remote-id', remoteId: octets }
      if (number === undefined)
        throw badFlag('--remote-id', 'in DHCPv6 it begins with an enterprise number: 9/OCTETS')
      const enterprise = Buffer.alloc(4)
      enterprise.writeUInt32BE(number)
      return { by: 'remote-id', remoteId: new Uint8Array(Buffer.concat([enterprise, octets])) }
    })
    add('--address', (text) => {
      only('--address', 6)
      return { by: 'address', address: parseAddress6('--address', text) }
    })
    if (found.length > 1) {
      const names = found.map(([flag]) => flag)
      throw badFlag(
        names[1]!,
        `a query selects by one thing, and ${names[0]} is given (RFC 6926 section 7.2)`,
      )
    }
    return found[0]?.[1]
  }

  #vpn(): VirtualSubnet | undefined {
    const found: VirtualSubnet[] = []
    // Without a NUL at its end (RFC 6607 section 3.5).
    const name = this.#text('--vpn')
    if (name !== undefined) found.push({ type: 0, information: new Uint8Array(Buffer.from(name)) })
    const id = this.#value('--vpn-id', parseOctets)
    if (id !== undefined) {
      if (id.length !== 7) throw badFlag('--vpn-id', `a VPN-ID has seven octets, not ${id.length}`)
      found.push({ type: 1, information: id })
    }
    if (this.#given.has('--all-vpns')) found.push({ type: 254, information: new Uint8Array(0) })
    if (found.length > 1) throw badFlag('--vpn', 'a query is about one VPN, or all (RFC 6607 section 6)')
    return found[0]
  }

  #wants(family: 4 | 6): number[] | undefined {
    return this.#value('--options', (flag, text) => parseCodes(flag, text, family))
  }

  #tls(): TlsFiles | undefined {
    const names = ['--tls-ca', '--tls-cert', '--tls-key'] as const
    const [ca, cert, key] = names.map((name) => this.#text(name))
    const servername = this.#text('--tls-name')
    if (ca !== undefined && cert !== undefined && key !== undefined) return { ca, cert, key, servername }
    const missing = names.find((name) => !this.#given.has(name))!
    if ([ca, cert, key, servername].some((file) => file !== undefined)) {
      throw badFlag(missing, 'it is missing: both sides of TLS show a certificate')
    }
    return undefined
  }

  #text(flag: string): string | undefined {
    return this.#given.get(flag)?.[0]
  }

  #value<T>(flag: string, parse: (flag: string, text: string) => T): T | undefined {
    const text = this.#text(flag)
    return text === undefined ? undefined : parse(flag, text)
  }
}

/** Whether `error` means that the command line is wrong. */
export function isUsageError(error: unknown): error is SidecarError<'ALQ_FLAG'> {
  return error instanceof SidecarError && error.code === 'ALQ_FLAG'
}
