// How records, the store's state and named blobs lie on disk: each with a format version and a checksum.
//
//   b address   binding            version, family | departure << 7, address, fixed fields, octets, checksum
//   d number    departure          the same
//   m name      blob               version, checksum, octets
//   s           the store's state  version, checksum, JSON
import { crc32 } from 'node:zlib'
import type { ChangeNumber, Family, LogicalSeconds } from '../binding.ts'
import { SidecarError } from '../errors.ts'
import { Flag, Word } from '../record-words.ts'
import type { BindingTable } from './binding-table.ts'
import { OCTETS_HEADER } from './record-octets.ts'
import type { FeedPosition } from './store.ts'

export const FORMAT_VERSION = 1

const BINDING = 0x62
const DEPARTURE = 0x64
const BLOB = 0x6d
const STATE = 0x73
const DEPARTURE_BIT = 0x80

/** Bindings, and behind them departures. */
export const RECORDS = [Buffer.of(BINDING), Buffer.of(DEPARTURE + 1)] as const
export const BLOBS = [Buffer.of(BLOB), Buffer.of(BLOB + 1)] as const
export const STATE_KEY = Buffer.of(STATE)
export const EVERYTHING = [Buffer.alloc(0), Buffer.alloc(32, 0xff)] as const

/** Words of a row that are kept, in this order. */
const FIXED = [
  Word.numberHigh,
  Word.numberLow,
  Word.changedAt,
  Word.clientLastTransaction,
  Word.stateSince,
  Word.validLifetime,
  Word.preferredLifetime,
  Word.subnetId,
  Word.iaid,
  Word.kind,
] as const

/** Octets of a record beside its address and its variable octets: head, fixed fields, hardware type, checksum. */
const OVERHEAD = 2 + 4 * FIXED.length + 2 + 4

export function recordKey(table: BindingTable, ordinal: number): Buffer {
  if ((table.flags(ordinal) & Flag.departure) === 0) {
    const key = Buffer.allocUnsafe(1 + table.addressLength)
    key[0] = BINDING
    putAddress(table, ordinal, key, 1)
    return key
  }
  const key = Buffer.allocUnsafe(9)
  key[0] = DEPARTURE
  key.writeUInt32BE(table.rows.get(ordinal, Word.numberHigh), 1)
  key.writeUInt32BE(table.rows.get(ordinal, Word.numberLow), 5)
  return key
}

/** The record as it is now. Its checksum is its last four octets. */
export function encodeRecord(table: BindingTable, ordinal: number): Buffer {
  const octets = table.octets.all(ordinal)
  const record = Buffer.allocUnsafe(OVERHEAD + table.addressLength + octets.length)
  record[0] = FORMAT_VERSION
  record[1] = table.family | ((table.flags(ordinal) & Flag.departure) === 0 ? 0 : DEPARTURE_BIT)
  let at = putAddress(table, ordinal, record, 2)
  const chunk = table.rows.chunk(ordinal)
  const row = table.rows.offset(ordinal)
  for (let i = 0; i < FIXED.length; i++) at = put32(record, at, chunk[row + FIXED[i]!]!)
  const type = table.flags(ordinal) & 0xffff
  record[at] = type >>> 8
  record[at + 1] = type
  record.set(octets, at + 2)
  at += 2 + octets.length
  put32(record, at, crc32(record.subarray(0, at)))
  return record
}

/** Last four octets of a record. */
export function checksumOf(record: Buffer): number {
  return record.readUInt32BE(record.length - 4)
}

/**
 * Fills a fresh record of the table from what is on disk and returns its ordinal; not yet entered anywhere.
 * @throws SidecarError where it is damaged, of another family or of another version.
 */
export function decodeRecord(
  table: BindingTable,
  path: string,
  octets: Uint8Array,
  from: number,
  to: number,
): number {
  const length = table.addressLength
  const end = to - 4
  checkVersion(path, to > from ? octets[from] : undefined)
  const refuse = (what: string): SidecarError => {
    const address = Buffer.from(octets.subarray(from + 2, Math.min(from + 2 + length, to))).toString('hex')
    return new SidecarError('ALQ_STORE_DAMAGED', { path, reason: `the record of address ${address} ${what}` })
  }
  if (to - from < OVERHEAD + length) throw refuse('is too short')
  const checksum = get32(octets, end)
  if (crc32(octets.subarray(from, end)) !== checksum) throw refuse('is damaged')
  if ((octets[from + 1]! & ~DEPARTURE_BIT) !== table.family) throw refuse('belongs to another address family')
  const departure = (octets[from + 1]! & DEPARTURE_BIT) !== 0
  const ordinal = table.allocate(octets, departure ? Flag.departure : 0, from + 2)
  const chunk = table.rows.chunk(ordinal)
  const row = table.rows.offset(ordinal)
  let at = from + 2 + length
  for (let i = 0; i < FIXED.length; i++, at += 4) chunk[row + FIXED[i]!] = get32(octets, at)
  chunk[row + Word.flags] = chunk[row + Word.flags]! | Flag.written | (octets[at]! << 8) | octets[at + 1]!
  at += 2
  if (at < end) {
    let needed = OCTETS_HEADER
    for (let i = 0; i < OCTETS_HEADER && at + i + 1 < end; i += 2)
      needed += octets[at + i]! | (octets[at + i + 1]! << 8)
    if (needed !== end - at) throw refuse('has wrong lengths')
    table.octets.adopt(ordinal, octets, at, end)
  }
  chunk[row + Word.checksum] = checksum
  return ordinal
}

