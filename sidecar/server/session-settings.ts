// What a session is made with, from the parameters: limits, rights, and who this server says it is.
import type { Family } from '../binding.ts'
import type { ServiceConfig } from '../config.ts'
import type { Requester } from '../config-requesters.ts'
import { defaultLimits, type Limits } from '../session/limits.ts'
import type { Rights } from '../session/session-io.ts'
import { MAX_BULK_SCANS } from '../store/store.ts'
import { parseAddress } from '../wire/address.ts'

/** Where `max-concurrent-queries` is 0: what the store takes at once. */
const NO_LIMIT = MAX_BULK_SCANS

export function limitsOf(config: ServiceConfig): Limits {
  return {
    ...defaultLimits,
    dataSeconds: config.idleSeconds,
    activeSendSeconds: config.activeSendSeconds,
    activeIdleSeconds: config.activeIdleSeconds,
    activeLagSeconds: config.activeLagSeconds,
    maxBulkQueries: config.maxConcurrentQueries === 0 ? NO_LIMIT : config.maxConcurrentQueries,
  }
}

/**
 * DHCPv4: the address that the requestor connected to, if Kea answers with it; else the one Kea uses most; the former
 * also where Kea has not said any. DHCPv6: the DUID, which is known.
 * @param identities as Kea said them, most usual first
 */
export function identityFor(
  family: Family,
  identities: readonly Uint8Array[],
  localAddress: string | undefined,
): Uint8Array {
  const [usual] = identities
  if (family === 6) return usual!
  const local = parseAddress(localAddress ?? '') ?? new Uint8Array(4)
  const own = identities.some((octets) => Buffer.from(octets).equals(local))
  return own ? local : (usual ?? local)
}

export function rightsOf(requester: Requester): Rights {
  return {
    active: requester.queries.includes('active'),
    bulk: requester.queries.includes('bulk'),
    withhold: new Set(requester.withholdOptions),
    subnets: requester.subnets,
    relayDataAlways: requester.relayDataAlways,
    relayIds: requester.relayIds,
    remoteIds: requester.remoteIds,
    keepaliveSeconds: requester.keepaliveInterval,
    keepaliveForm: requester.keepaliveForm,
  }
}
