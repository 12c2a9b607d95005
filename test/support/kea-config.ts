/** Configurations for the Keas of a laboratory: complete, and changed by naming what is to be different. */

import { addresses, interfaces } from './laboratory.ts'
import type { KeaRoot } from './roots.ts'

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json }
export type JsonObject = { [name: string]: Json }

/** What the pools offer; big enough for any number of clients a test can make. */
export const pools = {
  v4: { subnet: '10.0.0.0/8', first: '10.1.0.0', last: '10.200.255.255' },
  v6: { subnet: '2001:db8:1::/64', first: '2001:db8:1::1:0:0', last: '2001:db8:1::1:ffff:ffff' },
  prefixes: { prefix: '2001:db8:8000::', prefixLength: 33, delegatedLength: 56 },
} as const

export interface ConfigChanges {
  /** Parameters of Dhcp4 or Dhcp6, in place of those of the same name here: { 'valid-lifetime': 4 }. */
  readonly parameters?: JsonObject
  /** Parameters of the one subnet, likewise. */
  readonly subnet?: JsonObject
  /** Libraries to load, in this order. */
  readonly hooks?: readonly HookLibrary[]
  /** Severity of Kea's log, INFO unless given; with DEBUG, at level 99. */
  readonly severity?: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR'
}

/** A library by its file name ("libdhcp_lease_cmds.so") and what it is told. */
export interface HookLibrary {
  readonly library: string
  readonly parameters?: JsonObject
}

/**
 * The whole configuration file.
 *
 * Lifetimes are Kea's usual order (an hour), expiry is processed each second, ended leases stay for a long time, lease
 * caching is off so that every renewal is written, relay data is stored with the leases.
 * @param files paths of the control socket, the lease file and the folder of libraries
 */
export function keaConfig(
  version: KeaRoot['kea'],
  family: 4 | 6,
  files: { readonly socket: string; readonly leases: string; readonly hooks: string },
  changes: ConfigChanges = {},
): JsonObject {
  const shared: JsonObject = {
    'interfaces-config': { interfaces: [interfaces.server] },
    // Kea takes only one of the two.
    ...(changes.parameters?.['control-sockets']
      ? {}
      : { 'control-socket': { 'socket-type': 'unix', 'socket-name': files.socket } }),
    'lease-database': { type: 'memfile', persist: true, name: files.leases, 'lfc-interval': 0 },
    'valid-lifetime': 3600,
    'renew-timer': 1200,
    'rebind-timer': 2400,
    // Lease caching is on by default from 3.0 on; before, 0 is not allowed and off is the default.
    ...(version === '2.6' ? {} : { 'cache-threshold': 0 }),
    'decline-probation-period': 10,
    'store-extended-info': true,
    'multi-threading': { 'enable-multi-threading': true, 'thread-pool-size': 2, 'packet-queue-size': 64 },
    'expired-leases-processing': {
      'reclaim-timer-wait-time': 1,
      'flush-reclaimed-timer-wait-time': 5,
      'hold-reclaimed-time': 3600,
      'max-reclaim-leases': 0,
      'max-reclaim-time': 0,
    },
    'hooks-libraries': (changes.hooks ?? []).map((hook) => ({
      library: `${files.hooks}/${hook.library}`,
      ...(hook.parameters ? { parameters: hook.parameters } : {}),
    })),
    loggers: [
      {
        name: `kea-dhcp${family}`,
        severity: changes.severity ?? 'INFO',
        debuglevel: changes.severity === 'DEBUG' ? 99 : 0,
        // Kea flushes each line, so a log line read by a test stands for what has happened.
        'output-options': [{ output: 'stdout' }],
      },
    ],
  }
  const body =
    family === 4
      ? { ...shared, subnet4: [subnet4(changes.subnet)] }
      : {
          ...shared,
          'preferred-lifetime': 2700,
          // Fixed, so that Kea writes none of its own.
          'server-id': { type: 'EN', 'enterprise-id': 2495, identifier: '87ABEF7A5BB545', persist: false },
          subnet6: [subnet6(changes.subnet)],
        }
  return { [`Dhcp${family}`]: { ...body, ...changes.parameters } }
}

/** As JSON.stringify, but where Kea insists on a floating point number it gets one: 0.0, which JavaScript writes as 0. */
export function keaJson(value: Json, indent = 0): string {
  return JSON.stringify(value, undefined, indent).replace(
    /"(cache-threshold|t1-percent|t2-percent)": ?\d+(?![\d.])/g,
    '$&.0',
  )
}

function subnet4(changes: JsonObject = {}): JsonObject {
  return {
    id: 1,
    subnet: pools.v4.subnet,
    pools: [{ pool: `${pools.v4.first} - ${pools.v4.last}` }],
    relay: { 'ip-addresses': [addresses.client4, ...addresses.relays4] },
    ...changes,
  }
}

function subnet6(changes: JsonObject = {}): JsonObject {
  return {
    id: 1,
    subnet: pools.v6.subnet,
    interface: interfaces.server,
    'rapid-commit': true,
    pools: [{ pool: `${pools.v6.first} - ${pools.v6.last}` }],
    'pd-pools': [
      {
        prefix: pools.prefixes.prefix,
        'prefix-len': pools.prefixes.prefixLength,
        'delegated-len': pools.prefixes.delegatedLength,
      },
    ],
    ...changes,
  }
}
