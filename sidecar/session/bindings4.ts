// The DHCPv4 message about a binding (RFC 4388 section 6.4, RFC 6926 section 8.3, RFC 7724 section 7.3), written straight
// from where the binding lies: which options it has is decided once a query, not once a message.
import {
  type Binding,
  type BindingData,
  BindingState,
  INFINITE,
  type LogicalSeconds,
  Origin,
} from '../binding.ts'
import type { PackedBinding } from '../packed-binding.ts'
import { beginFrame4, CHADDR_OCTETS, endFrame4, Place4 } from '../wire/v4/codec.ts'
import { MessageType4, Op } from '../wire/v4/messages.ts'
import { Code4, DATA_SOURCE_REMOTE } from '../wire/v4/options.ts'
import type { Writer } from '../wire/writer.ts'
import type { ReplyContext } from './dialect.ts'
import { neverCaptured4 } from './never-captured.ts'
import { perQuery } from './per-query.ts'
import type { QueryForBindings } from './query.ts'
import { secondsLeft, secondsSince } from './relative-time.ts'
import type { Moment, Rights } from './session-io.ts'

/** What messages about bindings have in them, as far as the query and the requestor's rights decide that. */
class Contents {
  readonly baseTime: boolean
  readonly leaseTime: boolean
  readonly renewalTime: boolean
  readonly rebindingTime: boolean
  readonly clientLastTransactionTime: boolean
  readonly startTimeOfState: boolean
  readonly dhcpState: boolean
  readonly dataSource: boolean
  readonly clientId: boolean
  readonly relay: boolean
  readonly hostName: boolean
  /** Options of the client's are told, by code; undefined = none. */
  readonly captured: ReadonlySet<number> | undefined

  constructor(query: QueryForBindings, { withhold, relayDataAlways }: Rights) {
    const wants = (code: number): boolean => query.requested.has(code) && !withhold.has(code)
    // RFC 7724 section 7.3: in each reply to an active query; RFC 6926 section 8.3: to a Bulk query if asked for.
    this.baseTime = query.wantsBaseTime
    this.leaseTime = wants(Code4.leaseTime)
    this.renewalTime = wants(Code4.renewalTime)
    this.rebindingTime = wants(Code4.rebindingTime)
    this.clientLastTransactionTime = wants(Code4.clientLastTransactionTime)
    this.startTimeOfState = wants(Code4.startTimeOfState)
    this.dhcpState = wants(Code4.dhcpState)
    this.dataSource = wants(Code4.dataSource)
    this.clientId = wants(Code4.clientIdentifier)
    const relay = Code4.relayAgentInformation
    this.relay = wants(relay) || (relayDataAlways && !withhold.has(relay))
    this.hostName = wants(Code4.hostName)
    const captured = [...query.requested].filter((code) => wants(code) && !neverCaptured4.has(code))
    this.captured = captured.length > 0 ? new Set(captured) : undefined
  }
}

const contentsOf = perQuery((query, rights) => new Contents(query, rights))

/** Writes the frame about a binding as it is now. */
export function writeBinding4(
  to: Writer,
  reply: ReplyContext,
  record: PackedBinding,
  baseTime: LogicalSeconds,
  moment: Moment,
): void {
  const state = record.stateAt(moment.keaNow)
  const since = state === record.state ? record.stateSince : record.expiry
  writeTold4(to, reply, record, state, since, baseTime, moment)
}

/** As {@link writeBinding4}, of a binding that is told in another state: since when, on Kea's clock. */
export function writeTold4(
  to: Writer,
  reply: ReplyContext,
  record: PackedBinding,
  state: BindingState,
  since: number,
  baseTime: LogicalSeconds,
  moment: Moment,
): void {
  const has = contentsOf(reply)
  const { data } = record
  const type = state === BindingState.active ? MessageType4.leaseActive : MessageType4.leaseUnassigned
  const start = beginReply(to, reply, type, record.address4)
  writeHardware(to, start, record)
  if (has.baseTime) to.option4(Code4.baseTime, baseTime)
  writeTimes(to, has, reply, record, state, baseTime, moment)
  if (has.startTimeOfState) to.option4(Code4.startTimeOfState, secondsSince(since, baseTime, moment))
  if (has.dhcpState) to.shortOption4(Code4.dhcpState, state)
  if (has.dataSource && record.origin === Origin.partner)
    to.shortOption4(Code4.dataSource, DATA_SOURCE_REMOTE)
  const beforeNames = to.length
  if (has.clientId) to.copyOption4(Code4.clientIdentifier, data, record.clientIdAt, record.hostnameAt)
  if (has.captured !== undefined) writeCaptured(to, has, has.captured, record)
  if (has.relay) to.copyOption4(Code4.relayAgentInformation, data, record.relayAt, record.optionsAt)
  // A message must fit one TLS record: what the client and its relays sent is left out before what makes a binding.
  if (to.length + 1 - start - 2 > reply.limits.maxReply) to.truncate(beforeNames)
  endFrame4(to, start)
}

