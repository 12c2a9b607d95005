// What is measured beside the status: the event loop, the process, the disk. Gives the text of /metrics.
import { CONTRACT_MAJOR, CONTRACT_MINOR } from '../feed/contract.ts'
import { EventLoopDelay } from './event-loop-delay.ts'
import { exposition } from './exposition.ts'
import { folderOctets } from './folder-size.ts'
import { metrics } from './metrics.ts'
import { processFacts } from './process-facts.ts'
import type { StatusSource } from './source.ts'

/** The files of a store are looked at so often. */
const STORES_MS = 15_000

export class Meter {
  readonly #source: StatusSource
  readonly #eventLoop = new EventLoopDelay()
  readonly #storePaths: readonly string[]
  readonly #storeOctets = new Map<string, number>()
  readonly #timer: NodeJS.Timeout

  /** Begins to measure. @param storePaths folders of the stores */
  constructor(source: StatusSource, storePaths: readonly string[]) {
    this.#source = source
    this.#storePaths = storePaths
    this.#eventLoop.start()
    this.#timer = setInterval(() => void this.#measureStores(), STORES_MS)
    this.#timer.unref()
    void this.#measureStores()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#eventLoop.stop()
  }

  /** All metrics in Prometheus's text format. */
  text(): string {
    return exposition(metrics, {
      status: this.#source.status(),
      process: processFacts(),
      eventLoopDelay: this.#eventLoop.state(),
      storeOctets: this.#storeOctets,
      node: process.versions.node,
      contract: `${CONTRACT_MAJOR}.${CONTRACT_MINOR}`,
    })
  }

  async #measureStores(): Promise<void> {
    for (const path of this.#storePaths) {
      const octets = await folderOctets(path)
      if (octets !== undefined) this.#storeOctets.set(path, octets)
    }
  }
}
