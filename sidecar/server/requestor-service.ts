// The service of one family: listeners, who may connect, live connections, and what happens to them when the
// configuration changes, the index grows, or Kea falls silent.
import type { Socket } from 'node:net'
import type { LogicalSeconds } from '../binding.ts'
import { parseService, type ServiceConfig } from '../config.ts'
import { ConfigError } from '../config-map.ts'
import type { Requester } from '../config-requesters.ts'
import { reasonOf, SidecarError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Action, Moment, Rights, ScanQuery, SessionSettings } from '../session/session-io.ts'
import { shortTimers } from '../short-timers.ts'
import { Admission } from './admission.ts'
import { sameRights } from './allow-list.ts'
import { CertificateWatch } from './certificate-watch.ts'
import { ChangeReader } from './change-reader.ts'
import { Connection } from './connection.ts'
import type { ConnectionHost } from './connection-host.ts'
import { entriesOf } from './entry-status.ts'
import { FormerViews } from './former-views.ts'
import { Links } from './links.ts'
import type { Place } from './listener.ts'
import { Listeners } from './listeners.ts'
import { judgeNewPeer } from './peer-judge.ts'
import { NOT_HEARD, QueryOpenings } from './query-openings.ts'
import { Refusals } from './refusals.ts'
import { Refused } from './refused.ts'
import { configStatus, MAX_LISTED, runningOf, type ServiceStatus } from './requestor-status.ts'
import { ServiceCounters } from './service-counters.ts'
import type { Remembered } from './service-memory.ts'
import type { Problem, RequestorServiceParts } from './service-parts.ts'
import { identityFor, limitsOf, rightsOf } from './session-settings.ts'
import type { SecuredPeer, TlsUpgrader } from './tls.ts'
import { TlsKeeper } from './tls-keeper.ts'
import { upgraderOf } from './tls-way.ts'
import type { Topology } from './topology.ts'
import { Turns } from './turns.ts'

/** Milliseconds from one wake-up of the requestors at the tail to the next: growth of the index is gathered meanwhile. */
const GATHER_MS = 2
let connectionNumber = 0

export class RequestorService implements ConnectionHost {
  readonly turns = new Turns()
  readonly counters: ServiceCounters
  readonly #parts: RequestorServiceParts
  readonly #log: Log
  readonly #reader: ChangeReader
  readonly #connections = new Set<Connection>()
  readonly #admission = new Admission(this.#connections)
  readonly #refusals = new Refusals()
  readonly #openings: QueryOpenings
  readonly #listeners: Listeners
  readonly #tls: TlsKeeper
  readonly #certificates = new CertificateWatch()
  readonly #links = new Links()
  #config: ServiceConfig | undefined
  #configSource: 'feed' | 'store' = 'store'
  #serviceJson = ''
  #identities: readonly Uint8Array[] = []
  #formerViews = new FormerViews()
  #configProblem: Problem | undefined
  #refusal: Problem | undefined
  #memoryProblem: Problem | undefined
  #gather: NodeJS.Timeout | undefined
  /** The index has grown since they were last woken. */
  #grew = false
  #suspended = false
  #stopping = false

