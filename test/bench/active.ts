// What Active Leasequery does under load: how long a change takes from the hook's tap to the requestor at given rates of
// changes, in the company of other requestors; what a requestor costs; how many messages go out at most.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Family } from '../../sidecar/binding.ts'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { Authority } from '../support/certificates.ts'
import { byClient, Daemon, lease, startHook } from '../support/daemon.ts'
import type { HookCore } from '../support/hook-core.ts'
import { compiled } from '../support/package-root.ts'
import { serviceJson } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'
import type { AudienceWishes, Heard } from './audience.ts'
import type { EarWishes, HeardAt } from './ear.ts'
import { monotonicMs, quantile, residentOctets, threadSeconds } from './measure.ts'
import type { BenchRow, Goal } from './row.ts'

export interface ActiveChoice {
  /** Changes a second. */
  readonly changes: readonly number[]
  /** Requestors that are told of each. */
  readonly requestors: readonly number[]
  /** For how long. */
  readonly seconds: number
}

/** Messages a second that are asked of the daemon at most; what it is to make of a core's time, for 1,000 requestors. */
const MOST_DELIVERIES = { plain: 1_000_000, TLS: 300_000 }
/** Goals at 10,000 changes a second, by the number of requestors. */
const P99_MS: Readonly<Record<number, number>> = { 1: 5, 100: 25 }
/** Changes go round so many bindings, so that each is told before it changes again. */
const BINDINGS = 65_536
const QUIET_MS = 500
const FLOOD_RATE = 10_000
const flooded = {
  4: Uint8Array.of(10, 64, 0, 0),
  6: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
}
const host = { 4: '127.0.0.1', 6: '::1' } as const

type Way = keyof typeof MOST_DELIVERIES

/** DHCPv4 in clear text, and DHCPv6 over TLS, where messages may be joined. */
export async function run(choice: ActiveChoice): Promise<BenchRow[]> {
  return [...(await measure(4, 'plain', choice)), ...(await measure(6, 'TLS', choice))]
}

async function measure(family: Family, way: Way, choice: ActiveChoice): Promise<BenchRow[]> {
  using authority = new Authority()
  const server = authority.issue({ purpose: 'serverAuth' })
  const client = authority.issue({ purpose: 'clientAuth' })
  await using daemon = new Daemon([family])
  using core = startHook(daemon, family, { ringEvents: 1_000_000, ringOctets: 512 << 20 })
  core.setService(
    serviceJson(family, {
      advanced: { 'active-query-enabled': true, 'max-requester-connections': 2_000 },
      tls:
        way === 'TLS'
          ? { 'trust-anchor': authority.certFile, 'cert-file': server.certFile, 'key-file': server.keyFile }
          : { mode: 'off' },
    }),
  )
  // For floods; those that are changed one by one, and timed, lie below.
  core.generate({ count: BINDINGS, first: flooded[family], storedRelay: true })
  await daemon.start('--log-level', 'info')
  const { port } = (await daemon.logged('listener.started')) as unknown as { port: number }
  await daemon.logged('feed.reconciled')

  const rows: BenchRow[] = []
  const add = (name: string, value: number, unit: string, goal?: Goal): void => {
    rows.push({ name: `v${family} ${way}, ${name}`, value, unit, ...(goal && { goal }) })
  }
  const place: Place = {
    family,
    host: host[family],
    port,
    ...(way === 'TLS' ? { tls: { ca: authority.cert, cert: client.cert, key: client.key } } : {}),
  }
  await using stopwatch = await Stopwatch.connect(place, core)
  for (const company of choice.requestors) {
    const idle = residentOctets(daemon.pid)
    await using audience = company > 1 ? await gather(place, company - 1) : undefined
    if (company >= 1_000)
      add('an idle requestor takes', (residentOctets(daemon.pid) - idle) / (company - 1), 'octets')
    for (const rate of choice.changes) {
      if (rate * company > MOST_DELIVERIES[way]) continue
      const delays = await stopwatch.delays(rate, choice.seconds)
      const name = `${rate} changes/s to ${company} requestor${company === 1 ? '' : 's'}: change to socket`
      for (const [what, share] of Object.entries(QUANTILES)) {
        const wanted = what === 'p99' && rate === 10_000 ? P99_MS[company] : undefined
        add(
          `${name}, ${what}`,
          quantile(delays, share),
          'ms',
          wanted === undefined ? undefined : { atMost: wanted },
        )
      }
    }
    if (audience !== undefined) {
      const { byCore, byClock, grown } = await flood(daemon.pid, core, audience, choice.seconds)
      add(
        `messages to ${company} requestors, as many as go, by one core`,
        byCore,
        '1/s',
        company === 1_000 ? { atLeast: MOST_DELIVERIES[way] } : undefined,
      )
      add(`messages to ${company} requestors, as many as go, by the clock`, byClock, '1/s')
      add(`memory that it takes meanwhile`, grown / 2 ** 20, 'MiB')
    }
  }
  return rows
}

