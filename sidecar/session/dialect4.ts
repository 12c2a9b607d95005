// DHCPv4 on a connection: RFC 7724 over RFC 6926 over RFC 4388.
import type { LogicalSeconds } from '../binding.ts'
import { PackedBinding } from '../packed-binding.ts'
import type { RawOption } from '../wire/option-table.ts'
import { decodeMessage4, encodeFrame4, setXid4 } from '../wire/v4/codec.ts'
import { type Message4, MessageType4, Op } from '../wire/v4/messages.ts'
import { Code4, type Options4, SubCode4, subOptions4 } from '../wire/v4/options.ts'
import { Status4 } from '../wire/v4/status.ts'
import { WireError } from '../wire/wire-error.ts'
import { Writer } from '../wire/writer.ts'
import { formerState, writeAvailable4, writeBinding4, writeTold4 } from './bindings4.ts'
import { parseBulk4 } from './bulk4.ts'
import type { Dialect, Outcome, ReplyContext } from './dialect.ts'
import {
  type ActiveQuery,
  type Asker,
  NO_REQUESTOR_ID,
  type QueryKind,
  type Refusal,
  type Request,
} from './query.ts'
import { relayOptions4 } from './relay4.ts'
import type { Service } from './session-io.ts'

/**
 * What a query without option 55 gets. RFC 4388 section 6.2 would have "what a DHCPREQUEST would get", which says
 * nothing about leases; these are what RFC 6926 section 7.2 recommends to ask for, and who the client is.
 */
const defaultRequested: ReadonlySet<number> = new Set([
  Code4.leaseTime,
  Code4.clientIdentifier,
  Code4.relayAgentInformation,
  Code4.clientLastTransactionTime,
  Code4.baseTime,
  Code4.startTimeOfState,
  Code4.dhcpState,
  Code4.dataSource,
])

/** What is told, one after the other. */
const packed = new PackedBinding()
const writer = new Writer(1024)

export const dialect4: Dialect = {
  family: 4,
  // RFC 7724 section 8.1.1: a message type that is not supported closes the connection.
  whenDisabled: {},

  parse(message, _now, _service, rights) {
    let decoded: Message4
    try {
      decoded = decodeMessage4(message)
    } catch (error) {
      if (error instanceof WireError) return unreadable(error)
      throw error
    }
    switch (decoded.type) {
      case MessageType4.tls:
        return { kind: 'tls-start', xid: decoded.xid }
      case MessageType4.bulkLeasequery:
        return parseBulk4(decoded, defaultRequested, rights)
      case MessageType4.activeLeasequery:
        return parseActive(decoded)
      default:
        return unsupported(decoded.type)
    }
  },

  tlsAnswer: (xid, refused) =>
    encodeFrame4({
      op: Op.reply,
      type: MessageType4.tls,
      xid,
      options: refused ? { status: { code: Status4.tlsConnectionRefused, text: '' } } : {},
    }),

  refuse(kind: QueryKind, asker: Asker, refusal: Refusal, service: Service, now: LogicalSeconds) {
    // RFC 7724 section 8.2 and RFC 6926 section 8.2: each kind has its own closing message.
    const active = kind === 'active'
    return encodeFrame4({
      op: Op.reply,
      type: active ? MessageType4.leasequeryStatus : MessageType4.leasequeryDone,
      xid: asker.xid,
      options: {
        serverIdentifier: service.identity,
        status: { code: codeOf(refusal.status), text: refusal.text },
        ...(active ? { baseTime: now } : {}),
      },
    })
  },

  outcome(reply, outcome, text, baseTime) {
    const { xid } = reply.query
    const alive = outcome === 'keepalive' || outcome === 'accepted'
    if (alive && reply.rights.keepaliveForm === 'empty-active') {
      const options = { serverIdentifier: reply.service.identity, baseTime }
      return [encodeFrame4({ op: Op.reply, type: MessageType4.leaseActive, xid, options })]
    }
    return [
      encodeFrame4({
        op: Op.reply,
        type: MessageType4.leasequeryStatus,
        xid,
        options: { ...firstReply(reply), status: { code: outcomeCodes[outcome], text }, baseTime },
      }),
    ]
  },

  change(reply, change, baseTime, moment) {
    writer.reset()
    if (change.kind === 'binding') {
      if (!reply.shows(change.binding)) return []
      writeBinding4(writer, reply, packed.pack(change.binding), baseTime, moment)
      return [writer.take()]
    }
    const { departure, current } = change
    // DHCPv4 speaks about addresses: where the requestor is shown the present holder, that message says it all.
    if (!reply.shows(departure) || (current !== undefined && reply.shows(current))) return []
    const { state, since } = formerState(departure, moment)
    writeTold4(writer, reply, packed.pack(departure), state, since, baseTime, moment)
    return [writer.take()]
  },

  write(to, reply, record, _companions, baseTime, moment) {
    writeBinding4(to, reply, record, baseTime, moment)
    return 1
  },

  writeAvailable: writeAvailable4,

  bulkEnd(reply, failure) {
    return encodeFrame4({
      op: Op.reply,
      type: MessageType4.leasequeryDone,
      xid: reply.query.xid,
      options: {
        ...firstReply(reply),
        // RFC 6926 section 8.2: a status where it was not successful, and only there.
        status: failure && { code: codeOf(failure.status), text: failure.text },
      },
    })
  },

  setXid: setXid4,

  relayIds: (data) => relayOptions4(data, SubCode4.relayId),
  remoteIds: (data) => relayOptions4(data, SubCode4.remoteId),
}

