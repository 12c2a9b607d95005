// A status as text for a terminal, in the words of the status page, which are kept with it. Names come from certificates and from
// Kea, and no terminal shall obey them: all of them are made printable here.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { packageRoot } from '../package-root.ts'
import { printable } from '../requestor/print.ts'
import type { RequestorStatus } from '../server/requestor-status.ts'
import type { FamilyStatus, ProcessStatus } from './status.ts'

export interface TextOptions {
  readonly colours: boolean
  /** Of the terminal; undefined = lines may be of any length. */
  readonly columns: number | undefined
}

type Mood = 'well' | 'busy' | 'ill' | 'quiet' | 'ended' | ''

/** page/facts.js and page/words.js: plain modules that a browser runs, too. */
interface PageWords {
  facts(family: FamilyStatus, now: number): [name: string, value: string, mood?: Mood][]
  requestorCells(of: RequestorStatus & { family: number }): { value: string; note?: string; mood?: Mood }[]
  readonly feedStates: Readonly<Record<string, [string, Mood]>>
  count(n: number): string
  duration(seconds: number): string
  octets(n: number): string
  recentRate(perSecond: readonly number[]): string
}

const colourOf: Readonly<Record<Mood, string>> = {
  well: '32',
  busy: '33',
  ill: '31',
  quiet: '2',
  ended: '',
  '': '',
}

export async function formatStatus(
  status: ProcessStatus,
  { colours, columns }: TextOptions,
): Promise<string> {
  const words = await pageWords()
  const paint = (text: string, mood: Mood) => {
    const colour = colourOf[mood]
    return colours && colour !== '' ? `\x1b[${colour}m${text}\x1b[0m` : text
  }
  const { verdict, memory } = status
  const lines = [
    ...verdictLines(verdict, paint),
    '',
    `kea-leasequery ${status.version} on ${status.host}: process ${status.pid}, up ${words.duration(status.upSeconds)}, ${words.octets(memory.residentOctets)} of memory`,
  ]
  for (const family of status.families) {
    if (family.expected) lines.push('', ...familyLines(family, status.at, words, paint))
  }
  return `${lines.map((line) => cut(line, columns)).join('\n')}\n`
}

type Paint = (text: string, mood: Mood) => string

function verdictLines(
  { ready, sentence, reasons, concerns, advice }: ProcessStatus['verdict'],
  paint: Paint,
) {
  if (ready && concerns.length === 0) return [paint(printable(sentence), 'well')]
  const head = ready
    ? paint('Requestors are served, but something needs a look.', 'busy')
    : paint('Not ready.', 'ill')
  return [
    head,
    ...[...reasons, ...concerns].map((text) => `  - ${printable(text)}`),
    ...advice.map((text) => `  ${text}`),
  ]
}

function familyLines(family: FamilyStatus, now: number, words: PageWords, paint: Paint): string[] {
  const [state, mood] = words.feedStates[family.feed.state]!
  const { bindings, changes, service } = family
  const facts: [string, string, Mood?][] = [
    [
      'Bindings',
      `${words.count(bindings.active)} active, ${words.recentRate(changes.perSecond)} changes a second`,
    ],
    ...words.facts(family, now),
  ]
  const width = Math.max(...facts.map(([name]) => name.length))
  const lines = [
    `DHCPv${family.family}: ${paint(state, mood)}`,
    ...facts.map(
      ([name, value, factMood]) => `  ${name.padEnd(width)}  ${paint(printable(value), factMood ?? '')}`,
    ),
  ]
  if (service.connections === 0) return [...lines, '  No requestor is connected.']
  const listed = service.requestors.map((of) => {
    const [who, state, , ...figures] = words.requestorCells({ family: family.family, ...of })
    return [{ value: who!.value }, state!, ...figures]
  })
  return [...lines, '', ...tableLines(['Requestor', 'State', 'Behind', 'Sent', 'Connected'], listed, paint)]
}

function tableLines(
  heads: readonly string[],
  rows: readonly { value: string; note?: string; mood?: Mood }[][],
  paint: Paint,
): string[] {
  const texts = rows.map((cells) =>
    cells.map(({ value, note = '' }) => printable(note === '' ? value : `${value} (${note})`)),
  )
  const widths = heads.map((head, i) => Math.max(head.length, ...texts.map((row) => row[i]!.length)))
  const line = (cells: readonly string[], moods: readonly Mood[]) =>
    `  ${cells.map((cell, i) => paint(cell.padEnd(widths[i]!), moods[i] ?? '')).join('  ')}`.trimEnd()
  return [
    line(
      heads,
      heads.map(() => 'quiet' as const),
    ),
    ...texts.map((row, i) =>
      line(
        row,
        rows[i]!.map(({ mood = '' }) => mood),
      ),
    ),
  ]
}

/** Never longer than the terminal is wide: a table that wraps cannot be read. */
function cut(line: string, columns: number | undefined): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours that were added above
  const parts = line.split(/(\x1b\[\d*m)/)
  let left = columns ?? Number.POSITIVE_INFINITY
  return parts
    .map((part, i) => {
      if (i % 2 === 1) return part
      const text =
        part.length <= left ? part : `${part.slice(0, Math.max(0, left - 1))}${left > 0 ? '…' : ''}`
      left -= Math.min(left, part.length)
      return text
    })
    .join('')
}

async function pageWords(): Promise<PageWords> {
  const load = (name: string) =>
    import(pathToFileURL(join(packageRoot(), 'sidecar', 'operations', 'page', name)).href)
  return { ...(await load('words.js')), ...(await load('facts.js')) } as PageWords
}
