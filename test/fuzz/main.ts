/** npm run fuzz: searches for octets that break what reads them; see targets.ts. */
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packagePath } from '../support/package-root.ts'
import { fuzz } from './jazzer.ts'
import { targets } from './targets.ts'

const usage = `npm run fuzz -- [TARGET...] [--seconds N]

Targets (all unless named):
${Object.entries(targets)
  .map(([name, { what }]) => `  ${name.padEnd(12)} ${what}`)
  .join('\n')}

  --seconds N   for each target (default 60)

What was learned is kept in build/fuzz; what breaks something becomes a file in test/vectors/found, a test from then on.
`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { seconds: { type: 'string', default: '60' }, help: { type: 'boolean' } },
    allowPositionals: true,
  })
  const seconds = Number(values.seconds)
  const unknown = positionals.find((name) => !(name in targets))
  if (values.help || unknown !== undefined || !(seconds >= 1)) {
    if (unknown !== undefined) console.error(`fuzz: no target ${unknown}\n`)
    console.log(usage)
    return values.help ? 0 : 2
  }
  let faults = 0
  for (const name of positionals.length > 0 ? positionals : Object.keys(targets)) {
    const { runs, coverage, fault } = await fuzz(name, seconds, packagePath('build', 'fuzz', name))
    if (fault === undefined) {
      console.log(`${name.padEnd(12)} ${runs.toLocaleString('en')} inputs, ${coverage} edges: nothing found`)
      continue
    }
    faults++
    const octets = Buffer.from(fault.octets).toString('hex')
    const folder = packagePath('test', 'vectors', 'found', name)
    const file = join(folder, `${createHash('sha256').update(fault.octets).digest('hex').slice(0, 12)}.hex`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(file, `${octets.match(/.{1,100}/g)?.join('\n') ?? ''}\n`)
    console.log(`${name.padEnd(12)} FAULT, kept as ${file}\n${fault.text}\n`)
  }
  return faults === 0 ? 0 : 1
}

process.exitCode = await main()
