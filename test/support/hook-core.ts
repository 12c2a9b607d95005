/**
 * The hook's core over a simulated lease database: the code that runs inside Kea, driven from a test.
 *
 * Built by kea-hook/build-addon.sh. Jobs for Kea's main thread run on a thread of the addon's own, never in Node's loop.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import { packageRoot } from './package-root.ts'

/** Numbers of the contract's enum Origin. */
export const HookOrigin = { unknown: 0, client: 1, reclamation: 2, operator: 3, partner: 4 } as const
export type HookOrigin = (typeof HookOrigin)[keyof typeof HookOrigin]

export interface HookRelayHop {
  hopCount?: number
  linkAddress?: Uint8Array
  peerAddress?: Uint8Array
  /** Options on the wire, without OPTION_RELAY_MSG. */
  options?: Uint8Array
}

export interface HookRelay {
  /** IPv4: payload of option 82. */
  agentInfo?: Uint8Array
  /** IPv6: [0] is the relay closest to the server. */
  hops?: HookRelayHop[]
  /** IPv6, packets only: where the relayed message came from. */
  source?: Uint8Array
}

/** The message Lease of the contract. What is absent has its default value. */
export interface HookLease {
  /** 4 or 16 octets. */
  address: Uint8Array
  /** 0 address, 1 prefix. */
  type?: number
  prefixLength?: number
  /** Kea's number: 0 default, 1 declined, 2 expired-reclaimed, 3 released. */
  state?: number
  validLifetime?: number
  preferredLifetime?: number
  /** Unix seconds. */
  cltt?: number
  subnetId?: number
  poolId?: number
  iaid?: number
  hardwareType?: number
  hardwareAddress?: Uint8Array
  clientId?: Uint8Array
  hostname?: Uint8Array
  fqdnForward?: boolean
  fqdnReverse?: boolean
  storedRelay?: HookRelay
}

export interface HookPacket {
  messageType?: number
  relay?: HookRelay
  /** Captured options on the wire. */
  options?: Uint8Array
}

/** How a change came about; without an origin it is unknown. */
export interface HookCause {
  origin?: HookOrigin
  packet?: HookPacket
}

export interface HookAnnotation extends HookCause {
  address: Uint8Array
  hardwareType?: number
  hardwareAddress?: Uint8Array
  clientId?: Uint8Array
}

export interface HookCoreSettings {
  family: 4 | 6
  /** ipc:///path, or tcp://host:port with a curveKeyFile. */
  endpoint: string
  /** Most events in the ring; default 65536. */
  ringEvents?: number
  /** Most octets in the ring; default 32 MiB, at least 16 KiB. */
  ringOctets?: number
  /** Share of the main thread's time for pages, 0 to 1; default 0.1. */
  pageShare?: number
  /** Most leases of a page; default and limit 256. */
  pageLeases?: number
  /** A page slower than this makes the pager back off; default 50. */
  pageSlowMs?: number
  /** A ZeroMQ certificate with `client-key` lines; see kea-hook/src/core/curve_key.h. */
  curveKeyFile?: string
  identity?: {
    keaVersion?: string
    hookVersion?: string
    serverDuid?: Uint8Array
    serverIdentifiers?: Uint8Array[]
    tap?: boolean
    extendedInfo?: boolean
  }
}

export interface HookStatus {
  /** 32 hexadecimal digits. */
  epoch: string
  lastSeq: number
  oldestSeq: number
  /** Left the ring before they were published. */
  overwritten: number
  /** Could not be kept at all. */
  lost: number
  /** Kept without packet data. */
  cut: number
  published: number
  /** Reads of a page: one may serve several askers. */
  pages: number
  pagesFailed: number
  pageLongestUs: number
  replays: number
  badRequests: number
  ringLockLongestNs: number
  ringEvents: number
  ringOctets: number
  followers: {
    follower: string
    state: string
    appliedSeq: number
    bindings: number
    requestors: number
    ageMs: number
    problems: { parameter: string; text: string }[]
  }[]
}

export interface HookLogLine {
  level: 'debug' | 'info' | 'warn' | 'error'
  /** As in kea-hook/src/core/log_ids.h. */
  id: string
  text: string
}

/** Leases by formula: number i has the address `first` + i; client, relay data and options follow from i. */
export interface GeneratedLeases {
  /** Each costs four octets; millions are fine. */
  count: number
  /** Default 10.0.0.0 or 2001:db8::. */
  first?: Uint8Array
  /** Seconds; default 3600. */
  validLifetime?: number
  /** Default 65536; subnet ids begin at 1. */
  leasesPerSubnet?: number
  /** Default 1000. */
  leasesPerRelay?: number
  /** Pages carry relay data too, as with store-extended-info; default false. */
  storedRelay?: boolean
  /** Unix seconds; default now. */
  cltt?: number
}

export interface Churn {
  changes: number
  /** The same seed picks the same leases. Default 1. */
  seed?: number
  /** One lease after the other, instead of by chance. Default false. */
  inOrder?: boolean
  /** Changes a second; default as fast as it goes. */
  rate?: number
  /** Share of changes that remove the lease, if it is there; a removed one is added when picked again. Default 0. */
  removals?: number
  /** Share of changes that give the lease to another client. Default 0. */
  newClients?: number
}

