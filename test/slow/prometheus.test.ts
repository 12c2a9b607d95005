// The metrics as Prometheus itself sees them: each query of the dashboard has an answer, each alert can be evaluated and is
// fired in its own test, and promtool has nothing to say against names and types.
import assert from 'node:assert/strict'
import { copyFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'
import { BusyService, GENEROUS } from '../support/busy-service.ts'
import { alertsFile, alertTestsFile, readAlerts, readDashboard } from '../support/dashboard.ts'
import { Laboratory } from '../support/laboratory.ts'
import { run } from '../support/processes.ts'
import { Prometheus, prometheusSkip, type Series } from '../support/prometheus.ts'
import { waitFor } from '../support/wait.ts'

const skip = prometheusSkip()

/** Runs promtool on files of the laboratory's folder. @throws CommandError with what it says against them */
function promtool(lab: Laboratory, ...words: string[]): Promise<string> {
  return run(lab.onHost(Prometheus.root, ['sh', '-c', `cd ${lab.folder} && promtool ${words.join(' ')}`]))
}

function copyAlerts(lab: Laboratory): void {
  for (const file of [alertsFile, alertTestsFile]) copyFileSync(file, lab.path(basename(file)))
}

test('promtool accepts the alerts, and fires each', { skip }, async () => {
  await using lab = await Laboratory.open()
  copyAlerts(lab)
  assert.match(await promtool(lab, 'check', 'rules', 'alerts.yml'), /SUCCESS: \d+ rules found/)
  assert.match(await promtool(lab, 'test', 'rules', 'alerts.test.yml'), /SUCCESS/)
})

test('Prometheus answers every query of the dashboard, for both families, and evaluates every alert', {
  skip,
}, async () => {
  await using lab = await Laboratory.open()
  copyAlerts(lab)
  await using service = await BusyService.start()
  const target = await service.metrics()
  const prometheus = await Prometheus.start(lab, target, lab.path('alerts.yml'))
  const dashboard = readDashboard()

  for (const { title, targets = [] } of dashboard.panels) {
    for (const { expr } of targets) {
      const expression = filledIn(expr)
      await waitFor(
        `data for "${title}": ${expression}`,
        async () => {
          const found = await prometheus.query(expression)
          assert.ok(found.length > 0, 'nothing')
          for (const { metric, value } of found) assert.notEqual(value[1], 'NaN', JSON.stringify(metric))
          if (expr.includes('$family')) assert.deepEqual(families(found), ['dhcp4', 'dhcp6'])
          return true
        },
        GENEROUS,
      )
    }
  }
  // What the service was put through shows as such.
  for (const happened of [
    'kea_leasequery_requestor_blocked_seconds{entry="bng2.example.net"} > 0',
    'kea_leasequery_requestor_lag_changes{entry="bng2.example.net"} > 0',
    'kea_leasequery_requestor_caught_up{entry="bng1.example.net"} == 1',
    'kea_leasequery_connections_refused_total{reason="not-permitted"} > 0',
    'kea_leasequery_queries_total{query="bulk", by="client-id"} > 0',
    'kea_leasequery_query_outcomes_total{status="DataMissing"} > 0',
    'kea_leasequery_walk_differences_total{kind="changed"} >= 40000',
    'kea_leasequery_changes_total{kind="renewed"} > 0',
    'rate(kea_leasequery_messages_sent_total[30s]) > 0',
    'kea_leasequery_tls_expiry_timestamp_seconds > time()',
    'kea_leasequery_store_size_bytes > 0',
  ]) {
    await waitFor(happened, async () => families(await prometheus.query(happened)).length === 2, GENEROUS)
  }
  for (const { name, definition } of dashboard.templating.list) {
    if (definition === undefined) continue
    const [, metric = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? []
    const found = await prometheus.query(filledIn(metric))
    assert.ok(found.length > 0 && found.every((one) => one.metric[label] !== undefined), name)
  }
  for (const { expr } of dashboard.annotations.list) await prometheus.query(filledIn(expr))

  const rules = await waitFor(
    'every alert to be evaluated',
    async () => {
      const all = await prometheus.rules()
      return all.every(({ health }) => health !== 'unknown') ? all : undefined
    },
    GENEROUS,
  )
  assert.deepEqual(
    rules.map(({ name, health, lastError = '' }) => [name, health, lastError]),
    readAlerts().map(({ alert }) => [alert, 'ok', '']),
  )

  const text = await (await fetch(`http://${target}/metrics`)).text()
  writeFileSync(lab.path('metrics.txt'), text)
  assert.equal(await promtool(lab, 'check', 'metrics', '<', 'metrics.txt'), '')
})

/** As Grafana does where all is chosen. */
function filledIn(expression: string): string {
  return expression
    .replaceAll('$__rate_interval', '30s')
    .replaceAll('$instance', '.*')
    .replaceAll('$family', '.*')
}

function families(found: readonly Series[]): string[] {
  return [...new Set(found.map(({ metric }) => metric['family'] ?? ''))].sort()
}
