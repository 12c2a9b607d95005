// Records by ordinal: fixed fields in rows, octets in slabs, and the keyed hash from address to ordinal.
// Bindings and departures are records alike; only bindings are in the hash by address.
import {
  type Binding,
  type BindingData,
  BindingState,
  type Family,
  INFINITE,
  type LogicalSeconds,
  NO_OCTETS,
  type Origin,
  type UnixSeconds,
} from '../binding.ts'
import { Flag, Word, writeRow } from '../record-words.ts'
import type { KeyedHash } from './keyed-hash.ts'
import { LinearHash } from './linear-hash.ts'
import { Ordinals } from './ordinals.ts'
import { copyOctets, length16, OCTETS_HEADER, RecordOctets } from './record-octets.ts'
import { chunkOf, ROWS_PER_CHUNK, Rows } from './rows.ts'
import { LARGEST_PIECE, Slabs } from './slabs.ts'

const HIGH = 0x1_0000_0000
/** Octets that copies for readers share; who keeps one of them keeps all. */
const COPIES = 16_384

export class BindingTable {
  readonly family: Family
  readonly addressLength: 4 | 16
  readonly rows: Rows
  readonly slabs = new Slabs()
  readonly octets: RecordOctets
  readonly ordinals = new Ordinals()
  readonly #hash: KeyedHash
  /** Bindings by their address. */
  readonly byAddress: LinearHash
  /** For each chunk of rows a time not later than the earliest expiry of an active binding in it. */
  readonly #earliestExpiry: number[] = []
  readonly #key: Uint8Array
  #copies = new Uint8Array(COPIES)
  #copied = 0

  constructor(family: Family, hash: KeyedHash) {
    this.family = family
    this.addressLength = family === 4 ? 4 : 16
    this.rows = new Rows(Word.address + this.addressLength / 4)
    this.octets = new RecordOctets(this.rows, this.slabs)
    this.#key = new Uint8Array(this.addressLength)
    this.#hash = hash
    this.byAddress = new LinearHash(this.rows, Word.hash, Word.link)
  }

  // ---- addresses

  /** Ordinal of the binding of this address, 0 = none. */
  find(address: Uint8Array): number {
    if (address.length !== this.addressLength) {
      throw new RangeError(
        `address of ${address.length} octets in a store of DHCPv${this.family}, where it has ${this.addressLength}`,
      )
    }
    const hash = this.#hash.of(address)
    const rows = this.rows
    for (let row = this.byAddress.first(hash); row !== 0; row = this.byAddress.next(row)) {
      if (rows.get(row, Word.hash) === hash && this.hasAddress(row, address)) return row
    }
    return 0
  }

  hasAddress(ordinal: number, address: Uint8Array): boolean {
    for (let i = 0, word = Word.address as number; i < address.length; i += 4, word++) {
      if (this.rows.get(ordinal, word) !== word32(address, i)) return false
    }
    return true
  }

  /** Of an address, for {@link byAddress}. */
  hashOf(address: Uint8Array): number {
    return this.#hash.of(address)
  }

