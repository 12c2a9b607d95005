/**
 * npm run bench: what it costs and what it carries. Prints a table and writes the same figures to build/bench.json.
 * Figures are medians where a part repeats; ratios stand beside a baseline of the same run.
 */

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { packagePath } from '../support/package-root.ts'
import * as feed from './feed.ts'
import * as publish from './publish.ts'
import * as requestors from './requestors.ts'
import type { BenchRow } from './row.ts'
import * as serve from './serve.ts'
import * as store from './store.ts'

interface Part {
  readonly what: string
  /** @param bindings size of the stores and feeds it measures with */
  readonly run: (bindings: number) => Promise<BenchRow[]>
}

const parts: Readonly<Record<string, Part>> = {
  publish: { what: 'a change in the hook: time taken from Kea', run: () => publish.run() },
  feed: { what: 'events from the hook to the store, and walks', run: feed.run },
  store: { what: 'bindings in memory and on disk', run: store.run },
  serve: { what: 'a catch-up phase, from the change index to frames', run: serve.run },
  requestors: { what: 'what requestors see of the daemon, over sockets', run: requestors.run },
}

const usage = `npm run bench -- [PART...] [--bindings N]

Parts (all unless named):
${Object.entries(parts)
  .map(([name, { what }]) => `  ${name.padEnd(10)} ${what}`)
  .join('\n')}

  --bindings N   how many bindings (default 1000000)
`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { bindings: { type: 'string', default: '1000000' }, help: { type: 'boolean' } },
    allowPositionals: true,
  })
  const bindings = Number(values.bindings)
  const unknown = positionals.find((name) => !(name in parts))
  if (values.help || unknown !== undefined || !Number.isSafeInteger(bindings) || bindings < 1000) {
    if (!values.help) {
      console.error(
        `bench: ${unknown === undefined ? '--bindings is a number from 1000 on' : `no part ${unknown}`}\n`,
      )
    }
    console.log(usage)
    return values.help ? 0 : 2
  }
  const results: Record<string, BenchRow[]> = {}
  for (const name of positionals.length > 0 ? positionals : Object.keys(parts)) {
    console.log(`\n${name}: ${parts[name]!.what}`)
    const rows = await parts[name]!.run(bindings)
    for (const row of rows) console.log(`  ${formatRow(row)}`)
    results[name] = rows
  }
  const file = packagePath('build', 'bench.json')
  writeFileSync(
    file,
    `${JSON.stringify({ node: process.version, bindings, parts: results }, undefined, 2)}\n`,
  )
  console.log('\nThe same figures: build/bench.json')
  return 0
}

function formatRow({ name, value, unit, than }: BenchRow): string {
  const figure = value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
  const ratio = than ? `  (${than.ratio.toPrecision(2)} of ${than.name})` : ''
  return `${name.padEnd(64)} ${figure.padStart(14)} ${unit}${ratio}`
}

process.exitCode = await main()
