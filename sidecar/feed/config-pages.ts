// Fetches Kea's configuration and puts its pages together. Pages of two generations make none.
import type { ConfigPage, FeedConfig, RequestBody, Subnet } from './events.ts'
import type { Progress } from './progress.ts'

/** A page has 256 KiB, and the hook tells 64 MiB at most: more than this comes from no hook of ours. */
const MAX_PAGES = 1_024

export const FIRST_CONFIG_PAGE = { kind: 'config', page: 1, generation: 0 } as const

type ConfigRequest = Extract<RequestBody, { kind: 'config' }>

export class KeaConfig {
  readonly #progress: Progress
  readonly #pages = new ConfigPages()
  /** Which one is known. */
  #generation: number | undefined

  constructor(progress: Progress) {
    this.#progress = progress
  }

  /** Another epoch: what is known is of no use. */
  forget(): void {
    this.#generation = undefined
  }

  /** Kea has the configuration of this generation: asks for it where another one is known. */
  heard(generation: number, now: number): void {
    const { asker } = this.#progress
    if (generation !== this.#generation && !asker.isAsking('config')) asker.ask(FIRST_CONFIG_PAGE, now)
  }

  /** @returns why this page is of no use, if it is not */
  page(page: ConfigPage, now: number): string | undefined {
    const taken = this.#pages.take(page)
    if (typeof taken === 'string') return taken
    this.#progress.succeeded('config')
    if (taken.kind === 'config') {
      this.#progress.asker.ask(taken, now)
    } else {
      this.#generation = taken.generation
      this.#progress.output({ kind: 'config', config: taken })
    }
    return undefined
  }
}

class ConfigPages {
  #generation = 0
  #taken = 0
  #subnets: Subnet[] = []
  #reserved: Uint8Array[] = []

  /** @returns the whole configuration, the request for the next page, or why this page is of no use */
  take(page: ConfigPage): FeedConfig | ConfigRequest | string {
    const { generation, pages } = page
    if (pages > MAX_PAGES) return `the configuration has ${pages} pages, more than the ${MAX_PAGES} allowed`
    if (page.page === 1) this.#begin(generation)
    else if (generation !== this.#generation || page.page !== this.#taken + 1)
      return `page ${page.page} of generation ${generation} does not follow page ${this.#taken} of ${this.#generation}`
    this.#taken = page.page
    for (const subnet of page.subnets) this.#subnets.push(subnet)
    this.#reserved.push(page.reserved)
    if (page.page < pages) return { kind: 'config', page: page.page + 1, generation }
    const whole = {
      kind: 'whole',
      generation,
      subnets: this.#subnets,
      reserved: Buffer.concat(this.#reserved),
    } as const
    this.#begin(0)
    return whole
  }

  #begin(generation: number): void {
    this.#generation = generation
    this.#taken = 0
    this.#subnets = []
    this.#reserved = []
  }
}
