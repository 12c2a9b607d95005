// Wiring: both families in one process, started and stopped in order.
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import type { DaemonSettings } from './daemon-flags.ts'
import { reasonOf, SidecarError } from './errors.ts'
import { FamilyRuntime } from './family-runtime.ts'
import type { Log } from './log.ts'
import { MemoryAlarm } from './memory-alarm.ts'
import { version } from './version.ts'

/** A stop that takes longer is given up: what is not on disk by then is read from Kea again. */
const STOP_MS = 20_000
const MEMORY_CHECK_MS = 30_000

export class App {
  readonly families: readonly FamilyRuntime[]
  readonly #log: Log
  readonly #memoryCheck: NodeJS.Timeout
  #stopping: Promise<boolean> | undefined

  private constructor(families: readonly FamilyRuntime[], log: Log) {
    this.families = families
    this.#log = log
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
    return new App(families, log)
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
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${STOP_MS / 1000} s`)), STOP_MS)
    })
    try {
      await Promise.race([Promise.all(this.families.map((family) => family.stop())), late])
      this.#log.daemonStopped({ seconds: Math.round((performance.now() - began) / 100) / 10 })
      return true
    } catch (error) {
      this.#log.daemonStopFailed({ error })
      return false
    } finally {
      clearTimeout(timer)
    }
  }
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
