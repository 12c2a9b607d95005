// Follows a hook's feed, without a socket or a clock: messages, replies and the time come in, requests and notes come
// out, and the store is brought up to date on the way.
//
//   connecting ──Hello──> same epoch, next event in the ring, no walk pending ──> replaying ──┐
//                    └──> else: position moves to the newest event, walk pending ──> walking ─┴─> following
//
// The position {epoch, seq, walk pending} says what the store holds. Events that cannot be had again make a walk pending,
// and only the end of a complete walk clears it. Live events are applied all along, also during a walk.
import type { Family, LogicalSeconds, UnixSeconds } from '../binding.ts'
import { secondsOf } from '../seconds.ts'
import type { BindingStore } from '../store/store.ts'
import { RECLAIM_GRACE_SECONDS } from './apply.ts'
import { applyBatch } from './apply-batch.ts'
import type { AskedKind } from './asker.ts'
import { FIRST_CONFIG_PAGE, KeaConfig } from './config-pages.ts'
import type { DecodeError } from './decode-error.ts'
import {
  type EventBatch,
  type FeedError,
  FeedErrorCode,
  type FeedMessage,
  type FeedReply,
  type FeedReport,
  type Heartbeat,
  type Hello,
} from './events.ts'
import { askedFor, errorOf, isError } from './failures.ts'
import { keaDetails, refusalOf } from './hello.ts'
import { KeaClock } from './kea-clock.ts'
import type { FeedDetails, FeedState, FeedStatus } from './notes.ts'
import { OverdueLeases } from './overdue.ts'
import { type FollowerOutput, type FollowerSettings, Progress } from './progress.ts'
import { Proof } from './proof.ts'
import { Reconciler } from './reconciler.ts'
import { Replay } from './replay.ts'

/** How the store was found when it was opened. */
export interface StoreOpening {
  /** The last stop had been noted, after everything was on disk. */
  readonly wasClean: boolean
}

export interface FollowerOptions {
  readonly family: Family
  readonly store: BindingStore
  /** L. Read once for each batch, page and slice: all changes of one bear one second. */
  readonly clock: () => LogicalSeconds
  readonly opening: StoreOpening
  readonly settings?: Partial<FollowerSettings>
  /** Kea runs on this host, under the same clock. */
  readonly sameHost?: boolean
  /**
   * Called where {@link Follower.takeOutputs} has a request and work follows that need not be over before it is sent.
   * Whoever does nothing about it sends it after that work.
   */
  readonly sendNow?: () => void
}

/** Events of batches that waited, before other work gets its turn. */
const SLICE_EVENTS = 512
const SECOND_MS = 1_000
/** By how much Kea's clock has to be moved at once for a word about it. */
const CLOCK_STEP_SECONDS = 60

export class Follower {
  readonly #family: Family
  readonly #store: BindingStore
  readonly #progress: Progress
  readonly #replay: Replay
  readonly #reconciler: Reconciler
  readonly #keaClock: KeaClock
  readonly #proof: Proof
  readonly #overdue: OverdueLeases
  readonly #config: KeaConfig

  #refusal = ''
  #hello: Hello | undefined
  /** When the hook of this epoch was met. */
  #metAt = 0
  #resyncGeneration: number | undefined

  /** When the feed that is followed was last heard. */
  #heardAt: number
  /** When anything was published, followed or not. */
  #frameAt = Number.NEGATIVE_INFINITY
  #silent = false
  #nextSecond: number

  /** @param now monotonic milliseconds, as everywhere here */
  constructor(options: FollowerOptions, now: number) {
    this.#family = options.family
    this.#store = options.store
    this.#keaClock = new KeaClock(options.sameHost)
    this.#progress = new Progress(options.store, options.clock, options.settings ?? {}, options.sendNow)
    this.#config = new KeaConfig(this.#progress)
    this.#replay = new Replay(this.#progress)
    this.#proof = new Proof(this.#progress, options.opening.wasClean)
    this.#overdue = new OverdueLeases(this.#progress)
    this.#reconciler = new Reconciler(this.#progress, () => this.#proof.walked(), now)
    this.#heardAt = now
    this.#nextSecond = now + SECOND_MS
    this.#progress.asker.ask({ kind: 'hello' }, now)
  }

