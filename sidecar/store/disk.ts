// The disk behind: writes what memory has and the disk has not, one batch at a time, position and all.
//
// A batch is encoded in one go, records and state together. When it drains all queues, the disk is exactly memory as
// it was at that moment. When there is more than a batch holds, a round of batches is begun: the position of the
// round's begin is written by the batch that has got round, when every change it covers is on disk; until then the
// earlier position stands, whose events, read again, are merely applied once more.

import { reasonOf, SidecarError } from '../errors.ts'
import { Flag, Word } from '../record-words.ts'
import type { LogicalClock } from './clock.ts'
import type { Level, LevelOperation } from './level.ts'
import type { Memory } from './memory.ts'
import {
  blobKey,
  checksumOf,
  decodeState,
  encodeBlob,
  encodeRecord,
  encodeState,
  recordKey,
  STATE_KEY,
  type StoreState,
  sealOf,
} from './record.ts'
import type { FeedPosition } from './store.ts'

export const NEVER_FOLLOWED: FeedPosition = { epoch: '', seq: 0, walkPending: true }

export interface DiskOptions {
  readonly path: string
  readonly level: Level
  readonly memory: Memory
  readonly clock: LogicalClock
  readonly bootId: string
  /** What is on disk. */
  readonly committed: StoreState
  readonly blobs: Map<string, Buffer>
  readonly onFailed: (error: SidecarError, attempt: number) => void
  readonly onRecovered: () => void
  /** A write has not ended in so many seconds. */
  readonly onSlow: (seconds: number) => void
  /** Records in a batch. */
  readonly batchRecords?: number | undefined
  /** Milliseconds that changes are gathered for a batch. */
  readonly gatherMilliseconds?: number | undefined
  /** Milliseconds until a failed write is tried again; doubled each time, up to a hundredfold. */
  readonly retryMilliseconds?: number | undefined
}

const BATCH_RECORDS = 512
const BATCH_OCTETS = 4 << 20
const GATHER_MILLISECONDS = 10
const RETRY_MILLISECONDS = 100
/** A write that takes longer is a sign of a disk in trouble. */
const SLOW_MILLISECONDS = 5_000
const REWRITE_SLICE = 65_536

interface Batch {
  readonly operations: LevelOperation[]
  readonly state: StoreState
  /** Everything asked to be on disk up to this moment is on disk with this batch; 0 = no such moment. */
  readonly moment: number
  readonly sync: boolean
  readonly written: number[]
  /** For each of `written`: its checksum on disk before, -1 = was not there. */
  readonly before: number[]
  readonly removed: number[]
  readonly blobs: readonly string[]
}

interface Round {
  bindings: number
  readonly position: FeedPosition
  readonly hadHorizon: boolean
  readonly moment: number
}

interface Waiter {
  readonly moment: number
  readonly resolve: () => void
  readonly reject: (error: SidecarError) => void
}

export class Disk {
  readonly #options: DiskOptions
  readonly #memory: Memory
  readonly #level: Level
  #committed: StoreState
  #position: FeedPosition
  readonly #blobs: Map<string, Buffer>
  readonly #unwrittenBlobs = new Set<string>()
  #round: Round | undefined
  #moment = 1
  #waiters: Waiter[] = []
  #work = false
  #scheduled: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #attempt = 0
  #wake: (() => void) | undefined
  #closing: 'no' | 'clean' | 'gone' = 'no'

  constructor(options: DiskOptions) {
    this.#options = options
    this.#memory = options.memory
    this.#level = options.level
    this.#committed = options.committed
    this.#position = options.committed.position
    this.#blobs = options.blobs
    options.memory.unwritten.onWork = () => this.kick()
  }

  get position(): FeedPosition {
    return this.#position
  }

  set position(position: FeedPosition) {
    this.#position = position
    this.kick()
  }

  /** How far the disk has come. */
  get committed(): StoreState {
    return this.#committed
  }

