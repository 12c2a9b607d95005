// What goes into a session and what comes out: the whole agreement between session/ and the shell around it.
import type { Binding, BindingData, ChangeNumber, LogicalSeconds, Scope, UnixSeconds } from '../binding.ts'
import type { PackedBinding } from '../packed-binding.ts'
import type { Limits } from './limits.ts'
import type { Selector, TimeWindow } from './query.ts'

/** The present, as the shell hands it to each call. */
export interface Moment {
  /** Monotonic clock, milliseconds; for time-outs. */
  readonly mono: number
  /**
   * The logical clock L. No change that is stored after this call may get a smaller change time: while a batch of changes
   * is being stored under one second, sessions are given no later one. Base-times come from here.
   */
  readonly now: LogicalSeconds
  /** Kea's clock, for times left and ages. */
  readonly keaNow: UnixSeconds
}

// ---- into the session

/**
 * A change as the shell hands it over.
 *
 * `companions` (DHCPv6; empty in DHCPv4): the same client's other active bindings on the same link, since a message
 * describes one client on one link (RFC 5460 section 5.2.1). The shell bounds their number.
 *
 * A departure has a smaller change number than the binding that took its place, so that a requestor hears of the end
 * before it hears of what came after. `current` is what is stored for the address now.
 */
export type ActiveChange =
  | { readonly kind: 'binding'; readonly binding: Binding; readonly companions: readonly Binding[] }
  | {
      readonly kind: 'departure'
      readonly departure: BindingData & {
        readonly changedAt: LogicalSeconds
        readonly changeNumber: ChangeNumber
      }
      readonly current: Binding | undefined
      readonly companions: readonly Binding[]
    }

/**
 * Writes the messages about changes, while the shell goes through them: most are told where they lie, since an object each
 * would cost more than all the rest.
 */
export interface ChangePen {
  /** Octets written in this slice. */
  readonly length: number
  /**
   * A slice begins.
   * @param place one and the same object for all slices that begin behind the same change and may be as long, while nothing
   *   is stored and there is the same configuration of subnets
   * @returns up to where changes need not be shown: they were written for somebody else, in the same words
   */
  begin(place: object, moment: Moment): ChangeNumber | undefined
  /** A change comes. @param next change time of the one behind it in the index; undefined = there is none */
  turnTo(next: LogicalSeconds | undefined): void
  /** Whether it is to be told of a binding: it is in the requestor's scope, and no message of this slice has it. */
  wants(record: PackedBinding): boolean
  /**
   * Tells of a binding that it {@link wants}.
   * @param companions see {@link ActiveChange}
   */
  write(record: PackedBinding, companions: readonly PackedBinding[]): void
  /** Tells of any change, if it is to be told; the objects are good only during the call. */
  tell(change: ActiveChange): void
}

/** What the shell has to look for on behalf of a Bulk query. */
export interface ScanQuery {
  readonly selector: Selector
  /** Only what changed in it. */
  readonly window: TimeWindow | undefined
  /**
   * DHCPv4: also the configured addresses of which no binding is known. In a window they are due only where its start time
   * lies below the horizon (or it has none): an end that is forgotten may have been in it.
   */
  readonly configured: boolean
  /** With a window: also departures in it. */
  readonly departures: boolean
  /** Asked of each candidate, binding or departure; `data` is only good during the call. */
  readonly where: (data: PackedBinding, moment: Moment) => boolean
  /** Where finds may be told of without being handed over. */
  readonly pen: Pen | undefined
}

/**
 * Writes messages about bindings where they lie, while the shell looks for them: a find each would cost more than all the
 * rest. What was written becomes one find of the slice.
 */
export interface Pen {
  /** Octets that wait to be taken. */
  readonly length: number
  /**
   * Tells of a binding that {@link ScanQuery.where} has let through.
   * @param companions see {@link ActiveChange}
   * @returns false: it is to be handed over as a find
   */
  write(record: PackedBinding, companions: readonly PackedBinding[], moment: Moment): boolean
  /** As {@link write}, of a find that is `available`. */
  writeAvailable(address: number, since: LogicalSeconds, moment: Moment): boolean
  /** Whether a binding was told of in this slice as the companion of another, and needs no message of its own. */
  hasTold(record: PackedBinding): boolean
  /** What was written since the last call. */
  take(): Extract<BulkFind, { kind: 'written' }>
}

