// The newest changes as whoever watches may see them: which address, what became of it, when. Who the client is stays
// out, as it does in the log.
import { type Binding, BindingState, expiryOf, Origin, type UnixSeconds } from '../binding.ts'
import { type ChangeKind, kindOfState } from '../feed/change-kind.ts'
import { formatAddress } from '../wire/address.ts'

/** Of each family. */
export const LATEST_CHANGES = 20

export interface LatestChange {
  /** An address, or a delegated prefix with its length. */
  readonly address: string
  readonly what: ChangeKind
  readonly by: 'client' | 'reclamation' | 'operator' | 'partner' | 'unknown'
  readonly subnet: number
  /** Unix seconds on the clock of base-times. */
  readonly at: number
  /** Unix seconds on Kea's clock at which the lease ends; null = it has ended, or never will. */
  readonly until: UnixSeconds | null
  /** Its number among all changes; no two have the same. */
  readonly number: number
}

/** What this change shows, and nothing that identifies a client. */
export function shown(binding: Binding): LatestChange {
  const {
    address,
    prefixLength,
    state,
    stateSince,
    clientLastTransaction,
    subnetId,
    changedAt,
    changeNumber,
  } = binding
  const expiry = expiryOf(binding)
  const isActive = state === BindingState.active
  return {
    address: formatAddress(address) + (prefixLength === 0 ? '' : `/${prefixLength}`),
    // It has held the address for longer than since its last words.
    what: isActive && stateSince < clientLastTransaction ? 'renewed' : kindOfState[state],
    by: originNames[binding.origin],
    subnet: subnetId,
    at: changedAt,
    until: isActive && Number.isFinite(expiry) ? expiry : null,
    number: changeNumber,
  }
}

const originNames = {
  [Origin.unknown]: 'unknown',
  [Origin.client]: 'client',
  [Origin.reclamation]: 'reclamation',
  [Origin.operator]: 'operator',
  [Origin.partner]: 'partner',
} as const
