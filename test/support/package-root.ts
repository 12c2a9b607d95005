/** Where the project is, from wherever the compiled code lies. */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder that holds package.json. */
export const packageRoot = findUp('package.json')

/** The compiled counterpart of a source file, from the same build as this one: compiled('sidecar/main.ts'). */
export function compiled(source: string): string {
  const buildRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
  return join(buildRoot, source.replace(/\.ts$/, '.js'))
}

function findUp(name: string): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, name))) return folder
    if (folder === dirname(folder)) throw new Error(`no ${name} above ${import.meta.url}`)
  }
}

/** A path in the project: packagePath('build', 'bench.json'). */
export function packagePath(...names: string[]): string {
  return join(packageRoot, ...names)
}
