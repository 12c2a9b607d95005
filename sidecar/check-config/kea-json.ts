// Kea's configuration files, read with the line of everything in them. Kea's dialect of JSON has comments (//, #, /* */), commas
// after the last entry, and <?include "file"?> anywhere; no parser of the npm registry knows the last one, nor '#'.
import { readFileSync, statSync } from 'node:fs'
import { reasonOf, SidecarError } from '../errors.ts'

export interface Place {
  readonly file: string
  readonly line: number
}

export interface Entry {
  readonly name: string
  readonly at: Place
  readonly node: Node
}

export type Node = { readonly at: Place } & (
  | { readonly kind: 'map'; readonly entries: readonly Entry[] }
  | { readonly kind: 'list'; readonly items: readonly Node[] }
  | { readonly kind: 'value'; readonly value: string | number | boolean | null }
)
export type MapNode = Extract<Node, { kind: 'map' }>

type Token = { readonly at: Place } & (
  | { readonly kind: 'mark'; readonly mark: string }
  | { readonly kind: 'value'; readonly value: string | number | boolean | null }
  | { readonly kind: 'end' }
)

/** Kea's own bound. */
const MAX_INCLUDES = 10
const MAX_DEPTH = 100
const MAX_FILE = 64 * 1024 * 1024

/** @param file `-` is standard input @throws SidecarError ALQ_KEA_CONF naming file and line */
export function readKeaJson(file: string): Node {
  const parser = new Parser([...tokensOf(file, { file, line: 0 }, 0)])
  return parser.document()
}

export function keaJsonError(at: Place, reason: string): SidecarError<'ALQ_KEA_CONF'> {
  return new SidecarError('ALQ_KEA_CONF', {
    place: at.line === 0 ? at.file : `${at.file}:${at.line}`,
    reason,
  })
}

const patterns = {
  blank: /[ \t\r\n]+|(?:\/\/|#).*|\/\*[\s\S]*?\*\//y,
  mark: /[{}[\]:,]/y,
  string: /"(?:[^"\\\n]|\\.)*"/y,
  number: /-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/y,
  word: /[A-Za-z_]+/y,
  include: /<\?\s*include\s+"([^"\n]+)"\s*\?>/y,
}
const words: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null }

function* tokensOf(file: string, from: Place, depth: number): Generator<Token> {
  if (depth > MAX_INCLUDES) throw keaJsonError(from, `more than ${MAX_INCLUDES} files include each other`)
  const text = textOf(file, from)
  let offset = 0
  let line = 1
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = offset
    const match = pattern.exec(text)
    if (match === null) return undefined
    offset = pattern.lastIndex
    return match
  }
  while (offset < text.length) {
    const at = { file, line }
    const blank = take(patterns.blank)
    if (blank !== undefined) {
      line += blank[0].split('\n').length - 1
      continue
    }
    const mark = take(patterns.mark)
    if (mark !== undefined) {
      yield { kind: 'mark', mark: mark[0], at }
      continue
    }
    const include = take(patterns.include)
    if (include !== undefined) {
      yield* tokensOf(include[1]!, at, depth + 1)
      continue
    }
    const plain = take(patterns.string) ?? take(patterns.number)
    const word = plain === undefined ? take(patterns.word) : undefined
    if (plain !== undefined) yield { kind: 'value', value: scalarOf(plain[0], at), at }
    else if (word !== undefined && Object.hasOwn(words, word[0]))
      yield { kind: 'value', value: words[word[0]]!, at }
    else throw keaJsonError(at, `${quoted(word?.[0] ?? text.slice(offset, offset + 20))} is not JSON`)
  }
  if (depth === 0) yield { kind: 'end', at: { file, line } }
}

function textOf(file: string, from: Place): string {
  try {
    if (file === '-') return readFileSync(0, 'utf8')
    const about = statSync(file)
    if (!about.isFile()) throw new Error('it is no file')
    if (about.size > MAX_FILE) throw new Error(`${about.size} octets exceed the ${MAX_FILE} allowed`)
    return readFileSync(file, 'utf8')
  } catch (error) {
    const which = from.line === 0 ? 'it' : `the included file ${file}`
    throw keaJsonError(from, `${which} cannot be read: ${reasonOf(error)}`)
  }
}

function scalarOf(text: string, at: Place): string | number {
  try {
    return text.startsWith('"') ? (JSON.parse(text) as string) : Number(text)
  } catch {
    throw keaJsonError(at, `${quoted(text)} is no JSON string`)
  }
}

function quoted(text: string): string {
  const [first = ''] = text.split('\n')
  return `'${first.slice(0, 40)}'`
}

class Parser {
  readonly #tokens: readonly Token[]
  #next = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  document(): Node {
    const node = this.#value(0)
    const token = this.#take()
    if (token.kind !== 'end') throw keaJsonError(token.at, 'more follows after the end of the configuration')
    return node
  }

  #take(): Token {
    return this.#tokens[Math.min(this.#next++, this.#tokens.length - 1)]!
  }

  #peekMark(mark: string): boolean {
    const token = this.#tokens[this.#next]
    return token?.kind === 'mark' && token.mark === mark
  }

  #value(depth: number): Node {
    const token = this.#take()
    if (depth > MAX_DEPTH)
      throw keaJsonError(token.at, `more than ${MAX_DEPTH} maps and lists within each other`)
    if (token.kind === 'value') return { kind: 'value', value: token.value, at: token.at }
    if (token.kind === 'mark' && token.mark === '{') return this.#map(token.at, depth)
    if (token.kind === 'mark' && token.mark === '[') return this.#list(token.at, depth)
    throw unexpected(token, 'a value')
  }

  #map(at: Place, depth: number): MapNode {
    const entries: Entry[] = []
    this.#each('}', () => {
      const token = this.#take()
      if (token.kind !== 'value' || typeof token.value !== 'string')
        throw unexpected(token, 'a name in quotes, or }')
      const { value: name, at: place } = token
      if (entries.some((entry) => entry.name === name))
        throw keaJsonError(place, `"${name}" stands there twice`)
      const colon = this.#take()
      if (colon.kind !== 'mark' || colon.mark !== ':') throw unexpected(colon, `: after "${name}"`)
      entries.push({ name, at: place, node: this.#value(depth + 1) })
    })
    return { kind: 'map', entries, at }
  }

  #list(at: Place, depth: number): Node {
    const items: Node[] = []
    this.#each(']', () => items.push(this.#value(depth + 1)))
    return { kind: 'list', items, at }
  }

  /** Commas between, and one more where somebody left it. */
  #each(end: string, read: () => void): void {
    while (!this.#peekMark(end)) {
      read()
      if (this.#peekMark(',')) this.#next++
      else if (!this.#peekMark(end)) throw unexpected(this.#take(), `a comma or ${end}`)
    }
    this.#next++
  }
}

function unexpected(token: Token, wanted: string): SidecarError {
  const found =
    token.kind === 'end'
      ? 'the end of the file'
      : token.kind === 'mark'
        ? token.mark
        : JSON.stringify(token.value)
  return keaJsonError(token.at, `${wanted} is wanted where ${found} stands`)
}
