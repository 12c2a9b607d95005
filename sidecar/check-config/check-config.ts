// kea-leasequery --check-config: what the service would make of a kea.conf, before Kea is asked to load it.
import { userInfo } from 'node:os'
import { basename } from 'node:path'
import type { Family } from '../binding.ts'
import { parseService, type ServiceConfig } from '../config.ts'
import type { DaemonSettings } from '../daemon-flags.ts'
import { readFeedParameters } from './feed-parameters.ts'
import { error, type Finding, formatFinding } from './finding.ts'
import { judge } from './judge.ts'
import { keaJsonError, type MapNode, type Node, readKeaJson } from './kea-json.ts'
import { addressFindings, endpointFindings, tlsFindings } from './local-checks.ts'
import { find, holdsAny, isMap, itemsOf, member, scalar } from './nodes.ts'
import { keaAdvice, serviceAdvice } from './service-advice.ts'

export const LIBRARY = 'libdhcp_lease_feed.so'

export type CheckSettings = Pick<DaemonSettings, 'feeds' | 'listen' | 'requireTls' | 'tlsFiles'>

export interface ConfigReport {
  readonly findings: readonly Finding[]
  /** What will be served, one line a family; only where nothing is wrong with it. */
  readonly served: readonly string[]
}

/**
 * Checks one file, with the rights of who runs this.
 * @param now Unix milliseconds
 * @throws SidecarError ALQ_KEA_CONF where it is no configuration of Kea's DHCP servers
 */
export function checkConfig(root: Node, settings: CheckSettings, now: number): ConfigReport {
  const findings: Finding[] = []
  const served: string[] = []
  const families = ([4, 6] as const).filter((family) => member(root, `Dhcp${family}`) !== undefined)
  if (families.length === 0) throw keaJsonError(root.at, 'there is neither Dhcp4 nor Dhcp6 in it')
  for (const family of families) {
    const dhcp = find(root, `Dhcp${family}`)
    if (!isMap(dhcp.node)) throw keaJsonError(dhcp.at, `Dhcp${family} is no map`)
    const checked = checkFamily(dhcp.node, family, settings, now)
    findings.push(...checked.findings)
    if (checked.config === undefined || checked.findings.some(({ severity }) => severity === 'error'))
      continue
    served.push(inWords(checked.config, settings))
  }
  return { findings, served }
}

interface CheckedFamily {
  readonly config?: ServiceConfig
  readonly findings: readonly Finding[]
}

function checkFamily(dhcp: MapNode, family: Family, settings: CheckSettings, now: number): CheckedFamily {
  const libraries = find(dhcp, 'hooks-libraries')
  const blocks = itemsOf(libraries.node).filter((entry) => {
    const library = scalar(member(entry, 'library'))
    return typeof library === 'string' && basename(library) === LIBRARY
  })
  const [block, second] = blocks
  if (block === undefined)
    return { findings: [error(libraries.at, `hooks-libraries of Dhcp${family} has no ${LIBRARY}`)] }
  if (second !== undefined)
    return { findings: [error(second.at, `${LIBRARY} stands in hooks-libraries twice`)] }
  const parameters: Node = member(block, 'parameters') ?? { kind: 'map', entries: [], at: block.at }
  const leftOut = new Set<Node>()
  const service = judge(parameters, leftOut, (plain) => parseService(JSON.stringify(plain), family))
  const wrong = [...service.findings]
  const config = service.read
  if (config === undefined) return { findings: wrong }
  const feed = judge(parameters, leftOut, (plain) => readFeedParameters(plain, family))
  wrong.push(...feed.findings)
  // Of what is wrong in itself nothing is looked for.
  const sound = (name: string) => !holdsAny(member(parameters, name), leftOut)
  const serves = config.active || config.bulk
  const listens = serves && !settings.listen.has(family)
  const findings = [
    ...wrong,
    ...(serves && sound('tls') ? tlsFindings(parameters, config, settings, now) : []),
    ...(listens && sound('advanced') ? addressFindings(parameters, config) : []),
    ...(feed.read && sound('feed')
      ? endpointFindings(parameters, feed.read, settings.feeds.get(family))
      : []),
    ...(wrong.length === 0 ? serviceAdvice(parameters, config) : []),
    ...(wrong.length === 0 ? keaAdvice(dhcp, parameters, config, feed.read?.tap ?? true) : []),
  ]
  return { config, findings }
}

function inWords(config: ServiceConfig, { listen }: CheckSettings): string {
  const { family, active, bulk, tls, port, requesters } = config
  const name = `DHCPv${family}`
  if (!active && !bulk) return `${name}: all is well: leases are fed, nothing is served`
  const what = [active ? 'Active' : '', bulk ? 'Bulk' : ''].filter((word) => word !== '').join(' and ')
  const places = listen.get(family) ?? config.addresses.map((address) => ({ address, port: undefined }))
  const where =
    places.length === 0
      ? [`every address, port ${port}`]
      : places.map((one) => `${one.address} port ${one.port ?? port}`)
  const how = tls.mode === 'off' ? 'in clear text' : 'over TLS'
  const to =
    requesters.length === 1 ? 'one entry of requesters' : `${requesters.length} entries of requesters`
  const right =
    (listen.get(family)?.[0]?.port ?? port) < 1024
      ? ' (CAP_NET_BIND_SERVICE is needed; the systemd unit gives it)'
      : ''
  return `${name}: all is well: ${what} Leasequery is served ${how} at ${where.join(', ')}${right}, to ${to}`
}

/**
 * The command: prints what is found, file by file.
 * @returns the exit code: 0 all is well, 1 something is wrong
 * @throws SidecarError ALQ_KEA_CONF
 */
export function runCheckConfig(
  files: readonly string[],
  settings: CheckSettings,
  print: (line: string) => void,
): number {
  let wrong = 0
  for (const root of files.map(readKeaJson)) {
    const { findings, served } = checkConfig(root, settings, Date.now())
    for (const finding of findings) print(formatFinding(finding))
    for (const line of served) print(line)
    wrong += findings.filter(({ severity }) => severity === 'error').length
  }
  if (wrong > 0) print(`${wrong === 1 ? 'one mistake' : `${wrong} mistakes`} found`)
  const { username } = userInfo()
  if (username === 'root')
    print('(files were looked at as root, who may read them all: run this as the user of the service, too)')
  return wrong > 0 ? 1 : 0
}
