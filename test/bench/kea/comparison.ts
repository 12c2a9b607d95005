/** Contenders that take turns, and what comes out. */

import { median } from '../measure.ts'
import type { BenchRow } from '../row.ts'
import type { Contender } from './contender.ts'
import { measureSlice, type Slice } from './load.ts'

const LEAST_BEGUN = 0.99
const ATTEMPTS = 3

/** All slices of one contender, in the order of the rounds. */
export interface Result {
  readonly name: string
  readonly slices: readonly Slice[]
}

/**
 * Each contender has its turn in each round, in an order that turns round from one to the next (A B, B A, ...), so that
 * what drifts falls on all alike. In a round all see the same clients.
 * @param seconds of each slice, whole ones
 */
export async function takeTurns(
  contenders: readonly Contender[],
  rate: number,
  rounds: number,
  seconds: number,
): Promise<Result[]> {
  const results = contenders.map(({ name }) => ({ name, slices: [] as Slice[] }))
  for (let round = 0; round < rounds; round++) {
    const order = contenders.map((_, i) => i)
    if (round % 2 === 1) order.reverse()
    for (const i of order) {
      results[i]!.slices.push(await loadedSlice(contenders[i]!, rate, seconds, round + 1))
    }
  }
  return results
}

/** A slice in which perfdhcp itself came too short says nothing of Kea: it is measured again, a few times. */
async function loadedSlice(
  contender: Contender,
  rate: number,
  seconds: number,
  seed: number,
): Promise<Slice> {
  for (let attempt = 1; ; attempt++) {
    const slice = await measureSlice(contender, rate, seconds, seed)
    if (slice.begun >= LEAST_BEGUN || attempt === ATTEMPTS) return slice
  }
}

/** Of the rates, round by round. */
export function ratiosTo(baseline: Result, other: Result): number[] {
  return other.slices.map(({ rate }, round) => rate / Math.max(1, baseline.slices[round]!.rate))
}

/**
 * @param of name of the comparison, for the rows
 * @param goal least ratio of the rates, if there is one
 */
export function rowsOf(of: string, results: readonly Result[], goal: number | undefined): BenchRow[] {
  const [baseline, ...others] = results
  const rows: BenchRow[] = []
  const add = (result: Result, what: string, unit: string, pick: (slice: Slice) => number): BenchRow => {
    const values = result.slices.map(pick)
    const row = {
      name: `${of}, ${result.name}: ${what}`,
      value: median(values),
      unit,
      spread: spread(values),
    }
    rows.push(row)
    return row
  }
  const figures = (result: Result): void => {
    add(result, 'exchanges dropped', '%', ({ dropped }) => dropped * 100)
    add(result, 'mean delay', 'ms', ({ meanDelay }) => meanDelay)
    add(result, 'longest delay', 'ms', ({ longestDelay }) => longestDelay)
    add(result, "Kea's threads, an exchange", 'us of CPU', ({ keaCpu }) => keaCpu)
  }
  add(baseline!, 'exchanges', '1/s', ({ rate }) => rate)
  figures(baseline!)
  for (const other of others) {
    const ratios = ratiosTo(baseline!, other)
    rows.push({
      name: `${of}, ${other.name}: exchanges`,
      value: median(other.slices.map(({ rate }) => rate)),
      unit: '1/s',
      than: {
        name: baseline!.name,
        ratio: median(ratios),
        spread: spread(ratios),
        ...(goal === undefined ? {} : { goal: { atLeast: goal } }),
      },
    })
    figures(other)
    add(other, "the library's threads, an exchange", 'us of CPU', ({ feedCpu }) => feedCpu)
    if (other.slices.some(({ walked }) => walked > 0)) {
      add(other, 'leases read for followers', '1/s', ({ walked }) => walked)
    }
  }
  return rows
}

function spread(values: readonly number[]): readonly [number, number] {
  return [Math.min(...values), Math.max(...values)]
}
