// What the store costs: changes, look-ups and scans a second, octets a binding.
// As a program: node dist/test/bench/store.js [bindings]
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type BindingData, BindingState, type Family, Origin } from '../../sidecar/binding.ts'
import { openStore } from '../../sidecar/store/open.ts'

export interface BenchRow {
  readonly name: string
  readonly value: number
  readonly unit: string
}

const QUICK = 1_000_000
const SECOND = 1_800_000_000

/** @param bindings how many; a million is quick, ten million shows the promised size. */
export async function run(bindings: number = QUICK): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const family of [4, 6] as const) rows.push(...(await measure(family, bindings)))
  return rows
}

async function measure(family: Family, bindings: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  const add = (name: string, value: number, unit: string): void => {
    rows.push({ name: `store v${family}, ${name}`, value: Math.round(value), unit })
  }
  const path = await mkdtemp(join(tmpdir(), 'leasequery-bench-'))
  const options = { path, family, wall: () => SECOND }
  try {
    globalThis.gc?.()
    const before = process.memoryUsage().rss
    let store = await openStore(options)
    const delay = longestPause()
    const inserts = await timed(bindings, 256, (i) => store.put(binding(family, i, 0), store.clock.now()))
    add('inserts', inserts, '1/s')
    add('longest pause while inserting', delay(), 'ms')
    const flushStarted = performance.now()
    await store.flush()
    add(
      'written behind meanwhile and after',
      bindings / ((performance.now() - flushStarted) / 1000 + bindings / inserts),
      '1/s',
    )
    globalThis.gc?.()
    add('resident octets a binding', (process.memoryUsage().rss - before) / bindings, 'octets')

    const random = scatter(bindings)
    const samples = Math.min(bindings, 1_000_000)
    const view = store.view()
    let sum = 0
    add(
      'look-ups, columns',
      await timed(samples, 4096, (i) => {
        if (store.seek(view, address(family, random(i)))) sum += view.changedAt + view.state
      }),
      '1/s',
    )
    add('look-ups, copies', await timed(samples, 4096, (i) => store.get(address(family, random(i)))), '1/s')
    const scanStarted = performance.now()
    let after = 0
    let seen = 0
    while (seen < samples) {
      const { changes, through, atEnd } = store.changesAfter(after, 256)
      seen += changes.length
      after = through
      if (atEnd) break
    }
    add('changes read', seen / ((performance.now() - scanStarted) / 1000), '1/s')
    const pause = longestPause()
    add(
      'random updates',
      await timed(samples, 256, (i) => store.put(binding(family, random(i), 1), store.clock.now())),
      '1/s',
    )
    add('longest pause while updating', pause(), 'ms')
    if (sum === 0) throw new Error('nothing was read')
    await store.close()
    const openStarted = performance.now()
    store = await openStore(options)
    add('read back at start', bindings / ((performance.now() - openStarted) / 1000), '1/s')
    await store.close()
  } finally {
    await rm(path, { recursive: true })
  }
  return rows
}

/** Calls a second; the event loop runs after each `slice` of them, as it does between batches of the feed. */
async function timed(count: number, slice: number, call: (i: number) => unknown): Promise<number> {
  const started = performance.now()
  for (let from = 0; from < count; from += slice) {
    for (let i = from; i < Math.min(count, from + slice); i++) call(i)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return count / ((performance.now() - started) / 1000)
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
  for (const { name, value, unit } of await run(Number(process.argv[2] ?? QUICK))) {
    console.log(`${name.padEnd(56)} ${value.toLocaleString('en').padStart(14)} ${unit}`)
  }
}
