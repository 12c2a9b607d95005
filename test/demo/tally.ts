/** Counts what the watches of the demo showed, and knows what a newcomer must have seen. */

import type { Family } from '../support/service.ts'

const wanted = ['granted', 'renewed', 'released', 'expired'] as const

export class Tally {
  readonly #counts = new Map<string, number>()

  /** @param line a line of `leasequery watch` */
  count(family: Family, line: string): void {
    // time, address or prefix, what happened
    const [, subject, what] = line.split(/ {2,}/)
    if (!subject || !what || subject.startsWith('--')) return
    this.#add(`v${family} ${what}`)
    if (family === 6 && subject.includes('/')) this.#add(`v6 prefix ${what}`)
  }

  #add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /** What should have been shown and was not. */
  missing(): string[] {
    const all = [...wanted.flatMap((what) => [`v4 ${what}`, `v6 ${what}`]), 'v6 prefix granted']
    return all.filter((key) => !this.#counts.has(key))
  }

  table(): string {
    const rows = [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1))
    return [
      'What the two requestors were told:',
      ...rows.map(([key, count]) => `  ${key.padEnd(20)} ${count}`),
    ].join('\n')
  }
}