  /** What there is to do, since the last call. */
  takeOutputs(): FollowerOutput[] {
    return this.#progress.takeOutputs()
  }

  /** Something of the PUB socket. */
  message(message: FeedMessage, now: number): void {
    const isNews = now - this.#frameAt >= this.#progress.settings.silentAfterMs
    this.#frameAt = now
    const { asker, epoch } = this.#progress
    if (epoch === '') {
      // Hello says where to begin; what this was about comes again. Kea is there now: after hours without it the next
      // attempt would be minutes away.
      if (isNews) {
        asker.succeeded('hello')
        asker.ask({ kind: 'hello' }, now)
      }
      return
    }
    if (message.epoch !== epoch) {
      // A hook loaded anew, or a late message of one that is gone: epochs cannot be compared where Kea's clock has
      // stepped back, but the hook that answers now is the one that there is.
      this.#askHello(now)
      return
    }
    this.#heard(now)
    this.#hearClock(message.clock, now)
    this.#checkJudgement(now)
    if (message.kind === 'heartbeat') this.#heartbeat(message, now)
    else this.#batch(message, now)
  }

  /** Something of the ROUTER socket. */
  reply(reply: FeedReply, now: number): void {
    const asked = this.#progress.asker.take(reply.id)
    if (asked === undefined) return // Late, repeated, or of a walk that has been given up.
    const { body } = reply
    if (asked.kind === 'hello') {
      if (body.kind === 'hello') this.#helloed(body, reply.epoch, now)
      else this.#failed('hello', errorOf(body), now)
    } else if (reply.epoch !== this.#progress.epoch || isError(body, FeedErrorCode.wrongEpoch)) {
      // At once, also where a Hello is under way: whoever answered this answers that.
      this.#progress.asker.ask({ kind: 'hello' }, now)
    } else if (asked.kind === 'replay' && body.kind === 'batch') {
      this.#progress.succeeded('replay')
      this.#replayed(body, now)
    } else if (asked.kind === 'replay' && isError(body, FeedErrorCode.notInRing)) {
      this.#notInRing(now)
    } else if (asked.kind === 'page' && body.kind === 'page') {
      this.#hearClock(body.clock, now) // Before its rows are judged by it.
      const objection = this.#reconciler.page(body, asked.walk, now)
      if (objection !== undefined) this.#failed('page', errorOf(body, objection), now)
    } else if (asked.kind === 'config' && body.kind === 'config') {
      const objection = this.#config.page(body, now)
      if (objection !== undefined) this.#failed('config', errorOf(body, objection), now)
    } else {
      this.#failed(asked.kind, errorOf(body), now)
    }
  }

  /** A frame that cannot be read. What it carried shows as a gap or a reply that never comes. */
  unreadable(error: DecodeError): void {
    this.#progress.counters.unreadable += 1
    this.#progress.trouble('frame', `a message of the feed cannot be read: ${error.message}`)
  }

