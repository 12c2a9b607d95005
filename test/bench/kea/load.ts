/** perfdhcp against one contender: a measured slice, and the rate that a Kea sustains. */

import { perfdhcp } from '../../support/clients.ts'
import type { Contender } from './contender.ts'

/** Different clients: at first all are new, later some renew. */
const CLIENTS = 100_000
/** So many exchanges of a hundred may fail at a rate that is called sustained. */
const TOLERATED = 0.01
const PROBE_SECONDS = 2
/** How long the last answers are waited for. */
const LAST_ANSWERS_US = 200_000
const HIGHEST_RATE = 50_000

export interface Slice {
  /** Exchanges (four messages) that came to their end, a second. */
  readonly rate: number
  /** Share of the exchanges begun that did not. */
  readonly dropped: number
  /** Share of the exchanges asked for that perfdhcp began: below 1 where it lacked the processor. */
  readonly begun: number
  /** From a client's message to the server's answer, in milliseconds. */
  readonly meanDelay: number
  readonly longestDelay: number
  /** Processor time for each exchange, in microseconds. */
  readonly keaCpu: number
  readonly feedCpu: number
  /** Leases that Kea read for followers, a second, about. */
  readonly walked: number
}

const LAST = { 4: 'REQUEST-ACK', 6: 'REQUEST-REPLY' } as const
const FIRST = { 4: 'DISCOVER-OFFER', 6: 'SOLICIT-ADVERTISE' } as const
const PAGE = 256

/**
 * Loads a contender that rests, and lets it rest again.
 * @param seed which clients come: slices with the same see the same
 */
export async function measureSlice(
  contender: Contender,
  rate: number,
  seconds: number,
  seed: number,
): Promise<Slice> {
  const { lab, ground } = contender
  await contender.work()
  try {
    const pages = await contender.pages()
    const before = contender.cpuSeconds()
    const { exchanges } = await perfdhcp(lab, ground.root, ground.family, {
      rate,
      clients: CLIENTS,
      seconds,
      leases: 'address-only',
      // One thread: a second one would only take turns with the first on the clients' core.
      flags: ['-g', 'single', '-s', String(seed), '-W', String(LAST_ANSWERS_US)],
    })
    const after = contender.cpuSeconds()
    const read = (await contender.pages()) - pages
    const first = exchanges[FIRST[ground.family]]
    if (!first || first.sent === 0) throw new Error(`perfdhcp began nothing at ${contender.kea}`)
    // Missing where Kea is so late that nobody came as far as to ask for what was offered.
    const last = exchanges[LAST[ground.family]]
    const completed = last?.received ?? 0
    const answers = Math.max(1, first.received + completed)
    const delays = (first.averageDelay ?? 0) * first.received + (last?.averageDelay ?? 0) * completed
    const each = 1e6 / Math.max(1, completed)
    return {
      rate: completed / seconds,
      dropped: 1 - completed / first.sent,
      begun: first.sent / (rate * seconds),
      meanDelay: delays / answers,
      longestDelay: Math.max(first.longestDelay ?? 0, last?.longestDelay ?? 0),
      keaCpu: (after.kea - before.kea) * each,
      feedCpu: (after.feed - before.feed) * each,
      walked: (read * PAGE) / seconds,
    }
  } finally {
    contender.rest()
  }
}

/** The highest rate, within a tenth, at which all but a hundredth of the exchanges come to their end. */
export async function sustainedRate(contender: Contender): Promise<number> {
  let seed = 1_000
  const sustains = async (rate: number): Promise<boolean> => {
    // Once more before it is called too much: on a busy machine, others' work is the reason as often as not.
    for (let attempt = 0; attempt < 2; attempt++) {
      const { dropped } = await measureSlice(contender, rate, PROBE_SECONDS, seed++)
      if (dropped <= TOLERATED) return true
    }
    return false
  }
  let low = 100
  let high = 500
  while (high < HIGHEST_RATE && (await sustains(high))) [low, high] = [high, high * 1.8]
  while (high > low * 1.1) {
    const middle = Math.round(Math.sqrt(low * high))
    if (await sustains(middle)) low = middle
    else high = middle
  }
  return Math.round(low)
}
