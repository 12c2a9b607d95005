// Walks: when one begins, what its pages do to the store, and what is done about bindings that none has shown.
import { type BindingData, BindingState, type UnixSeconds } from '../binding.ts'
import { secondsOf } from '../seconds.ts'
import { reconcileRow, vanished } from './apply.ts'
import type { LeaseRow, SnapshotPage } from './events.ts'
import type { FeedDetails, WalkProgress } from './notes.ts'
import { type Progress, SLICE_BINDINGS } from './progress.ts'
import { Walk } from './walk.ts'

const PAGE_LEASES = 256

export class Reconciler {
  readonly #progress: Progress
  readonly #onEnd: () => void
  #walk: Walk | undefined
  #nextAt: number
  #lostThrough = 0
  /** Kea's time at which events began to be missing, or earlier; Infinity = none are. */
  #lostSince: UnixSeconds
  /** A walk found so many bindings gone that a second one has to agree, at this time. */
  #confirmAt: number | undefined
  #last: { readonly walk: WalkProgress; readonly at: number } | undefined
  /** How many the last such walk found gone. */
  #massMissing = 0

  /** @param onEnd a walk is complete: the position has just been moved, and nothing is missing any more */
  constructor(progress: Progress, onEnd: () => void, now: number) {
    this.#progress = progress
    this.#onEnd = onEnd
    this.#nextAt = this.#afterPause(now)
    this.#lostSince = progress.walkNeeded ? 0 : Number.POSITIVE_INFINITY
  }

  /** There is work that needs nobody's answer. */
  get hasWork(): boolean {
    return this.#walk !== undefined && this.#walk.stage !== 'paging'
  }

  /** The walk under way, and the one that ended last. */
  progress(now: number): Pick<FeedDetails, 'walk' | 'lastWalk'> {
    const last = this.#last
    return {
      walk: this.#walk === undefined ? null : progressOf(this.#walk, now),
      lastWalk: last === undefined ? null : { ...last.walk, agoSeconds: secondsOf(now - last.at) },
    }
  }

  /** Begins a walk, instead of one that is under way. */
  begin(now: number): void {
    if (this.#confirmAt !== undefined && now < this.#confirmAt) return
    this.#confirmAt = undefined
    this.#progress.store.clearMarks()
    this.#progress.over('row')
    this.#setWalk(new Walk(this.#progress.asker.nextId(), now, this.#lostThrough))
    this.#ask(this.#walk!, now)
  }

  /** As {@link begin}, without waiting where a second walk was to wait. */
  beginAtOnce(now: number): void {
    this.#confirmAt = undefined
    this.begin(now)
  }

  /** Whatever was found out was about another epoch. */
  forget(): void {
    this.#setWalk(undefined)
    this.#confirmAt = undefined
    this.#massMissing = 0
  }

  /** Begins the walk that is due, if the feed can be heard. */
  eachSecond(now: number): void {
    if (this.#walk !== undefined) return
    const due = this.#confirmAt ?? (this.#progress.walkNeeded ? now : this.#nextAt)
    if (now >= due) this.begin(now)
  }

  /** Events up to `seq` are lost: a walk finds what they did. */
  lose(seq: number, now: number): void {
    this.#lostThrough = seq
    this.#lostSince = Math.min(this.#lostSince, this.#lastTold())
    const walk = this.#walk
    if (walk === undefined) {
      this.begin(now)
      return
    }
    this.#progress.store.clearMarks()
    // A page that is under way may turn out to have been read late enough.
    const isAsking =
      walk.stage === 'paging' && walk.held === undefined && this.#progress.asker.isAsking('page')
    walk.lose(seq)
    if (!isAsking) this.#ask(walk, now)
  }

  /** What was asked may have been given up: asks again. */
  resume(now: number): void {
    const walk = this.#walk
    if (walk?.stage === 'paging' && walk.held === undefined && !this.#progress.asker.isAsking('page')) {
      this.#ask(walk, now)
    }
  }

  /** The page cannot be had now. It never ends a walk. */
  askLater(now: number): void {
    const walk = this.#walk
    if (walk?.stage !== 'paging') return
    walk.pageAsked()
    this.#progress.asker.askLater(requestOf(walk), now)
  }

  /** An event for this address has been applied. */
  touch(address: Uint8Array, seq: number): void {
    if (this.#walk === undefined) return
    this.#walk.touch(address, seq)
    this.#progress.store.mark(address)
  }

  /** @returns what is wrong with the page, if anything is */
  page(page: SnapshotPage, askedWalk: number, now: number): string | undefined {
    const walk = this.#walk
    if (walk === undefined || askedWalk !== walk.id || walk.stage !== 'paging') return undefined
    const objection = walk.objection(page)
    if (objection !== undefined) return objection
    this.#progress.succeeded('page')
    if (page.stamp < walk.leastStamp) {
      this.#ask(walk, now)
    } else {
      walk.held = page
      this.advance(now)
    }
    return undefined
  }

  /** Applies the page that waits, if the events up to its stamp have been. */
  advance(now: number): void {
    const walk = this.#walk
    const page = walk?.held
    if (walk === undefined || page === undefined || this.#progress.seq < page.stamp) return
    walk.held = undefined
    if (walk.lostTrack) {
      this.#ask(walk, now)
      return
    }
    const isCovered = walk.advance(page)
    if (!isCovered) {
      // Kea reads the next page while this one is applied.
      this.#progress.asker.ask(requestOf(walk), now)
      this.#progress.sendNow()
    }
    this.#apply(walk, page)
    if (isCovered) walk.stage = 'counting'
    else walk.pageAsked() // Only now: the rows of this page were beside the events since it was asked for.
  }

  /** A bounded piece of the end of a walk. @param keaNow Kea's clock */
  slice(keaNow: UnixSeconds, now: number): void {
    const walk = this.#walk
    if (walk === undefined || walk.stage === 'paging') return
    const { bindings, next } = this.#progress.store.unmarked(walk.from, SLICE_BINDINGS)
    walk.from = next
    if (walk.stage === 'counting') {
      walk.missing += bindings.length
      if (next === 0) this.#counted(walk, now)
      return
    }
    const at = this.#progress.clock()
    for (const binding of bindings) this.#progress.put(vanished(binding, keaNow), binding, at)
    walk.ended += bindings.length
    this.#progress.counters.walkEnded += bindings.length
    if (next === 0) this.#ended(walk, now)
  }

  #setWalk(walk: Walk | undefined): void {
    this.#walk = walk
    this.#progress.isWalking = walk !== undefined
    this.#progress.stay()
  }

  #ask(walk: Walk, now: number): void {
    walk.pageAsked()
    this.#progress.asker.ask(requestOf(walk), now)
  }

  #apply(walk: Walk, page: SnapshotPage): void {
    const { counters, store } = this.#progress
    const at = this.#progress.clock()
    const keaNow = Math.floor(page.clock / 1000)
    this.#progress.judge(keaNow)
    store.expect(page.leases.map(({ address }) => address))
    for (const row of page.leases) {
      if (walk.isNewerThan(row.address, page.stamp)) continue // Marked when that event came.
      const previous = store.peek(row.address)
      const next = reconcileRow(row, previous, keaNow, this.#hasNewestRelay(row, previous))
      if (next !== undefined) {
        this.#progress.put(next, previous, at)
        walk.changed += 1
        counters.walkChanged += 1
      }
      store.mark(row.address)
    }
    for (const { address, error } of page.unreadable) {
      counters.unreadable += 1
      this.#progress.trouble(
        'row',
        `a lease of Kea cannot be read and is left as it is known: ${error.message}`,
      )
      if (address !== undefined) store.mark(address)
    }
    counters.pages += 1
  }

  /** Kea's time at the newest event whose change is stored, or earlier. */
  #lastTold(): UnixSeconds {
    const { store } = this.#progress
    const newest = store.changesAfter(store.newestChange - 1, 1).changes[0]
    if (newest === undefined) return 0
    return newest.kind === 'binding'
      ? newest.binding.clientLastTransaction
      : newest.departure.clientLastTransaction
  }

