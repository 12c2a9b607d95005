// Hands the changes of a replica to a receiver: each at least once, in order for each binding, for as long as it takes.
import { reasonOf, SidecarError } from '../../errors.ts'
import type { ChangeJson } from './change-json.ts'
import { changeJson } from './change-json.ts'
import type { Pending, Replica } from './replica.ts'

/** Seconds to wait after the first failure in a row, and at most. */
export const FIRST_BACK_OFF = 0.5
const MOST_BACK_OFF = 60

export interface Receiver {
  /** Kind and target: what a receiver has is noted under this name. */
  readonly name: string
  /** Changes handed over at a time, at most. */
  readonly most: number
  /** Resolves when all of them are taken. Throws when any is not: all are handed over again. */
  hand(changes: readonly ChangeJson[], signal: AbortSignal): Promise<void>
}

export type DeliveryNote =
  | { readonly event: 'not-taken'; readonly receiver: string; readonly reason: string; readonly wait: number }
  | { readonly event: 'taken-again'; readonly receiver: string }

export interface DeliveryStatus {
  readonly receiver: string
  readonly handed: number
  readonly failures: number
}

export class Delivery {
  readonly #replica: Replica
  readonly #receiver: Receiver
  readonly #note: (note: DeliveryNote) => void
  readonly #backOff: number
  readonly #stop = new AbortController()
  #wake: (() => void) | undefined
  #news = true
  #number = 0
  #size: number
  #handed = 0
  /** In a row. */
  #failures = 0

  constructor(
    replica: Replica,
    receiver: Receiver,
    note: (note: DeliveryNote) => void,
    backOff = FIRST_BACK_OFF,
  ) {
    this.#backOff = backOff
    this.#replica = replica
    this.#receiver = receiver
    this.#note = note
    this.#size = receiver.most
  }

  get status(): DeliveryStatus {
    return { receiver: this.#receiver.name, handed: this.#handed, failures: this.#failures }
  }

  /** Registers the receiver; every change from then on is queued for it. */
  async register(): Promise<void> {
    this.#number = await this.#replica.receiver(this.#receiver.name, () => {
      this.#news = true
      this.#wake?.()
    })
  }

  /** Until {@link stop}. @throws what is no fault of the receiver */
  async run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      this.#news = false
      const pending = await this.#replica.pending(this.#number, this.#size)
      if (pending.length === 0) await this.#wait(undefined)
      else await this.#deliver(pending)
    }
  }

  stop(): void {
    this.#stop.abort()
    this.#wake?.()
  }

  async #deliver(pending: readonly Pending[]): Promise<void> {
    const changes = pending.filter(({ change }) => change !== undefined)
    try {
      const { signal } = this.#stop
      if (changes.length > 0) await this.#replica.handing(this.#number, changes)
      if (changes.length > 0) await this.#receiver.hand(changes.map(changeJson), signal)
    } catch (error) {
      if (this.#stop.signal.aborted) return
      if (!(error instanceof SidecarError)) throw error
      await this.#failed(changes, error)
      return
    }
    await this.#replica.handed(this.#number, pending)
    this.#handed += changes.length
    if (this.#failures > 0 && changes.length > 0) {
      this.#failures = 0
      this.#note({ event: 'taken-again', receiver: this.#receiver.name })
    }
    this.#size = Math.min(this.#receiver.most, 2 * this.#size)
  }

  /** One change that is never taken must not hold up the others: it goes behind them. */
  async #failed(changes: readonly Pending[], error: SidecarError): Promise<void> {
    const wait = Math.min(MOST_BACK_OFF, this.#backOff * 2 ** Math.min(this.#failures, 16))
    this.#failures++
    this.#note({ event: 'not-taken', receiver: this.#receiver.name, reason: reasonOf(error), wait })
    if (changes.length === 1) await this.#replica.putBack(this.#number, changes[0]!)
    this.#size = Math.max(1, changes.length >> 1)
    await this.#wait(wait)
  }

  /** @param seconds undefined = until there is news */
  #wait(seconds: number | undefined): Promise<void> {
    if (this.#stop.signal.aborted || (seconds === undefined && this.#news)) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = seconds === undefined ? undefined : setTimeout(() => done(), 1000 * seconds)
      const done = () => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
      this.#wake = () => {
        if (seconds === undefined || this.#stop.signal.aborted) done()
      }
    })
  }
}
