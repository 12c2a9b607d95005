// What a mirror does about one server, and when. No socket, clock or disk: inputs and the present in, actions out.
//
//   no position --> Bulk of everything --> Active from its first base-time: catching up --> live
//                                            ^                                |               |
//                                            +------ wait (retrySeconds) <----+---------------+  connection lost
//
//   DataMissing: Active goes on, live; beside it Bulk of what changed in the gap, then Bulk of everything.
import type { UnixSeconds } from '../../binding.ts'

/** Both ends on the server's clock. */
export interface Window {
  readonly start: UnixSeconds
  /** undefined: the server gave DataMissing without a base-time. */
  readonly end: UnixSeconds | undefined
}

/** What has to survive: kept with the replica, by endpoint. */
export interface Position {
  /** Start time of the next active query, on the server's clock; undefined = there is none yet. */
  readonly since: UnixSeconds | undefined
  /** Number of the newest Bulk run. What a finished run did not tell, and no active query since it began, is gone. */
  readonly generation: number
  /** A Bulk of everything is due, after one of this window if there is one. */
  readonly due: { readonly window: Window | undefined } | undefined
}

export const FIRST_POSITION: Position = { since: undefined, generation: 0, due: { window: undefined } }

export interface PlanSettings {
  /** Least seconds between two attempts (ACTIVE_LQ_IDLE_TIMEOUT: RFC 7724 section 7.1, RFC 7653 section 8.1). */
  readonly retrySeconds: number
  /** Never asks an active query, but everything by Bulk each so many seconds; undefined = Active. */
  readonly pollSeconds: number | undefined
}

export type PlanInput =
  /** At the start, and when {@link MirrorPlan.deadline} has come. */
  | { readonly type: 'time' }
  /** Events of the active query have been written; the last one's resume point. */
  | { readonly type: 'told'; readonly resumePoint: UnixSeconds | undefined }
  | { readonly type: 'caught-up'; readonly resumePoint: UnixSeconds | undefined }
  | {
      readonly type: 'data-missing'
      readonly resumePoint: UnixSeconds | undefined
      readonly baseTime: UnixSeconds | undefined
    }
  /** The active query is over, or never began. */
  | { readonly type: 'active-over' }
  /** The query of the window has been answered, or refused. */
  | { readonly type: 'window-done' }
  /** Everything was told. */
  | { readonly type: 'bulk-told' }
  /** What the run did not tell has been ended; `baseTime` is the first one of the answer. */
  | { readonly type: 'bulk-done'; readonly baseTime: UnixSeconds | undefined }
  /** The Bulk run failed. */
  | { readonly type: 'bulk-over' }

export type PlanAction =
  | { readonly do: 'ask-active'; readonly since: UnixSeconds }
  /** On a connection of its own (RFC 7724 section 8.3): the window first if there is one, then everything. */
  | { readonly do: 'ask-bulk'; readonly window: Window | undefined; readonly generation: number }
  | { readonly do: 'stop-bulk' }
  /** End what run `generation` did not tell. */
  | { readonly do: 'sweep'; readonly generation: number }

export type Phase = 'bulk' | 'catching-up' | 'live' | 'recovering' | 'waiting'

type ActiveLane = 'idle' | 'catching-up' | 'live'

export class MirrorPlan {
  readonly #settings: PlanSettings
  #position: Position
  #active: ActiveLane = 'idle'
  #activeAsked = Number.NEGATIVE_INFINITY
  /** Start time of the running active query. */
  #askedSince: UnixSeconds | undefined
  #bulkRunning = false
  #bulkAsked = Number.NEGATIVE_INFINITY
  /** Poll: when everything is to be asked again. */
  #pollAt = Number.NEGATIVE_INFINITY

  constructor(position: Position, settings: PlanSettings) {
    this.#position = position
    this.#settings = settings
  }

  get position(): Position {
    return this.#position
  }