  constructor(parts: RequestorServiceParts) {
    this.#parts = parts
    this.#log = parts.log
    this.counters = new ServiceCounters(parts.family)
    this.#tls = new TlsKeeper(parts.log, upgraderOf(parts), parts.tlsFiles)
    this.#reader = new ChangeReader(parts.store, this.#links.topology.linkOf)
    this.#listeners = new Listeners(
      parts.family,
      parts.log,
      (socket) => this.#onSocket(socket),
      () => this.#statusChanged(),
    )
    this.#openings = new QueryOpenings({
      store: parts.store,
      moment: () => this.moment(),
      indexTrusted: parts.indexTrusted,
      disowns: (at) => parts.disowns?.(at) ?? false,
      walkPending: parts.walkPending,
      formerViews: () => this.#formerViews,
      suspended: () => this.#suspended,
      topology: () => this.#links.known,
    })
  }

  /** Serves under the parameters accepted last, if there are any: Kea may be down. */
  restore(): void {
    let remembered: Remembered | undefined
    try {
      remembered = this.#parts.memory.read()
      // Whoever was served by an earlier run may have seen less than it will now.
      if (remembered === undefined) {
        if (this.#parts.store.horizon !== undefined) this.#formerViews.forget(this.#parts.now())
        return
      }
      this.#identities = remembered.identities.map((text) => Uint8Array.from(Buffer.from(text, 'hex')))
      this.#formerViews = new FormerViews(remembered.formerViews)
      this.#apply(remembered.service, this.#parse(remembered.service), 'store')
    } catch (error) {
      this.#formerViews.forget(this.#parts.now())
      this.#log.configRejected({ parameter: '', reason: `those of the last run: ${reasonOf(error)}` })
    }
  }

  /** What is started with --require-tls serves nothing without, whatever the feed says. */
  #parse(json: string): ServiceConfig {
    const config = parseService(json, this.#parts.family)
    this.#refusal = undefined
    if (config.tls.mode === 'required' || this.#parts.requireTls !== true) return config
    this.#refusal = { parameter: 'tls.mode', text: new SidecarError('ALQ_TLS_PINNED', {}).message }
    return { ...config, tls: { ...config.tls, mode: 'required' } }
  }

  /**
   * Takes new parameters from the feed. Bad ones keep the last accepted ones in force and become a problem.
   * @param json Hello.service
   */
  configure(json: string): void {
    try {
      const config = this.#parse(json)
      this.#configProblem = undefined
      if (json !== this.#serviceJson || this.#config === undefined) this.#apply(json, config, 'feed')
      else if (config.tls.mode === 'required') this.reloadTls()
      this.#configSource = 'feed'
      this.#remember()
    } catch (error) {
      if (!(error instanceof SidecarError)) throw error
      const parameter = error instanceof ConfigError ? error.parameter : ''
      if (this.#configProblem?.text !== error.message) {
        this.counters.refusedConfigs += 1
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
    this.#links.set(topology)
    this.#reader.linkOf = topology.linkOf
  }

  /** Subnets in Kea's configuration; undefined = Kea has not said. */
  get subnets(): number | undefined {
    return this.#links.known?.subnets
  }

  /** The parameters in force. */
  get config(): ServiceConfig | undefined {
    return this.#config
  }

  get connections(): number {
    return this.#connections.size
  }

  get problems(): readonly Problem[] {
    const listening = this.#listeners.failures.map((text) => ({ parameter: 'advanced.lease-query-ip', text }))
    const own = [this.#configProblem, this.#refusal, this.#memoryProblem].filter((p) => p !== undefined)
    return [
      ...own,
      ...this.#tls.problems(Date.now()),
      ...listening,
      ...this.#refusals.problems(performance.now()),
    ]
  }

  /** Where it listens now. */
  get places(): readonly Place[] {
    return this.#listeners.places
  }

  /** How it stands with the service and those it serves. */
  status(): ServiceStatus {
    const moment = this.moment()
    const { newestChange } = this.#parts.store
    const config = this.#config
    const all = Array.from(this.#connections, (connection) => ({
      requester: connection.requester,
      status: connection.status(moment, newestChange),
    }))
    return {
      config: config === undefined ? null : configStatus(config, this.#configSource),
      refusedConfig: this.#configProblem ?? null,
      suspended: this.#suspended,
      places: this.places,
      wantedPlaces: this.#listeners.wanted,
      tls: this.#tls.status,
      connections: this.#connections.size,
      requestors: all.slice(0, MAX_LISTED).map(({ status }) => status),
      entries: config === undefined ? [] : entriesOf(config.requesters, all),
      running: runningOf(all.map(({ status }) => status)),
      counts: this.counters.counts(),
      refusals: this.#refusals.list(moment.mono),
    }
  }

  /** Changes were stored; requestors at the tail hear of them at once, and of what comes right behind them in one go. */
  indexGrew(): void {
    if (this.#stopping) return
    this.#grew = true
    if (this.#gather === undefined) this.#tellTail()
  }

  #tellTail(): void {
    this.#grew = false
    for (const connection of this.#connections) connection.indexGrew()
    this.#gather = setTimeout(() => {
      this.#gather = undefined
      if (this.#grew) this.#tellTail()
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
    this.#formerViews.clockRestarted(now)
    if (this.#config !== undefined) this.#remember()
    this.#end(() => true, 'the clock of this server was set right')
  }

  /** Reads certificates, key, trust anchors and revocation lists again; connections stay, unless those end them. */
  reloadTls(): void {
    this.#tls.reload()
    this.#judgeCertificates(Date.now())
    this.#statusChanged()
  }

  /** Called each second or so. @param wallMs Unix milliseconds */
  checkTls(wallMs: number): void {
    if (this.#tls.check(wallMs)) this.#statusChanged()
    this.#judgeCertificates(wallMs)
  }

  #judgeCertificates(wallMs: number): void {
    const { authorities } = this.#tls
    if (authorities === undefined) return
    for (const { connection, name, why } of this.#certificates.judge(
      this.#connections,
      authorities,
      wallMs,
    )) {
      const text = `its certificate is not accepted any more: ${why}`
      this.#log.requestorEnded({ reason: `${name}: ${text}`, count: 1 })
      this.refused(connection, text)
      connection.terminate(text)
    }
  }

  /** Ends every connection with a word, closes the listeners; resolves when all are gone, in a few seconds at most. */
  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#gather)
    const closed = this.#listeners.close()
    this.#end(() => true, 'the server is being stopped')
    const gone = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
      if (this.#connections.size === 0) resolve()
    })
    await Promise.all([closed, gone])
  }

  #onEmpty: (() => void) | undefined

  // ---- for connections

  moment(): Moment {
    return { mono: performance.now(), now: this.#parts.now(), keaNow: this.#parts.keaNow() }
  }

  open(since: LogicalSeconds | undefined, requester: Requester, waitedMs: number) {
    return this.#openings.active(since, requester, waitedMs)
  }

  writeChanges(asked: Extract<Action, { type: 'write-changes' }>) {
    return this.#reader.write(asked, this.moment())
  }

  openBulk(query: ScanQuery, requester: Requester, waitedMs: number) {
    return this.#openings.bulk(query, requester, waitedMs)
  }

  get tls(): TlsUpgrader | undefined {
    return this.#tls.upgrader
  }

  secured(
    connection: Connection,
    { certifiedFor, chain, letInBy, name }: SecuredPeer,
  ): { requester: Requester; rights: Rights } | Refused {
    const judged = this.#admission.secured({ address: connection.address, certifiedFor }, name)
    if (judged instanceof Refused) return judged
    const authorities = this.#tls.authorities ?? letInBy
    const ends = judgeNewPeer(chain, letInBy, authorities, Date.now())
    if (typeof ends === 'string') return new Refused('certificate', `its certificate is refused: ${ends}`)
    this.#certificates.admitted(connection, authorities, ends)
    return { requester: judged, rights: rightsOf(judged) }
  }

  refused({ address, identity }: Connection, reason: string): void {
    this.#noteRefusal(identity === address ? address : `${identity} at ${address}`, reason)
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
    this.#configSource = source
    this.#serviceJson = json
    this.#admission.configure(config)
    if (before !== undefined) {
      // Who is matched by certificate is another question in another mode: all of it counts as changed.
      const after = before.tls.mode === config.tls.mode ? config.requesters : []
      this.#formerViews.changed(before.requesters, after, this.#parts.now())
    }
    this.#log.configApplied({
      source,
      requesters: config.requesters.length,
      active: config.active,
      bulk: config.bulk,
    })
    for (const timer of shortTimers(config)) this.#log.configShortTimer(timer)
    this.#parts.onConfig?.(config)
    this.#tls.configure(config)
    this.#listeners.listen(this.#placesFor(config))
    this.#rejudge(before, config)
  }

  #remember(): void {
    try {
      this.#parts.memory.write({
        service: this.#serviceJson,
        identities: this.#identities.map((octets) => Buffer.from(octets).toString('hex')),
        formerViews: this.#formerViews.remembered(),
      })
      this.#memoryProblem = undefined
    } catch (error) {
      const text = `the accepted parameters cannot be stored: ${reasonOf(error)}`
      if (this.#memoryProblem === undefined) this.#log.storeAlarm({ reason: text })
      this.#memoryProblem = { parameter: '', text }
    }
  }

  /** None where nothing is to be served. Without a certificate it listens all the same, to refuse TLS. */
  #placesFor(config: ServiceConfig): readonly Place[] {
    if ((!config.active && !config.bulk) || this.#stopping) return []
    if (config.tls.mode === 'off') this.#log.configInsecure({ parameter: 'tls.mode' })
    const { listen } = this.#parts
    if (listen !== undefined && listen.length > 0) {
      return listen.map(({ address, port }) => ({ address, port: port ?? config.port }))
    }
    const addresses =
      config.addresses.length > 0 ? config.addresses : [config.family === 4 ? '0.0.0.0' : '::']
    return addresses.map((address) => ({ address, port: config.port }))
  }

  /** Live connections keep no right that the new parameters do not give (an Active one lasts for months). */
  #rejudge(before: ServiceConfig | undefined, config: ServiceConfig): void {
    if (before === undefined) return
    const served = this.#listeners.wanted > 0
    const switched =
      before.active !== config.active || before.bulk !== config.bulk || before.tls.mode !== config.tls.mode
    this.#end((connection) => {
      if (!served || switched) return true
      // Before TLS is up nothing is decided yet.
      if (config.tls.mode === 'required' && !connection.secure) return false
      const { address, peer } = connection
      const now = this.#admission.match({ address, certifiedFor: peer?.certifiedFor })
      return now === undefined || !sameRights(now, connection.requester)
    }, 'the configuration has changed')
    this.#judgeCertificates(Date.now())
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
    const known = this.#parts.family === 4 || this.#identities.length > 0
    const judged = known
      ? this.#admission.accept(address)
      : new Refused('not-configured', 'the DUID of Kea is not known yet')
    if (judged instanceof Refused) {
      this.counters.refused(judged.reason)
      socket.on('error', () => {})
      socket.destroy()
      this.#log.requestorRejected({ requestor: address, reason: judged.text })
      this.#noteRefusal(address, judged.text)
      return
    }
    const conn = ++connectionNumber
    const log = this.#log.child({ requestor: address, conn })
    const session = this.#parts.createSession(this.#settingsFor(judged, socket), this.moment())
    const tls = this.#config.tls.mode === 'required'
    this.#connections.add(new Connection(conn, socket, judged, session, this, log, tls))
    this.#statusChanged()
  }

  #noteRefusal(requestor: string, reason: string): void {
    this.#refusals.note(requestor, reason, performance.now())
    this.#statusChanged()
  }

  #settingsFor(requester: Requester, socket: Socket): SessionSettings {
    const config = this.#config!
    return {
      limits: limitsOf(config),
      rights: rightsOf(requester),
      service: {
        identity: identityFor(config.family, this.#identities, socket.localAddress),
        activeEnabled: config.active,
        bulkEnabled: config.bulk,
        ...this.#links.ofSessions,
      },
      tls: { mode: config.tls.mode, ready: this.#tls.upgrader !== undefined },
    }
  }

  #statusChanged(): void {
    this.#parts.onStatus?.()
  }
}
