// What the files under package/debian say, where it has to agree with the rest.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { DEFAULT_STATE_DIR, defaultFeeds } from '../../sidecar/daemon-flags.ts'
import { copyrightOf } from '../../sidecar/package/copyright.ts'
import { packagePath } from '../support/package-root.ts'

const read = (path: string) => readFileSync(packagePath(path), 'utf8')

test('the package asks for the Node that package.json asks for', () => {
  const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } }
  assert.ok(read('sidecar/package/debian/control').includes(`nodejs (${engines.node.replace('>=', '>= ')})`))
})

test('packages make the folders that the programs use by default', () => {
  const folder = defaultFeeds[4].replace('ipc://', '').replace('/dhcp4', '')
  assert.match(
    read('kea-hook/package/debian/tmpfiles'),
    new RegExp(`^d ${folder} 2750 _kea kea-leasequery -$`, 'm'),
  )
  assert.ok(read('sidecar/package/debian/postrm').includes(`rm -rf ${DEFAULT_STATE_DIR}\n`))
})

test('the license of each package that the daemon runs on is passed on with it', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { dev?: boolean }>
  }
  const folders = Object.keys(packages).filter((path) => path !== '' && !packages[path]!.dev)
  const installed = folders.map((path) => packagePath(path)).filter((path) => existsSync(path))
  assert.ok(installed.length > 20)
  const text = copyrightOf(installed)
  for (const folder of installed) {
    const name = folder.replace(/^.*node_modules\//, '')
    const part = text.split(`\n${name} `)[1]!.split('-'.repeat(78))[0]!
    assert.match(part, /copyright|common-licenses/i, name)
  }
  assert.match(text, /LevelDB Authors/)
})
