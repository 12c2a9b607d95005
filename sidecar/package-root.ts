import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of package.json, above this file, as the sources and as the compiled program. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (statSync(join(folder, 'package.json'), { throwIfNoEntry: false }) === undefined) {
    const above = dirname(folder)
    if (above === folder) throw new Error(`no package.json above ${fileURLToPath(import.meta.url)}`)
    folder = above
  }
  return folder
}
