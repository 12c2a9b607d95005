// One server of a mirror: does what the plan says, with sockets, a timer and the replica.
import type { UnixSeconds } from '../../binding.ts'
import { BindingState } from '../../binding.ts'
import { codeOf, reasonOf, SidecarError } from '../../errors.ts'
import { ActiveRequestor } from '../active-requestor.ts'
import { bindingJson } from '../binding-json.ts'
import { type BulkAnswer, BulkRequestor } from '../bulk-requestor.ts'
import { keyOf, type ReportedBinding, type RequestorEvent } from '../events.ts'
import { peerOf, type ServerPlace } from '../open-socket.ts'
import {
  MirrorPlan,
  type Phase,
  type PlanAction,
  type PlanInput,
  type PlanSettings,
  type Window,
} from './plan.ts'
import type { Replica, TellingOf } from './replica.ts'
import { ClockSkew } from './skew.ts'

/** Bindings written at a time. */
const BATCH = 512

export interface ServerMirrorSettings extends PlanSettings {
  readonly receiveTimeout: number
  readonly dataTimeout: number
  readonly duid: Uint8Array | undefined
  readonly wants: readonly number[] | undefined
}

/** What happened, for a log. */
export type MirrorNote =
  | { readonly event: 'asking'; readonly query: 'active' | 'bulk'; readonly since: number | undefined }
  | { readonly event: 'asking-window'; readonly start: number; readonly end: number | undefined }
  | { readonly event: 'window-refused'; readonly reason: string }
  | { readonly event: 'bulk-complete'; readonly count: number }
  | { readonly event: 'live' }
  | { readonly event: 'data-missing'; readonly text: string }
  | {
      readonly event: 'lost'
      readonly query: 'active' | 'bulk'
      readonly code: string
      readonly reason: string
    }
  | { readonly event: 'skew'; readonly seconds: number }

export interface ServerStatus {
  readonly endpoint: string
  readonly phase: Phase
  readonly told: number
  readonly since: UnixSeconds | undefined
  readonly skew: number
  /** The last failure, until the server is heard again. */
  readonly trouble: string | undefined
}

interface BulkRun {
  stopped: boolean
  requestor: BulkRequestor | undefined
}

export class ServerMirror {
  readonly endpoint: string
  readonly #place: ServerPlace
  readonly #number: number
  readonly #replica: Replica
  readonly #settings: ServerMirrorSettings
  readonly #note: (note: MirrorNote) => void
  readonly #fail: (error: unknown) => void
  readonly #skew = new ClockSkew()
  readonly #running = new Set<Promise<void>>()
  #plan: MirrorPlan
  #active: ActiveRequestor | undefined
  #bulk: BulkRun | undefined
  #timer: NodeJS.Timeout | undefined
  #told = 0
  #toldSkew = 0
  #trouble: string | undefined
  #isLive = false
  #stopped = false

  /** @param fail called with what makes the whole mirror useless: a disk that fails, a mistake in this program */
  constructor(
    place: ServerPlace,
    endpoint: string,
    number: number,
    replica: Replica,
    plan: MirrorPlan,
    settings: ServerMirrorSettings,
    note: (note: MirrorNote) => void,
    fail: (error: unknown) => void,
  ) {
    this.#place = place
    this.endpoint = endpoint
    this.#number = number
    this.#replica = replica
    this.#plan = plan
    this.#settings = settings
    this.#note = note
    this.#fail = fail
  }

  get status(): ServerStatus {
    return {
      endpoint: this.endpoint,
      phase: this.#plan.phase,
      told: this.#told,
      since: this.#plan.position.since,
      skew: this.#skew.seconds,
      trouble: this.#trouble,
    }
  }

