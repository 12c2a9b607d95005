// A requestor with a real session over a real store, as connection and service put them together, without their sockets: it
// reads at its own pace, is cut, and comes back with the last base-time it read.
import assert from 'node:assert/strict'
import { type BindingData, BindingState, type LogicalSeconds } from '../../sidecar/binding.ts'
import { ChangeReader, openAt } from '../../sidecar/server/change-reader.ts'
import type { Dialect } from '../../sidecar/session/dialect.ts'
import { defaultLimits } from '../../sidecar/session/limits.ts'
import { scopeOf } from '../../sidecar/session/selection.ts'
import { Session } from '../../sidecar/session/session.ts'
import type { Action, Input, Moment, Rights } from '../../sidecar/session/session-io.ts'
import type { Store } from '../../sidecar/store/open.ts'
import { formatAddress } from '../../sidecar/wire/address.ts'
import { framesOf } from '../../sidecar/wire/framing.ts'
import { allRights, identities } from '../session/driver.ts'
import type { FamilyUnderTest } from '../session/families.ts'
import { toHex } from '../wire/bytes.ts'

/** The service waits so long for the proof that nothing shown before a crash was lost (milliseconds). */
const TRUST_WAIT_MS = 10_000

/** What a life of the sidecar offers to requestors. */
export interface Offer {
  readonly store: Store
  readonly dialect: Dialect
  readonly reader: ChangeReader
  readonly moment: () => Moment
  /** FeedStatus.indexTrusted. */
  readonly isTrusted: () => boolean
  readonly isWalkPending: () => boolean
}

export function readerOf(store: Store): ChangeReader {
  return new ChangeReader(store, (subnetId) => subnetId)
}

interface Connection {
  readonly offer: Offer
  readonly session: Session
  /** Sent, and not read by the requestor yet. */
  readonly unread: Uint8Array[]
  owesWritable: boolean
  open: { readonly since: LogicalSeconds | undefined; readonly askedAt: number } | undefined
  read: Extract<Action, { type: 'write-changes' }> | undefined
  isCatchingUp: boolean
}

export class StoreRequestor {
  readonly #family: FamilyUnderTest
  readonly #rights: Rights
  #connection: Connection | undefined
  /** `address client` of all that it takes for live. */
  readonly #live = new Map<string, string>()
  #resume: LogicalSeconds | undefined
  /** New, or told DataMissing: what it holds is worth nothing before a Bulk query. */
  needsBulk = true
  /** How often it was told DataMissing, came back with a start time and was told nothing was missing. */
  readonly counts = { missing: 0, resumed: 0, told: 0 }

