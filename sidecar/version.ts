import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The version in package.json, which lies above this file wherever it was compiled to. */
export function version(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    try {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        name: string
        version: string
      }
      if (name === 'kea-active-leasequery') return version
    } catch {
      // Not here; look above.
    }
    const above = dirname(folder)
    if (above === folder) return 'unknown'
    folder = above
  }
}
