// What the hook says about the requestor service (Hello.service: JSON in kea.conf's spelling) -> a typed
// ServiceConfig, or a ConfigError that names parameter, value and place. Kea's hook fills defaults in and checks as
// well; all is checked again, because a feed may be of another version or, over tcp://, of another host.
import { isIP, isIPv4, isIPv6 } from 'node:net'
import type { Family } from './binding.ts'
import { reasonOf, SidecarError } from './errors.ts'

export const queryKinds = ['active', 'bulk'] as const
export type QueryKind = (typeof queryKinds)[number]

export const keepaliveForms = ['status', 'empty-active'] as const
export type KeepaliveForm = (typeof keepaliveForms)[number]

/** One entry of `requesters`: who, and what it may ask. The first entry that matches a requestor decides. */
export interface Requester {
  /** Where the entry stands, e.g. `requesters[1]`. */
  readonly place: string
  /** Address or network, if it is matched by address. */
  readonly network?: { readonly address: string; readonly prefixLength: number }
  /** Name in the subject alternative names, if it is matched by certificate. */
  readonly certificate?: string
  readonly queries: readonly QueryKind[]
  /** Only bindings relayed by one of these relay-ids are shown; empty = all. */
  readonly relayIds: readonly Uint8Array[]
  /** Options never sent to this requestor. */
  readonly withholdOptions: readonly number[]
  /** Connections this entry may have at once; 0 = only the listener's limit. */
  readonly maxConnections: number
  /** Seconds of silence before a keepalive; 0 = `advanced.active-query-idle-timeout`. */
  readonly keepaliveInterval: number
  readonly keepaliveForm: KeepaliveForm
}

/** The requestor service of one family. */
export interface ServiceConfig {
  readonly family: Family
  readonly requesters: readonly Requester[]
  readonly bulk: boolean
  readonly active: boolean
  /** Addresses to listen on; empty = all of the family. */
  readonly addresses: readonly string[]
  readonly port: number
  /** Connections at once, all requestors together (BULK_LQ_MAX_CONNS, RFC 6926 section 6.3, RFC 5460 section 5.3). */
  readonly maxConnections: number
  /** Bulk queries in progress on one connection; 0 = no limit of the operator's. */
  readonly maxConcurrentQueries: number
  /** Seconds without a query before a connection is closed (BULK_LQ_DATA_TIMEOUT). */
  readonly idleSeconds: number
  /** Seconds a blocked Active connection is kept (ACTIVE_LQ_SEND_TIMEOUT, RFC 7724 section 6.3). */
  readonly activeSendSeconds: number
  /** Seconds without a message before a keepalive is sent (ACTIVE_LQ_IDLE_TIMEOUT). */
  readonly activeIdleSeconds: number
  /** Seconds after the last heartbeat of the hook at which Active connections end. */
  readonly feedSilenceSeconds: number
  readonly tls: {
    readonly mode: 'required' | 'off'
    readonly trustAnchor: string
    readonly certFile: string
    readonly keyFile: string
  }
  readonly history: {
    /** Seconds that an ended binding is remembered. */
    readonly retentionSeconds: number
    /** Ended bindings remembered at most. */
    readonly maxEnded: number
  }
  readonly captureOptions: readonly number[]
}

/** A parameter that cannot be accepted. */
export class ConfigError extends SidecarError<'ALQ_CONFIG'> {
  override readonly name = 'ConfigError'
  /** Place in the parameters, e.g. `requesters[1].keepalive.interval`. */
  readonly parameter: string

  constructor(parameter: string, value: unknown, reason: string) {
    super('ALQ_CONFIG', { parameter, value: shown(value), reason })
    this.parameter = parameter
  }
}

/** One row for the README's table; the test holds the two equal. */
export interface Parameter {
  readonly name: string
  readonly type: string
  readonly byDefault: string
  readonly meaning: string
}

const MAX_PORT = 65535
/** Kea's own bound: milliseconds must fit a signed 32-bit number. */
const MAX_TIMER_SECONDS = 2147483
const YEAR = 366 * 86400
const MAX_REQUESTERS = 10_000
const MAX_TEXT = 4096

