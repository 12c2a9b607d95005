/**
 * npm run bench: what it costs and what it carries. Prints a table and writes the same figures to build/bench.json.
 * Figures are medians where a part repeats; ratios stand beside a baseline of the same run.
 */

import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { parseArgs } from 'node:util'
import { packagePath } from '../support/package-root.ts'
import * as active from './active.ts'
import * as bulk from './bulk.ts'
import * as feed from './feed.ts'
import * as kea from './kea.ts'
import * as publish from './publish.ts'
import * as requestors from './requestors.ts'
import { type BenchRow, formatRow } from './row.ts'
import * as scale from './scale.ts'
import * as serve from './serve.ts'
import * as store from './store.ts'

interface Choice {
  /** Shows that all of it works, in less than a minute; its figures mean nothing. */
  readonly quick: boolean
  /** Size of the stores and feeds that are measured with. */
  readonly bindings: number
  /** For how long a rate of changes is kept up with. */
  readonly seconds: number
  /** Numbers of bindings that are compared. */
  readonly sizes: readonly number[]
  readonly active: active.ActiveChoice
  readonly kea: kea.KeaBenchOptions
}

interface Part {
  readonly what: string
  readonly run: (choice: Choice) => Promise<BenchRow[]>
  /** Only where it is named. */
  readonly apart?: true
  /** It prints its figures itself, while they come. */
  readonly printsItself?: true
}

const parts: Readonly<Record<string, Part>> = {
  publish: { what: 'a change in the hook: time taken from Kea', run: () => publish.run() },
  feed: {
    what: 'events from the hook to the store, and walks',
    run: ({ bindings, seconds }) => feed.run(bindings, seconds),
  },
  store: { what: 'bindings in memory and on disk', run: ({ bindings }) => store.run(bindings) },
  serve: {
    what: 'a catch-up phase, from the change index to frames',
    run: ({ bindings }) => serve.run(bindings),
  },
  requestors: {
    what: 'what requestors see of the daemon, over sockets',
    run: ({ bindings, quick }) => requestors.run(bindings, quick ? LITTLE : {}),
  },
  scale: {
    what: 'what grows with the number of bindings, and how',
    run: ({ sizes, quick }) => scale.run(sizes, quick ? LITTLE.families : undefined),
  },
  active: {
    what: 'Active requestors under load: delays, deliveries, cost of a requestor',
    run: (choice) => active.run(choice.active),
  },
  bulk: {
    what: "Bulk Leasequery beside Kea's own, beside sendfile, and over TLS",
    run: ({ bindings, quick, kea: { only } }) => bulk.run(bindings, only, quick ? 1 : undefined),
  },
  kea: {
    what: 'that Kea does not wait: perfdhcp with the hook and without',
    run: (choice) => kea.run(choice.kea),
    apart: true,
    printsItself: true,
  },
}

/** What is measured unless flags say otherwise. */
const FULL = {
  bindings: 1_000_000,
  seconds: 5,
  sizes: [300_000, 1_000_000, 3_000_000],
  changes: [100, 1_000, 10_000],
  requestors: [1, 100, 1_000],
}
const QUICK: typeof FULL = {
  bindings: 20_000,
  seconds: 1,
  sizes: [5_000],
  changes: [100],
  requestors: [10],
}
const LITTLE = { families: [4], changes: 20 } as const

const onlyWords: readonly string[] = [...bulk.words, ...kea.words]

const usage = `npm run bench -- [PART...] [--bindings N] [--only WORD]... [--kea 2.6] [--quick]

Parts (all but those apart, unless named; --only NAME names one, too):
${Object.entries(parts)
  .map(([name, { what, apart }]) => `  ${name.padEnd(10)} ${what}${apart ? ' (apart)' : ''}`)
  .join('\n')}

  --bindings N   how many bindings (default ${FULL.bindings})
  --seconds N    of parts feed and active: for how long each rate of changes is tried (default ${FULL.seconds})
  --size N       of part scale: how many bindings (again for more; default ${FULL.sizes.join(', ')})
  --changes N    of part active: changes a second (again for more; default ${FULL.changes.join(', ')})
  --requestors N of part active: how many are told (again for more; default ${FULL.requestors.join(', ')})
  --only WORD    of parts bulk and kea, what is named (again for more), of: ${onlyWords.join(', ')}
  --kea VERSION  of part kea: 3.0 (default) or 2.6
  --quick        little of everything: only that it works; the figures go to build/bench-quick.json
`

