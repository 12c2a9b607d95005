// The DHCPv6 messages about one client on one link (RFC 5460 section 5.2.1): its binding and those that it holds besides,
// written straight from where they lie.
import { type LogicalSeconds, preferredUntil } from '../binding.ts'
import type { PackedBinding } from '../packed-binding.ts'
import { Word } from '../record-words.ts'
import { toSeconds2000 } from '../wire/absolute-time.ts'
import { beginFrame6, endFrame6 } from '../wire/v6/codec.ts'
import { MessageType6 } from '../wire/v6/messages.ts'
import { Code6 } from '../wire/v6/options.ts'
import type { Writer } from '../wire/writer.ts'
import type { ReplyContext } from './dialect.ts'
import { neverCaptured6 } from './never-captured.ts'
import { perQuery } from './per-query.ts'
import type { QueryForBindings } from './query.ts'
import { secondsLeft, secondsSince } from './relative-time.ts'
import { relayOptions6 } from './relay6.ts'
import type { Moment, Rights } from './session-io.ts'

/** Kea's DUID of nobody, for a binding without a client: each CLIENT_DATA has a CLIENTID (RFC 5007 section 4.4.2). */
export const NO_CLIENT = new Uint8Array(3)

/** What is in an OPTION_IAADDR and an OPTION_IAPREFIX without options of their own. */
const IA_ADDRESS_OCTETS = 16 + 4 + 4
const IA_PREFIX_OCTETS = 4 + 4 + 1 + 16
/** The larger of the two, with its header. */
export const MEMBER_OCTETS = 4 + IA_PREFIX_OCTETS
/** Message header and everything in it that does not grow with the binding's data, generously. */
export const FIXED_OCTETS = 256
/** Before the relay message in a binding's relay data. */
const PEER_ADDRESS_OCTETS = 16

/** What messages about bindings have in them, as far as the query and the requestor's rights decide that. */
class Contents {
  readonly relay: boolean
  /** A relay's own options go with its message: where it holds one of these, it is not told. */
  readonly withheld: ReadonlySet<number>
  /** Options of the client's that are told, by code; undefined = none. */
  readonly captured: ReadonlySet<number> | undefined
  /** An option was asked for, be it told or not, that clients send. */
  readonly asksOptions: boolean

  constructor({ requested }: QueryForBindings, rights: Rights) {
    const { withhold } = rights
    this.withheld = withhold
    this.relay = (rights.relayDataAlways || requested.has(Code6.relayData)) && !withhold.has(Code6.relayData)
    const captured = [...requested].filter((code) => !withhold.has(code) && !neverCaptured6.has(code))
    this.captured = captured.length > 0 ? new Set(captured) : undefined
    this.asksOptions = [...requested].some((code) => code !== Code6.baseTime && code !== Code6.relayData)
  }
}

const contentsOf = perQuery((query, rights) => new Contents(query, rights))

/**
 * Writes what there is to tell about `changed` and what its client holds besides on the link, in as many messages as it
 * takes to keep each below the limit (RFC 5007 section 4.1.2.2): `changed` first, ended or not.
 * @param live whether `changed` is bound
 * @param companions bound, and in the requestor's scope
 * @returns how many messages
 */
export function writeGroup6(
  to: Writer,
  reply: ReplyContext,
  changed: PackedBinding,
  live: boolean,
  companions: readonly PackedBinding[],
  baseTime: LogicalSeconds,
  moment: Moment,
): number {
  const has = contentsOf(reply)
  const withRelay = has.relay && hasRelayData(changed, has.withheld)
  const relay = withRelay ? 4 + changed.optionsAt - changed.relayAt : 0
  const captured = has.captured === undefined ? 0 : capturedOctets(has.captured, changed)
  const clientId = changed.hostnameAt - changed.clientIdAt
  const free = reply.limits.maxReply - FIXED_OCTETS - clientId - reply.query.requestorId.length
  let room = Math.floor((free - relay - captured) / MEMBER_OCTETS)
  // What the client and its relays sent is left out before what makes a binding.
  const described = room >= 1
  if (!described) room = Math.max(1, Math.floor(free / MEMBER_OCTETS))
  // When the server last heard from the client on this link, by any of its bindings (RFC 5007 section 4.1.2.3).
  let contact = changed.clientLastTransaction
  for (const { clientLastTransaction } of companions) contact = Math.max(contact, clientLastTransaction)
  const sinceContact = secondsSince(contact, baseTime, moment)

  const members = 1 + companions.length
  let messages = 0
  for (let from = 0; from < members; from += room, messages++) {
    const end = Math.min(members, from + room)
    const start = beginReply(to, reply, reply.first && messages === 0, baseTime)
    const data = to.beginOption6(Code6.clientData)
    if (clientId > 0) to.copyOption6(Code6.clientId, changed.data, changed.clientIdAt, changed.hostnameAt)
    else writeOption(to, Code6.clientId, NO_CLIENT)
    to.option6(Code6.clientLastTransactionTime, sinceContact)
    if (members === 1) writeMember(to, changed, live, baseTime, moment)
    else {
      for (const isPrefix of EITHER) {
        for (let i = from; i < end; i++) {
          const member = i === 0 ? changed : companions[i - 1]!
          if (member.prefixLength > 0 === isPrefix) writeMember(to, member, i > 0 || live, baseTime, moment)
        }
      }
    }
    if (described && withRelay)
      to.copyOption6(Code6.relayData, changed.data, changed.relayAt, changed.optionsAt)
    if (described && captured > 0) writeCaptured(to, has.captured!, changed)
    to.endOption6(data)
    endFrame6(to, start)
  }
  return messages
}

