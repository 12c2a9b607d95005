// Wiring: both families in one process, started and stopped in order.
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import type { DaemonSettings } from './daemon-flags.ts'
import { reasonOf, SidecarError } from './errors.ts'
import { FamilyRuntime } from './family-runtime.ts'
import type { Log } from './log.ts'
import { availableMemory, MemoryAlarm } from './memory-alarm.ts'
import { OperationsServer } from './operations/http.ts'
import { Meter } from './operations/meter.ts'
import type { OperationsPlace } from './operations/place.ts'
import { operationsRoutes } from './operations/routes.ts'
import { StatusSource } from './operations/source.ts'
import { type ProcessStatus, processStatus } from './operations/status.ts'
import { Viewers } from './operations/viewers.ts'
import { secondsOf } from './seconds.ts'
import { version } from './version.ts'

/** A stop that takes longer is given up: what is not on disk by then is read from Kea again. */
const STOP_MS = 20_000
const MEMORY_CHECK_MS = 30_000

export class App {
  readonly families: readonly FamilyRuntime[]
  readonly #source: StatusSource
  readonly #meter: Meter | undefined
  readonly #operations: OperationsServer | undefined
  readonly #log: Log
  readonly #memoryCheck: NodeJS.Timeout
  #stopping: Promise<boolean> | undefined

  private constructor(families: readonly FamilyRuntime[], place: OperationsPlace | undefined, log: Log) {
    this.families = families
    this.#log = log
    const source = new StatusSource(() => processStatus(families, availableMemory()))
    this.#source = source
    if (place !== undefined) {
      this.#meter = new Meter(
        source,
        families.map(({ store }) => store.path),
      )
      this.#operations = serveOperations(place, source, this.#meter, log)
    }
    const alarm = new MemoryAlarm(log)
    this.#memoryCheck = setInterval(() => alarm.check(), MEMORY_CHECK_MS)
    this.#memoryCheck.unref()
  }

  /** @throws SidecarError with a sentence for the operator; nothing is left open then */
  static async start(settings: DaemonSettings, log: Log): Promise<App> {
    prepareStateDir(settings.stateDir)
    const families: FamilyRuntime[] = []
    try {
      for (const [family, endpoint] of settings.feeds) {
        families.push(
          await FamilyRuntime.open({
            family,
            endpoint,
            named: settings.feedsNamed,
            feedKeys: settings.feedKeys.get(family),
            stateDir: settings.stateDir,
            listen: settings.listen.get(family),
            requireTls: settings.requireTls,
            tlsFiles: settings.tlsFiles,
            rebuild: settings.rebuild,
            follower: `kea-leasequery ${version()} pid ${process.pid}`,
            log,
          }),
        )
      }
      for (const family of families) family.run()
    } catch (error) {
      await Promise.allSettled(families.map((family) => family.stop()))
      throw error
    }
    const feeds = [...settings.feeds.values()].join(' and ')
    log.daemonStarted({ version: version(), pid: process.pid, feeds })
    return new App(families, settings.operations, log)
  }

  /** At most a second old. */
  status(): ProcessStatus {
    return this.#source.status()
  }

  /** Reads certificates, keys and trust anchors again. */
  reloadTls(): void {
    for (const { service } of this.families) service.reloadTls()
  }

  /** Stops in order, once; bounded. Resolves to whether everything is on disk. */
  stop(reason: string): Promise<boolean> {
    this.#stopping ??= this.#stop(reason)
    return this.#stopping
  }

  async #stop(reason: string): Promise<boolean> {
    const began = performance.now()
    this.#log.daemonStopping({ reason })
    clearInterval(this.#memoryCheck)
    this.#meter?.stop()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${STOP_MS / 1000} s`)), STOP_MS)
    })
    const parts = [...this.families, ...(this.#operations === undefined ? [] : [this.#operations])]
    try {
      await Promise.race([Promise.all(parts.map((part) => part.stop())), late])
      this.#log.daemonStopped({ seconds: secondsOf(performance.now() - began) })
      return true
    } catch (error) {
      this.#log.daemonStopFailed({ error })
      return false
    } finally {
      clearTimeout(timer)
    }
  }
}

function serveOperations(
  place: OperationsPlace,
  source: StatusSource,
  meter: Meter,
  log: Log,
): OperationsServer {
  const viewers = new Viewers(
    () => source.json(),
    (error) => log.operationsMistake({ path: '/events', error, stack: (error as Error)?.stack ?? '' }),
  )
  return new OperationsServer({ place, routes: operationsRoutes(source, meter), viewers, log })
}

function prepareStateDir(path: string): void {
  try {
    // Not recursive: a parent that is missing is a typing error, and Node never returns from that under /proc.
    if (!existsSync(path)) mkdirSync(path, { mode: 0o700 })
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new SidecarError('ALQ_STATE_DIR', { path, reason: reasonOf(error) }, { cause: error })
  }
}
