// Command-line flags as a table: parsed from it, and `--help` is printed from it.

import { SidecarError } from './errors.ts'
import { nearest } from './nearest.ts'

export interface Flag {
  /** With its dashes: `--feed`, `-6`. */
  readonly name: string
  /** How the value is shown in the help; absent = the flag takes none. */
  readonly value?: string
  readonly repeats?: boolean
  readonly byDefault?: string
  readonly meaning: string
}

export interface ParsedFlags {
  /** Values by flag name, in the order given; a flag without value has one empty string. */
  readonly given: ReadonlyMap<string, readonly string[]>
  /** What is no flag. */
  readonly words: readonly string[]
}

/**
 * Reads `argv` by the table. `--name=value` and `--name value` are alike; `--` ends the flags.
 * @throws SidecarError ALQ_FLAG naming the flag and what is wrong with it
 */
export function parseFlags(table: readonly Flag[], argv: readonly string[]): ParsedFlags {
  const given = new Map<string, string[]>()
  const words: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!
    if (argument === '--') {
      words.push(...argv.slice(i + 1))
      break
    }
    if (!argument.startsWith('-') || argument === '-') {
      words.push(argument)
      continue
    }
    const equals = argument.startsWith('--') ? argument.indexOf('=') : -1
    const name = equals < 0 ? argument : argument.slice(0, equals)
    const flag = table.find((candidate) => candidate.name === name)
    if (flag === undefined) throw unknownFlag(name, table)
    const values = given.get(name) ?? []
    if (values.length > 0 && !flag.repeats) throw badFlag(name, 'it is given twice')
    values.push(readValue(flag, equals < 0 ? undefined : argument.slice(equals + 1), argv[i + 1]))
    if (flag.value !== undefined && equals < 0) i++
    given.set(name, values)
  }
  return { given, words }
}

function readValue(flag: Flag, attached: string | undefined, next: string | undefined): string {
  if (flag.value === undefined) {
    if (attached !== undefined) throw badFlag(flag.name, 'it takes no value')
    return ''
  }
  const value = attached ?? next
  if (value === undefined || value === '') throw badFlag(flag.name, `a value is missing: ${flag.value}`)
  return value
}

export function badFlag(flag: string, reason: string): SidecarError<'ALQ_FLAG'> {
  return new SidecarError('ALQ_FLAG', { flag, reason })
}

function unknownFlag(name: string, table: readonly Flag[]): SidecarError<'ALQ_FLAG'> {
  const near = nearest(
    name,
    table.map((flag) => flag.name),
  )
  return badFlag(
    name,
    near === undefined ? 'no flag has this name' : `no flag has this name; did you mean ${near}?`,
  )
}

/** The table as lines for `--help`. */
export function formatFlags(table: readonly Flag[]): string {
  const heads = table.map((flag) => (flag.value === undefined ? flag.name : `${flag.name} ${flag.value}`))
  const width = Math.max(...heads.map((head) => head.length)) + 2
  return table
    .map((flag, i) => {
      const byDefault = flag.byDefault === undefined ? '' : ` (default: ${flag.byDefault})`
      return `  ${heads[i]!.padEnd(width)}${flag.meaning}${byDefault}`
    })
    .join('\n')
}
