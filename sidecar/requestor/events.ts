// What an active query tells a requestor, once the octets are understood: the same for DHCPv4 and DHCPv6.
import type { BindingState, Family, UnixSeconds } from '../binding.ts'

/** A binding as the server reported it; all times are absolute, on the server's clock. */
export interface ReportedBinding {
  readonly family: Family
  /** In text form; of a delegated prefix its first address. */
  readonly address: string
  /** 0 = a single address; 1..128 = a delegated prefix. */
  readonly prefixLength: number
  /**
   * dhcp-state (RFC 6926 section 6.2.7). DHCPv6 only tells whether a binding lives; one that ended (lifetime 0) is
   * given as `available`.
   */
  readonly state: BindingState
  /** DHCPv4 option 61, DHCPv6 DUID; empty = not told. */
  readonly clientId: Uint8Array
  readonly hardwareType: number
  readonly hardwareAddress: Uint8Array
  /** Infinity = never; undefined = not told, or ended. */
  readonly expires: UnixSeconds | undefined
  /** DHCPv6 only. */
  readonly preferredUntil: UnixSeconds | undefined
  readonly lastTransaction: UnixSeconds | undefined
  /** Since when it is in this state; DHCPv4 only. */
  readonly stateSince: UnixSeconds | undefined
  /** Learned from another DHCP server (data-source REMOTE, RFC 6926 section 6.2.8). */
  readonly remote: boolean
  readonly relay: ReportedRelay | undefined
  /** Identifier of the server: its address, or its DUID; empty = not told. */
  readonly server: Uint8Array
  /**
   * Where the server attached a status to this one binding (RFC 6926 section 6.2.2): its registered name. The server had
   * trouble with it, and what is told may be incomplete.
   */
  readonly status: string | undefined
  /** All other options of the client, in the order they came. */
  readonly options: readonly { readonly code: number; readonly data: Uint8Array }[]
}

export interface ReportedRelay {
  /** DHCPv4: circuit-id; DHCPv6: interface-id. */
  readonly circuitId: Uint8Array | undefined
  /** DHCPv6: with its enterprise number in front. */
  readonly remoteId: Uint8Array | undefined
  readonly relayId: Uint8Array | undefined
  /**
   * DHCPv6: address of the client as the relay nearest to it saw it (peer-address of its RELAY-FORW): where that relay, or
   * the router it runs on, sends what is for a delegated prefix.
   */
  readonly nextHop: string | undefined
  /** DHCPv6: link-address of that relay. */
  readonly linkAddress: string | undefined
  /** As it came: payload of option 82, body of OPTION_LQ_RELAY_DATA. */
  readonly raw: Uint8Array
}

/** What one message told, or a part of it. */
export type Told =
  /** The server took the query (DHCPv6: the LEASEQUERY-REPLY; DHCPv4: its first message). */
  | { readonly type: 'accepted'; readonly baseTime: UnixSeconds | undefined }
  | { readonly type: 'binding'; readonly binding: ReportedBinding; readonly baseTime: UnixSeconds }
  | { readonly type: 'keepalive'; readonly baseTime: UnixSeconds | undefined }
  | { readonly type: 'catch-up-complete'; readonly baseTime: UnixSeconds | undefined }
  | { readonly type: 'data-missing'; readonly baseTime: UnixSeconds | undefined; readonly text: string }
  /** The query is over: refused (nothing was accepted before) or ended. `status` is the registry's name. */
  | {
      readonly type: 'terminated'
      readonly refused: boolean
      readonly status: string
      readonly text: string
      readonly baseTime: UnixSeconds | undefined
    }

export type RequestorEvent = Told & {
  /**
   * Start time with which a next connection to the same server misses nothing, once this event and all before it have been
   * dealt with: the highest base-time received, but frozen at the query's own start time while catching up (RFC 7724
   * section 7.3, RFC 7653 section 8.3); the base-time of DataMissing after that. undefined: none known yet.
   */
  readonly resumePoint: UnixSeconds | undefined
}

/** Key of a binding in tables of what was seen. */
export function keyOf(binding: ReportedBinding): string {
  return binding.prefixLength === 0 ? binding.address : `${binding.address}/${binding.prefixLength}`
}
