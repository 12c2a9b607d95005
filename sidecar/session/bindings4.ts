// The DHCPv4 message about a binding (RFC 4388 section 6.4, RFC 6926 section 8.3, RFC 7724 section 7.3), written straight
// from where the binding lies: which options it has is decided once a query, not once a message.
import {
  type Binding,
  type BindingData,
  BindingState,
  expiryOf,
  INFINITE,
  type LogicalSeconds,
  Origin,
  stateAt,
} from '../binding.ts'
import type { PackedBinding } from '../packed-binding.ts'
import { u8 } from '../wire/field-types.ts'
import { beginFrame4, CHADDR_OCTETS, endFrame4, Place4 } from '../wire/v4/codec.ts'
import { MessageType4, Op } from '../wire/v4/messages.ts'
import { Code4, DATA_SOURCE_REMOTE, options4 } from '../wire/v4/options.ts'
import type { Writer } from '../wire/writer.ts'
import type { ReplyContext } from './dialect.ts'
import type { QueryForBindings } from './query.ts'
import { secondsLeft, secondsSince } from './relative-time.ts'
import type { Moment, Rights } from './session-io.ts'

/** Options whose value a reply states itself, so that a captured one of the client never stands in for it. */
const neverCaptured: ReadonlySet<number> = new Set([
  50, // requested-ip-address
  51,
  52,
  53,
  54,
  55,
  57,
  58,
  59,
  61,
  82,
  90,
  91,
  92,
  151,
  152,
  153,
  154,
  155,
  156,
  157,
  221,
])

/** A binding as a message tells it. */
interface Told {
  reply: ReplyContext
  record: BindingData
  state: BindingState
  /** When it came into that state, on Kea's clock. */
  since: number
  baseTime: LogicalSeconds
  moment: Moment
}

/** Value of an option about a binding that is a number; negative = it has none. */
type NumberOf = (told: Told) => number

const NONE = -1

/** The options that are numbers, by their names in the table. */
const numbers: { readonly [name in keyof typeof options4.rows]?: NumberOf } = {
  baseTime: ({ baseTime }) => baseTime,
  // RFC 6926 section 8.3: any state with a time-out; of those that are no lease only a decline's probation has one.
  leaseTime({ record, state, baseTime, moment }) {
    const expiry = expiryOf(record)
    const timed =
      state === BindingState.active ||
      (state === BindingState.abandoned && expiry > moment.keaNow && expiry < Number.POSITIVE_INFINITY)
    return timed ? secondsLeft(expiry, baseTime, moment) : NONE
  },
  renewalTime: (told) => timer(told, 'renew'),
  rebindingTime: (told) => timer(told, 'rebind'),
  clientLastTransactionTime: ({ record, baseTime, moment }) =>
    record.clientLastTransaction > 0 ? secondsSince(record.clientLastTransaction, baseTime, moment) : NONE,
  startTimeOfState: ({ since, baseTime, moment }) => secondsSince(since, baseTime, moment),
  dhcpState: ({ state }) => state,
  dataSource: ({ record }) => (record.origin === Origin.partner ? DATA_SOURCE_REMOTE : NONE),
}

/** T1 or T2: RFC 4388 section 6.4.2, not after it is past. */
function timer({ reply, record, state, baseTime, moment }: Told, which: 'renew' | 'rebind'): number {
  if (state !== BindingState.active || record.validLifetime === INFINITE) return NONE
  const seconds = reply.service.timers?.(record.subnetId)?.[which] ?? 0
  const left = seconds - (moment.keaNow - record.clientLastTransaction)
  return seconds > 0 && left > 0 ? secondsLeft(moment.keaNow + left, baseTime, moment) : NONE
}

interface NumberOption {
  readonly code: number
  readonly size: 1 | 4
  readonly of: NumberOf
}

/** What messages about bindings have in them, as far as the query and the requestor's rights decide that. */
class Contents {
  readonly query: QueryForBindings
  readonly rights: Rights
  /** In the order in which they are written. */
  readonly numbers: readonly NumberOption[]
  readonly clientId: boolean
  readonly relay: boolean
  readonly hostName: boolean
  /** Options of the client's are told, by code; undefined = none. */
  readonly captured: ReadonlySet<number> | undefined

