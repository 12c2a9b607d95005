// What a requestor asked for, in words that hold for both families.
import type { BindingData, LogicalSeconds } from '../binding.ts'
import type { Status4 } from '../wire/v4/status.ts'
import type { Status6 } from '../wire/v6/status.ts'

/** Statuses by name; each dialect knows the numbers of those it has. */
export type StatusName = keyof typeof Status4 | keyof typeof Status6

/** A sound query that is not served, or one that could not be understood: answered with its status. */
export interface Refusal {
  readonly status: StatusName
  /** For the requestor's operator and for our log. */
  readonly text: string
}

/** What of a query its answers repeat. */
export interface Asker {
  readonly xid: number
  /** DHCPv6: the requestor's DUID, copied into LEASEQUERY-REPLY. Empty in DHCPv4, or where it could not be read. */
  readonly requestorId: Uint8Array
  /** base-time was asked for. In DHCPv4 an active query gets it always. */
  readonly wantsBaseTime: boolean
}

/** What messages about bindings are made from. */
export interface QueryForBindings extends Asker {
  /** Option codes that were asked for, or the default set. */
  readonly requested: ReadonlySet<number>
}

export interface ActiveQuery extends QueryForBindings {
  /** query-start-time; undefined = no catch-up phase. */
  readonly since: LogicalSeconds | undefined
  /** Whether a binding is asked for (OPTION_LQ_QUERY); scope is not part of it. Undefined = every one is. */
  readonly selects: ((data: BindingData) => boolean) | undefined
}

/** What a Bulk query looks for. Of a relay's options: as they stand at any hop, remote-ids of DHCPv6 with their enterprise number. */
export type Selector =
  | { readonly by: 'all' }
  | { readonly by: 'hardware-address'; readonly hardwareType: number; readonly hardwareAddress: Uint8Array }
  | { readonly by: 'client-id'; readonly clientId: Uint8Array }
  | { readonly by: 'relay-id'; readonly relayId: Uint8Array }
  | { readonly by: 'remote-id'; readonly remoteId: Uint8Array }
  | { readonly by: 'subnets'; readonly subnetIds: readonly number[] }
  | { readonly by: 'address'; readonly address: Uint8Array }

/** query-start-time and query-end-time, both inclusive; at least one is there. */
export interface TimeWindow {
  readonly start: LogicalSeconds | undefined
  readonly end: LogicalSeconds | undefined
}

export interface BulkQuery extends QueryForBindings {
  readonly selector: Selector
  readonly window: TimeWindow | undefined
  /** Whether a binding is asked for, where the selector does not say it all (the link); scope is not part of it. */
  readonly selects: ((data: BindingData) => boolean) | undefined
  /**
   * - `bound`: bindings that are held now
   * - `changed`: also those that ended in the window (DHCPv6 with a window)
   * - `addresses`: every configured address, held or not (DHCPv4 without a primary query)
   */
  readonly tells: 'bound' | 'changed' | 'addresses'
  /** The answer is about one client at most (RFC 5007 section 4.4.1). */
  readonly single: boolean
  /** How it is refused where nothing is found. */
  readonly whenNothing: Refusal | undefined
}

export type QueryKind = 'active' | 'bulk'

/** A message of the requestor, as the session sees it. */
export type Request =
  | { readonly kind: 'tls-start'; readonly xid: number }
  | { readonly kind: 'active'; readonly query: ActiveQuery }
  | { readonly kind: 'bulk'; readonly query: BulkQuery }
  | { readonly kind: 'refused'; readonly query: QueryKind; readonly asker: Asker; readonly refusal: Refusal }
  /** A type that is not supported here, or octets that cannot be answered: the connection is closed. */
  | { readonly kind: 'unanswerable'; readonly reason: string }

export const NO_REQUESTOR_ID = new Uint8Array(0)