/** What a scan has come upon. */
export type BulkFind =
  | ActiveChange
  /** A configured address (DHCPv4) of which no binding is known; nothing has happened to it since that second at least. */
  | { readonly kind: 'available'; readonly address: number; readonly since: LogicalSeconds }
  /** What the query's pen has written. */
  | {
      readonly kind: 'written'
      /** Whole frames, one behind the other; good until the next slice is asked for. */
      readonly frames: Uint8Array
      readonly messages: number
      readonly bindings: number
    }

/** The answer to a `scan-next`, read and handed over without anything being stored in between. */
export interface BulkSlice {
  /** A binding comes once in all slices of a scan. Only of `address` they are in order: the longest prefix first. */
  readonly finds: readonly BulkFind[]
  readonly done: boolean
  /** Pruning took ends that the window asks for before the scan came by them. */
  readonly overtaken: boolean
}

/** What a requestor may do and see; comes with the connection, or with the certificate once TLS is up. */
export interface Rights extends Scope {
  readonly active: boolean
  readonly bulk: boolean
  /** Option codes never sent, though asked for (RFC 7724 section 8.2, RFC 7653 section 9.3). */
  readonly withhold: ReadonlySet<number>
  /** Relay data is sent though it is not asked for, for equipment that cannot ask. */
  readonly relayDataAlways: boolean
  /** Seconds of silence before a keepalive; 0 = `limits.activeIdleSeconds`. */
  readonly keepaliveSeconds: number
  /** DHCPv4: `empty-active` is a DHCPLEASEACTIVE about no address, for equipment that expects it. */
  readonly keepaliveForm: 'status' | 'empty-active'
}

export type Input =
  | { readonly type: 'bytes'; readonly data: Uint8Array }
  /** TLS is up, after `start-tls`; the certificate decides the rights. */
  | { readonly type: 'secured'; readonly rights: Rights }
  /** Answer to `open`. */
  | {
      readonly type: 'opened'
      /** Read on from here; without a start time, `newest`. At least what pruning took away, where `complete`. */
      readonly after: ChangeNumber
      /** Newest change at this moment. */
      readonly newest: ChangeNumber
      /** The index holds every change since the start time; true without one. */
      readonly complete: boolean
    }
  /** Answer to `write-changes`: all up to `through` was handed to the pen, with nothing stored in between. */
  | {
      readonly type: 'written'
      readonly through: ChangeNumber
      /** The newest change in the index. */
      readonly newest: ChangeNumber
      /** Pruning took away a change above the `after` of the read: an end has been missed, and the pen was shown nothing. */
      readonly overtaken: boolean
    }
  /** Answer to `scan-open`. */
  | {
      readonly type: 'scan-opened'
      readonly scan: number
      /** Second from which the index is complete. */
      readonly horizon: LogicalSeconds
    }
  /** Answer to `scan-open`: it cannot be done now. */
  | { readonly type: 'scan-refused'; readonly scan: number; readonly text: string }
  /** Answer to `scan-next`. */
  | { readonly type: 'slice'; readonly scan: number; readonly slice: BulkSlice }
  /** The index has a change that is newer than the last read. */
  | { readonly type: 'index-grew' }
  /** The connection takes messages again. Due once after each call that sent any, when it is so (mostly at once). */
  | { readonly type: 'writable' }
  /** Some of what waits to be sent has been taken by the requestor. */
  | { readonly type: 'progress' }
  /** The moment of `deadline()` has come. */
  | { readonly type: 'deadline' }
  /** The requestor has closed its end. */
  | { readonly type: 'ended' }
  /** End what is running: a stop, a changed configuration, a silent feed. */
  | { readonly type: 'terminate'; readonly text: string }
export type InputType = Input['type']

// ---- out of the session