const DEFAULT_PORT = { 4: 67, 6: 547 } as const
const DEFAULT_CAPTURED = { 4: [12, 60, 61, 77, 81, 82, 124, 125], 6: [15, 16, 17, 37, 38, 39] } as const

/** Every parameter, its type and default: the README's settings table. */
export const parameters: readonly Parameter[] = [
  row(
    'requesters',
    'list',
    'none',
    'Who may connect: addresses, networks (CIDR), or maps as below. The first match decides.',
  ),
  row(
    'requesters[].address',
    'string',
    '-',
    'Address or network of the requestor; either this or `certificate`.',
  ),
  row('requesters[].certificate', 'string', '-', 'Name in the subject alternative names of its certificate.'),
  row('requesters[].queries', 'list', '[ "active", "bulk" ]', 'What it may ask.'),
  row(
    'requesters[].relay-ids',
    'list',
    'all',
    'Shows only bindings relayed by these relay-ids: hexadecimal, or text in single quotes.',
  ),
  row(
    'requesters[].withhold-options',
    'list',
    'none',
    'Option codes never sent to it, nor accepted from it as a query key.',
  ),
  row(
    'requesters[].max-connections',
    'integer',
    '0',
    'Its connections at once; 0 = only the limit of the listener.',
  ),
  row(
    'requesters[].keepalive.interval',
    'integer',
    '0',
    'Seconds of silence before a keepalive; 0 = `active-query-idle-timeout`.',
  ),
  row(
    'requesters[].keepalive.form',
    'string',
    '"status"',
    '`status` as RFC 7724 says, or `empty-active` for equipment that expects a DHCPLEASEACTIVE without address.',
  ),
  row('advanced.bulk-query-enabled', 'boolean', 'false', 'Serve Bulk Leasequery.'),
  row('advanced.active-query-enabled', 'boolean', 'false', 'Serve Active Leasequery.'),
  row(
    'advanced.lease-query-ip',
    'string or list',
    'all',
    'Addresses to listen on; all of the family without it.',
  ),
  row('advanced.lease-query-tcp-port', 'integer', '67, 547', 'Port to listen on.'),
  row(
    'advanced.max-requester-connections',
    'integer',
    '10',
    'Connections at once. One requestor alone never takes the last free one, where others are configured.',
  ),
  row(
    'advanced.max-concurrent-queries',
    'integer',
    '4',
    'Bulk queries in progress on one connection; 0 = no limit here.',
  ),
  row(
    'advanced.max-requester-idle-time',
    'integer',
    '300',
    'Seconds without a query before a connection is closed (BULK_LQ_DATA_TIMEOUT).',
  ),
  row(
    'advanced.active-query-send-timeout',
    'integer',
    '120',
    'Seconds a requestor may leave its connection blocked (ACTIVE_LQ_SEND_TIMEOUT).',
  ),
  row(
    'advanced.active-query-idle-timeout',
    'integer',
    '60',
    'Seconds of silence before a keepalive (ACTIVE_LQ_IDLE_TIMEOUT).',
  ),
  row(
    'advanced.max-feed-silence',
    'integer',
    '120',
    'Seconds without a heartbeat of Kea at which Active connections end.',
  ),
  row('tls.mode', 'string', '"required"', '`required`, or `off`: an insecure service, as an explicit step.'),
  row(
    'tls.trust-anchor',
    'string',
    '-',
    'File or folder of the certificate authorities that requestors are judged by.',
  ),
  row('tls.cert-file', 'string', '-', 'Certificate of this server.'),
  row('tls.key-file', 'string', '-', 'Its private key, readable by the sidecar only.'),
  row('history.retention', 'integer', '604800', 'Seconds that an ended binding is remembered.'),
  row('history.max-ended', 'integer', '1000000', 'Ended bindings remembered at most.'),
  row('capture-options', 'list', 'by family', 'Client options kept with a binding.'),
]

