// Pure: what the feed says about an address, beside what is stored, becomes the binding to store next, or nothing.
// Times here are Kea's; the second on L is the caller's.
import {
  type BindingData,
  BindingState,
  expiryOf,
  type Family,
  NO_OCTETS,
  Origin,
  type UnixSeconds,
} from '../binding.ts'
import { isOfClient, sameOptions, sameRowOctets } from './compare.ts'
import {
  type Annotation,
  KeaState,
  type LeaseChange,
  type LeaseRow,
  Operation,
  type PacketData,
} from './events.ts'
import { mergeStoredRelay } from './relay-data.ts'

/**
 * How long after its expiry a lease that Kea has not reclaimed is told as ended. Kea reclaims each 10 s by default, and a
 * client may still renew in the last moment.
 */
export const RECLAIM_GRACE_SECONDS = 30

/**
 * A write to Kea's lease database.
 * @param now Kea's clock when it told of the write
 * @param restamp a replayed event: it is told again even where it changes nothing, because what was shown before an unclean
 *   stop may not be what is stored
 */
export function applyChange(
  change: LeaseChange,
  previous: BindingData | undefined,
  now: UnixSeconds,
  restamp: boolean,
): BindingData | undefined {
  const { lease, operation } = change
  if (operation !== Operation.delete) {
    const { origin, packet } = change
    // A partner's command on Kea's main thread is told as of unknown origin first. What a partner has just written is as new
    // as its packet, also where that came in the same second, or Kea answered from its cache and wrote only the relay data.
    const isPartners = origin === Origin.partner || origin === Origin.unknown
    const hasNewestRelay = isPartners && lease.clientLastTransaction === previous?.clientLastTransaction
    const next = bindingOf(lease, stateOfRow(lease), origin, packet, previous, now, hasNewestRelay)
    return restamp || tells(next, previous) ? next : undefined
  }
  // Ended and absent are equal: the row of a lease that has ended may go without a word. A declined one is in force
  // until its row goes.
  if (!restamp && (previous === undefined || hasEnded(previous.state))) return undefined
  if (previous !== undefined && hasEnded(previous.state) && sameHolder(previous, lease)) return previous
  return bindingOf(lease, stateAfterDelete(change, now), change.origin, change.packet, previous, now)
}

/**
 * What became known after the write, and nothing where the client is another by now. A state is changed in one case: whose
 * deletion it was decides whether a lease was released or reset.
 */
export function applyAnnotation(
  annotation: Annotation,
  previous: BindingData | undefined,
  restamp: boolean,
): BindingData | undefined {
  if (previous === undefined || !isOfClient(previous, annotation)) return undefined
  const { packet, origin } = annotation
  const isRelease =
    previous.state === BindingState.reset &&
    previous.origin === Origin.unknown &&
    (origin === Origin.partner || origin === Origin.client)
  const next: BindingData = {
    ...previous,
    state: isRelease ? BindingState.released : previous.state,
    origin: origin === Origin.unknown ? previous.origin : origin,
    relay: packet?.relay ?? previous.relay,
    options: optionsOf(packet, previous, familyOf(previous)),
  }
  return restamp || tells(next, previous) ? next : undefined
}

/**
 * A row of a snapshot beside what is stored: the binding as it now is where they differ, nothing where they agree.
 * The cause of a difference is not known.
 * @param now Kea's clock when the page was read
 * @param hasNewestRelay the row's relay data are newer than what is known, or the same
 */
export function reconcileRow(
  row: LeaseRow,
  previous: BindingData | undefined,
  now: UnixSeconds,
  hasNewestRelay = false,
): BindingData | undefined {
  let state = stateOfRow(row)
  // The same grace as for stored bindings, else each walk would bring back what was told as ended.
  if (state === BindingState.active && isPast(row, now - RECLAIM_GRACE_SECONDS)) {
    if (previous === undefined || hasEnded(previous.state)) return undefined
    state = BindingState.expired
  }
  if (state === BindingState.active) {
    const next = bindingOf(row, state, Origin.unknown, undefined, previous, now, hasNewestRelay)
    return previous === undefined || differs(next, previous) ? next : undefined
  }
  // A declined address is kept from clients, and DHCPv4 has a word for that (ABANDONED, RFC 6926 section 6.2.7).
  const isKept = state === BindingState.abandoned && familyOf(row) === 4 && !isPast(row, now)
  // Ended and absent are equal: a row that is not in force makes no record, and ends none that has ended.
  if (previous === undefined && !isKept) return undefined
  if (previous !== undefined && hasEnded(state) && hasEnded(previous.state)) return undefined
  if (state === BindingState.abandoned && previous?.state === state) return undefined
  return bindingOf(row, state, Origin.unknown, undefined, previous, now)
}

