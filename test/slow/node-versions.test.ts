// The other releases of Node that are supported: what depends on Node in earnest is tested on each.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { compiled, packagePath } from '../support/package-root.ts'

const run = promisify(execFile)

/** Of each part what stands for it: native modules, TLS, sockets, timers, typed arrays, the process itself. */
const files = [
  ...testsIn('wire'),
  ...['session/stories', 'session/dialect4', 'session/dialect6'],
  ...['store/memory', 'store/disk', 'store/open'],
  ...['feed/convergence-over-core', 'feed/feed-follower'],
  ...['server/tls', 'server/tls-engine', 'server/certificates', 'server/requestor-service'],
  ...['operations/notify', 'requestor/client', 'daemon'],
].map((name) => compiled(`test/${name}.test.ts`))

function testsIn(folder: string): string[] {
  const names = readdirSync(dirname(compiled(`test/${folder}/any.test.ts`)))
  return names.filter((name) => name.endsWith('.test.js')).map((name) => `${folder}/${name.slice(0, -8)}`)
}

for (const major of [22, 24]) {
  test(`on Node ${major} as on that of this run`, async () => {
    const node = packagePath('build', 'node-versions', 'node_modules', `node${major}`, 'bin', 'node')
    const { stdout: version } = await run(node, ['--version'])
    assert.match(version, new RegExp(`^v${major}\\.`))
    // Inside a test, Node's runner would take itself for a part of it.
    const { NODE_TEST_CONTEXT, ...env } = process.env
    assert.ok(NODE_TEST_CONTEXT)
    const words = ['--enable-source-maps', '--test', '--test-reporter=tap', '--test-concurrency=1', ...files]
    const { stdout } = await run(node, words, { env, maxBuffer: 1 << 28 }).catch(
      (error: Error & { stdout?: string }) => {
        const failed = (error.stdout ?? '')
          .split('\n')
          .filter((line) => /^ *(not ok|error:|code:)/.test(line))
        throw new Error(`${failed.slice(0, 40).join('\n')}\n${(error.stdout ?? error.message).slice(-3000)}`)
      },
    )
    assert.match(stdout, /^# fail 0$/m)
    assert.ok(Number(/^# pass (\d+)$/m.exec(stdout)?.[1]) > 400, stdout.slice(-500))
  })
}
