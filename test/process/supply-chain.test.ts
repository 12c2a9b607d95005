// What comes from elsewhere: which packages, under which licenses, with which known holes; and how what we build is built.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { packageRoot } from '../support/package-root.ts'

const run = promisify(execFile)
const read = (path: string) => readFileSync(join(packageRoot, path), 'utf8')

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly license?: string
  readonly optional?: boolean
}
const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }
const packages = Object.entries(lock.packages).filter(([path]) => path !== '')

test('each package is locked to one version with its checksum', () => {
  assert.ok(packages.length > 20)
  for (const [path, { version, integrity }] of packages) {
    assert.match(version ?? '', /^\d+\.\d+\.\d+/, path)
    assert.match(integrity ?? '', /^sha512-/, path)
  }
})

/** Licenses that allow the product to be used and passed on under the MPL. */
const allowed = new Set([
  ...['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0', '0BSD'],
  ...['MIT OR Apache-2.0', '(BSD-2-Clause OR MIT OR Apache-2.0)'],
])
/** Others, looked at one by one. */
const lookedAt: Readonly<Record<string, string>> = {
  // Its MIT code carries libzmq and libsodium as libraries: MPL-2.0, our own license, and ISC.
  zeromq: 'MIT AND MPL-2.0',
  // Data about browsers, of a tool for tests; nothing of it is passed on.
  'caniuse-lite': 'CC-BY-4.0',
}

test('each package has a license that is allowed here', () => {
  for (const [path, locked] of packages) {
    const name = path.replace(/^.*node_modules\//, '')
    const manifest = join(packageRoot, path, 'package.json')
    // Those for other machines are in the lock file alone.
    const own = existsSync(manifest)
      ? (JSON.parse(readFileSync(manifest, 'utf8')) as { license?: string }).license
      : undefined
    const license = own ?? locked.license ?? 'none named'
    assert.ok(allowed.has(license) || lookedAt[name] === license, `${name}: ${license}`)
  }
})

test('the registry knows of no hole in what the daemon runs on', async (t) => {
  const output = await run('npm', ['audit', '--omit=dev', '--json'], { cwd: packageRoot }).then(
    ({ stdout }) => stdout,
    (error: { stdout?: string }) => error.stdout ?? '',
  )
  const answer = (output === '' ? {} : JSON.parse(output)) as {
    metadata?: { vulnerabilities: Record<string, number> }
    vulnerabilities?: Record<string, unknown>
    message?: string
  }
  if (answer.metadata === undefined) {
    // A mirror without advisories, or no network: nothing is known, and nothing said against it.
    t.diagnostic(
      `the registry was not able to audit (${answer.message ?? 'no answer'}); no advisory was looked at`,
    )
    return
  }
  const { high = 0, critical = 0 } = answer.metadata.vulnerabilities
  assert.equal(high + critical, 0, JSON.stringify(answer.vulnerabilities, null, 2))
})

const libraries = [
  'build/addon/lease_feed_core.node',
  'build/kea-hook/trixie/libdhcp_lease_feed.so',
  'build/kea-hook/trixie-backports/libdhcp_lease_feed.so',
]

for (const library of libraries) {
  const path = join(packageRoot, library)
  const skip =
    !existsSync(path) && process.env['KEA_TEST_ALLOW_MISSING'] === '1' ? `${library} was not built` : false

  test(`${library} is hardened: RELRO, BIND_NOW, no executable stack, stack protector, FORTIFY`, {
    skip,
  }, async () => {
    const { stdout } = await run('readelf', ['--wide', '--dynamic', '--segments', '--dyn-syms', path], {
      maxBuffer: 64 * 1024 * 1024,
    })
    assert.match(stdout, /GNU_RELRO/)
    assert.match(stdout, /\(FLAGS(_1)?\).*\bNOW\b/)
    assert.match(stdout, /GNU_STACK .* RW /)
    assert.doesNotMatch(stdout, /GNU_STACK .* RWE /)
    assert.match(stdout, /__stack_chk_fail@/)
    assert.match(stdout, /UND __\w+_chk@/)
    assert.doesNotMatch(stdout, /\((RPATH|RUNPATH)\)/)
    assert.doesNotMatch(stdout, /TEXTREL/)
  })
}