function row(name: string, type: string, byDefault: string, meaning: string): Parameter {
  return { name, type, byDefault, meaning }
}

/** Kea's lease_query knows these too; they have no meaning here and are taken without effect, so that a copied block works. */
const WITHOUT_EFFECT = [
  'extended-info-tables-enabled',
  'max-bulk-query-threads',
  'max-leases-per-fetch',
  'comment',
  'user-context',
]

/**
 * Parses Hello.service.
 * @throws ConfigError naming parameter, value and place; SidecarError ALQ_CONFIG_JSON when it is no JSON at all.
 */
export function parseService(json: string, family: Family): ServiceConfig {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new SidecarError('ALQ_CONFIG_JSON', { reason: reasonOf(error) }, { cause: error })
  }
  const service = new MapReader('', value, [
    'requesters',
    'advanced',
    'tls',
    'history',
    'capture-options',
    'feed',
  ])
  const advanced = service.map('advanced', [
    'bulk-query-enabled',
    'active-query-enabled',
    'lease-query-ip',
    'lease-query-tcp-port',
    'max-requester-connections',
    'max-concurrent-queries',
    'max-requester-idle-time',
    'active-query-send-timeout',
    'active-query-idle-timeout',
    'max-feed-silence',
  ])
  const tls = service.map('tls', ['mode', 'trust-anchor', 'cert-file', 'key-file'])
  const history = service.map('history', ['retention', 'max-ended'])
  return {
    family,
    requesters: readRequesters(service, family),
    bulk: advanced.boolean('bulk-query-enabled', false),
    active: advanced.boolean('active-query-enabled', false),
    addresses: readListenAddresses(advanced, family),
    port: advanced.integer('lease-query-tcp-port', DEFAULT_PORT[family], 1, MAX_PORT),
    maxConnections: advanced.integer('max-requester-connections', 10, 1, 65535),
    maxConcurrentQueries: advanced.integer('max-concurrent-queries', 4, 0, 65535),
    idleSeconds: advanced.integer('max-requester-idle-time', 300, 1, MAX_TIMER_SECONDS),
    activeSendSeconds: advanced.integer('active-query-send-timeout', 120, 1, MAX_TIMER_SECONDS),
    activeIdleSeconds: advanced.integer('active-query-idle-timeout', 60, 1, MAX_TIMER_SECONDS),
    feedSilenceSeconds: advanced.integer('max-feed-silence', 120, 2, MAX_TIMER_SECONDS),
    tls: {
      mode: tls.oneOf('mode', 'required', ['required', 'off'] as const),
      trustAnchor: tls.text('trust-anchor', ''),
      certFile: tls.text('cert-file', ''),
      keyFile: tls.text('key-file', ''),
    },
    history: {
      retentionSeconds: history.integer('retention', 604800, 60, 10 * YEAR),
      maxEnded: history.integer('max-ended', 1_000_000, 0, 0xffffffff),
    },
    captureOptions: service.has('capture-options')
      ? readOptionCodes(service, 'capture-options', family)
      : DEFAULT_CAPTURED[family],
  }
}

function readListenAddresses(advanced: MapReader, family: Family): readonly string[] {
  const name = 'lease-query-ip'
  const value = advanced.raw(name)
  if (value === undefined) return []
  const list = Array.isArray(value) ? value : [value]
  const addresses: string[] = []
  for (const [index, address] of list.entries()) {
    const place = Array.isArray(value) ? `${advanced.place(name)}[${index}]` : advanced.place(name)
    if (typeof address !== 'string' || !isFamily(address, family)) {
      throw new ConfigError(place, address, `an IPv${family} address is wanted`)
    }
    if (addresses.includes(address)) throw new ConfigError(place, address, 'it stands there twice')
    addresses.push(address)
  }
  // "All addresses" as an address would clash with any other one at bind().
  const wildcard = family === 4 ? '0.0.0.0' : '::'
  return addresses.includes(wildcard) ? [] : addresses
}

