import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { mainKea } from '../support/roots.ts'
import { type Fuzzed, fuzz, kept } from './jazzer.ts'
import { targetNamed, targets } from './targets.ts'

/** For each target; `npm run fuzz` searches longer. */
const SECONDS = 2
const { skip } = mainKea()

for (const [name, target] of Object.entries(targets)) {
  describe(`whatever octets come as ${target.what}`, () => {
    it('those that the search begins with are taken', () => {
      for (const octets of target.seeds()) target.run(octets)
    })

    for (const { name: file, octets } of kept(name)) {
      it(`what was once found wrong is taken: ${file}`, () => target.run(octets))
    }
  })
}

// Most of each search is its set-up, which leaves a processor to others.
describe('a search guided by coverage', { concurrency: 2 }, () => {
  for (const [name, { what }] of Object.entries(targets)) {
    it(`finds nothing wrong with ${what}`, { skip }, async () => {
      const { runs, coverage, fault } = await searched(name, SECONDS)
      assert.equal(fault && `${fault.text}\n${Buffer.from(fault.octets).toString('hex')}`, undefined)
      assert.ok(runs >= 100, `only ${runs} inputs were tried`)
      assert.ok(coverage >= 50, `only ${coverage} edges were reached: is the code instrumented?`)
    })
  }

  it('finds a fault that nothing else leads to', { skip }, async () => {
    const { fault } = await searched('planted', 60)
    assert.ok(fault, 'the planted fault was not found')
    assert.throws(() => targetNamed('planted').run(fault.octets), /planted/)
  })
})

async function searched(name: string, seconds: number): Promise<Fuzzed> {
  const work = mkdtempSync(join(tmpdir(), 'alq-fuzz-'))
  try {
    return await fuzz(name, seconds, work)
  } finally {
    rmSync(work, { recursive: true })
  }
}
