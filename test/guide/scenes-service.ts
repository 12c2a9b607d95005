// What the service says when something is wrong with it, with what it stands on, or with the feed: the daemon as a process,
// and the hook's core as the other end of the feed.

import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createLog } from '../../sidecar/log.ts'
import { MemoryAlarm } from '../../sidecar/memory-alarm.ts'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { byClient, Daemon, lease, startHook } from '../support/daemon.ts'
import type { HookCore, HookCoreSettings } from '../support/hook-core.ts'
import { daemonOfContract } from '../support/other-contract.ts'
import { binding, serviceJson } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'
import { aroundService, serviceWith } from './scenes-requestor.ts'
import type { Said, Scene, Scenes } from './symptoms.ts'

/** What the daemon says on standard output and error, and what the core at its other end does. */
function around(daemon: Daemon, core?: HookCore): Said {
  const keaLines: string[] = []
  return {
    'kea-leasequery': () =>
      [...daemon.lines().map(({ event, msg }) => `${event}: ${msg}`), daemon.errors].join('\n'),
    ...(core && {
      'lease-feed-status': () =>
        core
          .status()
          .followers.flatMap(({ problems }) => problems.map(({ parameter, text }) => `${parameter}: ${text}`))
          .join('\n'),
      Kea: () => {
        keaLines.push(...core.takeLog().map(({ id, text }) => `${id} ${text}`))
        return keaLines.join('\n')
      },
    }),
  }
}

/** The daemon in step with a core of these settings; then what goes wrong. */
function inStep(
  wrong: (daemon: Daemon, core: HookCore) => unknown,
  settings: Partial<HookCoreSettings> = {},
): Scene {
  return async (heard) => {
    await using daemon = await new Daemon([4]).start()
    using core = startHook(daemon, 4, settings)
    await daemon.logged('feed.reconciled')
    await wrong(daemon, core)
    await heard(around(daemon, core))
  }
}

/** A start that is refused, once a daemon has run and ended. */
function refused(wrong: (daemon: Daemon) => unknown): Scene {
  return async (heard) => {
    await using daemon = await new Daemon([4]).start()
    daemon.kill('SIGTERM')
    await daemon.ended()
    await wrong(daemon)
    await daemon.start().catch(() => {})
    await heard(around(daemon))
  }
}

const service = (changed: Record<string, unknown>) => serviceJson(4, changed)
const serving = { 'active-query-enabled': true, 'lease-query-ip': '127.0.0.1' }

