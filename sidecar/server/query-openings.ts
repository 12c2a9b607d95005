// Where a query begins to read, and whether it can be answered now: what the horizon, a crash, a pending walk, a silent feed
// and what was hidden from the requestor before have to do with it.
import type { LogicalSeconds } from '../binding.ts'
import type { Requester } from '../config-requesters.ts'
import type { Input, Moment, ScanQuery } from '../session/session-io.ts'
import type { BulkStore } from '../store/store.ts'
import { openBulk } from './bulk-reader.ts'
import { openAt } from './change-reader.ts'
import type { OpenedBulk } from './connection-host.ts'
import type { FormerViews } from './former-views.ts'
import { type Topology, topologyOf } from './topology.ts'

/** How long the answer to a start time waits for the proof that nothing was lost in a crash. */
const TRUST_WAIT_MS = 10_000
/** How long a Bulk query waits for a walk that may change its answer, or for room. */
const BULK_WAIT_MS = 60_000
const NO_TOPOLOGY = topologyOf([])
export const NOT_HEARD = 'the DHCP server is not heard'

/** What is known at the moment. */
export interface Situation {
  readonly store: BulkStore
  readonly moment: () => Moment
  /** See RequestorServiceParts. */
  readonly indexTrusted: () => boolean
  readonly walkPending: () => boolean
  readonly disowns: (at: LogicalSeconds) => boolean
  readonly formerViews: () => FormerViews
  /** Kea has been silent for too long. */
  readonly suspended: () => boolean
  /** Undefined: Kea has not said any. */
  readonly topology: () => Topology | undefined
}

export class QueryOpenings {
  readonly #situation: Situation

  constructor(situation: Situation) {
    this.#situation = situation
  }

  /** @param waitedMs since it was asked first */
  active(
    since: LogicalSeconds | undefined,
    requester: Requester,
    waitedMs: number,
  ): Extract<Input, { type: 'opened' | 'terminate' }> | 'later' {
    const { store, indexTrusted, moment, suspended, formerViews } = this.#situation
    if (suspended()) return { type: 'terminate', text: NOT_HEARD }
    const opened = openAt(store, since, moment().now)
    if (since === undefined || !opened.complete) return opened
    const incomplete = { ...opened, after: opened.newest, complete: false }
    if (this.#situation.disowns(since) || formerViews().lacks(requester, since)) return incomplete
    if (indexTrusted()) return opened
    // After a crash the feed mostly proves in a moment that nothing was lost; DataMissing would cost the requestor a
    // Bulk query for nothing.
    return waitedMs < TRUST_WAIT_MS ? 'later' : incomplete
  }

  /** @param waitedMs since it was asked first */
  bulk(query: ScanQuery, requester: Requester, waitedMs: number): OpenedBulk | 'later' {
    const { store, indexTrusted, walkPending, moment, formerViews } = this.#situation
    const topology = this.#situation.topology()
    const { horizon } = store
    if (horizon === undefined) return { refused: 'the leases of the DHCP server have not all been read yet' }
    const start = query.window?.start
    if (start !== undefined && formerViews().lacks(requester, start))
      return { refused: 'more than at the start time is shown to this requestor: ask without one' }
    if (start !== undefined && this.#situation.disowns(start))
      return {
        refused: 'the start time is of before the clock of this server was set right: ask without one',
      }
    const later = (refused: string) => (waitedMs < BULK_WAIT_MS ? 'later' : { refused })
    if (walkPending()) return later('the leases are being compared with those of the DHCP server')
    if (start !== undefined && !indexTrusted())
      return later('it is not known yet whether changes were lost in a crash')
    if (query.configured && topology === undefined)
      return later('the configured addresses are not known yet: the DHCP server has not been reached')
    const bulk = openBulk(store, topology ?? NO_TOPOLOGY, query, moment)
    return bulk === undefined ? later('too many Bulk queries are running') : { bulk, horizon }
  }
}
