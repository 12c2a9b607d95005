// What real Keas say, and clocks that are set.
import { chmodSync, chownSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Daemon, startHook } from '../support/daemon.ts'
import { feedLibrary, Kea, type KeaOptions, KeaStartError } from '../support/kea.ts'
import { type JsonObject, keaConfig, keaJson } from '../support/kea-config.ts'
import { Laboratory } from '../support/laboratory.ts'
import { hostFakeTimeLibrary, keaRoots, mainKea } from '../support/roots.ts'
import { Service } from '../support/service.ts'
import { waitFor } from '../support/wait.ts'
import type { Said, Scene, Scenes } from './symptoms.ts'

const root = mainKea()

function withFeed(lab: Laboratory, parameters: JsonObject = {}, more: KeaOptions = {}): KeaOptions {
  const feed = { endpoint: lab.feedEndpoint(4) }
  return { ...more, hooks: [{ library: feedLibrary, parameters: { feed, ...parameters } }] }
}

/** What a Kea says that does not start with this. */
function notStarted(options: (lab: Laboratory) => KeaOptions): Scene {
  return async (heard) => {
    await using lab = await Laboratory.open()
    const log = await Kea.start(lab, root, 4, options(lab)).then(
      () => 'it has started',
      (error: unknown) => {
        if (error instanceof KeaStartError) return error.message
        throw error
      },
    )
    await heard({ Kea: () => log })
  }
}

const logOf = (kea: Kea): Said => ({ Kea: () => kea.log() })

/** What a Kea says that runs with this, and a sidecar beside it where one is wanted. */
function running(
  options: (lab: Laboratory) => KeaOptions,
  then?: (kea: Kea, lab: Laboratory) => unknown,
): Scene {
  return async (heard) => {
    await using lab = await Laboratory.open()
    const kea = await Kea.start(lab, root, 4, options(lab))
    await then?.(kea, lab)
    await heard(logOf(kea))
  }
}

const wrong = { advanced: { 'lease-query-tcp-port': 70_000 } }
const NOBODY = 65534

export const scenes: Scenes = {
  'Kea does not start: a parameter is refused': notStarted((lab) => withFeed(lab, wrong)),
  'A reload brings parameters that are refused': running(withFeed, (kea, lab) =>
    kea.reload(withFeed(lab, wrong)),
  ),
  'Kea does not start after an upgrade of Kea': async (heard) => {
    await using lab = await Laboratory.open()
    const other = keaRoots().find(({ name }) => name !== root.name)!
    const options = withFeed(lab)
    // The folder of libraries is made by the first Kea of a laboratory.
    await Kea.check(lab, root, 4)
    copyFileSync(other.hook, lab.path(`hooks-${root.name}`, feedLibrary))
    const error = await Kea.start(lab, root, 4, options).catch((error: Error) => error)
    await heard({ Kea: () => String(error) })
  },
  'The feed does not start: its folder is missing': running((lab) =>
    withFeed(lab, { feed: { endpoint: `ipc://${lab.path('nowhere', 'dhcp4')}` } }),
  ),
  'The feed does not start: permission denied': async (heard) => {
    await using lab = await Laboratory.open()
    await Kea.check(lab, root, 4)
    const own = lab.path('own')
    const files = { socket: '', leases: join(own, 'leases.csv'), hooks: lab.path(`hooks-${root.name}`) }
    const { Dhcp4 } = keaConfig(root.kea, 4, files, withFeed(lab)) as { Dhcp4: JsonObject }
    delete Dhcp4['control-socket']
    const file = lab.path('kea.conf')
    writeFileSync(file, keaJson({ Dhcp4 }))
    // All but the folder of the feed is this user's.
    chmodSync(lab.folder, 0o755)
    mkdirSync(own)
    chownSync(own, NOBODY, NOBODY)
    const places = ['PIDFILE', 'DHCP_DATA', 'LOG_FILE'].map((place) => `KEA_${place}_DIR=${own}`)
    const env = ['env', 'KEA_LOCKFILE_DIR=none', `KEA_HOOKS_PATH=${files.hooks}`, ...places]
    const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
    const command = [...user, ...env, 'kea-dhcp4', '-c', file]
    const kea = lab.start('kea', lab.inRoot('server', root, command))
    await heard({ Kea: () => kea.output() })
  },
  'The feed does not start: another Kea has it': async (heard) => {
    await using lab = await Laboratory.open()
    await Kea.start(lab, root, 4, withFeed(lab))
    const parameters = { 'interfaces-config': { interfaces: [] } }
    const second = await Kea.start(lab, root, 4, withFeed(lab, {}, { parameters, name: 'second' }))
    await heard(logOf(second))
  },
  'Relay data is missing': running((lab) =>
    withFeed(lab, {}, { parameters: { 'store-extended-info': false } }),
  ),
  'Kea says that a follower is gone': async (heard) => {
    await using service = await Service.start(root, { families: [4] })
    service.sidecar.kill('SIGSTOP')
    await waitFor('Kea to miss it', () => service.kea(4).log().includes('LEASE_FEED_FOLLOWER_GONE'), 120_000)
    await heard(logOf(service.kea(4)))
  },
  'A clock was set': async (heard) => {
    await using place = new Daemon([4])
    const clock = join(place.folder, 'clock')
    writeFileSync(clock, '+0\n')
    const env = {
      LD_PRELOAD: hostFakeTimeLibrary(),
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
    await using daemon = await new Daemon([4], undefined, { env }).start()
    using core = startHook(daemon, 4)
    await daemon.logged('feed.reconciled')
    writeFileSync(clock, '-3600\n')
    await heard({
      'kea-leasequery': () =>
        daemon
          .lines()
          .map(({ event, msg }) => `${event}: ${msg}`)
          .join('\n'),
      'lease-feed-status': () =>
        core
          .status()
          .followers.flatMap(({ problems }) => problems.map(({ text }) => `: ${text}`))
          .join('\n'),
    })
  },
}
