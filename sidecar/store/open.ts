// The store with its disk behind: opened, checked, followed by a clock that never goes back.
import { mkdir, readFile } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import type {
  Binding,
  BindingData,
  BindingState,
  ChangeNumber,
  Family,
  LogicalSeconds,
  UnixSeconds,
} from '../binding.ts'
import { reasonOf, SidecarError } from '../errors.ts'
import { CLOCK_AHEAD, type ClockStep, LogicalClock } from './clock.ts'
import { Disk, NEVER_FOLLOWED } from './disk.ts'
import { classicLevel, type Level } from './level.ts'
import { load } from './load.ts'
import { Memory } from './memory.ts'
import { diesOf } from './probe.ts'
import type { StoreState } from './record.ts'
import type { PruneReason, Retention } from './retention.ts'
import type {
  BulkScan,
  BulkScanOptions,
  BulkSelector,
  BulkStore,
  ChangeBatch,
  FeedPosition,
  TakeChange,
} from './store.ts'
import { TIME_LINE, type TimeLine } from './time-line.ts'
import type { BindingView } from './view.ts'

/** What the operator should hear of. */
export type StoreAlarm =
  /** Writing fails; the store serves from memory and goes on trying. */
  | { readonly kind: 'write-failed'; readonly error: SidecarError; readonly attempt: number }
  | { readonly kind: 'write-recovered' }
  /** A write has not ended in so many seconds; it may in the end. */
  | { readonly kind: 'write-slow'; readonly seconds: number }
  /** The wall clock was moved; L follows it forth at once, and waits for it where it went back. */
  | { readonly kind: 'clock-step'; readonly step: ClockStep }
  /** More ends than retention allows by number: the horizon has moved before its time. Told by each prune() that did so. */
  | { readonly kind: 'pruned-by-count' }
  /** The database is of a moment before the last clean stop: its files have lost what was on disk. */
  | { readonly kind: 'older-than-stop'; readonly path: string }
  /** After a power loss the disk was not as it should be; a walk has to put it right. */
  | { readonly kind: 'incomplete-after-power-loss'; readonly path: string }

export interface OpenStoreOptions {
  /** Directory of this store alone; made if it is not there. */
  readonly path: string
  readonly family: Family
  readonly retention?: Partial<Retention> | undefined
  /** The wall clock, seconds since 1970; fractions allowed. */
  readonly wall: () => number
  readonly alarm?: ((alarm: StoreAlarm) => void) | undefined
  /** Drop what is there, damaged or not, and begin anew. */
  readonly rebuild?: boolean | undefined
  /** A step of the wall clock by more than this many seconds raises an alarm. */
  readonly stepBoundSeconds?: number | undefined
  /** Seconds that the persisted mark of the clock runs ahead. */
  readonly clockAheadSeconds?: number | undefined

  // For tests
  readonly monotonic?: (() => number) | undefined
  readonly level?: Level | undefined
  readonly bootId?: string | undefined
  readonly batchRecords?: number | undefined
  readonly gatherMilliseconds?: number | undefined
  readonly retryMilliseconds?: number | undefined
}

/** How the store was found; the follower decides by it whether older start times can still be answered. */
export interface OpenReport {
  /** There was no store. */
  readonly wasNew: boolean
  /** The last stop was a clean one, and the database is of that moment: nothing shown was lost. */
  readonly wasClean: boolean
  /** The machine has not been started since. */
  readonly sameBoot: boolean
  /** False only after a power loss: records are missing or older than they should be, the horizon is gone, a walk is pending. */
  readonly intact: boolean
  readonly bindings: number
  readonly departures: number
  readonly milliseconds: number
}

/** Small named values kept beside the bindings: the last accepted configuration, the server's identity, subnets. */
export interface Blobs {
  get(name: string): Buffer | undefined
  /** Kept at once in memory, and on disk with the next batch; undefined deletes. */
  set(name: string, octets: Uint8Array | undefined): void
}

/** Bindings put into chains between two turns of the event loop: about a millisecond. */
const CHAIN_SLICE = 512