/** An active binding, or a declined address, that a complete walk has not met. */
export function vanished(previous: BindingData, now: UnixSeconds): BindingData {
  const expiry = expiryOf(previous)
  if (previous.state === BindingState.abandoned) {
    const stateSince = Math.min(expiry, now)
    return { ...previous, state: BindingState.available, origin: Origin.unknown, stateSince }
  }
  return expiry <= now
    ? { ...previous, state: BindingState.expired, origin: Origin.unknown, stateSince: expiry }
    : { ...previous, state: BindingState.reset, origin: Origin.unknown, stateSince: now }
}

/** An active binding whose lease ended {@link RECLAIM_GRACE_SECONDS} ago and that Kea has not reclaimed. */
export function overdue(previous: BindingData): BindingData {
  return {
    ...previous,
    state: BindingState.expired,
    origin: Origin.reclamation,
    stateSince: expiryOf(previous),
  }
}

/** dhcp-state (RFC 6926 section 6.2.7) of a row. */
function stateOfRow(row: LeaseRow): BindingState {
  switch (row.keaState) {
    case KeaState.default:
      // Before 2.7 Kea had no number for a released lease: lifetime 0 says it.
      return row.validLifetime === 0 ? BindingState.released : BindingState.active
    case KeaState.declined:
      return BindingState.abandoned
    case KeaState.expiredReclaimed:
      return BindingState.expired
    case KeaState.released:
      return BindingState.released
    case KeaState.registered:
      return row.validLifetime === 0 ? BindingState.released : BindingState.active
    default:
      // A Kea of the future: "likely to be neither ACTIVE or AVAILABLE" (RFC 6926 section 6.2.7).
      return BindingState.transitioning
  }
}

function stateAfterDelete({ lease, origin }: LeaseChange, now: UnixSeconds): BindingState {
  switch (origin) {
    case Origin.operator:
      return BindingState.reset
    case Origin.client:
      return BindingState.released
    case Origin.reclamation:
      return lease.keaState === KeaState.declined ? BindingState.available : BindingState.expired
    default: {
      const state = stateOfRow(lease)
      if (hasEnded(state)) return state
      // A partner deletes for its clients only: it never repeats its operator's commands.
      if (!isPast(lease, now)) return origin === Origin.partner ? BindingState.released : BindingState.reset
      return state === BindingState.abandoned ? BindingState.available : BindingState.expired
    }
  }
}

/** Neither held by a client nor kept from clients. */
function hasEnded(state: BindingState): boolean {
  return state !== BindingState.active && state !== BindingState.abandoned
}

function bindingOf(
  row: LeaseRow,
  state: BindingState,
  origin: Origin,
  packet: PacketData | undefined,
  previous: BindingData | undefined,
  now: UnixSeconds,
  hasNewestRelay = false,
): BindingData {
  // Captured data belongs to address and client: what another client's packets carried is none of this one's.
  const known = previous !== undefined && isOfClient(previous, row) ? previous : undefined
  const ofNobody = state === BindingState.abandoned
  return {
    address: row.address,
    prefixLength: row.prefixLength,
    state,
    origin,
    subnetId: row.subnetId,
    iaid: row.iaid,
    hardwareType: row.hardwareType,
    hardwareAddress: row.hardwareAddress,
    clientId: row.clientId,
    validLifetime: row.validLifetime,
    preferredLifetime: row.preferredLifetime,
    clientLastTransaction: row.clientLastTransaction,
    stateSince: sinceWhen(state, row, previous, known !== undefined, now),
    hostname: row.hostname,
    relay: ofNobody ? NO_OCTETS : relayOf(row, packet, known, hasNewestRelay),
    options: ofNobody ? NO_OCTETS : optionsOf(packet, known, familyOf(row)),
  }
}

