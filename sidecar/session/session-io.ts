// What goes into a session and what comes out: the whole agreement between session/ and the shell around it.
import type { Binding, BindingData, ChangeNumber, LogicalSeconds, UnixSeconds } from '../binding.ts'
import type { Limits } from './limits.ts'

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

/** The answer to a `read`, in order of change number, read and handed over without anything being stored in between. */
export interface ChangeBatch {
  readonly changes: readonly ActiveChange[]
  /** Every change up to this number has been looked at. */
  readonly through: ChangeNumber
  /** `through` is the newest change. */
  readonly atEnd: boolean
  /** The newest change in the index. */
  readonly newest: ChangeNumber
  /** Pruning took away a change above the `after` of the read (`prunedThrough > after`): an end has been missed. */
  readonly overtaken: boolean
}

/** What a requestor may do; comes with the connection, or with the certificate once TLS is up. */
export interface Rights {
  readonly active: boolean
  readonly bulk: boolean
  /** Option codes never sent, though asked for (RFC 7724 section 8.2, RFC 7653 section 9.3). */
  readonly withhold: ReadonlySet<number>
  /** Shows only bindings relayed by one of these relay-ids; empty = all. */
  readonly relayIds: readonly Uint8Array[]
  /** Seconds of silence before a keepalive; 0 = `limits.activeIdleSeconds`. */
  readonly keepaliveSeconds: number
  /** DHCPv4: `empty-active` is a DHCPLEASEACTIVE without address, for equipment that expects it. */
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
  /** Answer to `read`. */
  | { readonly type: 'batch'; readonly batch: ChangeBatch }
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
  /** Look up where a query begins; answer with `opened`. */
  | { readonly type: 'open'; readonly since: LogicalSeconds | undefined }
  /** Read changes after a number; answer with `batch`, when this connection's turn has come. */
  | { readonly type: 'read'; readonly after: ChangeNumber; readonly limit: number }
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
  | { readonly event: 'caught-up'; readonly xid: string; readonly messages: number }
  | { readonly event: 'data-missing'; readonly xid: string; readonly reason: string }
  | {
      readonly event: 'query-terminated'
      readonly xid: string
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
  /** T1 and T2 of a subnet in seconds, 0 = not set (DHCPv4 options 58 and 59); undefined = not known. */
  readonly timers?: (subnetId: number) => { readonly renew: number; readonly rebind: number } | undefined
  /** Subnets of the link that a DHCPv6 link-address is on; undefined or empty = no such link. */
  readonly subnetsOfLink?: (linkAddress: Uint8Array) => readonly number[] | undefined
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