/**
 * Writes the frame about an address of which no binding is known (RFC 6926 section 8.2).
 * @param since it has not been leased from then on, on L
 */
export function writeAvailable4(
  to: Writer,
  reply: ReplyContext,
  address: number,
  since: LogicalSeconds,
  baseTime: LogicalSeconds,
): void {
  const has = contentsOf(reply)
  const start = beginReply(to, reply, MessageType4.leaseUnassigned, address)
  if (has.baseTime) to.option4(Code4.baseTime, baseTime)
  // `since` is on L as base-time is: the two clocks do not come into it.
  if (has.startTimeOfState) to.option4(Code4.startTimeOfState, Math.max(0, baseTime - since))
  if (has.dhcpState) to.shortOption4(Code4.dhcpState, BindingState.available)
  endFrame4(to, start)
}

/** Header and, in the first reply of a query only (RFC 6926 section 7.3), server-identifier. */
function beginReply(
  to: Writer,
  { query, service, first }: ReplyContext,
  type: number,
  address: number,
): number {
  const start = beginFrame4(to, Op.reply, type, query.xid)
  to.patch32(start + Place4.ciaddr, address)
  if (first) {
    const mark = to.beginOption4(Code4.serverIdentifier)
    to.octets(service.identity)
    to.endOption4(mark)
  }
  return start
}

function writeHardware(to: Writer, start: number, record: PackedBinding): void {
  const { data, hardwareAddressAt, clientIdAt } = record
  const length = clientIdAt - hardwareAddressAt
  // Longer ones do not fit; hlen 0 then, as RFC 4390 section 2.1 has it for such hardware.
  const hlen = length > CHADDR_OCTETS ? 0 : length
  to.patch16(start + Place4.htype, (record.hardwareType << 8) | hlen)
  if (hlen > 0) to.patchCopy(start + Place4.chaddr, data, hardwareAddressAt, clientIdAt)
}

/** What the lease's own times lead to. */
function writeTimes(
  to: Writer,
  has: Contents,
  reply: ReplyContext,
  record: PackedBinding,
  state: BindingState,
  baseTime: LogicalSeconds,
  moment: Moment,
): void {
  const active = state === BindingState.active
  const { expiry, clientLastTransaction } = record
  // RFC 6926 section 8.3: any state with a time-out; of those that are no lease only a decline's probation has one.
  const timed =
    active ||
    (state === BindingState.abandoned && expiry > moment.keaNow && expiry < Number.POSITIVE_INFINITY)
  if (has.leaseTime && timed) to.option4(Code4.leaseTime, secondsLeft(expiry, baseTime, moment))
  if (active && record.validLifetime !== INFINITE && (has.renewalTime || has.rebindingTime)) {
    const timers = reply.service.timers?.(record.subnetId)
    const age = moment.keaNow - clientLastTransaction
    // RFC 4388 section 6.4.2: not after they are past.
    const tell = (code: number, seconds = 0) => {
      if (seconds === 0 || seconds <= age) return
      to.option4(code, secondsLeft(clientLastTransaction + seconds, baseTime, moment))
    }
    if (has.renewalTime) tell(Code4.renewalTime, timers?.renew)
    if (has.rebindingTime) tell(Code4.rebindingTime, timers?.rebind)
  }
  if (has.clientLastTransactionTime && clientLastTransaction > 0)
    to.option4(Code4.clientLastTransactionTime, secondsSince(clientLastTransaction, baseTime, moment))
}

/** Requested options that the client sent; host name as Kea stores it where the client sent none. */
function writeCaptured(to: Writer, has: Contents, wanted: ReadonlySet<number>, record: PackedBinding): void {
  const { octets, data, optionsAt, octetsEnd } = record
  let hostName = false
  // A client sent these; what cannot be taken apart counts as absent.
  if (areOptions(octets, optionsAt, octetsEnd)) {
    for (let at = optionsAt; at < octetsEnd; at += 2 + octets[at + 1]!) {
      if (!wanted.has(octets[at]!)) continue
      to.copy(data, at, at + 2 + octets[at + 1]!)
      hostName ||= octets[at] === Code4.hostName
    }
  }
  if (has.hostName && !hostName) to.copyOption4(Code4.hostName, data, record.hostnameAt, record.relayAt)
}

/** Whether these octets are whole options: code(1) length(1) value. */
function areOptions(octets: Uint8Array, from: number, end: number): boolean {
  let at = from
  while (at + 2 <= end) at += 2 + octets[at + 1]!
  return at === end
}

/** What is told of a former holder: that it no longer has the address, and since when. */
export function formerState(
  departure: BindingData & Pick<Binding, 'changedAt'>,
  moment: Moment,
): { readonly state: BindingState; readonly since: number } {
  return departure.state === BindingState.active
    ? { state: BindingState.reset, since: moment.keaNow - (moment.now - departure.changedAt) }
    : { state: departure.state, since: departure.stateSince }
}
