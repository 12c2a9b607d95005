// npm run conformance: runs the tests that name rows of requirements.tsv, and says of each row what came of it.
//
//   --rows   also each row that passed, with the tests that show it
//   --no-kea leave out tests on a real Kea; what only they show is not run, then
import { join } from 'node:path'
import { run } from 'node:test'
import { packageRoot } from '../support/package-root.ts'
import { idsIn, type Level, levels, type Row, rows } from './rows.ts'
import { answerTo } from './scope.ts'
import { sourcesWithRows } from './sources.ts'

const statuses = ['passed', 'failed', 'not run', 'not applicable', 'not done', 'open', 'missing'] as const
type Status = (typeof statuses)[number]

interface Shown {
  readonly passed: string[]
  readonly failed: string[]
  readonly skipped: string[]
}

/** Runs test files in processes of their own, two at a time. */
async function runTests(files: readonly string[], shown: Map<string, Shown>): Promise<number> {
  let ran = 0
  const note = (title: string, outcome: keyof Shown): void => {
    for (const id of idsIn(title)) {
      const one = shown.get(id) ?? { passed: [], failed: [], skipped: [] }
      one[outcome].push(title)
      shown.set(id, one)
    }
  }
  const stream = run({ files: [...files], concurrency: 2, timeout: 15 * 60_000 })
  for await (const { type, data } of stream) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    // A describe() that passed is no test: those in it are told by themselves.
    if (type === 'test:pass' && data.details.type === 'suite') continue
    ran++
    if (data.skip !== undefined || data.todo !== undefined) note(data.name, 'skipped')
    else note(data.name, type === 'test:pass' ? 'passed' : 'failed')
    if (type === 'test:fail')
      process.stdout.write(`failed: ${data.name}\n  ${reasonOf(data.details.error)}\n`)
  }
  return ran
}

function reasonOf(error: Error): string {
  const { cause } = error
  return (cause instanceof Error ? cause.message : error.message).split('\n')[0]!
}

function statusOf(row: Row, shown: Shown | undefined, named: boolean): Status {
  if (shown !== undefined && shown.failed.length > 0) return 'failed'
  if (shown !== undefined && shown.passed.length > 0) return 'passed'
  if (named) return 'not run'
  return answerTo(row)?.kind ?? 'missing'
}

/** Counts by RFC and level, as a table. */
function totals(byRow: ReadonlyMap<Row, Status>): string {
  const columns = statuses.filter((status) => [...byRow.values()].includes(status))
  const lines = [['RFC', 'level', 'rows', ...columns]]
  const add = (rfc: string, level: string, of: (row: Row) => boolean): void => {
    const found = [...byRow].filter(([row]) => of(row))
    if (found.length === 0) return
    const count = (column: Status) => found.filter(([, status]) => status === column).length
    lines.push([rfc, level, `${found.length}`, ...columns.map((column) => `${count(column) || ''}`)])
  }
  for (const rfc of [...new Set([...byRow.keys()].map((row) => row.rfc))])
    for (const level of levels) add(rfc, level, (row) => row.rfc === rfc && row.level === level)
  for (const level of levels satisfies readonly Level[]) add('all', level, (row) => row.level === level)
  add('all', 'all', () => true)
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)))
  return lines
    .map((line) =>
      line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
    )
    .join('\n')
}

async function main(flags: readonly string[]): Promise<void> {
  const unknown = flags.find((flag) => flag !== '--rows' && flag !== '--no-kea')
  if (unknown !== undefined) throw new Error(`unknown argument '${unknown}' (known: --rows, --no-kea)`)
  const withKea = !flags.includes('--no-kea')
  const sources = sourcesWithRows()
  const files = [...sources.keys()].filter((path) => withKea || !/^(e2e|slow)\//.test(path))
  const shown = new Map<string, Shown>()
  process.stdout.write(`Running ${files.length} test files that name rows of requirements.tsv\n`)
  const ran = await runTests(
    files.map((path) => join(packageRoot, 'dist', 'test', path.replace(/\.ts$/, '.js'))),
    shown,
  )
  const named = new Set([...sources.values()].flat())
  const byRow = new Map(
    [...rows.values()].map((row) => [row, statusOf(row, shown.get(row.id), named.has(row.id))]),
  )
  for (const status of statuses) {
    const found = [...byRow].filter(([, one]) => one === status).map(([row]) => row)
    if (found.length === 0 || (status === 'passed' && !flags.includes('--rows'))) continue
    process.stdout.write(`\n${status}\n`)
    for (const row of found) {
      const why = status === answerTo(row)?.kind ? answerTo(row)!.reason : row.requirement
      process.stdout.write(`  ${row.id.padEnd(15)} ${row.level.padEnd(10)} ${why}\n`)
      if (status !== 'passed' && status !== 'failed') continue
      for (const title of shown.get(row.id)![status])
        if (!title.includes(row.requirement.replace('[declarative] ', '')))
          process.stdout.write(`      ${title}\n`)
    }
  }
  process.stdout.write(`\n${totals(byRow)}\n\n${ran} tests ran\n`)
  const bad: readonly Status[] = withKea ? ['failed', 'not run', 'missing'] : ['failed', 'missing']
  if ([...byRow.values()].some((status) => bad.includes(status))) process.exitCode = 1
}

await main(process.argv.slice(2))
