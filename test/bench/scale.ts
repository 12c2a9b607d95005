// What grows with the number of bindings, and how: memory, disk, walks, changes, a Bulk download, a restart; of the daemon,
// which is a process of its own, beside a hook core with generated leases.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Family } from '../../sidecar/binding.ts'
import { encodeBulkQuery } from '../../sidecar/requestor/bulk-client.ts'
import { Daemon, startHook } from '../support/daemon.ts'
import type { HookCore } from '../support/hook-core.ts'
import { serviceJson } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'
import { readOften } from './bulk/reader.ts'
import { generatedSubnets } from './generated.ts'
import { median, residentOctets, threadSeconds } from './measure.ts'
import type { BenchRow, Goal } from './row.ts'

/** Half an hour: ten million leases are walked in far less. */
const PATIENCE_MS = 1_800_000
const MOST_CHANGES = 500_000
const DOWNLOADS = 3
const MILLION = 1_000_000
const loopback = { 4: '127.0.0.1', 6: '::1' } as const

interface Measured {
  readonly memory: number
  readonly disk: number
  readonly firstWalk: number
  readonly equalWalk: number
  readonly changes: number
  readonly bulk: number
  readonly restart: number
}

/** What is measured, what it is called, and how it is told: all of it, or divided by the number of bindings. */
const CURVES: readonly {
  readonly of: keyof Measured
  readonly name: string
  readonly unit: string
  readonly each?: true
  readonly goal?: (bindings: number, family: Family) => Goal | undefined
}[] = [
  {
    of: 'memory',
    name: 'resident octets a binding',
    unit: 'octets',
    each: true,
    goal: (bindings, family) => (bindings < MILLION ? undefined : { atMost: family === 4 ? 400 : 500 }),
  },
  { of: 'disk', name: 'octets on disk a binding', unit: 'octets', each: true },
  { of: 'firstWalk', name: 'first walk', unit: 's' },
  {
    of: 'equalWalk',
    name: 'walk that finds nothing different',
    unit: 's',
    goal: (bindings) => (bindings === MILLION ? { atMost: 5 } : undefined),
  },
  { of: 'changes', name: "changes from the hook, a second of the main thread's time", unit: '1/s' },
  { of: 'bulk', name: 'Bulk download of everything', unit: 'messages/s' },
  {
    of: 'restart',
    name: 'restart, until requestors are served',
    unit: 's',
    goal: (bindings) => (bindings >= MILLION ? { atMost: (3 * bindings) / MILLION } : undefined),
  },
]

export async function run(
  sizes: readonly number[],
  families: readonly Family[] = [4, 6],
): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const family of families) {
    const all: Measured[] = []
    for (const size of sizes) all.push(await measure(family, size))
    for (const curve of CURVES) rows.push(...curveOf(family, curve, sizes, all))
  }
  return rows
}

/** A row for each size; those after the first beside it. */
function curveOf(
  family: Family,
  { of, name, unit, each, goal }: (typeof CURVES)[number],
  sizes: readonly number[],
  all: readonly Measured[],
): BenchRow[] {
  const values = all.map((measured, i) => (each ? measured[of] / sizes[i]! : measured[of]))
  return values.map((value, i) => {
    const wanted = goal?.(sizes[i]!, family)
    return {
      name: `v${family}, ${sizes[i]!.toLocaleString('en')} bindings: ${name}`,
      value,
      unit,
      ...(wanted && { goal: wanted }),
      ...(i > 0 && {
        than: { name: `${sizes[0]!.toLocaleString('en')} bindings`, ratio: value / values[0]! },
      }),
    }
  })
}

async function measure(family: Family, bindings: number): Promise<Measured> {
  await using daemon = new Daemon([family], undefined, { patience: PATIENCE_MS })
  using core = startHook(daemon, family, { pageShare: 1, ringEvents: 1_000_000, ringOctets: 512 << 20 })
  const advanced = { 'active-query-enabled': true, 'bulk-query-enabled': true }
  core.setService(serviceJson(family, { advanced }))
  core.setConfig({ subnets: generatedSubnets(family, bindings) })
  await daemon.start('--log-level', 'info')
  await daemon.logged('feed.reconciled')
  const empty = residentOctets(daemon.pid)

  core.generate({ count: bindings, storedRelay: true })
  const firstWalk = await walk(daemon, core)
  const equalWalk = await walk(daemon, core)
  const memory = residentOctets(daemon.pid) - empty

  const changes = Math.min(bindings, MOST_CHANGES)
  const before = threadSeconds(daemon.pid)
  await core.churn({ changes })
  await applied(core)
  const changing = threadSeconds(daemon.pid) - before

  const place = { family, host: loopback[family], port: await portOf(daemon) }
  const everything = encodeBulkQuery({ family, xid: 2, select: { by: 'all' } })
  const downloads = await readOften(place, everything, { times: DOWNLOADS })
  const bulk = median(downloads.map(({ messages, allMs }) => (1000 * messages) / allMs))

  daemon.kill('SIGTERM')
  await daemon.ended()
  const disk = await octetsIn(daemon.stateDir)
  const began = performance.now()
  await daemon.start('--log-level', 'info')
  await portOf(daemon)
  const restart = (performance.now() - began) / 1000
  return { memory, disk, firstWalk, equalWalk, changes: changes / changing, bulk, restart }
}

/** Seconds that it took. */
async function walk(daemon: Daemon, core: HookCore): Promise<number> {
  const walks = () => daemon.lines().filter(({ event }) => event === 'feed.reconciled')
  const before = walks().length
  core.requestResync()
  await waitFor('the walk', () => walks().length > before, PATIENCE_MS)
  return Number(walks().at(-1)!['seconds'])
}

async function applied(core: HookCore): Promise<void> {
  const { lastSeq } = core.status()
  const all = () =>
    core.status().followers.every(({ appliedSeq, state }) => appliedSeq === lastSeq && state === 'following')
  await waitFor('the changes to be followed', all, PATIENCE_MS)
}

async function portOf(daemon: Daemon): Promise<number> {
  return Number((await daemon.logged('listener.started'))['port'])
}

async function octetsIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(files.map(async ({ path, name }) => (await stat(join(path, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}
