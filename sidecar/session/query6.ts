// An ACTIVELEASEQUERY and its optional filter (RFC 7653 section 6.2.1, query-types of RFC 5007 and RFC 5460).
import { type BindingData, type LogicalSeconds, sameOctets } from '../binding.ts'
import { fromSeconds2000 } from '../wire/absolute-time.ts'
import { prefixContains } from '../wire/address.ts'
import { type Message6, QueryType6 } from '../wire/v6/messages.ts'
import { Code6, type LeaseQuery6 } from '../wire/v6/options.ts'
import { type ActiveQuery, type Asker, NO_REQUESTOR_ID, type Refusal, type Request } from './query.ts'
import { relayOptions6 } from './relay6.ts'
import type { Rights, Service } from './session-io.ts'

const GLOBAL_VPN = 255

type Selects = NonNullable<ActiveQuery['selects']>

export function parseActive6(
  message: Message6,
  now: LogicalSeconds,
  service: Service,
  rights: Rights,
): Request {
  const { options } = message
  const inner = options.leaseQuery?.options
  const requested = new Set([...(options.requestedOptions ?? []), ...(inner?.requestedOptions ?? [])])
  const asker: Asker = {
    xid: message.xid,
    requestorId: options.clientId ?? NO_REQUESTOR_ID,
    wantsBaseTime: requested.has(Code6.baseTime),
  }
  const refuse = (status: Refusal['status'], text: string): Request => ({
    kind: 'refused',
    query: 'active',
    asker,
    refusal: { status, text },
  })

  if (options.serverId !== undefined && !sameOctets(options.serverId, service.identity))
    return { kind: 'unanswerable', reason: 'ACTIVELEASEQUERY for another server' } // RFC 5007 section 4.2.1
  if (options.clientId === undefined) return refuse('malformedQuery', 'OPTION_CLIENTID is missing')
  if (options.endTime !== undefined || inner?.endTime !== undefined)
    return refuse('malformedQuery', 'an active query has no OPTION_LQ_END_TIME') // RFC 7653 section 9.3
  if (options.virtualSubnet !== undefined && options.virtualSubnet.type !== GLOBAL_VPN)
    return refuse('notAllowed', 'no VPNs are served here')
  const selects = options.leaseQuery === undefined ? undefined : filterOf(options.leaseQuery, service, rights)
  if (selects !== undefined && typeof selects !== 'function') return refuse(selects.status, selects.text)

  const start = options.startTime ?? inner?.startTime
  const query: ActiveQuery = {
    ...asker,
    since: start === undefined ? undefined : fromSeconds2000(start, now),
    requested,
    selects,
  }
  return { kind: 'active', query }
}

const everything: Selects = () => true

/** The bindings an OPTION_LQ_QUERY asks for, or why it cannot be served. */
function filterOf(query: LeaseQuery6, service: Service, rights: Rights): Selects | Refusal {
  const byType = typeFilter(query)
  if (typeof byType !== 'function') return byType
  // What is withheld must not be found out by asking for it either.
  const keys = keyOptions[query.queryType] ?? []
  if (keys.some((code) => rights.withhold.has(code)))
    return { status: 'notAllowed', text: `query-type ${query.queryType} is not allowed to this requestor` }
  if (query.linkAddress.every((octet) => octet === 0)) return byType
  const subnets = service.subnetsOfLink?.(query.linkAddress) ?? []
  if (subnets.length === 0)
    return { status: 'notConfigured', text: 'link-address is on no link of this server' }
  const onLink = new Set(subnets)
  return (data) => onLink.has(data.subnetId) && byType(data)
}

/** Options that a query-type looks into. */
const keyOptions: Readonly<Record<number, readonly number[]>> = {
  [QueryType6.byRelayId]: [Code6.relayData, Code6.relayId],
  [QueryType6.byRemoteId]: [Code6.relayData, Code6.remoteId],
}

function typeFilter({ queryType, options }: LeaseQuery6): Selects | Refusal {
  switch (queryType) {
    case QueryType6.byAddress: {
      const address = options.iaAddresses?.[0]?.address
      return address === undefined ? missing('OPTION_IAADDR') : (data) => covers(data, address)
    }
    case QueryType6.byClientId: {
      const { clientId } = options
      return clientId === undefined
        ? missing('OPTION_CLIENTID')
        : (data) => sameOctets(data.clientId, clientId)
    }
    case QueryType6.byRelayId: {
      const { relayId } = options
      return relayId === undefined
        ? missing('OPTION_RELAY_ID')
        : (data) => relayOptions6(data, Code6.relayId).some((one) => sameOctets(one, relayId))
    }
    case QueryType6.byLinkAddress:
      return everything
    case QueryType6.byRemoteId: {
      const { remoteId } = options
      if (remoteId === undefined) return missing('OPTION_REMOTE_ID')
      const wanted = new Uint8Array(4 + remoteId.remoteId.length)
      new DataView(wanted.buffer).setUint32(0, remoteId.enterprise)
      wanted.set(remoteId.remoteId, 4)
      return (data) => relayOptions6(data, Code6.remoteId).some((one) => sameOctets(one, wanted))
    }
    default:
      return { status: 'unknownQueryType', text: `query-type ${queryType}` }
  }
}

function missing(option: string): Refusal {
  return { status: 'malformedQuery', text: `${option} is missing in OPTION_LQ_QUERY` }
}

/** The address itself, or a delegated prefix that contains it (RFC 5007 section 4.1.2.1). */
function covers(data: BindingData, address: Uint8Array): boolean {
  return data.prefixLength === 0
    ? sameOctets(data.address, address)
    : prefixContains({ address: data.address, length: data.prefixLength }, address)
}