/**
 * start-time-of-state (RFC 6926 section 6.2.4): kept while state and holder are. A state that a client's transaction or a
 * lease's end has brought began then, also where Kea told of it late (a replay, a walk).
 */
function sinceWhen(
  state: BindingState,
  row: LeaseRow,
  previous: BindingData | undefined,
  isSameClient: boolean,
  now: UnixSeconds,
): UnixSeconds {
  const isKept = isSameClient && previous?.state === state && previous.prefixLength === row.prefixLength
  if (isKept) return previous.stateSince
  let began = now
  if (state === BindingState.active || state === BindingState.abandoned) began = row.clientLastTransaction
  else if (state === BindingState.expired) began = expiryOf(row)
  return Math.min(Math.max(began, previous?.stateSince ?? 0), now)
}

/**
 * A packet's relay data is the newest there is. A packet that came from no relay (a direct renew) leaves the old ones in
 * place, as Kea does: they still say where the client is attached. A row's stored data count where nothing is known, or
 * where the row is newer than what is known: a renew that Kea answered from its cache brings new relay data
 * (an annotation) that its row never gets.
 */
function relayOf(
  row: LeaseRow,
  packet: PacketData | undefined,
  known: BindingData | undefined,
  hasNewestRelay: boolean,
): Uint8Array {
  if (packet?.relay !== undefined) return packet.relay
  const stored = row.storedRelay
  if (known === undefined) return stored ?? NO_OCTETS
  if (stored === undefined) return known.relay
  if (known.relay.length === 0) return stored
  const isNewer = row.clientLastTransaction > known.clientLastTransaction
  if (packet === undefined && (isNewer || hasNewestRelay)) {
    return mergeStoredRelay(stored, known.relay, familyOf(row))
  }
  return known.relay
}

function optionsOf(
  packet: PacketData | undefined,
  known: BindingData | undefined,
  family: Family,
): Uint8Array {
  // A client that gives its lease back repeats little of what it said when it asked.
  if (packet !== undefined && !givesBack(packet.messageType, family)) return packet.options
  const options = known?.options ?? NO_OCTETS
  return packet === undefined || options.length > 0 ? options : packet.options
}

/** DHCPDECLINE, DHCPRELEASE (RFC 2132 section 9.6); DECLINE, RELEASE (RFC 8415 section 7.3). */
function givesBack(messageType: number, family: Family): boolean {
  return family === 4 ? messageType === 4 || messageType === 7 : messageType === 9 || messageType === 8
}

function sameHolder(previous: BindingData, row: LeaseRow): boolean {
  return previous.prefixLength === row.prefixLength && isOfClient(previous, row)
}

function isPast(row: LeaseRow, now: UnixSeconds): boolean {
  return expiryOf(row) <= now
}

function familyOf(of: { readonly address: Uint8Array }): Family {
  return of.address.length === 4 ? 4 : 6
}

/** Whether an event says anything to a requestor that holds `previous`. */
function tells(next: BindingData, previous: BindingData | undefined): boolean {
  // The end of what nobody was told of.
  if (previous === undefined) return !hasEnded(next.state)
  // An end told when the lease was released, or when it was due, is not told again when Kea reclaims the row.
  if (
    next.state === BindingState.expired &&
    hasEnded(previous.state) &&
    next.prefixLength === previous.prefixLength &&
    isOfClient(previous, next)
  ) {
    return false
  }
  return next.origin !== previous.origin || !sameOptions(previous, next) || differs(next, previous)
}

/** Whether they differ in what a row can tell. */
function differs(next: BindingData, previous: BindingData): boolean {
  return (
    next.state !== previous.state ||
    next.clientLastTransaction !== previous.clientLastTransaction ||
    next.validLifetime !== previous.validLifetime ||
    next.preferredLifetime !== previous.preferredLifetime ||
    next.subnetId !== previous.subnetId ||
    next.iaid !== previous.iaid ||
    next.prefixLength !== previous.prefixLength ||
    next.hardwareType !== previous.hardwareType ||
    !sameRowOctets(previous, next)
  )
}
