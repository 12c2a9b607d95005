// Bindings as a message of the server tells them, with all times made absolute.
import { BindingState, INFINITE, NO_OCTETS, type UnixSeconds } from '../binding.ts'
import { formatAddress } from '../wire/address.ts'
import type { RawOption } from '../wire/option-table.ts'
import { type Message4, MessageType4 } from '../wire/v4/messages.ts'
import { DATA_SOURCE_REMOTE, SubCode4, subOptions4 } from '../wire/v4/options.ts'
import { Status4, statusNames4 } from '../wire/v4/status.ts'
import { type ClientData6, Code6, type RelayData6, type RelayHop6, relayHops6 } from '../wire/v6/options.ts'
import type { ReportedBinding, ReportedRelay } from './events.ts'

/**
 * What a DHCPLEASEACTIVE or DHCPLEASEUNASSIGNED says.
 * @param baseTime that of the message, or the present without one
 */
export function bindingOf4(message: Message4, baseTime: UnixSeconds, server: Uint8Array): ReportedBinding {
  const { options } = message
  const byType = message.type === MessageType4.leaseActive ? BindingState.active : BindingState.available
  const state = (options.dhcpState ?? byType) as BindingState
  const status = options.status?.code === Status4.success ? undefined : options.status
  const hardwareLength = Math.min(message.hlen ?? 0, 16)
  return {
    family: 4,
    address: formatAddress(message.ciaddr!),
    prefixLength: 0,
    state,
    clientId: own(options.clientIdentifier),
    hardwareType: message.htype ?? 0,
    hardwareAddress: own(message.chaddr?.subarray(0, hardwareLength)),
    expires: options.leaseTime === undefined ? undefined : endOf(options.leaseTime, baseTime),
    preferredUntil: undefined,
    lastTransaction: before(baseTime, options.clientLastTransactionTime),
    stateSince: before(baseTime, options.startTimeOfState),
    remote: ((options.dataSource ?? 0) & DATA_SOURCE_REMOTE) !== 0,
    relay: options.relayAgentInformation && relayOf4(options.relayAgentInformation),
    server,
    status: status === undefined ? undefined : (statusNames4[status.code] ?? `status ${status.code}`),
    options: (options.unknown ?? []).map(({ code, data }) => ({ code, data: own(data) })),
  }
}

function relayOf4(value: Uint8Array): ReportedRelay {
  const raw = own(value)
  let subOptions: readonly RawOption[] = []
  try {
    subOptions = subOptions4(raw)
  } catch {
    // Equipment puts odd things there; the octets are shown as they came.
  }
  const find = (code: number) => subOptions.find((option) => option.code === code)?.data
  return {
    circuitId: find(SubCode4.circuitId),
    remoteId: find(SubCode4.remoteId),
    relayId: find(SubCode4.relayId),
    nextHop: undefined,
    linkAddress: undefined,
    raw,
  }
}

/** What an OPTION_CLIENT_DATA says: nothing without OPTION_CLT_TIME (RFC 5007 section 4.3.3). */
export function bindingsOf6(data: ClientData6, baseTime: UnixSeconds, server: Uint8Array): ReportedBinding[] {
  if (data.clientLastTransactionTime === undefined) return []
  const shared = {
    family: 6 as const,
    clientId: own(data.clientId),
    hardwareType: 0,
    hardwareAddress: NO_OCTETS,
    lastTransaction: before(baseTime, data.clientLastTransactionTime),
    stateSince: undefined,
    remote: false,
    relay: data.relayData && relayOf6(data.relayData),
    server,
    status: undefined,
    options: (data.unknown ?? []).map((option) => ({ code: option.code, data: own(option.data) })),
  }
  const bindings: ReportedBinding[] = []
  for (const one of data.iaAddresses ?? []) {
    bindings.push({
      ...shared,
      ...lifeOf6(one, baseTime),
      address: formatAddress(one.address),
      prefixLength: 0,
    })
  }
  for (const one of data.iaPrefixes ?? []) {
    const { prefixLength } = one
    bindings.push({ ...shared, ...lifeOf6(one, baseTime), address: formatAddress(one.prefix), prefixLength })
  }
  return bindings
}

function lifeOf6(one: { preferredLifetime: number; validLifetime: number }, baseTime: UnixSeconds) {
  const ended = one.validLifetime === 0
  return {
    state: ended ? BindingState.available : BindingState.active,
    expires: ended ? undefined : endOf(one.validLifetime, baseTime),
    preferredUntil: ended ? undefined : endOf(one.preferredLifetime, baseTime),
  }
}

function relayOf6(data: RelayData6): ReportedRelay {
  const message = own(data.message)
  const raw = Uint8Array.from([...data.peerAddress, ...message])
  let options: readonly RawOption[] = []
  let nearest: RelayHop6 | undefined
  try {
    // The relay closest to the client knows the port.
    const hops = relayHops6(message)
    nearest = hops[hops.length - 1]
    options = hops.flatMap((hop) => hop.options).reverse()
  } catch {
    // Shown as it came.
  }
  const find = (code: number) => options.find((option) => option.code === code)?.data
  return {
    circuitId: find(Code6.interfaceId),
    remoteId: find(Code6.remoteId),
    relayId: find(Code6.relayId),
    nextHop: nearest && formatAddress(nearest.peerAddress),
    linkAddress: nearest && formatAddress(nearest.linkAddress),
    raw,
  }
}

function endOf(seconds: number, baseTime: UnixSeconds): UnixSeconds {
  return seconds === INFINITE ? Number.POSITIVE_INFINITY : baseTime + seconds
}

function before(baseTime: UnixSeconds, seconds: number | undefined): UnixSeconds | undefined {
  return seconds === undefined ? undefined : baseTime - seconds
}

/** A copy: decoded octets are views of a receive buffer. */
function own(octets: Uint8Array | undefined): Uint8Array {
  return octets === undefined || octets.length === 0 ? NO_OCTETS : Uint8Array.from(octets)
}
