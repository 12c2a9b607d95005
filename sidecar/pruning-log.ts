// What the log and Kea's status are told of pruning: that ends were forgotten, and, loudly, that history has become shorter
// than history.retention promises, because more bindings ended than history.max-ended keeps.
import type { LogicalSeconds } from './binding.ts'
import type { Log } from './log.ts'
import type { Retention } from './store/retention.ts'

/** Least time between two lines about pruning, milliseconds. */
const PRUNED_LINE_MS = 60_000
/** Least time between two lines about a history cut short: it may be cut at each change, for hours. */
const SHORT_LINE_MS = 600_000

export class PruningLog {
  readonly #log: Log
  #pruned = 0
  #prunedLineAt = Number.NEGATIVE_INFINITY
  #isCut = false
  #shortLineAt = Number.NEGATIVE_INFINITY
  /** For Kea's status, while history is shorter than it should be. */
  problem: string | undefined

  constructor(log: Log) {
    this.#log = log
  }

  /** So many ends were forgotten. */
  pruned(count: number): void {
    this.#pruned += count
  }

  /** Some of them for their number, before their time: the horizon has moved. */
  cutShort(): void {
    this.#isCut = true
  }

  /**
   * Writes the lines that are due. To be called each second.
   * @param now L
   * @param mono monotonic milliseconds
   */
  tell(horizon: LogicalSeconds, retention: Retention, now: LogicalSeconds, mono: number): void {
    if (this.#pruned > 0 && mono - this.#prunedLineAt >= PRUNED_LINE_MS) {
      this.#log.indexPruned({ count: this.#pruned, horizon })
      this.#pruned = 0
      this.#prunedLineAt = mono
    }
    const { maxEnded, seconds } = retention
    // It begins at the second after the newest end that was forgotten.
    const reaches = Math.max(0, now - horizon)
    if (this.#isCut && mono - this.#shortLineAt >= SHORT_LINE_MS) {
      this.#isCut = false
      this.#shortLineAt = mono
      this.#log.historyCut({ maxEnded, horizon, seconds: reaches, retention: seconds })
      this.problem = `more than history.max-ended (${maxEnded}) bindings have ended within history.retention: history reaches back ${reaches} s instead of ${seconds}, older start times get DataMissing`
    }
    if (reaches >= seconds) this.problem = undefined
  }
}
