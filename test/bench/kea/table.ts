/** A comparison as lines for people: each contender's figures in a line, beside the baseline and the goal. */

import { median } from '../measure.ts'
import type { Result } from './comparison.ts'
import { ratiosTo } from './comparison.ts'
import type { Slice } from './load.ts'

export const tableHead = [
  ''.padEnd(34),
  'exchanges/s'.padStart(12),
  'dropped'.padStart(9),
  'mean delay'.padStart(12),
  'longest'.padStart(10),
  'Kea CPU'.padStart(10),
  'library'.padStart(9),
  '  with/without [spread]',
].join('')

/** Medians over the rounds; processor time is for each exchange. */
export function tableLines(of: string, results: readonly Result[], goal: number | undefined): string[] {
  const [baseline] = results
  return results.map((result, i) => {
    const middle = (pick: (slice: Slice) => number): number => median(result.slices.map(pick))
    const ratio = i === 0 ? '' : ratioText(ratiosTo(baseline!, result), goal)
    return [
      (i === 0 ? of : '').padEnd(22),
      result.name.padEnd(12),
      Math.round(middle(({ rate }) => rate))
        .toLocaleString('en')
        .padStart(12),
      `${middle(({ dropped }) => dropped * 100).toFixed(2)} %`.padStart(9),
      `${middle(({ meanDelay }) => meanDelay).toFixed(2)} ms`.padStart(12),
      `${middle(({ longestDelay }) => longestDelay).toFixed(1)} ms`.padStart(10),
      `${middle(({ keaCpu }) => keaCpu).toFixed(0)} us`.padStart(10),
      `${middle(({ feedCpu }) => feedCpu).toFixed(1)} us`.padStart(9),
      ratio,
    ].join('')
  })
}

function ratioText(ratios: readonly number[], goal: number | undefined): string {
  const ratio = median(ratios)
  const spread = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`
  const verdict = goal === undefined ? '' : `, goal ${goal}: ${ratio >= goal ? 'met' : 'NOT MET'}`
  return `  ${ratio.toFixed(3)} [${spread}]${verdict}`
}
