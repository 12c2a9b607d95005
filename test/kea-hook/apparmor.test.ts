// The rules for the feed, parsed as part of the very profiles that Debian confines Kea by.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { packageRoot } from '../support/package-root.ts'
import { keaRoots } from '../support/roots.ts'

const run = promisify(execFile)

for (const root of keaRoots()) {
  for (const family of [4, 6] as const) {
    const name = `usr.sbin.kea-dhcp${family}`
    test(`${name}: the rules of kea-hook/apparmor fit Debian's profile (Kea ${root.kea})`, {
      skip: root.skip,
    }, async () => {
      const base = mkdtempSync(join(tmpdir(), 'alq-apparmor-'))
      try {
        for (const folder of ['abstractions', 'tunables', 'abi'])
          cpSync(join('/etc/apparmor.d', folder), join(base, folder), { recursive: true })
        cpSync(join(root.root, 'etc/apparmor.d', name), join(base, name))
        cpSync(join(packageRoot, 'kea-hook/apparmor', name), join(base, 'local', name), { recursive: true })
        const words = ['--skip-kernel-load', '--skip-cache', '--base', base, '--names', join(base, name)]
        const { stdout } = await run('apparmor_parser', words)
        assert.match(stdout, new RegExp(`kea-dhcp${family}`))
        const { stdout: rules } = await run('apparmor_parser', [
          '--skip-cache',
          '--base',
          base,
          '--preprocess',
          join(base, name),
        ])
        for (const path of ['/run/kea-lease-feed/ r', `/run/kea-lease-feed/dhcp${family}{,-sync,.lock} rwk`])
          assert.ok(rules.includes(path), path)
      } finally {
        rmSync(base, { recursive: true, force: true })
      }
    })
  }
}

test('the rules name the endpoints that the hook has by default, and its lock file', () => {
  const table = readFileSync(join(packageRoot, 'kea-hook/src/kea/parameter_table.h'), 'utf8')
  for (const family of [4, 6]) {
    const path = `/run/kea-lease-feed/dhcp${family}`
    assert.ok(table.includes(`ipc://${path}`))
    const rules = readFileSync(join(packageRoot, `kea-hook/apparmor/usr.sbin.kea-dhcp${family}`), 'utf8')
    assert.ok(rules.includes(`${path}{,-sync,.lock} rwk,`))
  }
})