/** Addresses go before prefixes. */
const EITHER = [false, true] as const

/** The query's one LEASEQUERY-REPLY, if it is the first message, else a LEASEQUERY-DATA (RFC 7653 section 6.2.3). */
function beginReply(
  to: Writer,
  { query, service }: ReplyContext,
  first: boolean,
  baseTime: LogicalSeconds,
): number {
  const { leasequeryReply, leasequeryData } = MessageType6
  const start = beginFrame6(to, first ? leasequeryReply : leasequeryData, query.xid)
  if (first) {
    if (query.requestorId.length > 0) writeOption(to, Code6.clientId, query.requestorId)
    writeOption(to, Code6.serverId, service.identity)
  }
  if (query.wantsBaseTime) to.option6(Code6.baseTime, toSeconds2000(baseTime))
  return start
}

/** An address or prefix; both lifetimes 0 when it is no longer bound. */
function writeMember(
  to: Writer,
  data: PackedBinding,
  live: boolean,
  baseTime: LogicalSeconds,
  moment: Moment,
): void {
  const preferred = live ? secondsLeft(preferredUntil(data), baseTime, moment) : 0
  const valid = live ? secondsLeft(data.expiry, baseTime, moment) : 0
  const { words, wordsAt, prefixLength } = data
  if (prefixLength === 0) {
    to.u32((Code6.iaAddress << 16) | IA_ADDRESS_OCTETS)
    to.words(words, wordsAt + Word.address, 4)
    to.u32(preferred)
    to.u32(valid)
  } else {
    // Another order than that of OPTION_IAADDR (RFC 8415 section 21.22).
    to.u32((Code6.iaPrefix << 16) | IA_PREFIX_OCTETS)
    to.u32(preferred)
    to.u32(valid)
    to.u8(prefixLength)
    to.words(words, wordsAt + Word.address, 4)
  }
}

function writeOption(to: Writer, code: number, value: Uint8Array): void {
  const mark = to.beginOption6(code)
  to.octets(value)
  to.endOption6(mark)
}

/** Whether there is relay data that may be told. */
function hasRelayData(data: PackedBinding, withheld: ReadonlySet<number>): boolean {
  if (data.optionsAt - data.relayAt <= PEER_ADDRESS_OCTETS) return false
  for (const code of withheld) if (relayOptions6(data, code).length > 0) return false
  return true
}

/** Octets of the client's options that are told: none where a client sent what cannot be taken apart. */
function capturedOctets(
  wanted: ReadonlySet<number>,
  { octets, optionsAt, octetsEnd }: PackedBinding,
): number {
  let told = 0
  let at = optionsAt
  while (at + 4 <= octetsEnd) {
    const size = 4 + u16(octets, at + 2)
    if (wanted.has(u16(octets, at))) told += size
    at += size
  }
  return at === octetsEnd ? told : 0
}

function writeCaptured(
  to: Writer,
  wanted: ReadonlySet<number>,
  { octets, data, optionsAt, octetsEnd }: PackedBinding,
): void {
  for (let at = optionsAt; at < octetsEnd; ) {
    const end = at + 4 + u16(octets, at + 2)
    if (wanted.has(u16(octets, at))) to.copy(data, at, end)
    at = end
  }
}

function u16(octets: Uint8Array, at: number): number {
  return (octets[at]! << 8) | octets[at + 1]!
}

/** Whether relay data and options, as far as they are sent, would be the same for both. */
export function sameDescription(reply: ReplyContext, a: PackedBinding, b: PackedBinding): boolean {
  const has = contentsOf(reply)
  if (has.relay && !sameSpan(a, a.relayAt, a.optionsAt, b, b.relayAt, b.optionsAt)) return false
  return !has.asksOptions || sameSpan(a, a.optionsAt, a.octetsEnd, b, b.optionsAt, b.octetsEnd)
}

function sameSpan(
  a: PackedBinding,
  fromA: number,
  endA: number,
  b: PackedBinding,
  fromB: number,
  endB: number,
): boolean {
  if (endA - fromA !== endB - fromB) return false
  for (let i = fromA, j = fromB; i < endA; i++, j++) if (a.octets[i] !== b.octets[j]) return false
  return true
}
