// The Bulk queries of one connection: each asks for one slice after the other, in turns, so that a short one is not held
// back by a long one (RFC 6926 section 7.7). No octets of the connection's other business, no store.
import {
  type BindingData,
  BindingState,
  type ChangeNumber,
  type LogicalSeconds,
  stateAt,
} from '../binding.ts'
import { Writer } from '../wire/writer.ts'
import { BulkPen } from './bulk-pen.ts'
import type { Dialect, ReplyContext } from './dialect.ts'
import type { BulkQuery, Refusal } from './query.ts'
import { isScoped, scopeOf } from './selection.ts'
import type {
  Action,
  BulkFind,
  BulkSlice,
  Moment,
  Rights,
  ScanQuery,
  SessionNote,
  SessionSettings,
} from './session-io.ts'

/** A Bulk query under way: what its messages are made from, and what came of it so far. */
export interface Run extends ReplyContext {
  readonly query: BulkQuery
  readonly scan: number
  readonly where: ScanQuery['where']
  readonly startedAt: number
  /** An end that was forgotten would be missing in the answer. */
  needsHistory: boolean
  first: boolean
  told: Set<ChangeNumber>
  /** Second in which the shell began to look; undefined = not yet. */
  openedAt: LogicalSeconds | undefined
  pen: BulkPen | undefined
  /** Addresses told as companions in the last slice. */
  settled: Uint8Array[]
  messages: number
  bindings: number
  /** DHCPv4: addresses told by a departure, since none may come twice. */
  departed: Set<number> | undefined
}

/** What the queries make the session do. */
export interface BulkHost {
  send(message: Uint8Array, moment: Moment): void
  sendFrames(frames: Uint8Array, moment: Moment): void
  act(action: Action): void
  note(note: SessionNote): void
  xidText(xid: number): string
}

export class BulkQueries {
  readonly #dialect: Dialect
  readonly #settings: SessionSettings
  readonly #host: BulkHost
  /** By number of scan, in the order in which they came. */
  readonly #runs = new Map<number, Run>()
  #newest = 0
  /** The scan whose slice is awaited. */
  #awaited: number | undefined
  #lastServed = 0
  /** What is written in one slice, used again in the next: it has been sent by then. */
  #written = new Writer()

  constructor(dialect: Dialect, settings: SessionSettings, host: BulkHost) {
    this.#dialect = dialect
    this.#settings = settings
    this.#host = host
  }

  get running(): number {
    return this.#runs.size
  }

