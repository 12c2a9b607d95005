// The service of one family: listeners, who may connect, live connections, and what happens to them when the
// configuration changes, the index grows, or Kea falls silent.
import type { Socket } from 'node:net'
import { EVERYTHING, type Family, type LogicalSeconds, type UnixSeconds } from '../binding.ts'
import { parseService, type ServiceConfig } from '../config.ts'
import { ConfigError } from '../config-map.ts'
import type { Requester } from '../config-requesters.ts'
import type { ListenOverride } from '../daemon-flags.ts'
import { reasonOf, SidecarError } from '../errors.ts'
import type { Log } from '../log.ts'
import { defaultLimits } from '../session/limits.ts'
import type { ChangeBatch, Input, Moment, Rights, ScanQuery, SessionSettings } from '../session/session-io.ts'
import { shortTimers } from '../short-timers.ts'
import { type BulkStore, MAX_BULK_SCANS } from '../store/store.ts'
import { parseAddress } from '../wire/address.ts'
import { AllowList, type Peer, sameRights } from './allow-list.ts'
import { openBulk } from './bulk-reader.ts'
import { ChangeReader, openAt } from './change-reader.ts'
import { Connection, type ConnectionHost, type OpenedBulk, type SessionLike } from './connection.ts'
import { LineLimit } from './line-limit.ts'
import { Listener, type Place } from './listener.ts'
import type { Remembered, ServiceMemory } from './service-memory.ts'
import type { SecuredPeer, TlsUpgrader } from './tls.ts'
import type { TlsPlaces } from './tls-files.ts'
import { TlsKeeper } from './tls-keeper.ts'
import { type Topology, topologyOf } from './topology.ts'
import { Turns } from './turns.ts'
import { entryKey, widenedEntries } from './widened.ts'

/** What the operator should know; goes to Kea's log and status with the follower's report. */
export interface Problem {
  /** Parameter in kea.conf; empty = none in particular. */
  readonly parameter: string
  readonly text: string
}

export interface RequestorServiceParts {
  readonly family: Family
  readonly store: BulkStore
  /** The logical clock L, as far as sessions may see it: see Moment.now. */
  readonly now: () => LogicalSeconds
  /** Kea's clock; the host's own until Kea has been heard. */
  readonly keaNow: () => UnixSeconds
  readonly createSession: (settings: SessionSettings, moment: Moment) => SessionLike
  readonly memory: ServiceMemory
  readonly log: Log
  /** `--listen`: instead of what kea.conf says. */
  readonly listen?: readonly ListenOverride[] | undefined
  /** `--require-tls` */
  readonly requireTls?: boolean
  /** `--tls-ca`, `--tls-cert`, `--tls-key` */
  readonly tlsFiles?: Partial<TlsPlaces>
  /** New parameters are in force. */
  readonly onConfig?: (config: ServiceConfig) => void
  /** Something in {@link RequestorService.problems} or the number of connections has changed. */
  readonly onStatus?: () => void
  /**
   * The horizon says how far the history reaches back. False: changes shown before a crash may have been lost; start times
   * wait for the proof that they were not, and get DataMissing without it.
   */
  readonly indexTrusted: () => boolean
  /** A base-time of before the clock began anew: nothing can be told by it. */
  readonly disowns?: (at: LogicalSeconds) => boolean
  /** The store may lack what happened in Kea: its leases are still to be compared, all of them. */
  readonly walkPending: () => boolean
}

/** Milliseconds in which growth of the index is gathered into one wake-up of the requestors at the tail. */
const GATHER_MS = 2
/** How long the answer to a start time waits for the proof that nothing was lost in a crash. */
const TRUST_WAIT_MS = 10_000
/** How long a Bulk query waits for a walk that may change its answer, or for room. */
const BULK_WAIT_MS = 60_000
/** Where `max-concurrent-queries` is 0: what the store takes at once. */
const NO_LIMIT = MAX_BULK_SCANS
const NOT_HEARD = 'the DHCP server is not heard'
/**
 * Where a certificate decides, anybody may connect until it is seen: so many at once, and of one address, wait for TLS.
 * They take nothing of `max-requester-connections`, or strangers could keep requestors out.
 */
