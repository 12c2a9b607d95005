/** What a library takes of the thread that gives a lease: lease-cost.cc without a library, with one that does nothing, with ours. */

import { copyFileSync } from 'node:fs'
import { compileInRoot } from '../../support/in-root.ts'
import { feedLibrary } from '../../support/kea.ts'
import { Laboratory } from '../../support/laboratory.ts'
import type { KeaRoot } from '../../support/roots.ts'
import { median } from '../measure.ts'
import type { BenchRow } from '../row.ts'
import { cores } from './cores.ts'
import { noOpHook } from './no-op-hook.ts'

/** Kea's libraries have other names from 3.0 on. */
const link = {
  '3.0': ['dhcpsrv', 'process', 'hooks', 'dhcp', 'asiolink', 'cc', 'log', 'exceptions', 'util'],
  '2.6': ['dhcpsrv', 'process', 'hooks', 'dhcp++', 'asiolink', 'cc', 'log', 'exceptions', 'util'],
} as const

const onKeasCore = ['taskset', '--cpu-list', String(cores.kea)]

/** In turns, `rounds` times each. */
export async function leaseCost(root: KeaRoot, rounds: number, leases: number): Promise<BenchRow[]> {
  const libraries = link[root.kea].map((name) => `-lkea-${name}`)
  const program = await compileInRoot(
    root,
    'test/bench/kea/lease-cost.cc',
    'bench-kea',
    'lease-cost',
    libraries,
  )
  const noOp = await noOpHook(root)
  await using lab = await Laboratory.open()
  const placed = (path: string, name: string): string => {
    copyFileSync(path, lab.path(name))
    return lab.path(name)
  }
  const run = placed(program, 'lease-cost')
  const variants = [
    { name: 'no hook', words: [], ns: [] as number[] },
    { name: 'no-op hook', words: [placed(noOp, 'no-op.so'), '{}'], ns: [] as number[] },
    {
      name: 'hook, nobody follows',
      words: [placed(root.hook, feedLibrary), JSON.stringify({ feed: { endpoint: lab.feedEndpoint(4) } })],
      ns: [] as number[],
    },
  ]
  for (let round = 0; round < rounds; round++) {
    for (const { words, ns } of variants) {
      ns.push(Number(await lab.run('server', [...onKeasCore, run, String(leases), ...words], { root })))
    }
  }
  const rows: BenchRow[] = []
  for (const { name, ns } of variants) {
    rows.push({
      name: `a lease in Kea's lease manager, with callouts: ${name}`,
      value: median(ns),
      unit: 'ns of CPU',
      spread: [Math.min(...ns), Math.max(...ns)],
    })
  }
  return rows
}
