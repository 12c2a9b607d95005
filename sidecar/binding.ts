// The domain: what Kea calls a lease and a requestor calls a binding. No socket, clock or disk here.

/** Address family of a feed, a store and a session. */
export type Family = 4 | 6

/** Seconds since 1970 on Kea's clock. */
export type UnixSeconds = number

/**
 * Seconds since 1970 on the sidecar's logical clock L, which never goes back: change times and base-times.
 * Never mixed with {@link UnixSeconds} of Kea without relating the two clocks.
 */
export type LogicalSeconds = number

/** Place of a change in the change index: each change gets the next number; 0 = never changed. */
export type ChangeNumber = number

/** A lifetime that never ends (RFC 2131 section 3.3, RFC 8415 section 7.7). */
export const INFINITE = 0xffffffff

/** dhcp-state, RFC 6926 section 6.2.7. DHCPv6 has no such option; there ACTIVE is bound and all else has ended. */
export const BindingState = {
  available: 1,
  active: 2,
  expired: 3,
  released: 4,
  abandoned: 5,
  reset: 6,
  remote: 7,
  transitioning: 8,
} as const
export type BindingState = (typeof BindingState)[keyof typeof BindingState]

/** Who caused the newest change; the numbers of `Origin` in proto/lease_feed.proto. */
export const Origin = { unknown: 0, client: 1, reclamation: 2, operator: 3, partner: 4 } as const
export type Origin = (typeof Origin)[keyof typeof Origin]

export const NO_OCTETS: Uint8Array = new Uint8Array(0)

/**
 * A binding as the feed hands it to the store: everything but its place in the change index.
 * Octet fields are never undefined; empty means unknown or none.
 */
export interface BindingData {
  /** 4 or 16 octets; of a delegated prefix its first address. Kea's key: one binding per address. */
  readonly address: Uint8Array
  /** 0 = a single address; 1..128 = a delegated prefix of that length. */
  readonly prefixLength: number
  /** As Kea last reported it; a reader treats an active binding past its expiry as expired ({@link stateAt}). */
  readonly state: BindingState
  readonly origin: Origin
  readonly subnetId: number
  /** DHCPv6 IAID; 0 in DHCPv4. */
  readonly iaid: number
  readonly hardwareType: number
  readonly hardwareAddress: Uint8Array
  /** DHCPv4 option 61, or the DHCPv6 DUID. */
  readonly clientId: Uint8Array
  /** Seconds from {@link clientLastTransaction}; {@link INFINITE} = never ends. */
  readonly validLifetime: number
  /** As validLifetime; 0 in DHCPv4. */
  readonly preferredLifetime: number
  /** Kea's cltt, on Kea's clock. */
  readonly clientLastTransaction: UnixSeconds
  /** When the binding came into its present state, on Kea's clock (RFC 6926 section 6.2.4). */
  readonly stateSince: UnixSeconds
  /** Host name as Kea stores it. */
  readonly hostname: Uint8Array
  /** Relay data as a reply carries it: DHCPv4 payload of option 82; DHCPv6 body of OPTION_LQ_RELAY_DATA (RFC 5007 section 4.1.2.4). */
  readonly relay: Uint8Array
  /** Captured options of the client's packet, in the family's wire encoding. */
  readonly options: Uint8Array
}

/** A stored binding with its place in the change index. */
export interface Binding extends BindingData {
  /** Second on L in which it last changed. */
  readonly changedAt: LogicalSeconds
  readonly changeNumber: ChangeNumber
}

/** When the binding's lease ends, on Kea's clock; Infinity for an infinite one. */
export function expiryOf(binding: Pick<BindingData, 'validLifetime' | 'clientLastTransaction'>): UnixSeconds {
  return binding.validLifetime === INFINITE
    ? Number.POSITIVE_INFINITY
    : binding.clientLastTransaction + binding.validLifetime
}

/** As {@link expiryOf}, of the preferred lifetime of DHCPv6. */
export function preferredUntil(
  binding: Pick<BindingData, 'preferredLifetime' | 'clientLastTransaction'>,
): UnixSeconds {
  return binding.preferredLifetime === INFINITE
    ? Number.POSITIVE_INFINITY
    : binding.clientLastTransaction + binding.preferredLifetime
}

/** The state a requestor is told at `now` (Kea's clock): an active binding past its expiry reads as expired. */
export function stateAt(binding: BindingData, now: UnixSeconds): BindingState {
  return binding.state === BindingState.active && expiryOf(binding) <= now
    ? BindingState.expired
    : binding.state
}

/** Which bindings are shown: those that match each kind that is not empty by one of its values. */
export interface Scope {
  /** Subnet ids of Kea. */
  readonly subnets: readonly number[]
  /** relay-ids (RFC 6925; DHCPv6 option 53). */
  readonly relayIds: readonly Uint8Array[]
  /** Remote-ids (RFC 3046; DHCPv6 option 37, the enterprise number in front). */
  readonly remoteIds: readonly Uint8Array[]
}

export const EVERYTHING: Scope = { subnets: [], relayIds: [], remoteIds: [] }

export function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** What names the client of a binding. */
export type ClientNames = Pick<BindingData, 'address' | 'hardwareType' | 'hardwareAddress' | 'clientId'>

/**
 * Whether both belong to the same client. In DHCPv6 the DUID is the client (RFC 8415 section 11); in DHCPv4 requestors
 * select by hardware address and by client identifier, so both must be alike.
 */
export function sameClient(a: ClientNames, b: ClientNames): boolean {
  if (a.address.length === 16) return sameOctets(a.clientId, b.clientId)
  return (
    a.hardwareType === b.hardwareType &&
    sameOctets(a.hardwareAddress, b.hardwareAddress) &&
    sameOctets(a.clientId, b.clientId)
  )
}
