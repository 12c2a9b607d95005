/** The project's documents, and what is in them. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { packageRoot } from './package-root.ts'

export interface Document {
  /** Path in the project. */
  readonly path: string
  readonly text: string
}

export interface Heading {
  readonly depth: number
  readonly title: string
  /** What links to it name: #... */
  readonly anchor: string
  /** Down to the next heading of any depth. */
  readonly body: string
}

/** A fenced block. */
export interface Block {
  readonly language: string
  readonly text: string
  /** The comment on the line above it, without its marks. */
  readonly remark: string
}

/** Folders that hold no documents of ours. */
const FOREIGN = new Set(['node_modules', 'build', 'dist'])

function read(path: string): Document {
  return { path, text: readFileSync(join(packageRoot, path), 'utf8') }
}

function documentsIn(folder: string): Document[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory())
      return FOREIGN.has(entry.name) || entry.name.startsWith('.') ? [] : documentsIn(path)
    return entry.name.endsWith('.md') ? [read(relative(packageRoot, path))] : []
  })
}

export const documents = {
  readme: read('README.md'),
  guide: read('sidecar/operators-guide.md'),
  sidecar: read('sidecar/README.md'),
  requestor: read('sidecar/requestor/README.md'),
  hook: read('kea-hook/README.md'),
  proto: read('proto/README.md'),
} as const

/** Every document there is. */
export function allDocuments(): readonly Document[] {
  return documentsIn(packageRoot)
}

/** Blocks of code taken away: what stands in them is no heading, link or table. */
export function prose({ text }: Document): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '').replace(/^ {4,}\S.*$/gm, '')
}

/** The document from a heading to the next one of the same depth or a lesser one. */
export function section(document: Document, title: string): Document {
  const lines = document.text.split('\n')
  const at = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === title)
  assert.notEqual(at, -1, `${document.path} has no section ${title}`)
  const depth = lines[at]!.indexOf(' ')
  let inBlock = false
  const length = lines.slice(at + 1).findIndex((line) => {
    if (line.startsWith('```')) inBlock = !inBlock
    const hashes = /^(#+) /.exec(line)?.[1]
    return !inBlock && hashes !== undefined && hashes.length <= depth
  })
  const text = lines.slice(at, length === -1 ? undefined : at + 1 + length).join('\n')
  return { path: document.path, text }
}

export function headings({ text }: Document): Heading[] {
  const found: { depth: number; title: string; from: number }[] = []
  let at = 0
  let inBlock = false
  for (const line of text.split('\n')) {
    if (line.startsWith('```')) inBlock = !inBlock
    const match = inBlock ? null : /^(#+) (.*)$/.exec(line)
    if (match) found.push({ depth: match[1]!.length, title: match[2]!, from: at })
    at += line.length + 1
  }
  return found.map(({ depth, title, from }, i) => ({
    depth,
    title,
    anchor: anchorOf(title),
    body: text.slice(from, found[i + 1]?.from).replace(/^.*\n?/, ''),
  }))
}

/** As GitHub makes them. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

export function blocks({ text }: Document): Block[] {
  return [...text.matchAll(/(?:^<!-- (.*) -->\n)?^ *```(\w*)\n([\s\S]*?)^ *```$/gm)].map(
    ([, remark = '', language = '', body = '']) => ({ language, text: body, remark }),
  )
}

/** The first column of the tables in a document, without the marks of code. */
export function firstCells({ text }: Document): string[] {
  return [...text.matchAll(/^\| `([^`]+)`.*? \|/gm)].map((match) => match[1]!)
}
