/** C++ of the benchmark, compiled against a Kea in its own root, and kept under build/. */

import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { Laboratory } from '../../support/laboratory.ts'
import { packagePath } from '../../support/package-root.ts'
import type { KeaRoot } from '../../support/roots.ts'

/**
 * Compiles a source of this folder where it is newer than what was made of it.
 * @returns the path of what was made
 */
export async function compileInRoot(
  root: KeaRoot,
  source: string,
  output: string,
  flags: readonly string[],
): Promise<string> {
  const from = packagePath('test', 'bench', 'kea', source)
  const built = packagePath('build', 'bench-kea', root.name, output)
  if (existsSync(built) && statSync(built).mtimeMs > statSync(from).mtimeMs) return built
  mkdirSync(dirname(built), { recursive: true })
  await using lab = await Laboratory.open()
  copyFileSync(from, lab.path(source))
  // What makes Kea's headers fit to be included: see there.
  copyFileSync(packagePath('kea-hook', 'src', 'kea', 'kea.h'), lab.path('kea.h'))
  const command = [
    'g++',
    '-std=c++17',
    '-O2',
    '-I',
    '/usr/include/kea',
    '-o',
    lab.path(output),
    lab.path(source),
  ]
  await lab.run('server', [...command, ...flags], { root })
  copyFileSync(lab.path(output), built)
  return built
}

/** The library that does nothing: what any library costs that has these callouts. */
export function noOpHook(root: KeaRoot): Promise<string> {
  return compileInRoot(root, 'no-op-hook.cc', 'libdhcp_no_op.so', ['-shared', '-fPIC'])
}