  constructor(family: FamilyUnderTest, scope: Partial<Rights> = {}) {
    this.#family = family
    this.#rights = { ...allRights, ...scope }
  }

  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  get live(): string[] {
    return [...this.#live.values()].sort()
  }

  inScope(data: BindingData): boolean {
    return scopeOf(this.#family.dialect, this.#rights)(data)
  }

  nameOf(data: BindingData): string {
    const { family } = this.#family
    const address = formatAddress(data.address) + (data.prefixLength > 0 ? `/${data.prefixLength}` : '')
    return `${address} ${toHex(family === 4 ? data.hardwareAddress : data.clientId)}`
  }

  connect(offer: Offer): void {
    if (this.#connection !== undefined) return
    const session = new Session(
      offer.dialect,
      {
        limits: defaultLimits,
        rights: this.#rights,
        service: {
          identity: identities[offer.dialect.family],
          activeEnabled: true,
          bulkEnabled: false,
        },
        tls: { mode: 'off', ready: false },
      },
      offer.moment(),
    )
    this.#connection = {
      offer,
      session,
      unread: [],
      owesWritable: false,
      open: undefined,
      read: undefined,
      isCatchingUp: this.#resume !== undefined,
    }
    this.#tell({ type: 'bytes', data: this.#family.query(this.#resume) })
  }

  /** The connection is gone; of what was sent the requestor has read only so many messages more. */
  cut(messages: number): void {
    for (let i = 0; i < messages && this.#readOne(); i++);
    this.#connection = undefined
  }

  /** The service has its turn: one question of the session is answered. False: there is none, or it has to wait. */
  serve(limit: number): boolean {
    const connection = this.#connection
    if (connection === undefined) return false
    const { offer, open, read } = connection
    if (open !== undefined) {
      const { now, mono } = offer.moment()
      const opened = openAt(offer.store, open.since, now)
      // As RequestorService.open() has it.
      const isProven = open.since === undefined || !opened.complete || offer.isTrusted()
      if (!isProven && mono - open.askedAt < TRUST_WAIT_MS) return false
      connection.open = undefined
      this.#tell(isProven ? opened : { ...opened, after: opened.newest, complete: false })
      return true
    }
    if (read === undefined) return false
    connection.read = undefined
    this.#tell(offer.reader.write({ ...read, limit: Math.min(read.limit, limit) }, offer.moment()))
    return true
  }

  /** The service says that there are changes. */
  grew(): void {
    this.#tell({ type: 'index-grew' })
  }

  /** Time has passed. */
  tick(): void {
    const connection = this.#connection
    const at = connection?.session.deadline()
    if (connection !== undefined && at !== undefined && at <= connection.offer.moment().mono)
      this.#tell({ type: 'deadline' })
  }

  /** The requestor reads so many messages. */
  read(messages: number): boolean {
    let count = 0
    while (count < messages && this.#readOne()) count++
    const connection = this.#connection
    if (connection?.owesWritable && connection.unread.length === 0) {
      connection.owesWritable = false
      this.#tell({ type: 'writable' })
    }
    return count > 0
  }

  /**
   * It asks for all bindings (Bulk Leasequery), where that is answered. What it has not read of the other connection yet is
   * older; the tests of Bulk answers themselves are in test/server and test/conformance.
   */
  bulk(offer: Offer): boolean {
    const { store } = offer
    if (store.horizon === undefined || offer.isWalkPending()) return false
    // The active query tells of what changes from its acceptance on; a Bulk answer from before would leave a gap.
    if (this.#connection?.open !== undefined) return false
    this.read(Number.POSITIVE_INFINITY)
    this.#live.clear()
    for (const name of this.heldIn(store)) this.#live.set(this.#keyOf(name), name)
    this.#resume ??= offer.moment().now
    this.needsBulk = false
    return true
  }

  /** What a requestor in step holds. */
  heldIn(store: Store): string[] {
    const held: string[] = []
    const scan = store.openBulkScan({ by: 'all' })!
    for (let done = false; !done; ) {
      const slice = scan.next(1_000)
      done = slice.done
      for (const change of slice.changes) {
        if (change.kind !== 'binding' || change.binding.state !== BindingState.active) continue
        if (this.inScope(change.binding)) held.push(this.nameOf(change.binding))
      }
    }
    scan.close()
    return held.sort()
  }

  #keyOf(name: string): string {
    return this.#family.family === 4 ? name.split(' ')[0]! : name
  }

  #tell(input: Input): void {
    const connection = this.#connection
    if (connection === undefined) return
    for (const action of connection.session.handle(input, connection.offer.moment()))
      this.#do(action, connection)
  }

  #do(action: Action, connection: Connection): void {
    switch (action.type) {
      case 'send':
        connection.unread.push(action.message)
        connection.owesWritable = true
        break
      case 'send-frames':
        // A copy: the octets are good until the requestor has read them.
        connection.unread.push(...framesOf(action.frames.slice()))
        connection.owesWritable = true
        break
      case 'open':
        connection.open = { since: action.since, askedAt: connection.offer.moment().mono }
        break
      case 'write-changes':
        connection.read = action
        break
      case 'close':
        // In order: what was sent arrives before the end does.
        while (this.#readOne());
        this.#connection = undefined
        break
    }
  }

  #readOne(): boolean {
    const connection = this.#connection
    const message = connection?.unread.shift()
    if (connection === undefined || message === undefined) return false
    const { status, baseTime, bindings } = this.#family.read(message)
    this.counts.told += bindings.length
    for (const told of bindings) {
      const name = told.slice(0, told.lastIndexOf(' '))
      if (told.endsWith(' live')) this.#live.set(this.#keyOf(name), name)
      else this.#live.delete(this.#keyOf(name))
    }
    if (status === 'CatchUpComplete') {
      connection.isCatchingUp = false
      this.counts.resumed++
    }
    if (status === 'DataMissing') {
      connection.isCatchingUp = false
      this.needsBulk = true
      this.counts.missing++
      this.#resume = undefined
    }
    // In the catch-up phase a base-time is not to be kept (RFC 7724 section 7.3, RFC 7653 section 8.3).
    if (!connection.isCatchingUp && baseTime !== undefined) {
      assert.ok(baseTime >= (this.#resume ?? 0), `base-time went back from ${this.#resume} to ${baseTime}`)
      this.#resume = baseTime
    }
    return true
  }
}