/**
 * Where a store is begun anew in the place of another, the mark of that one's clock is forgotten. It ran at most a few
 * seconds ahead, and whoever holds a base-time of it must find the new history younger, so the clock begins beyond.
 */
const FORGOTTEN_AHEAD = 2 * CLOCK_AHEAD

/** Where the machine's boot has an id. */
const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id'

/**
 * Opens or makes the store in `path`.
 * @throws SidecarError with a sentence for the operator: locked, damaged, of another family, of a newer version.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { path, family, wall } = options
  const started = performance.now()
  const alarm = options.alarm ?? (() => {})
  const bootId = options.bootId ?? (await readBootId())
  const level = options.level ?? classicLevel(path)
  if (options.level === undefined) await makeDirectory(path)
  const memory = new Memory(family, {
    retention: options.retention,
    onPrunedByCount: () => alarm({ kind: 'pruned-by-count' }),
  })
  const note = await level.readNote()
  const stoppedAt = Number(note?.split(' ')[1])
  if (options.rebuild !== true && options.level === undefined && note?.startsWith('opening')) {
    const reason = await diesOf(path)
    if (reason !== undefined) throw new SidecarError('ALQ_STORE_DAMAGED', { path, reason })
  }
  await level.writeNote(`opening ${stoppedAt}`).catch(cannotOpen(path))
  try {
    if (options.rebuild === true) await level.restart()
    else await level.open()
    const { state, blobs, timeLine, differs } = await load(level, path, family, memory)
    if (state !== undefined && stoppedAt > state.serial) alarm({ kind: 'older-than-stop', path })
    const wasClean = state?.clean === true && stoppedAt === state.serial
    const sameBoot = state !== undefined && bootId !== '' && state.bootId === bootId
    if (differs !== undefined && state !== undefined) {
      // Only a power loss may take writes back: LevelDB's log is with the operating system until then.
      if (state.clean || sameBoot) {
        const reason = `records are missing or old (${differs.records} found, ${state.records} written)`
        throw new SidecarError('ALQ_STORE_DAMAGED', { path, reason })
      }
      alarm({ kind: 'incomplete-after-power-loss', path })
      memory.restore({ ...state, horizon: undefined })
    }
    const persistedMark = Math.max(
      state?.clockMark ?? 0,
      memory.newestAt,
      state === undefined && note !== undefined ? Math.floor(wall()) + FORGOTTEN_AHEAD : 0,
    )
    const clock = new LogicalClock({
      wall,
      monotonic: options.monotonic ?? (() => performance.now() / 1000),
      persistedMark,
      ahead: options.clockAheadSeconds,
      stepBound: options.stepBoundSeconds,
      onStep: (step) => {
        if (step.direction === 'forward') store.clockJumped(Math.floor(wall()))
        alarm({ kind: 'clock-step', step })
      },
      onWanted: () => disk.kick(),
    })
    const disk: Disk = new Disk({
      path,
      level,
      memory,
      clock,
      bootId,
      committed: committedState(family, state, differs),
      blobs,
      onFailed: (error, attempt) => alarm({ kind: 'write-failed', error, attempt }),
      onRecovered: () => alarm({ kind: 'write-recovered' }),
      onSlow: (seconds) => alarm({ kind: 'write-slow', seconds }),
      batchRecords: options.batchRecords,
      gatherMilliseconds: options.gatherMilliseconds,
      retryMilliseconds: options.retryMilliseconds,
    })
    if (differs !== undefined) {
      for (const name of new Set([...blobs.keys(), ...Object.keys(state?.blobs ?? {})])) {
        disk.setBlob(name, blobs.get(name))
      }
    }
    const store: Store = new Store(memory, disk, clock, timeLine, path, {
      wasNew: state === undefined,
      wasClean,
      sameBoot,
      intact: differs === undefined,
      bindings: memory.table.size,
      departures: memory.departures,
      milliseconds: Math.round(performance.now() - started),
    })
    // Nobody knows whether the clock was set meanwhile, or the time has passed.
    if (persistedMark > 0 && clock.last - persistedMark > clock.stepBound) store.clockJumped(clock.last)
    // From here on a stop is unclean, and the clock has a mark to run up to.
    await level.writeNote('running').catch(cannotOpen(path))
    await disk.flush()
    store.chainBehind()
    return store
  } catch (error) {
    await level.close()
    await level.writeNote(note ?? '').catch(() => {}) // Told in a sentence: nobody died of it.
    throw error
  }
}

/** The store: {@link BulkStore} in memory, with the disk behind it. */
export class Store implements BulkStore {
  readonly family: Family
  readonly path: string
  readonly openReport: OpenReport
  /** L: where change times and base-times are read. */
  readonly clock: LogicalClock
  readonly meta: Blobs
  readonly #memory: Memory
  readonly #disk: Disk
  readonly #timeLine: TimeLine
  #closed = false

