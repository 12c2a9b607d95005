// Where test sources name rows, without running them.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../support/package-root.ts'
import { idsIn } from './rows.ts'

/** Test sources under test/ that name rows, by path from there, with the ids that they name. */
export function sourcesWithRows(): Map<string, readonly string[]> {
  const folder = join(packageRoot, 'test')
  const found = new Map<string, readonly string[]>()
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!path.endsWith('.test.ts') || path.startsWith('conformance/rows.')) continue
    const ids = idsIn(withoutComments(readFileSync(join(folder, path), 'utf8')))
    if (ids.length > 0) found.set(path, ids)
  }
  return found
}

function withoutComments(source: string): string {
  return source.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')
}
