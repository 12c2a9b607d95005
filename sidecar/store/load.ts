// Reads a store from the disk into memory and rebuilds every index.
import type { Family } from '../binding.ts'
import { SidecarError } from '../errors.ts'
import { Word } from '../record-words.ts'
import type { Level } from './level.ts'
import type { Memory } from './memory.ts'
import {
  BLOBS,
  blobKey,
  blobName,
  decodeBlob,
  decodeRecord,
  decodeState,
  EVERYTHING,
  inOrder,
  RECORDS,
  STATE_KEY,
  type StoreState,
  sealOf,
} from './record.ts'
import { SortedRuns } from './sorted-runs.ts'
import { TIME_LINE, TimeLine } from './time-line.ts'

export interface Loaded {
  /** Undefined: the database is new. */
  readonly state: StoreState | undefined
  readonly blobs: Map<string, Buffer>
  readonly timeLine: TimeLine
  /** Count and checksum of what was read, where they are not those of the state. */
  readonly differs: { readonly records: number; readonly checksum: number } | undefined
}

/** @throws SidecarError where an entry is damaged, or of another family or a newer version. */
export async function load(level: Level, path: string, family: Family, memory: Memory): Promise<Loaded> {
  const damaged = (reason: string): SidecarError => new SidecarError('ALQ_STORE_DAMAGED', { path, reason })
  const value = await level.read(STATE_KEY)
  if (value === undefined) {
    for await (const entries of level.entries(...EVERYTHING)) {
      if (entries.length > 0) throw damaged('the state is missing')
    }
    return { state: undefined, blobs: new Map(), timeLine: new TimeLine(), differs: undefined }
  }
  const state = decodeState(path, family, value)
  const keptTimeLine = await level.read(blobKey(TIME_LINE))
  const timeLine = new TimeLine(keptTimeLine && decodeBlob(path, TIME_LINE, keptTimeLine))
  const runs = new SortedRuns()
  const { table } = memory
  memory.reserve(state.records)
  let records = 0
  let checksum = 0
  let last = 0
  for await (const { octets, ends } of level.values(...RECORDS, state.records)) {
    for (let i = 0; i < ends.length; i++) {
      const ordinal = decodeRecord(table, path, octets, i === 0 ? 0 : ends[i - 1]!, ends[i]!)
      // In the order of their keys, without reading these: a record under another one's key would stand out of it.
      if (last !== 0 && !inOrder(table, last, ordinal)) {
        throw damaged(`the record of change ${table.changeNumber(ordinal)} belongs elsewhere`)
      }
      last = ordinal
      const number = table.changeNumber(ordinal)
      const at = timeLine.timeOf(number, table.changedAt(ordinal))
      const isOld = at !== table.changedAt(ordinal)
      table.rows.set(ordinal, Word.changedAt, at)
      if (memory.adopt(ordinal)) {
        runs.add(number, ordinal)
        if (isOld) memory.unwritten.changed(ordinal)
      }
      records++
      checksum += table.rows.get(ordinal, Word.checksum)
    }
    checksum %= 0x1_0000_0000
  }
  let at = 0
  await runs.merge((number, ordinal) => {
    if (number <= memory.index.newest || table.changedAt(ordinal) < at) {
      throw damaged(`change ${number} does not follow the one before it`)
    }
    at = table.changedAt(ordinal)
    memory.index.append(number, ordinal)
  })
  memory.restore(state)

  const blobs = new Map<string, Buffer>()
  let seals = 0
  for await (const entries of level.entries(...BLOBS)) {
    for (const [key, sealed] of entries) {
      const name = blobName(key)
      blobs.set(name, Buffer.from(decodeBlob(path, name, sealed)))
      if (state.blobs[name] === sealOf(sealed)) seals++
    }
  }
  const same =
    records === state.records &&
    checksum === state.checksum &&
    seals === blobs.size &&
    seals === Object.keys(state.blobs).length
  return { state, blobs, timeLine, differs: same ? undefined : { records, checksum } }
}
