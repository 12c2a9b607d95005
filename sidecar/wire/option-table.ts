// An option is one row: name, code, type, RFC. Decoder, encoder and TypeScript type come from the rows.
import { Reader } from './reader.ts'
import { WireError } from './wire-error.ts'
import type { Writer } from './writer.ts'

/** An option as it stood on the wire; `data` may be a view of the message. */
export interface RawOption {
  readonly code: number
  readonly data: Uint8Array
}

/** A field's two directions. `read` gets a reader cut to the option's length and must use it up. */
export interface FieldType<T> {
  read(reader: Reader): T
  write(writer: Writer, value: T): void
}

export interface OptionRow<T> {
  readonly code: number
  readonly type: FieldType<T>
  /** Where it is defined. */
  readonly rfc: string
  /** May appear several times in one place; its value is a list. */
  readonly repeats?: true
  /** Written behind all others, unknown ones included. */
  readonly last?: true
}

// biome-ignore lint/suspicious/noExplicitAny: a row's value type is recovered by Decoded
export type OptionRows = Record<string, OptionRow<any>>

type ValueOf<Row> = Row extends { type: FieldType<infer T> }
  ? Row extends { repeats: true }
    ? readonly T[]
    : T
  : never

/** The values of a table's options, each absent or present, and what no row knows, in order of appearance. */
export type Decoded<R extends OptionRows> = {
  readonly [K in keyof R]?: ValueOf<R[K]> | undefined
} & { readonly unknown?: readonly RawOption[] | undefined }

/** How a family writes one option around its value. */
export interface OptionFraming {
  begin(writer: Writer, code: number): number
  end(writer: Writer, mark: number): void
}

export interface OptionTable<R extends OptionRows> {
  readonly rows: R
  /** Name of an option for messages to people: `154 (queryStartTime)`. */
  name(code: number): string
  /** Reads each option by its row. Throws a {@link WireError} naming `where` and the option. */
  decode(raw: readonly RawOption[], where: string): Decoded<R>
  /** Writes options in order of the rows, then unknown ones, then those marked last. */
  encode(writer: Writer, values: Decoded<R>): void
}

export function defineOptions<const R extends OptionRows>(framing: OptionFraming, rows: R): OptionTable<R> {
  const entries = Object.entries(rows)
  const byCode = new Map(entries.map(([name, row]) => [row.code, { name, row }]))
  const first = entries.filter(([, row]) => !row.last)
  const last = entries.filter(([, row]) => row.last)

  function name(code: number): string {
    const known = byCode.get(code)
    return known === undefined ? `${code}` : `${code} (${known.name})`
  }

  function decode(raw: readonly RawOption[], where: string): Decoded<R> {
    const values: Record<string, unknown> = {}
    const unknown: RawOption[] = []
    for (const option of raw) {
      const known = byCode.get(option.code)
      if (known === undefined) {
        unknown.push(option)
        continue
      }
      const at = `${where} option ${name(option.code)}`
      const reader = new Reader(option.data, at)
      const value = known.row.type.read(reader)
      reader.end()
      if (known.row.repeats) {
        const list = values[known.name] as unknown[] | undefined
        if (list === undefined) values[known.name] = [value]
        else list.push(value)
      } else if (known.name in values) {
        throw new WireError('duplicate', at, 'appears more than once')
      } else {
        values[known.name] = value
      }
    }
    if (unknown.length > 0) values['unknown'] = unknown
    return values as Decoded<R>
  }

  function write(writer: Writer, rowEntries: typeof entries, values: Record<string, unknown>): void {
    for (const [key, row] of rowEntries) {
      const value = values[key]
      if (value === undefined) continue
      for (const one of row.repeats ? (value as unknown[]) : [value]) {
        const mark = framing.begin(writer, row.code)
        row.type.write(writer, one)
        framing.end(writer, mark)
      }
    }
  }

  function encode(writer: Writer, values: Decoded<R>): void {
    write(writer, first, values)
    if (values.unknown !== undefined) {
      for (const option of values.unknown) {
        const mark = framing.begin(writer, option.code)
        writer.octets(option.data)
        framing.end(writer, mark)
      }
    }
    if (last.length > 0) write(writer, last, values)
  }

  return { rows, name, decode, encode }
}
