// The normative statements of the RFCs, one a row of requirements.tsv, and a way to test them by id. A test anywhere under
// test/ shows a row by having its id in its title.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { packageRoot } from '../support/package-root.ts'

export const levels = ['MUST', 'MUST NOT', 'SHOULD', 'SHOULD NOT', 'MAY'] as const
export type Level = (typeof levels)[number]
const roles = ['server', 'requestor', 'both'] as const
export type Role = (typeof roles)[number]

export interface Row {
  /** RFC, section, number of the statement in it. */
  readonly id: string
  readonly rfc: string
  readonly section: string
  readonly level: Level
  readonly role: Role
  readonly requirement: string
}

/** All rows, in the order of the file. */
export const rows: ReadonlyMap<string, Row> = read(
  readFileSync(join(packageRoot, 'test', 'conformance', 'requirements.tsv'), 'utf8'),
)

function read(text: string): Map<string, Row> {
  const found = new Map<string, Row>()
  for (const line of text.trimEnd().split('\n').slice(1)) {
    const [id = '', rfc = '', section = '', level, role, requirement = ''] = line.split('\t')
    if (!levels.includes(level as Level) || !roles.includes(role as Role) || found.has(id))
      throw new Error(`requirements.tsv: ${line}`)
    found.set(id, { id, rfc, section, level: level as Level, role: role as Role, requirement })
  }
  return found
}

const anyId = /(?<![\d.-])(?:4388|5007|5460|6607|6926|7653|7724)-\d+(?:\.\d+)*-\d{2}(?!\d)/g

/** Row ids in a text, such as the title of a test, each once. */
export function idsIn(text: string): string[] {
  return [...new Set(text.match(anyId))]
}

/** A test that shows these statements, titled by their ids and words. */
export function shows(ids: string | readonly string[], test: () => void | Promise<void>): void {
  const shown = (typeof ids === 'string' ? [ids] : ids).map((id) => {
    const row = rows.get(id)
    if (row === undefined) throw new Error(`no row ${id} in requirements.tsv`)
    return row
  })
  // Of those that only the other family has, none.
  if (shown.length === 0) return
  const words = shown.map(
    ({ rfc, section, level, requirement }) =>
      `${requirement.replace('[declarative] ', '')} (RFC ${rfc} section ${section}, ${level})`,
  )
  it(`${shown.map(({ id }) => id).join(' ')}: ${words.join(' ')}`, test)
}