export const scenes: Scenes = {
  'It does not start: the store is in use': async (heard) => {
    await using daemon = await new Daemon([4]).start()
    await using second = new Daemon([4], undefined, { stateDir: daemon.stateDir })
    await second.start().catch(() => {})
    await heard(around(second))
  },
  'It does not start: the store is damaged': refused(({ stateDir }) => {
    const store = join(stateDir, 'dhcp4')
    for (const name of readdirSync(store)) if (name.startsWith('MANIFEST')) rmSync(join(store, name))
  }),
  'It does not start: the state directory': async (heard) => {
    await using daemon = new Daemon([4])
    writeFileSync(daemon.stateDir, '')
    await daemon.start().catch(() => {})
    await heard(around(daemon))
  },
  'It does not start: a flag is wrong': async (heard) => {
    await using daemon = new Daemon([4])
    await daemon.start('--stat-dir', '/x').catch(() => {})
    await heard(around(daemon))
  },
  'It cannot listen': async (heard) => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    await using daemon = await new Daemon([4], ['--listen', `dhcp4=127.0.0.1:${port}`]).start()
    using core = startHook(daemon, 4)
    await heard(around(daemon, core))
    taken.close()
  },
  'There is no status page': async (heard) => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    await using daemon = await new Daemon([4]).start('--metrics', `127.0.0.1:${port}`)
    await heard(around(daemon))
    taken.close()
  },
  'The parameters are refused': inStep((_, core) =>
    core.setService(
      service({ requesters: ['192.0.2.0/24'], advanced: { ...serving, 'max-requester-connections': 0 } }),
    ),
  ),
  'TLS is pinned, and kea.conf turns it off': async (heard) => {
    await using daemon = await new Daemon([4]).start('--require-tls')
    using core = startHook(daemon, 4)
    await heard(around(daemon, core))
  },
  'Nothing is heard from Kea': async (heard) => {
    await using daemon = await new Daemon([4]).start()
    using core = startHook(daemon, 4)
    core.setService(service({ advanced: { ...serving, 'max-feed-silence': 5 } }))
    await daemon.logged('feed.reconciled')
    core.stop()
    await heard(around(daemon))
  },
  'Hook and service are of different releases': async (heard) => {
    await using folder = new Daemon([4])
    const program = daemonOfContract(join(folder.folder, 'other'), 2)
    await using daemon = await new Daemon([4], undefined, { program }).start()
    using core = startHook(daemon, 4)
    await heard(around(daemon, core))
  },
  'The folder of the sockets is open to everybody': inStep(({ folder }) => chmodSync(folder, 0o777)),
  'The sockets of the feed vanish': inStep(({ folder }) => {
    for (const name of ['dhcp4', 'dhcp4-sync']) rmSync(join(folder, name))
  }),
  'Events are lost': inStep(
    async (daemon, core) => {
      daemon.kill('SIGSTOP')
      for (let i = 0; i < 30_000; i++) core.put(lease('192.0.2.7', 1 + (i % 200)), byClient)
      await waitFor('all to be sent', () => core.status().published + core.status().overwritten >= 30_000)
      daemon.kill('SIGCONT')
    },
    { ringEvents: 1024 },
  ),
  'The walk does not end': inStep((_, core) => {
    core.failPages('Invalid lease type 9 in row 77')
    core.requestResync()
  }),
  'Reading the leases is slow': inStep((_, core) => {
    core.generate({ count: 2000 })
    core.delayPages(200)
    core.requestResync()
  }),
  'Many bindings vanish at once': inStep(async (daemon, core) => {
    core.generate({ count: 3000 })
    core.requestResync()
    await waitFor('a walk that finds them', () =>
      daemon.lines().some(({ event, changed }) => event === 'feed.reconciled' && changed === 3000),
    )
    core.clearSilently()
    core.requestResync()
  }),
  'DataMissing after a first start': inStep(async (daemon) => {
    const requestor = await daemon.connect(4, { since: Math.floor(Date.now() / 1000) - 3600 })
    await requestor.until(({ type }) => type === 'data-missing')
  }),
  'DataMissing over and over': inStep(async (_, core) => {
    core.setService(service({ history: { 'max-ended': 10 } }))
    for (let n = 1; n <= 50; n++) core.put(lease(`192.0.2.${n}`, n), byClient)
    for (let n = 1; n <= 50; n++) core.remove(parseAddress(`192.0.2.${n}`)!, byClient)
  }),
  // The log is told after ten seconds.
  'A requestor is blocked': async (heard) => {
    await using service = serviceWith({})
    const { now } = service
    for (let i = 0; i < 60_000; i++) service.memory.put(binding(`10.0.${i >> 8}.${i & 255}`, now), now)
    const socket = connect({ port: await service.port(), host: '127.0.0.1' })
    socket.write(encodeActiveQuery({ family: 4, xid: 7, since: now }))
    await waitFor('the query to be accepted', () => service.logged('query.started').length > 0)
    socket.pause()
    await heard(aroundService(service))
    socket.destroy()
  },
  'The disk is full': async (heard) => {
    // A disk of its own, that is gone with the process.
    const small = 'mount -t tmpfs -o size=256k tmpfs "$1" && shift && exec "$@"'
    await using place = new Daemon([4])
    const { stateDir } = place
    mkdirSync(stateDir)
    const prefix = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', small, 'sh', stateDir]
    await using daemon = await new Daemon([4], undefined, { prefix, stateDir }).start()
    using core = startHook(daemon, 4)
    core.generate({ count: 20_000 })
    await heard(around(daemon, core))
  },
  'Memory is short': async (heard) => {
    let said = ''
    const write = (text: string) => {
      const { event, msg } = JSON.parse(text)
      said += `${event}: ${msg}\n`
    }
    // No host is short of memory on request.
    new MemoryAlarm(createLog({ level: 'info', destination: { write } }), undefined, () => 1).check()
    await heard({ 'kea-leasequery': () => said })
  },
}
