// All that runs for one family: its store, the follower of its feed, its requestor service, and what happens each second.
import { join } from 'node:path'
import type { Family } from './binding.ts'
import { parseService } from './config.ts'
import type { ListenOverride } from './daemon-flags.ts'
import { assertNever, SidecarError } from './errors.ts'
import { readCurveKeys } from './feed/curve-keys.ts'
import type { Hello } from './feed/events.ts'
import { folderFault } from './feed/feed-folder.ts'
import { FeedFollower } from './feed/feed-follower.ts'
import type { CurveKeys } from './feed/link.ts'
import type { FeedNote } from './feed/notes.ts'
import type { Log } from './log.ts'
import { ChangeRate } from './operations/change-rate.ts'
import { PruningLog } from './pruning-log.ts'
import { secondsOf } from './seconds.ts'
import { keepConfig, keptConfig } from './server/kept-config.ts'
import { RequestorService } from './server/requestor-service.ts'
import { ServiceMemory } from './server/service-memory.ts'
import type { Problem } from './server/service-parts.ts'
import type { TlsPlaces } from './server/tls-files.ts'
import { topologyOf } from './server/topology.ts'
import { dialect4 } from './session/dialect4.ts'
import { dialect6 } from './session/dialect6.ts'
import { Session } from './session/session.ts'
import { shareBatches } from './session/shared-batches.ts'
import { openStore, type Store, type StoreAlarm } from './store/open.ts'

export interface FamilyOptions {
  readonly family: Family
  readonly endpoint: string
  /** The operator asked for this family; else it is followed in case its Kea is there. */
  readonly named: boolean
  /** File of CURVE keys, for tcp:// */
  readonly feedKeys: string | undefined
  readonly stateDir: string
  readonly listen: readonly ListenOverride[] | undefined
  readonly requireTls: boolean
  readonly tlsFiles: Partial<TlsPlaces>
  readonly rebuild: boolean
  /** "kea-leasequery 0.1.0 pid 4711", for Kea's log. */
  readonly follower: string
  readonly log: Log
}

const TICK_MS = 1_000

/** Least time between two lines about a slow disk, and how long Kea's status tells of one. */
const SLOW_LINE_MS = 600_000

const CLOCK_ADVICE =
  'base-times stand still until it has caught up; if it is right now, lease-feed-resync begins anew by it'

export class FamilyRuntime {
  readonly family: Family
  readonly endpoint: string
  readonly store: Store
  readonly service: RequestorService
  readonly follower: FeedFollower
  readonly rate: ChangeRate
  readonly #named: boolean
  readonly #log: Log
  #tick: NodeJS.Timeout | undefined
  #stopped = false
  readonly #pruning: PruningLog
  #slowLineAt = Number.NEGATIVE_INFINITY
  #alarms = new Map<string, string>()

  private constructor(
    store: Store,
    memory: ServiceMemory,
    options: FamilyOptions,
    curve: CurveKeys | undefined,
    log: Log,
  ) {
    const { family, endpoint } = options
    this.family = family
    this.store = store
    this.rate = new ChangeRate(store.newestChange)
    this.#named = options.named
    this.#log = log
    this.#pruning = new PruningLog(log)
    this.endpoint = endpoint
    const dialect = shareBatches(family === 4 ? dialect4 : dialect6)
    this.service = new RequestorService({
      family,
      store,
      now: () => store.clock.now(),
      // Until Kea has been heard, the host's clock is the best guess at its.
      keaNow: () => this.follower.keaNow() ?? Math.floor(Date.now() / 1000),
      createSession: (settings, moment) => new Session(dialect, settings, moment),
      memory,
      log,
      listen: options.listen,
      requireTls: options.requireTls,
      tlsFiles: options.tlsFiles,
      indexTrusted: () => this.follower.status().indexTrusted,
      walkPending: () => this.follower.status().walkPending,
      disowns: (at) => store.disowns(at),
      onConfig: ({ history }) => {
        store.retention = { seconds: history.retentionSeconds, maxEnded: history.maxEnded }
      },
      onStatus: () => this.#report(),
    })
    this.follower = new FeedFollower({
      endpoint,
      ...(curve === undefined ? {} : { curve }),
      family,
      store,
      clock: () => store.clock.now(),
      opening: store.openReport,
      follower: options.follower,
      onNote: (note) => this.#note(note),
      onHello: (hello) => this.service.identify(identitiesOf(hello, family)),
      onService: (json) => this.service.configure(json),
      onConfig: (config) => {
        this.service.setTopology(topologyOf(config.subnets, config.reserved))
        keepConfig(store.meta, config)
      },
      onResync: () => this.#restartClock(),
      onChange: () => this.service.indexGrew(),
    })
  }