  /** To be called at {@link deadline}. */
  tick(now: number): void {
    for (const kind of this.#progress.asker.tick(now)) {
      // A Kea that is not there is silent, no more; one that publishes should answer as well.
      if (kind === 'hello' && now - this.#frameAt >= this.#progress.settings.silentAfterMs) continue
      this.#progress.trouble(kind, `Kea has not answered a request for ${askedFor[kind]} in time`)
    }
    if (!this.#replay.isEmpty) this.#advance(now)
    this.#reconciler.slice(this.#keaClock.now(now) ?? 0, now)
    if (now >= this.#nextSecond) {
      this.#nextSecond = now + SECOND_MS
      this.#eachSecond(now)
    }
  }

  /** When {@link tick} wants to be called, monotonic milliseconds; 0 = as soon as others had their turn. */
  deadline(): number {
    if (this.#reconciler.hasWork || this.#replay.hasNext || this.#overdue.hasWork) return 0
    return Math.min(this.#progress.asker.deadline(), this.#nextSecond)
  }

  /** Begins a walk now, for the reason that the log is given. */
  requestWalk(reason: string, now: number): void {
    this.#progress.note({ kind: 'note', note: `walk: ${reason}` })
    this.#progress.walkNeeded = true
    this.#progress.stay()
    if (this.#progress.epoch !== '') this.#reconciler.beginAtOnce(now)
  }

  /** Nothing more is followed. */
  stop(): void {
    this.#progress.asker.cancelAll()
    this.#reconciler.forget()
    this.#proof.stop()
  }

  /** Tells Kea how it goes. Whether the report arrives is of no matter: the next one follows. */
  sendReport(report: FeedReport): void {
    const { asker } = this.#progress
    const request = { id: asker.nextId(), epoch: asker.epoch, body: { kind: 'report', report } as const }
    this.#progress.output({ kind: 'request', request })
  }

  /**
   * Kea's clock, Unix seconds; undefined until it has been heard.
   * @param wall this host's clock, Unix milliseconds
   */
  keaNow(now: number, wall?: number): UnixSeconds | undefined {
    return this.#keaClock.now(now, wall)
  }

  /** Bindings changed so far. */
  get changes(): number {
    return this.#progress.counters.changes
  }

  status(now: number): FeedStatus {
    const { epoch, isWalking, newestSeq, seq, troubles, walkNeeded } = this.#progress
    return {
      state: this.#state(),
      epoch,
      appliedSeq: seq,
      newestSeq: Math.max(newestSeq, seq),
      walkPending: walkNeeded,
      walking: isWalking,
      indexTrusted: this.#store.horizon !== undefined && !this.#proof.isMissing,
      silentForMs: Math.max(0, now - this.#heardAt),
      problems: troubles.map((text) => ({ parameter: '', text })),
    }
  }

  /** {@link status}, and what else is known. */
  details(now: number): FeedDetails {
    const hello = this.#progress.epoch === '' ? undefined : this.#hello
    const { applyDelay, counters, ring } = this.#progress
    return {
      ...this.status(now),
      counters: { ...counters, byKind: { ...counters.byKind } },
      applyDelay: applyDelay.state(),
      ring,
      kea: hello === undefined ? null : keaDetails(hello, secondsOf(now - this.#metAt)),
      ...this.#reconciler.progress(now),
    }
  }

  #state(): FeedState {
    if (this.#refusal !== '') return 'refused'
    if (this.#silent) return 'silent'
    if (this.#progress.epoch === '') return 'connecting'
    if (this.#replay.isActive) return 'replaying'
    return this.#progress.walkNeeded ? 'walking' : 'following'
  }

  // ---------------------------------------------------------------------------------------- Hello

  #askHello(now: number): void {
    const { asker } = this.#progress
    if (!asker.isAsking('hello')) asker.ask({ kind: 'hello' }, now)
  }

  #helloed(hello: Hello, epoch: string, now: number): void {
    const progress = this.#progress
    this.#refusal = refusalOf(hello, this.#family)
    if (this.#refusal !== '') {
      progress.epoch = ''
      progress.asker.cancelAll()
      progress.asker.epoch = epoch // For the report that says so.
      progress.trouble('hello', this.#refusal)
      progress.asker.askLater({ kind: 'hello' }, now)
      return
    }
    progress.succeeded('hello')
    this.#heard(now)
    this.#hearClock(hello.clock, now)
    const isFirst = progress.epoch === ''
    const isOther = progress.epoch !== epoch
    if (isOther) {
      progress.epoch = epoch
      progress.newestSeq = 0
      this.#metAt = now
      progress.asker.cancelAll()
      progress.asker.epoch = epoch
      this.#replay.clear()
      this.#config.forget()
      this.#resyncGeneration = undefined
      progress.note({ kind: 'connected', kea: hello.keaVersion, epoch })
    }
    progress.newestSeq = Math.max(progress.newestSeq, hello.lastSeq)
    progress.extendedInfo = hello.extendedInfo
    if (isOther || this.#hello?.serviceGeneration !== hello.serviceGeneration) {
      progress.output({ kind: 'hello', hello })
    }
    this.#hello = hello
    this.#resume(hello, isFirst, now)
    this.#checkJudgement(now)
    this.#generations(hello, now)
  }

  /** Replays what the ring still has; where that is not all, walks. */
  #resume(hello: Hello, isFirst: boolean, now: number): void {
    const { epoch, seq, walkPending } = this.#store.position
    if (epoch !== this.#progress.epoch) {
      this.#lose(hello.lastSeq, epoch === '' ? 'first start' : 'Kea has been started or configured anew', now)
      return
    }
    if (isFirst) this.#proof.begin(hello.lastSeq)
    if (seq > hello.lastSeq) {
      this.#lose(hello.lastSeq, `the store is ahead of Kea, at ${seq} of ${hello.lastSeq}`, now)
    } else if (isFirst && walkPending) {
      this.#lose(hello.lastSeq, 'a walk had not ended', now)
    } else if (seq < hello.lastSeq && seq + 1 < hello.oldestSeq) {
      this.#lose(hello.lastSeq, `the ring of the hook begins at ${hello.oldestSeq}`, now)
    } else if (seq < hello.lastSeq) {
      this.#replay.begin(hello.lastSeq, now)
    }
    this.#reconciler.resume(now)
    this.#advance(now)
  }

  #generations(of: Hello | Heartbeat, now: number): void {
    this.#config.heard(of.configGeneration, now)
    const resync = this.#resyncGeneration
    this.#resyncGeneration = of.resyncGeneration
    if (resync !== undefined && resync !== of.resyncGeneration) {
      this.#progress.output({ kind: 'resync' })
      this.requestWalk('the operator asked for it', now)
    }
    if (of.serviceGeneration !== this.#hello?.serviceGeneration) this.#askHello(now)
  }

  // ---------------------------------------------------------------------------------------- events

  #heartbeat(heartbeat: Heartbeat, now: number): void {
    const { newestSeq, seq } = this.#progress
    this.#progress.newestSeq = Math.max(newestSeq, heartbeat.lastSeq)
    this.#progress.ring = {
      ...heartbeat.ring,
      kept: Math.max(0, heartbeat.lastSeq - heartbeat.oldestSeq + 1),
    }
    this.#generations(heartbeat, now)
    // The hook publishes in order: what it has published and we have not got by now is lost on the way.
    const waits = this.#replay.isActive || !this.#replay.isEmpty
    if (!waits && heartbeat.lastSeq > seq) this.#replay.begin(heartbeat.lastSeq, now)
  }

  #batch(batch: EventBatch, now: number): void {
    const last = batch.firstSeq + batch.events.length - 1
    const { newestSeq, seq } = this.#progress
    this.#progress.newestSeq = Math.max(newestSeq, last)
    if (last <= seq) return
    if (this.#replay.isEmpty && batch.firstSeq <= seq + 1) this.#apply(batch, false, now)
    else this.#replay.keep(batch)
    this.#advance(now)
  }

  #replayed(batch: EventBatch, now: number): void {
    if (!this.#replay.isActive) return
    const { seq } = this.#progress
    if (batch.events.length === 0) {
      // Nothing from there on: what was said to exist does not.
      this.#replay.giveUp()
      const next = this.#replay.waitsFor
      if (next !== undefined) this.#lose(next - 1, `no events from ${seq + 1} on`, now)
    } else {
      if (batch.firstSeq > seq + 1) this.#lose(batch.firstSeq - 1, 'the replay began later than asked', now)
      const before = this.#progress.seq
      this.#apply(batch, true, now)
      this.#replay.came(this.#progress.seq - before)
    }
    this.#advance(now)
  }

  #notInRing(now: number): void {
    this.#replay.giveUp()
    const next = this.#replay.waitsFor
    if (next !== undefined) {
      this.#lose(next - 1, 'the ring of the hook no longer has them', now)
      this.#advance(now)
    } else if (this.#replay.notInRing()) {
      this.#lose(this.#progress.newestSeq, 'the ring of the hook does not have them', now)
    } else {
      this.#askHello(now) // It says where the ring begins now.
    }
  }

  /** Goes on with whatever the newest position allows. */
  #advance(now: number): void {
    for (let room = SLICE_EVENTS; room > 0 && this.#replay.hasNext; ) {
      const batch = this.#replay.take()
      room -= batch.events.length
      if (batch.firstSeq + batch.events.length - 1 > this.#progress.seq) this.#apply(batch, false, now)
    }
    this.#replay.advance(now)
    if (!this.#replay.isActive) this.#proof.advance()
    this.#reconciler.advance(now)
  }

  #apply(batch: EventBatch, isReplayed: boolean, now: number): void {
    const isTold = (seq: number) => isReplayed || this.#proof.mayHaveBeenShown(seq)
    const touch = (address: Uint8Array, seq: number) => this.#reconciler.touch(address, seq)
    const before = this.#progress.counters.events
    const lost = applyBatch(this.#progress, batch, isTold, touch)
    // A replayed batch does not say when its events were published first.
    if (!isReplayed) {
      const count = this.#progress.counters.events - before
      this.#progress.applyDelay.observe(this.#keaClock.secondsSince(batch.clock, now), count)
    }
    if (lost !== undefined) this.#lose(this.#progress.seq, `an event cannot be read: ${lost.message}`, now)
  }

  /** Events up to `through` cannot be had any more. They count as applied, and a walk has to find what they did. */
  #lose(through: number, reason: string, now: number): void {
    const progress = this.#progress
    progress.counters.gaps += 1
    progress.note({ kind: 'gap', reason, seq: progress.seq })
    progress.walkNeeded = true
    const isOther = this.#store.position.epoch !== progress.epoch
    if (!isOther) progress.counters.lost += Math.max(0, through - progress.seq)
    progress.moveTo(through)
    if (isOther) this.#reconciler.forget()
    this.#proof.lose()
    this.#reconciler.lose(through, now)
  }

  // ---------------------------------------------------------------------------------------- time and trouble

  #eachSecond(now: number): void {
    const silentFor = now - this.#heardAt
    if (!this.#silent && silentFor >= this.#progress.settings.silentAfterMs) {
      this.#silent = true
      this.#progress.note({ kind: 'silent', seconds: Math.round(silentFor / 1000) })
    }
    const isLive = this.#progress.epoch !== '' && !this.#silent
    if (isLive) this.#reconciler.eachSecond(now)
    // With events missing a lease may have been renewed unseen: the walk tells.
    if (!isLive || this.#progress.walkNeeded || this.#replay.isActive) {
      this.#overdue.forget()
      return
    }
    const keaNow = this.#keaClock.now(now)
    if (keaNow !== undefined && this.#overdue.slice(keaNow)) this.#nextSecond = now
  }

  #hearClock(clock: number, now: number): void {
    const before = this.#keaClock.now(now)
    this.#keaClock.hear(clock, now)
    const moved = before === undefined ? 0 : this.#keaClock.now(now)! - before
    if (Math.abs(moved) > CLOCK_STEP_SECONDS) {
      this.#progress.note({
        kind: 'clock',
        direction: moved > 0 ? 'forward' : 'backward',
        seconds: Math.abs(moved),
      })
    }
  }

  /**
   * Where Kea's clock has gone back, what was told as ended by it, or left out by a walk, may be in force again, and no
   * event says so. It may have gone back while nobody here listened, too: so it is compared with what the store remembers.
   */
  #checkJudgement(now: number): void {
    const keaNow = this.#keaClock.now(now)
    if (keaNow === undefined) return
    const back = this.#progress.judgedAt - keaNow
    if (back <= RECLAIM_GRACE_SECONDS) return
    this.#progress.judgeAnew(keaNow)
    this.requestWalk(
      `Kea's clock went back: it was at least ${back} s ahead when leases were last judged by it`,
      now,
    )
  }

  #heard(now: number): void {
    if (this.#silent) {
      this.#silent = false
      this.#progress.note({ kind: 'back', seconds: Math.round((now - this.#heardAt) / 1000) })
    }
    this.#heardAt = now
  }

  #failed(kind: AskedKind, error: FeedError, now: number): void {
    const text = `Kea cannot give ${askedFor[kind]}: ${error.text}`
    const passes = error.code === FeedErrorCode.notReady || error.code === FeedErrorCode.busy
    if (passes) this.#progress.note({ kind: 'note', note: text })
    else this.#progress.trouble(kind, text)
    if (kind === 'page') this.#reconciler.askLater(now)
    else if (kind === 'replay') this.#replay.askLater(now)
    else this.#progress.asker.askLater(kind === 'config' ? FIRST_CONFIG_PAGE : { kind }, now)
  }
}
