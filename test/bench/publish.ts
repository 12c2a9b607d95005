// What a change costs the thread of Kea that makes it: the core's own program, compiled C++ without Node.
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
  return stdout.split('\n').flatMap(parse)
}

/** A line of the program: "DHCPv4, one producer    412 ns wall    398 ns cpu   single: p50 ..." */
function parse(line: string): BenchRow[] {
  const found = /^(.*?) {2,}.*?(\d+) ns cpu/.exec(line)
  if (!found) return []
  return [{ name: `publish in the hook, ${found[1]}`, value: Number(found[2]), unit: 'ns of CPU' }]
}
