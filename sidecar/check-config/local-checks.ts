// What only this host can tell of parameters that are well-formed: its files, addresses and folders.
import { statSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { dirname } from 'node:path'
import type { ServiceConfig } from '../config.ts'
import type { DaemonSettings } from '../daemon-flags.ts'
import { codeOf, reasonOf, SidecarError } from '../errors.ts'
import { folderFault } from '../feed/feed-folder.ts'
import { readTlsFiles, type TlsPlaces, tlsFaults } from '../server/tls-files.ts'
import { parseAddress } from '../wire/address.ts'
import type { FeedParameters } from './feed-parameters.ts'
import { error, type Finding, warning } from './finding.ts'
import type { Node } from './kea-json.ts'
import { find } from './nodes.ts'

const SOON_MS = 30 * 86_400_000

/** @param now Unix milliseconds */
export function tlsFindings(
  parameters: Node,
  config: ServiceConfig,
  settings: Pick<DaemonSettings, 'requireTls' | 'tlsFiles'>,
  now: number,
): Finding[] {
  const mode = find(parameters, 'tls.mode').at
  if (config.tls.mode === 'off') {
    return settings.requireTls
      ? [error(mode, new SidecarError('ALQ_TLS_PINNED', {}).message)]
      : [warning(mode, 'tls.mode is off: bindings are served in clear text to whoever may connect')]
  }
  const places: TlsPlaces = { ...config.tls, ...settings.tlsFiles }
  const faults = tlsFaults(places, now)
  if (faults.length > 0) {
    return faults.map((fault) => error(find(parameters, String(fault.fields.parameter)).at, fault.message))
  }
  const { ends, keyExposed } = readTlsFiles(places)
  const findings = ends.flatMap(({ what, path, at }) => {
    const parameter = path === places.certFile ? 'tls.cert-file' : 'tls.trust-anchor'
    const place = find(parameters, parameter).at
    const day = new Date(at).toISOString()
    if (at <= now) return [error(place, `the ${what} in ${path} has ended: ${day}`)]
    return at - now < SOON_MS ? [warning(place, `the ${what} in ${path} ends soon: ${day}`)] : []
  })
  if (!keyExposed) return findings
  const text = `private key ${places.keyFile} may be read by everybody: chmod o= it`
  return [...findings, warning(find(parameters, 'tls.key-file').at, text)]
}

export function addressFindings(parameters: Node, config: ServiceConfig): Finding[] {
  const { at } = find(parameters, 'advanced.lease-query-ip')
  if (config.addresses.length === 0) {
    return [warning(at, 'lease-query-ip is not given: every address of this host is listened on')]
  }
  const octets = (text: string) => String(parseAddress(text))
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((one) => octets(one.address))),
  )
  return config.addresses
    .filter((address) => !own.has(octets(address)))
    .map((address) =>
      warning(at, `this host does not have the address ${address}; it is listened on as soon as it has`),
    )
}

/** The folder of the feed's sockets, and whether the service will look there. */
export function endpointFindings(
  parameters: Node,
  { endpoint }: FeedParameters,
  followed: string | undefined,
): Finding[] {
  const { at } = find(parameters, 'feed.endpoint')
  const findings: Finding[] = []
  if (endpoint !== followed && endpoint.startsWith('ipc:')) {
    const other = followed === undefined ? 'does not follow this family' : `follows ${followed}`
    findings.push(
      warning(
        at,
        `feed.endpoint is ${endpoint}, but kea-leasequery ${other} unless its flag --feed says otherwise`,
      ),
    )
  }
  const path = /^ipc:\/\/(.+)$/.exec(endpoint)?.[1]
  if (path === undefined) return findings
  const folder = dirname(path)
  try {
    statSync(folder)
    const fault = folderFault(endpoint)
    if (fault !== undefined) findings.push(error(at, fault))
  } catch (fault) {
    const reason = codeOf(fault) === 'ENOENT' ? 'it is not there' : reasonOf(fault)
    findings.push(
      error(
        at,
        `the folder of feed.endpoint, ${folder}, cannot be used: ${reason} (systemd-tmpfiles makes it)`,
      ),
    )
  }
  return findings
}
