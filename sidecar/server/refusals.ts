// Whom the service has refused lately and why, for Kea's log and `lease-feed-status`: few, and steady, so that strangers who
// knock on the door fill neither.
import { secondsOf } from '../seconds.ts'
import type { Problem } from './service-parts.ts'

const MAX_KEPT = 5
/** How long one is told of after it was last refused. */
const KEPT_MS = 600_000
/** Before that it does not make room for another one. */
const SETTLED_MS = 60_000

export interface Refusal {
  /** Address, and names in the certificate where it has shown one. */
  readonly requestor: string
  readonly reason: string
  /** Seconds since it was last refused. */
  readonly ageSeconds: number
}

export class Refusals {
  readonly #kept = new Map<string, { reason: string; since: number; at: number }>()

  /** @param now milliseconds of a clock that does not go back */
  note(requestor: string, reason: string, now: number): void {
    const kept = this.#kept.get(requestor)
    if (kept !== undefined) {
      kept.at = now
      return
    }
    this.#forget(now)
    if (this.#kept.size >= MAX_KEPT) {
      const [oldest, { since }] = this.#kept.entries().next().value!
      if (now - since < SETTLED_MS) return
      this.#kept.delete(oldest)
    }
    this.#kept.set(requestor, { reason, since: now, at: now })
  }

  list(now: number): readonly Refusal[] {
    this.#forget(now)
    return Array.from(this.#kept, ([requestor, { reason, at }]) => ({
      requestor,
      reason,
      ageSeconds: secondsOf(now - at),
    }))
  }

  problems(now: number): readonly Problem[] {
    return this.list(now).map(({ requestor, reason }) => ({
      parameter: 'requesters',
      text: `requestor ${requestor} was refused: ${reason}`,
    }))
  }

  #forget(now: number): void {
    for (const [requestor, { at }] of this.#kept) if (now - at >= KEPT_MS) this.#kept.delete(requestor)
  }
}
