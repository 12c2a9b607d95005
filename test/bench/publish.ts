// What a change costs the thread of Kea that makes it, and the machine: the core's own program, compiled C++ without Node.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { packagePath } from '../support/package-root.ts'
import type { BenchRow } from './row.ts'

const execute = promisify(execFile)

export async function run(): Promise<BenchRow[]> {
  const folder = packagePath('build', 'core-bench')
  const settings = ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DLEASE_FEED_TESTS=ON', '-DLEASE_FEED_KEA=OFF']
  await execute('cmake', ['-S', packagePath('kea-hook'), '-B', folder, ...settings])
  await execute('cmake', ['--build', folder, '--target', 'bench_publish'])
  const { stdout } = await execute(packagePath('build', 'core-bench', 'tests', 'bench_publish'))
  return stdout.trim().split('\n').map(parse)
}

/** A row of the program: what, figure and unit, divided by tabs. */
function parse(line: string): BenchRow {
  const [name, value, unit] = line.split('\t')
  if (unit === undefined || !Number.isFinite(Number(value))) throw new Error(`bench_publish printed: ${line}`)
  return { name: `hook, ${name}`, value: Number(value), unit }
}
