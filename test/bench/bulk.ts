// Bulk Leasequery beside others: Kea's own lease_query library with the same leases and relay data, and sendfile(2) of the
// same octets, by turns; and over TLS beside plain TCP.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Family } from '../../sidecar/binding.ts'
import { type BulkQueryOptions, encodeBulkQuery } from '../../sidecar/requestor/bulk-client.ts'
import { startFrame } from '../../sidecar/requestor/start-tls.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { Authority } from '../support/certificates.ts'
import { Daemon, startHook } from '../support/daemon.ts'
import type { JsonObject } from '../support/kea-config.ts'
import { type RelayedLease, writeRelayedLeases } from '../support/relayed-leases.ts'
import { serviceJson } from '../support/requestor-service.ts'
import { mainKea } from '../support/roots.ts'
import { Service } from '../support/service.ts'
import { type Answer, type Place, type ReaderOptions, read, serveFile } from './bulk/reader.ts'
import { median } from './measure.ts'
import type { BenchRow, Goal } from './row.ts'

const ROUNDS = 3
const KEA_PORT = 6767
const RELAY = Buffer.from('relay-0')
const TLS_GOALS: Readonly<Record<Family, Goals>> = {
  4: { rate: { atLeast: 300_000 } },
  6: { times: { atMost: 2 } },
}
/** Kea walks through a million leases meanwhile. */
const SERVING_MS = 600_000
const loopback = { 4: '127.0.0.1', 6: '::1' } as const

/** What is compared with what; `--only` of this part. */
export const words = ['beside-kea', 'over-tls'] as const

/** @param rounds in which each has its turn */
export async function run(bindings: number, only: readonly string[], rounds = ROUNDS): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const family of [4, 6] as const) {
    if (only.length === 0 || only.includes('beside-kea'))
      rows.push(...(await besideKea(family, bindings, rounds)))
    if (only.length === 0 || only.includes('over-tls'))
      rows.push(...(await overTls(family, bindings, rounds)))
  }
  return rows
}

/** Someone who answers, asked by turns with others. */
interface Contender {
  readonly name: string
  readonly place: Place
  readonly query: Uint8Array
  readonly options?: ReaderOptions
  /** Whose processor time is taken; undefined = nobody's. */
  readonly pid?: number
}

interface Result {
  readonly answers: Answer[]
  /** Nanoseconds of processor time a message, of each answer. */
  readonly cpu: number[]
}

/** The first round warms up and does not count. */
async function byTurns(contenders: readonly Contender[], least: number, rounds: number): Promise<Result[]> {
  const results = contenders.map((): Result => ({ answers: [], cpu: [] }))
  for (let round = 0; round <= rounds; round++) {
    for (const [i, { name, place, query, options, pid }] of contenders.entries()) {
      const before = cpuMs(pid)
      const answer = await read(place, query, options)
      if (answer.messages < least) throw new Error(`${name} told of ${answer.messages}, not ${least}`)
      if (round === 0) continue
      results[i]!.answers.push(answer)
      results[i]!.cpu.push((1e6 * (cpuMs(pid) - before)) / answer.messages)
    }
  }
  return results
}

/** What a contender's rate is to be, and how many times as fast the first one is to be. */
interface Goals {
  readonly rate?: Goal
  readonly times?: Goal
}

function rowsOf(
  title: string,
  contenders: readonly Contender[],
  results: readonly Result[],
  goals: Readonly<Record<string, Goals>>,
): BenchRow[] {
  const rates = results.map(({ answers }) => answers.map(({ messages, allMs }) => (1000 * messages) / allMs))
  const [ours] = rates
  return contenders.flatMap(({ name, pid }, i) => {
    const rate = rates[i]!
    const { rate: wanted, times } = goals[name] ?? {}
    const than =
      i === 0
        ? {}
        : {
            than: {
              name: `${contenders[0]!.name}, which is so many times as fast`,
              ratio: median(ours!) / median(rate),
              ...(times && { goal: times }),
            },
          }
    const { answers, cpu } = results[i]!
    const rows: BenchRow[] = [
      {
        name: `${title}, ${name}`,
        value: median(rate),
        unit: 'messages/s',
        ...(wanted && { goal: wanted }),
        spread: spreadOf(rate),
        ...than,
      },
      {
        name: `${title}, ${name}: query to first octet`,
        value: median(answers.map(({ firstMs }) => firstMs)),
        unit: 'ms',
      },
    ]
    if (pid !== undefined) {
      const unit = 'ns of its processor time a message'
      rows.push({ name: `${title}, ${name}: cost`, value: median(cpu), unit, spread: spreadOf(cpu) })
    }
    return rows
  })
}

function spreadOf(values: readonly number[]): readonly [number, number] {
  return [Math.min(...values), Math.max(...values)]
}

