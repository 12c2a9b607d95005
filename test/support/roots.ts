/** The Keas to test with: each in a Debian root that test/setup/roots.sh makes. */

import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { packageRoot } from './package-root.ts'

export interface KeaRoot {
  readonly name: 'trixie' | 'trixie-backports'
  readonly kea: '2.6' | '3.0'
  /** The root's folder. Never written to: every process gets an overlay of it. */
  readonly root: string
  /** Our library, built for this very Kea; on the machine, not in the root. */
  readonly hook: string
  /** Where Kea's own libraries are, inside the root. */
  readonly stockHooks: string
  /** For node:test: false, or why tests with this Kea are skipped (only under --allow-missing). */
  readonly skip: false | string
}

/** Where test/setup/roots.sh makes them. */
export const rootsFolder = process.env['KEA_TEST_ROOTS'] ?? '/var/cache/kea-active-leasequery'

/**
 * All Keas, newest first. Use it so that nothing is skipped in silence:
 *
 *     for (const kea of keaRoots()) test(`... (Kea ${kea.kea})`, { skip: kea.skip }, async () => { ... })
 *
 * @throws Error naming the command to run, when a root is missing and nobody allowed that
 */
export function keaRoots(): KeaRoot[] {
  return [describe('trixie-backports', '3.0'), describe('trixie', '2.6')]
}

/** The first choice where one Kea is enough: 3.0. */
export function mainKea(): KeaRoot {
  return describe('trixie-backports', '3.0')
}

/** For KeaOptions.env.LD_PRELOAD: the library that moves a process's clock by FAKETIME, inside the root. */
export function fakeTimeLibrary(root: KeaRoot): string {
  return `${dirname(dirname(root.stockHooks))}/faketime/libfaketimeMT.so.1`
}

/** The same for a process outside the roots, such as the sidecar; the set-up installs it on the machine. */
export function hostFakeTimeLibrary(): string {
  const lib = '/usr/lib'
  const file = 'faketime/libfaketimeMT.so.1'
  const triplet = readdirSync(lib).find((name) => existsSync(join(lib, name, file)))
  if (!triplet) throw new Error('libfaketime is not installed: `npm test`, as root, installs it')
  return join(lib, triplet, file)
}

function describe(name: KeaRoot['name'], kea: KeaRoot['kea']): KeaRoot {
  const root = join(rootsFolder, name)
  return {
    name,
    kea,
    root,
    hook: join(packageRoot, 'build', 'kea-hook', name, 'libdhcp_lease_feed.so'),
    stockHooks: stockHooks(root),
    skip: whyNot(root, kea),
  }
}

function whyNot(root: string, kea: string): false | string {
  let reason: string
  if (!existsSync(join(root, '.stamp'))) reason = `there is no Kea ${kea} in ${root}`
  else if (process.getuid?.() !== 0) reason = `Kea ${kea} needs root here (network namespaces, mounts)`
  else return false
  return mayBeMissing(reason)
}

/** @throws Error unless it was allowed that something is missing (--allow-missing) */
export function mayBeMissing(reason: string): string {
  if (process.env['KEA_TEST_ALLOW_MISSING']) return reason
  throw new Error(
    `${reason}. As root, \`npm test\` sets everything up; \`npm test -- --allow-missing\` skips it.`,
  )
}

function stockHooks(root: string): string {
  const lib = join(root, 'usr', 'lib')
  const triplet = existsSync(lib)
    ? readdirSync(lib).find((name) => existsSync(join(lib, name, 'kea', 'hooks')))
    : undefined
  return `/usr/lib/${triplet ?? 'unknown'}/kea/hooks`
}