  get phase(): Phase {
    if (this.#active === 'live') return this.#position.due === undefined ? 'live' : 'recovering'
    if (this.#bulkRunning) return 'bulk'
    return this.#active === 'catching-up' ? 'catching-up' : 'waiting'
  }

  /** When to give a `time` input next, local seconds; undefined = nothing is waited for. */
  get deadline(): number | undefined {
    const times: number[] = []
    if (this.#wantsActive) times.push(this.#activeAsked + this.#settings.retrySeconds)
    if (this.#wantsBulk) times.push(this.#bulkFrom)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** @param now the requestor's clock: any that runs evenly, in seconds; for `ask-bulk` without a base-time, Unix */
  handle(input: PlanInput, now: UnixSeconds): readonly PlanAction[] {
    switch (input.type) {
      case 'time':
        return this.#pursue(now)
      case 'told':
        this.#move({ since: input.resumePoint ?? this.#position.since })
        return []
      case 'caught-up':
        this.#active = 'live'
        this.#move({ since: input.resumePoint ?? this.#position.since })
        return this.#pursue(now)
      case 'data-missing':
        return this.#dataMissing(input.resumePoint, input.baseTime, now)
      case 'active-over':
        this.#active = 'idle'
        return this.#pursue(now)
      case 'window-done':
        if (this.#position.due !== undefined) this.#move({ due: { window: undefined } })
        return []
      case 'bulk-told':
        return [{ do: 'sweep', generation: this.#position.generation }]
      case 'bulk-done':
        return this.#bulkDone(input.baseTime, now)
      case 'bulk-over':
        this.#bulkRunning = false
        return this.#pursue(now)
    }
  }

  get #wantsActive(): boolean {
    const { since } = this.#position
    return this.#settings.pollSeconds === undefined && this.#active === 'idle' && since !== undefined
  }

  get #wantsBulk(): boolean {
    if (this.#bulkRunning || this.#position.due === undefined) return false
    // A server that does not even take the active query is tried by that one alone.
    return this.#position.since === undefined || this.#active === 'live' || this.#polls
  }

  get #polls(): boolean {
    return this.#settings.pollSeconds !== undefined
  }

  get #bulkFrom(): number {
    return Math.max(this.#bulkAsked + this.#settings.retrySeconds, this.#pollAt)
  }

  #pursue(now: UnixSeconds): PlanAction[] {
    const actions: PlanAction[] = []
    if (this.#wantsActive && now >= this.#activeAsked + this.#settings.retrySeconds) {
      const since = this.#position.since!
      this.#active = 'catching-up'
      this.#activeAsked = now
      this.#askedSince = since
      actions.push({ do: 'ask-active', since })
    }
    if (this.#wantsBulk && now >= this.#bulkFrom) {
      // One number for the window, one for everything: what only the window told has ended by now.
      const generation = this.#position.generation + 2
      this.#bulkRunning = true
      this.#bulkAsked = now
      this.#move({ generation })
      actions.push({ do: 'ask-bulk', window: this.#position.due?.window, generation })
    }
    return actions
  }

  #dataMissing(
    resumePoint: UnixSeconds | undefined,
    baseTime: UnixSeconds | undefined,
    now: UnixSeconds,
  ): PlanAction[] {
    const { due, since } = this.#position
    // RFC 7724 section 7.4.1, RFC 7653 section 8.4.1: from the start time of the active query to the base-time of DataMissing.
    const start = Math.min(due?.window?.start ?? Number.POSITIVE_INFINITY, this.#askedSince ?? since ?? 0)
    this.#active = 'live'
    this.#move({ since: resumePoint ?? since, due: { window: { start, end: baseTime } } })
    const actions: PlanAction[] = []
    if (this.#bulkRunning) {
      // It began before this gap and may have passed what changed in it.
      this.#bulkRunning = false
      actions.push({ do: 'stop-bulk' })
    }
    return [...actions, ...this.#pursue(now)]
  }

  #bulkDone(baseTime: UnixSeconds | undefined, now: UnixSeconds): PlanAction[] {
    // Without a base-time the clocks are taken as equal (RFC 7653 section 6.3.3, RFC 6926 section 6.2.6).
    const since = this.#position.since ?? baseTime ?? Math.floor(this.#bulkAsked)
    this.#bulkRunning = false
    this.#pollAt = now + (this.#settings.pollSeconds ?? 0)
    this.#move({ since, due: this.#polls ? { window: undefined } : undefined })
    return this.#pursue(now)
  }

  #move(changed: Partial<Position>): void {
    this.#position = { ...this.#position, ...changed }
  }
}
