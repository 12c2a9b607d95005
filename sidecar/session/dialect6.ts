// DHCPv6 on a connection: RFC 7653 over RFC 5460 over RFC 5007.
import { BindingState, type LogicalSeconds, sameClient } from '../binding.ts'
import { PackedBinding } from '../packed-binding.ts'
import { toSeconds2000 } from '../wire/absolute-time.ts'
import { framesOf } from '../wire/framing.ts'
import { decodeMessage6, encodeFrame6, setXid6 } from '../wire/v6/codec.ts'
import { type Message6, MessageType6 } from '../wire/v6/messages.ts'
import { Code6, type Options6 } from '../wire/v6/options.ts'
import { Status6 } from '../wire/v6/status.ts'
import { WireError } from '../wire/wire-error.ts'
import { Writer } from '../wire/writer.ts'
import { sameDescription, writeGroup6 } from './bindings6.ts'
import { parseBulk6 } from './bulk6.ts'
import type { Dialect, ReplyContext } from './dialect.ts'
import type { Asker, QueryKind, Refusal, Request } from './query.ts'
import { parseActive6 } from './query6.ts'
import { relayOptions6 } from './relay6.ts'
import { dataFrame, replyFrame, replyIds } from './reply6.ts'
import type { Moment, Service } from './session-io.ts'

export const dialect6: Dialect = {
  family: 6,
  // RFC 7653 section 9.2; for Bulk RFC 5460 section 7.1.
  whenDisabled: { active: 'notSupported', bulk: 'notAllowed' },

  parse(message, now, service, rights) {
    let decoded: Message6
    try {
      decoded = decodeMessage6(message)
    } catch (error) {
      if (error instanceof WireError) return unreadable(error)
      throw error
    }
    switch (decoded.type) {
      case MessageType6.startTls:
        return { kind: 'tls-start', xid: decoded.xid }
      case MessageType6.leasequery:
        return parseBulk6(decoded, now, service, rights)
      case MessageType6.activeLeasequery:
        return parseActive6(decoded, now, service, rights)
      default:
        return unsupported(decoded.type)
    }
  },

  tlsAnswer: (xid, refused, service) =>
    encodeFrame6({
      type: MessageType6.reply,
      xid,
      options: {
        // Clients discard a Reply without it (RFC 8415 section 16.10).
        serverId: service.identity,
        status: refused ? { code: Status6.tlsConnectionRefused, text: '' } : undefined,
      },
    }),

  refuse(_kind: QueryKind, asker: Asker, refusal: Refusal, service: Service, now: LogicalSeconds) {
    return encodeFrame6({
      type: MessageType6.leasequeryReply,
      xid: asker.xid,
      options: {
        ...replyIds(asker, service),
        status: { code: codeOf(refusal.status), text: refusal.text },
        baseTime: asker.wantsBaseTime ? toSeconds2000(now) : undefined,
      },
    })
  },

  outcome(reply, outcome, text, baseTime) {
    // With a status it is always sent: without it the requestor could not resume (RFC 7653 sections 8.4 and 8.4.1).
    const always = toSeconds2000(baseTime)
    const onRequest = reply.query.wantsBaseTime ? always : undefined
    switch (outcome) {
      case 'accepted':
      case 'keepalive':
        return [replyFrame(reply, { baseTime: onRequest })]
      case 'dataMissing':
        return [replyFrame(reply, { status: { code: Status6.dataMissing, text }, baseTime: always })]
      case 'catchUpComplete': {
        // It goes into a LEASEQUERY-DATA, and the LEASEQUERY-REPLY comes first (RFC 7653 sections 6.2.3 and 9.3).
        const complete = dataFrame(reply, {
          status: { code: Status6.catchUpComplete, text },
          baseTime: always,
        })
        return reply.first ? [replyFrame(reply, { baseTime: onRequest }), complete] : [complete]
      }
      case 'queryTerminated': {
        const options = { status: { code: Status6.queryTerminated, text }, baseTime: always }
        if (reply.first) return [replyFrame(reply, options)]
        return [encodeFrame6({ type: MessageType6.leasequeryDone, xid: reply.query.xid, options })]
      }
    }
  },

  change(reply, change, baseTime, moment) {
    const about = change.kind === 'binding' ? change.binding : change.departure
    if (!reply.shows(about)) return []
    if (change.kind === 'binding' && reply.told.has(about.changeNumber)) return []
    while (packed.length <= change.companions.length) packed.push(new PackedBinding())
    const companions = change.companions.map((companion, i) => packed[1 + i]!.pack(companion))
    const record = packed[0]!.pack(about)
    writer.reset()
    if (change.kind === 'binding') {
      writeClient(writer, reply, record, companions, baseTime, moment)
    } else {
      const { departure, current } = change
      // The client still has it, and this requestor is shown that: nothing has ended for it.
      if (
        current !== undefined &&
        current.prefixLength === departure.prefixLength &&
        sameClient(current, departure) &&
        reply.shows(current)
      )
        return []
      const base = baseOf(reply, baseTime, moment)
      writeGroup6(writer, reply, record, false, liveOnes(companions, reply, moment), base, moment)
    }
    return framesOf(writer.take())
  },

  write: writeClient,

  bulkEnd(reply, failure, baseTime) {
    const { xid, wantsBaseTime } = reply.query
    const options: Options6 = {
      status: failure && { code: codeOf(failure.status), text: failure.text },
      baseTime: wantsBaseTime ? toSeconds2000(baseTime) : undefined,
    }
    // RFC 5460 section 5.2: where nothing was told the LEASEQUERY-REPLY is all there is.
    return reply.first
      ? replyFrame(reply, options)
      : encodeFrame6({ type: MessageType6.leasequeryDone, xid, options })
  },

  setXid: setXid6,

  relayIds: (data) => relayOptions6(data, Code6.relayId),
  remoteIds: (data) => relayOptions6(data, Code6.remoteId),
}

