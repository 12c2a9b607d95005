// KEA_ROOT: the hook built for a Kea that is not where packages put it, and run in that Kea.
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { ActiveRequestor, FoldedBindings } from '../../sidecar/requestor/active-requestor.ts'
import { perfdhcp } from '../support/clients.ts'
import { feedLibrary, Kea } from '../support/kea.ts'
import { Laboratory } from '../support/laboratory.ts'
import { packagePath } from '../support/package-root.ts'
import { type KeaRoot, mainKea } from '../support/roots.ts'
import { Sidecar } from '../support/sidecar.ts'

const root = mainKea()
const { skip } = root

/** A Kea as a source install lays it out, from that of the root. */
function installElsewhere({ root: from, stockHooks }: KeaRoot, prefix: string): void {
  const libraries = dirname(dirname(stockHooks))
  for (const folder of ['include', 'lib', 'sbin']) mkdirSync(join(prefix, folder), { recursive: true })
  cpSync(join(from, 'usr/include/kea'), join(prefix, 'include/kea'), { recursive: true })
  for (const name of readdirSync(join(from, libraries)).filter((name) => name.startsWith('libkea-'))) {
    cpSync(join(from, libraries, name), join(prefix, 'lib', name), { verbatimSymlinks: true })
  }
  cpSync(join(from, 'usr/sbin/kea-dhcp4'), join(prefix, 'sbin/kea-dhcp4'))
}

/** The root's own Kea is gone for what comes after. */
const hide = 'rm -rf /usr/include/kea /usr/sbin/kea-* /usr/lib/*/kea /usr/lib/*/libkea-*; exec "$@"'
const withoutKea = (command: readonly string[]) => ['sh', '-c', hide, 'sh', ...command]

test('a Kea under another prefix gets a hook of its own by KEA_ROOT, loads it, and its leases are told', {
  skip,
}, async () => {
  await using lab = await Laboratory.open()
  const prefix = lab.path('opt', 'kea')
  installElsewhere(root, prefix)
  const source = lab.path('source', 'kea-hook')
  cpSync(packagePath('kea-hook'), source, { recursive: true })
  cpSync(packagePath('package.json'), lab.path('source', 'package.json'))
  const hook = lab.path('out', feedLibrary)
  const build = ['bash', join(source, 'build-hook.sh'), prefix, hook]
  await lab.run('server', withoutKea(build), { root })

  const env = { PATH: `${prefix}/sbin:/usr/sbin:/usr/bin:/sbin:/bin`, LD_LIBRARY_PATH: `${prefix}/lib` }
  const parameters = {
    requesters: ['127.0.0.1'],
    advanced: { 'active-query-enabled': true },
    tls: { mode: 'off' },
    feed: { endpoint: lab.feedEndpoint(4) },
  }
  const elsewhere = { ...root, hook }
  const options = { env, hooks: [{ library: feedLibrary, parameters }] }
  const { accepted, text } = await Kea.check(lab, elsewhere, 4, options)
  assert.ok(accepted, text)

  const kea = await Kea.start(lab, elsewhere, 4, options)
  // As seen from outside of the root.
  assert.ok(readlinkSync(`/proc/${kea.pid}/exe`).endsWith(`${prefix}/sbin/kea-dhcp4`))
  const mapped = new Set(readFileSync(`/proc/${kea.pid}/maps`, 'utf8').match(/\/\S*libkea-\S+/g))
  assert.ok(mapped.size > 10)
  for (const library of mapped) assert.ok(library.endsWith(`${prefix}/lib/${basename(library)}`), library)

  const sidecar = await Sidecar.start(lab, { families: [4], flags: ['--listen', 'dhcp4=127.0.0.1:0'] })
  await sidecar.logged('feed.reconciled')
  const { port } = await sidecar.logged('listener.started')
  const requestor = await ActiveRequestor.connect({ family: 4, host: '127.0.0.1', port: Number(port) })
  await requestor.until(({ type }) => type === 'accepted')
  await perfdhcp(lab, root, 4, { rate: 20, clients: 20, exchanges: 20 })
  const leased = new Set(kea.activeLeases().map(({ address }) => address))
  assert.ok(leased.size > 0)
  const fold = new FoldedBindings()
  await requestor.until(() => fold.told >= leased.size, fold)
  requestor.close()
})

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