  /**
   * Opens the store. Nothing is followed or served before {@link run}.
   * @throws SidecarError with a sentence for the operator
   */
  static async open(options: FamilyOptions): Promise<FamilyRuntime> {
    const { family, stateDir } = options
    const log = options.log.child({ family })
    const curve = options.feedKeys === undefined ? undefined : readCurveKeys(options.feedKeys)
    const memory = new ServiceMemory(join(stateDir, `service-dhcp${family}.json`))
    // Alarms of the opening come before there is a runtime to keep them.
    const early: StoreAlarm[] = []
    let runtime: FamilyRuntime | undefined
    const store = await openStore({
      path: join(stateDir, `dhcp${family}`),
      family,
      retention: rememberedRetention(memory, family),
      wall: () => Date.now() / 1000,
      rebuild: options.rebuild,
      alarm: (alarm) => {
        if (runtime === undefined) early.push(alarm)
        else runtime.#alarm(alarm)
      },
    })
    runtime = new FamilyRuntime(store, memory, options, curve, log)
    for (const alarm of early) runtime.#alarm(alarm)
    const { bindings, milliseconds, wasClean, wasNew } = store.openReport
    log.storeOpened({
      path: store.path,
      count: bindings,
      seconds: secondsOf(milliseconds),
      clean: wasClean || wasNew,
    })
    return runtime
  }

  /** Serves under what was accepted last, and follows the feed. */
  run(): void {
    const kept = keptConfig(this.store.meta)
    if (kept !== undefined) this.service.setTopology(topologyOf(kept.subnets, kept.reserved))
    this.service.restore()
    this.follower.start()
    this.#tick = setInterval(() => this.#eachSecond(), TICK_MS)
  }

  /** Tells Active requestors, stops following, writes everything. @throws SidecarError where the disk fails */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    clearInterval(this.#tick)
    await this.service.stop()
    await this.follower.stop()
    await this.store.close()
  }