  constructor(
    memory: Memory,
    disk: Disk,
    clock: LogicalClock,
    timeLine: TimeLine,
    path: string,
    openReport: OpenReport,
  ) {
    this.family = memory.family
    this.path = path
    this.openReport = openReport
    this.clock = clock
    this.#memory = memory
    this.#disk = disk
    this.#timeLine = timeLine
    this.meta = {
      get: (name) => disk.blob(name),
      set: (name, octets) => {
        this.#mustBeOpen()
        disk.setBlob(name, octets)
      },
    }
  }

  get(address: Uint8Array): Binding | undefined {
    return this.#memory.get(address)
  }

  peek(address: Uint8Array): BindingView | undefined {
    return this.#memory.peek(address)
  }

  expect(addresses: readonly Uint8Array[]): void {
    this.#memory.expect(addresses)
  }

  besides(binding: BindingView, most: number): readonly BindingView[] | undefined {
    return this.#memory.besides(binding, most)
  }

  put(data: BindingData, at: LogicalSeconds): ChangeNumber {
    this.#mustBeOpen()
    return this.#memory.put(data, at)
  }

  heldBy(clientId: Uint8Array, visit?: number): Binding[] {
    return this.#memory.heldBy(clientId, visit)
  }

  get counts(): ReadonlyMap<BindingState, number> {
    return this.#memory.counts
  }

  /** Ended bindings and departures kept. */
  get ended(): number {
    return this.#memory.ended
  }

  /** Ended bindings and departures forgotten since the start, by why they had to go. */
  get forgotten(): Readonly<Record<PruneReason, number>> {
    return this.#memory.forgotten
  }

  /** A view to read bindings where they lie; see {@link BindingView} for what must not be done with it. */
  view(): BindingView {
    return this.#memory.view()
  }

  /** Sets `view` on the binding of this address; false = there is none. */
  seek(view: BindingView, address: Uint8Array): boolean {
    return this.#memory.seek(view, address)
  }

  openBulkScan(selector: BulkSelector, options?: BulkScanOptions): BulkScan | undefined {
    return this.#memory.openBulkScan(selector, options)
  }

  /** How many scans for Bulk queries are open. */
  get bulkScans(): number {
    return this.#memory.bulkScans
  }

  /** What Bulk queries select by is indexed; until then, for some seconds after a start, they look through everything. */
  get chained(): boolean {
    return this.#memory.chained
  }

