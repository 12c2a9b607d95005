/**
 * The parts of the benchmark work, but for the one of Kea under load, which has a test of its own, and the hook's program, which
 * would have to be compiled; their figures are nobody's business here.
 */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { compiled, packagePath } from '../support/package-root.ts'
import { keaRoots } from '../support/roots.ts'
import type { BenchRow } from './row.ts'

const parts = ['feed', 'store', 'serve', 'requestors', 'scale', 'active', 'bulk']
const skip = keaRoots().find(({ kea }) => kea === '3.0')?.skip

test('npm run bench -- --quick measures and writes the figures as JSON', { skip }, async () => {
  await promisify(execFile)(process.execPath, [compiled('test/bench/main.ts'), '--quick', ...parts])
  const written = readFileSync(packagePath('build', 'bench-quick.json'), 'utf8')
  const figures = (JSON.parse(written) as { parts: Record<string, BenchRow[]> }).parts
  assert.deepEqual(Object.keys(figures), parts)
  for (const [part, rows] of Object.entries(figures)) {
    assert.ok(rows.length > 0, `${part} has no figures`)
    for (const { name, value } of rows) assert.ok(Number.isFinite(value), `${part}: ${name} is ${value}`)
  }
})