  start(): void {
    this.#step({ type: 'time' })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#active?.close()
    this.#bulk?.requestor?.close()
    // A connection that is only being made has nothing to write any more.
    const soon = new Promise((resolve) => setTimeout(resolve, 1000).unref())
    await Promise.race([Promise.all(this.#running), soon])
  }

  #step(input: PlanInput): void {
    if (this.#stopped) return
    this.#do(this.#plan.handle(input, Date.now() / 1000))
    clearTimeout(this.#timer)
    const { deadline } = this.#plan
    if (deadline === undefined) return
    const wait = Math.max(0, 1000 * deadline - Date.now())
    this.#timer = setTimeout(() => this.#step({ type: 'time' }), Math.min(wait, 2 ** 31 - 1))
  }

  #do(actions: readonly PlanAction[]): void {
    for (const action of actions) {
      switch (action.do) {
        case 'ask-active':
          this.#track(this.#askActive(action.since))
          break
        case 'ask-bulk': {
          const run: BulkRun = { stopped: false, requestor: undefined }
          this.#bulk = run
          this.#track(this.#askBulk(run, action.window, action.generation))
          break
        }
        case 'stop-bulk':
          if (this.#bulk !== undefined) this.#bulk.stopped = true
          this.#bulk?.requestor?.close()
          break
        case 'sweep':
          break // done by the run itself, in order
      }
    }
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch((error) => this.#fail(error)).finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
  }

  // ---- Active

  async #askActive(since: UnixSeconds): Promise<void> {
    this.#note({ event: 'asking', query: 'active', since })
    const { receiveTimeout, dataTimeout, duid, wants } = this.#settings
    try {
      const timeouts = { receiveTimeout, dataTimeout }
      const requestor = await ActiveRequestor.connect({ ...this.#place, since, duid, wants, ...timeouts })
      this.#active = requestor
      if (this.#stopped) requestor.close()
      for (;;) {
        const events = await requestor.batch(BATCH)
        if (events.length === 0) break
        this.#trouble = undefined
        await this.#apply(events)
      }
    } catch (error) {
      await this.#lost('active', error)
    } finally {
      this.#active?.close()
      this.#active = undefined
    }
    this.#step({ type: 'active-over' })
    this.#notePhase()
  }

  /** Writes what the events tell, together with the position after them. */
  async #apply(events: readonly RequestorEvent[]): Promise<void> {
    let tellings: TellingOf[] = []
    const flush = (input: PlanInput) => {
      const { generation } = this.#plan.position
      // In one go: nobody may write this position before these bindings.
      this.#step(input)
      const written = this.#tell(tellings, { generation, byActive: true })
      tellings = []
      return written
    }
    for (const event of events) {
      this.#observe(event.baseTime)
      const { resumePoint } = event
      if (event.type === 'binding') tellings.push(this.#telling(event.binding))
      else if (event.type === 'catch-up-complete') {
        await flush({ type: 'caught-up', resumePoint })
        this.#notePhase()
      } else if (event.type === 'data-missing') {
        this.#note({ event: 'data-missing', text: event.text })
        await flush({ type: 'data-missing', resumePoint, baseTime: event.baseTime })
        this.#notePhase()
      } else if (event.type === 'terminated') {
        await flush({ type: 'told', resumePoint })
        const fields = { status: event.status, text: event.text === '' ? '' : ` (${event.text})` }
        throw new SidecarError(event.refused ? 'ALQ_SERVER_REFUSED' : 'ALQ_SERVER_TERMINATED', fields)
      }
    }
    const last = events[events.length - 1]!
    if (last.type !== 'terminated') await flush({ type: 'told', resumePoint: last.resumePoint })
  }

  // ---- Bulk

  async #askBulk(run: BulkRun, window: Window | undefined, generation: number): Promise<void> {
    const { dataTimeout, duid, wants } = this.#settings
    this.#replica.bulkBegins(this.#number)
    let done: PlanInput = { type: 'bulk-over' }
    try {
      run.requestor = await BulkRequestor.connect({ ...this.#place, duid, dataTimeout })
      if (run.stopped || this.#stopped) return
      if (window !== undefined) {
        this.#note({ event: 'asking-window', ...window })
        const answer = run.requestor.query({ by: 'all' }, { start: window.start, end: window.end, wants })
        await this.#take(answer, generation - 1)
        const { status, text } = answer.outcome!
        // Some servers cannot tell of a window that reaches further back than their history: the whole answer will.
        if (status !== 'Success') this.#note({ event: 'window-refused', reason: `${status} ${text}`.trim() })
        if (run.stopped) return
        this.#step({ type: 'window-done' })
      }
      this.#note({ event: 'asking', query: 'bulk', since: undefined })
      const answer = run.requestor.query({ by: 'all' }, { wants })
      const count = await this.#take(answer, generation)
      const { status, text, baseTime } = answer.outcome!
      if (status !== 'Success') {
        const fields = { ...peerOf(this.#place), status, text: text === '' ? '' : ` (${text})` }
        throw new SidecarError('ALQ_SERVER_NO_BULK', fields)
      }
      if (run.stopped || this.#stopped) return
      for (const action of this.#plan.handle({ type: 'bulk-told' }, Date.now() / 1000)) {
        if (action.do === 'sweep') await this.#replica.sweep(this.#number, action.generation)
      }
      if (run.stopped) return
      this.#trouble = undefined
      this.#note({ event: 'bulk-complete', count })
      done = { type: 'bulk-done', baseTime }
    } catch (error) {
      if (!run.stopped) await this.#lost('bulk', error)
    } finally {
      run.requestor?.close()
      if (!run.stopped) {
        this.#bulk = undefined
        this.#step(done)
        if (!this.#stopped) await this.#replica.keep(this.#number, this.#plan.position)
        this.#notePhase()
      }
    }
  }

  /** Writes an answer as it comes. @returns how many bindings it told of */
  async #take(answer: BulkAnswer, generation: number): Promise<number> {
    let count = 0
    for (;;) {
      const told = await answer.batch(BATCH)
      if (told.length === 0) return count
      count += told.length
      this.#trouble = undefined
      for (const { baseTime } of told) this.#observe(baseTime)
      const tellings = told.filter(isNews).map(({ binding }) => this.#telling(binding))
      if (tellings.length > 0) await this.#tell(tellings, { generation, byActive: false })
    }
  }

  // ---- shared

  #tell(tellings: readonly TellingOf[], run: { generation: number; byActive: boolean }): Promise<void> {
    this.#told += tellings.length
    return this.#replica.tell(this.#number, tellings, run, this.#plan.position, peerOf(this.#place))
  }

  #telling(binding: ReportedBinding): TellingOf {
    const active = binding.state === BindingState.active
    return { key: keyOf(binding), active, binding: bindingJson(binding, this.#skew.seconds) }
  }

  #observe(baseTime: UnixSeconds | undefined): void {
    if (baseTime === undefined) return
    this.#skew.observe(baseTime, Date.now() / 1000)
    const { seconds } = this.#skew
    if (seconds === this.#toldSkew) return
    this.#toldSkew = seconds
    this.#note({ event: 'skew', seconds })
  }

  /** Says that all is known and followed, each time that comes to be so: after a catch-up, and after a recovery. */
  #notePhase(): void {
    const isLive = this.#plan.phase === 'live'
    if (isLive && !this.#isLive && !this.#stopped) this.#note({ event: 'live' })
    this.#isLive = isLive
  }

  /** @throws what is no fault of the server */
  async #lost(query: 'active' | 'bulk', error: unknown): Promise<void> {
    if (!(error instanceof SidecarError)) throw error
    if (codeOf(error) === 'ALQ_MIRROR_FULL') {
      // What the plan took for written was not: back to what is on the disk.
      this.#plan = new MirrorPlan(await this.#replica.position(this.#number), this.#settings)
    }
    if (this.#stopped) return
    this.#trouble = reasonOf(error)
    this.#note({ event: 'lost', query, code: error.code, reason: reasonOf(error) })
  }
}

/**
 * A DHCPv4 answer about everything names each address of each pool, sixteen millions of them for a /8. That one is free need
 * not be looked up: whatever the whole answer does not tell to be held ends with it (see `sweep`).
 */
function isNews({ binding }: { readonly binding: ReportedBinding }): boolean {
  return binding.family === 6 || binding.state !== BindingState.available
}
