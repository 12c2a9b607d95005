import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from './package-root.ts'

let known: string | undefined

/** The version in package.json. */
export function version(): string {
  known ??= (
    JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { readonly version: string }
  ).version
  return known
}