const QUANTILES = { median: 0.5, p99: 0.99, 'p99.9': 0.999 }

type Place = Pick<AudienceWishes, 'family' | 'host' | 'port' | 'tls'>

/** As many changes as go, for some seconds. */
async function flood(pid: number, core: HookCore, audience: Listener<Heard>, during: number) {
  const churned = core.churn({ changes: FLOOD_RATE * (during + 2), rate: FLOOD_RATE })
  await sleep(1_000)
  const resident = residentOctets(pid)
  const before = await audience.heard()
  const cpu = threadSeconds(pid)
  const began = performance.now()
  await sleep(1_000 * during)
  const messages = (await audience.heard()).messages - before.messages
  const seconds = (performance.now() - began) / 1000
  const byCore = messages / (threadSeconds(pid) - cpu)
  const grown = residentOctets(pid) - resident
  await churned
  return { byCore, byClock: messages / seconds, grown }
}

/** Requestors in another process, which tells what they heard when it is asked. */
class Listener<Heard> implements AsyncDisposable {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Returns when all of its requestors are answered. */
  static async start<Heard>(program: string, wishes: object): Promise<Listener<Heard>> {
    const child = fork(compiled(program), [JSON.stringify(wishes)])
    const ended = once(child, 'exit').then(() => Promise.reject(new Error(`${program} has ended`)))
    await Promise.race([once(child, 'message'), ended])
    ended.catch(() => {})
    return new Listener(child)
  }

  async heard(): Promise<Heard> {
    this.#child.send('')
    return (await once(this.#child, 'message'))[0] as Heard
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.disconnect()
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
  }
}

function gather(place: Place, count: number): Promise<Listener<Heard>> {
  const query = Buffer.from(encodeActiveQuery({ family: place.family, xid: 7 })).toString('hex')
  const wishes: AudienceWishes = { ...place, count, query }
  return Listener.start('test/bench/audience.ts', wishes)
}

/**
 * Takes the time from the tap to the socket of a requestor, which is a process of its own. Changes come out in the order in
 * which they were made, one message for each, since each is of another binding.
 */
class Stopwatch implements AsyncDisposable {
  readonly #ear: Listener<HeardAt>
  readonly #core: HookCore
  readonly #family: Family
  #made: number[] = []
  #count = 0

  private constructor(ear: Listener<HeardAt>, core: HookCore, family: Family) {
    this.#ear = ear
    this.#core = core
    this.#family = family
  }

  static async connect(place: Place, core: HookCore): Promise<Stopwatch> {
    const { family } = place
    const query = Buffer.from(encodeActiveQuery({ family, xid: 1 })).toString('hex')
    const wishes: EarWishes = { ...place, query }
    return new Stopwatch(await Listener.start('test/bench/ear.ts', wishes), core, family)
  }

  /** Milliseconds of each change, of so many a second. */
  async delays(rate: number, seconds: number): Promise<number[]> {
    await this.#quiet()
    this.#made = []
    const changes = rate * seconds
    const began = performance.now()
    while (this.#made.length < changes) {
      const due = Math.min(changes, Math.ceil(((performance.now() - began) * rate) / 1000))
      while (this.#made.length < due) this.#change()
      await sleep(1)
    }
    const delays: number[] = []
    await waitFor('each change to be told', async () => {
      for (const [at, messages] of await this.#ear.heard())
        for (let i = 0; i < messages; i++) delays.push(at - this.#made[delays.length]!)
      return delays.length >= changes
    })
    return delays
  }

  /** What was changed before has been told. */
  async #quiet(): Promise<void> {
    do await sleep(QUIET_MS)
    while ((await this.#ear.heard()).length > 0)
  }

  #change(): void {
    const n = this.#count++
    const client = n % BINDINGS
    const address =
      this.#family === 4 ? `10.0.${client >>> 8}.${client & 255}` : `2001:db8::${client.toString(16)}`
    // Never what the store has already: that would be no change.
    const validLifetime = 7200 + (Math.floor(n / BINDINGS) % 2)
    this.#made.push(monotonicMs())
    this.#core.put(lease(address, client, { validLifetime }), byClient)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#ear[Symbol.asyncDispose]()
  }
}