/** Whether the key of one record comes before that of another, as in the database. */
export function inOrder(table: BindingTable, before: number, after: number): boolean {
  const departure = (table.flags(after) & Flag.departure) !== 0
  if (((table.flags(before) & Flag.departure) !== 0) !== departure) return departure
  if (departure) return table.changeNumber(before) < table.changeNumber(after)
  for (let word = Word.address as number; word < Word.address + table.addressLength / 4; word++) {
    const difference = table.rows.get(after, word) - table.rows.get(before, word)
    if (difference !== 0) return difference > 0
  }
  return false
}

/** What the store knows beside its records; written in every batch. */
export interface StoreState {
  readonly family: Family
  /** Number of the batch. */
  readonly serial: number
  readonly position: FeedPosition
  readonly horizon: LogicalSeconds | undefined
  readonly horizonFloor: LogicalSeconds
  readonly prunedThrough: ChangeNumber
  readonly clockMark: LogicalSeconds
  /** Written by close() alone, taken back by the next open. */
  readonly clean: boolean
  readonly bootId: string
  /** How many records there are, and the sum of their checksums: so that none is lost or old unnoticed. */
  readonly records: number
  readonly checksum: number
  /** Name -> checksum. */
  readonly blobs: Readonly<Record<string, number>>
}

export function encodeState(state: StoreState): Buffer {
  return seal(Buffer.from(JSON.stringify({ ...state, horizon: state.horizon ?? null })))
}

export function decodeState(path: string, family: Family, value: Buffer): StoreState {
  const text = unseal(path, 'the state', value).toString()
  const state = JSON.parse(text) as StoreState & { horizon: LogicalSeconds | null }
  if (state.family !== family) {
    throw new SidecarError('ALQ_STORE_FAMILY', { path, found: state.family, wanted: family })
  }
  return { ...state, horizon: state.horizon ?? undefined }
}

export function blobKey(name: string): Buffer {
  return Buffer.concat([Buffer.of(BLOB), Buffer.from(name)])
}

export function blobName(key: Buffer): string {
  return key.subarray(1).toString()
}

export function encodeBlob(octets: Uint8Array): Buffer {
  return seal(octets)
}

export function decodeBlob(path: string, name: string, value: Buffer): Buffer {
  return unseal(path, `"${name}"`, value)
}

/** Checksum of a sealed value. */
export function sealOf(value: Buffer): number {
  return value.readUInt32BE(1)
}

function seal(octets: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(5 + octets.length)
  value[0] = FORMAT_VERSION
  value.set(octets, 5)
  put32(value, 1, crc32(octets))
  return value
}

function unseal(path: string, what: string, value: Buffer): Buffer {
  checkVersion(path, value[0])
  const octets = value.subarray(5)
  if (value.length < 5 || crc32(octets) !== sealOf(value))
    throw new SidecarError('ALQ_STORE_DAMAGED', { path, reason: `${what} is damaged` })
  return octets
}

function checkVersion(path: string, version: number | undefined): void {
  if (version === undefined || version === 0)
    throw new SidecarError('ALQ_STORE_DAMAGED', { path, reason: 'an entry has no format version' })
  if (version > FORMAT_VERSION) {
    throw new SidecarError('ALQ_STORE_VERSION', { path, found: version, supported: FORMAT_VERSION })
  }
}

function putAddress(table: BindingTable, ordinal: number, target: Buffer, at: number): number {
  for (let word = 0; word < table.addressLength / 4; word++, at += 4) {
    put32(target, at, table.rows.get(ordinal, Word.address + word))
  }
  return at
}

function put32(target: Buffer, at: number, value: number): number {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
  return at + 4
}

function get32(source: Uint8Array, at: number): number {
  return ((source[at]! << 24) | (source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!) >>> 0
}