  constructor(query: QueryForBindings, rights: Rights) {
    const { withhold } = rights
    const wants = (code: number): boolean => query.requested.has(code) && !withhold.has(code)
    this.query = query
    this.rights = rights
    this.numbers = Object.entries(options4.rows).flatMap(([name, { code, type }]) => {
      const of = numbers[name as keyof typeof numbers]
      // RFC 7724 section 7.3: base-time in each reply to an active query; RFC 6926 section 8.3: to a Bulk query if asked for.
      const told = code === Code4.baseTime ? query.wantsBaseTime : wants(code)
      if (of === undefined || !told) return []
      return [{ code, size: (type as unknown) === u8 ? 1 : 4, of }]
    })
    this.clientId = wants(Code4.clientIdentifier)
    const relay = Code4.relayAgentInformation
    this.relay = wants(relay) || (rights.relayDataAlways && !withhold.has(relay))
    this.hostName = wants(Code4.hostName)
    const captured = [...query.requested].filter((code) => wants(code) && !neverCaptured.has(code))
    this.captured = captured.length > 0 ? new Set(captured) : undefined
  }
}

const contents = new WeakMap<QueryForBindings, Contents>()
let lastQuery: QueryForBindings | undefined
let lastContents: Contents

function contentsOf({ query, rights }: ReplyContext): Contents {
  if (query === lastQuery && rights === lastContents.rights) return lastContents
  let known = contents.get(query)
  if (known?.rights !== rights) {
    known = new Contents(query, rights)
    contents.set(query, known)
  }
  lastQuery = query
  lastContents = known
  return known
}

/** One for all: messages are written one after the other. */
const told = {} as Told

/**
 * Writes the frame about a binding as it is now.
 * @param record shown by nothing else meanwhile
 */
export function writeBinding4(
  to: Writer,
  reply: ReplyContext,
  record: PackedBinding,
  baseTime: LogicalSeconds,
  moment: Moment,
): void {
  const state = stateAt(record, moment.keaNow)
  const since = state === record.state ? record.stateSince : expiryOf(record)
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
  told.reply = reply
  told.record = record
  told.state = state
  told.since = since
  told.baseTime = baseTime
  told.moment = moment
  const has = contentsOf(reply)
  const start = writeHeader(to, reply, record, state)
  writeNumbers(to, has, reply)
  const beforeNames = to.length
  if (has.clientId)
    writeOption(to, Code4.clientIdentifier, record.octets, record.clientIdAt, record.hostnameAt)
  if (has.captured !== undefined) writeCaptured(to, has, has.captured, record)
  if (has.relay) writeOption(to, Code4.relayAgentInformation, record.octets, record.relayAt, record.optionsAt)
  // A message must fit one TLS record: what the client and its relays sent is left out before what makes a binding.
  if (to.length + 1 - start - 2 > reply.limits.maxReply) to.truncate(beforeNames)
  endFrame4(to, start)
}

function writeHeader(to: Writer, reply: ReplyContext, record: PackedBinding, state: BindingState): number {
  const type = state === BindingState.active ? MessageType4.leaseActive : MessageType4.leaseUnassigned
  const start = beginFrame4(to, Op.reply, type, reply.query.xid)
  to.patch32(start + Place4.ciaddr, record.words[record.wordsAt]!)
  to.patch8(start + Place4.htype, record.hardwareType)
  const length = record.clientIdAt - record.hardwareAddressAt
  // Longer ones do not fit; hlen 0 then, as RFC 4390 section 2.1 has it for such hardware.
  if (length <= CHADDR_OCTETS) {
    to.patch8(start + Place4.hlen, length)
    to.patch(start + Place4.chaddr, record.octets, record.hardwareAddressAt, record.clientIdAt)
  }
  return start
}

function writeNumbers(to: Writer, has: Contents, { first, service }: ReplyContext): void {
  // In the first reply of a query only (RFC 6926 section 7.3).
  if (first) writeOption(to, Code4.serverIdentifier, service.identity, 0, service.identity.length)
  for (const { code, size, of } of has.numbers) {
    const value = of(told)
    if (value >= 0) to.option4(code, size, value)
  }
}

/** An option with octets in it; none of no octets. */
function writeOption(to: Writer, code: number, source: Uint8Array, from: number, end: number): void {
  if (from === end) return
  const mark = to.beginOption4(code)
  to.copy(source, from, end)
  to.endOption4(mark)
}

/** Requested options that the client sent; host name as Kea stores it where the client sent none. */
function writeCaptured(to: Writer, has: Contents, wanted: ReadonlySet<number>, record: PackedBinding): void {
  const { octets, optionsAt, octetsEnd } = record
  let hostName = false
  // A client sent these; what cannot be taken apart counts as absent.
  if (areOptions(octets, optionsAt, octetsEnd)) {
    for (let at = optionsAt; at < octetsEnd; at += 2 + octets[at + 1]!) {
      if (!wanted.has(octets[at]!)) continue
      to.copy(octets, at, at + 2 + octets[at + 1]!)
      hostName ||= octets[at] === Code4.hostName
    }
  }
  if (has.hostName && !hostName) writeOption(to, Code4.hostName, octets, record.hostnameAt, record.relayAt)
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
