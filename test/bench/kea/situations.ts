/** What is compared with what, and on which ground. The first contender of each comparison is the baseline. */

import type { DatabaseKind } from '../../support/database.ts'
import { feedLibrary } from '../../support/kea.ts'
import type { JsonObject } from '../../support/kea-config.ts'
import type { KeaRoot } from '../../support/roots.ts'
import type { Difference } from './contender.ts'
import { noOpHook } from './no-op-hook.ts'

export interface Situation {
  readonly what: string
  readonly contenders: (root: KeaRoot) => Promise<readonly Difference[]>
  /** A million leases in Kea from the start. */
  readonly manyLeases?: boolean
  readonly database?: DatabaseKind
  /** Measured for DHCPv4 with multi-threading only, and with no goal: what others do, or what is known to cost. */
  readonly aside?: boolean
}

export const noHook: Difference = { name: 'no hook' }

function hook(name: string, sidecar?: Difference['sidecar'], feed: JsonObject = {}): Difference {
  return {
    name,
    hooks: (lab, family) => [
      { library: feedLibrary, parameters: { feed: { endpoint: lab.feedEndpoint(family), ...feed } } },
    ],
    ...(sidecar ? { sidecar } : {}),
  }
}

/** Kea's own way to tell another program of its leases: a program started for each. */
const runScript: Difference = {
  name: 'run_script',
  hooks: () => [{ library: 'libdhcp_run_script.so', parameters: { name: '/usr/bin/true', sync: false } }],
  env: { KEA_HOOK_SCRIPTS_PATH: '/usr/bin' },
}

function onDatabase(database: DatabaseKind): Situation {
  return {
    what: `leases in ${database}: with the tap, and without`,
    // Nobody follows: a sidecar would take the clients' core from the database.
    contenders: async () => [noHook, hook('tap'), hook('no tap', undefined, { tap: false })],
    database,
    aside: true,
  }
}

export const situations = {
  running: {
    what: 'a sidecar follows',
    contenders: async () => [noHook, hook('hook', 'running')],
  },
  stopped: {
    what: 'a sidecar is connected, and stopped by SIGSTOP',
    contenders: async () => [noHook, hook('hook', 'stopped')],
  },
  absent: {
    what: 'the hook alone: nobody follows',
    contenders: async () => [noHook, hook('hook')],
  },
  walking: {
    what: 'a million leases, and a sidecar that reads them all the time',
    contenders: async () => [noHook, hook('hook', 'walking')],
    manyLeases: true,
  },
  peers: {
    what: "beside a hook that does nothing, and Kea's run_script",
    contenders: async (root) => {
      const library = await noOpHook(root)
      const noOp: Difference = {
        name: 'no-op hook',
        hooks: () => [{ library: 'libdhcp_no_op.so' }],
        libraries: [library],
      }
      return [noHook, noOp, hook('hook', 'running'), runScript]
    },
    aside: true,
  },
  postgresql: onDatabase('postgresql'),
  mariadb: onDatabase('mariadb'),
} as const satisfies Readonly<Record<string, Situation>>

export type SituationName = keyof typeof situations
