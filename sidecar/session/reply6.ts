// Messages of DHCPv6 that are written from their options.
import { encodeFrame6 } from '../wire/v6/codec.ts'
import { MessageType6 } from '../wire/v6/messages.ts'
import type { Options6 } from '../wire/v6/options.ts'
import type { ReplyContext } from './dialect.ts'
import type { Asker } from './query.ts'
import type { Service } from './session-io.ts'

export function replyIds(asker: Asker, service: Service): Options6 {
  return {
    clientId: asker.requestorId.length > 0 ? asker.requestorId : undefined,
    serverId: service.identity,
  }
}

/** The query's one LEASEQUERY-REPLY if it is the first, else a LEASEQUERY-DATA (RFC 7653 section 6.2.3). */
export function replyFrame(reply: ReplyContext, options: Options6): Uint8Array {
  if (!reply.first) return dataFrame(reply, options)
  return encodeFrame6({
    type: MessageType6.leasequeryReply,
    xid: reply.query.xid,
    options: { ...replyIds(reply.query, reply.service), ...options },
  })
}

export function dataFrame(reply: ReplyContext, options: Options6): Uint8Array {
  return encodeFrame6({ type: MessageType6.leasequeryData, xid: reply.query.xid, options })
}