/** The parts of a Config that a test wants; names as in the contract. */
export interface HookConfig {
  subnets: {
    id: number
    prefix: Uint8Array
    prefixLength: number
    sharedNetwork?: string
    pools?: { first: Uint8Array; last: Uint8Array }[]
    prefixPools?: { prefix: Uint8Array; prefixLength: number; delegatedLength: number }[]
    relayAddresses?: Uint8Array[]
    renewTimer?: number
    rebindTimer?: number
  }[]
  reserved?: { first: Uint8Array; last: Uint8Array }[]
}

interface NativeHookCore {
  start(): void
  stop(drainMs?: number): void
  renew(): void
  close(): void
  status(): HookStatus
  takeLog(): HookLogLine[]
  setConfig(encoded: Uint8Array): void
  setService(json: string): void
  requestResync(): void
  annotate(annotation: HookAnnotation): number
  put(lease: HookLease, cause?: HookCause): number
  remove(address: Uint8Array, cause?: HookCause): number
  putSilently(lease: HookLease): void
  removeSilently(address: Uint8Array): void
  clearSilently(): void
  leases(after?: Uint8Array, limit?: number): Required<Omit<HookLease, 'storedRelay'>>[]
  leaseCount(): number
  generate(leases: GeneratedLeases): void
  churn(churn: Churn): Promise<number>
  failPages(text: string | null, notReady?: boolean): void
  delayPages(ms: number): void
}

const native: { HookCore: new (settings: HookCoreSettings) => NativeHookCore } = createRequire(
  import.meta.url,
)(join(packageRoot, 'build', 'addon', 'lease_feed_core.node'))

let contract: protobuf.Root | undefined

/** A message type of proto/lease_feed.proto, for tests that speak to the core themselves. */
export function contractType(name: string): protobuf.Type {
  contract ??= new protobuf.Root().loadSync(join(packageRoot, 'proto', 'lease_feed.proto'), {
    keepCase: false,
  })
  return contract.lookupType(`kea.lease_feed.v1.${name}`)
}

/** A feed and the leases behind it. Nothing is on the sockets before start(). */
export class HookCore implements Disposable {
  readonly settings: HookCoreSettings
  readonly #native: NativeHookCore

  /** @throws TypeError, RangeError for settings that cannot be */
  constructor(settings: HookCoreSettings) {
    this.settings = settings
    this.#native = new native.HookCore(settings)
  }

  /** Takes the lock file, binds, publishes. @throws Error with the core's sentence: path, owner, reason */
  start(): void {
    this.#native.start()
  }

  /** Sends what the ring holds for at most `drainMs` (default 200), then closes the sockets. Keeps epoch and leases. */
  stop(drainMs?: number): void {
    this.#native.stop(drainMs)
  }

  /** As a configuration reload of Kea: stops, and begins another epoch with the same leases, not started yet. */
  renew(): void {
    this.#native.renew()
  }

  /** Ends all threads. Only close() may follow. */
  close(): void {
    this.#native.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  status(): HookStatus {
    return this.#native.status()
  }

  /** The log lines since the last call, at most the newest 1000. */
  takeLog(): HookLogLine[] {
    return this.#native.takeLog()
  }

  setConfig(config: HookConfig): void {
    const type = contractType('Config')
    this.#native.setConfig(type.encode(type.fromObject(config)).finish())
  }

  /** @param service the requestor service's parameters, as kea.conf spells them; a string is taken as it is */
  setService(service: object | string): void {
    this.#native.setService(typeof service === 'string' ? service : JSON.stringify(service))
  }

  requestResync(): void {
    this.#native.requestResync()
  }

  /** @return its sequence number */
  annotate(annotation: HookAnnotation): number {
    return this.#native.annotate(annotation)
  }

  /** Adds or updates a lease and publishes that, in one step under the manager's lock. @return its sequence number */
  put(lease: HookLease, cause: HookCause = {}): number {
    return this.#native.put(lease, cause)
  }

  /** Removes a lease and publishes that. @return its sequence number; 0 when there was none, and nothing is published */
  remove(address: Uint8Array, cause: HookCause = {}): number {
    return this.#native.remove(address, cause)
  }

  /** A change that the tap does not see, as by another writer of a shared database. */
  putSilently(lease: HookLease): void {
    this.#native.putSilently(lease)
  }

  removeSilently(address: Uint8Array): void {
    this.#native.removeSilently(address)
  }

  /** As a database emptied under Kea: generated leases go too. */
  clearSilently(): void {
    this.#native.clearSilently()
  }

  /** The leases there are now, by address: the truth to compare with. */
  leases(after?: Uint8Array, limit?: number): ReturnType<NativeHookCore['leases']> {
    return this.#native.leases(after, limit)
  }

  get leaseCount(): number {
    return this.#native.leaseCount()
  }

  /** Makes leases by formula, instead of earlier generated ones; nothing is published. */
  generate(leases: GeneratedLeases): void {
    this.#native.generate(leases)
  }

  /** Publishes changes of generated leases from a thread of the addon's. @return how many, when done or cut off by close() */
  churn(churn: Churn): Promise<number> {
    return this.#native.churn(churn)
  }

  /** Makes the reading of pages fail with this text, until null; `notReady`: as while Kea is reconfigured. */
  failPages(text: string | null, notReady = false): void {
    this.#native.failPages(text, notReady)
  }

  /** Makes each page take so much longer. */
  delayPages(ms: number): void {
    this.#native.delayPages(ms)
  }
}