  /**
   * Where Kea keeps the relay data of every packet with its rows, a row that was written after what is known tells the newest.
   * One of another second was. One of the same second may have been, where events of that second can be among the lost;
   * else what is known stays, since a row may hold data of a time when Kea did not keep them, and never be told better.
   */
  #hasNewestRelay(row: LeaseRow, previous: BindingData | undefined): boolean {
    if (previous === undefined || !this.#progress.extendedInfo) return false
    const known = previous.clientLastTransaction
    return row.clientLastTransaction !== known || known >= this.#lostSince
  }

  #counted(walk: Walk, now: number): void {
    const { massEndLeast, massEndPauseMs, massEndShare } = this.#progress.settings
    const active = this.#progress.store.counts.get(BindingState.active) ?? 0
    // A table that is being emptied has lost more by the second walk: that is no agreement, and ends within a few walks.
    const unconfirmed = walk.missing - this.#massMissing
    if (unconfirmed <= massEndLeast || unconfirmed <= massEndShare * active) {
      walk.stage = 'sweeping'
      walk.from = 0
      return
    }
    this.#massMissing = walk.missing
    this.#confirmAt = now + massEndPauseMs
    this.#setWalk(undefined)
    this.#progress.trouble(
      'mass-end',
      `${walk.missing} of ${active} active bindings are no longer in Kea's lease database; they are told as ended if a second walk agrees`,
    )
  }

  #ended(walk: Walk, now: number): void {
    this.#massMissing = 0
    this.#nextAt = this.#afterPause(now)
    const { counters } = this.#progress
    counters.walks += 1
    counters.walkSeconds += (now - walk.startedAt) / 1000
    this.#progress.over('mass-end')
    this.#progress.over('frame')
    // In this very turn with the last of the sweep: the store writes both or neither.
    this.#progress.walkNeeded = false
    this.#lostSince = Number.POSITIVE_INFINITY
    this.#setWalk(undefined)
    this.#onEnd()
    const { leases: count, ...rest } = progressOf(walk, now)
    this.#last = { walk: { leases: count, ...rest }, at: now }
    this.#progress.note({ kind: 'reconciled', count, ...rest })
  }

  #afterPause(now: number): number {
    const { walkEveryMs } = this.#progress.settings
    return walkEveryMs === 0 ? Number.POSITIVE_INFINITY : now + walkEveryMs
  }
}

function progressOf({ rows, changed, ended, startedAt }: Walk, now: number): WalkProgress {
  return { leases: rows, changed, ended, seconds: secondsOf(now - startedAt) }
}

function requestOf(walk: Walk) {
  return { kind: 'page', walk: walk.id, after: walk.after, limit: PAGE_LEASES } as const
}
