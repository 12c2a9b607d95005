/** The benchmark of Kea under load works: its figures are nobody's business here. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run } from '../bench/kea.ts'
import { keaRoots } from '../support/roots.ts'

for (const kea of keaRoots()) {
  test(`perfdhcp loads Kea with the hook and without, by turns, in each situation (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    const situations = ['running', 'stopped', 'absent', 'walking', 'peers']
    const rows = await run({ quick: true, kea: kea.kea, only: ['v4', 'threads', 'lease', ...situations] })
    const figure = (name: string): number => {
      const row = rows.find((one) => one.name === name)
      assert.ok(row, `no row "${name}" among:\n${rows.map((one) => one.name).join('\n')}`)
      return row.value
    }
    for (const situation of situations) {
      for (const contender of ['no hook', 'hook']) {
        assert.ok(figure(`v4 threads ${situation}, ${contender}: exchanges`) > 0)
      }
    }
    assert.ok(figure('v4 threads peers, run_script: exchanges') > 0)
    assert.ok(figure('v4 threads walking, hook: leases read for followers') > 0)
    assert.ok(figure("a lease in Kea's lease manager, with callouts: hook, nobody follows") > 0)
  })
}
