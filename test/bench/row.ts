/** One figure of the benchmark. */
export interface BenchRow {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** Least and greatest, where `value` is a median. */
  readonly spread?: readonly [number, number]
  /** The same work beside a baseline or peer in the same run: ours divided by theirs. */
  readonly than?: {
    readonly name: string
    readonly ratio: number
    readonly spread?: readonly [number, number]
    /** The ratio is to be at least this. */
    readonly goal?: number
  }
}

/** For people. */
export function formatRow({ name, value, unit, spread, than }: BenchRow): string {
  const range = (of: readonly [number, number] | undefined): string =>
    of ? ` [${figure(of[0])} to ${figure(of[1])}]` : ''
  const goal =
    than?.goal === undefined ? '' : `, goal ${than.goal}: ${than.ratio >= than.goal ? 'met' : 'NOT MET'}`
  const ratio = than ? `  (${than.ratio.toPrecision(3)}${range(than.spread)} of ${than.name}${goal})` : ''
  return `${name.padEnd(64)} ${figure(value).padStart(14)} ${unit}${range(spread)}${ratio}`
}

function figure(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}
