// The message about a binding as one would write it down: an object with its options, then the octets of that. What the
// sidecar writes straight from its memory has to be the same, octet for octet.
import {
  type Binding,
  type BindingData,
  BindingState,
  expiryOf,
  INFINITE,
  type LogicalSeconds,
  Origin,
  stateAt,
} from '../../sidecar/binding.ts'
import type { ReplyContext } from '../../sidecar/session/dialect.ts'
import { firstReply } from '../../sidecar/session/dialect4.ts'
import { neverCaptured4 } from '../../sidecar/session/never-captured.ts'
import { secondsLeft, secondsSince } from '../../sidecar/session/relative-time.ts'
import { readableOptions4 } from '../../sidecar/session/relay4.ts'
import type { Moment } from '../../sidecar/session/session-io.ts'
import type { RawOption } from '../../sidecar/wire/option-table.ts'
import { encodeFrame4 } from '../../sidecar/wire/v4/codec.ts'
import { MessageType4, Op } from '../../sidecar/wire/v4/messages.ts'
import { Code4, DATA_SOURCE_REMOTE, type Options4 } from '../../sidecar/wire/v4/options.ts'

const MAX_CHADDR = 16

interface Told {
  readonly data: BindingData
  readonly state: BindingState
  /** When it came into that state, seconds before the present. */
  readonly inStateFor: number
}

/** The frame about a binding. */
export function reference4(
  reply: ReplyContext,
  binding: Binding,
  baseTime: LogicalSeconds,
  moment: Moment,
): Uint8Array {
  return bindingFrame(reply, toldNow(binding, moment), baseTime, moment)
}

/** The frame about a configured address of which no binding is known. */
export function referenceAvailable4(
  reply: ReplyContext,
  address: Uint8Array,
  since: LogicalSeconds,
  baseTime: LogicalSeconds,
): Uint8Array {
  const wants = (code: number): boolean => reply.query.requested.has(code) && !reply.rights.withhold.has(code)
  return encodeFrame4({
    op: Op.reply,
    type: MessageType4.leaseUnassigned,
    xid: reply.query.xid,
    ciaddr: address,
    options: {
      ...firstReply(reply),
      baseTime: reply.query.wantsBaseTime ? baseTime : undefined,
      // `since` is on L as base-time is: the two clocks do not come into it.
      startTimeOfState: wants(Code4.startTimeOfState) ? Math.max(0, baseTime - since) : undefined,
      dhcpState: wants(Code4.dhcpState) ? BindingState.available : undefined,
    },
  })
}

function toldNow(binding: Binding, moment: Moment): Told {
  const state = stateAt(binding, moment.keaNow)
  const since = state === binding.state ? binding.stateSince : expiryOf(binding)
  return { data: binding, state, inStateFor: moment.keaNow - since }
}

function bindingFrame(reply: ReplyContext, told: Told, baseTime: LogicalSeconds, moment: Moment): Uint8Array {
  const { data, state } = told
  const active = state === BindingState.active
  const header = {
    op: Op.reply,
    type: active ? MessageType4.leaseActive : MessageType4.leaseUnassigned,
    xid: reply.query.xid,
    ciaddr: data.address,
    htype: data.hardwareType,
    // Longer ones do not fit; hlen 0 then, as RFC 4390 section 2.1 has it for such hardware.
    chaddr: data.hardwareAddress.length > MAX_CHADDR ? undefined : data.hardwareAddress,
  }
  const options = bindingOptions(reply, told, baseTime, moment)
  const frame = encodeFrame4({ ...header, options })
  if (frame.length - 2 <= reply.limits.maxReply) return frame
  // A message must fit one TLS record: what the client and its relays sent is left out before what makes a binding.
  const essential = {
    ...options,
    unknown: undefined,
    clientIdentifier: undefined,
    relayAgentInformation: undefined,
  }
  return encodeFrame4({ ...header, options: essential })
}

function bindingOptions(
  reply: ReplyContext,
  { data, state, inStateFor }: Told,
  baseTime: LogicalSeconds,
  moment: Moment,
): Options4 {
  const { rights } = reply
  const wants = (code: number): boolean => reply.query.requested.has(code) && !rights.withhold.has(code)
  const wantsRelayData =
    wants(Code4.relayAgentInformation) ||
    (rights.relayDataAlways && !rights.withhold.has(Code4.relayAgentInformation))
  const active = state === BindingState.active
  const expiry = expiryOf(data)
  // RFC 6926 section 8.3: any state with a time-out; of those that are no lease only a decline's probation has one.
  const timed =
    active ||
    (state === BindingState.abandoned && expiry > moment.keaNow && expiry < Number.POSITIVE_INFINITY)
  const timers = active && data.validLifetime !== INFINITE ? reply.service.timers?.(data.subnetId) : undefined
  // RFC 4388 section 6.4.2: not after they are past.
  const timer = (code: number, seconds: number | undefined): number | undefined => {
    const left = (seconds ?? 0) - (moment.keaNow - data.clientLastTransaction)
    return wants(code) && seconds !== undefined && seconds > 0 && left > 0
      ? secondsLeft(moment.keaNow + left, baseTime, moment)
      : undefined
  }
  return {
    ...firstReply(reply),
    // RFC 7724 section 7.3: in each reply to an active query; RFC 6926 section 8.3: to a Bulk query if asked for.
    baseTime: reply.query.wantsBaseTime ? baseTime : undefined,
    leaseTime: wants(Code4.leaseTime) && timed ? secondsLeft(expiry, baseTime, moment) : undefined,
    renewalTime: timer(Code4.renewalTime, timers?.renew),
    rebindingTime: timer(Code4.rebindingTime, timers?.rebind),
    clientLastTransactionTime:
      wants(Code4.clientLastTransactionTime) && data.clientLastTransaction > 0
        ? secondsSince(data.clientLastTransaction, baseTime, moment)
        : undefined,
    startTimeOfState: wants(Code4.startTimeOfState)
      ? secondsSince(moment.keaNow - inStateFor, baseTime, moment)
      : undefined,
    dhcpState: wants(Code4.dhcpState) ? state : undefined,
    dataSource: wants(Code4.dataSource) && data.origin === Origin.partner ? DATA_SOURCE_REMOTE : undefined,
    clientIdentifier: wants(Code4.clientIdentifier) && data.clientId.length > 0 ? data.clientId : undefined,
    relayAgentInformation: wantsRelayData && data.relay.length > 0 ? data.relay : undefined,
    unknown: clientOptions(data, wants),
  }
}

/** Requested options that the client sent; host name as Kea stores it where the client sent none. */
function clientOptions(data: BindingData, wants: (code: number) => boolean): RawOption[] | undefined {
  const found = readableOptions4(data.options).filter(
    (option) => wants(option.code) && !neverCaptured4.has(option.code),
  )
  if (
    wants(Code4.hostName) &&
    data.hostname.length > 0 &&
    !found.some((option) => option.code === Code4.hostName)
  )
    found.push({ code: Code4.hostName, data: data.hostname })
  return found.length > 0 ? found : undefined
}