const outcomeCodes: Record<Outcome, Status4> = {
  // Nothing else tells the requestor that its query was accepted, and the connection is idle then (RFC 7724 section 7.4).
  accepted: Status4.connectionActive,
  keepalive: Status4.connectionActive,
  catchUpComplete: Status4.catchUpComplete,
  dataMissing: Status4.dataMissing,
  queryTerminated: Status4.queryTerminated,
}

function codeOf(name: Refusal['status']): Status4 {
  return name in Status4 ? Status4[name as keyof typeof Status4] : Status4.unspecFail
}

function askerOf(xid: number): Asker {
  return { xid, requestorId: NO_REQUESTOR_ID, wantsBaseTime: true }
}

function unsupported(type: number): Request {
  return { kind: 'unanswerable', reason: `message type ${type} is not supported over TCP` }
}

function unreadable(error: WireError): Request {
  const { answerable } = error
  if (answerable === undefined) return { kind: 'unanswerable', reason: error.message }
  switch (answerable.type) {
    case MessageType4.tls:
      return { kind: 'tls-start', xid: answerable.xid } // its options are ignored (RFC 7724 section 8.1)
    case MessageType4.activeLeasequery:
      return malformed('active', answerable.xid, error.message)
    case MessageType4.bulkLeasequery:
      return malformed('bulk', answerable.xid, error.message)
    default:
      return unsupported(answerable.type)
  }
}

function malformed(query: QueryKind, xid: number, text: string): Request {
  return { kind: 'refused', query, asker: askerOf(xid), refusal: { status: 'malformedQuery', text } }
}

function parseActive(message: Message4): Request {
  const fault = faultOf(message)
  if (fault !== undefined) return malformed('active', message.xid, fault)
  const { options } = message
  const query: ActiveQuery = {
    ...askerOf(message.xid),
    since: options.queryStartTime,
    requested:
      options.parameterRequestList === undefined ? defaultRequested : new Set(options.parameterRequestList),
    selects: undefined,
  }
  return { kind: 'active', query }
}

/** What an active query must not have (RFC 7724 sections 4, 7.3 and 8.2); htype alone says nothing. */
function faultOf(message: Message4): string | undefined {
  const { options } = message
  for (const field of ['ciaddr', 'yiaddr', 'siaddr'] as const)
    if (message[field]?.some((octet) => octet !== 0)) return `${field} is not zero`
  if (message.hlen !== 0 || message.chaddr?.some((octet) => octet !== 0))
    return 'an active query names no hardware address'
  if (options.clientIdentifier !== undefined) return 'an active query has no client identifier (61)'
  if (options.queryEndTime !== undefined) return 'an active query has no query-end-time (155)'
  if (options.virtualSubnet !== undefined) return 'an active query selects no VPN (221)'
  if (options.relayAgentInformation !== undefined) {
    let parts: RawOption[]
    try {
      parts = subOptions4(options.relayAgentInformation)
    } catch (error) {
      if (error instanceof WireError) return error.message
      throw error
    }
    if (parts.some((part) => part.code === SubCode4.remoteId || part.code === SubCode4.relayId))
      return 'an active query selects no relay agent (82)'
  }
  return undefined
}

/** server-identifier goes into the first reply of a query only (RFC 6926 section 7.3). */
export function firstReply(reply: Pick<ReplyContext, 'first' | 'service'>): Options4 {
  return reply.first ? { serverIdentifier: reply.service.identity } : {}
}
