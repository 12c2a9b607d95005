// The example of sidecar/requestor/README.md for whoever takes leasequery as a library, run as it stands there but for the place.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { it } from 'node:test'
import { blocks, documents, section } from '../support/documents.ts'
import { packagePath } from '../support/package-root.ts'
import { waitFor } from '../support/wait.ts'
import { serviceWith } from './scenes-requestor.ts'

it('the package, imported by its name, prints the address of a lease', async () => {
  const [example] = blocks(section(documents.requestor, 'As a library'))
  await using service = serviceWith({})
  const place = `'127.0.0.1', port: ${await service.port()}`
  const program = example!.text.replace("'192.0.2.53'", place).replace(/since: \d+/, `since: ${service.now}`)
  assert.ok(program.includes(place) && program.includes(`since: ${service.now}`))
  // Beside package.json, so that the package finds itself.
  const script = packagePath('build', `library-${process.pid}.mjs`)
  writeFileSync(script, program)
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.on('data', (data) => {
    printed += data
  })
  try {
    service.put('192.0.2.7')
    await waitFor('the address', () => printed.split('\n').includes('192.0.2.7'))
  } finally {
    child.kill()
    rmSync(script)
  }
})
