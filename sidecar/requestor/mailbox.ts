// What has arrived and nobody has taken yet: bounded by who fills it, who is asked to pause and told to go on.

export interface MailboxLimits {
  /** Items, and octets that they came in, at which filling should pause. */
  readonly items: number
  readonly octets: number
}

/** One reader, one writer. The reader gets everything that was put in before a failure or the end, then that. */
export class Mailbox<T> {
  readonly #limits: MailboxLimits
  readonly #readOn: () => void
  #items: { readonly item: T; readonly octets: number }[] = []
  #head = 0
  #octets = 0
  #failure: Error | undefined
  #ended = false
  #wake: (() => void) | undefined

  /** @param readOn called when there is room again after {@link full} */
  constructor(limits: MailboxLimits, readOn: () => void) {
    this.#limits = limits
    this.#readOn = readOn
  }

  get size(): number {
    return this.#items.length - this.#head
  }

  /** Filling should pause: the reader is slow. */
  get full(): boolean {
    return this.size >= this.#limits.items || this.#octets >= this.#limits.octets
  }

  /** @param octets what they came in, all together */
  put(items: readonly T[], octets: number): void {
    const last = items.length - 1
    for (const [i, item] of items.entries()) this.#items.push({ item, octets: i === last ? octets : 0 })
    if (last >= 0) this.#octets += octets
    this.#notify()
  }

  /** The reader gets `error` after what is already there. */
  fail(error: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = error
    this.#notify()
  }

  end(): void {
    this.#ended = true
    this.#notify()
  }

  /** The next item; undefined at the end. Throws what {@link fail} was given, once. */
  async next(): Promise<T | undefined> {
    await this.#something()
    return this.#shift()
  }

  /** At least one item and at most `most`, as many as are there; none at the end. Throws as {@link next}. */
  async batch(most: number): Promise<T[]> {
    await this.#something()
    const taken: T[] = []
    while (taken.length < most && this.size > 0) taken.push(this.#shift()!)
    return taken
  }

  async #something(): Promise<void> {
    while (this.size === 0) {
      const failure = this.#failure
      this.#failure = undefined
      if (failure !== undefined) throw failure
      if (this.#ended) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #shift(): T | undefined {
    const first = this.#items[this.#head]
    if (first === undefined) return undefined
    this.#head++
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head === 1024) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    this.#octets -= first.octets
    const room = this.size < this.#limits.items / 2 && this.#octets < this.#limits.octets / 2
    if (room) this.#readOn()
    return first.item
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
