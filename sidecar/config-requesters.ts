// The list `requesters`: who may connect, what each may ask and see.
import { EVERYTHING, type Family, type Scope } from './binding.ts'
import {
  ConfigError,
  isFamily,
  MAX_TIMER_SECONDS,
  MapReader,
  readOctets,
  readOptionCodes,
} from './config-map.ts'

export const queryKinds = ['active', 'bulk'] as const
export type QueryKind = (typeof queryKinds)[number]

export const keepaliveForms = ['status', 'empty-active'] as const
export type KeepaliveForm = (typeof keepaliveForms)[number]

/** One entry of `requesters`: who, and what it may ask. The first entry that matches a requestor decides. */
export interface Requester extends Scope {
  /** Where the entry stands, e.g. `requesters[1]`. */
  readonly place: string
  /** Address or network, if it is matched by address. */
  readonly network?: { readonly address: string; readonly prefixLength: number }
  /** Name in the subject alternative names, if it is matched by certificate. */
  readonly certificate?: string
  readonly queries: readonly QueryKind[]
  /** Options never sent to this requestor. */
  readonly withholdOptions: readonly number[]
  /** Relay data is sent though it is not asked for. */
  readonly relayDataAlways: boolean
  /** Connections this entry may have at once; 0 = only the listener's limit. */
  readonly maxConnections: number
  /** Seconds of silence before a keepalive; 0 = `advanced.active-query-idle-timeout`. */
  readonly keepaliveInterval: number
  readonly keepaliveForm: KeepaliveForm
}

export function readRequesters(service: MapReader, family: Family): readonly Requester[] {
  const list = service.list('requesters')
  return list.map((entry, index) => {
    const place = `requesters[${index}]`
    if (typeof entry === 'string') {
      return { place, queries: queryKinds, ...UNSAID, network: readNetwork(entry, place, family) }
    }
    return readRequesterMap(entry, place, family)
  })
}

/** What holds for a requestor of which nothing is said. */
export const UNSAID = {
  ...EVERYTHING,
  withholdOptions: [],
  relayDataAlways: false,
  maxConnections: 0,
  keepaliveInterval: 0,
  keepaliveForm: 'status',
} as const satisfies Omit<Requester, 'place' | 'queries'>

function readRequesterMap(entry: unknown, place: string, family: Family): Requester {
  const map = new MapReader(place, entry, [
    'address',
    'certificate',
    'queries',
    'subnets',
    'relay-ids',
    'remote-ids',
    'withhold-options',
    'relay-data-always',
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
    ...readScope(map),
    withholdOptions: readOptionCodes(map, 'withhold-options', family),
    relayDataAlways: map.boolean('relay-data-always', false),
    maxConnections: map.integer('max-connections', 0, 0, 65535),
    keepaliveInterval: keepalive.integer('interval', 0, 0, MAX_TIMER_SECONDS),
    keepaliveForm: readKeepaliveForm(keepalive, family),
  }
}

const MAX_SUBNET_ID = 0xfffffffe

function readScope(map: MapReader): Scope {
  const octets = (name: string) =>
    map.list(name).map((text, i) => readOctets(text, `${map.place(name)}[${i}]`))
  const subnets = map.list('subnets').map((id, i) => {
    if (Number.isInteger(id) && (id as number) >= 1 && (id as number) <= MAX_SUBNET_ID) return id as number
    throw new ConfigError(`${map.place('subnets')}[${i}]`, id, 'the id of a subnet, 1 or more, is wanted')
  })
  return { subnets, relayIds: octets('relay-ids'), remoteIds: octets('remote-ids') }
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
