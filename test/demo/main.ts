/**
 * The real thing, small: kea-dhcp4 and kea-dhcp6 with the hook, the sidecar, clients that come, renew, leave and vanish,
 * and a `leasequery watch` for each family. Everything ends and is removed with it, however it ends.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Dhclient, perfdhcp } from '../support/clients.ts'
import { compiled } from '../support/package-root.ts'
import type { Process } from '../support/processes.ts'
import { keaRoots } from '../support/roots.ts'
import { type Family, Service } from '../support/service.ts'
import { waitFor } from '../support/wait.ts'
import { Tally } from './tally.ts'

const usage = `npm run demo -- [--seconds N] [--kea 3.0|2.6]

  --seconds N   end by itself after N seconds of watching (default: until Ctrl-C)
  --kea V       which Kea: 3.0 (default) or 2.6
`

/** Lifetimes so short that everything happens within the minute, in seconds. */
const times = { 'valid-lifetime': 14, 'renew-timer': 4, 'rebind-timer': 9 }
const expiry = {
  'expired-leases-processing': {
    'reclaim-timer-wait-time': 1,
    'hold-reclaimed-time': 60,
    'flush-reclaimed-timer-wait-time': 5,
  },
}

const narrate = (text: string) => console.log(`demo | ${text}`)

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string' },
      kea: { type: 'string', default: '3.0' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) {
    console.log(usage)
    return 0
  }
  const seconds = values.seconds === undefined ? Number.POSITIVE_INFINITY : Number(values.seconds)
  const root = keaRoots().find(({ kea }) => kea === values.kea)
  if (!(seconds > 0) || !root) {
    console.error(
      `demo: ${root ? '--seconds' : '--kea'} cannot be ${root ? values.seconds : values.kea}\n\n${usage}`,
    )
    return 2
  }

  narrate(
    `starting kea-dhcp4 and kea-dhcp6 ${root.kea} with the hook, each in a namespace, and the sidecar beside them`,
  )
  await using service = await Service.start(root, {
    kea: { parameters: { ...times, ...expiry }, subnet: {} },
  })
  const tally = new Tally()
  const watches = service.families.map((family) => watch(service, family, tally))
  for (const family of service.families) {
    const { host, port } = service.address(family)
    narrate(`leasequery watch ${family === 6 ? `[${host}]:${port} -6` : `${host}:${port}`}`)
  }

  // A watch that is not connected yet would miss the first lease.
  for (const child of watches) {
    await waitFor('the watches to be accepted', () => child.output().includes('query accepted'))
  }

  const stopAt = performance.now() + seconds * 1000
  const over = () => performance.now() >= stopAt
  await Promise.race([
    sleep(Math.min(seconds * 1000, 0x7fffffff)),
    play(service, over),
    ...watches.map(async (child) => {
      await child.exited
      throw new Error(`${child.what} ended:\n${child.outputTail(5)}`)
    }),
  ])
  for (const child of watches) await child.stop()

  console.log(`\n${tally.table()}`)
  const missing = tally.missing()
  if (missing.length === 0) return 0
  narrate(`not seen in ${seconds} s: ${missing.join(', ')}`)
  return 1
}

/** Starts a `leasequery watch` whose lines are shown as they come, with the family in front. */
function watch(service: Service, family: Family, tally: Tally): Process {
  const { host, port } = service.address(family)
  const place = family === 6 ? `[${host}]:${port}` : `${host}:${port}`
  const command = [
    process.execPath,
    compiled('sidecar/requestor/main.ts'),
    'watch',
    place,
    ...(family === 6 ? ['-6'] : []),
  ]
  const child = service.lab.start(`watch${family}`, command)
  let shown = 0
  const show = () => {
    const output = child.output()
    const end = output.lastIndexOf('\n') + 1
    for (const line of output.slice(shown, end).split('\n')) {
      if (line === '') continue
      console.log(`v${family}   | ${line}`)
      tally.count(family, line)
    }
    shown = end
  }
  const timer = setInterval(show, 100)
  child.exited.finally(() => {
    clearInterval(timer)
    show()
  })
  return child
}

/** Clients, in rounds: a host that stays, renews and releases; a few that come, renew and vanish, so that they expire. */
async function play(service: Service, over: () => boolean): Promise<never> {
  const { lab, root } = service
  for (let round = 1; ; round++) {
    const hosts = service.families.map((family) => new Dhclient(lab, root, family))
    narrate('a host comes (dhclient): an IPv4 address; an IPv6 address and a delegated prefix')
    for (const host of hosts) await host.acquire()
    narrate('six more clients come (perfdhcp), renew for some seconds, and are then heard of no more')
    await Promise.all(
      service.families.map((family) =>
        perfdhcp(lab, root, family, {
          rate: 3,
          clients: 3,
          exchanges: 3 + 6,
          renewals: 1,
          flags: ['-b', `mac=00:0c:01:02:0${round % 10}:04`],
        }),
      ),
    )
    await sleep(3000)
    narrate('the host releases what it has')
    for (const host of hosts) await host.release()
    narrate('nobody renews now: the leases of the six expire, and Kea reclaims them')
    await sleep(16_000)
    if (over()) await new Promise(() => {})
  }
}

process.exitCode = await main()
