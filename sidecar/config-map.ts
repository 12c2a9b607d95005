// Reads maps, lists and values of Kea's configuration, or says which parameter is wrong, what it is and why.
import { isIP, isIPv4, isIPv6 } from 'node:net'
import type { Family } from './binding.ts'
import { SidecarError } from './errors.ts'
import { nearest } from './nearest.ts'

const MAX_TEXT = 4096
const MAX_LIST = 10_000
/** Kea's own bound: milliseconds must fit a signed 32-bit number. */
export const MAX_TIMER_SECONDS = 2147483

/** A parameter that cannot be accepted. */
export class ConfigError extends SidecarError<'ALQ_CONFIG'> {
  override readonly name = 'ConfigError'
  /** Place in the parameters, e.g. `requesters[1].keepalive.interval`. */
  readonly parameter: string

  constructor(parameter: string, value: unknown, reason: string) {
    super('ALQ_CONFIG', { parameter, value: shown(value), reason })
    this.parameter = parameter
  }
}

/** Kea's lease_query knows these too; they have no meaning here and are taken without effect, so that a copied block works. */
const WITHOUT_EFFECT = [
  'extended-info-tables-enabled',
  'max-bulk-query-threads',
  'max-leases-per-fetch',
  'comment',
  'user-context',
]

/** Reads a map of Kea's configuration; refuses names it does not know, with the nearest known one. */
export class MapReader {
  readonly #place: string
  readonly #map: Readonly<Record<string, unknown>>

  constructor(place: string, value: unknown, known: readonly string[]) {
    this.#place = place
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ConfigError(place || 'parameters', value, 'a map is wanted')
    }
    this.#map = value as Record<string, unknown>
    for (const name of Object.keys(this.#map)) {
      if (known.includes(name) || WITHOUT_EFFECT.includes(name)) continue
      const near = nearest(name, known)
      throw new ConfigError(
        this.place(name),
        this.#map[name],
        near === undefined
          ? 'no parameter has this name'
          : `no parameter has this name; did you mean "${near}"?`,
      )
    }
  }

  place(name: string): string {
    return this.#place === '' ? name : `${this.#place}.${name}`
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined
  }

  raw(name: string): unknown {
    return Object.hasOwn(this.#map, name) ? this.#map[name] : undefined
  }

  map(name: string, known: readonly string[]): MapReader {
    return new MapReader(this.place(name), this.raw(name) ?? {}, known)
  }

  list(name: string): readonly unknown[] {
    const value = this.raw(name) ?? []
    if (!Array.isArray(value)) throw new ConfigError(this.place(name), value, 'a list is wanted')
    if (value.length > MAX_LIST) {
      throw new ConfigError(this.place(name), value.length, `more than ${MAX_LIST} entries`)
    }
    return value
  }

  boolean(name: string, byDefault: boolean): boolean {
    const value = this.raw(name) ?? byDefault
    if (typeof value !== 'boolean') throw new ConfigError(this.place(name), value, 'true or false is wanted')
    return value
  }

  integer(name: string, byDefault: number, least: number, most: number): number {
    const value = this.raw(name) ?? byDefault
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
      throw new ConfigError(this.place(name), value, `a whole number from ${least} to ${most} is wanted`)
    }
    return value
  }

  text(name: string, byDefault: string): string {
    const value = this.raw(name) ?? byDefault
    if (typeof value !== 'string') throw new ConfigError(this.place(name), value, 'a string is wanted')
    if (value.length > MAX_TEXT) {
      throw new ConfigError(
        this.place(name),
        value,
        `${value.length} characters exceed the ${MAX_TEXT} allowed`,
      )
    }
    return value
  }

  oneOf<T extends string>(name: string, byDefault: T, choices: readonly T[]): T {
    const value = this.raw(name) ?? byDefault
    if ((choices as readonly unknown[]).includes(value)) return value as T
    throw new ConfigError(
      this.place(name),
      value,
      `one of ${choices.map((c) => `"${c}"`).join(', ')} is wanted`,
    )
  }
}

/** Whether this is an address of the family; zones are not. */
export function isFamily(address: string, family: Family): boolean {
  return (
    !address.includes('%') && (family === 4 ? isIPv4(address) : isIPv6(address)) && isIP(address) === family
  )
}

export function readOptionCodes(map: MapReader, name: string, family: Family): readonly number[] {
  const most = family === 4 ? 254 : 65535
  const codes = map.list(name).map((code, i) => {
    if (Number.isInteger(code) && (code as number) >= 1 && (code as number) <= most) return code as number
    throw new ConfigError(`${map.place(name)}[${i}]`, code, `an option code from 1 to ${most} is wanted`)
  })
  return [...new Set(codes)]
}

/** Kea's ways to write octets: hexadecimal with or without colons or 0x, or text in single quotes. */
export function readOctets(value: unknown, place: string): Uint8Array {
  if (typeof value === 'string') {
    const quoted = /^'(.+)'$/.exec(value)
    if (quoted) return Uint8Array.from(Buffer.from(quoted[1]!, 'utf8'))
    const digits = value.replace(/^0x/i, '').replaceAll(':', '')
    if (/^([0-9a-f]{2})+$/i.test(digits)) return Uint8Array.from(Buffer.from(digits, 'hex'))
  }
  throw new ConfigError(place, value, 'hexadecimal octets, or text in single quotes, are wanted')
}

function shown(value: unknown): string {
  const text = value === undefined ? 'missing' : JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
