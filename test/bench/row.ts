/** What a figure is to be. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number }

/** One figure of the benchmark. */
export interface BenchRow {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly goal?: Goal
  /** Least and greatest, where `value` is a median. */
  readonly spread?: readonly [number, number]
  /** The same work beside a baseline or peer in the same run: ours divided by theirs. */
  readonly than?: {
    readonly name: string
    readonly ratio: number
    readonly spread?: readonly [number, number]
    /** What the ratio is to be. */
    readonly goal?: Goal
  }
}

/** For people. */
export function formatRow({ name, value, unit, goal: wanted, spread, than }: BenchRow): string {
  const range = (of: readonly [number, number] | undefined): string =>
    of ? ` [${figure(of[0])} to ${figure(of[1])}]` : ''
  const ratio = than
    ? `  (${than.ratio.toPrecision(3)}${range(than.spread)} of ${than.name}${judged(than.ratio, than.goal)})`
    : ''
  return `${name.padEnd(64)} ${figure(value).padStart(14)} ${unit}${range(spread)}${judged(value, wanted)}${ratio}`
}

function judged(value: number, goal: Goal | undefined): string {
  if (goal === undefined) return ''
  const least = 'atLeast' in goal
  const met = least ? value >= goal.atLeast : value <= goal.atMost
  const words = least ? `at least ${figure(goal.atLeast)}` : `at most ${figure(goal.atMost)}`
  return `, goal ${words}: ${met ? 'met' : 'NOT MET'}`
}

function figure(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}
