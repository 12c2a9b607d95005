// What /metrics tells, beside what really happened: a daemon as an operator runs it, both families, DHCPv4 over TLS.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import type { Family } from '../../sidecar/binding.ts'
import { exposition, type Metric } from '../../sidecar/operations/exposition.ts'
import { metrics } from '../../sidecar/operations/metrics.ts'
import { ActiveRequestor } from '../../sidecar/requestor/active-requestor.ts'
import { BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { Authority } from '../support/certificates.ts'
import { byClient, Daemon, lease, startHook } from '../support/daemon.ts'
import { type ReadMetric, readExposition, sumOf } from '../support/exposition.ts'
import { HookOrigin } from '../support/hook-core.ts'
import { serviceJson } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'

const authority = new Authority()
after(() => authority[Symbol.dispose]())
const server = authority.issue({ days: 90 })
const bng = authority.issue({ names: 'DNS:bng1.example.net', purpose: 'clientAuth' })
const stranger = authority.issue({ names: 'DNS:other.example.net', purpose: 'clientAuth' })
const advanced = { 'active-query-enabled': true, 'bulk-query-enabled': true }
const overTls = {
  requesters: [{ certificate: 'bng1.example.net' }, { certificate: 'bng2.example.net', subnets: [7] }],
  advanced: { ...advanced, 'lease-query-ip': '127.0.0.1' },
  tls: {
    mode: 'required',
    'trust-anchor': authority.certFile,
    'cert-file': server.certFile,
    'key-file': server.keyFile,
  },
}
const now = () => Math.floor(Date.now() / 1000)
const name = (short: string) => `kea_leasequery_${short}`

type Read = ReadonlyMap<string, ReadMetric>

async function scrape(daemon: Daemon): Promise<Read> {
  const { place } = await daemon.logged('operations.started')
  const answer = await fetch(`http://${String(place)}/metrics`)
  assert.equal(answer.status, 200)
  assert.match(answer.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/)
  return readExposition(await answer.text())
}

/** Waits until a scrape says so: the status it is made from may be a second old. */
function scraped(daemon: Daemon, what: string, holds: (read: Read) => boolean): Promise<Read> {
  return waitFor(`metrics to tell of ${what}`, async () => {
    const read = await scrape(daemon)
    return holds(read) ? read : undefined
  })
}

async function port(daemon: Daemon, family: Family): Promise<number> {
  return Number((await daemon.logged('listener.started', { family }))['port'])
}

test('every metric is told, and its numbers are what really happened', async () => {
  await using daemon = await new Daemon([4, 6]).start()
  using core4 = startHook(daemon, 4)
  using core6 = startHook(daemon, 6)
  core4.setService(serviceJson(4, overTls))
  core6.setService(serviceJson(6, { advanced: { ...advanced, 'lease-query-ip': '::1' } }))
  for (const family of [4, 6]) await daemon.logged('feed.reconciled', { family })
  await daemon.logged('tls.loaded')
  const place4 = { family: 4, host: '127.0.0.1', port: await port(daemon, 4) } as const
  const place6 = { family: 6, host: '::1', port: await port(daemon, 6) } as const
  const tls = { ca: authority.cert, cert: bng.cert, key: bng.key }

  // 7 granted, of which 3 are renewed, 2 released and 1 deleted.
  for (let n = 1; n <= 7; n++) core4.put(lease(`192.0.2.${n}`, n), byClient)
  for (let n = 1; n <= 3; n++) core4.put(lease(`192.0.2.${n}`, n, { cltt: now() + 5 }), byClient)
  for (const n of [4, 5]) core4.remove(parseAddress(`192.0.2.${n}`)!, byClient)
  core4.remove(parseAddress('192.0.2.6')!, { origin: HookOrigin.operator })
  core6.put(lease('2001:db8::1', 1), byClient)

  // The ring is told of by the next heartbeat.
  const first = await scraped(daemon, 'the events', (read) => {
    return sumOf(read, name('feed_events_total')) === 14 && sumOf(read, name('ring_events')) === 14
  })
  assert.deepEqual(
    [...first.keys()],
    metrics.map((metric) => metric.name),
  )
  for (const metric of metrics) {
    const { type, help, samples } = first.get(metric.name)!
    assert.deepEqual({ type, help }, { type: metric.type, help: metric.help })
    assert.ok(samples.length > 0, `${metric.name} has a value`)
    for (const { labels } of samples) {
      const { le: _, ...own } = labels
      assert.deepEqual(Object.keys(own), metric.labels, metric.name)
    }
  }
  const changes = (kind: string) => sumOf(first, name('changes_total'), { family: 'dhcp4', kind })
  assert.deepEqual(['granted', 'renewed', 'released', 'deleted', 'expired'].map(changes), [7, 3, 2, 1, 0])
  assert.equal(sumOf(first, name('bindings'), { family: 'dhcp4', state: 'active' }), 4)
  assert.equal(sumOf(first, name('bindings'), { family: 'dhcp4', state: 'released' }), 2)
  assert.equal(sumOf(first, name('history_ended_bindings'), { family: 'dhcp4' }), 3)
  assert.equal(
    sumOf(first, name('feed_apply_delay_seconds'), {
      family: 'dhcp6',
      le: '+Inf',
    }),
    1,
  )
  assert.equal(sumOf(first, name('walks_total')), 2)
  const ends = sumOf(first, name('tls_expiry_timestamp_seconds'), { what: 'certificate' })
  assert.ok(Math.abs(ends - now() - 90 * 86_400) < 86_400)

  // Queries: an Active one that follows and one with DataMissing, two Bulk ones, two connections that are not let in.
  const following = await ActiveRequestor.connect({ ...place4, tls, since: now() })
  await following.until(({ type }) => type === 'catch-up-complete')
  const asking = await BulkRequestor.connect({ ...place4, tls })
  assert.equal((await asking.query({ by: 'all' }).collect()).status, 'Success')
  const late = await ActiveRequestor.connect({ ...place6, since: 1 })
  await late.until(({ type }) => type === 'data-missing')
  const asking6 = await BulkRequestor.connect(place6)
  await asking6.query({ by: 'address', address: parseAddress('2001:db8::1')! }).collect()
  await assert.rejects(
    ActiveRequestor.connect({ ...place4, tls: { ...tls, cert: stranger.cert, key: stranger.key } }).then(
      (requestor) => requestor.next(),
    ),
  )
  const clear = connect(place4)
  clear.on('error', () => {}).write(encodeActiveQuery({ family: 4, xid: 7 }))
  clear.resume()
  core4.put(lease('192.0.2.9', 9), byClient)
  await following.until(({ type }) => type === 'binding')

  const second = await scraped(daemon, 'those refused', (read) => {
    return sumOf(read, name('connections_refused_total')) === 2
  })
  const of4 = (metric: string, labels = {}) => sumOf(second, name(metric), { family: 'dhcp4', ...labels })
  const of6 = (metric: string, labels = {}) => sumOf(second, name(metric), { family: 'dhcp6', ...labels })
  assert.equal(of4('connections_refused_total', { reason: 'not-permitted' }), 1)
  assert.equal(of4('connections_refused_total', { reason: 'tls-failed' }), 1)
  assert.equal(of4('connections_accepted_total'), 2)
  assert.equal(of4('queries_total', { query: 'active' }), 1)
  assert.equal(of4('queries_total', { query: 'bulk', by: 'all' }), 1)
  assert.equal(of6('queries_total', { query: 'bulk', by: 'address' }), 1)
  assert.equal(of4('query_outcomes_total', { query: 'active', status: 'CatchUpComplete' }), 1)
  assert.equal(of6('query_outcomes_total', { query: 'active', status: 'DataMissing' }), 1)
  assert.equal(of4('query_outcomes_total', { query: 'bulk', status: 'Success' }), 1)
  assert.equal(of4('queries_running', { query: 'active' }), 1)
  assert.equal(of4('requestor_connections', { entry: 'bng1.example.net' }), 2)
  assert.equal(of4('requestor_caught_up', { entry: 'bng1.example.net' }), 1)
  assert.equal(of4('requestor_connections', { entry: 'bng2.example.net' }), 0)
  assert.equal(of4('requestor_info', { entry: 'bng2.example.net', view: '1 subnet' }), 1)
  assertMonotonic(first, second)

  // All messages and octets, as the lines of the connections that told them have it.
  for (const requestor of [following, asking, late, asking6]) requestor.close()
  const gone = await waitFor('all connections to be gone', () => {
    const lines = daemon.lines().filter(({ event }) => event === 'requestor.closed')
    return lines.length === 4 ? lines : undefined
  })
  const third = await scraped(daemon, 'no connections', (read) => sumOf(read, name('connections')) === 0)
  for (const [metric, field] of [
    ['messages_sent_total', 'messages'],
    ['sent_bytes_total', 'bytes'],
  ] as const) {
    const told = gone.reduce((sum, line) => sum + Number(line[field]), 0)
    // Of the three that began TLS one was not let in, and has another line.
    const ofStranger = sumOf(third, name(metric), { message: 'DHCPTLS' }) / 3
    assert.equal(sumOf(third, name(metric)), told + ofStranger, metric)
  }
  assert.equal(sumOf(third, name('messages_sent_total'), { message: 'DHCPTLS' }), 3)
  assert.equal(sumOf(third, name('query_outcomes_total'), { query: 'active', status: 'closed' }), 2)
  assertMonotonic(second, third)
})

test('refused parameters, and a Kea that falls silent, are told', async () => {
  await using daemon = await new Daemon([4]).start()
  const core = startHook(daemon, 4)
  await daemon.logged('feed.reconciled')
  const { place } = await daemon.logged('operations.started')
  const ready = async () => (await fetch(`http://${String(place)}/ready`)).status
  await waitFor('readiness', async () => (await ready()) === 200)
  core.setService(serviceJson(4, { requesters: ['nowhere'] }))
  await scraped(daemon, 'the refusal', (read) => sumOf(read, name('configuration_refused')) === 1)
  core.setService(serviceJson(4))
  const again = await scraped(daemon, 'its end', (read) => sumOf(read, name('configuration_refused')) === 0)
  assert.equal(sumOf(again, name('configurations_refused_total')), 1)
  assert.equal(sumOf(again, name('family_ready')), 1)
  core.close()
  const silent = await scraped(daemon, 'silence', (read) => sumOf(read, name('feed_up')) === 0)
  assert.equal(sumOf(silent, name('feed_state'), { state: 'silent' }), 1)
  assert.equal(sumOf(silent, name('ready')), 0)
  assert.ok(sumOf(silent, name('feed_heartbeat_age_seconds')) >= 5)
  assert.equal(await ready(), 503)
})

test('a family that nobody asked for, and whose Kea was never heard, has no series', async () => {
  const daemon = new Daemon([])
  // Whatever Kea there may be on this machine: the default feeds are of a folder that tests never make.
  await using _ = await daemon.start()
  const read = await scrape(daemon)
  assert.deepEqual(read.get(name('bindings'))!.samples, [])
  assert.equal(sumOf(read, name('ready')), 0)
  assert.equal(sumOf(read, name('build_info')), 1)
})

function assertMonotonic(before: Read, later: Read): void {
  for (const { name: metric, type, samples } of before.values()) {
    if (type === 'gauge') continue
    for (const { name: series, labels, value } of samples) {
      const found = later
        .get(metric)!
        .samples.find((one) => one.name === series && JSON.stringify(one.labels) === JSON.stringify(labels))
      assert.ok(found !== undefined && found.value >= value, `${series} ${JSON.stringify(labels)}`)
    }
  }
}

test('names are as Prometheus wants them', () => {
  for (const { name: metric, type, labels, help } of metrics) {
    assert.match(metric, /^(kea_leasequery|process|nodejs)_[a-z_]+$/)
    assert.equal(type === 'counter', metric.endsWith('_total'), metric)
    assert.doesNotMatch(metric, /_(ms|milliseconds|octets|minutes)/)
    assert.match(help, /^[A-Z].*\.$/, metric)
    for (const label of labels) assert.match(label, /^[a-z]+$/)
  }
  assert.equal(new Set(metrics.map((metric) => metric.name)).size, metrics.length)
})

test('labels and numbers are written so that they can be read back', () => {
  const odd: Metric<undefined> = {
    name: 'odd',
    type: 'gauge',
    labels: ['text'],
    help: 'A \\ and a\nline.',
    read: () => [
      { labels: ['a "quoted" \\ and a\nline'], value: 1.5e-7 },
      { labels: [''], value: Number.POSITIVE_INFINITY },
    ],
  }
  const delay: Metric<undefined> = {
    name: 'delay',
    type: 'histogram',
    labels: [],
    help: 'Some.',
    read: () => [{ labels: [], value: { bounds: [0.5, 1], counts: [3, 0, 2], sum: 7 } }],
  }
  const read = readExposition(exposition([odd, delay], undefined))
  assert.deepEqual(read.get('odd')!.samples, [
    { name: 'odd', labels: { text: 'a "quoted" \\ and a\nline' }, value: 1.5e-7 },
    { name: 'odd', labels: { text: '' }, value: Number.POSITIVE_INFINITY },
  ])
  assert.deepEqual(
    read.get('delay')!.samples.map(({ name: series, labels, value }) => [series, labels['le'], value]),
    [
      ['delay_bucket', '0.5', 3],
      ['delay_bucket', '1', 3],
      ['delay_bucket', '+Inf', 5],
      ['delay_sum', undefined, 7],
      ['delay_count', undefined, 5],
    ],
  )
})
