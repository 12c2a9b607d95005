// Follows a hook's feed, without a socket or a clock: messages, replies and the time come in, requests and notes come
// out, and the store is brought up to date on the way.
//
//   connecting ──Hello──> same epoch, next event in the ring, no walk pending ──> replaying ──┐
//                    └──> else: position moves to the newest event, walk pending ──> walking ─┴─> following
//
// The position {epoch, seq, walk pending} says what the store holds. Events that cannot be had again make a walk pending,
// and only the end of a complete walk clears it. Live events are applied all along, also during a walk.
import {
  type Binding,
  type BindingData,
  BindingState,
  expiryOf,
  type Family,
  type LogicalSeconds,
  NO_OCTETS,
  type UnixSeconds,
} from '../binding.ts'
import type { BindingStore } from '../store/store.ts'
import {
  applyAnnotation,
  applyChange,
  overdue,
  RECLAIM_GRACE_SECONDS,
  reconcileRow,
  vanished,
} from './apply.ts'
import { type AskedKind, Asker } from './asker.ts'
import { CONTRACT_MAJOR } from './contract.ts'
import type { DecodeError } from './decode-error.ts'
import {
  type Annotation,
  type EventBatch,
  type FeedConfig,
  type FeedError,
  FeedErrorCode,
  type FeedMessage,
  type FeedReply,
  type FeedReport,
  type FeedRequest,
  type Heartbeat,
  type Hello,
  type LeaseChange,
  type ReplyBody,
  type SnapshotPage,
} from './events.ts'
import { KeaClock } from './kea-clock.ts'
import type { FeedCounters, FeedNote, FeedState, FeedStatus } from './notes.ts'
import { Walk } from './walk.ts'

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

/** How the store was found when it was opened. */
export interface StoreOpening {
  /** The last stop had been noted, after everything was on disk. */
  readonly wasClean: boolean
}

export type FollowerOutput =
  | { readonly kind: 'request'; readonly request: FeedRequest }
  | { readonly kind: 'note'; readonly note: FeedNote }
  /** Kea has said who it is and what it wants served. */
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'config'; readonly config: FeedConfig }
  /** The operator wants everything read anew. */
  | { readonly kind: 'resync' }

export interface FollowerOptions {
  readonly family: Family
  readonly store: BindingStore
  /** L. Read once for each batch, page and slice: all changes of one bear one second. */
  readonly clock: () => LogicalSeconds
  readonly opening: StoreOpening
  readonly settings?: Partial<FollowerSettings>
}

const REPLAY_EVENTS = 512
const PAGE_LEASES = 256
/** Bindings looked at, or batches taken from the buffer, before other work gets its turn. */
const SLICE_BINDINGS = 1_000
const SLICE_EVENTS = 1_024
const SECOND_MS = 1_000

