// The status page's files, as they lie in the package; read once.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../package-root.ts'
import type { Route } from './http.ts'

const SCRIPT = 'text/javascript; charset=utf-8'

const files = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/style.css', 'style.css', 'text/css; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
  ['/page.js', 'page.js', SCRIPT],
  ['/show.js', 'show.js', SCRIPT],
  ['/facts.js', 'facts.js', SCRIPT],
  ['/words.js', 'words.js', SCRIPT],
  ['/dom.js', 'dom.js', SCRIPT],
] as const

export function pageRoutes(): [string, Route][] {
  return files.map(([path, name, type]) => {
    let body: Buffer | undefined
    return [
      path,
      () => {
        body ??= readFileSync(join(packageRoot(), 'sidecar', 'operations', 'page', name))
        return { type, body }
      },
    ]
  })
}
