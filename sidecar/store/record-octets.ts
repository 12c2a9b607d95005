// The octet fields of a record, which vary in length: in the slabs, one behind the other, their lengths before them.
import { type BindingData, NO_OCTETS } from '../binding.ts'
import { Word } from '../record-words.ts'
import type { Rows } from './rows.ts'
import { LARGEST_PIECE, type Slabs } from './slabs.ts'

/** The octet fields, in the order in which they are kept. */
export const OCTET_FIELDS = ['hardwareAddress', 'clientId', 'hostname', 'relay', 'options'] as const
/** Before the fields: the length of each, two octets, least significant first. */
export const OCTETS_HEADER = 2 * OCTET_FIELDS.length

const CACHE_LINE = 64
/** Octets fetched ahead of one record: more than nearly all have. */
const TOUCHED = 512

export class RecordOctets {
  readonly #rows: Rows
  readonly #slabs: Slabs
  #scratch = new Uint8Array(4096)

  constructor(rows: Rows, slabs: Slabs) {
    this.#rows = rows
    this.#slabs = slabs
  }

  /** A view of one octet field (index into {@link OCTET_FIELDS}): good until the next change to the store. */
  field(ordinal: number, field: number): Uint8Array {
    const reference = this.#rows.get(ordinal, Word.octets)
    if (reference === 0) return NO_OCTETS
    const page = this.#slabs.page(reference)
    const header = this.#slabs.offset(reference)
    let at = header + OCTETS_HEADER
    for (let i = 0; i < field; i++) at += length16(page, header + 2 * i)
    const length = length16(page, header + 2 * field)
    return length === 0 ? NO_OCTETS : page.subarray(at, at + length)
  }

  /** Octets of all fields with their header, as one view; empty where all fields are. */
  all(ordinal: number): Uint8Array {
    const reference = this.#rows.get(ordinal, Word.octets)
    if (reference === 0) return NO_OCTETS
    const page = this.#slabs.page(reference)
    const at = this.#slabs.offset(reference)
    let length = OCTETS_HEADER
    for (let i = 0; i < OCTET_FIELDS.length; i++) length += length16(page, at + 2 * i)
    return page.subarray(at, at + length)
  }

  has(ordinal: number, field: number, value: Uint8Array): boolean {
    const reference = this.#rows.get(ordinal, Word.octets)
    if (reference === 0) return value.length === 0
    const page = this.#slabs.page(reference)
    const header = this.#slabs.offset(reference)
    if (length16(page, header + 2 * field) !== value.length) return false
    let at = header + OCTETS_HEADER
    for (let i = 0; i < field; i++) at += length16(page, header + 2 * i)
    for (let i = 0; i < value.length; i++) if (page[at + i] !== value[i]) return false
    return true
  }

  /** Which octet fields differ from what is stored: bit n for field n of {@link OCTET_FIELDS}. */
  differing(ordinal: number, data: BindingData): number {
    const { hardwareAddress, clientId, hostname, relay, options } = data
    const reference = this.#rows.get(ordinal, Word.octets)
    if (reference === 0) {
      return (
        (hardwareAddress.length === 0 ? 0 : 1) |
        (clientId.length === 0 ? 0 : 2) |
        (hostname.length === 0 ? 0 : 4) |
        (relay.length === 0 ? 0 : 8) |
        (options.length === 0 ? 0 : 16)
      )
    }
    const page = this.#slabs.page(reference)
    const header = this.#slabs.offset(reference)
    let at = header + OCTETS_HEADER
    let mask = differs(page, at, length16(page, header), hardwareAddress) ? 1 : 0
    at += length16(page, header)
    if (differs(page, at, length16(page, header + 2), clientId)) mask |= 2
    at += length16(page, header + 2)
    if (differs(page, at, length16(page, header + 4), hostname)) mask |= 4
    at += length16(page, header + 4)
    if (differs(page, at, length16(page, header + 6), relay)) mask |= 8
    at += length16(page, header + 6)
    if (differs(page, at, length16(page, header + 8), options)) mask |= 16
    return mask
  }

  /** Reads a bit of each line of the processor's cache that the octets take, see ReadAhead. */
  touch(ordinal: number): number {
    const reference = this.#rows.get(ordinal, Word.octets)
    if (reference === 0) return 0
    const page = this.#slabs.page(reference)
    const at = this.#slabs.offset(reference)
    const end = at + Math.min(this.#slabs.size(reference), TOUCHED)
    let seen = 0
    for (let line = at; line < end; line += CACHE_LINE) seen ^= page[line]!
    return seen
  }

  /** Takes over a record's octets as they are on disk: header and fields. */
  adopt(ordinal: number, source: Uint8Array, from: number, to: number): void {
    if (to - from <= OCTETS_HEADER) return
    const reference = this.#slabs.alloc(to - from)
    copyOctets(source, from, to, this.#slabs.page(reference), this.#slabs.offset(reference))
    this.#rows.set(ordinal, Word.octets, reference)
  }

  /** Gives the octets' room back; the row stays until BindingTable.recycle(). */
  empty(ordinal: number): void {
    const reference = this.#rows.get(ordinal, Word.octets)
    if (reference !== 0) this.#slabs.free(reference)
    this.#rows.set(ordinal, Word.octets, 0)
  }

  /** Overwrites all fields. */
  write(ordinal: number, data: BindingData): void {
    const { hardwareAddress: hardware, clientId: client, hostname: host, relay, options } = data
    const length =
      OCTETS_HEADER + hardware.length + client.length + host.length + relay.length + options.length
    const old = this.#rows.get(ordinal, Word.octets)
    if (length === OCTETS_HEADER) {
      if (old !== 0) this.empty(ordinal)
      return
    }
    if (length > this.#scratch.length) this.#scratch = new Uint8Array(LARGEST_PIECE)
    // By way of scratch, since `data` may be views of the very octets that are about to be overwritten.
    const scratch = this.#scratch
    let at = 0
    at = putLength(scratch, at, hardware.length)
    at = putLength(scratch, at, client.length)
    at = putLength(scratch, at, host.length)
    at = putLength(scratch, at, relay.length)
    at = putLength(scratch, at, options.length)
    at = copyOctets(hardware, 0, hardware.length, scratch, at)
    at = copyOctets(client, 0, client.length, scratch, at)
    at = copyOctets(host, 0, host.length, scratch, at)
    at = copyOctets(relay, 0, relay.length, scratch, at)
    copyOctets(options, 0, options.length, scratch, at)
    let reference = old
    if (old === 0 || !this.#slabs.fits(old, length)) {
      if (old !== 0) this.#slabs.free(old)
      reference = this.#slabs.alloc(length)
      this.#rows.set(ordinal, Word.octets, reference)
    }
    copyOctets(scratch, 0, length, this.#slabs.page(reference), this.#slabs.offset(reference))
  }
}

export function length16(page: Uint8Array, at: number): number {
  return page[at]! | (page[at + 1]! << 8)
}

function differs(page: Uint8Array, at: number, length: number, value: Uint8Array): boolean {
  if (value.length !== length) return true
  for (let i = 0; i < length; i++) if (page[at + i] !== value[i]) return true
  return false
}

function putLength(target: Uint8Array, at: number, length: number): number {
  target[at] = length
  target[at + 1] = length >>> 8
  return at + 2
}

// Typed array calls cost more than a short loop.
const LOOP = 48

export function copyOctets(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
): number {
  const length = to - from
  if (length <= LOOP) for (let i = 0; i < length; i++) target[at + i] = source[from + i]!
  else target.set(from === 0 && to === source.length ? source : source.subarray(from, to), at)
  return at + length
}
