// As reference4.ts, for DHCPv6: one client on one link.
import {
  type Binding,
  type BindingData,
  BindingState,
  expiryOf,
  type LogicalSeconds,
  preferredUntil,
  sameOctets,
  stateAt,
} from '../../sidecar/binding.ts'
import { FIXED_OCTETS, MEMBER_OCTETS, NO_CLIENT } from '../../sidecar/session/bindings6.ts'
import type { ReplyContext } from '../../sidecar/session/dialect.ts'
import { neverCaptured6 } from '../../sidecar/session/never-captured.ts'
import { secondsLeft, secondsSince } from '../../sidecar/session/relative-time.ts'
import { relayOptions6 } from '../../sidecar/session/relay6.ts'
import { dataFrame, replyFrame } from '../../sidecar/session/reply6.ts'
import type { Moment } from '../../sidecar/session/session-io.ts'
import { toSeconds2000 } from '../../sidecar/wire/absolute-time.ts'
import type { RawOption } from '../../sidecar/wire/option-table.ts'
import {
  type ClientData6,
  Code6,
  type IaAddress,
  type IaPrefix,
  type Options6,
  rawOptions6,
} from '../../sidecar/wire/v6/options.ts'
import { WireError } from '../../sidecar/wire/wire-error.ts'

/** The frames about a binding and what its client holds besides; those told in full go into `reply.told`. */
export function reference6(
  reply: ReplyContext,
  binding: Binding,
  companions: readonly Binding[],
  baseTime: LogicalSeconds,
  moment: Moment,
): Uint8Array[] {
  const base = reply.query.wantsBaseTime ? baseTime : moment.now
  const live = stateAt(binding, moment.keaNow) === BindingState.active
  const grouped = binding.state === BindingState.abandoned ? [] : liveOnes(companions, reply, moment)
  for (const companion of grouped)
    if (sameDescription(reply, companion, binding)) reply.told.add(companion.changeNumber)
  return groupFrames(reply, binding, live, grouped, base, moment)
}

/** Companions that are the client's now, and that this requestor may see. */
function liveOnes<B extends BindingData>(companions: readonly B[], reply: ReplyContext, moment: Moment): B[] {
  return companions.filter(
    (companion) => stateAt(companion, moment.keaNow) === BindingState.active && reply.inScope(companion),
  )
}

/**
 * One client on one link, in as many messages as it takes to keep each below the limit (RFC 5007 section 4.1.2.2): the
 * changed binding first, ended or not, then those that the client holds besides.
 */
function groupFrames(
  reply: ReplyContext,
  changed: BindingData,
  live: boolean,
  companions: readonly BindingData[],
  baseTime: LogicalSeconds,
  moment: Moment,
): Uint8Array[] {
  const members = [member(changed, live, baseTime, moment)]
  for (const companion of companions) members.push(member(companion, true, baseTime, moment))
  // When the server last heard from the client on this link, by any of its bindings (RFC 5007 section 4.1.2.3).
  const contact = companions.reduce(
    (newest, companion) => Math.max(newest, companion.clientLastTransaction),
    changed.clientLastTransaction,
  )
  const free = reply.limits.maxReply - FIXED_OCTETS - changed.clientId.length - reply.query.requestorId.length
  let described = describe(reply, changed)
  let room = Math.floor((free - octetsOf(described)) / MEMBER_OCTETS)
  if (room < 1) {
    // What the client and its relays sent is left out before what makes a binding.
    described = {}
    room = Math.max(1, Math.floor(free / MEMBER_OCTETS))
  }
  const frames: Uint8Array[] = []
  for (let from = 0; from < members.length; from += room) {
    const part = members.slice(from, from + room)
    const clientData: ClientData6 = {
      clientId: changed.clientId.length > 0 ? changed.clientId : NO_CLIENT,
      clientLastTransactionTime: secondsSince(contact, baseTime, moment),
      iaAddresses: part.filter((one) => 'address' in one),
      iaPrefixes: part.filter((one) => 'prefix' in one),
      ...described,
    }
    const options: Options6 = {
      baseTime: reply.query.wantsBaseTime ? toSeconds2000(baseTime) : undefined,
      clientData,
    }
    frames.push(frames.length === 0 ? replyFrame(reply, options) : dataFrame(reply, options))
  }
  return frames
}

/** An address or prefix; both lifetimes 0 when it is no longer bound. */
function member(
  data: BindingData,
  live: boolean,
  baseTime: LogicalSeconds,
  moment: Moment,
): IaAddress | IaPrefix {
  const lifetimes = {
    preferredLifetime: live ? secondsLeft(preferredUntil(data), baseTime, moment) : 0,
    validLifetime: live ? secondsLeft(expiryOf(data), baseTime, moment) : 0,
    options: [],
  }
  return data.prefixLength === 0
    ? { address: data.address, ...lifetimes }
    : { prefix: data.address, prefixLength: data.prefixLength, ...lifetimes }
}

/** Relay data and captured options, as asked for and permitted (RFC 5007 sections 4.1.2.4 and 4.4.2). */
function describe(reply: ReplyContext, data: BindingData): ClientData6 {
  const wants = (code: number): boolean => reply.query.requested.has(code) && !reply.rights.withhold.has(code)
  const options = safeOptions(data.options).filter(
    (option) => wants(option.code) && !neverCaptured6.has(option.code),
  )
  return {
    // peer-address(16), then the relay message.
    relayData:
      tellsRelayData(reply) && data.relay.length > 16 && !relayHolds(data, reply.rights.withhold)
        ? { peerAddress: data.relay.subarray(0, 16), message: data.relay.subarray(16) }
        : undefined,
    unknown: options.length > 0 ? options : undefined,
  }
}

/** A relay's own options go with its message, which is told as it came or not at all. */
function relayHolds(data: BindingData, withheld: ReadonlySet<number>): boolean {
  for (const code of withheld) if (relayOptions6(data, code).length > 0) return true
  return false
}

function tellsRelayData({ query, rights }: ReplyContext): boolean {
  const asked = rights.relayDataAlways || query.requested.has(Code6.relayData)
  return asked && !rights.withhold.has(Code6.relayData)
}

/** Whether relay data and options, as far as they are sent, would be the same for both. */
function sameDescription(reply: ReplyContext, a: BindingData, b: BindingData): boolean {
  if (tellsRelayData(reply) && !sameOctets(a.relay, b.relay)) return false
  for (const code of reply.query.requested) {
    if (code === Code6.baseTime || code === Code6.relayData) continue
    if (!sameOctets(a.options, b.options)) return false
  }
  return true
}

function octetsOf(described: ClientData6): number {
  const relay = described.relayData === undefined ? 0 : 4 + 16 + described.relayData.message.length
  return (described.unknown ?? []).reduce((sum, option) => sum + 4 + option.data.length, relay)
}

/** A client sent these; what cannot be taken apart counts as absent. */
function safeOptions(value: Uint8Array): RawOption[] {
  try {
    return rawOptions6(value, 'captured options')
  } catch (error) {
    if (error instanceof WireError) return []
    throw error
  }
}
