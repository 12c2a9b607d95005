// How fast connections are accepted: each costs a handshake, and whoever opens them by the hundred a second is no requestor
// that comes back after a restart.

/** Connections a second that are accepted in the long run, and at once after a quiet time. */
export const ACCEPTED = { all: { perSecond: 100, burst: 500 }, ofOne: { perSecond: 10, burst: 50 } } as const

/** Addresses that are told apart; those seen last are kept. */
const MAX_ADDRESSES = 4_096

export class AcceptRate {
  readonly #all = new Bucket(ACCEPTED.all)
  readonly #byAddress = new Map<string, Bucket>()
  readonly #proved = new Set<string>()

  /** Who is there has shown a certificate that was accepted: it comes back in spite of a crowd of strangers. */
  proved(address: string): void {
    this.#proved.delete(address)
    this.#proved.add(address)
    if (this.#proved.size > MAX_ADDRESSES) this.#proved.delete(this.#proved.keys().next().value!)
  }

  /**
   * @param now milliseconds of a clock that does not go back
   * @returns why not; undefined = it may be accepted
   */
  take(address: string, now: number): string | undefined {
    const own = this.#byAddress.get(address) ?? new Bucket(ACCEPTED.ofOne)
    this.#byAddress.delete(address)
    this.#byAddress.set(address, own)
    if (this.#byAddress.size > MAX_ADDRESSES) this.#byAddress.delete(this.#byAddress.keys().next().value!)
    if (!own.take(now)) return `more than ${ACCEPTED.ofOne.perSecond} connections a second come from there`
    return this.#all.take(now)
      ? undefined
      : `more than ${ACCEPTED.all.perSecond} connections a second come in`
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
