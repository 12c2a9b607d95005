// What may not be what is wanted, in parameters that would be served as they are.
import type { ServiceConfig } from '../config.ts'
import { shortTimers } from '../short-timers.ts'
import { type Finding, warning } from './finding.ts'
import type { MapNode, Node } from './kea-json.ts'
import { find, itemsOf, member, scalar } from './nodes.ts'

export function serviceAdvice(parameters: Node, config: ServiceConfig): Finding[] {
  const findings: Finding[] = []
  const say = (path: string, text: string) => findings.push(warning(find(parameters, path).at, text))
  if (!config.active && !config.bulk) {
    say('advanced', 'neither active-query-enabled nor bulk-query-enabled is true: nothing is served')
  }
  if (config.requesters.length === 0) say('requesters', 'requesters is empty: nobody may connect')
  for (const { parameter, seconds, least } of shortTimers(config)) {
    say(parameter, `${parameter} is ${seconds} s; the RFCs advise against less than ${least} s`)
  }
  for (const { place, certificate, queries } of config.requesters) {
    if (certificate !== undefined && config.tls.mode === 'off') {
      say(place, `${place} is matched by certificate, which nobody shows while tls.mode is off`)
    }
    if (queries.length === 0)
      say(`${place}.queries`, `${place}.queries is empty: it may connect and ask nothing`)
  }
  if (config.history.maxEnded === 0) {
    say('history.max-ended', 'history.max-ended is 0: whoever was away for a moment gets DataMissing')
  }
  return findings
}

/** What of Kea's own configuration bears on the feed. @param dhcp the map Dhcp4 or Dhcp6 */
export function keaAdvice(dhcp: MapNode, parameters: Node, config: ServiceConfig, tap: boolean): Finding[] {
  return [
    ...relayAdvice(dhcp, parameters, config),
    ...databaseAdvice(dhcp, tap),
    ...leaseQueryAdvice(dhcp, config),
    ...subnetAdvice(dhcp, parameters, config),
  ]
}

/** Options that are relay data: 82; what DHCPv6 relays add travels with the lease in any case. */
const RELAY_AGENT = 82

function relayAdvice(dhcp: MapNode, parameters: Node, config: ServiceConfig): Finding[] {
  if (scalar(member(dhcp, 'store-extended-info')) === true) return []
  const { at } = find(dhcp, 'store-extended-info')
  const selecting = config.requesters.find(
    ({ relayIds, remoteIds }) => relayIds.length + remoteIds.length > 0,
  )
  if (selecting !== undefined) {
    const place = find(parameters, selecting.place).at
    const text = `${selecting.place} is shown only what certain relays sent, but store-extended-info is not true: after an event that is lost, Kea no longer knows`
    return [warning(place, text)]
  }
  if (config.family === 4 && !config.captureOptions.includes(RELAY_AGENT)) return []
  return [
    warning(
      at,
      'store-extended-info is not true: relay data is lost where an event between Kea and the service is',
    ),
  ]
}

function databaseAdvice(dhcp: MapNode, tap: boolean): Finding[] {
  const type = find(dhcp, 'lease-database.type')
  const threads = scalar(member(member(dhcp, 'multi-threading'), 'enable-multi-threading')) ?? true
  if (!tap || !threads || !['mysql', 'postgresql'].includes(String(scalar(type.node)))) return []
  return [
    warning(
      type.at,
      'with multi-threading and leases in SQL, a watched lease manager lets one of two writes of the same address fail that come in the same moment; where that matters set feed.tap to false',
    ),
  ]
}

/** Kea's own lease_query library may stay for UDP; on TCP there is one port. */
function leaseQueryAdvice(dhcp: MapNode, config: ServiceConfig): Finding[] {
  return itemsOf(member(dhcp, 'hooks-libraries')).flatMap((entry) => {
    const advanced = find(entry, 'parameters.advanced')
    if (!/(^|\/)libdhcp_lease_query\.so$/.test(String(scalar(member(entry, 'library'))))) return []
    if (scalar(member(advanced.node, 'bulk-query-enabled')) !== true) return []
    const port = scalar(member(advanced.node, 'lease-query-tcp-port')) ?? (config.family === 4 ? 67 : 547)
    if (port !== config.port) return []
    const text = `libdhcp_lease_query.so has Bulk Leasequery enabled at TCP port ${port}, too: only one of the two can listen there`
    return [warning(find(entry, 'parameters.advanced.bulk-query-enabled').at, text)]
  })
}

/** Requesters are shown subnets by id: one that is not configured shows nothing. */
function subnetAdvice(dhcp: MapNode, parameters: Node, config: ServiceConfig): Finding[] {
  const name = `subnet${config.family}`
  const lists = [dhcp, ...itemsOf(member(dhcp, 'shared-networks'))].map((node) => itemsOf(member(node, name)))
  const ids = lists.flat().map((subnet) => scalar(member(subnet, 'id')))
  // Without ids in the file Kea numbers them, and subnets may come from commands or a configuration database.
  if (ids.length === 0 || ids.includes(undefined)) return []
  return config.requesters.flatMap(({ place, subnets }) =>
    subnets.flatMap((id, index) =>
      ids.includes(id)
        ? []
        : [
            warning(
              find(parameters, `${place}.subnets[${index}]`).at,
              `${place}.subnets: no subnet here has the id ${id}`,
            ),
          ],
    ),
  )
}