/** Processor time of a process so far, user and system. */
function cpuMs(pid: number | undefined): number {
  if (pid === undefined) return 0
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ')
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

/** What Kea has an index for. */
const asked: Readonly<
  Record<Family, readonly { readonly by: string; readonly select: Partial<BulkQueryOptions> }[]>
> = {
  4: [{ by: 'by relay-id', select: { select: { by: 'relay-id', relayId: RELAY } } }],
  6: [
    { by: 'by link', select: { linkAddress: parseAddress('2001:db8:1::1')! } },
    { by: 'by relay-id', select: { select: { by: 'relay-id', relayId: RELAY } } },
  ],
}

async function besideKea(family: Family, bindings: number, rounds: number): Promise<BenchRow[]> {
  await using service = await Service.start(mainKea(), { families: [family], sidecar: false })
  const kea = service.kea(family)
  await kea.stop()
  writeRelayedLeases(kea.leaseFile, family, leases(family, bindings))
  const leaseQuery = {
    library: 'libdhcp_lease_query.so',
    parameters: {
      requesters: [loopback[family]],
      advanced: {
        'bulk-query-enabled': true,
        'lease-query-ip': loopback[family],
        'lease-query-tcp-port': KEA_PORT,
        ...(family === 6 ? { 'extended-info-tables-enabled': true } : {}),
      },
    } satisfies JsonObject,
  }
  kea.configure({ hooks: [...service.keaOptions(family).hooks!, leaseQuery] })
  await kea.restart()
  await service.startSidecar(SERVING_MS)

  const rows: BenchRow[] = []
  for (const { by, select } of asked[family]) {
    const query = encodeBulkQuery({ family, xid: 2, select: { by: 'all' }, ...select })
    rows.push(...(await compared(service, family, `Bulk v${family} ${by}`, query, bindings, rounds)))
  }
  return rows
}

/** This service and Kea by turns; then this service and sendfile(2). */
async function compared(
  service: Service,
  family: Family,
  title: string,
  query: Uint8Array,
  bindings: number,
  rounds: number,
): Promise<BenchRow[]> {
  const { lab } = service
  const kea = service.kea(family)
  const saveTo = lab.path('answer')
  await read(service.address(family), query, { saveTo })
  using file = await serveFile(saveTo)
  const contenders: Contender[] = [
    { name: 'ours', place: service.address(family), query, pid: service.sidecar.pid },
    {
      name: "Kea's lease_query",
      place: { family, host: loopback[family], port: KEA_PORT },
      query,
      pid: kea.pid,
      options: { within: (command) => lab.inNamespace('server', command) },
    },
  ]
  const [ours, theirs] = await byTurns(contenders, bindings, rounds)
  // The same octets; the reader tells the families' messages apart by the address that it connects to.
  const ceiling: Contender = {
    name: 'sendfile of the same octets',
    place: { family, host: family === 4 ? '127.0.0.1' : '::ffff:127.0.0.1', port: file.port },
    query,
  }
  const [again, sent] = await byTurns([contenders[0]!, ceiling], bindings, rounds)
  return [
    ...rowsOf(title, contenders, [ours!, theirs!], {
      ours: { rate: { atLeast: 2_000_000 } },
      "Kea's lease_query": { times: { atLeast: 30 } },
    }),
    ...rowsOf(title, [contenders[0]!, ceiling], [again!, sent!], {
      'sendfile of the same octets': { times: { atLeast: 0.2 } },
    }).slice(3),
  ]
}

/** All that was leased through one relay, one address a client. */
function* leases(family: Family, count: number): Generator<RelayedLease> {
  const cltt = Math.floor(Date.now() / 1000) - 60
  for (let i = 0; i < count; i++) {
    const hardwareAddress = Buffer.from([2, 0, i >>> 24, i >>> 16, i >>> 8, i])
    const cpe = Buffer.from(`cpe-${i % 50}`)
    yield {
      address:
        family === 4
          ? `10.${1 + (i >>> 16)}.${(i >>> 8) & 255}.${i & 255}`
          : `2001:db8:1::1:${(i >>> 16).toString(16)}:${(i & 0xffff).toString(16)}`,
      prefixLength: 0,
      subnetId: 1,
      state: 0,
      valid: 86_400,
      preferred: family === 4 ? 0 : 43_200,
      cltt,
      hardwareAddress,
      clientId: Buffer.from([...(family === 4 ? [1] : [0, 3, 0, 1]), ...hardwareAddress]),
      iaid: 1,
      relayId: RELAY,
      remoteId: family === 4 ? cpe : Buffer.concat([Buffer.from([0, 0, 0x7e, 0xd9]), cpe]),
    }
  }
}

/** Of everything: the same daemon over plain TCP and over TLS. */
async function overTls(family: Family, bindings: number, rounds: number): Promise<BenchRow[]> {
  using authority = new Authority()
  const server = authority.issue()
  const client = authority.issue({ purpose: 'clientAuth' })
  const tls = {
    mode: 'required',
    'trust-anchor': authority.certFile,
    'cert-file': server.certFile,
    'key-file': server.keyFile,
  }
  const query = encodeBulkQuery({ family, xid: 2, select: { by: 'all' } })
  const own = join(authority.folder, 'reader.pem')
  writeFileSync(own, client.cert + client.key)
  await using daemon = new Daemon([family])
  using core = startHook(daemon, family, { pageShare: 1 })
  core.generate({ count: bindings, storedRelay: true })
  const advanced = { 'active-query-enabled': true, 'bulk-query-enabled': true }
  core.setService(serviceJson(family, { advanced }))
  core.setConfig({ subnets: [] })
  await daemon.start('--log-level', 'info')
  const { port } = (await daemon.logged('listener.started')) as unknown as { port: number }
  await daemon.logged('feed.reconciled')
  const place = { family, host: loopback[family], port }
  const plain: Contender = { name: 'plain', place, query }
  const [before] = await byTurns([plain], bindings, rounds)
  core.setService(serviceJson(family, { advanced, tls }))
  await daemon.logged('tls.loaded')
  const options = { tls: { ca: authority.certFile, own, start: startFrame(family, 1) } }
  const secured: Contender = { name: 'TLS', place, query, options }
  const [inside] = await byTurns([secured], bindings, rounds)
  const notOne = Math.max(...inside!.answers.map(({ recordsNotOne }) => recordsNotOne))
  if (family === 4 && notOne > 0) throw new Error(`${notOne} TLS records hold other than one message`)
  return rowsOf(`Bulk v${family}, everything`, [plain, secured], [before!, inside!], {
    TLS: TLS_GOALS[family],
  })
}
