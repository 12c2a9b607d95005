// Follows one feed: the follower on its sockets, with the process's clock and timers.
import { BindingState, type Family, type LogicalSeconds, type UnixSeconds } from '../binding.ts'
import type { BindingStore } from '../store/store.ts'
import { decodeFeedMessage, decodeReply } from './decode.ts'
import { DecodeError } from './decode-error.ts'
import { encodeRequest } from './encode.ts'
import type { FeedConfig, FeedProblem, Hello } from './events.ts'
import { Follower, type StoreOpening } from './follower.ts'
import { type CurveKeys, Link } from './link.ts'
import type { FeedDetails, FeedNote, FeedState, FeedStatus } from './notes.ts'
import type { FollowerSettings } from './progress.ts'

export interface FeedFollowerOptions {
  /** ipc:///path or tcp://host:port, of the hook's PUB socket. */
  readonly endpoint: string
  readonly family: Family
  readonly store: BindingStore
  /** L, for change times. */
  readonly clock: () => LogicalSeconds
  readonly opening: StoreOpening
  /** Who follows, for Kea's log: "kea-leasequery 0.1.0 pid 4711". */
  readonly follower: string
  readonly curve?: CurveKeys
  readonly settings?: Partial<FollowerSettings>
  readonly onNote: (note: FeedNote) => void
  /** Kea has said who it is; also when only its service parameters are new. */
  readonly onHello?: (hello: Hello) => void
  /** The requestor service's parameters, JSON in kea.conf's spelling. Not called where Kea has not said any. */
  readonly onService?: (json: string, generation: number) => void
  readonly onConfig?: (config: FeedConfig) => void
  /** The operator has asked for everything to be read anew (`lease-feed-resync`). A walk has begun. */
  readonly onResync?: () => void
  /** Bindings have changed. Called at most once for each message, page or slice. */
  readonly onChange?: () => void
  /** The state, or what `walkPending` or `indexTrusted` say, has changed. */
  readonly onStatus?: (status: FeedStatus) => void
}

/** What the rest of the daemon adds to the report. */
export interface ServiceReport {
  /** Connections now. */
  readonly requestors: number
  readonly problems: readonly FeedProblem[]
}

/** Kea is told at least this often. */
const REPORT_MS = 10_000
/** And at most this often, however often something changes. */
const REPORT_LEAST_MS = 500

export class FeedFollower {
  readonly #options: FeedFollowerOptions
  readonly #follower: Follower
  readonly #link: Link
  #service: ServiceReport = { requestors: 0, problems: [] }
  #changes = 0
  #statusKey = ''
  #reportKey = ''
  #reportedAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #isRunning = false

  constructor(options: FeedFollowerOptions) {
    this.#options = options
    const { family, store, clock, opening, settings } = options
    const sameHost = options.endpoint.startsWith('ipc:')
    this.#follower = new Follower(
      {
        family,
        store,
        clock,
        opening,
        sameHost,
        sendNow: () => this.#handOut(),
        ...(settings === undefined ? {} : { settings }),
      },
      performance.now(),
    )
    this.#link = new Link({
      endpoint: options.endpoint,
      curve: options.curve,
      onEvents: (frame) => this.#handle(frame, 'event'),
      onReply: (frame) => this.#handle(frame, 'reply'),
      onTrouble: (reason) => options.onNote({ kind: 'problem', reason }),
    })
  }

  /** @throws SidecarError where the endpoint is none. A Kea that is not there is no error: it is waited for. */
  start(): void {
    this.#link.open()
    this.#isRunning = true
    this.#turn()
  }

  /** Nothing is applied any more when this returns; the store may then be closed. */
  async stop(): Promise<void> {
    if (!this.#isRunning) return
    this.#isRunning = false
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    this.#follower.stop()
    await this.#link.close()
  }

  /** Kea's clock, Unix seconds; undefined until Kea has been heard. */
  keaNow(): UnixSeconds | undefined {
    return this.#follower.keaNow(performance.now(), Date.now())
  }

  status(): FeedStatus {
    return this.#follower.status(performance.now())
  }

  /** {@link status}, and what else is known. */
  details(): FeedDetails {
    return this.#follower.details(performance.now())
  }

  /** Compares Kea's leases with the store, now. */
  requestWalk(reason: string): void {
    this.#follower.requestWalk(reason, performance.now())
    if (this.#isRunning) this.#turn()
  }

  /** What Kea's log and status are to say of the service, from now on. */
  report(service: ServiceReport): void {
    this.#service = service
    if (this.#isRunning) this.#turn()
  }

  #handle(frame: Uint8Array, kind: 'event' | 'reply'): void {
    if (!this.#isRunning) return
    const { family } = this.#options
    const now = performance.now()
    try {
      if (kind === 'event') this.#follower.message(decodeFeedMessage(frame, family), now)
      else this.#follower.reply(decodeReply(frame, family), now)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.#follower.unreadable(error)
    }
    this.#turn()
  }

  /** Does what is due, hands out what came of it, and sees to the next time. */
  #turn(): void {
    const now = performance.now()
    if (this.#follower.deadline() <= now) this.#follower.tick(now)
    const status = this.#follower.status(now)
    this.#report(status, now)
    this.#handOut()
    const { changes } = this.#follower
    if (changes !== this.#changes) {
      this.#changes = changes
      this.#options.onChange?.()
    }
    const key = `${status.state} ${status.walkPending} ${status.indexTrusted}`
    if (key !== this.#statusKey) {
      this.#statusKey = key
      this.#options.onStatus?.(status)
    }
    this.#arm()
  }

  #handOut(): void {
    for (const output of this.#follower.takeOutputs()) {
      switch (output.kind) {
        case 'request':
          this.#link.send(encodeRequest(output.request, this.#options.follower))
          break
        case 'note':
          this.#options.onNote(output.note)
          break
        case 'hello':
          this.#options.onHello?.(output.hello)
          if (output.hello.service !== '') {
            this.#options.onService?.(output.hello.service, output.hello.serviceGeneration)
          }
          break
        case 'config':
          this.#options.onConfig?.(output.config)
          break
        case 'resync':
          this.#options.onResync?.()
          break
      }
    }
  }

  #arm(): void {
    if (!this.#isRunning) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    const deadline = Math.min(this.#follower.deadline(), this.#reportedAt + REPORT_MS)
    const wait = deadline - performance.now()
    if (wait <= 0) {
      this.#immediate ??= setImmediate(() => {
        this.#immediate = undefined
        if (this.#isRunning) this.#turn()
      })
    } else {
      this.#timer = setTimeout(() => {
        if (this.#isRunning) this.#turn()
      }, Math.ceil(wait))
    }
  }

  #report(status: FeedStatus, now: number): void {
    const word = reportedAs[status.state]
    if (word === undefined) {
      this.#reportedAt = now // Nobody would read it.
      return
    }
    const waited = now - this.#reportedAt
    if (waited < REPORT_LEAST_MS) return
    const problems = [...status.problems, ...this.#service.problems]
    const key = JSON.stringify([word, problems])
    if (key === this.#reportKey && waited < REPORT_MS) return
    this.#reportKey = key
    this.#reportedAt = now
    this.#follower.sendReport({
      state: word,
      appliedSeq: status.appliedSeq,
      bindings: this.#options.store.counts.get(BindingState.active) ?? 0,
      requestors: this.#service.requestors,
      problems,
    })
  }
}

/** The words of the contract's Report. What has no word cannot be told: nobody listens. */
const reportedAs: Readonly<Partial<Record<FeedState, string>>> = {
  following: 'following',
  walking: 'walking',
  replaying: 'replaying',
  refused: 'refused',
}
