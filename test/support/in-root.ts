/** C++ of tests and benchmarks, compiled against a Kea in its own root, and kept under build/. */

import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { Laboratory } from './laboratory.ts'
import { packagePath } from './package-root.ts'
import type { KeaRoot } from './roots.ts'

/**
 * Compiles a source where it is newer than what was made of it.
 * @param source path in the package
 * @returns the path of what was made, under build/`folder`
 */
export async function compileInRoot(
  root: KeaRoot,
  source: string,
  folder: string,
  output: string,
  flags: readonly string[],
): Promise<string> {
  const from = packagePath(source)
  const built = packagePath('build', folder, root.name, output)
  if (existsSync(built) && statSync(built).mtimeMs > statSync(from).mtimeMs) return built
  mkdirSync(dirname(built), { recursive: true })
  await using lab = await Laboratory.open()
  const name = basename(source)
  copyFileSync(from, lab.path(name))
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
    lab.path(name),
  ]
  await lab.run('server', [...command, ...flags], { root })
  copyFileSync(lab.path(output), built)
  return built
}

/** The same of a library for Kea to load. */
export function compileLibrary(
  root: KeaRoot,
  source: string,
  folder: string,
  output: string,
): Promise<string> {
  return compileInRoot(root, source, folder, output, ['-shared', '-fPIC'])
}

/** The library that meddles with what Kea does; `parameters` tell it how: see other-library.cc. */
export const otherLibrary = 'libdhcp_other.so'

/** Compiles it, for KeaOptions.libraries. */
export function compileOtherLibrary(root: KeaRoot): Promise<string> {
  return compileLibrary(root, 'test/support/other-library.cc', 'test-libraries', otherLibrary)
}
