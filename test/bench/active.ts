// What Active Leasequery does under load: how long a change takes from the hook's tap to the requestor at given rates of
// changes, in the company of other requestors; what a requestor costs; how many messages go out at most.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Family } from '../../sidecar/binding.ts'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { openSocket } from '../../sidecar/requestor/open-socket.ts'
import { Authority } from '../support/certificates.ts'
import { byClient, Daemon, lease, startHook } from '../support/daemon.ts'
import type { HookCore } from '../support/hook-core.ts'
import { compiled } from '../support/package-root.ts'
import { serviceJson } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'
import type { AudienceWishes, Heard } from './audience.ts'
import { FrameCounter } from './frame-counter.ts'
import { quantile, residentOctets, threadSeconds } from './measure.ts'
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
    await using audience = await Audience.gather(place, company - 1)
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
    if (company > 1) {
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
async function flood(pid: number, core: HookCore, audience: Audience, during: number) {
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

/** Requestors in another process. */
class Audience implements AsyncDisposable {
  readonly #child: ChildProcess | undefined

  private constructor(child: ChildProcess | undefined) {
    this.#child = child
  }

  static async gather(place: Place, count: number): Promise<Audience> {
    if (count === 0) return new Audience(undefined)
    const query = Buffer.from(encodeActiveQuery({ family: place.family, xid: 7 })).toString('hex')
    const wishes: AudienceWishes = { ...place, count, query }
    const child = fork(compiled('test/bench/audience.ts'), [JSON.stringify(wishes)])
    const ended = once(child, 'exit').then(() => Promise.reject(new Error('the audience has left')))
    await Promise.race([once(child, 'message'), ended])
    ended.catch(() => {})
    return new Audience(child)
  }

  async heard(): Promise<Heard> {
    this.#child!.send('')
    return (await once(this.#child!, 'message'))[0] as Heard
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child === undefined) return
    this.#child.disconnect()
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
  }
}

/**
 * A requestor that takes the time from the tap to its socket. Changes come out in the order in which they were made, one
 * message for each, since each is of another binding.
 */
class Stopwatch implements AsyncDisposable {
  readonly #socket: Socket
  readonly #core: HookCore
  readonly #family: Family
  #made: number[] = []
  #delays: number[] = []
  #count = 0
  #heardAt = performance.now()

  private constructor(socket: Socket, core: HookCore, family: Family) {
    this.#socket = socket
    this.#core = core
    this.#family = family
  }

  static async connect(place: Place, core: HookCore): Promise<Stopwatch> {
    const socket = await openSocket(place, 'without an answer')
    const stopwatch = new Stopwatch(socket, core, place.family)
    await new Promise<void>((resolve) => {
      socket.once('data', () => resolve())
      socket.write(encodeActiveQuery({ family: place.family, xid: 1 }))
    })
    const frames = new FrameCounter()
    socket.on('data', (data) => stopwatch.#heard(frames.ended(data)))
    return stopwatch
  }

  /** Milliseconds of each change, of so many a second. */
  async delays(rate: number, seconds: number): Promise<number[]> {
    await this.#quiet()
    this.#made = []
    this.#delays = []
    const changes = rate * seconds
    const began = performance.now()
    while (this.#made.length < changes) {
      const due = Math.min(changes, Math.ceil(((performance.now() - began) * rate) / 1000))
      while (this.#made.length < due) this.#change()
      await sleep(1)
    }
    await waitFor('each change to be told', () => this.#delays.length >= changes, 60_000)
    return this.#delays
  }

  /** What was changed before has been told. */
  async #quiet(): Promise<void> {
    const nothingSince = () => performance.now() - this.#heardAt
    while (nothingSince() < QUIET_MS) await sleep(QUIET_MS - nothingSince())
  }

  #heard(messages: number): void {
    const now = performance.now()
    this.#heardAt = now
    for (let i = 0; i < messages; i++) {
      const made = this.#made[this.#delays.length]
      if (made !== undefined) this.#delays.push(now - made)
    }
  }

  #change(): void {
    const n = this.#count++
    const client = n % BINDINGS
    const address =
      this.#family === 4 ? `10.0.${client >>> 8}.${client & 255}` : `2001:db8::${client.toString(16)}`
    // Never what the store has already: that would be no change.
    const validLifetime = 7200 + (Math.floor(n / BINDINGS) % 2)
    this.#made.push(performance.now())
    this.#core.put(lease(address, client, { validLifetime }), byClient)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy()
  }
}