  /** Indexes what was loaded, in slices, while the store serves. Called by {@link openStore}. */
  chainBehind(): void {
    if (this.#closed || this.chained) return
    this.#memory.chainSome(CHAIN_SLICE)
    setImmediate(() => this.chainBehind())
  }

  get newestChange(): ChangeNumber {
    return this.#memory.newestChange
  }

  before(at: LogicalSeconds): ChangeNumber {
    return this.#memory.before(at)
  }

  changesAfter(after: ChangeNumber, limit: number, visit?: number): ChangeBatch {
    return this.#memory.changesAfter(after, limit, visit)
  }

  walkChanges(after: ChangeNumber, through: ChangeNumber, visit: number, take: TakeChange): ChangeNumber {
    return this.#memory.walkChanges(after, through, visit, take)
  }

  /** The bindings that changed last, the newest first; at most `limit`, and fewer where most have changed again since. */
  newest(limit: number): Binding[] {
    return this.#memory.newest(limit)
  }

  get prunedThrough(): ChangeNumber {
    return this.#memory.prunedThrough
  }

  get horizon(): LogicalSeconds | undefined {
    return this.#memory.horizon
  }

  raiseHorizon(at: LogicalSeconds): void {
    this.#mustBeOpen()
    this.#memory.raiseHorizon(at)
  }

  /** L has gone to this second from one far before it. */
  clockJumped(to: LogicalSeconds): void {
    this.#timeLine.jumped(to)
    this.#disk.setBlob(TIME_LINE, this.#timeLine.encode())
  }

  /**
   * Begins L anew at the wall clock, where that was set back from far in the future: L would stand still until it is
   * there again. Start times up to now can no longer be answered, and base-times of that future never.
   * @returns how many seconds L was ahead; 0 = by so little that nothing was done
   */
  restartClock(): number {
    this.#mustBeOpen()
    const { clock } = this
    const ahead = clock.held
    if (ahead <= clock.stepBound) return 0
    const through = clock.last
    const at = clock.restart()
    this.#timeLine.restart(at, through, this.#memory.newestChange)
    this.#memory.restartTime(at)
    this.#disk.setBlob(TIME_LINE, this.#timeLine.encode())
    return ahead
  }

  /** This base-time is of before L began anew, see {@link restartClock}: it says nothing. */
  disowns(at: LogicalSeconds): boolean {
    return this.#timeLine.disowns(at)
  }

  prune(now: LogicalSeconds): number {
    this.#mustBeOpen()
    return this.#memory.prune(now)
  }

  /** How long and how many ends are kept; may be set while the store serves. */
  get retention(): Retention {
    return this.#memory.retention
  }

  set retention(retention: Retention) {
    this.#memory.retention = retention
  }

  clearMarks(): void {
    this.#memory.clearMarks()
  }

  mark(address: Uint8Array): void {
    this.#memory.mark(address)
  }

  unmarked(from: number, limit: number): { readonly bindings: readonly Binding[]; readonly next: number } {
    return this.#memory.unmarked(from, limit)
  }

  overdue(before: UnixSeconds): Binding[] {
    return this.#memory.overdue(before)
  }

  get position(): FeedPosition {
    return this.#disk.position
  }

  set position(position: FeedPosition) {
    this.#mustBeOpen()
    this.#disk.position = position
  }

  get isOpen(): boolean {
    return !this.#closed
  }

  /** Records that memory has and the disk has not. */
  get unwritten(): number {
    return this.#memory.unwritten.length
  }

  /** Writes fail; bindings are served from memory. */
  get diskFails(): boolean {
    return this.#disk.failing
  }

  flush(): Promise<void> {
    return this.#disk.flush()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#disk.close()
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new SidecarError('ALQ_STORE_CLOSED', { path: this.path })
  }
}

function committedState(
  family: Family,
  state: StoreState | undefined,
  differs: { readonly records: number; readonly checksum: number } | undefined,
): StoreState {
  if (state === undefined) {
    return {
      family,
      serial: 0,
      position: NEVER_FOLLOWED,
      horizon: undefined,
      horizonFloor: 0,
      prunedThrough: 0,
      clockMark: 0,
      clean: false,
      bootId: '',
      records: 0,
      checksum: 0,
      blobs: {},
    }
  }
  if (differs === undefined) return state
  return { ...state, ...differs, horizon: undefined, position: { ...state.position, walkPending: true } }
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o750 }).catch(cannotOpen(path))
}

function cannotOpen(path: string): (cause: unknown) => never {
  return (cause) => {
    throw new SidecarError('ALQ_STORE_OPEN', { path, reason: reasonOf(cause) }, { cause })
  }
}

async function readBootId(): Promise<string> {
  try {
    return (await readFile(BOOT_ID_FILE, 'utf8')).trim()
  } catch {
    // Without one, no two boots are the same: the careful reading.
    return ''
  }
}
