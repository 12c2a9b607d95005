// What the store costs: changes, look-ups and scans a second, octets a binding.
// As a program: node dist/test/bench/store.js [bindings]
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { type BindingData, BindingState, type Family, Origin } from '../../sidecar/binding.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import { openStore } from '../../sidecar/store/open.ts'
import type { BulkSelector } from '../../sidecar/store/store.ts'
import { mainThreadSeconds, watchPauses } from './measure.ts'
import type { BenchRow } from './row.ts'

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
  const relays = Math.ceil(bindings / CLIENTS_A_RELAY)
  add(
    'bindings found by Bulk queries of a client',
    scansOf(memory, samples, (i) => ({ by: 'client-id', clientId: clientId(family, random(i)) })),
    '1/s',
  )
  add(
    'bindings found by Bulk queries of a relay',
    scansOf(memory, Math.min(relays, 100), (i) => ({ by: 'relay-id', relayId: utf8(relayId(i)) })),
    '1/s',
  )
  add(
    'bindings found by one Bulk query of all',
    scansOf(memory, 1, () => ({ by: 'all' })),
    '1/s',
  )
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
    const pauses = watchPauses()
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
    add('longest pause of the event loop', pauses().longest, 'ms')
    await store.close()
    add('octets on disk a binding', (await octetsIn(path)) / bindings, 'octets')
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

async function octetsIn(folder: string): Promise<number> {
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

/** Bindings given for each second of the main thread's CPU time, by so many scans one after the other. */
function scansOf(memory: Memory, count: number, selector: (i: number) => BulkSelector): number {
  let given = 0
  const scans = perCore(count, (i) => {
    const scan = memory.openBulkScan(selector(i))!
    for (let done = false; !done; ) {
      const slice = scan.next(256)
      given += slice.changes.length
      done = slice.done
    }
    scan.close()
  })
  if (given === 0) throw new Error('nothing was found')
  return (scans * given) / count
}

/** Calls for each second of the main thread's CPU time. */
function perCore(count: number, call: (i: number) => unknown): number {
  const started = mainThreadSeconds()
  for (let i = 0; i < count; i++) call(i)
  return count / (mainThreadSeconds() - started)
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

const CLIENTS_A_RELAY = 1000
const DIGITS = 8
/** Circuit-id, remote-id and relay-id; the last two end in digits to be filled in. */
const RELAY = { 4: relayTemplate(4), 6: relayTemplate(6) }

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function relayId(relay: number): string {
  return `relay-${String(relay).padStart(DIGITS, '0')}`
}

function relayTemplate(family: Family): { readonly octets: Uint8Array; readonly ends: readonly number[] } {
  const octets = family === 4 ? [] : [...new Array(16).fill(0xfe), 12, 0, ...new Array(32).fill(1)]
  const ends: number[] = []
  const codes = family === 4 ? [1, 2, 12] : [18, 37, 53]
  for (const [i, text] of ['eth 1/17', `cpe-${'0'.repeat(DIGITS)}`, relayId(0)].entries()) {
    const id = utf8(text)
    if (family === 4) octets.push(codes[i]!, id.length, ...id)
    else octets.push(0, codes[i]!, 0, id.length, ...id)
    ends.push(octets.length)
  }
  return { octets: Uint8Array.from(octets), ends: ends.slice(1) }
}

/** Relay data with a remote-id of each client's own, and a relay-id for every thousand. */
function relayOf(family: Family, i: number): Uint8Array {
  const { octets, ends } = RELAY[family]
  const relay = octets.slice()
  for (const [which, number] of [i, Math.floor(i / CLIENTS_A_RELAY)].entries()) {
    for (let at = ends[which]! - 1, left = number; left > 0; at--, left = Math.floor(left / 10)) {
      relay[at] = 0x30 + (left % 10)
    }
  }
  return relay
}

function clientId(family: Family, i: number): Uint8Array {
  const id = new Uint8Array(family === 4 ? 7 : 14)
  id[0] = i >>> 24
  id[1] = i >>> 16
  id[2] = i >>> 8
  id[3] = i
  return id
}

const packetOptions = new Uint8Array(100).fill(9)
const hostname = new TextEncoder().encode('host.example.net')

/** About 200 octets of variable data. */
function binding(family: Family, i: number, round: number): BindingData {
  const id = clientId(family, i)
  return {
    address: address(family, i),
    prefixLength: 0,
    state: BindingState.active,
    origin: Origin.client,
    subnetId: 1 + (i & 0xff),
    iaid: family === 4 ? 0 : 1,
    hardwareType: 1,
    hardwareAddress: id.subarray(0, 6),
    clientId: id,
    validLifetime: 3600,
    preferredLifetime: 0,
    clientLastTransaction: SECOND + round,
    stateSince: SECOND,
    hostname,
    relay: relayOf(family, i),
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
