// What grows with the number of bindings, and how: memory, disk, a first walk, a walk that finds nothing different, a restart.
// As a program, one size: node --expose-gc dist/test/bench/scale.js bindings family
import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { Family } from '../../sidecar/binding.ts'
import { Followed } from './followed.ts'
import { timed, watchPauses } from './measure.ts'
import type { BenchRow } from './row.ts'

export const SIZES: readonly number[] = [300_000, 1_000_000, 3_000_000]

interface Measured {
  readonly memory: number
  readonly disk: number
  readonly firstWalk: number
  readonly equalWalk: number
  readonly heldWalking: number
  readonly restart: number
}

/** What is measured, what it is called, and how it is told: all of it, or divided by the number of bindings. */
const CURVES: readonly {
  readonly of: keyof Measured
  readonly name: string
  readonly unit: string
  readonly each?: true
}[] = [
  { of: 'memory', name: 'resident octets a binding', unit: 'octets', each: true },
  { of: 'disk', name: 'octets on disk a binding', unit: 'octets', each: true },
  { of: 'firstWalk', name: 'first walk, all written to disk', unit: 's' },
  { of: 'equalWalk', name: 'walk that finds nothing different', unit: 's' },
  { of: 'heldWalking', name: 'the event loop is held meanwhile for, longest', unit: 'ms' },
  { of: 'restart', name: 'restart: store read back', unit: 's' },
]

/** Each size and family in a process of its own, since memory is. */
export async function run(sizes: readonly number[]): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const family of [4, 6]) {
    const all: Measured[] = []
    for (const size of sizes) {
      const argv = ['--expose-gc', fileURLToPath(import.meta.url), `${size}`, `${family}`]
      const { stdout } = await promisify(execFile)(process.execPath, argv)
      all.push(JSON.parse(stdout) as Measured)
    }
    for (const curve of CURVES) rows.push(...curveOf(family, curve, sizes, all))
  }
  return rows
}

/** A row for each size; those after the first beside it. */
function curveOf(
  family: number,
  { of, name, unit, each }: (typeof CURVES)[number],
  sizes: readonly number[],
  all: readonly Measured[],
): BenchRow[] {
  const values = all.map((measured, i) => (each ? measured[of] / sizes[i]! : measured[of]))
  return values.map((value, i) => ({
    name: `v${family}, ${sizes[i]!.toLocaleString('en')} bindings: ${name}`,
    value,
    unit,
    ...(i > 0 && {
      than: { name: `${sizes[0]!.toLocaleString('en')} bindings`, ratio: value / values[0]! },
    }),
  }))
}

async function measure(family: Family, bindings: number): Promise<Measured> {
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  await using feed = await Followed.open(family, bindings)
  const first = await timed(() => feed.start())
  globalThis.gc?.()
  const memory = process.memoryUsage().rss - before
  const pauses = watchPauses()
  const equal = await timed(() => feed.walk())
  const heldWalking = pauses().longest
  const restart = await feed.restart()
  const disk = await octetsIn(feed.path)
  return { memory, disk, firstWalk: first.clock, equalWalk: equal.clock, heldWalking, restart }
}

async function octetsIn(folder: string): Promise<number> {
  const files = await readdir(folder)
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(JSON.stringify(await measure(process.argv[3] === '6' ? 6 : 4, Number(process.argv[2]))))
}