  /** Writes fail; the store serves from memory. */
  get failing(): boolean {
    return this.#attempt > 0
  }

  blob(name: string): Buffer | undefined {
    return this.#blobs.get(name)
  }

  setBlob(name: string, octets: Uint8Array | undefined): void {
    if (octets === undefined) this.#blobs.delete(name)
    else this.#blobs.set(name, Buffer.from(octets))
    this.#unwrittenBlobs.add(name)
    this.kick()
  }

  /** There is something to write: soon, together with what comes meanwhile. */
  kick(): void {
    this.#work = true
    if (this.#scheduled !== undefined || this.#running !== undefined || this.#closing === 'gone') return
    this.#scheduled = setTimeout(() => this.#start(), this.#options.gatherMilliseconds ?? GATHER_MILLISECONDS)
  }

  flush(): Promise<void> {
    if (this.#closing === 'gone') {
      return Promise.reject(new SidecarError('ALQ_STORE_CLOSED', { path: this.#options.path }))
    }
    return new Promise((resolve, reject) => {
      this.#waiters.push({ moment: ++this.#moment, resolve, reject })
      this.#work = true
      // While writes fail, who asks is told at once, not after the rest of a pause.
      this.#wake?.()
      this.#start()
    })
  }

  /** Writes everything and the note of a clean stop, then closes; closes without the note where writing fails. */
  async close(): Promise<void> {
    try {
      await this.flush()
      this.#closing = 'clean'
      await this.flush()
      // Twice, so that a database which has lost its end is not taken for one that was stopped at an earlier moment.
      await this.#level.writeNote(`stopped ${this.#committed.serial}`)
    } finally {
      this.#closing = 'gone'
      clearTimeout(this.#scheduled)
      this.#wake?.()
      await this.#running
      await this.#level.close()
    }
  }

  #start(): void {
    clearTimeout(this.#scheduled)
    this.#scheduled = undefined
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (!this.#work) return
      if (this.#waiters.length > 0) this.#start()
      else this.kick()
    })
  }

  async #run(): Promise<void> {
    while (this.#work && this.#closing !== 'gone') {
      const batch = this.#take()
      const stop = this.#watchWrite()
      try {
        await this.#level.write(batch.operations, batch.sync)
      } catch (error) {
        stop()
        await this.#recover(batch, error)
        continue
      }
      stop()
      this.#commit(batch)
      if (this.#attempt > 0) {
        this.#attempt = 0
        this.#options.clock.diskFails = false
        this.#options.onRecovered()
      }
    }
  }

  /** Tells of a write that takes very long. @returns to be called when it has ended */
  #watchWrite(): () => void {
    const tell = () => this.#options.onSlow(SLOW_MILLISECONDS / 1000)
    let timer = setTimeout(() => {
      // Where this process was stopped meanwhile, the end of the write is about to be heard of.
      timer = setTimeout(tell, SLOW_MILLISECONDS / 50)
    }, SLOW_MILLISECONDS)
    return () => clearTimeout(timer)
  }

  // ---- one batch

  #take(): Batch {
    const { unwritten, table } = this.#memory
    const limit = this.#options.batchRecords ?? BATCH_RECORDS
    this.#round ??= {
      bindings: unwritten.bindings.length,
      position: this.#position,
      hadHorizon: this.#memory.horizon !== undefined,
      moment: this.#moment,
    }
    const round = this.#round
    const operations: LevelOperation[] = []
    const written: number[] = []
    const before: number[] = []
    const removed: number[] = []
    let { records, checksum } = this.#committed
    let octets = 0

    while (unwritten.removals.length > 0 && operations.length < limit) {
      const ordinal = unwritten.removals.shift()
      removed.push(ordinal)
      operations.push({ type: 'del', key: recordKey(table, ordinal) })
      if ((table.flags(ordinal) & Flag.written) === 0) continue
      records--
      checksum -= table.rows.get(ordinal, Word.checksum)
    }
    const put = (ordinal: number): void => {
      const value = encodeRecord(table, ordinal)
      operations.push({ type: 'put', key: recordKey(table, ordinal), value })
      octets += value.length
      const old = (table.flags(ordinal) & Flag.written) === 0 ? -1 : table.rows.get(ordinal, Word.checksum)
      written.push(ordinal)
      before.push(old)
      const now = checksumOf(value)
      table.rows.set(ordinal, Word.checksum, now)
      table.setFlag(ordinal, Flag.written)
      records += old < 0 ? 1 : 0
      checksum += old < 0 ? now : now - old
    }
    const room = (): boolean => operations.length < limit && octets < BATCH_OCTETS
    if (unwritten.removals.length === 0) {
      while (unwritten.departures.length > 0 && room()) {
        const ordinal = unwritten.takeDeparture()
        if (ordinal !== 0) put(ordinal)
      }
      if (unwritten.departures.length === 0) {
        while (unwritten.bindings.length > 0 && room()) {
          const waiting = unwritten.bindings.length
          const ordinal = unwritten.takeBinding()
          round.bindings -= waiting - unwritten.bindings.length
          if (ordinal !== 0) put(ordinal)
        }
      }
    }

    const drained = unwritten.length === 0
    const whole =
      drained || (round.bindings <= 0 && unwritten.removals.length === 0 && unwritten.departures.length === 0)
    if (whole) this.#round = undefined
    if (drained) this.#work = false
    const blobs = [...this.#unwrittenBlobs]
    this.#unwrittenBlobs.clear()
    const state = this.#stateOf(records, checksum, whole, drained ? undefined : round)
    for (const name of blobs) {
      const octets = this.#blobs.get(name)
      if (octets === undefined) operations.push({ type: 'del', key: blobKey(name) })
      else {
        const value = encodeBlob(octets)
        operations.push({ type: 'put', key: blobKey(name), value })
        ;(state.blobs as Record<string, number>)[name] = sealOf(value)
      }
    }
    operations.push({ type: 'put', key: STATE_KEY, value: encodeState(state) })
    return {
      operations,
      state,
      moment: drained ? this.#moment : whole ? round.moment : 0,
      // A mark that a power loss takes back is none; a flush has to mean the disk itself.
      sync: state.clockMark !== this.#committed.clockMark || state.clean || this.#waiters.length > 0,
      written,
      before,
      removed,
      blobs,
    }
  }

  #stateOf(records: number, checksum: number, whole: boolean, round: Round | undefined): StoreState {
    const memory = this.#memory
    const committed = this.#committed
    const clean = this.#closing === 'clean' && whole && round === undefined
    const hadHorizon = round?.hadHorizon ?? memory.horizon !== undefined
    return {
      family: memory.family,
      serial: committed.serial + 1,
      position: whole ? (round?.position ?? this.#position) : committed.position,
      // The first horizon belongs to the position that ends the first walk; once there is one, it may only be early.
      horizon: (whole ? hadHorizon : committed.horizon !== undefined) ? memory.horizon : undefined,
      horizonFloor: memory.horizonFloor,
      prunedThrough: memory.prunedThrough,
      clockMark: clean ? this.#options.clock.last : this.#options.clock.wantedMark,
      clean,
      bootId: this.#options.bootId,
      records,
      checksum: modulo32(checksum),
      blobs: Object.fromEntries(Object.entries(committed.blobs).filter(([name]) => this.#blobs.has(name))),
    }
  }

  #commit(batch: Batch): void {
    this.#committed = batch.state
    for (const ordinal of batch.removed) this.#memory.table.recycle(ordinal)
    this.#options.clock.markPersisted(batch.state.clockMark)
    if (batch.moment === 0) return
    const done = this.#waiters.filter((waiter) => waiter.moment <= batch.moment)
    this.#waiters = this.#waiters.filter((waiter) => waiter.moment > batch.moment)
    for (const waiter of done) waiter.resolve()
  }

  // ---- failures

  /** After an error nobody knows what LevelDB's log holds: it is opened anew and asked, before anything else is written. */
  async #recover(batch: Batch, cause: unknown): Promise<void> {
    const { path, onFailed, clock } = this.#options
    const failure = (reason: string, cause: unknown): SidecarError =>
      new SidecarError('ALQ_STORE_WRITE', { path, reason }, { cause })
    let error = failure(reasonOf(cause), cause)
    for (;;) {
      this.#attempt++
      clock.diskFails = true
      const waiters = this.#waiters
      this.#waiters = []
      onFailed(error, this.#attempt)
      for (const waiter of waiters) waiter.reject(error)
      await this.#pause()
      if (this.#closing === 'gone') return
      try {
        await this.#level.close()
        await this.#level.open()
        await this.#reconcile(batch)
        return
      } catch (again) {
        error = failure(`it cannot be opened again after a failed write (${reasonOf(again)})`, again)
      }
    }
  }

  async #reconcile(batch: Batch): Promise<void> {
    const { path } = this.#options
    const value = await this.#level.read(STATE_KEY)
    let serial = -1
    try {
      if (value !== undefined) serial = decodeState(path, this.#memory.family, value).serial
    } catch {
      // Damaged: as if it were not there.
    }
    if (serial === batch.state.serial) {
      this.#commit(batch)
      this.#work = true
    } else if (serial === this.#committed.serial) this.#putBack(batch)
    else await this.#rewrite(batch)
  }

  /** The batch did not come about: all of it is to be written again. */
  #putBack(batch: Batch): void {
    const { table, unwritten } = this.#memory
    this.#round = undefined
    this.#work = true
    for (const name of batch.blobs) this.#unwrittenBlobs.add(name)
    for (let i = 0; i < batch.written.length; i++) {
      const ordinal = batch.written[i]!
      const old = batch.before[i]!
      if (old < 0) table.clearFlag(ordinal, Flag.written)
      else table.rows.set(ordinal, Word.checksum, old)
      if ((table.flags(ordinal) & Flag.removed) === 0) unwritten.changed(ordinal)
    }
    for (const ordinal of batch.removed) unwritten.removals.push(ordinal)
  }

  /** The disk has lost what it had acknowledged. Memory has everything: a new database is made from it. */
  async #rewrite(batch: Batch): Promise<void> {
    const { table, unwritten } = this.#memory
    await this.#level.restart()
    this.#putBack(batch)
    for (let from = 1; from <= table.ordinals.last; from += REWRITE_SLICE) {
      const end = Math.min(from + REWRITE_SLICE, table.ordinals.last + 1)
      for (let ordinal = from; ordinal < end; ordinal++) {
        table.clearFlag(ordinal, Flag.written)
        if (table.isBinding(ordinal) || table.isDeparture(ordinal)) unwritten.changed(ordinal)
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    // What was removed between two slices may have been marked as written still.
    for (let left = unwritten.removals.length; left > 0; left--) {
      const ordinal = unwritten.removals.shift()
      table.clearFlag(ordinal, Flag.written)
      unwritten.removals.push(ordinal)
    }
    for (const name of this.#blobs.keys()) this.#unwrittenBlobs.add(name)
    this.#round = undefined
    // A crash before all is rewritten must find a store that knows it is not complete.
    this.#committed = {
      ...this.#committed,
      position: NEVER_FOLLOWED,
      horizon: undefined,
      records: 0,
      checksum: 0,
      blobs: {},
      clean: false,
    }
  }

  #pause(): Promise<void> {
    const first = this.#options.retryMilliseconds ?? RETRY_MILLISECONDS
    const milliseconds = first * Math.min(100, 2 ** (this.#attempt - 1))
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function modulo32(value: number): number {
  return ((value % 0x1_0000_0000) + 0x1_0000_0000) % 0x1_0000_0000
}
