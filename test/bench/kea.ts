/**
 * That Kea does not wait for the library: perfdhcp against Kea with it and without, by turns, at a rate that Kea alone
 * sustains with ease. On the cores of kea/cores.ts, Kea alone on its own: what the library's threads use there, Kea lacks.
 */

import { type KeaRoot, keaRoots } from '../support/roots.ts'
import { rowsOf, takeTurns } from './kea/comparison.ts'
import { Contender, type Family, type Ground } from './kea/contender.ts'
import { cores, pinOurselves } from './kea/cores.ts'
import { leaseCost } from './kea/lease-cost.ts'
import { sustainedRate } from './kea/load.ts'
import { noHook, type Situation, situations } from './kea/situations.ts'
import { tableHead, tableLines } from './kea/table.ts'
import { type BenchRow, formatRow } from './row.ts'

/** Of the rate that Kea alone sustains. */
const SHARE = 0.7
/** Least ratio of what is achieved with the library to what is achieved without. */
const GOAL = 0.98

export interface KeaBenchOptions {
  /** Shows that all of it works, in less than a minute; its figures mean nothing. */
  readonly quick: boolean
  readonly kea: '3.0' | '2.6'
  /** Of the words: only what they name. All families, threadings and situations unless named. */
  readonly only: readonly string[]
}

const families = { v4: 4, v6: 6 } as const satisfies Record<string, Family>
const threadings = { threads: true, single: false } as const

/** A word of its own: what the library takes of one lease. */
const LEASE = 'lease'

export const words: readonly string[] = [
  LEASE,
  ...[families, threadings, situations].flatMap((of) => Object.keys(of)),
]

interface Effort {
  readonly rounds: number
  /** Of each slice. */
  readonly seconds: number
  /** Where a situation is with many. */
  readonly leases: number
  /** Leases that the cost of one is the mean of. */
  readonly costOf: number
  /** Instead of a share of what Kea sustains. */
  readonly rate?: number
}
const thorough: Effort = { rounds: 7, seconds: 2, leases: 1_000_000, costOf: 50_000 }
const quick: Effort = { rounds: 1, seconds: 1, leases: 20_000, costOf: 10_000, rate: 200 }

interface Comparison {
  readonly name: string
  readonly ground: Ground
  readonly situation: Situation
}

/** @throws Error when Kea cannot be run here */
export async function run(options: KeaBenchOptions): Promise<BenchRow[]> {
  using _ = pinOurselves()
  const effort = options.quick ? quick : thorough
  const { rounds, seconds } = effort
  const root = keaRoots().find((one) => one.kea === options.kea)!
  if (root.skip) throw new Error(root.skip)
  const placed = Object.entries(cores).map(([what, core]) => `${what} on core ${core}`)
  console.log(`  Kea ${options.kea}; ${placed.join(', ')}; ${rounds} rounds with ${seconds} s for each`)
  const rows: BenchRow[] = []
  if (options.only.length === 0 || options.only.includes(LEASE)) {
    console.log('')
    rows.push(...(await leaseCost(root, rounds, effort.costOf)))
    for (const row of rows) console.log(`  ${formatRow(row)}`)
    if (options.only.length === 1) return rows
  }
  console.log(`\n  ${tableHead}`)
  const rates = new Map<string, number>()
  for (const comparison of planned(root, options, effort)) {
    const { on, alone } = aloneOn(comparison.ground)
    let rate = effort.rate ?? rates.get(on)
    if (rate === undefined) {
      const sustained = await rateOf(alone)
      rate = Math.round(sustained * SHARE)
      rates.set(on, rate)
      rows.push({ name: `${on}, sustained by Kea alone`, value: sustained, unit: '1/s' })
      console.log(`  ${on}: Kea alone sustains ${sustained}/s; from here on ${rate}/s are asked for`)
    }
    rows.push(...(await compare(comparison, rate, effort)))
  }
  return rows
}

function* planned(
  root: KeaRoot,
  { only, quick: isQuick }: KeaBenchOptions,
  { leases }: Effort,
): Generator<Comparison> {
  for (const [familyWord, family] of chosen(families, only)) {
    for (const [threading, threads] of chosen(threadings, only)) {
      for (const [name, situation] of chosen<Readonly<Record<string, Situation>>>(situations, only)) {
        if (isQuick && !only.includes(name) && (situation.aside || threads === (family === 6))) continue
        if (situation.aside && !only.includes(name) && !(family === 4 && threads)) continue
        const ground: Ground = {
          root,
          family,
          threads,
          leases: situation.manyLeases ? leases : 0,
          ...(situation.database ? { database: situation.database } : {}),
        }
        yield { name: `${familyWord} ${threading} ${name}`, ground, situation }
      }
    }
  }
}

/** The ground on which the rate for a ground is found, and its name: the same for several situations. */
function aloneOn(ground: Ground): { on: string; alone: Ground } {
  const { family, threads, database } = ground
  const on = `v${family} ${threads ? 'threads' : 'single'}${database ? ` ${database}` : ''}`
  return { on, alone: { ...ground, leases: 0 } }
}

async function rateOf(ground: Ground): Promise<number> {
  await using alone = await Contender.open(ground, noHook)
  return await sustainedRate(alone)
}

async function compare(
  { name, ground, situation }: Comparison,
  rate: number,
  { rounds, seconds }: Effort,
): Promise<BenchRow[]> {
  const contenders: Contender[] = []
  try {
    for (const difference of await situation.contenders(ground.root)) {
      contenders.push(await Contender.open(ground, difference))
    }
    const results = await takeTurns(contenders, rate, rounds, seconds)
    const goal = situation.aside ? undefined : GOAL
    for (const line of tableLines(name, results, goal)) console.log(`  ${line}`)
    return rowsOf(name, results, goal)
  } finally {
    for (const contender of contenders) await contender[Symbol.asyncDispose]()
  }
}

/** Those that are named; all where none of them is. */
function chosen<T extends Readonly<Record<string, unknown>>>(
  of: T,
  only: readonly string[],
): [keyof T & string, T[keyof T]][] {
  const entries = Object.entries(of) as [keyof T & string, T[keyof T]][]
  const named = entries.filter(([name]) => only.includes(name))
  return named.length > 0 ? named : entries
}
