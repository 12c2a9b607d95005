// What a requestor asked for, in words that hold for both families.
import type { BindingData, LogicalSeconds } from '../binding.ts'
import type { Status4 } from '../wire/v4/status.ts'
import type { Status6 } from '../wire/v6/status.ts'

/** Statuses by name; each dialect knows the numbers of those it has. */
export type StatusName = keyof typeof Status4 | keyof typeof Status6

/** A sound query that is not served, or one that could not be understood: answered with its status, then closed. */
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
  /** DHCPv6: OPTION_LQ_BASE_TIME was asked for. DHCPv4 sends base-time always. */
  readonly wantsBaseTime: boolean
}

export interface ActiveQuery extends Asker {
  /** query-start-time; undefined = no catch-up phase. */
  readonly since: LogicalSeconds | undefined
  /** Option codes that were asked for, or the default set. */
  readonly requested: ReadonlySet<number>
  /** Whether a binding is asked for (OPTION_LQ_QUERY); scope is not part of it. Undefined = every one is. */
  readonly selects: ((data: BindingData) => boolean) | undefined
}

export type QueryKind = 'active' | 'bulk'

/** A message of the requestor, as the session sees it. */
export type Request =
  | { readonly kind: 'tls-start'; readonly xid: number }
  | { readonly kind: 'active'; readonly query: ActiveQuery }
  | { readonly kind: 'bulk'; readonly asker: Asker }
  | { readonly kind: 'refused'; readonly query: QueryKind; readonly asker: Asker; readonly refusal: Refusal }
  /** A type that is not supported here, or octets that cannot be answered: the connection is closed. */
  | { readonly kind: 'unanswerable'; readonly reason: string }

export const NO_REQUESTOR_ID = new Uint8Array(0)
