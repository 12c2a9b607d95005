// What the parts of the follower share: the store and how far it has come, the questions under way, what there is to say.
import type { BindingData, LogicalSeconds, UnixSeconds } from '../binding.ts'
import { Histogram } from '../histogram.ts'
import type { BindingStore } from '../store/store.ts'
import { type AskedKind, Asker } from './asker.ts'
import { type ChangeKind, changeKind, changeKinds } from './change-kind.ts'
import { type FeedConfig, type FeedRequest, type Hello, NO_RING } from './events.ts'
import type { FeedCounters, FeedNote, RingStatus } from './notes.ts'

export interface FollowerSettings {
  /** Without a message for this long the feed is silent. The hook sends one each second. */
  readonly silentAfterMs: number
  /** From the end of one walk to the next; 0 = only where one is needed. */
  readonly walkEveryMs: number
  /** A walk that would end more than this share of the active bindings has to be confirmed by a second one... */
  readonly massEndShare: number
  /** ...if they are more than this many, too. */
  readonly massEndLeast: number
  /** From the first such walk to the second. */
  readonly massEndPauseMs: number
  /** Live events kept while a replay is under way; above it they are dropped, and replayed. */
  readonly maxBufferedEvents: number
}

export const defaultFollowerSettings: FollowerSettings = {
  silentAfterMs: 5_000,
  walkEveryMs: 3_600_000,
  massEndShare: 0.1,
  massEndLeast: 1_000,
  massEndPauseMs: 30_000,
  maxBufferedEvents: 16_384,
}

export type FollowerOutput =
  | { readonly kind: 'request'; readonly request: FeedRequest }
  | { readonly kind: 'note'; readonly note: FeedNote }
  /** Kea has said who it is and what it wants served. */
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'config'; readonly config: FeedConfig }
  /** The operator wants everything read anew. */
  | { readonly kind: 'resync' }

/** Bindings changed, or looked at, before other work gets its turn. */
export const SLICE_BINDINGS = 1_000

/** Seconds from Kea's change to its being applied: some milliseconds where all is well, hours where this process hung. */
const DELAY_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600]

/** Kinds of lasting trouble: each stands among the problems until it is over. */
export type TroubleKind = AskedKind | 'frame' | 'row' | 'mass-end'

export class Progress {
  readonly store: BindingStore
  readonly settings: FollowerSettings
  readonly asker: Asker
  /** L. Read once for each batch, page and slice: all changes of one bear one second. */
  readonly clock: () => LogicalSeconds
  readonly counters: FeedCounters = {
    events: 0,
    changes: 0,
    byKind: Object.fromEntries(changeKinds.map((kind) => [kind, 0])) as Record<ChangeKind, number>,
    replayed: 0,
    gaps: 0,
    lost: 0,
    walks: 0,
    walkSeconds: 0,
    walkChanged: 0,
    walkEnded: 0,
    pages: 0,
    unreadable: 0,
    dropped: 0,
  }
  /** Of live events. */
  readonly applyDelay = new Histogram(DELAY_BOUNDS)
  /** Of the hook's newest heartbeat. */
  ring: RingStatus = { ...NO_RING, kept: 0 }
  /** Hex, of the hook that is followed; empty = none yet. */
  epoch = ''
  /** Newest sequence number heard of in this epoch. */
  newestSeq = 0
  /** Kea keeps relay data with every row (Hello). */
  extendedInfo = false
  /** Changes may be missing until a walk has ended. */
  walkNeeded: boolean
  /** A walk is under way, needed or periodic. */
  isWalking = false
  /** As in the position. */
  #judgedAt: UnixSeconds
  #outputs: FollowerOutput[] = []
  readonly #troubles = new Map<TroubleKind, string>()

  /** What there is to send goes out before longer work, see FollowerOptions. */
  readonly sendNow: () => void

  constructor(
    store: BindingStore,
    clock: () => LogicalSeconds,
    settings: Partial<FollowerSettings>,
    sendNow: () => void = () => {},
  ) {
    this.store = store
    this.sendNow = sendNow
    this.clock = clock
    this.settings = { ...defaultFollowerSettings, ...settings }
    this.asker = new Asker((request) => this.output({ kind: 'request', request }))
    this.walkNeeded = store.position.walkPending || store.horizon === undefined
    this.#judgedAt = store.position.judgedAt ?? 0
  }

  /** Every event up to this number is in the store, or counts as such. */
  get seq(): number {
    return this.store.position.seq
  }

  /**
   * Every event up to `seq` is in the store. What a walk shows is in no event: so a stop in the middle of any walk, a
   * periodic one too, is one that cannot be replayed.
   */
  moveTo(seq: number): void {
    const epoch = this.epoch === '' ? this.store.position.epoch : this.epoch
    const walkPending = this.walkNeeded || this.isWalking
    this.store.position = { epoch, seq, walkPending, judgedAt: this.#judgedAt }
  }

  /** Writes down anew what {@link moveTo} writes, after `walkNeeded` or `isWalking` has changed. */
  stay(): void {
    this.moveTo(this.seq)
  }

  /** The latest second on Kea's clock at which leases were taken for ended without a word of Kea; 0 = none were. */
  get judgedAt(): UnixSeconds {
    return this.#judgedAt
  }

  /** Leases are taken for ended by Kea's clock: in the turn in which it is stored, so that a restart knows by which. */
  judge(keaNow: UnixSeconds): void {
    if (keaNow <= this.#judgedAt) return
    this.#judgedAt = keaNow
    this.stay()
  }

  /** Kea's clock has gone back: a walk judges anew. */
  judgeAnew(keaNow: UnixSeconds): void {
    this.#judgedAt = keaNow
    this.stay()
  }

  /** @param previous what is stored until now; a view will do */
  put(next: BindingData, previous: BindingData | undefined, at: LogicalSeconds): void {
    this.counters.byKind[changeKind(next, previous)] += 1
    this.counters.changes += 1
    this.store.put(next, at)
  }

  output(output: FollowerOutput): void {
    this.#outputs.push(output)
  }

  takeOutputs(): FollowerOutput[] {
    const outputs = this.#outputs
    if (outputs.length > 0) this.#outputs = []
    return outputs
  }

  note(note: FeedNote): void {
    this.output({ kind: 'note', note })
  }

  /** Told once, and again where the reason is another. */
  trouble(what: TroubleKind, reason: string): void {
    if (this.#troubles.get(what) === reason) return
    this.#troubles.set(what, reason)
    this.note({ kind: 'problem', reason })
  }

  over(what: TroubleKind): void {
    this.#troubles.delete(what)
  }

  get troubles(): string[] {
    return [...this.#troubles.values()]
  }

  /** A reply of use came. */
  succeeded(kind: AskedKind): void {
    this.asker.succeeded(kind)
    this.over(kind)
  }
}