function readRequesters(service: MapReader, family: Family): readonly Requester[] {
  const list = service.list('requesters')
  if (list.length > MAX_REQUESTERS) {
    throw new ConfigError('requesters', list.length, `more than ${MAX_REQUESTERS} entries`)
  }
  return list.map((entry, index) => {
    const place = `requesters[${index}]`
    if (typeof entry === 'string') {
      return { ...unlimited(place), network: readNetwork(entry, place, family) }
    }
    return readRequesterMap(entry, place, family)
  })
}

function unlimited(place: string): Requester {
  return {
    place,
    queries: queryKinds,
    relayIds: [],
    withholdOptions: [],
    maxConnections: 0,
    keepaliveInterval: 0,
    keepaliveForm: 'status',
  }
}

function readRequesterMap(entry: unknown, place: string, family: Family): Requester {
  const map = new MapReader(place, entry, [
    'address',
    'certificate',
    'queries',
    'relay-ids',
    'withhold-options',
    'max-connections',
    'keepalive',
  ])
  if (map.has('address') === map.has('certificate')) {
    throw new ConfigError(place, entry, 'it needs either "address" or "certificate"')
  }
  const keepalive = map.map('keepalive', ['interval', 'form'])
  const who = map.has('address')
    ? { network: readNetwork(map.text('address', ''), map.place('address'), family) }
    : { certificate: readName(map.text('certificate', ''), map.place('certificate')) }
  return {
    place,
    ...who,
    queries: readQueries(map),
    relayIds: map.list('relay-ids').map((text, i) => readOctets(text, `${map.place('relay-ids')}[${i}]`)),
    withholdOptions: readOptionCodes(map, 'withhold-options', family),
    maxConnections: map.integer('max-connections', 0, 0, 65535),
    keepaliveInterval: keepalive.integer('interval', 0, 0, MAX_TIMER_SECONDS),
    keepaliveForm: readKeepaliveForm(keepalive, family),
  }
}

function readQueries(map: MapReader): readonly QueryKind[] {
  if (!map.has('queries')) return queryKinds
  const kinds = map.list('queries').map((kind, i) => {
    if ((queryKinds as readonly unknown[]).includes(kind)) return kind as QueryKind
    throw new ConfigError(`${map.place('queries')}[${i}]`, kind, 'one of "active", "bulk" is wanted')
  })
  return [...new Set(kinds)]
}

function readKeepaliveForm(keepalive: MapReader, family: Family): KeepaliveForm {
  const form = keepalive.oneOf('form', 'status', keepaliveForms)
  // A LEASEQUERY-DATA without client data is the only keepalive DHCPv6 has (RFC 7653 section 8.3).
  if (family === 6 && form !== 'status') {
    throw new ConfigError(keepalive.place('form'), form, 'DHCPv6 has one form only, "status"')
  }
  return form
}

function readName(name: string, place: string): string {
  if (name === '' || /\s/.test(name)) throw new ConfigError(place, name, 'a name without blanks is wanted')
  return name
}

function readNetwork(text: string, place: string, family: Family) {
  const [address = '', length, ...more] = text.split('/')
  if (!isFamily(address, family) || more.length > 0) {
    throw new ConfigError(place, text, `an IPv${family} address or network is wanted`)
  }
  const longest = family === 4 ? 32 : 128
  if (length === undefined) return { address, prefixLength: longest }
  if (!/^\d{1,3}$/.test(length) || Number(length) > longest) {
    throw new ConfigError(place, text, `the length of the network must be 0 to ${longest}`)
  }
  return { address, prefixLength: Number(length) }
}

function isFamily(address: string, family: Family): boolean {
  return (
    !address.includes('%') && (family === 4 ? isIPv4(address) : isIPv6(address)) && isIP(address) === family
  )
}

function readOptionCodes(map: MapReader, name: string, family: Family): readonly number[] {
  const most = family === 4 ? 254 : 65535
  const codes = map.list(name).map((code, i) => {
    if (Number.isInteger(code) && (code as number) >= 1 && (code as number) <= most) return code as number
    throw new ConfigError(`${map.place(name)}[${i}]`, code, `an option code from 1 to ${most} is wanted`)
  })
  return [...new Set(codes)]
}