export class Follower {
  readonly #family: Family
  readonly #store: BindingStore
  readonly #clock: () => LogicalSeconds
  readonly #settings: FollowerSettings
  readonly #asker: Asker
  readonly #keaClock = new KeaClock()
  readonly #counters: FeedCounters = {
    events: 0,
    changes: 0,
    replayed: 0,
    gaps: 0,
    walks: 0,
    pages: 0,
    unreadable: 0,
    dropped: 0,
  }
  #outputs: FollowerOutput[] = []

  /** Of the hook that has answered; empty = none yet. */
  #epoch = ''
  #refusal = ''
  #hello: Hello | undefined
  #newestSeq = 0
  #configGeneration: number | undefined
  #resyncGeneration: number | undefined

  /** Live batches that cannot be applied before a replay has filled the gap in front of them. */
  #buffer: EventBatch[] = []
  #bufferedEvents = 0
  /** While replaying: the number to reach. */
  #replayTarget: number | undefined
  #replayedCount = 0
  /** Position at which the ring was last said not to have the next event. */
  #notInRingAt = -1
  /** Events up to here may have been shown before an unclean stop. */
  #restampThrough = 0

  /** Everything shown before the last stop may not be in the store, and nothing has proven yet that it is. */
  #unproven: boolean
  #raiseAtWalkEnd = false

  /** Changes may be missing until a walk has ended. */
  #walkNeeded: boolean
  #walk: Walk | undefined
  #nextWalkAt: number
  #lostThrough = 0
  /** A walk found so many bindings gone that a second one has to agree, at this time. */
  #confirmAt: number | undefined
  #massMissing = 0

  /** When the feed that is followed was last heard. */
  #heardAt: number
  /** When anything was published, followed or not. */
  #frameAt = Number.NEGATIVE_INFINITY
  #silent = false
  #overdue: Binding[] = []
  #nextSecond: number
  readonly #troubles = new Map<string, string>()

  /** @param now monotonic milliseconds, as everywhere here */
  constructor(options: FollowerOptions, now: number) {
    this.#family = options.family
    this.#store = options.store
    this.#clock = options.clock
    this.#settings = { ...defaultFollowerSettings, ...options.settings }
    this.#unproven = !options.opening.wasClean && this.#store.horizon !== undefined
    this.#asker = new Asker((request) => this.#outputs.push({ kind: 'request', request }))
    this.#walkNeeded = this.#store.position.walkPending || this.#store.horizon === undefined
    this.#heardAt = now
    this.#nextSecond = now + SECOND_MS
    this.#nextWalkAt = this.#afterPause(now)
    this.#asker.ask({ kind: 'hello' }, now)
  }

  /** What there is to do, since the last call. */
  takeOutputs(): FollowerOutput[] {
    const outputs = this.#outputs
    if (outputs.length > 0) this.#outputs = []
    return outputs
  }

  /** Something of the PUB socket. */
  message(message: FeedMessage, now: number): void {
    this.#frameAt = now
    if (this.#epoch === '') return // Hello says where to begin; what this was about comes again.
    if (message.epoch !== this.#epoch) {
      // A hook loaded anew, or a late message of one that is gone: epochs cannot be compared where Kea's clock has
      // stepped back, but the hook that answers now is the one that there is.
      if (!this.#asker.isAsking('hello')) this.#asker.ask({ kind: 'hello' }, now)
      return
    }
    this.#heard(now)
    this.#hearClock(message.clock, now)
    if (message.kind === 'heartbeat') this.#heartbeat(message, now)
    else this.#batch(message, now)
  }

  /** Something of the ROUTER socket. */
  reply(reply: FeedReply, now: number): void {
    const asked = this.#asker.take(reply.id)
    if (asked === undefined) return // Late, repeated, or of a walk that has been given up.
    const { body } = reply
    if (asked.kind === 'hello') {
      if (body.kind === 'hello') this.#helloed(body, reply.epoch, now)
      else this.#failed(asked, errorOf(body), now)
      return
    }
    if (reply.epoch !== this.#epoch || (body.kind === 'error' && body.code === FeedErrorCode.wrongEpoch)) {
      this.#asker.ask({ kind: 'hello' }, now)
      return
    }
    if (asked.kind === 'replay' && body.kind === 'batch') {
      this.#succeeded('replay')
      this.#replayedBatch(body, asked.kind === 'replay' && 'fromSeq' in asked ? asked.fromSeq : 0, now)
    } else if (asked.kind === 'page' && body.kind === 'page') {
      this.#page(body, asked, now)
    } else if (asked.kind === 'config' && body.kind === 'config') {
      this.#succeeded('config')
      this.#configGeneration = body.generation
      this.#outputs.push({ kind: 'config', config: body })
    } else if (asked.kind === 'replay' && body.kind === 'error' && body.code === FeedErrorCode.notInRing) {
      this.#replayLost(now)
    } else {
      this.#failed(asked, errorOf(body), now)
    }
  }

  /** A frame that cannot be read. What it carried shows as a gap or a reply that never comes. */
  unreadable(error: DecodeError): void {
    this.#counters.unreadable += 1
    this.#trouble('frame', `a message of the feed cannot be read: ${error.message}`)
  }

  /** To be called at {@link deadline}. */
  tick(now: number): void {
    for (const kind of this.#asker.tick(now)) {
      // A Kea that is not there is silent, no more; one that publishes should answer as well.
      if (kind === 'hello' && now - this.#frameAt >= this.#settings.silentAfterMs) continue
      this.#trouble(kind, `Kea has not answered a request for ${askedFor[kind]} in time`)
    }
    if (this.#buffer.length > 0) this.#advance(now)
    this.#slice(now)
    if (now >= this.#nextSecond) {
      this.#nextSecond = now + SECOND_MS
      this.#eachSecond(now)
    }
  }

  /** When {@link tick} wants to be called, monotonic milliseconds; 0 = as soon as others had their turn. */
  deadline(): number {
    const stage = this.#walk?.stage
    if (stage === 'counting' || stage === 'sweeping') return 0
    if (this.#bufferIsNext() || this.#overdue.length > 0) return 0
    return Math.min(this.#asker.deadline(), this.#nextSecond)
  }

  /** Begins a walk now, for the reason that the log is given. */
  requestWalk(reason: string, now: number): void {
    this.#note({ kind: 'note', note: `walk: ${reason}` })
    this.#walkNeeded = true
    this.#moveTo(this.#store.position.seq)
    this.#confirmAt = undefined
    if (this.#epoch !== '') this.#beginWalk(now)
  }

  /**
   * Nothing more is followed. What an unclean stop left unproven stays so for the next start, which would otherwise take a
   * clean stop now for a proof: the horizon says it.
   */
  stop(): void {
    this.#asker.cancelAll()
    this.#walk = undefined
    this.#moveTo(this.#store.position.seq)
    if (this.#unproven) this.#store.raiseHorizon(this.#clock())
  }

  /** Tells Kea how it goes. Whether the report arrives is of no matter: the next one follows. */
  sendReport(report: FeedReport): void {
    const id = this.#asker.nextId()
    const body = { kind: 'report', report } as const
    this.#outputs.push({ kind: 'request', request: { id, epoch: this.#asker.epoch, body } })
  }

  /** Kea's clock, Unix seconds; undefined until it has been heard. */
  keaNow(now: number): UnixSeconds | undefined {
    return this.#keaClock.now(now)
  }

  status(now: number): FeedStatus {
    const { seq } = this.#store.position
    return {
      state: this.#state(),
      epoch: this.#epoch,
      appliedSeq: seq,
      newestSeq: Math.max(this.#newestSeq, seq),
      walkPending: this.#walkNeeded,
      walking: this.#walk !== undefined,
      indexTrusted: this.#store.horizon !== undefined && !this.#unproven,
      silentForMs: Math.max(0, now - this.#heardAt),
      counters: { ...this.#counters },
      problems: [...this.#troubles.values()].map((text) => ({ parameter: '', text })),
    }
  }

  #state(): FeedState {
    if (this.#refusal !== '') return 'refused'
    if (this.#silent) return 'silent'
    if (this.#epoch === '') return 'connecting'
    if (this.#replayTarget !== undefined) return 'replaying'
    return this.#walkNeeded ? 'walking' : 'following'
  }

  /**
   * Every event up to `seq` is in the store. What a walk shows is in no event: so a stop in the middle of any walk, a
   * periodic one too, is one that cannot be replayed.
   */
  #moveTo(seq: number): void {
    const epoch = this.#epoch === '' ? this.#store.position.epoch : this.#epoch
    this.#store.position = { epoch, seq, walkPending: this.#walkNeeded || this.#walk !== undefined }
  }

  // ---------------------------------------------------------------------------------------- Hello

  #helloed(hello: Hello, epoch: string, now: number): void {
    const refusal = this.#refusalOf(hello)
    if (refusal !== '') {
      this.#refusal = refusal
      this.#epoch = ''
      this.#asker.cancelAll()
      this.#asker.epoch = epoch // For the report that says so.
      this.#trouble('hello', refusal)
      this.#asker.askLater({ kind: 'hello' }, now)
      return
    }
    this.#refusal = ''
    this.#succeeded('hello')
    this.#heard(now)
    this.#hearClock(hello.clock, now)
    const before = this.#hello
    const isFirst = this.#epoch === ''
    const isOther = this.#epoch !== epoch
    if (isOther) {
      this.#epoch = epoch
      this.#asker.cancelAll()
      this.#asker.epoch = epoch
      this.#dropBuffer()
      this.#replayTarget = undefined
      this.#configGeneration = undefined
      this.#resyncGeneration = undefined
      this.#newestSeq = 0
      this.#note({ kind: 'connected', kea: hello.keaVersion, epoch })
    }
    this.#hello = hello
    this.#newestSeq = Math.max(this.#newestSeq, hello.lastSeq)
    if (isOther || before === undefined || before.serviceGeneration !== hello.serviceGeneration) {
      this.#outputs.push({ kind: 'hello', hello })
    }
    this.#resume(hello, isFirst, now)
    this.#generations(hello, now)
  }

  #refusalOf(hello: Hello): string {
    if (hello.contractMajor !== CONTRACT_MAJOR) {
      return `the hook speaks version ${hello.contractMajor} of the feed's contract, this program version ${CONTRACT_MAJOR}: they must be of one release`
    }
    if (hello.family !== this.#family) {
      return `the feed is that of DHCPv${hello.family}, not of DHCPv${this.#family}: check --feed`
    }
    return ''
  }

  #resume(hello: Hello, isFirst: boolean, now: number): void {
    const { epoch, seq, walkPending } = this.#store.position
    if (epoch !== this.#epoch) {
      this.#walk = undefined
      this.#confirmAt = undefined
      this.#massMissing = 0
      this.#lose(hello.lastSeq, epoch === '' ? 'first start' : 'Kea has been started or configured anew', now)
      return
    }
    if (isFirst) this.#restampThrough = hello.lastSeq
    if (seq > hello.lastSeq) {
      this.#lose(hello.lastSeq, `the store is ahead of Kea, at ${seq} of ${hello.lastSeq}`, now)
    } else if (isFirst && walkPending) {
      this.#lose(hello.lastSeq, 'a walk had not ended', now)
    } else if (seq < hello.lastSeq && seq + 1 < hello.oldestSeq) {
      this.#lose(hello.lastSeq, `the ring of the hook begins at ${hello.oldestSeq}`, now)
    } else if (seq < hello.lastSeq) {
      this.#replay(hello.lastSeq, now)
    }
    // What was asked before this Hello may have been given up for it.
    if (this.#walk?.stage === 'paging' && this.#walk.held === undefined && !this.#asker.isAsking('page')) {
      this.#askPage(this.#walk, now)
    }
    this.#advance(now)
  }

  #generations(of: Hello | Heartbeat, now: number): void {
    if (of.configGeneration !== this.#configGeneration && !this.#asker.isAsking('config')) {
      this.#asker.ask({ kind: 'config' }, now)
    }
    const resync = this.#resyncGeneration
    this.#resyncGeneration = of.resyncGeneration
    if (resync !== undefined && resync !== of.resyncGeneration) {
      this.#outputs.push({ kind: 'resync' })
      this.requestWalk('the operator asked for it', now)
    }
    if (of.kind === 'heartbeat' && of.serviceGeneration !== this.#hello?.serviceGeneration) {
      if (!this.#asker.isAsking('hello')) this.#asker.ask({ kind: 'hello' }, now)
    }
  }

  // ---------------------------------------------------------------------------------------- events

  #heartbeat(heartbeat: Heartbeat, now: number): void {
    this.#newestSeq = Math.max(this.#newestSeq, heartbeat.lastSeq)
    this.#generations(heartbeat, now)
    // The hook publishes in order: what it has published and we have not got by now is lost on the way.
    const waits = this.#replayTarget !== undefined || this.#buffer.length > 0
    if (!waits && heartbeat.lastSeq > this.#store.position.seq) this.#replay(heartbeat.lastSeq, now)
  }

  #batch(batch: EventBatch, now: number): void {
    const last = batch.firstSeq + batch.events.length - 1
    this.#newestSeq = Math.max(this.#newestSeq, last)
    const { seq } = this.#store.position
    if (last <= seq) return
    if (this.#buffer.length === 0 && batch.firstSeq <= seq + 1) {
      this.#apply(batch, false, now)
      this.#advance(now)
      return
    }
    this.#keep(batch)
    if (this.#replayTarget === undefined && batch.firstSeq > seq + 1) this.#replay(last, now)
  }

  #keep(batch: EventBatch): void {
    this.#bufferedEvents += batch.events.length
    if (this.#bufferedEvents <= this.#settings.maxBufferedEvents) {
      this.#buffer.push(batch)
      return
    }
    // The replay is slower than the feed. It goes on to the newest of these.
    this.#counters.dropped += this.#buffer.length + 1
    this.#dropBuffer()
    if (this.#replayTarget !== undefined) this.#replayTarget = this.#newestSeq
  }

  #dropBuffer(): void {
    this.#buffer = []
    this.#bufferedEvents = 0
  }

  #bufferIsNext(): boolean {
    const next = this.#buffer[0]
    return next !== undefined && next.firstSeq <= this.#store.position.seq + 1
  }

  /** Asks for what is missing between the store and `target`. */
  #replay(target: number, now: number): void {
    if (this.#replayTarget === undefined) this.#replayedCount = 0
    this.#replayTarget = Math.max(target, this.#replayTarget ?? 0)
    this.#askReplay(now)
  }

  #askReplay(now: number): void {
    const fromSeq = this.#store.position.seq + 1
    this.#asker.ask({ kind: 'replay', fromSeq, limit: REPLAY_EVENTS }, now)
  }

  #replayedBatch(batch: EventBatch, fromSeq: number, now: number): void {
    if (this.#replayTarget === undefined) return
    if (batch.events.length === 0) {
      // Nothing from there on: what was said to exist does not.
      this.#replayTarget = undefined
      if (this.#buffer.length > 0)
        this.#lose(this.#buffer[0]!.firstSeq - 1, `no events from ${fromSeq} on`, now)
      this.#advance(now)
      return
    }
    const { seq } = this.#store.position
    if (batch.firstSeq > seq + 1) this.#lose(batch.firstSeq - 1, 'the replay began later than asked', now)
    const before = this.#store.position.seq
    this.#apply(batch, true, now)
    const count = this.#store.position.seq - before
    this.#replayedCount += count
    this.#counters.replayed += count
    this.#advance(now)
  }

  #replayLost(now: number): void {
    const next = this.#buffer[0]
    if (next !== undefined) {
      this.#replayTarget = undefined
      this.#lose(next.firstSeq - 1, 'the ring of the hook no longer has them', now)
      this.#advance(now)
      return
    }
    this.#replayTarget = undefined
    if (this.#notInRingAt === this.#store.position.seq) {
      this.#lose(this.#newestSeq, 'the ring of the hook does not have them', now)
      return
    }
    // Where the ring begins now is in Hello.
    this.#notInRingAt = this.#store.position.seq
    this.#asker.ask({ kind: 'hello' }, now)
  }

  /** Goes on with whatever the newest position allows. */
  #advance(now: number): void {
    let room = SLICE_EVENTS
    while (room > 0 && this.#bufferIsNext()) {
      const batch = this.#buffer.shift()!
      this.#bufferedEvents -= batch.events.length
      if (batch.firstSeq + batch.events.length - 1 <= this.#store.position.seq) continue
      room -= batch.events.length
      this.#apply(batch, false, now)
    }
    const { seq } = this.#store.position
    if (this.#replayTarget !== undefined && !this.#asker.isAsking('replay')) {
      if (this.#buffer.length === 0 ? seq >= this.#replayTarget : this.#bufferIsNext()) {
        this.#replayTarget = undefined
        this.#note({ kind: 'replayed', count: this.#replayedCount, seq })
      } else {
        this.#askReplay(now)
      }
    }
    if (this.#buffer.length > 0 && this.#replayTarget === undefined && !this.#bufferIsNext()) {
      this.#replay(this.#newestSeq, now)
    }
    if (
      this.#unproven &&
      !this.#raiseAtWalkEnd &&
      this.#replayTarget === undefined &&
      seq >= this.#restampThrough
    ) {
      this.#unproven = false // Everything that can have been shown has been told again.
    }
    const held = this.#walk?.held
    if (held !== undefined && seq >= held.stamp) this.#applyPage(this.#walk!, held, now)
  }

  #apply(batch: EventBatch, replayed: boolean, now: number): void {
    const at = this.#clock()
    const keaNow = Math.floor(batch.clock / 1000)
    const done = this.#store.position.seq
    let seq = batch.firstSeq - 1
    let lost: DecodeError | undefined
    for (const event of batch.events) {
      seq += 1
      if (seq <= done) continue
      if (event.kind === 'unreadable') lost = event.error
      else if (event.kind !== 'unknown')
        this.#applyEvent(event, seq, keaNow, at, replayed || seq <= this.#restampThrough)
    }
    this.#counters.events += seq - done
    this.#moveTo(seq)
    if (lost !== undefined) {
      this.#counters.unreadable += 1
      this.#lose(seq, `an event cannot be read: ${lost.message}`, now)
    }
  }

  #applyEvent(
    event: LeaseChange | Annotation,
    seq: number,
    keaNow: UnixSeconds,
    at: LogicalSeconds,
    restamp: boolean,
  ): void {
    const address = event.kind === 'change' ? event.lease.address : event.address
    let next: BindingData | undefined
    if (event.kind === 'change') {
      const previous = this.#store.peek(address)
      next = applyChange(event, previous, keaNow, restamp)
      if (next !== undefined && next === previous) next = this.#store.get(address) // A change needs a value of its own.
    } else {
      next = applyAnnotation(event, this.#store.get(address), restamp)
    }
    if (next !== undefined) this.#put(next, at)
    // An annotation says nothing of whether the lease is there.
    if (this.#walk !== undefined && event.kind === 'change') {
      this.#walk.touch(address, seq)
      this.#store.mark(address)
    }
  }

  #put(next: BindingData, at: LogicalSeconds): void {
    this.#store.put(next, at)
    this.#counters.changes += 1
  }

  /** Events up to `through` cannot be had any more. They count as applied, and a walk has to find what they did. */
  #lose(through: number, reason: string, now: number): void {
    const { seq } = this.#store.position
    this.#counters.gaps += 1
    this.#note({ kind: 'gap', reason, seq })
    this.#lostThrough = through
    this.#walkNeeded = true
    this.#moveTo(through)
    if (this.#unproven && !this.#raiseAtWalkEnd) {
      // What was shown before the stop and is not in the store cannot be told from what never was. No start time of before
      // is good any more; the end of the walk says it once more, for those who come in between.
      this.#store.raiseHorizon(this.#clock())
      this.#raiseAtWalkEnd = true
      this.#note({
        kind: 'note',
        note: 'what was shown before the unclean stop cannot be proven: older start times get DataMissing',
      })
    }
    if (this.#walk === undefined) {
      this.#beginWalk(now)
      return
    }
    this.#store.clearMarks()
    const wasPaging = this.#walk.stage === 'paging' && this.#walk.held === undefined
    this.#walk.lose(through)
    if (!wasPaging || !this.#asker.isAsking('page')) this.#askPage(this.#walk, now)
  }

  // ---------------------------------------------------------------------------------------- walks

  #beginWalk(now: number): void {
    if (this.#confirmAt !== undefined && now < this.#confirmAt) return
    this.#confirmAt = undefined
    this.#store.clearMarks()
    this.#walk = new Walk(this.#asker.nextId(), now, this.#lostThrough)
    this.#moveTo(this.#store.position.seq)
    this.#askPage(this.#walk, now)
  }

  #askPage(walk: Walk, now: number): void {
    walk.pageAsked()
    this.#asker.ask({ kind: 'page', walk: walk.id, after: walk.after, limit: PAGE_LEASES }, now)
  }

  #page(
    page: SnapshotPage,
    asked: { readonly kind: AskedKind; readonly after?: Uint8Array; readonly walk?: number },
    now: number,
  ): void {
    const walk = this.#walk
    if (walk === undefined || asked.walk !== walk.id || walk.stage !== 'paging') return
    const objection =
      page.walk !== walk.id || !sameAddress(page.after, walk.after)
        ? 'it is not the one that was asked for'
        : walk.objection(page)
    if (objection !== undefined) {
      this.#failed({ kind: 'page' }, { kind: 'error', code: FeedErrorCode.unspecified, text: objection }, now)
      return
    }
    this.#succeeded('page')
    if (page.stamp < walk.leastStamp || walk.lostTrack) {
      this.#askPage(walk, now)
    } else if (this.#store.position.seq < page.stamp) {
      walk.held = page
    } else {
      this.#applyPage(walk, page, now)
    }
  }

  #applyPage(walk: Walk, page: SnapshotPage, now: number): void {
    walk.held = undefined
    if (walk.lostTrack) {
      this.#askPage(walk, now)
      return
    }
    const at = this.#clock()
    const keaNow = Math.floor(page.clock / 1000)
    for (const row of page.leases) {
      if (walk.isNewerThan(row.address, page.stamp)) continue // Marked when that event came.
      const next = reconcileRow(row, this.#store.peek(row.address), keaNow)
      if (next !== undefined) {
        this.#put(next, at)
        walk.changed += 1
      }
      this.#store.mark(row.address)
    }
    for (const { address, error } of page.unreadable) {
      this.#counters.unreadable += 1
      this.#trouble('row', `a lease of Kea cannot be read and is left as it is known: ${error.message}`)
      if (address !== undefined) this.#store.mark(address)
    }
    this.#counters.pages += 1
    if (walk.advance(page)) walk.stage = 'counting'
    else this.#askPage(walk, now)
  }

  /** A bounded piece of the end of a walk. */
  #slice(now: number): void {
    const walk = this.#walk
    if (walk === undefined || walk.stage === 'paging') return
    const { bindings, next } = this.#store.unmarked(walk.from, SLICE_BINDINGS)
    walk.from = next
    if (walk.stage === 'counting') {
      walk.missing += bindings.length
      if (next === 0) this.#counted(walk, now)
      return
    }
    const at = this.#clock()
    const keaNow = this.#keaClock.now(now) ?? 0
    for (const binding of bindings) this.#put(vanished(binding, keaNow), at)
    walk.ended += bindings.length
    if (next === 0) this.#walked(walk, now)
  }

  #counted(walk: Walk, now: number): void {
    const { massEndLeast, massEndPauseMs, massEndShare } = this.#settings
    const active = this.#store.counts.get(BindingState.active) ?? 0
    const isMass = walk.missing > massEndLeast && walk.missing > massEndShare * active
    if (isMass && this.#massMissing === 0) {
      this.#massMissing = walk.missing
      this.#walk = undefined
      this.#confirmAt = now + massEndPauseMs
      this.#moveTo(this.#store.position.seq)
      this.#trouble(
        'mass-end',
        `${walk.missing} of ${active} active bindings are no longer in Kea's lease database; they are told as ended if a second walk agrees`,
      )
      return
    }
    walk.stage = 'sweeping'
    walk.from = 0
  }

  #walked(walk: Walk, now: number): void {
    this.#walk = undefined
    this.#massMissing = 0
    this.#troubles.delete('mass-end')
    this.#counters.walks += 1
    this.#nextWalkAt = this.#afterPause(now)
    // In this very turn with the last of the sweep: the store writes both or neither.
    this.#walkNeeded = false
    this.#moveTo(this.#store.position.seq)
    if (this.#raiseAtWalkEnd || this.#store.horizon === undefined) this.#store.raiseHorizon(this.#clock())
    this.#raiseAtWalkEnd = false
    this.#unproven = false
    this.#note({
      kind: 'reconciled',
      count: walk.rows,
      changed: walk.changed,
      ended: walk.ended,
      seconds: Math.round((now - walk.startedAt) / 100) / 10,
    })
  }

  #afterPause(now: number): number {
    const { walkEveryMs } = this.#settings
    return walkEveryMs === 0 ? Number.POSITIVE_INFINITY : now + walkEveryMs
  }

  // ---------------------------------------------------------------------------------------- time and trouble

  #eachSecond(now: number): void {
    const silentFor = now - this.#heardAt
    if (!this.#silent && silentFor >= this.#settings.silentAfterMs) {
      this.#silent = true
      this.#note({ kind: 'silent', seconds: Math.round(silentFor / 1000) })
    }
    const isLive = this.#epoch !== '' && !this.#silent
    if (isLive && this.#walk === undefined) {
      const due = this.#confirmAt ?? (this.#walkNeeded ? now : this.#nextWalkAt)
      if (now >= due) this.#beginWalk(now)
    }
    // With events missing a lease may have been renewed unseen: the walk tells.
    if (isLive && !this.#walkNeeded && this.#replayTarget === undefined) this.#endOverdue(now)
    else this.#overdue = []
  }

  /** Tells of leases that have ended by the clock, a bounded number at a time. */
  #endOverdue(now: number): void {
    const keaNow = this.#keaClock.now(now)
    if (keaNow === undefined) return
    const before = keaNow - RECLAIM_GRACE_SECONDS
    if (this.#overdue.length === 0) {
      this.#overdue = this.#store.overdue(before)
      if (this.#overdue.length === 0) return
    }
    const at = this.#clock()
    for (const { address } of this.#overdue.splice(0, SLICE_BINDINGS)) {
      const binding = this.#store.get(address) // It may have been renewed while it waited here.
      if (binding?.state === BindingState.active && expiryOf(binding) <= before) {
        this.#put(overdue(binding), at)
      }
    }
    // There may be more than one call of the store gives.
    this.#nextSecond = now
  }

  #hearClock(clock: number, now: number): void {
    const back = this.#keaClock.hear(clock, now)
    if (back > RECLAIM_GRACE_SECONDS * 1000) {
      // What was told as ended by the clock, or left out by a walk, may be in force again, and no event says so.
      this.requestWalk(`Kea's clock went back by ${Math.round(back / 1000)} s`, now)
    }
  }

  #heard(now: number): void {
    if (this.#silent) {
      this.#silent = false
      this.#note({ kind: 'back', seconds: Math.round((now - this.#heardAt) / 1000) })
    }
    this.#heardAt = now
  }

  #failed(asked: { readonly kind: AskedKind }, error: FeedError, now: number): void {
    const patient = error.code === FeedErrorCode.notReady || error.code === FeedErrorCode.busy
    const text = `Kea cannot give ${askedFor[asked.kind]}: ${error.text}`
    if (patient) this.#note({ kind: 'note', note: text })
    else this.#trouble(asked.kind, text)
    if (asked.kind === 'page') {
      const walk = this.#walk
      if (walk === undefined || walk.stage !== 'paging') return
      walk.pageAsked()
      this.#asker.askLater({ kind: 'page', walk: walk.id, after: walk.after, limit: PAGE_LEASES }, now)
    } else if (asked.kind === 'replay') {
      const fromSeq = this.#store.position.seq + 1
      this.#asker.askLater({ kind: 'replay', fromSeq, limit: REPLAY_EVENTS }, now)
    } else {
      this.#asker.askLater({ kind: asked.kind }, now)
    }
  }

  #succeeded(kind: AskedKind): void {
    this.#asker.succeeded(kind)
    this.#troubles.delete(kind)
  }

  /** Told once, and stands among the problems until it is over. */
  #trouble(what: string, reason: string): void {
    if (this.#troubles.get(what) === reason) return
    this.#troubles.set(what, reason)
    this.#note({ kind: 'problem', reason })
  }

  #note(note: FeedNote): void {
    this.#outputs.push({ kind: 'note', note })
  }
}

const askedFor: Readonly<Record<AskedKind, string>> = {
  hello: 'its identity',
  replay: 'missed events',
  page: 'a page of its leases',
  config: 'its subnets',
}

function errorOf(body: ReplyBody): FeedError {
  return body.kind === 'error'
    ? body
    : { kind: 'error', code: FeedErrorCode.unspecified, text: `the answer is a ${body.kind}` }
}

function sameAddress(a: Uint8Array = NO_OCTETS, b: Uint8Array = NO_OCTETS): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
