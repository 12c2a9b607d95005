/** Prometheus's text format, read as strictly as it is written down: a second opinion on what /metrics answers. */
import assert from 'node:assert/strict'

export interface ReadSample {
  /** With `_bucket`, `_sum` or `_count` where it is of a histogram. */
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface ReadMetric {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly ReadSample[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABELS = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/gy
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/

/** @throws AssertionError where a line is not as the format has it, or a series is there twice */
export function readExposition(text: string): ReadonlyMap<string, ReadMetric> {
  assert.ok(text.endsWith('\n'), 'the last line has an end')
  const read = new Map<string, ReadMetric & { samples: ReadSample[] }>()
  const series = new Set<string>()
  const lines = text.split('\n').slice(0, -1)
  let current: (ReadMetric & { samples: ReadSample[] }) | undefined
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    const help = new RegExp(`^# HELP (${NAME}) (.+)$`).exec(line)
    if (help !== null) {
      const type = new RegExp(`^# TYPE ${help[1]} (counter|gauge|histogram)$`).exec(lines[++i] ?? '')
      assert.ok(type, `behind ${line} comes its type`)
      assert.ok(!read.has(help[1]!), `${help[1]} comes once`)
      current = { name: help[1]!, help: help[2]!, type: type[1]!, samples: [] }
      read.set(current.name, current)
      continue
    }
    const sample = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`).exec(line)
    assert.ok(sample, `not of the format: ${line}`)
    const [, name = '', labels = '', value = ''] = sample
    assert.match(value, NUMBER, line)
    assert.ok(current, `a sample before any type: ${line}`)
    const suffix = name.slice(current.name.length)
    const allowed = current.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    assert.ok(name.startsWith(current.name) && allowed.includes(suffix), `${name} under ${current.name}`)
    const key = line.slice(0, line.lastIndexOf(' '))
    assert.ok(!series.has(key), `${key} comes once`)
    series.add(key)
    current.samples.push({
      name,
      labels: readLabels(labels),
      value: Number(value.replace('Inf', 'Infinity')),
    })
  }
  return read
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  let end = 0
  for (const [whole, name, value] of text.matchAll(LABELS)) {
    assert.ok(!(name! in labels), `label ${name} comes once`)
    labels[name!] = value!.replaceAll(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one))
    end += whole.length
  }
  assert.equal(end, text.length, `labels: ${text}`)
  return labels
}

/** The values whose labels are these, added up. */
export function sumOf(
  read: ReadonlyMap<string, ReadMetric>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const metric = read.get(name)
  assert.ok(metric, `there is a ${name}`)
  const found = metric.samples.filter((sample) =>
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )
  assert.ok(found.length > 0, `${name} has a series ${JSON.stringify(labels)}`)
  return found.reduce((sum, { value }) => sum + value, 0)
}
