// Where the fixed fields of a record lie in its row, and what its flags say.
import type { BindingData } from './binding.ts'

/** Words of a row. */
export const Word = {
  hash: 0,
  link: 1,
  numberHigh: 2,
  numberLow: 3,
  changedAt: 4,
  clientLastTransaction: 5,
  stateSince: 6,
  validLifetime: 7,
  preferredLifetime: 8,
  subnetId: 9,
  iaid: 10,
  /** state, origin << 8, prefixLength << 16 */
  kind: 11,
  /** hardwareType, flags << 16 */
  flags: 12,
  octets: 13,
  /** Round of the walk that met the binding; of a departure its place in the list of departures. */
  mark: 14,
  /** Checksum of the record on disk, if {@link Flag.written}. */
  checksum: 15,
  address: 16,
} as const

export const Flag = {
  used: 1 << 16,
  departure: 1 << 17,
  /** Gone for every reader; the ordinal waits until it is gone on disk too. */
  removed: 1 << 18,
  queuedBinding: 1 << 19,
  queuedDeparture: 1 << 20,
  /** On disk, or in the batch on its way there. */
  written: 1 << 21,
} as const

/** Words of the longest row: with an address of 16 octets. */
export const ROW_WORDS = Word.address + 4

/** Overwrites all of a row but address, change and flags. Times are kept in 32 bits, as every field that carries them. */
export function writeRow(row: Uint32Array, at: number, data: BindingData): void {
  row[at + Word.clientLastTransaction] = seconds32(data.clientLastTransaction)
  row[at + Word.stateSince] = seconds32(data.stateSince)
  row[at + Word.validLifetime] = data.validLifetime
  row[at + Word.preferredLifetime] = data.preferredLifetime
  row[at + Word.subnetId] = data.subnetId
  row[at + Word.iaid] = data.iaid
  row[at + Word.kind] = data.state | (data.origin << 8) | (data.prefixLength << 16)
  row[at + Word.flags] = (row[at + Word.flags]! & 0xffff0000) | (data.hardwareType & 0xffff)
}

function seconds32(value: number): number {
  return value <= 0 ? 0 : value >= 0xffffffff ? 0xffffffff : Math.floor(value)
}
