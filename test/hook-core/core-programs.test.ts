import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { packageRoot } from '../support/package-root.ts'

const run = promisify(execFile)

/** Built once for each sanitizer under build/, and again only where a source has changed. */
async function passes(sanitizers: string): Promise<void> {
  const build = join(packageRoot, 'build', `kea-hook-core-${sanitizers.replace(',', '-')}`)
  const options = { maxBuffer: 16 * 1024 * 1024 }
  const output = async (command: string, ...words: string[]) => {
    const result = await run(command, words, options).catch((error) => {
      throw new Error(`${command} ${words.join(' ')}:\n${error.stdout}\n${error.stderr}`)
    })
    return result.stdout
  }
  const configure = [
    '-DLEASE_FEED_TESTS=ON',
    `-DLEASE_FEED_SANITIZE=${sanitizers}`,
    '-DCMAKE_BUILD_TYPE=Debug',
  ]
  // Kea's part is not under test here, whatever this machine has of Kea.
  await output(
    'cmake',
    '-S',
    join(packageRoot, 'kea-hook'),
    '-B',
    build,
    ...configure,
    '-DLEASE_FEED_KEA=OFF',
  )
  await output('cmake', '--build', build, '--parallel', '2')
  const summary = await output('ctest', '--test-dir', build, '--output-on-failure')
  assert.match(summary, /100% tests passed, 0 tests failed out of 6/)
}

test('the core keeps its promises under the address and undefined-behaviour sanitizers', () =>
  passes('address,undefined'))

test('the core keeps its promises under the thread sanitizer', () => passes('thread'))