function codeOf(name: Refusal['status']): Status6 {
  return name in Status6 ? Status6[name as keyof typeof Status6] : Status6.unspecFail
}

function askerOf(xid: number, requestorId: Uint8Array): Asker {
  return { xid, requestorId, wantsBaseTime: false }
}

function unsupported(type: number): Request {
  return { kind: 'unanswerable', reason: `message type ${type} is not supported over TCP` }
}

function unreadable(error: WireError): Request {
  const { answerable } = error
  if (answerable === undefined) return { kind: 'unanswerable', reason: error.message }
  const refused = (query: QueryKind): Request => ({
    kind: 'refused',
    query,
    asker: askerOf(answerable.xid, answerable.clientId ?? new Uint8Array(0)),
    refusal: { status: 'malformedQuery', text: error.message },
  })
  switch (answerable.type) {
    case MessageType6.startTls:
      return { kind: 'tls-start', xid: answerable.xid } // its options are ignored (RFC 7653 section 6.2.2)
    case MessageType6.activeLeasequery:
      return refused('active')
    case MessageType6.leasequery:
      return answerable.clientId === undefined
        ? { kind: 'unanswerable', reason: 'LEASEQUERY without OPTION_CLIENTID' } // RFC 5007 section 4.2.1
        : refused('bulk')
    default:
      return unsupported(answerable.type)
  }
}

// ---- bindings

/** What is told at a time, one client's; one after the other. */
const packed = [new PackedBinding()]
const writer = new Writer(1024)
const NOBODY: readonly PackedBinding[] = []

/** A binding with what its client holds besides. */
function writeClient(
  to: Writer,
  reply: ReplyContext,
  record: PackedBinding,
  companions: readonly PackedBinding[],
  baseTime: LogicalSeconds,
  moment: Moment,
): number {
  const live = record.stateAt(moment.keaNow) === BindingState.active
  // A declined address belongs to nobody, and all of nobody's addresses are no group.
  const grouped = record.state === BindingState.abandoned ? NOBODY : liveOnes(companions, reply, moment)
  // Told in full, relay data and options included, so that its own change needs no message of its own.
  for (const companion of grouped)
    if (sameDescription(reply, companion, record)) reply.told.add(companion.changeNumber)
  return writeGroup6(to, reply, record, live, grouped, baseOf(reply, baseTime, moment), moment)
}

/** Where no base-time is sent, times count from the moment of sending. */
function baseOf(reply: ReplyContext, baseTime: LogicalSeconds, moment: Moment): LogicalSeconds {
  return reply.query.wantsBaseTime ? baseTime : moment.now
}

/** Companions that are the client's now, and that this requestor may see. */
function liveOnes(
  companions: readonly PackedBinding[],
  reply: ReplyContext,
  moment: Moment,
): readonly PackedBinding[] {
  if (companions.length === 0) return companions
  return companions.filter(
    (companion) => companion.stateAt(moment.keaNow) === BindingState.active && reply.inScope(companion),
  )
}
