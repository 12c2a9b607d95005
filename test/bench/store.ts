// What the store costs: changes, look-ups and scans a second, octets a binding.
// As a program: node dist/test/bench/store.js [bindings]
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { type BindingData, BindingState, type Family, Origin } from '../../sidecar/binding.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import { openStore } from '../../sidecar/store/open.ts'

export interface BenchRow {
  readonly name: string
  readonly value: number
  readonly unit: string
}

const QUICK = 1_000_000
const SECOND = 1_800_000_000

/**
 * Rates are by CPU time of the main thread, so that a busy machine does not change them much; those with the disk are by
 * the wall clock. Each family is measured in a process of its own, since memory is.
 * @param bindings how many; a million is quick, ten million shows the promised size.
 */
export async function run(bindings: number = QUICK): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  const self = fileURLToPath(import.meta.url)
  for (const family of [4, 6]) {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--expose-gc',
      self,
      String(bindings),
      String(family),
    ])
    rows.push(...(JSON.parse(stdout) as BenchRow[]))
  }
  return rows
}

async function measure(family: Family, bindings: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  const add = (name: string, value: number, unit: string): void => {
    rows.push({ name: `store v${family}, ${name}`, value: Math.round(value), unit })
  }
  const samples = Math.min(bindings, 1_000_000)
  const random = scatter(bindings)

  globalThis.gc?.()
  const before = process.memoryUsage().rss
  const memory = new Memory(family)
  add(
    'puts of new bindings, memory alone',
    perCore(bindings, (i) => memory.put(binding(family, i, 0), SECOND)),
    '1/s',
  )
  globalThis.gc?.()
  add('resident octets a binding', (process.memoryUsage().rss - before) / bindings, 'octets')
  add(
    'puts of known bindings, memory alone',
    perCore(samples, (i) => memory.put(binding(family, random(i), 1), SECOND)),
    '1/s',
  )
  add(
    'making the binding to put (part of the above)',
    perCore(samples, (i) => binding(family, random(i), 1)),
    '1/s',
  )
  const view = memory.view()
  let sum = 0
  add(
    'look-ups of columns',
    perCore(samples, (i) => {
      if (memory.seek(view, address(family, random(i)))) sum += view.changedAt + view.state
    }),
    '1/s',
  )
  add(
    'look-ups of whole copies',
    perCore(samples, (i) => {
      sum += memory.get(address(family, random(i)))!.state
    }),
    '1/s',
  )
  if (sum === 0) throw new Error('nothing was read')
  let after = 0
  let slices = 0
  const slice = 256
  const changes = perCore(Math.floor(samples / slice), () => {
    const batch = memory.changesAfter(after, slice)
    after = batch.through
    slices += batch.changes.length
  })
  add('changes read as copies', (changes * slices) / Math.floor(samples / slice), '1/s')
  rows.push(...(await measureDisk(family, bindings)))
  return rows
}

async function measureDisk(family: Family, bindings: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  const add = (name: string, value: number, unit: string): void => {
    rows.push({ name: `store v${family} with disk, ${name}`, value: Math.round(value), unit })
  }
  const path = await mkdtemp(join(tmpdir(), 'leasequery-bench-'))
  const options = { path, family, wall: () => SECOND }
  try {
    let store = await openStore(options)
    const paused = longestPause()
    const cpu = mainThreadSeconds()
    const started = performance.now()
    for (let i = 0; i < bindings; i++) {
      store.put(binding(family, i, 0), store.clock.now())
      // As the feed does between its batches; and it does not run away from the disk.
      if (i % 256 === 0) await new Promise((resolve) => setImmediate(resolve))
      while (store.unwritten > 50_000) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await store.flush()
    add('put and written, wall clock', bindings / ((performance.now() - started) / 1000), '1/s')
    add('put and written, by one core', bindings / (mainThreadSeconds() - cpu), '1/s')
    add('longest pause of the event loop', paused(), 'ms')
    await store.close()
    const openStarted = performance.now()
    const openCpu = mainThreadSeconds()
    store = await openStore(options)
    add('read back at start, wall clock', bindings / ((performance.now() - openStarted) / 1000), '1/s')
    add('read back at start, by one core', bindings / (mainThreadSeconds() - openCpu), '1/s')
    await store.close()
  } finally {
    await rm(path, { recursive: true })
  }
  return rows
}

/** Calls for each second of the main thread's CPU time. */
function perCore(count: number, call: (i: number) => unknown): number {
  const started = mainThreadSeconds()
  for (let i = 0; i < count; i++) call(i)
  return count / (mainThreadSeconds() - started)
}

function mainThreadSeconds(): number {
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9
}

function longestPause(): () => number {
  let longest = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last - 1)
    last = now
  }, 1)
  return () => {
    clearInterval(timer)
    return longest
  }
}

function address(family: Family, i: number): Uint8Array {
  const octets = new Uint8Array(family === 4 ? 4 : 16)
  octets[0] = family === 4 ? 10 : 0x20
  octets[octets.length - 4] = octets[octets.length - 4]! | (i >>> 24)
  octets[octets.length - 3] = i >>> 16
  octets[octets.length - 2] = i >>> 8
  octets[octets.length - 1] = i
  return octets
}

const relay = new Uint8Array(60).fill(7)
const packetOptions = new Uint8Array(100).fill(9)
const hostname = new TextEncoder().encode('host.example.net')

/** About 200 octets of variable data. */
function binding(family: Family, i: number, round: number): BindingData {
  const clientId = new Uint8Array(family === 4 ? 7 : 14)
  clientId[0] = i >>> 24
  clientId[1] = i >>> 16
  clientId[2] = i >>> 8
  clientId[3] = i
  return {
    address: address(family, i),
    prefixLength: 0,
    state: BindingState.active,
    origin: Origin.client,
    subnetId: 1 + (i & 0xff),
    iaid: family === 4 ? 0 : 1,
    hardwareType: 1,
    hardwareAddress: clientId.subarray(0, 6),
    clientId,
    validLifetime: 3600,
    preferredLifetime: 0,
    clientLastTransaction: SECOND + round,
    stateSince: SECOND,
    hostname,
    relay,
    options: packetOptions,
  }
}

/** A fixed order that visits all of 0..count-1 without locality. */
function scatter(count: number): (i: number) => number {
  const step = 7_368_787 // a prime, larger than any factor of the counts used
  return (i) => (i * step) % count
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const bindings = Number(process.argv[2] ?? QUICK)
  const family = process.argv[3]
  if (family !== undefined) {
    console.log(JSON.stringify(await measure(family === '4' ? 4 : 6, bindings)))
  } else {
    for (const { name, value, unit } of await run(bindings)) {
      console.log(`${name.padEnd(60)} ${value.toLocaleString('en').padStart(14)} ${unit}`)
    }
  }
}
