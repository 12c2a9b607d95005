import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { logLines } from '../sidecar/log-lines.ts'
import { packageRoot } from './support/package-root.ts'
import { tables } from './support/tables.ts'

const readme = readFileSync(join(packageRoot, 'sidecar', 'README.md'), 'utf8')

for (const [name, expected] of Object.entries(tables)) {
  test(`sidecar/README.md has the table of ${name} as the code has it`, () => {
    const found = readme.includes(expected)
    assert.ok(found, `the table of ${name} should be:\n\n${expected}\n`)
  })
}

test('every event named in sidecar/README.md exists', () => {
  const events = new Set<string>(Object.values(logLines).map((line) => line.event))
  const named = [
    ...readme.matchAll(
      /`((?:daemon|config|listener|feed|active|requestor|query|store|clock|index)\.[a-z-]+)`/g,
    ),
  ]
  for (const [, event] of named) assert.ok(events.has(event!), event)
})

test('every field of the JSON of leasequery watch is explained in sidecar/README.md', () => {
  const source = readFileSync(join(packageRoot, 'sidecar', 'requestor', 'print.ts'), 'utf8')
  const json = source.slice(
    source.indexOf('export function formatJson'),
    source.indexOf('function stateName'),
  )
  const fields = [...json.matchAll(/^\s+'?([a-z-]+)'?:/gm)].map((match) => match[1]!)
  assert.ok(fields.length > 15)
  for (const field of fields) assert.ok(readme.includes(`\`${field}\``), field)
})
