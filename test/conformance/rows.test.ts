import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { packageRoot } from '../support/package-root.ts'
import { rows } from './rows.ts'

test('every statement in rows.ts is shown by a test here', () => {
  const folder = join(packageRoot, 'test', 'conformance')
  const sources = readdirSync(folder)
    .filter((name) => name.endsWith('.test.ts') && name !== 'rows.test.ts')
    .map((name) => readFileSync(join(folder, name), 'utf8'))
  const named = new Set(sources.flatMap((source) => source.match(/'\d{4}-[\d.]+-\d{2}'/g) ?? []))
  assert.deepEqual(
    [...rows.keys()].filter((id) => !named.has(`'${id}'`)),
    [],
  )
})
