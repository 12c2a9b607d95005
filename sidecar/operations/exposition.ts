// Metrics as Prometheus reads them: a table of what there is, and its text exposition format (version 0.0.4,
// https://prometheus.io/docs/instrumenting/exposition_formats/).
import type { HistogramState } from '../histogram.ts'

export type MetricType = 'counter' | 'gauge' | 'histogram'

/** One series of a metric: values of its labels, in their order, and its own value. */
export interface Sample {
  readonly labels: readonly string[]
  readonly value: number | HistogramState
}

/** @typeParam T what it is read from */
export interface Metric<T> {
  readonly name: string
  readonly type: MetricType
  readonly labels: readonly string[]
  /** One sentence. */
  readonly help: string
  readonly read: (from: T) => readonly Sample[]
}

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** All metrics as they stand in `from`. One without a sample has its head all the same. */
export function exposition<T>(metrics: readonly Metric<T>[], from: T): string {
  return metrics.map((metric) => `${head(metric)}${metric.read(from).map(linesOf(metric)).join('')}`).join('')
}

function head({ name, type, help }: Pick<Metric<never>, 'name' | 'type' | 'help'>): string {
  return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`
}

function linesOf({
  name,
  labels: names,
}: Pick<Metric<never>, 'name' | 'labels'>): (sample: Sample) => string {
  return ({ labels, value }) => {
    if (labels.length !== names.length)
      throw new Error(`${name} has labels ${names.join(', ')}, and a sample ${labels.length} of them`)
    const pairs = names.map((label, i) => `${label}="${escaped(labels[i]!)}"`)
    return typeof value === 'number' ? line(name, pairs, value) : histogramLines(name, pairs, value)
  }
}

/** Counts of a histogram are those of all values up to a bound. */
function histogramLines(
  name: string,
  pairs: readonly string[],
  { bounds, counts, sum }: HistogramState,
): string {
  let below = 0
  const buckets = counts.map((count, i) => {
    below += count
    return line(`${name}_bucket`, [...pairs, `le="${i < bounds.length ? bounds[i] : '+Inf'}"`], below)
  })
  return `${buckets.join('')}${line(`${name}_sum`, pairs, sum)}${line(`${name}_count`, pairs, below)}`
}

function line(name: string, pairs: readonly string[], value: number): string {
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${numeral(value)}\n`
}

function numeral(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