export type Action =
  /** One whole frame: size prefix and message. Never joined with others in one TLS record in DHCPv4. */
  | { readonly type: 'send'; readonly message: Uint8Array }
  /**
   * As so many times `send`: whole frames, one behind the other, that are good until the session is told `writable` or the
   * connection is over.
   */
  | { readonly type: 'send-frames'; readonly frames: Uint8Array }
  /** Look up where a query begins; answer with `opened`. */
  | { readonly type: 'open'; readonly since: LogicalSeconds | undefined }
  /**
   * Show the changes after a number to `pen`, in order, for one slice; answer with `written`, when this connection's turn has
   * come.
   */
  | {
      readonly type: 'write-changes'
      readonly after: ChangeNumber
      /** In the catch-up phase: no further than this. */
      readonly until: ChangeNumber | undefined
      /** So many changes at most. */
      readonly limit: number
      readonly pen: ChangePen
    }
  /** Begin to look for what a Bulk query asks for; answer with `scan-opened` or `scan-refused`. `scan` is its number. */
  | { readonly type: 'scan-open'; readonly scan: number; readonly query: ScanQuery }
  /** Look on, for one slice; answer with `slice`, when this connection's turn has come. */
  | {
      readonly type: 'scan-next'
      readonly scan: number
      /** Addresses of bindings that have been told as companions of another: the scan need not come by them. */
      readonly settled: readonly Uint8Array[]
    }
  /** Nothing more is wanted of it. `close` does that to all scans of the connection. */
  | { readonly type: 'scan-close'; readonly scan: number }
  /** Take octets of the requestor, or leave them unread until told otherwise. Taken at the beginning. */
  | { readonly type: 'reading'; readonly on: boolean }
  /** Send what was sent, then let the requestor begin TLS; answer with `secured`, or close the connection. */
  | { readonly type: 'start-tls' }
  /** For the log. */
  | { readonly type: 'note'; readonly note: SessionNote }
  /**
   * The connection is over; nothing follows. With `abort` without waiting for anything; otherwise after what was sent has
   * been taken (the shell bounds the wait).
   */
  | { readonly type: 'close'; readonly reason: CloseReason; readonly text: string; readonly abort: boolean }

export type CloseReason =
  | 'requestor-closed' // it closed its end
  | 'protocol-error' // it broke the protocol, or sent a type that is not supported
  | 'refused' // its query was refused, and it was told
  | 'terminated' // by `terminate`
  | 'blocked' // it stopped reading
  | 'idle' // no query came in time
  | 'no-tls' // TLS is required, and it did not start it

export type SessionNote =
  | { readonly event: 'query-started'; readonly xid: string; readonly since: LogicalSeconds | undefined }
  | {
      readonly event: 'query-refused'
      readonly xid: string
      readonly query: 'active' | 'bulk'
      readonly status: string
      readonly reason: string
    }
  | {
      readonly event: 'bulk-started'
      readonly xid: string
      /** What it selects by. */
      readonly by: Selector['by']
      readonly since: LogicalSeconds | undefined
      readonly until: LogicalSeconds | undefined
    }
  | {
      readonly event: 'bulk-done'
      readonly xid: string
      readonly by: Selector['by']
      /** Addresses and prefixes told. */
      readonly bindings: number
      readonly messages: number
      readonly seconds: number
    }
  | { readonly event: 'caught-up'; readonly xid: string; readonly messages: number }
  | { readonly event: 'data-missing'; readonly xid: string; readonly reason: string }
  | {
      readonly event: 'query-terminated'
      readonly xid: string
      readonly query: 'active' | 'bulk'
      readonly status: string
      readonly reason: string
    }
  | { readonly event: 'misbehaved'; readonly reason: string }
  | { readonly event: 'tls-refused' }

// ---- what a session is made with

/** What the server says about itself and knows about its configuration. */
export interface Service {
  /** DHCPv4: an address the requestor knows this server by, 4 octets. DHCPv6: the server's DUID. */
  readonly identity: Uint8Array
  /** `advanced.active-query-enabled` */
  readonly activeEnabled: boolean
  /** `advanced.bulk-query-enabled` */
  readonly bulkEnabled: boolean
  /** T1 and T2 of a subnet in seconds, 0 = not set (DHCPv4 options 58 and 59); undefined = not known. */
  readonly timers?: (subnetId: number) => { readonly renew: number; readonly rebind: number } | undefined
  /** Subnets of the link that a DHCPv6 link-address is on; empty = no such link, undefined = Kea has not said any yet. */
  readonly subnetsOfLink?: (linkAddress: Uint8Array) => readonly number[] | undefined
  /** Whether a DHCPv6 address lies in a subnet or a prefix pool; undefined = yes. */
  readonly isOnLink?: (address: Uint8Array) => boolean
}

export interface TlsPolicy {
  /** `off`: insecure mode, a step of its own in the configuration. */
  readonly mode: 'off' | 'required'
  /** A certificate is at hand, so that TLS can be started. */
  readonly ready: boolean
}

export interface SessionSettings {
  readonly limits: Limits
  readonly rights: Rights
  readonly service: Service
  readonly tls: TlsPolicy
}
