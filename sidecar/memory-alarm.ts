// Tells the operator once that memory is short, before the system ends the process.
import { totalmem } from 'node:os'
import type { Log } from './log.ts'

/** Share of the memory the process may have, at which the operator is told. */
const ALARM_SHARE = 0.85

export class MemoryAlarm {
  readonly #log: Log
  readonly #held: () => number
  readonly #available: () => number
  #raised = false

  /**
   * @param held octets of the process now
   * @param available octets that it may have
   */
  constructor(log: Log, held: () => number = () => process.memoryUsage.rss(), available = availableMemory) {
    this.#log = log
    this.#held = held
    this.#available = available
  }

  /** To be called now and then. */
  check(): void {
    const bytes = this.#held()
    const limit = Math.floor(ALARM_SHARE * this.#available())
    if (bytes > limit && !this.#raised) this.#log.storeMemory({ bytes, limit })
    this.#raised = bytes > limit
  }
}

/** What the host has, or what a control group allows, whichever is less. */
export function availableMemory(): number {
  const constrained = process.constrainedMemory?.() ?? 0
  const host = totalmem()
  return constrained > 0 && constrained < host ? constrained : host
}
