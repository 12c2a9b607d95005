// A LEASEQUERY on a connection: query-types of RFC 5007 section 4.1.2.1 and RFC 5460 section 5.3.
import { type BindingData, type LogicalSeconds, sameOctets } from '../binding.ts'
import { fromSeconds2000 } from '../wire/absolute-time.ts'
import type { Message6 } from '../wire/v6/messages.ts'
import { Code6 } from '../wire/v6/options.ts'
import { vpnFault, windowFault } from './qualifiers.ts'
import type { BulkQuery, Refusal, Request, TimeWindow } from './query.ts'
import { linksUnknown, noLink, queryTypes6, unspecified } from './query6.ts'
import type { Rights, Service } from './session-io.ts'

export function parseBulk6(
  message: Message6,
  now: LogicalSeconds,
  service: Service,
  rights: Rights,
): Request {
  const { options, xid } = message
  // RFC 5007 section 4.2.1: discarded; on a connection that means closed, since the requestor would wait for ever.
  const discard = (reason: string): Request => ({ kind: 'unanswerable', reason })
  if (options.clientId === undefined) return discard('LEASEQUERY without OPTION_CLIENTID')
  if (options.serverId !== undefined && !sameOctets(options.serverId, service.identity))
    return discard('LEASEQUERY for another server')
  if (options.leaseQuery === undefined) return discard('LEASEQUERY without OPTION_LQ_QUERY')

  const { queryType, linkAddress, options: inner } = options.leaseQuery
  // RFC 5007 section 4.1.2.1: the list inside the query is about each client, the one outside about the message.
  const requested = new Set(inner.requestedOptions ?? [])
  const asker = {
    xid,
    requestorId: Uint8Array.from(options.clientId),
    wantsBaseTime: requested.has(Code6.baseTime) || (options.requestedOptions ?? []).includes(Code6.baseTime),
  }
  const refuse = (refusal: Refusal): Request => ({ kind: 'refused', query: 'bulk', asker, refusal })

  const type = queryTypes6[queryType]
  if (type === undefined)
    return refuse({ status: 'unknownQueryType', text: `query-type ${queryType} is not known` })
  const wanted = type.read(inner)
  if (wanted === undefined)
    return refuse({ status: 'malformedQuery', text: `${type.needs} is missing in OPTION_LQ_QUERY` })
  const window = {
    start: unix(options.startTime ?? inner.startTime, now),
    end: unix(options.endTime ?? inner.endTime, now),
  }
  const fault = windowFault(window)
  if (fault !== undefined) return refuse({ status: 'malformedQuery', text: fault })
  const vpn = vpnFault(options.virtualSubnet)
  if (vpn !== undefined) return refuse(vpn)
  if (type.keys.some((code) => rights.withhold.has(code)))
    return refuse({
      status: 'notAllowed',
      text: `query-type ${queryType} is not allowed to this requestor`,
    })

  let subnets: readonly number[] | undefined
  if (!unspecified(linkAddress)) {
    subnets = service.subnetsOfLink?.(linkAddress)
    if (subnets === undefined) return refuse(linksUnknown)
    if (subnets.length === 0) return refuse(noLink)
  }

  const windowed = window.start !== undefined || window.end !== undefined
  const query: BulkQuery = {
    ...asker,
    requested,
    selector:
      wanted.selector ?? (subnets === undefined ? { by: 'all' } : { by: 'subnets', subnetIds: subnets }),
    window: windowed ? (window satisfies TimeWindow) : undefined,
    selects: onLink(wanted.selects, subnets),
    tells: windowed ? 'changed' : 'bound',
    single: type.single,
    // Without a link-address the address itself says which link is meant (RFC 5007 section 4.4.1).
    whenNothing:
      wanted.address !== undefined && subnets === undefined && service.isOnLink?.(wanted.address) === false
        ? noLink
        : undefined,
  }
  return { kind: 'bulk', query }
}

function onLink(
  selects: (data: BindingData) => boolean,
  subnets: readonly number[] | undefined,
): (data: BindingData) => boolean {
  if (subnets === undefined) return selects
  const link = new Set(subnets)
  return (data) => link.has(data.subnetId) && selects(data)
}

function unix(value: number | undefined, now: LogicalSeconds): LogicalSeconds | undefined {
  return value === undefined ? undefined : fromSeconds2000(value, now)
}
