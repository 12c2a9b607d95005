import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { documents } from './support/documents.ts'
import { packageRoot } from './support/package-root.ts'
import { requestorTables, tables } from './support/tables.ts'

const readme = documents.sidecar.text
const requestorReadme = documents.requestor.text

for (const [name, expected] of Object.entries(tables)) {
  test(`sidecar/README.md has the table of ${name} as the code has it`, () => {
    const found = readme.includes(expected)
    assert.ok(found, `the table of ${name} should be:\n\n${expected}\n`)
  })
}

for (const [name, expected] of Object.entries(requestorTables)) {
  test(`sidecar/requestor/README.md has the table of ${name} as the code has it`, () => {
    assert.ok(requestorReadme.includes(expected), `the table of ${name} should be:\n\n${expected}\n`)
  })
}

test('every field of the JSON of leasequery is explained in sidecar/requestor/README.md', () => {
  const sources = ['print.ts', 'binding-json.ts', 'mirror/change-json.ts', 'command-check.ts']
  const named = sources.flatMap((file) => {
    const source = readFileSync(join(packageRoot, 'sidecar', 'requestor', file), 'utf8')
    const parts = file === 'print.ts' ? source.slice(source.indexOf('export function formatJson')) : source
    return [...parts.matchAll(/^\s+(?:readonly )?'?([a-z]+(?:-[a-z]+)*)'?:/gm)].map((match) => match[1]!)
  })
  assert.ok(new Set(named).size > 15)
  for (const field of new Set(named)) assert.ok(requestorReadme.includes(`\`${field}\``), field)
})

test('every variable that a command is given is explained in sidecar/requestor/README.md', () => {
  const file = join(packageRoot, 'sidecar', 'requestor', 'mirror', 'receivers.ts')
  const variables = readFileSync(file, 'utf8').match(/LEASEQUERY_[A-Z_]+/g) ?? []
  assert.ok(variables.length > 10)
  for (const name of new Set(variables)) assert.ok(requestorReadme.includes(`\`${name}\``), name)
})