  enter(ordinal: number, address: Uint8Array): void {
    this.byAddress.insert(this.#hash.of(address), ordinal)
  }

  /** As {@link enter}, by the address that the record has. */
  enterStored(ordinal: number): void {
    this.#readAddress(ordinal, this.#key)
    this.byAddress.insert(this.#hash.of(this.#key), ordinal)
  }

  leave(ordinal: number): void {
    this.byAddress.remove(ordinal)
  }

  /** Makes room for so many bindings at once, while there is none yet. */
  reserve(bindings: number): void {
    this.byAddress.reserve(bindings)
  }

  /** How many addresses have a binding. */
  get size(): number {
    return this.byAddress.size
  }

  // ---- records

  /**
   * A fresh record without content, for the address that begins at `from` in `source`; what the queues to the disk know
   * of the ordinal stays.
   */
  allocate(source: Uint8Array, kind: 0 | typeof Flag.departure, from = 0): number {
    const ordinal = this.ordinals.next()
    this.rows.reach(ordinal)
    const row = this.rows.chunk(ordinal)
    const at = this.rows.offset(ordinal)
    const queued = row[at + Word.flags]! & (Flag.queuedBinding | Flag.queuedDeparture)
    row[at + Word.flags] = Flag.used | kind | queued
    row[at + Word.mark] = 0
    row[at + Word.octets] = 0
    for (let i = 0; i < this.addressLength; i += 4) {
      row[at + Word.address + (i >>> 2)] = word32(source, from + i)
    }
    while (this.#earliestExpiry.length <= chunkOf(ordinal))
      this.#earliestExpiry.push(Number.POSITIVE_INFINITY)
    return ordinal
  }

  recycle(ordinal: number): void {
    const queued = this.flags(ordinal) & (Flag.queuedBinding | Flag.queuedDeparture)
    this.rows.set(ordinal, Word.flags, queued)
    this.ordinals.free(ordinal)
  }

  flags(ordinal: number): number {
    return this.rows.get(ordinal, Word.flags)
  }

  setFlag(ordinal: number, flag: number): void {
    this.rows.set(ordinal, Word.flags, this.rows.get(ordinal, Word.flags) | flag)
  }

  clearFlag(ordinal: number, flag: number): void {
    this.rows.set(ordinal, Word.flags, this.rows.get(ordinal, Word.flags) & ~flag)
  }

  /** A binding that readers may see: used, neither departure nor removed. */
  isBinding(ordinal: number): boolean {
    return (this.flags(ordinal) & (Flag.used | Flag.departure | Flag.removed)) === Flag.used
  }

  isDeparture(ordinal: number): boolean {
    return (
      (this.flags(ordinal) & (Flag.used | Flag.departure | Flag.removed)) === (Flag.used | Flag.departure)
    )
  }

  /**
   * Overwrites all but address, change and flags.
   * `sameOctets`: none of the octet fields differs from what is stored.
   */
  write(ordinal: number, data: BindingData, sameOctets: boolean): void {
    writeRow(this.rows.chunk(ordinal), this.rows.offset(ordinal), data)
    if (!sameOctets) this.octets.write(ordinal, data)
    this.noteExpiry(ordinal)
  }

  /** Lowers the chunk's earliest expiry where this binding ends sooner. */
  noteExpiry(ordinal: number): void {
    if (this.state(ordinal) !== BindingState.active) return
    const expiry = this.expiry(ordinal)
    const chunk = chunkOf(ordinal)
    if (expiry < this.#earliestExpiry[chunk]!) this.#earliestExpiry[chunk] = expiry
  }

  /** Copies a record; `to` gets the octets and `from` is left without any. */
  move(from: number, to: number): void {
    const { rows } = this
    for (let word = Word.numberHigh as number; word <= Word.kind; word++) {
      rows.set(to, word, rows.get(from, word))
    }
    const type = this.flags(from) & 0xffff
    rows.set(to, Word.flags, (this.flags(to) & 0xffff0000) | type)
    rows.set(to, Word.octets, rows.get(from, Word.octets))
    rows.set(from, Word.octets, 0)
  }

  setChange(ordinal: number, number: number, at: LogicalSeconds): void {
    this.rows.set(ordinal, Word.numberHigh, Math.floor(number / HIGH))
    this.rows.set(ordinal, Word.numberLow, number % HIGH)
    this.rows.set(ordinal, Word.changedAt, at)
  }

  // ---- fields

  changeNumber(ordinal: number): number {
    return this.rows.get(ordinal, Word.numberHigh) * HIGH + this.rows.get(ordinal, Word.numberLow)
  }

  changedAt(ordinal: number): LogicalSeconds {
    return this.rows.get(ordinal, Word.changedAt)
  }

  state(ordinal: number): BindingState {
    return (this.rows.get(ordinal, Word.kind) & 0xff) as BindingState
  }

  prefixLength(ordinal: number): number {
    return (this.rows.get(ordinal, Word.kind) >>> 16) & 0xff
  }

  expiry(ordinal: number): UnixSeconds {
    const valid = this.rows.get(ordinal, Word.validLifetime)
    return valid === INFINITE
      ? Number.POSITIVE_INFINITY
      : this.rows.get(ordinal, Word.clientLastTransaction) + valid
  }

  address(ordinal: number): Uint8Array {
    const address = new Uint8Array(this.addressLength)
    this.#readAddress(ordinal, address)
    return address
  }

  #readAddress(ordinal: number, address: Uint8Array): void {
    const row = this.rows.chunk(ordinal)
    const at = this.rows.offset(ordinal) + Word.address
    for (let i = 0; i < address.length; i += 4) {
      const value = row[at + (i >>> 2)]!
      address[i] = value >>> 24
      address[i + 1] = value >>> 16
      address[i + 2] = value >>> 8
      address[i + 3] = value
    }
  }

  /** A copy of the record that later changes do not touch. */
  read(ordinal: number): Binding {
    const { rows } = this
    const chunk = rows.chunk(ordinal)
    const at = rows.offset(ordinal)
    const kind = chunk[at + Word.kind]!
    const reference = chunk[at + Word.octets]!
    let hardwareAddress: Uint8Array = NO_OCTETS
    let clientId: Uint8Array = NO_OCTETS
    let hostname: Uint8Array = NO_OCTETS
    let relay: Uint8Array = NO_OCTETS
    let options: Uint8Array = NO_OCTETS
    if (reference !== 0) {
      const page = this.slabs.page(reference)
      const header = this.slabs.offset(reference)
      const hardwareLength = length16(page, header)
      const clientLength = length16(page, header + 2)
      const hostLength = length16(page, header + 4)
      const relayLength = length16(page, header + 6)
      const optionsLength = length16(page, header + 8)
      const length = hardwareLength + clientLength + hostLength + relayLength + optionsLength
      let from = this.#room(length)
      const { buffer } = this.#copies
      copyOctets(page, header + OCTETS_HEADER, header + OCTETS_HEADER + length, this.#copies, from)
      if (hardwareLength > 0) hardwareAddress = new Uint8Array(buffer, from, hardwareLength)
      from += hardwareLength
      if (clientLength > 0) clientId = new Uint8Array(buffer, from, clientLength)
      from += clientLength
      if (hostLength > 0) hostname = new Uint8Array(buffer, from, hostLength)
      from += hostLength
      if (relayLength > 0) relay = new Uint8Array(buffer, from, relayLength)
      from += relayLength
      if (optionsLength > 0) options = new Uint8Array(buffer, from, optionsLength)
    }
    return {
      address: this.address(ordinal),
      prefixLength: (kind >>> 16) & 0xff,
      state: (kind & 0xff) as BindingState,
      origin: ((kind >>> 8) & 0xff) as Origin,
      subnetId: chunk[at + Word.subnetId]!,
      iaid: chunk[at + Word.iaid]!,
      hardwareType: chunk[at + Word.flags]! & 0xffff,
      hardwareAddress,
      clientId,
      validLifetime: chunk[at + Word.validLifetime]!,
      preferredLifetime: chunk[at + Word.preferredLifetime]!,
      clientLastTransaction: chunk[at + Word.clientLastTransaction]!,
      stateSince: chunk[at + Word.stateSince]!,
      hostname,
      relay,
      options,
      changedAt: chunk[at + Word.changedAt]!,
      changeNumber: chunk[at + Word.numberHigh]! * HIGH + chunk[at + Word.numberLow]!,
    }
  }

  // ---- expiry

  /**
   * Looks through one chunk of rows for active bindings that ended at `before` or earlier, from `from` on, and adds
   * their ordinals to `found` until it holds `limit`. Returns the ordinal to go on from and how many rows were looked at.
   */
  overdueFrom(
    from: number,
    before: UnixSeconds,
    found: number[],
    limit: number,
  ): { next: number; visited: number } {
    const chunk = chunkOf(from)
    const first = chunk * ROWS_PER_CHUNK
    const end = Math.min(first + ROWS_PER_CHUNK, this.ordinals.last + 1)
    if (!(this.#earliestExpiry[chunk]! <= before)) return { next: end, visited: 1 }
    let earliest = Number.POSITIVE_INFINITY
    for (let ordinal = from; ordinal < end; ordinal++) {
      if (!this.isBinding(ordinal) || this.state(ordinal) !== BindingState.active) continue
      const expiry = this.expiry(ordinal)
      if (expiry <= before) {
        if (found.length === limit) return { next: ordinal, visited: ordinal - from }
        found.push(ordinal)
      }
      if (expiry < earliest) earliest = expiry
    }
    // Only a look at the whole chunk tells its earliest expiry.
    if (from <= first + 1) this.#earliestExpiry[chunk] = earliest
    return { next: end, visited: end - from }
  }

  /** Octets held by rows and slabs, for measurements. */
  get memory(): { rows: number; slabs: number } {
    return { rows: this.rows.octets, slabs: this.slabs.octets }
  }

  /** Offset of `length` fresh octets in the buffer of copies. Many copies share one: an allocation each costs more. */
  #room(length: number): number {
    if (length > this.#copies.length - this.#copied) {
      this.#copies = new Uint8Array(Math.max(COPIES, length))
      this.#copied = 0
    }
    const at = this.#copied
    this.#copied += length
    return at
  }
}

/** @throws RangeError where a record could not be kept: a mistake of the caller, who limits what comes in. */
export function checkRecord(data: BindingData): void {
  // What did not come back as it was put would look like a change of holder at the next put.
  if (
    data.hardwareType !== (data.hardwareType & 0xffff) ||
    data.prefixLength !== (data.prefixLength & 0xff)
  ) {
    throw new RangeError(
      `hardware type ${data.hardwareType} or prefix length ${data.prefixLength} out of range`,
    )
  }
  if (
    data.subnetId !== data.subnetId >>> 0 ||
    data.iaid !== data.iaid >>> 0 ||
    data.validLifetime !== data.validLifetime >>> 0 ||
    data.preferredLifetime !== data.preferredLifetime >>> 0
  ) {
    throw new RangeError(
      `subnet ${data.subnetId}, IAID ${data.iaid} or lifetime ${data.validLifetime}, ${data.preferredLifetime} exceeds 32 bits`,
    )
  }
  const length =
    OCTETS_HEADER +
    checked(data.hardwareAddress, 'hardwareAddress') +
    checked(data.clientId, 'clientId') +
    checked(data.hostname, 'hostname') +
    checked(data.relay, 'relay') +
    checked(data.options, 'options')
  if (length > LARGEST_PIECE) {
    throw new RangeError(`${length} octets of variable data exceed the ${LARGEST_PIECE} a record can hold`)
  }
}

function checked(octets: Uint8Array, name: string): number {
  if (octets.length > 0xffff) throw new RangeError(`${name} of ${octets.length} octets exceeds 65535`)
  return octets.length
}

function word32(octets: Uint8Array, at: number): number {
  return ((octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!) >>> 0
}
