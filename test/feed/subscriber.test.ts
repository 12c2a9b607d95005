// The example in proto/README.md is run as it stands there.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { packageRoot } from '../support/package-root.ts'
import { waitFor } from '../support/wait.ts'
import { FollowedCore } from './over-core.ts'

it('the small subscriber of proto/README.md prints a change', async () => {
  const readme = readFileSync(join(packageRoot, 'proto', 'README.md'), 'utf8')
  const [, example] = /```js\n([\s\S]*?)```/.exec(readme) ?? []
  assert.ok(example !== undefined)
  await using followed = new FollowedCore()
  followed.core.start()
  // Beside package.json, so that its imports are found.
  const script = join(packageRoot, 'build', `subscriber-${process.pid}.mjs`)
  writeFileSync(script, example)
  const child = spawn(process.execPath, [script, followed.endpoint], { cwd: packageRoot })
  let printed = ''
  child.stdout.on('data', (text) => {
    printed += text
  })
  child.stderr.on('data', (text) => {
    printed += text
  })
  try {
    await waitFor('its first line', () => /epoch [0-9a-f]{32}, at event \d+/.test(printed))
    await waitFor('a change', () => {
      followed.core.put({
        address: Uint8Array.of(192, 0, 2, 7),
        validLifetime: 3600,
        hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, 7),
      })
      return printed.includes('state 0 192.0.2.7 020000000007')
    })
  } catch (error) {
    throw new Error(`the subscriber printed: ${printed}`, { cause: error })
  } finally {
    child.kill()
    rmSync(script)
  }
})
