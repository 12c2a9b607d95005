// A DHCPBULKLEASEQUERY: one primary query and its qualifiers (RFC 6926 sections 7.2 and 8.2).
import type { BindingData } from '../binding.ts'
import type { RawOption } from '../wire/option-table.ts'
import type { Message4 } from '../wire/v4/messages.ts'
import { Code4, SubCode4, subOptions4 } from '../wire/v4/options.ts'
import { WireError } from '../wire/wire-error.ts'
import { vpnFault, windowFault } from './qualifiers.ts'
import { type BulkQuery, NO_REQUESTOR_ID, type Refusal, type Request, type Selector } from './query.ts'
import type { Rights } from './session-io.ts'

/** A primary query other than the one for all configured addresses, which is the absence of any. */
interface PrimaryQuery {
  readonly name: string
  /** The option that it looks into: whoever must not see that one must not find it out by asking either. */
  readonly key: number | undefined
  /** Undefined = the message does not ask this. */
  readonly selector: (message: Message4, relay: readonly RawOption[]) => Selector | undefined
}

const primaryQueries: readonly PrimaryQuery[] = [
  {
    name: 'by MAC address',
    key: undefined,
    // hlen alone decides: htype is 1 in many a library's empty message.
    selector: ({ htype = 0, hlen = 0, chaddr }) =>
      hlen === 0
        ? undefined
        : { by: 'hardware-address', hardwareType: htype, hardwareAddress: own(chaddr!.subarray(0, hlen)) },
  },
  {
    name: 'by client identifier',
    key: Code4.clientIdentifier,
    selector: ({ options: { clientIdentifier } }) =>
      clientIdentifier && { by: 'client-id', clientId: own(clientIdentifier) },
  },
  {
    name: 'by remote-id',
    key: Code4.relayAgentInformation,
    selector: (_message, relay) => {
      const remoteId = find(relay, SubCode4.remoteId)
      return remoteId && { by: 'remote-id', remoteId: own(remoteId) }
    },
  },
  {
    name: 'by relay-id',
    key: Code4.relayAgentInformation,
    selector: (_message, relay) => {
      const relayId = find(relay, SubCode4.relayId)
      return relayId && { by: 'relay-id', relayId: own(relayId) }
    },
  },
]

/** @param byDefault what a query without option 55 gets */
export function parseBulk4(message: Message4, byDefault: ReadonlySet<number>, rights: Rights): Request {
  const { options, xid } = message
  const requested =
    options.parameterRequestList === undefined ? byDefault : new Set(options.parameterRequestList)
  const asker = { xid, requestorId: NO_REQUESTOR_ID, wantsBaseTime: requested.has(Code4.baseTime) }
  const refuse = (refusal: Refusal): Request => ({ kind: 'refused', query: 'bulk', asker, refusal })
  const malformed = (text: string): Request => refuse({ status: 'malformedQuery', text })

  for (const field of ['ciaddr', 'yiaddr', 'siaddr'] as const)
    if (message[field]?.some((octet) => octet !== 0)) return malformed(`${field} is not zero`)
  const { hlen = 0, chaddr } = message
  if (hlen > 16) return malformed(`a hardware address of ${hlen} octets`)
  if (hlen === 0 && chaddr?.some((octet) => octet !== 0)) return malformed('a hardware address of no length')

  const window = { start: options.queryStartTime, end: options.queryEndTime }
  const fault = windowFault(window)
  if (fault !== undefined) return malformed(fault)

  let relay: readonly RawOption[] = []
  try {
    if (options.relayAgentInformation !== undefined) relay = subOptions4(options.relayAgentInformation)
  } catch (error) {
    if (error instanceof WireError) return malformed(error.message)
    throw error
  }
  for (const { code, data } of relay)
    if ((code === SubCode4.remoteId || code === SubCode4.relayId) && data.length === 0)
      return malformed(`sub-option ${code} of option 82 is empty`)
  // RFC 6607 section 7.3: the sub-option of a relay goes before the option.
  const vpn = vpnFault(vssOf(find(relay, SubCode4.virtualSubnet)) ?? options.virtualSubnet)
  if (vpn !== undefined) return refuse(vpn)

  const asked = primaryQueries.flatMap((primary) => {
    const selector = primary.selector(message, relay)
    return selector === undefined ? [] : [{ ...primary, selector }]
  })
  if (asked.length > 1)
    return refuse({
      status: 'notAllowed',
      text: `more than one primary query: ${asked.map(({ name }) => name).join(', ')}`,
    })
  const [primary] = asked
  if (primary?.key !== undefined && rights.withhold.has(primary.key))
    return refuse({ status: 'notAllowed', text: `queries ${primary.name} are not allowed to this requestor` })

  const query: BulkQuery = {
    ...asker,
    requested,
    selector: primary?.selector ?? { by: 'all' },
    window: window.start === undefined && window.end === undefined ? undefined : window,
    selects: undefined,
    tells: primary === undefined ? 'addresses' : 'bound',
    single: false,
    whenNothing: undefined,
  }
  return { kind: 'bulk', query }
}

function vssOf(value: Uint8Array | undefined) {
  return value === undefined || value.length === 0
    ? undefined
    : { type: value[0]!, information: value.subarray(1) }
}

/** Repeated ones are one value (RFC 3396 is for options; of sub-options the first counts, as where bindings are stored). */
function find(relay: readonly RawOption[], code: number): BindingData['relay'] | undefined {
  return relay.find((option) => option.code === code)?.data
}

/** A copy: what was decoded is a view of the octets received, and a query may outlive them. */
function own(octets: Uint8Array): Uint8Array {
  return Uint8Array.from(octets)
}