const MAX_UNSECURED = 64
const MAX_UNSECURED_OF_ONE = 16
/** Lines about refused connections in ten seconds. */
const REJECTED_LINES = 10

let connectionNumber = 0

export class RequestorService implements ConnectionHost {
  readonly turns = new Turns()
  readonly #parts: RequestorServiceParts
  readonly #log: Log
  readonly #reader: ChangeReader
  readonly #rejected = new LineLimit(REJECTED_LINES, 10_000)
  readonly #connections = new Set<Connection>()
  readonly #tls: TlsKeeper
  #listeners: Listener[] = []
  #config: ServiceConfig | undefined
  #allowList: AllowList | undefined
  #serviceJson = ''
  #identities: readonly Uint8Array[] = []
  #widened: Readonly<Record<string, LogicalSeconds>> = {}
  #topology: Topology = topologyOf([])
  #topologyKnown = false
  /** By the very octets that were asked with: an active query asks of each change. */
  #links = new WeakMap<Uint8Array, readonly number[]>()
  #configProblem: Problem | undefined
  #refusal: Problem | undefined
  #memoryProblem: Problem | undefined
  #gather: NodeJS.Timeout | undefined
  #suspended = false
  #stopping = false

  constructor(parts: RequestorServiceParts) {
    this.#parts = parts
    this.#log = parts.log
    this.#tls = new TlsKeeper(parts.log, parts.tlsFiles)
    this.#reader = new ChangeReader(parts.store, this.#topology.linkOf)
  }

  /** Serves under the parameters accepted last, if there are any: Kea may be down. */
  restore(): void {
    let remembered: Remembered | undefined
    try {
      remembered = this.#parts.memory.read()
      if (remembered === undefined) return
      this.#identities = remembered.identities.map((text) => Uint8Array.from(Buffer.from(text, 'hex')))
      this.#widened = remembered.widened
      this.#apply(remembered.service, parseService(remembered.service, this.#parts.family), 'store')
    } catch (error) {
      this.#log.configRejected({ parameter: '', reason: `those of the last run: ${reasonOf(error)}` })
    }
  }

