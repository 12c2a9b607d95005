// What the requestor's conformance tests share: messages of a server, made by the dumb writer.
import { DEFAULT_DUID } from '../../sidecar/requestor/client.ts'
import { ascii, concat, framed, message4, message6, option4, option6, u32 } from '../wire/bytes.ts'

export const NOW = 1_763_758_800
const SINCE_2000 = 946_684_800
export const SERVER4 = [192, 0, 2, 1]
export const SERVER6 = [0, 3, 0, 1, 2, 0, 0x5e, 0, 0, 9]

export type Family = 4 | 6

/** Options of a DHCPv4 message by code. */
type Options4 = Readonly<Record<number, readonly number[]>>

export function reply4(type: number, xid: number, options: Options4 = {}, ciaddr = [0, 0, 0, 0]): Uint8Array {
  const all = Object.entries({ 53: [type], ...options }).flatMap(([code, value]) =>
    option4(Number(code), value),
  )
  return framed(message4(2, xid, all, { 12: ciaddr }))
}

/** DHCPLEASEACTIVE of 192.0.2.`n`. */
export function active4(xid: number, n: number, options: Options4 = {}, base = NOW): Uint8Array {
  return reply4(13, xid, { 152: u32(base), 51: u32(600), ...options }, [192, 0, 2, n])
}

export const done4 = (xid: number, options: Options4 = {}) => reply4(15, xid, options)
export const status4 = (xid: number, code: number, base = NOW) =>
  reply4(17, xid, { 152: u32(base), 151: [code] })

export const base6 = (base: number) => option6(100, u32(base - SINCE_2000))
export const IDENTIFIED = [...option6(1, [...DEFAULT_DUID]), ...option6(2, SERVER6)]

export function reply6(type: number, xid: number, options: readonly number[] = []): Uint8Array {
  return framed(message6(type, xid, options))
}

/** OPTION_CLIENT_DATA of 2001:db8::`n`. @param cltt seconds ago; null = not there */
export function client6(
  n: number,
  cltt: number | null = 47,
  valid = 600,
  more: readonly number[] = [],
): number[] {
  const address = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n >> 8, n & 255]
  return option6(45, [
    ...option6(1, [0, 3, 0, 1, 2, 0, 0x5e, 0, n >> 8, n & 255]),
    ...(cltt === null ? [] : option6(46, u32(cltt))),
    ...option6(5, [...address, ...u32(valid), ...u32(valid)]),
    ...more,
  ])
}

// The same in both families: an accepted query, a binding, statuses.

/** What accepts a query: nothing of its own in DHCPv4. */
export function accepts(family: Family, xid: number, base = NOW): Uint8Array {
  return family === 4 ? new Uint8Array(0) : reply6(15, xid, [...IDENTIFIED, ...base6(base)])
}

export function binding(family: Family, xid: number, n: number, base = NOW): Uint8Array {
  return family === 4 ? active4(xid, n & 255, {}, base) : reply6(17, xid, [...base6(base), ...client6(n)])
}

const codes = {
  terminated: { 4: 2, 6: 11 },
  dataMissing: { 4: 5, 6: 12 },
  caughtUp: { 4: 7, 6: 13 },
} as const

/** A status in an active query. @param first it is the first answer: in DHCPv6 a LEASEQUERY-REPLY */
export function status(
  family: Family,
  xid: number,
  name: keyof typeof codes,
  base = NOW,
  first = false,
): Uint8Array {
  const code = codes[name][family]
  if (family === 4) return status4(xid, code, base)
  const type = name === 'terminated' ? 16 : first ? 15 : 17
  return reply6(type, xid, [...(first ? IDENTIFIED : []), ...option6(13, [0, code]), ...base6(base)])
}

/** A Bulk answer with these bindings, whole. */
export function bulkAnswer(family: Family, xid: number, numbers: readonly number[], base = NOW): Uint8Array {
  if (family === 4) return concat(...numbers.map((n) => active4(xid, n & 255, {}, base)), done4(xid))
  const [first, ...rest] = numbers
  if (first === undefined) return reply6(15, xid, [...IDENTIFIED, ...base6(base)])
  return concat(
    reply6(15, xid, [...IDENTIFIED, ...base6(base), ...client6(first)]),
    ...rest.map((n) => reply6(17, xid, [...base6(base), ...client6(n)])),
    reply6(16, xid),
  )
}

export const tlsAnswer = (family: Family, xid: number, refused = false): Uint8Array =>
  family === 4
    ? reply4(18, xid, refused ? { 151: [8, ...ascii('no')] } : {})
    : reply6(7, xid, refused ? option6(13, [0, 15]) : [])

// What a requestor sent, taken apart by hand.

export const xidOf = (family: Family, frame: Uint8Array): number => {
  const view = new DataView(frame.buffer, frame.byteOffset)
  return family === 4 ? view.getUint32(6) : view.getUint32(2) & 0xffffff
}

/** Options at message level; each code once. */
export function optionsOf(family: Family, frame: Uint8Array): Map<number, Uint8Array> {
  return family === 4 ? options4(frame.subarray(2 + 240)) : options6(frame.subarray(6))
}

function options4(octets: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>()
  for (let at = 0; octets[at] !== 255; at += 2 + octets[at + 1]!) {
    const code = octets[at]!
    if (found.has(code)) throw new Error(`option ${code} twice`)
    found.set(code, octets.subarray(at + 2, at + 2 + octets[at + 1]!))
  }
  return found
}

export function options6(octets: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>()
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length)
  for (let at = 0; at < octets.length; at += 4 + view.getUint16(at + 2)) {
    const code = view.getUint16(at)
    if (found.has(code)) throw new Error(`option ${code} twice`)
    found.set(code, octets.subarray(at + 4, at + 4 + view.getUint16(at + 2)))
  }
  return found
}

/** Message type: option 53, or the first octet. */
export const typeOf = (family: Family, frame: Uint8Array): number =>
  family === 4 ? optionsOf(4, frame).get(53)![0]! : frame[2]!

/** A time in a query, as Unix seconds: start and end. */
export function timeOf(family: Family, frame: Uint8Array, which: 'start' | 'end'): number | undefined {
  const code = which === 'start' ? { 4: 154, 6: 101 }[family] : { 4: 155, 6: 102 }[family]
  const octets = optionsOf(family, frame).get(code)
  if (octets === undefined) return undefined
  const value = new DataView(octets.buffer, octets.byteOffset).getUint32(0)
  return family === 4 ? value : value + SINCE_2000
}
