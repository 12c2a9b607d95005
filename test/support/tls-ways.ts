/** Each way in which the service makes TLS: what holds for one has to hold for all. */
import type { RequestorServiceParts } from '../../sidecar/server/service-parts.ts'

const bySocket: Pick<RequestorServiceParts, 'tlsEngine'> = { tlsEngine: { missing: 'a test leaves it out' } }

export const tlsWays = [
  { family: 4, way: 'DHCPv4', parts: {} },
  { family: 4, way: 'DHCPv4 without tls-engine.node', parts: bySocket },
  { family: 6, way: 'DHCPv6', parts: {} },
] as const
