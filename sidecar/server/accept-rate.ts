// How fast connections are accepted: each costs a handshake, and whoever opens them by the hundred a second is no requestor
// that comes back after a restart.

/**
 * Connections a second that are accepted in the long run, and at once after a quiet time. Known is who needs no certificate,
 * or has shown one that was accepted: it comes back in spite of a crowd of strangers.
 */
export const ACCEPTED = {
  strangers: { perSecond: 100, burst: 500 },
  stranger: { perSecond: 10, burst: 50 },
  known: { perSecond: 500, burst: 2_000 },
} as const

/** Addresses that are told apart; those seen last are kept. */
const MAX_ADDRESSES = 4_096

export class AcceptRate {
  readonly #strangers = new Bucket(ACCEPTED.strangers)
  readonly #byAddress = new Map<string, { known: boolean; bucket: Bucket }>()

  /** Who is there has shown a certificate that was accepted. */
  proved(address: string): void {
    if (this.#byAddress.get(address)?.known !== true) this.#remember(address, true)
  }

  /**
   * @param known whoever is there is permitted without a certificate
   * @param now milliseconds of a clock that does not go back
   * @returns why not; undefined = it may be accepted
   */
  take(address: string, known: boolean, now: number): string | undefined {
    const own = this.#byAddress.get(address) ?? this.#remember(address, known)
    const { perSecond } = own.known ? ACCEPTED.known : ACCEPTED.stranger
    if (!own.bucket.take(now)) return `more than ${perSecond} connections a second come from there`
    if (own.known || this.#strangers.take(now)) return undefined
    return `more than ${ACCEPTED.strangers.perSecond} connections a second come in`
  }

  #remember(address: string, known: boolean) {
    const own = { known, bucket: new Bucket(known ? ACCEPTED.known : ACCEPTED.stranger) }
    this.#byAddress.delete(address)
    this.#byAddress.set(address, own)
    if (this.#byAddress.size > MAX_ADDRESSES) this.#forgetStranger()
    return own
  }

  /** The one remembered first; of those that are known only where there is no other. */
  #forgetStranger(): void {
    let oldest: string | undefined
    for (const [address, { known }] of this.#byAddress) {
      oldest ??= address
      if (known) continue
      oldest = address
      break
    }
    if (oldest !== undefined) this.#byAddress.delete(oldest)
  }
}

/** Fills at a rate, and is emptied by what is taken. */
export class Bucket {
  readonly #perSecond: number
  readonly #burst: number
  #left: number
  #at = Number.NEGATIVE_INFINITY

  constructor({ perSecond, burst }: { perSecond: number; burst: number }) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#left = burst
  }

  /** @param now milliseconds of a clock that does not go back */
  take(now: number): boolean {
    if (this.msUntilNext(now) > 0) return false
    this.#left--
    return true
  }

  /** Milliseconds after which one can be taken. */
  msUntilNext(now: number): number {
    const filled = this.#at === Number.NEGATIVE_INFINITY ? 0 : ((now - this.#at) / 1000) * this.#perSecond
    this.#left = Math.min(this.#burst, this.#left + filled)
    this.#at = now
    return this.#left >= 1 ? 0 : Math.ceil(((1 - this.#left) * 1000) / this.#perSecond)
  }
}