  #eachSecond(): void {
    this.rate.second(this.store.newestChange)
    this.service.checkSilence(this.follower.status().silentForMs)
    this.service.checkTls(Date.now())
    this.#checkClock()
    this.#checkFolder()
    this.#checkSpeed()
    this.#prune()
  }

  #checkSpeed(): void {
    if (performance.now() - this.#slowLineAt < SLOW_LINE_MS) return
    if (this.#alarms.delete('slow')) this.#report()
  }

  /** Kea's status says it for as long as it lasts. */
  #checkFolder(): void {
    const fault = folderFault(this.endpoint)
    if (fault === this.#alarms.get('folder')) return
    if (fault === undefined) this.#alarms.delete('folder')
    else {
      this.#alarms.set('folder', fault)
      this.#log.feedFolder({ reason: fault })
    }
    this.#report()
  }

  /** Kea's status says it for as long as it lasts. */
  #checkClock(): void {
    const { held, stepBound } = this.store.clock
    if (held > stepBound === this.#alarms.has('clock')) return
    if (held > stepBound) this.#alarms.set('clock', `the clock of this host was set back: ${CLOCK_ADVICE}`)
    else this.#alarms.delete('clock')
    this.#report()
  }

  /** The operator wants to begin anew: with the clock too, where that is far ahead of the host's. */
  #restartClock(): void {
    const seconds = this.store.restartClock()
    if (seconds === 0) return
    const horizon = this.store.horizon ?? 0
    this.#log.clockRestarted({ seconds, horizon })
    this.service.clockRestarted(this.store.clock.now())
    this.#checkClock()
  }

  #prune(): void {
    if (this.#stopped) return
    const { store } = this
    const now = store.clock.now()
    const count = store.prune(now)
    this.#pruning.pruned(count)
    // Each call does a bounded piece; what is left must not wait for the next second.
    if (count > 0) setImmediate(() => this.#prune())
    else if (store.horizon !== undefined) {
      const { problem } = this.#pruning
      this.#pruning.tell(store.horizon, store.retention, now, performance.now())
      if (this.#pruning.problem !== problem) this.#report()
    }
  }

  /** Somebody wants it served: it was asked for, or its Kea has been heard, in this run or an earlier one. */
  get expected(): boolean {
    return this.#named || this.store.position.epoch !== '' || this.service.config !== undefined
  }

  /** What the operator should know, besides what the follower has to say. */
  get problems(): readonly Problem[] {
    const problems = [...this.service.problems]
    const { problem } = this.#pruning
    if (problem !== undefined) problems.push({ parameter: 'history.max-ended', text: problem })
    for (const text of this.#alarms.values()) problems.push({ parameter: '', text })
    return problems
  }

  #report(): void {
    if (this.#stopped) return
    this.follower.report({ requestors: this.service.connections, problems: this.problems })
  }

  #note(note: FeedNote): void {
    const log = this.#log
    switch (note.kind) {
      case 'connected':
        log.feedConnected({ endpoint: this.endpoint, kea: note.kea, epoch: note.epoch })
        return
      case 'gap':
        log.feedGap({ reason: note.reason, seq: note.seq })
        return
      case 'replayed':
        log.feedReplayed({ count: note.count, seq: note.seq })
        return
      case 'reconciled':
        log.feedReconciled({
          count: note.count,
          changed: note.changed,
          ended: note.ended,
          seconds: note.seconds,
        })
        return
      case 'silent':
        log.feedSilent({ seconds: note.seconds })
        return
      case 'back':
        log.feedBack({ seconds: note.seconds })
        return
      case 'clock':
        log.clockStepped({ reason: `the clock of Kea was moved ${note.direction} by ${note.seconds} s` })
        return
      case 'problem':
        log.feedProblem({ reason: note.reason })
        return
      case 'note':
        log.feedNote({ note: note.note })
        return
      default:
        assertNever(note)
    }
  }

  #alarm(alarm: StoreAlarm): void {
    const log = this.#log
    switch (alarm.kind) {
      case 'write-failed':
        // The retries go on; one line a series of failures is enough.
        if (this.#alarms.has('disk')) return
        log.storeWriteFailed({ error: alarm.error })
        this.#alarms.set('disk', alarm.error.message)
        break
      case 'write-recovered':
        this.#alarms.delete('disk')
        log.storeWritten({})
        break
      case 'write-slow': {
        const now = performance.now()
        if (now - this.#slowLineAt < SLOW_LINE_MS) return
        this.#slowLineAt = now
        log.storeSlow({ seconds: alarm.seconds })
        this.#alarms.set('slow', `a write to the store took more than ${alarm.seconds} s: the disk is slow`)
        break
      }
      case 'clock-step': {
        const { direction, seconds } = alarm.step
        const advice = direction === 'backward' ? `: ${CLOCK_ADVICE}` : ''
        log.clockStepped({ reason: `the clock of this host was moved ${direction} by ${seconds} s${advice}` })
        break
      }
      case 'pruned-by-count':
        this.#pruning.cutShort()
        return
      case 'older-than-stop':
        log.storeAlarm({
          reason: `store ${alarm.path} is older than its last stop, as if from a backup or after damage to the disk: what Kea cannot replay makes older start times get DataMissing`,
        })
        break
      case 'incomplete-after-power-loss':
        log.storeAlarm({
          reason: `store ${alarm.path} is incomplete after a power loss: all leases are read from Kea, older start times get DataMissing`,
        })
        break
      default:
        assertNever(alarm)
    }
    this.#report()
  }
}

function identitiesOf(hello: Hello, family: Family): readonly Uint8Array[] {
  if (family === 4) return hello.serverIdentifiers
  return hello.serverDuid.length > 0 ? [hello.serverDuid] : []
}

function rememberedRetention(
  memory: ServiceMemory,
  family: Family,
): { seconds: number; maxEnded: number } | undefined {
  const remembered = memory.read()
  if (remembered === undefined) return undefined
  try {
    const { history } = parseService(remembered.service, family)
    return { seconds: history.retentionSeconds, maxEnded: history.maxEnded }
  } catch (error) {
    if (error instanceof SidecarError) return undefined
    throw error
  }
}
