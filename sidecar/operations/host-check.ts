// Whose page may read the status: a page of another site that makes its own name resolve to this host (DNS rebinding) sends
// that name in Host, so only names and addresses of this host itself are answered.
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { OperationsPlace } from './place.ts'

/**
 * Whether a request may be answered.
 * @param host its Host header
 * @param localAddress the address that it came in on
 */
export function namesThisHost(
  place: OperationsPlace,
  host: string | undefined,
  localAddress: string | undefined,
): boolean {
  // A browser does not reach into the file system.
  if (place.kind === 'unix') return true
  const name = /^(?:\[([^\]]+)\]|([^:]*))(?::\d{1,5})?$/.exec(host ?? '')
  const asked = (name?.[1] ?? name?.[2] ?? '').toLowerCase()
  if (asked === '') return false
  if (isIP(asked) !== 0) return isLoopback(asked) || asked === place.address || asked === plain(localAddress)
  return asked === 'localhost' || asked === place.address.toLowerCase() || asked === hostname().toLowerCase()
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

/** An IPv4 peer of an IPv6 socket, written as what it is. */
function plain(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/, '')
}
