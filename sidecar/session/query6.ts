// An ACTIVELEASEQUERY and its optional filter (RFC 7653 section 6.2.1), and the query-types of RFC 5007 and RFC 5460.
import { type BindingData, type LogicalSeconds, sameOctets } from '../binding.ts'
import { fromSeconds2000 } from '../wire/absolute-time.ts'
import { prefixContains } from '../wire/address.ts'
import { type Message6, QueryType6 } from '../wire/v6/messages.ts'
import { Code6, type LeaseQuery6, type QueryOptions6 } from '../wire/v6/options.ts'
import {
  type ActiveQuery,
  type Asker,
  NO_REQUESTOR_ID,
  type Refusal,
  type Request,
  type Selector,
} from './query.ts'
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

export const noLink: Refusal = { status: 'notConfigured', text: 'on no link of this server' }
export const linksUnknown: Refusal = {
  status: 'queryTerminated',
  text: 'the links are not known yet: Kea has not been reached',
}

/** The bindings an OPTION_LQ_QUERY asks for, or why it cannot be served. */
function filterOf(query: LeaseQuery6, service: Service, rights: Rights): Selects | Refusal {
  const { queryType, linkAddress, options } = query
  const type = queryTypes6[queryType]
  if (type === undefined) return { status: 'unknownQueryType', text: `query-type ${queryType} is not known` }
  const wanted = type.read(options)
  if (wanted === undefined)
    return { status: 'malformedQuery', text: `${type.needs} is missing in OPTION_LQ_QUERY` }
  if (type.keys.some((code) => rights.withhold.has(code)))
    return { status: 'notAllowed', text: `query-type ${queryType} is not allowed to this requestor` }
  if (unspecified(linkAddress)) return wanted.selects
  const link = Uint8Array.from(linkAddress)
  const subnets = service.subnetsOfLink?.(link)
  if (subnets === undefined) return linksUnknown
  if (subnets.length === 0) return noLink
  // Asked of each change, since the configuration may change while the query lives.
  return (data) => (service.subnetsOfLink!(link) ?? subnets).includes(data.subnetId) && wanted.selects(data)
}

/** A query-type with what it was given. */
export interface Wanted6 {
  readonly selects: Selects
  /** What to look for by, apart from the link; undefined = by the link, or all there is. */
  readonly selector: Selector | undefined
  /** The address that it is about, if it is about one. */
  readonly address?: Uint8Array
}

export interface QueryType {
  /** The query-option it must have. */
  readonly needs: string | undefined
  /** Options that it looks into: whoever must not see those must not find them out by asking either. */
  readonly keys: readonly number[]
  /** About one client at most. */
  readonly single: boolean
  /** Undefined = the query-option is missing. Octets in the result are copies: a query may outlive the message. */
  readonly read: (options: QueryOptions6) => Wanted6 | undefined
}

/** Query-types by number: RFC 5007 section 4.1.2.1, RFC 5460 section 5.3. */
export const queryTypes6: Readonly<Record<number, QueryType>> = {
  [QueryType6.byAddress]: {
    needs: 'OPTION_IAADDR',
    keys: [],
    single: true,
    read({ iaAddresses }) {
      const address = copy(iaAddresses?.[0]?.address)
      return (
        address && { selects: (data) => covers(data, address), selector: { by: 'address', address }, address }
      )
    },
  },
  [QueryType6.byClientId]: {
    needs: 'OPTION_CLIENTID',
    keys: [],
    single: false,
    read(options) {
      const clientId = copy(options.clientId)
      return (
        clientId && {
          selects: (data) => sameOctets(data.clientId, clientId),
          selector: { by: 'client-id', clientId },
        }
      )
    },
  },
  [QueryType6.byRelayId]: {
    needs: 'OPTION_RELAY_ID',
    keys: [Code6.relayData, Code6.relayId],
    single: false,
    read(options) {
      const relayId = copy(options.relayId)
      return (
        relayId && {
          selects: (data) => relayOptions6(data, Code6.relayId).some((one) => sameOctets(one, relayId)),
          selector: { by: 'relay-id', relayId },
        }
      )
    },
  },
  [QueryType6.byLinkAddress]: {
    needs: undefined,
    keys: [],
    single: false,
    read: () => ({ selects: () => true, selector: undefined }),
  },
  [QueryType6.byRemoteId]: {
    needs: 'OPTION_REMOTE_ID',
    keys: [Code6.relayData, Code6.remoteId],
    single: false,
    read(options) {
      if (options.remoteId === undefined) return undefined
      const { enterprise, remoteId: value } = options.remoteId
      const remoteId = new Uint8Array(4 + value.length)
      new DataView(remoteId.buffer).setUint32(0, enterprise)
      remoteId.set(value, 4)
      return {
        selects: (data) => relayOptions6(data, Code6.remoteId).some((one) => sameOctets(one, remoteId)),
        selector: { by: 'remote-id', remoteId },
      }
    },
  },
}

/** Whether a link-address is 0::0: no link in particular. */
export function unspecified(linkAddress: Uint8Array): boolean {
  return linkAddress.every((octet) => octet === 0)
}

function copy(octets: Uint8Array | undefined): Uint8Array | undefined {
  return octets && Uint8Array.from(octets)
}

/** The address itself, or a delegated prefix that contains it (RFC 5007 section 4.1.2.1). */
function covers(data: BindingData, address: Uint8Array): boolean {
  return data.prefixLength === 0
    ? sameOctets(data.address, address)
    : prefixContains({ address: data.address, length: data.prefixLength }, address)
}
