// A gap between what is stored and what arrives live: the live batches wait here while what is missing is asked for.
import type { EventBatch } from './events.ts'
import type { Progress } from './progress.ts'

const REPLAY_EVENTS = 512

export class Replay {
  readonly #progress: Progress
  /** Live batches that cannot be applied before a replay has filled the gap in front of them. */
  #waiting: EventBatch[] = []
  #waitingEvents = 0
  /** The number to reach; undefined = no replay. */
  #target: number | undefined
  #count = 0
  /** Position at which the ring was last said not to have the next event. */
  #notInRingAt = -1

  constructor(progress: Progress) {
    this.#progress = progress
  }

  get isActive(): boolean {
    return this.#target !== undefined
  }

  /** Nothing waits: a batch that is the next one may be applied at once. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** The batch that waits longest can be applied now. */
  get hasNext(): boolean {
    const next = this.#waiting[0]
    return next !== undefined && next.firstSeq <= this.#progress.seq + 1
  }

  /** First number of the batch that waits longest. */
  get waitsFor(): number | undefined {
    return this.#waiting[0]?.firstSeq
  }

  take(): EventBatch {
    const batch = this.#waiting.shift()!
    this.#waitingEvents -= batch.events.length
    return batch
  }

  /** Keeps a live batch until what is before it has come. */
  keep(batch: EventBatch): void {
    const { counters, newestSeq, settings } = this.#progress
    this.#waitingEvents += batch.events.length
    if (this.#waitingEvents <= settings.maxBufferedEvents) {
      this.#waiting.push(batch)
      return
    }
    // The replay is slower than the feed. It goes on to the newest of these.
    counters.dropped += this.#waiting.length + 1
    this.#waiting = []
    this.#waitingEvents = 0
    if (this.#target !== undefined) this.#target = newestSeq
  }

  /** Asks for what is missing between the store and `target`. */
  begin(target: number, now: number): void {
    if (this.#target === undefined) this.#count = 0
    this.#target = Math.max(target, this.#target ?? 0)
    this.#ask(now)
  }

  askLater(now: number): void {
    this.#progress.asker.askLater(this.#request(), now)
  }

  /** So many events came of it. */
  came(count: number): void {
    this.#count += count
    this.#progress.counters.replayed += count
  }

  /** What it was to bring cannot be had. Batches that wait stay. */
  giveUp(): void {
    this.#target = undefined
  }

  /** Another epoch: nothing of this is of use. */
  clear(): void {
    this.#target = undefined
    this.#waiting = []
    this.#waitingEvents = 0
  }

  /** The ring does not have the next event. @returns whether it has said so before, in the very same place */
  notInRing(): boolean {
    const { seq } = this.#progress
    const isRepeated = this.#notInRingAt === seq
    this.#notInRingAt = seq
    return isRepeated
  }

  /** Goes on, or ends, as the newest position has it. */
  advance(now: number): void {
    const { asker, newestSeq, seq } = this.#progress
    if (this.#target !== undefined && !asker.isAsking('replay')) {
      if (this.isEmpty ? seq >= this.#target : this.hasNext) {
        this.#target = undefined
        this.#progress.note({ kind: 'replayed', count: this.#count, seq })
      } else {
        this.#ask(now)
      }
    }
    // A gap among those that wait.
    if (this.#target === undefined && !this.isEmpty && !this.hasNext) this.begin(newestSeq, now)
  }

  #ask(now: number): void {
    this.#progress.asker.ask(this.#request(), now)
  }

  #request() {
    return { kind: 'replay', fromSeq: this.#progress.seq + 1, limit: REPLAY_EVENTS } as const
  }
}
