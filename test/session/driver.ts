// A session on simulated time, with a small change index behind it and a requestor before it that reads as it is told.
import type { LogicalSeconds } from '../../sidecar/binding.ts'
import type { Dialect } from '../../sidecar/session/dialect.ts'
import { defaultLimits, type Limits } from '../../sidecar/session/limits.ts'
import { Session } from '../../sidecar/session/session.ts'
import type {
  Action,
  CloseReason,
  Input,
  Moment,
  Rights,
  Service,
  SessionNote,
  TlsPolicy,
} from '../../sidecar/session/session-io.ts'
import { framesOf } from '../../sidecar/wire/framing.ts'
import { type Configured, ScanModel } from './bulk-model.ts'
import { IndexModel } from './index-model.ts'

export const START = 1763758800

/** Clocks that the test moves: monotonic time, the wall clocks of this host and of Kea, and L over the former. */
export class SimulatedTime {
  #mono = 0
  #wall = START
  #logical = START
  /** Kea's clock minus ours. */
  keaAhead = 0
  /** While changes of one batch are stored, L stands still for everybody. */
  #pinned = false

  get moment(): Moment {
    if (!this.#pinned) this.#logical = Math.max(this.#logical, this.#wall)
    return { mono: this.#mono, now: this.#logical, keaNow: this.#wall + this.keaAhead }
  }

  get now(): LogicalSeconds {
    return this.moment.now
  }

  pass(seconds: number): void {
    this.#mono += 1000 * seconds
    this.#wall += seconds
  }

  /** Somebody sets the host's clock. */
  step(seconds: number): void {
    this.#wall += seconds
  }

  pin(pinned: boolean): void {
    void this.moment
    this.#pinned = pinned
  }
}

export interface Setup {
  readonly limits: Partial<Limits>
  readonly rights: Partial<Rights>
  readonly service: Partial<Service>
  readonly tls: TlsPolicy
  readonly configured: Configured
}

export const allRights: Rights = {
  active: true,
  bulk: true,
  withhold: new Set(),
  subnets: [],
  relayDataAlways: false,
  relayIds: [],
  remoteIds: [],
  keepaliveSeconds: 0,
  keepaliveForm: 'status',
}

export const identities = {
  4: Uint8Array.of(192, 0, 2, 1),
  6: Uint8Array.of(0, 1, 0, 1, 0x2a, 0x5b, 0x6c, 0x7d, 2, 0, 0x5e, 0, 0, 1),
}

export interface SentFrame {
  readonly octets: Uint8Array
  readonly moment: Moment
}

export class Driver {
  readonly time: SimulatedTime
  readonly index: IndexModel
  readonly session: Session
  /** Every frame the session has sent, whether the requestor has read it or not. */
  readonly sent: SentFrame[] = []
  readonly notes: SessionNote[] = []
  closed: { reason: CloseReason; text: string; abort: boolean } | undefined
  startedTls = false
  /** The requestor reads; otherwise messages wait. */
  reading = true
  #owesWritable = false
  #open: { since: LogicalSeconds | undefined } | undefined
  #read: Extract<Action, { type: 'write-changes' }> | undefined
  #taken = 0
  /** Octets of the requestor are left unread. */
  paused = false
  readonly scans = new Map<number, ScanModel>()
  readonly #configured: Configured
  #opening: Extract<Action, { type: 'scan-open' }>[] = []
  #next: Extract<Action, { type: 'scan-next' }> | undefined
  /** Why no scan can be opened, if none can. */
  refusing: string | undefined
  /** Finds in one slice. */
  sliceFinds = 2

  constructor(
    dialect: Dialect,
    setup: Partial<Setup> = {},
    time: SimulatedTime = new SimulatedTime(),
    index: IndexModel = new IndexModel(),
  ) {
    this.time = time
    this.index = index
    this.#configured = setup.configured ?? { addresses: [] }
    this.session = new Session(
      dialect,
      {
        limits: { ...defaultLimits, ...setup.limits },
        rights: { ...allRights, ...setup.rights },
        service: {
          identity: identities[dialect.family],
          activeEnabled: true,
          bulkEnabled: false,
          ...setup.service,
        },
        tls: setup.tls ?? { mode: 'off', ready: false },
      },
      time.moment,
    )
  }

  /** Hands an input over and keeps what comes of it; nothing is answered yet. */
  tell(input: Input): Action[] {
    const moment = this.time.moment
    const actions = this.session.handle(input, moment)
    for (const action of actions) {
      switch (action.type) {
        case 'send':
          this.sent.push({ octets: action.message, moment })
          this.#owesWritable = true
          break
        case 'send-frames':
          for (const frame of framesOf(action.frames.slice())) this.sent.push({ octets: frame, moment })
          this.#owesWritable = true
          break
        case 'open':
          this.#open = action
          break
        case 'write-changes':
          this.#read = action
          break
        case 'scan-open':
          this.#opening.push(action)
          break
        case 'scan-next':
          if (this.#next !== undefined) throw new Error('two slices asked for at a time')
          this.#next = action
          break
        case 'scan-close':
          if (this.#next?.scan === action.scan) this.#next = undefined
          this.scans.delete(action.scan)
          break
        case 'reading':
          this.paused = !action.on
          break
        case 'start-tls':
          this.startedTls = true
          break
        case 'note':
          this.notes.push(action.note)
          break
        case 'close':
          this.closed = action
          break
      }
    }
    return actions
  }

  /** The index answers what was asked of it, with at most `limit` changes. False: nothing was asked. */
  answer(limit = Number.POSITIVE_INFINITY): boolean {
    if (this.closed !== undefined) return false
    const open = this.#open
    if (open !== undefined) {
      this.#open = undefined
      const { index } = this
      const { newest } = index
      const { since } = open
      if (since === undefined) this.tell({ type: 'opened', after: newest, newest, complete: true })
      else
        this.tell({
          type: 'opened',
          after: Math.min(index.before(since), newest),
          newest,
          complete: since >= index.horizon,
        })
      return true
    }
    const opening = this.#opening.shift()
    if (opening !== undefined) {
      const { scan, query } = opening
      if (this.refusing !== undefined) this.tell({ type: 'scan-refused', scan, text: this.refusing })
      else {
        this.scans.set(scan, new ScanModel(this.index, query, this.#configured))
        this.tell({ type: 'scan-opened', scan, horizon: this.index.horizon })
      }
      return true
    }
    const next = this.#next
    if (next !== undefined) {
      this.#next = undefined
      const { scan, settled } = next
      const slice = this.scans.get(scan)!.next(Math.min(this.sliceFinds, limit), settled, this.time.moment)
      this.tell({ type: 'slice', scan, slice })
      return true
    }
    const read = this.#read
    if (read === undefined) return false
    this.#read = undefined
    this.tell(this.index.write({ ...read, limit: Math.min(read.limit, limit) }, this.time.moment))
    return true
  }

  /** The requestor takes what waits. False: nothing waited. */
  take(): boolean {
    if (!this.#owesWritable || this.closed !== undefined) return false
    this.#owesWritable = false
    this.tell({ type: 'writable' })
    return true
  }

  grew(): void {
    if (this.closed === undefined) this.tell({ type: 'index-grew' })
  }

  /** Goes on until nothing more happens by itself. */
  settle(): this {
    while (this.answer() || (this.reading && this.take()));
    return this
  }

  receive(octets: Uint8Array): this {
    this.tell({ type: 'bytes', data: octets })
    return this.settle()
  }

  /** Lets time pass, firing the session's deadline whenever it is due. */
  pass(seconds: number): this {
    const until = this.time.moment.mono + 1000 * seconds
    for (;;) {
      const at = this.session.deadline()
      const now = this.time.moment.mono
      if (at === undefined || at > until) {
        this.time.pass((until - now) / 1000)
        return this
      }
      if (at > now) this.time.pass((at - now) / 1000)
      this.tell({ type: 'deadline' })
      this.settle()
    }
  }

  /** Frames since the last call. */
  fresh(): Uint8Array[] {
    const frames = this.sent.slice(this.#taken).map((frame) => frame.octets)
    this.#taken = this.sent.length
    return frames
  }
}