  /**
   * Takes new parameters from the feed. Bad ones keep the last accepted ones in force and become a problem.
   * @param json Hello.service
   */
  configure(json: string): void {
    try {
      const config = parseService(json, this.#parts.family)
      this.#configProblem = undefined
      if (json !== this.#serviceJson || this.#config === undefined) this.#apply(json, config, 'feed')
      else if (config.tls.mode === 'required') this.reloadTls()
      this.#remember()
    } catch (error) {
      if (!(error instanceof SidecarError)) throw error
      const parameter = error instanceof ConfigError ? error.parameter : ''
      if (this.#configProblem?.text !== error.message) {
        this.#log.configRejected({ parameter, reason: error.message })
      }
      this.#configProblem = { parameter, text: error.message }
    }
    this.#statusChanged()
  }

  /** Who this server is. DHCPv4: server identifiers, most usual first; DHCPv6: the DUID alone. Empty: not known. */
  identify(identities: readonly Uint8Array[]): void {
    if (identities.length === 0) return
    this.#identities = identities
    if (this.#config !== undefined) this.#remember()
  }

  /** What Kea said about links. */
  setTopology(topology: Topology): void {
    this.#topology = topology
    this.#topologyKnown = true
    this.#links = new WeakMap()
    this.#reader.linkOf = topology.linkOf
  }

  /** The parameters in force. */
  get config(): ServiceConfig | undefined {
    return this.#config
  }

  get connections(): number {
    return this.#connections.size
  }

  get problems(): readonly Problem[] {
    const listening = this.#listeners.flatMap((listener) =>
      listener.failure === undefined
        ? []
        : [
            {
              parameter: 'advanced.lease-query-ip',
              text: new SidecarError('ALQ_LISTEN', { ...listener.place, reason: reasonOf(listener.failure) })
                .message,
            },
          ],
    )
    return [this.#configProblem, this.#refusal, this.#tls.problem, this.#memoryProblem, ...listening].filter(
      (p) => p !== undefined,
    )
  }

  /** Where it listens now. */
  get places(): readonly Place[] {
    return this.#listeners.flatMap(({ place, port }) => (port === undefined ? [] : [{ ...place, port }]))
  }

  /** Changes were stored; requestors at the tail hear of them in a moment, all in one go. */
  indexGrew(): void {
    if (this.#gather !== undefined || this.#stopping) return
    this.#gather = setTimeout(() => {
      this.#gather = undefined
      for (const connection of this.#connections) connection.indexGrew()
    }, GATHER_MS)
  }

  /**
   * Called each second or so: a feed silent for too long suspends Active Leasequery, and its return resumes it.
   * @param silentMs milliseconds since Kea was last heard
   */
  checkSilence(silentMs: number): void {
    const limit = this.#config?.feedSilenceSeconds
    if (limit === undefined) return
    const suspended = silentMs >= 1000 * limit
    if (suspended === this.#suspended) return
    this.#suspended = suspended
    if (suspended) {
      this.#log.activeSuspended({ seconds: Math.floor(silentMs / 1000) })
      this.#end((connection) => connection.active, NOT_HEARD)
    } else {
      this.#log.activeResumed({})
    }
    this.#statusChanged()
  }

  /** L has begun anew at `now`, far behind what it was: no base-time that was told may be kept. */
  clockRestarted(now: LogicalSeconds): void {
    const widened = Object.entries(this.#widened).map(([key, at]) => [key, Math.min(at, now)] as const)
    this.#widened = Object.fromEntries(widened)
    if (this.#config !== undefined) this.#remember()
    this.#end(() => true, 'the clock of this server was set right')
  }

  /** Reads certificates, key and trust anchors again; connections that are up stay. */
  reloadTls(): void {
    this.#tls.reload()
    this.#relisten()
  }

  /** Called each second or so. @param wallMs Unix milliseconds */
  checkTls(wallMs: number): void {
    if (this.#tls.check(wallMs)) this.#relisten()
  }

  #relisten(): void {
    if (this.#config !== undefined && !this.#stopping) this.#listen(this.#config)
    this.#statusChanged()
  }

  /** Ends every connection with a word, closes the listeners; resolves when all are gone, in a few seconds at most. */
  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#gather)
    const closing = this.#listeners.map((listener) => listener.close())
    this.#listeners = []
    this.#end(() => true, 'the server is being stopped')
    const gone = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
      if (this.#connections.size === 0) resolve()
    })
    await Promise.all([...closing, gone])
  }

  #onEmpty: (() => void) | undefined

  // ---- for connections

  moment(): Moment {
    return { mono: performance.now(), now: this.#parts.now(), keaNow: this.#parts.keaNow() }
  }

  open(
    since: LogicalSeconds | undefined,
    requester: Requester,
    waitedMs: number,
  ): Extract<Input, { type: 'opened' | 'terminate' }> | 'later' {
    const { store, indexTrusted, now } = this.#parts
    if (this.#suspended) return { type: 'terminate', text: NOT_HEARD }
    const opened = openAt(store, since, now())
    if (since === undefined || !opened.complete) return opened
    const widenedAt = this.#widened[entryKey(requester)]
    const incomplete = { ...opened, after: opened.newest, complete: false }
    if (this.#parts.disowns?.(since)) return incomplete
    if (widenedAt !== undefined && since <= widenedAt) return incomplete
    if (indexTrusted()) return opened
    // After a crash the feed mostly proves in a moment that nothing was lost; DataMissing would cost the requestor a
    // Bulk query for nothing.
    return waitedMs < TRUST_WAIT_MS ? 'later' : incomplete
  }

  read(after: number, limit: number): ChangeBatch {
    return this.#reader.read(after, limit)
  }

  openBulk(query: ScanQuery, requester: Requester, waitedMs: number): OpenedBulk | 'later' {
    const { store, indexTrusted, walkPending } = this.#parts
    const { horizon } = store
    if (horizon === undefined) return { refused: 'the leases of the DHCP server have not all been read yet' }
    const start = query.window?.start
    const widenedAt = this.#widened[entryKey(requester)]
    if (start !== undefined && widenedAt !== undefined && start <= widenedAt)
      return { refused: 'more than at the start time is shown to this requestor: ask without one' }
    if (start !== undefined && this.#parts.disowns?.(start))
      return {
        refused: 'the start time is of before the clock of this server was set right: ask without one',
      }
    const later = (refused: string) => (waitedMs < BULK_WAIT_MS ? 'later' : { refused })
    if (walkPending()) return later('the leases are being compared with those of the DHCP server')
    if (start !== undefined && !indexTrusted())
      return later('it is not known yet whether changes were lost in a crash')
    if (query.configured && !this.#topologyKnown)
      return later('the configured addresses are not known yet: the DHCP server has not been reached')
    const bulk = openBulk(store, this.#topology, query, () => this.moment())
    return bulk === undefined ? later('too many Bulk queries are running') : { bulk, horizon }
  }

  get tls(): TlsUpgrader | undefined {
    return this.#tls.upgrader
  }

  get oneMessagePerRecord(): boolean {
    return this.#parts.family === 4
  }

  secured(
    connection: Connection,
    { certifiedFor }: SecuredPeer,
  ): { requester: Requester; rights: Rights } | string {
    const judged = this.#judge({ address: connection.address, certifiedFor })
    return typeof judged === 'string' ? judged : { requester: judged, rights: rightsOf(judged) }
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onEmpty?.()
    this.#statusChanged()
  }

  // ---- configuration

  #apply(json: string, config: ServiceConfig, source: 'feed' | 'store'): void {
    const before = this.#config
    this.#config = config
    this.#serviceJson = json
    this.#allowList = new AllowList(config)
    if (before !== undefined) this.#noteWidened(before, config)
    this.#log.configApplied({
      source,
      requesters: config.requesters.length,
      active: config.active,
      bulk: config.bulk,
    })
    for (const timer of shortTimers(config)) this.#log.configShortTimer(timer)
    this.#parts.onConfig?.(config)
    this.#tls.configure(config)
    this.#listen(config)
    this.#rejudge(before, config)
  }

  #noteWidened(before: ServiceConfig, config: ServiceConfig): void {
    const now = this.#parts.now()
    const widened = { ...this.#widened }
    const present = new Set(config.requesters.map(entryKey))
    for (const key of Object.keys(widened)) if (!present.has(key)) delete widened[key]
    for (const key of widenedEntries(before.requesters, config.requesters)) widened[key] = now
    this.#widened = widened
  }

  #remember(): void {
    try {
      this.#parts.memory.write({
        service: this.#serviceJson,
        identities: this.#identities.map((octets) => Buffer.from(octets).toString('hex')),
        widened: this.#widened,
      })
      this.#memoryProblem = undefined
    } catch (error) {
      const text = `the accepted parameters cannot be stored: ${reasonOf(error)}`
      if (this.#memoryProblem === undefined) this.#log.storeAlarm({ reason: text })
      this.#memoryProblem = { parameter: '', text }
    }
  }

  #listen(config: ServiceConfig): void {
    const wanted = this.#placesFor(config)
    const kept: Listener[] = []
    for (const listener of this.#listeners) {
      if (wanted.some((place) => samePlace(place, listener.place))) kept.push(listener)
      else void listener.close()
    }
    const added = wanted
      .filter((place) => !kept.some((listener) => samePlace(place, listener.place)))
      .map(
        (place) =>
          new Listener(
            config.family,
            place,
            this.#log,
            (socket) => this.#onSocket(socket),
            () => this.#statusChanged(),
          ),
      )
    this.#listeners = [...kept, ...added]
  }

  /** None when nothing is to be served, or must not be. */
  #placesFor(config: ServiceConfig): readonly Place[] {
    this.#refusal = undefined
    if ((!config.active && !config.bulk) || this.#stopping) return []
    if (config.tls.mode === 'required') {
      // Said in the log and among the problems by the keeper.
      if (this.#tls.upgrader === undefined) return []
    } else {
      if (this.#parts.requireTls === true) return this.#refuse()
      this.#log.configInsecure({ parameter: 'tls.mode' })
    }
    const { listen } = this.#parts
    if (listen !== undefined && listen.length > 0) {
      return listen.map(({ address, port }) => ({ address, port: port ?? config.port }))
    }
    const addresses =
      config.addresses.length > 0 ? config.addresses : [config.family === 4 ? '0.0.0.0' : '::']
    return addresses.map((address) => ({ address, port: config.port }))
  }

  #refuse(): readonly Place[] {
    const { message } = new SidecarError('ALQ_TLS_PINNED', {})
    this.#refusal = { parameter: 'tls.mode', text: message }
    this.#log.listenerRefused({ reason: message })
    return []
  }

  /** Live connections keep no right that the new parameters do not give (an Active one lasts for months). */
  #rejudge(before: ServiceConfig | undefined, config: ServiceConfig): void {
    if (before === undefined) return
    const served = this.#listeners.length > 0
    const switched =
      before.active !== config.active || before.bulk !== config.bulk || before.tls.mode !== config.tls.mode
    this.#end((connection) => {
      if (!served || switched) return true
      // Before TLS is up nothing is decided yet.
      if (config.tls.mode === 'required' && !connection.secure) return false
      const { address, certifiedFor } = connection
      const now = this.#allowList?.match({ address, certifiedFor })
      return now === undefined || !sameRights(now, connection.requester)
    }, 'the configuration has changed')
  }

  #end(which: (connection: Connection) => boolean, text: string): void {
    const ended = [...this.#connections].filter(which)
    if (ended.length === 0) return
    this.#log.requestorEnded({ reason: text, count: ended.length })
    for (const connection of ended) connection.terminate(text)
  }

  // ---- accepting

  #onSocket(socket: Socket): void {
    const address = socket.remoteAddress
    // Already gone again: there is nobody to judge.
    if (address === undefined || this.#config === undefined) {
      socket.destroy()
      return
    }
    const judged = this.#config.tls.mode === 'off' ? this.#judge({ address }) : this.#judgeUnsecured(address)
    if (typeof judged === 'string') {
      this.#reject(socket, address, judged)
      return
    }
    const log = this.#log.child({ requestor: address, conn: ++connectionNumber })
    log.requestorConnected({ port: socket.remotePort ?? 0 })
    const session = this.#parts.createSession(this.#settingsFor(judged, socket), this.moment())
    this.#connections.add(new Connection(socket, judged, session, this, log))
    this.#statusChanged()
  }

  /** The entry that permits this peer, or why it is not served (RFC 7724 section 8.1, RFC 7653 section 9.1). */
  #judge(peer: Peer): Requester | string {
    const requester = this.#allowList?.match(peer)
    if (requester === undefined) return 'it is not among the requesters'
    if (this.#parts.family === 6 && this.#identities.length === 0) return 'the DUID of Kea is not known yet'
    const { maxConnections, tls } = this.#config!
    const judged = [...this.#connections].filter(({ secure }) => secure || tls.mode === 'off')
    const all = judged.length
    if (all >= maxConnections) return `all ${maxConnections} connections are taken`
    const own = judged.filter((connection) => connection.address === peer.address).length
    // As Kea does: one requestor alone does not take them all, where others are configured.
    if (all > 0 && all === maxConnections - 1 && own === all && this.#allowList!.admitsSeveral) {
      return 'the last free connection is kept for another requestor'
    }
    const ofEntry = judged.filter(
      (connection) => entryKey(connection.requester) === entryKey(requester),
    ).length
    if (requester.maxConnections > 0 && ofEntry >= requester.maxConnections) {
      return `all ${requester.maxConnections} connections of ${requester.place} are taken`
    }
    return requester
  }

  /** Before TLS is up: the entry of the address, or nobody in particular where a certificate may still decide. */
  #judgeUnsecured(address: string): Requester | string {
    const requester = this.#allowList?.match({ address })
    if (requester === undefined && !this.#allowList?.asksForCertificates) {
      return 'it is not among the requesters'
    }
    if (this.#parts.family === 6 && this.#identities.length === 0) return 'the DUID of Kea is not known yet'
    const unsecured = [...this.#connections].filter(({ secure }) => !secure)
    const own = unsecured.filter((connection) => connection.address === address).length
    if (unsecured.length >= MAX_UNSECURED || own >= MAX_UNSECURED_OF_ONE) {
      return `${unsecured.length} connections, ${own} of them from there, have not started TLS yet`
    }
    return requester ?? NOBODY
  }

  #reject(socket: Socket, address: string, reason: string): void {
    socket.on('error', () => {})
    socket.destroy()
    this.#rejected.run(performance.now(), (suppressed) =>
      this.#log.requestorRejected({ requestor: address, reason, suppressed }),
    )
  }

  #settingsFor(requester: Requester, socket: Socket): SessionSettings {
    const config = this.#config!
    return {
      limits: {
        ...defaultLimits,
        dataSeconds: config.idleSeconds,
        activeSendSeconds: config.activeSendSeconds,
        activeIdleSeconds: config.activeIdleSeconds,
        activeLagSeconds: config.activeLagSeconds,
        maxBulkQueries: config.maxConcurrentQueries === 0 ? NO_LIMIT : config.maxConcurrentQueries,
      },
      rights: rightsOf(requester),
      service: {
        identity: this.#identityFor(socket),
        activeEnabled: config.active,
        bulkEnabled: config.bulk,
        timers: (subnetId) => this.#topology.timers(subnetId),
        subnetsOfLink: (linkAddress) => this.#subnetsOfLink(linkAddress),
        isOnLink: (address) => !this.#topologyKnown || this.#topology.isOnLink(address),
      },
      tls: { mode: config.tls.mode, ready: this.#tls.upgrader !== undefined },
    }
  }

  /**
   * DHCPv4: the address that the requestor connected to, if Kea answers with it; else the one Kea uses most; the former
   * also where Kea has not said any. DHCPv6: the DUID.
   */
  #identityFor(socket: Socket): Uint8Array {
    const [usual] = this.#identities
    if (this.#parts.family === 6) return usual!
    const local = parseAddress(socket.localAddress ?? '') ?? new Uint8Array(4)
    const own = this.#identities.some((octets) => Buffer.from(octets).equals(local))
    return own ? local : (usual ?? local)
  }

  #subnetsOfLink(linkAddress: Uint8Array): readonly number[] | undefined {
    if (!this.#topologyKnown) return undefined
    let subnets = this.#links.get(linkAddress)
    if (subnets === undefined) {
      subnets = this.#topology.subnetsOfLink(linkAddress)
      this.#links.set(linkAddress, subnets)
    }
    return subnets
  }

  #statusChanged(): void {
    this.#parts.onStatus?.()
  }
}

/** Who has not shown a certificate yet; may ask for TLS and nothing else. */
const NOBODY: Requester = {
  place: '',
  queries: [],
  ...EVERYTHING,
  withholdOptions: [],
  relayDataAlways: false,
  maxConnections: 0,
  keepaliveInterval: 0,
  keepaliveForm: 'status',
}

function rightsOf(requester: Requester): Rights {
  return {
    active: requester.queries.includes('active'),
    bulk: requester.queries.includes('bulk'),
    withhold: new Set(requester.withholdOptions),
    subnets: requester.subnets,
    relayDataAlways: requester.relayDataAlways,
    relayIds: requester.relayIds,
    remoteIds: requester.remoteIds,
    keepaliveSeconds: requester.keepaliveInterval,
    keepaliveForm: requester.keepaliveForm,
  }
}

function samePlace(a: Place, b: Place): boolean {
  return a.address === b.address && a.port === b.port
}
