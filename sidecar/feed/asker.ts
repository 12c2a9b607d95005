// Requests under way: one of each kind at a time, each with an id, a timeout and a growing pause after a failure.
// Pure: time comes in, requests go out.
import type { FeedRequest, RequestBody } from './events.ts'

export type AskedKind = 'hello' | 'replay' | 'page' | 'config'

/** Milliseconds until a reply counts as lost. A page waits for Kea's main thread and its database. */
const FIRST_TIMEOUT: Readonly<Record<AskedKind, number>> = {
  hello: 2_000,
  replay: 3_000,
  page: 10_000,
  config: 5_000,
}
const LONGEST_TIMEOUT = 120_000
const FIRST_PAUSE = 200
const LONGEST_PAUSE = 30_000

interface Asked {
  readonly body: RequestBody
  /** 0 = between two attempts. */
  id: number
  /** When the reply counts as lost, or, between attempts, when to ask again. */
  due: number
}

export class Asker {
  readonly #asked = new Map<AskedKind, Asked>()
  readonly #timeouts = new Map<AskedKind, number>()
  readonly #pauses = new Map<AskedKind, number>()
  readonly #send: (request: FeedRequest) => void
  #lastId = 0
  /** Hex; goes into every request but Hello. */
  epoch = ''

  constructor(send: (request: FeedRequest) => void) {
    this.#send = send
  }

  /** A number no request has had. */
  nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }

  /** Asks, instead of whatever of this kind was asked before. */
  ask(body: RequestBody & { kind: AskedKind }, now: number): void {
    this.#attempt({ body, id: 0, due: 0 }, body.kind, now)
  }

  /** As {@link ask}, after the pause that failures of this kind have earned. */
  askLater(body: RequestBody & { kind: AskedKind }, now: number): void {
    const pause = this.#pauses.get(body.kind) ?? FIRST_PAUSE
    this.#pauses.set(body.kind, Math.min(pause * 2, LONGEST_PAUSE))
    this.#asked.set(body.kind, { body, id: 0, due: now + pause })
  }

  isAsking(kind: AskedKind): boolean {
    return this.#asked.has(kind)
  }

  cancel(kind: AskedKind): void {
    this.#asked.delete(kind)
  }

  cancelAll(): void {
    this.#asked.clear()
  }

  /** What this reply answers, once: a late or repeated one answers nothing. */
  take(id: number): (RequestBody & { kind: AskedKind }) | undefined {
    for (const [kind, asked] of this.#asked) {
      if (asked.id !== id) continue
      this.#asked.delete(kind)
      return asked.body as RequestBody & { kind: AskedKind }
    }
    return undefined
  }

  /** A reply of use came: the next failure begins with a short pause again. */
  succeeded(kind: AskedKind): void {
    this.#pauses.delete(kind)
    this.#timeouts.delete(kind)
  }

  /** Asks again what is due. @returns the kinds whose reply was lost */
  tick(now: number): AskedKind[] {
    const lost: AskedKind[] = []
    for (const [kind, asked] of this.#asked) {
      if (asked.due > now) continue
      if (asked.id !== 0) {
        lost.push(kind)
        const timeout = this.#timeouts.get(kind) ?? FIRST_TIMEOUT[kind]
        this.#timeouts.set(kind, Math.min(timeout * 2, LONGEST_TIMEOUT))
      }
      this.#attempt(asked, kind, now)
    }
    return lost
  }

  /** When {@link tick} has something to do; Infinity = never. */
  deadline(): number {
    let soonest = Number.POSITIVE_INFINITY
    for (const { due } of this.#asked.values()) soonest = Math.min(soonest, due)
    return soonest
  }

  #attempt(asked: Asked, kind: AskedKind, now: number): void {
    asked.id = this.nextId()
    asked.due = now + (this.#timeouts.get(kind) ?? FIRST_TIMEOUT[kind])
    this.#asked.set(kind, asked)
    this.#send({ id: asked.id, epoch: kind === 'hello' ? '' : this.epoch, body: asked.body })
  }
}
