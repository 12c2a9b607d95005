// What the follower hears and asks, in our own types: checked, and free of protobuf.
import type { BindingData, Family, Origin, UnixSeconds } from '../binding.ts'
import type { DecodeError } from './decode-error.ts'

/** `Operation` of the contract. */
export const Operation = { add: 1, update: 2, delete: 3 } as const
export type Operation = (typeof Operation)[keyof typeof Operation]

/** Kea's numbers for the state of a lease. */
export const KeaState = { default: 0, declined: 1, expiredReclaimed: 2, released: 3, registered: 4 } as const

/** A row of Kea's lease database. Fields are named as in {@link BindingData}, which it becomes. */
export interface LeaseRow
  extends Pick<
    BindingData,
    | 'address'
    | 'prefixLength'
    | 'subnetId'
    | 'iaid'
    | 'hardwareType'
    | 'hardwareAddress'
    | 'clientId'
    | 'validLifetime'
    | 'preferredLifetime'
    | 'hostname'
  > {
  readonly keaState: number
  readonly clientLastTransaction: UnixSeconds
  /** Relay data that Kea keeps with the row, as {@link BindingData.relay}; undefined = it keeps none. */
  readonly storedRelay: Uint8Array | undefined
}

/** What the client's packet carried. */
export interface PacketData {
  readonly messageType: number
  /** As {@link BindingData.relay}; undefined = the packet came from no relay. */
  readonly relay: Uint8Array | undefined
  readonly options: Uint8Array
}

export interface LeaseChange {
  readonly kind: 'change'
  readonly operation: Operation
  readonly lease: LeaseRow
  readonly origin: Origin
  readonly packet: PacketData | undefined
}

export interface Annotation {
  readonly kind: 'annotation'
  readonly address: Uint8Array
  readonly hardwareType: number
  readonly hardwareAddress: Uint8Array
  readonly clientId: Uint8Array
  readonly origin: Origin
  readonly packet: PacketData | undefined
}

/** An event that cannot be read: it has a number, so it counts as lost. */
export interface UnreadableEvent {
  readonly kind: 'unreadable'
  readonly error: DecodeError
}

/** Of a kind that a later minor version of the contract added: it may be ignored, else the version were a major one. */
export interface UnknownEvent {
  readonly kind: 'unknown'
}

export type FeedEvent = LeaseChange | Annotation | UnreadableEvent | UnknownEvent

/** events[i] has sequence number firstSeq + i. `clock`: Kea's, Unix milliseconds. */
export interface EventBatch {
  readonly kind: 'batch'
  /** Hex. */
  readonly epoch: string
  readonly firstSeq: number
  readonly clock: number
  readonly events: readonly FeedEvent[]
}

export interface Heartbeat {
  readonly kind: 'heartbeat'
  readonly epoch: string
  /** Newest number published: whoever has not got it has lost it. */
  readonly lastSeq: number
  readonly oldestSeq: number
  readonly clock: number
  readonly configGeneration: number
  readonly resyncGeneration: number
  readonly serviceGeneration: number
  readonly ring: RingReport
}

/** What the hook's ring has come to in this epoch. */
export interface RingReport {
  /** Most events it keeps; 0 = not said (a hook before 1.2). */
  readonly events: number
  /** Events that left it before they could be published. */
  readonly overwritten: number
  /** Events that could not be kept at all. */
  readonly lost: number
  /** Events too long to keep whole, published without packet data. */
  readonly cut: number
}

export const NO_RING: RingReport = { events: 0, overwritten: 0, lost: 0, cut: 0 }

export type FeedMessage = EventBatch | Heartbeat

export interface Hello {
  readonly kind: 'hello'
  readonly contractMajor: number
  readonly contractMinor: number
  /** 0 = not said. */
  readonly family: Family | 0
  readonly keaVersion: string
  readonly hookVersion: string
  readonly lastSeq: number
  readonly oldestSeq: number
  readonly clock: number
  readonly serverDuid: Uint8Array
  readonly serverIdentifiers: readonly Uint8Array[]
  /** Requestor service parameters as JSON; empty = not said. */
  readonly service: string
  readonly serviceGeneration: number
  readonly configGeneration: number
  readonly resyncGeneration: number
  readonly tap: boolean
  readonly extendedInfo: boolean
}

/** A row of a page that cannot be read. With its address, where that much is known, it still counts as seen. */
export interface UnreadableRow {
  readonly address: Uint8Array | undefined
  readonly error: DecodeError
}

export interface SnapshotPage {
  readonly kind: 'page'
  readonly walk: number
  readonly after: Uint8Array
  readonly stamp: number
  readonly clock: number
  /** By address, ascending. */
  readonly leases: readonly LeaseRow[]
  readonly unreadable: readonly UnreadableRow[]
  readonly end: boolean
}

export interface Subnet {
  readonly id: number
  readonly prefix: Uint8Array
  readonly prefixLength: number
  /** Empty = none. */
  readonly sharedNetwork: string
  readonly pools: readonly { readonly first: Uint8Array; readonly last: Uint8Array }[]
  readonly prefixPools: readonly {
    readonly prefix: Uint8Array
    readonly prefixLength: number
    readonly delegatedLength: number
  }[]
  readonly relayAddresses: readonly Uint8Array[]
  /** T1 and T2 in seconds; 0 = not set. */
  readonly renewTimer: number
  readonly rebindTimer: number
}

export interface ConfigPage {
  readonly kind: 'config'
  readonly generation: number
  /** From 1 on. */
  readonly page: number
  /** How many there are. */
  readonly pages: number
  readonly subnets: readonly Subnet[]
  /** What Kea's configuration reserves for hosts: first and last address of each range, one after the other, ascending. */
  readonly reserved: Uint8Array
}

/** All pages together. */
export interface FeedConfig extends Pick<ConfigPage, 'generation' | 'subnets' | 'reserved'> {
  readonly kind: 'whole'
}

/** `Error.Code` of the contract. */
export const FeedErrorCode = {
  unspecified: 0,
  wrongEpoch: 1,
  notInRing: 2,
  notReady: 3,
  leaseDatabase: 4,
  badRequest: 5,
  busy: 6,
} as const

export interface FeedError {
  readonly kind: 'error'
  readonly code: number
  readonly text: string
}

export type ReplyBody =
  | Hello
  | EventBatch
  | SnapshotPage
  | ConfigPage
  | { readonly kind: 'report-accepted' }
  | FeedError

export interface FeedReply {
  readonly id: number
  readonly epoch: string
  readonly body: ReplyBody
}

/** For Kea's log and `lease-feed-status`. */
export interface FeedReport {
  readonly state: string
  readonly appliedSeq: number
  readonly bindings: number
  readonly requestors: number
  readonly problems: readonly FeedProblem[]
}

export interface FeedProblem {
  /** kea.conf parameter it is about; empty = none. */
  readonly parameter: string
  /** One sentence. */
  readonly text: string
}

export type RequestBody =
  | { readonly kind: 'hello' }
  | { readonly kind: 'replay'; readonly fromSeq: number; readonly limit: number }
  | { readonly kind: 'page'; readonly walk: number; readonly after: Uint8Array; readonly limit: number }
  /** `generation`: of the pages before; 0 for the first. */
  | { readonly kind: 'config'; readonly page: number; readonly generation: number }
  | { readonly kind: 'report'; readonly report: FeedReport }

export interface FeedRequest {
  readonly id: number
  /** Hex; empty in Hello. */
  readonly epoch: string
  readonly body: RequestBody
}
