// That dashboard and alerts ask for what is told. Whether Prometheus answers is seen in test/slow/prometheus.test.ts.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { metrics } from '../../sidecar/operations/metrics.ts'
import { alertTestsFile, type Panel, readAlerts, readDashboard } from '../support/dashboard.ts'

const dashboard = readDashboard()
const alerts = readAlerts()
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

/** Series by name, with the labels that they have. */
const series = new Map<string, readonly string[]>()
for (const { name, type, labels } of metrics) {
  const all = ['instance', 'job', ...labels]
  if (type !== 'histogram') series.set(name, all)
  else for (const part of ['_bucket', '_sum', '_count']) series.set(name + part, [...all, 'le'])
}

function assertKnown(expression: string): void {
  const named = [...expression.matchAll(/\b((?:kea_leasequery|process|nodejs)_[a-z_]+)(?:\{([^}]*)\})?/g)]
  assert.ok(named.length > 0, `${expression} asks for nothing`)
  for (const [, name = '', matchers = ''] of named) {
    const labels = series.get(name)
    assert.ok(labels, `${name} in ${expression}`)
    for (const [, label] of matchers.matchAll(/([a-z_]+)[!=]~?"/g))
      assert.ok(labels.includes(label!), `${name} has no label ${label}: ${expression}`)
  }
}

test('every query of the dashboard asks for metrics and labels that there are', () => {
  for (const query of queries) assertKnown(query)
  for (const { definition } of dashboard.templating.list)
    if (definition !== undefined) assertKnown(definition)
  for (const { expr } of dashboard.annotations.list) assertKnown(expr)
})

test('every metric is on the dashboard, but those that say the same as another', () => {
  const shown = queries.join('\n')
  const missing = metrics.map(({ name }) => name).filter((name) => !shown.includes(name))
  assert.deepEqual(missing, [
    'kea_leasequery_ready', // kea_leasequery_family_ready, taken together
    'kea_leasequery_configurations_refused_total', // how often; the panel shows whether
    'kea_leasequery_feed_state', // kea_leasequery_feed_up, and walks
    'nodejs_heap_size_total_bytes',
  ])
})

test('panels lie beside each other, have a number each, an explanation, and the datasource that is chosen', () => {
  const { panels } = dashboard
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  for (const [i, panel] of panels.entries()) {
    assert.ok(panel.gridPos.x + panel.gridPos.w <= 24, panel.title)
    for (const other of panels.slice(i + 1))
      assert.ok(!overlap(panel, other), `${panel.title} and ${other.title}`)
    if (panel.type === 'row') continue
    assert.match(panel.description ?? '', /^[A-Z].*\.$/, panel.title)
    assert.match(panel.datasource?.uid ?? '', /^\$\{datasource\}$/, panel.title)
    assert.ok(panel.targets!.length > 0, panel.title)
  }
  assert.deepEqual(
    panels.filter(({ type }) => type === 'row').map(({ title }) => title),
    [
      'Is all well?',
      'Feed: from Kea to the store',
      'Bindings and their history',
      'Requestors',
      'Queries and messages',
      'Store and process',
      'TLS and configuration',
    ],
  )
})

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}

test('every alert asks for what there is, says how bad it is and what to do, and is fired by a test', () => {
  assert.ok(alerts.length > 20)
  const fired = readFileSync(alertTestsFile, 'utf8')
  for (const { alert, expr, severity, summary, description } of alerts) {
    assertKnown(expr)
    assert.match(severity, /^(critical|warning)$/, alert)
    assert.match(summary, /\$labels\.instance/, alert)
    assert.match(description, /^.{20,}\.$/, alert)
    assert.ok(fired.includes(`alertname="${alert}", severity="${severity}"`), `${alert} is fired`)
  }
})