/** @throws Error saying what is wrong with the command line */
function parse(): { choice: Choice; names: readonly string[] } | undefined {
  const { values, positionals } = parseArgs({
    options: {
      bindings: { type: 'string' },
      seconds: { type: 'string' },
      size: { type: 'string', multiple: true, default: [] },
      changes: { type: 'string', multiple: true, default: [] },
      requestors: { type: 'string', multiple: true, default: [] },
      only: { type: 'string', multiple: true, default: [] },
      kea: { type: 'string', default: '3.0' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
    allowPositionals: true,
  })
  if (values.help) return undefined
  const { only, kea: version, quick } = values
  const usual = quick ? QUICK : FULL
  const bindings = Number(values.bindings ?? usual.bindings)
  const numbers = (name: 'changes' | 'requestors' | 'size', otherwise: readonly number[]) => {
    const given = values[name].map(Number)
    if (given.some((number) => !Number.isSafeInteger(number) || number < 1))
      throw new Error(`--${name} is a number from 1 on`)
    return given.length > 0 ? given : otherwise
  }
  const seconds = Number(values.seconds ?? usual.seconds)
  if (!(seconds >= 1)) throw new Error('--seconds is a number from 1 on')
  const named = [...positionals, ...only.filter((word) => word in parts)]
  const words = only.filter((word) => !(word in parts))
  const unknown = positionals.find((name) => !(name in parts))
  if (unknown !== undefined) throw new Error(`no part ${unknown}`)
  const unknownWord = words.find((word) => !onlyWords.includes(word))
  if (unknownWord !== undefined) throw new Error(`--only knows no ${unknownWord}`)
  if (version !== '3.0' && version !== '2.6') throw new Error('--kea is 3.0 or 2.6')
  if (!Number.isSafeInteger(bindings) || bindings < 1000)
    throw new Error('--bindings is a number from 1000 on')
  const names = named.length > 0 ? named : Object.keys(parts).filter((name) => !parts[name]!.apart)
  const choice: Choice = {
    quick,
    bindings,
    seconds,
    sizes: numbers('size', usual.sizes),
    active: {
      changes: numbers('changes', usual.changes),
      requestors: numbers('requestors', usual.requestors),
      seconds,
    },
    kea: { quick, kea: version, only: words },
  }
  return { choice, names }
}

async function main(): Promise<number> {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse()
  } catch (error) {
    console.error(`bench: ${(error as Error).message}\n`)
    console.log(usage)
    return 2
  }
  if (!parsed) {
    console.log(usage)
    return 0
  }
  const { choice, names } = parsed
  const results: Record<string, BenchRow[]> = {}
  let code = 0
  for (const name of names) {
    console.log(`\n${name}: ${parts[name]!.what}`)
    try {
      const rows = await parts[name]!.run(choice)
      if (!parts[name]!.printsItself) for (const row of rows) console.log(`  ${formatRow(row)}`)
      results[name] = rows
    } catch (error) {
      // The figures of the others are worth having.
      console.error(`bench: part ${name} failed:`, error)
      code = 1
    }
  }
  const file = packagePath('build', choice.quick ? 'bench-quick.json' : 'bench.json')
  writeFileSync(
    file,
    `${JSON.stringify({ node: process.version, ...choice, parts: results }, undefined, 2)}\n`,
  )
  console.log(`\nThe same figures: ${relative(process.cwd(), file)}`)
  return code
}

process.exitCode = await main()