  /** Whether a query with this transaction id is under way. */
  has(xid: number): boolean {
    for (const run of this.#runs.values()) if (run.query.xid === xid) return true
    return false
  }

  start(query: BulkQuery, rights: Rights, moment: Moment): void {
    const { service, limits } = this.#settings
    const inScope = scopeOf(this.#dialect, rights)
    const { selects, tells, window, selector } = query
    const shows = selects === undefined ? inScope : (data: BindingData) => selects(data) && inScope(data)
    const where: ScanQuery['where'] =
      tells === 'bound'
        ? (data, { keaNow }) => data.stateAt(keaNow) === BindingState.active && shows(data)
        : (data) => shows(data)
    const scoped = isScoped(rights)
    // Of an address that is known to nobody it cannot be said whose it would be.
    const configured = tells === 'addresses' && !scoped
    // Who held an address before is another client than the one that a query by address is about.
    const departures =
      window !== undefined && !query.single && (tells === 'changed' || (tells === 'addresses' && scoped))
    const scan = ++this.#newest
    const run: Run = {
      query,
      scan,
      where,
      service,
      limits,
      rights,
      shows,
      inScope,
      view: undefined,
      startedAt: moment.mono,
      needsHistory: window?.start !== undefined && tells !== 'bound',
      first: true,
      told: new Set(),
      pen: undefined,
      openedAt: undefined,
      settled: [],
      messages: 0,
      bindings: 0,
      departed: departures && this.#dialect.family === 4 ? new Set() : undefined,
    }
    this.#runs.set(scan, run)
    this.#host.note({
      event: 'bulk-started',
      xid: this.#host.xidText(query.xid),
      by: selector.by,
      since: window?.start,
      until: window?.end,
    })
    // Which one it is is decided among all that were found.
    if (!query.single) run.pen = new BulkPen(this.#dialect, run, this.#written)
    const { pen } = run
    this.#host.act({
      type: 'scan-open',
      scan,
      query: { selector, window, configured, departures, where, pen },
    })
  }

  onOpened(scan: number, horizon: number, moment: Moment): void {
    const run = this.#get(scan)
    run.openedAt = moment.now
    const start = run.query.window?.start
    if (start === undefined) return
    if (start > moment.now + this.#settings.limits.futureSeconds) {
      // Of another server, or of another life of this one: nothing is known about what happened since then.
      this.#fail(run, 'the start time lies in the future', moment)
    } else if (run.needsHistory && start < horizon) {
      // Where each configured address is told of, one of which nothing is known counts as changed: nothing is missing.
      if (run.query.tells === 'addresses' && !isScoped(run.rights)) run.needsHistory = false
      else this.#fail(run, 'the history does not reach back to the start time: ask without one', moment)
    }
  }

  onRefused(scan: number, text: string, moment: Moment): void {
    this.#fail(this.#get(scan), text, moment)
  }

  /** @returns why the connection has to be closed, if it has: an answer was cut short */
  onSlice(scan: number, slice: BulkSlice, moment: Moment): string | undefined {
    if (this.#awaited !== scan) throw new Error(`slice of scan ${scan} that was not asked for`)
    const run = this.#get(scan)
    this.#awaited = undefined
    for (const find of run.query.single ? bestFirst(slice.finds, moment) : slice.finds) {
      this.#tell(run, find, moment)
      if (run.query.single && run.messages > 0) {
        this.#finish(run, moment)
        return undefined
      }
    }
    if (slice.overtaken && run.needsHistory) {
      const text = 'the history was pruned before it could be sent'
      const begun = !run.first
      this.#fail(run, text, moment)
      // RFC 6926 section 8.5, RFC 5460 section 7.4: an answer that is cut short closes the connection.
      return begun ? text : undefined
    }
    if (slice.done) this.#finish(run, moment)
    return undefined
  }

  /** Asks for the next slice, of the query whose turn it is. */
  readOn(): void {
    if (this.#awaited !== undefined) return
    const run = this.#next()
    if (run === undefined) return
    this.#awaited = run.scan
    this.#lastServed = run.scan
    run.told.clear()
    run.pen?.begin()
    this.#host.act({ type: 'scan-next', scan: run.scan, settled: run.settled })
    run.settled = []
  }

  /** Tells the requestor that none of them will be completed (RFC 6926 section 8.5, RFC 5460 section 5.5). */
  terminate(text: string, moment: Moment): void {
    for (const run of [...this.#runs.values()]) this.#fail(run, text, moment)
  }

  #tell(run: Run, find: BulkFind, moment: Moment): void {
    if (find.kind === 'written') {
      this.#host.sendFrames(find.frames, moment)
      run.messages += find.messages
      run.bindings += find.bindings
      return
    }
    if (find.kind === 'available') {
      const frame = new Writer()
      this.#dialect.writeAvailable!(frame, run, find.address, find.since, baseTimeOf(run, moment))
      this.#send(run, [frame.take()], 1, moment)
      return
    }
    // It was looked at a moment ago: a lease may have ended since.
    if (
      find.kind === 'binding' &&
      run.query.tells === 'bound' &&
      stateAt(find.binding, moment.keaNow) !== BindingState.active
    )
      return
    if (find.kind === 'departure' && run.departed !== undefined) {
      const number = new DataView(find.departure.address.slice().buffer).getUint32(0)
      if (run.departed.has(number)) return
      const frames = this.#dialect.change(run, find, baseTimeOf(run, moment), moment)
      if (frames.length === 0) return
      run.departed.add(number)
      run.settled.push(find.departure.address)
      this.#send(run, frames, 1, moment)
      return
    }
    const before = run.told.size
    const frames = this.#dialect.change(run, find, baseTimeOf(run, moment), moment)
    if (run.told.size > before) {
      for (const { changeNumber, address } of find.companions)
        if (run.told.has(changeNumber)) run.settled.push(address)
    }
    this.#send(run, frames, frames.length === 0 ? 0 : 1 + run.told.size - before, moment)
  }

  /** The first message is another one than those after it, so each counts as soon as it is made. */
  #send(run: Run, frames: readonly Uint8Array[], bindings: number, moment: Moment): void {
    for (const frame of frames) this.#host.send(frame, moment)
    if (frames.length > 0) run.first = false
    run.messages += frames.length
    run.bindings += bindings
  }

  #finish(run: Run, moment: Moment): void {
    const { query } = run
    const xid = this.#host.xidText(query.xid)
    const refusal = run.first ? query.whenNothing : undefined
    this.#host.send(this.#dialect.bulkEnd(run, refusal, baseTimeOf(run, moment)), moment)
    this.#host.note(
      refusal === undefined
        ? {
            event: 'bulk-done',
            xid,
            by: query.selector.by,
            bindings: run.bindings,
            messages: run.messages,
            seconds: Math.round((moment.mono - run.startedAt) / 1000),
          }
        : { event: 'query-refused', xid, query: 'bulk', status: refusal.status, reason: refusal.text },
    )
    this.#remove(run)
  }

  #fail(run: Run, text: string, moment: Moment): void {
    const failure: Refusal = { status: 'queryTerminated', text }
    this.#host.send(this.#dialect.bulkEnd(run, failure, baseTimeOf(run, moment)), moment)
    this.#host.note({
      event: 'query-terminated',
      xid: this.#host.xidText(run.query.xid),
      query: 'bulk',
      status: failure.status,
      reason: text,
    })
    this.#remove(run)
  }

  #remove(run: Run): void {
    this.#runs.delete(run.scan)
    // It may have grown with long messages, and the connection may stay for long.
    if (this.#runs.size === 0) this.#written = new Writer()
    if (this.#awaited === run.scan) this.#awaited = undefined
    this.#host.act({ type: 'scan-close', scan: run.scan })
  }

  /** The first opened one behind the one served last, and round again. */
  #next(): Run | undefined {
    let first: Run | undefined
    for (const run of this.#runs.values()) {
      if (run.openedAt === undefined) continue
      if (run.scan > this.#lastServed) return run
      first ??= run
    }
    return first
  }

  #get(scan: number): Run {
    const run = this.#runs.get(scan)
    if (run === undefined) throw new Error(`no Bulk query has scan ${scan}`)
    return run
  }
}

/**
 * The present (RFC 6926 section 6.2.3), but in the first message the second in which the scan began: whatever changes from
 * then on may be missing in the answer, and an active query with that start time tells it.
 */
function baseTimeOf(run: Run, moment: Moment): LogicalSeconds {
  return run.first ? (run.openedAt ?? moment.now) : moment.now
}

/** Of those that hold an address, the one that does now, and nearest: the address itself, then the longest prefix. */
function bestFirst(finds: readonly BulkFind[], { keaNow }: Moment): BulkFind[] {
  const rank = (find: BulkFind): number => {
    if (find.kind !== 'binding') return 1000
    const { prefixLength } = find.binding
    const ended = stateAt(find.binding, keaNow) === BindingState.active ? 0 : 500
    return ended + (prefixLength === 0 ? 0 : 129 - prefixLength)
  }
  return [...finds].sort((a, b) => rank(a) - rank(b))
}
