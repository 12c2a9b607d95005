// A second, dumb way to octets, so that the codecs are not tested with themselves: hexadecimal text, and lengths counted
// by hand or by the simplest code there is.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../support/package-root.ts'

/** Octets of hexadecimal text: `01 0203`, `00*16` for repetition, `|` begins a comment, `#` a comment line. */
export function hex(text: string): Uint8Array {
  const octets: number[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue
    for (const word of line.split('|')[0]!.trim().split(/\s+/)) {
      if (word === '') continue
      const [digits, times] = word.split('*')
      if (!/^([0-9a-f]{2})+$/.test(digits!)) throw new Error(`not hexadecimal: ${word}`)
      for (let n = 0; n < Number(times ?? 1); n++)
        for (let i = 0; i < digits!.length; i += 2) octets.push(Number.parseInt(digits!.slice(i, i + 2), 16))
    }
  }
  return Uint8Array.from(octets)
}

export function toHex(octets: Uint8Array): string {
  return [...octets].map((octet) => octet.toString(16).padStart(2, '0')).join(' ')
}

export function ascii(text: string): number[] {
  return [...text].map((letter) => letter.charCodeAt(0))
}

export function u16(value: number): number[] {
  return [Math.floor(value / 0x100) % 0x100, value % 0x100]
}

export function u32(value: number): number[] {
  return [...u16(Math.floor(value / 0x10000)), ...u16(value % 0x10000)]
}

type Octets = Uint8Array | readonly number[]

export function concat(...parts: readonly Octets[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

export function framed(message: Octets): Uint8Array {
  return concat(u16(message.length), message)
}

/** A DHCPv4 option; at most 255 octets. */
export function option4(code: number, value: Octets): number[] {
  if (value.length > 255) throw new Error('too long for one option')
  return [code, value.length, ...value]
}

/** A DHCPv6 option. */
export function option6(code: number, value: Octets): number[] {
  return [...u16(code), ...u16(value.length), ...value]
}

/** A DHCPv4 message of zeros but for op, xid and options; `at` overwrites octets of the fixed part. */
export function message4(
  op: number,
  xid: number,
  options: readonly number[],
  at: Readonly<Record<number, readonly number[]>> = {},
): Uint8Array {
  const fixed = new Uint8Array(240)
  fixed[0] = op
  fixed.set(u32(xid), 4)
  fixed.set([0x63, 0x82, 0x53, 0x63], 236)
  for (const [offset, octets] of Object.entries(at)) fixed.set(octets, Number(offset))
  return concat(fixed, options, [255])
}

export function message6(type: number, xid: number, options: readonly number[]): Uint8Array {
  return concat([type, ...u32(xid).slice(1)], options)
}

/** The frame in test/vectors/<family>/<name>.hex. */
export function vector(family: 'v4' | 'v6', name: string): Uint8Array {
  return hex(readFileSync(join(packageRoot, 'test', 'vectors', family, `${name}.hex`), 'utf8'))
}

export function vectorNames(family: 'v4' | 'v6'): string[] {
  return readdirSync(join(packageRoot, 'test', 'vectors', family))
    .filter((name) => name.endsWith('.hex'))
    .map((name) => name.slice(0, -4))
}
