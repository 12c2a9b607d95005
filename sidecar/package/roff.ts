// What manual pages are written in: man(7) of roff.
import type { Flag } from '../flags.ts'

/** Text as roff takes it for itself: no letter of it is a request, no minus a hyphen. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll(/^\./gm, '\\&.')
}

export function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`
}

/** Paragraphs are set apart by empty lines, sentences by line ends. */
export function paragraphs(text: string): string {
  return roff(text.trim()).replaceAll(/\n\n+/g, '\n.PP\n')
}

/** A list of terms with what they mean. Terms are roff already, meanings are text. */
export function terms(list: readonly (readonly [term: string, meaning: string])[]): string {
  return list.map(([term, meaning]) => `.TP\n${term}\n${roff(meaning)}\n`).join('')
}

export function flagTerms(table: readonly Flag[]): string {
  return terms(
    table.map(({ name, value, byDefault, meaning }) => [
      value === undefined ? bold(name) : `${bold(name)} ${roff(value)}`,
      byDefault === undefined ? meaning : `${meaning} (default: ${byDefault})`,
    ]),
  )
}

export function codeTerms(codes: Readonly<Record<number, string>>): string {
  return terms(Object.entries(codes).map(([code, meaning]) => [bold(code), meaning]))
}

export interface Page {
  readonly name: string
  readonly section: 1 | 7 | 8
  readonly brief: string
  /** Headings, with what is below them as roff. */
  readonly parts: readonly (readonly [heading: string, body: string])[]
}

export function formatPage({ name, section, brief, parts }: Page, version: string): string {
  const body = parts.map(([heading, text]) => `.SH ${heading}\n${text.trimEnd()}\n`).join('')
  return `.TH ${name.toUpperCase()} ${section} "" "kea\\-active\\-leasequery ${version}"
.SH NAME
${roff(name)} \\- ${roff(brief)}
${body}`
}
