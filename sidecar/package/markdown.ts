// A README as the body of a manual page: as much of Markdown as ours are written in.
import { bold, roff } from './roff.ts'

/** The parts below level-2 headings; what stands before the first is the description. A level-1 heading is the page's own. */
export function manualParts(markdown: string): [heading: string, body: string][] {
  const [description, ...parts] = markdown.replace(/^# .*\n/, '').split(/^## /m)
  return [
    ['DESCRIPTION', body(description!)],
    ...parts.map((part): [string, string] => {
      const end = part.indexOf('\n')
      return [part.slice(0, end).toUpperCase(), body(part.slice(end))]
    }),
  ]
}

function body(markdown: string): string {
  return blocks(markdown.trim().split('\n')).map(block).join('')
}

/** Lines that belong together: of a code fence, or up to an empty line. */
function blocks(lines: readonly string[]): string[][] {
  const found: string[][] = []
  let open: string[] = []
  let fenced = false
  for (const line of lines) {
    const fence = line.startsWith('```')
    if ((fence && !fenced) || (line === '' && !fenced)) {
      found.push(open)
      open = []
    }
    if (fence) fenced = !fenced
    if (line !== '' || fenced) open.push(line)
    if (fence && !fenced) {
      found.push(open)
      open = []
    }
  }
  return [...found, open].filter((lines) => lines.length > 0)
}

function block(lines: readonly string[]): string {
  const [first] = lines as [string]
  if (first.startsWith('```')) return `.PP\n.RS 4\n.nf\n${roff(lines.slice(1, -1).join('\n'))}\n.fi\n.RE\n`
  if (first.startsWith('### ')) return `.SS ${inline(first.slice(4))}\n`
  if (first.startsWith('|')) return table(lines)
  if (first.startsWith('- ')) return items(lines)
  return `.PP\n${lines.map(inline).join('\n')}\n`
}

function items(lines: readonly string[]): string {
  return lines
    .map((line) =>
      line.startsWith('- ') ? `.IP \\(bu 2\n${inline(line.slice(2))}\n` : `${inline(line.trim())}\n`,
    )
    .join('')
}

/** The first column names what the last one explains; what is between them goes behind the name. */
function table(lines: readonly string[]): string {
  const rows = lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('\\|', '|')),
  )
  const [heads, , ...entries] = rows as [string[], string[], ...string[][]]
  return entries
    .map((cells) => {
      const between = cells
        .map((cell, i) => (cell === '' ? '' : `${heads[i]}: ${cell}`))
        .slice(1, -1)
        .filter((text) => text !== '')
      const details = between.length === 0 ? '' : ` (${inline(between.join('; '))})`
      return `.TP\n${inline(cells[0]!)}${details}\n${inline(cells.at(-1)!)}\n`
    })
    .join('')
}

/** Code and bold print are both bold; of a link the words are left. */
function inline(text: string): string {
  return text
    .replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1')
    .split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*)/)
    .map((part, i) => (i % 2 === 0 ? roff(part) : bold(part.replaceAll(/^[`*]+|[`*]+$/g, ''))))
    .join('')
}