/** Kea's ways to write octets: hexadecimal with or without colons or 0x, or text in single quotes. */
function readOctets(value: unknown, place: string): Uint8Array {
  if (typeof value === 'string') {
    const quoted = /^'(.+)'$/.exec(value)
    if (quoted) return Uint8Array.from(Buffer.from(quoted[1]!, 'utf8'))
    const digits = value.replace(/^0x/i, '').replaceAll(':', '')
    if (/^([0-9a-f]{2})+$/i.test(digits)) return Uint8Array.from(Buffer.from(digits, 'hex'))
  }
  throw new ConfigError(place, value, 'hexadecimal octets, or text in single quotes, are wanted')
}

/** Reads a map of Kea's configuration; refuses names it does not know, with the nearest known one. */
class MapReader {
  readonly #place: string
  readonly #map: Readonly<Record<string, unknown>>

  constructor(place: string, value: unknown, known: readonly string[]) {
    this.#place = place
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ConfigError(place || 'parameters', value, 'a map is wanted')
    }
    this.#map = value as Record<string, unknown>
    for (const name of Object.keys(this.#map)) {
      if (known.includes(name) || WITHOUT_EFFECT.includes(name)) continue
      const near = nearest(name, known)
      throw new ConfigError(
        this.place(name),
        this.#map[name],
        near === undefined
          ? 'no parameter has this name'
          : `no parameter has this name; did you mean "${near}"?`,
      )
    }
  }

  place(name: string): string {
    return this.#place === '' ? name : `${this.#place}.${name}`
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined
  }

  raw(name: string): unknown {
    return Object.hasOwn(this.#map, name) ? this.#map[name] : undefined
  }

  map(name: string, known: readonly string[]): MapReader {
    return new MapReader(this.place(name), this.raw(name) ?? {}, known)
  }

  list(name: string): readonly unknown[] {
    const value = this.raw(name) ?? []
    if (!Array.isArray(value)) throw new ConfigError(this.place(name), value, 'a list is wanted')
    return value
  }

  boolean(name: string, byDefault: boolean): boolean {
    const value = this.raw(name) ?? byDefault
    if (typeof value !== 'boolean') throw new ConfigError(this.place(name), value, 'true or false is wanted')
    return value
  }

  integer(name: string, byDefault: number, least: number, most: number): number {
    const value = this.raw(name) ?? byDefault
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
      throw new ConfigError(this.place(name), value, `a whole number from ${least} to ${most} is wanted`)
    }
    return value
  }

  text(name: string, byDefault: string): string {
    const value = this.raw(name) ?? byDefault
    if (typeof value !== 'string') throw new ConfigError(this.place(name), value, 'a string is wanted')
    if (value.length > MAX_TEXT) {
      throw new ConfigError(
        this.place(name),
        value,
        `${value.length} characters exceed the ${MAX_TEXT} allowed`,
      )
    }
    return value
  }

  oneOf<T extends string>(name: string, byDefault: T, choices: readonly T[]): T {
    const value = this.raw(name) ?? byDefault
    if ((choices as readonly unknown[]).includes(value)) return value as T
    throw new ConfigError(
      this.place(name),
      value,
      `one of ${choices.map((c) => `"${c}"`).join(', ')} is wanted`,
    )
  }
}

/** The known name that has all words of this one, or else differs least, if it differs little. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const words = name.split('-')
  const fuller = known.find((candidate) =>
    words.every((word) => word !== '' && candidate.split('-').includes(word)),
  )
  if (fuller !== undefined) return fuller
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.slice(0, 64), candidate)
    if (distance < bestDistance) {
      bestDistance = distance
      best = candidate
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(replaced, above[j]! + 1, current[j - 1]! + 1))
    }
    above = current
  }
  return above[b.length]!
}

function shown(value: unknown): string {
  const text = value === undefined ? 'missing' : JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
