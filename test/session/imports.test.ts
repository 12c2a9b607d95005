// The protocol never touches a socket, a timer, a clock or a disk. Their import lines show it.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'
import { packageRoot } from '../support/package-root.ts'

const sidecar = join(packageRoot, 'sidecar')

/** What each folder may import, as folders of sidecar/ or files in it. */
const allowed: Record<string, RegExp> = {
  wire: /^wire\//,
  session: /^(wire|session)\/|^((packed-)?binding|record-words)\.ts$/,
}

/** What reads a clock, waits, or is not there outside of Node. */
const forbidden =
  /\b(Date\.now|new Date|performance\.|setTimeout|setInterval|setImmediate|queueMicrotask|process\.|Buffer\.|console\.)/

for (const [folder, rule] of Object.entries(allowed))
  describe(`sidecar/${folder}`, () => {
    const files = readdirSync(join(sidecar, folder), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    )
    it('has files', () => assert.ok(files.length > 5))
    for (const name of files)
      it(`${name} imports only what it may, and reads no clock`, () => {
        const path = join(sidecar, folder, name)
        const source = readFileSync(path, 'utf8')
        for (const [, target] of source.matchAll(/^(?:import|export)[^'"]*from '([^']+)'/gm)) {
          assert.ok(target!.startsWith('.'), `${name} imports ${target}`)
          assert.match(relative(sidecar, join(dirname(path), target!)), rule)
        }
        assert.doesNotMatch(source, forbidden)
      })
  })
