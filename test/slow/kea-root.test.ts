// KEA_ROOT: which Kea a hook is built for.
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Laboratory } from '../support/laboratory.ts'
import { packagePath } from '../support/package-root.ts'
import { mainKea } from '../support/roots.ts'

const root = mainKea()
const { skip } = root

test('a Kea that was named and is not there is said, though there is another one', { skip }, async () => {
  await using lab = await Laboratory.open()
  const source = lab.path('kea-hook')
  cpSync(packagePath('kea-hook'), source, { recursive: true })
  const configure = ['cmake', '-S', source, '-B', lab.path('build'), '-DLEASE_FEED_TESTS=OFF']
  const told = (keaRoot: string) =>
    lab.run('server', ['env', `KEA_ROOT=${keaRoot}`, ...configure], { root, codes: [0, 1] })
  assert.match(await told('/opt/kea'), /No Kea headers under KEA_ROOT=\/opt\/kea/)
  assert.match(
    await lab.run('server', ['bash', join(source, 'build-hook.sh'), '/opt', lab.path('out.so')], {
      root,
      codes: [1],
    }),
    /Kea's headers are not under \/opt/,
  )
})
