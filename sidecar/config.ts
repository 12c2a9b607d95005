// What the hook says about the requestor service (Hello.service: JSON in kea.conf's spelling) -> a typed
// ServiceConfig, or a ConfigError that names parameter, value and place. Kea's hook fills defaults in and checks as
// well; all is checked again, because a feed may be of another version or, over tcp://, of another host.
import type { Family } from './binding.ts'
import { ConfigError, isFamily, MAX_TIMER_SECONDS, MapReader, readOptionCodes } from './config-map.ts'
import { type Requester, readRequesters } from './config-requesters.ts'
import { reasonOf, SidecarError } from './errors.ts'

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
  /** Seconds that a requestor which has caught up may lag behind the changes; 0 = no limit. */
  readonly activeLagSeconds: number
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

const MAX_PORT = 65535
const YEAR = 366 * 86400

const DEFAULT_PORT = { 4: 67, 6: 547 } as const
const DEFAULT_CAPTURED = { 4: [12, 60, 61, 77, 81, 82, 124, 125], 6: [15, 16, 17, 37, 38, 39] } as const

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
    'active-query-max-lag',
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
    activeLagSeconds: advanced.integer('active-query-max-lag', 3600, 0, MAX_TIMER_SECONDS),
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
