// What requestors see of the daemon, which is a process of its own: how long a Bulk query waits for its first message, how
// fast a download of everything goes, and how long a change takes to an Active requestor, alone and beside such downloads.
import { connect, type Socket } from 'node:net'
import type { Family } from '../../sidecar/binding.ts'
import { ActiveRequestor } from '../../sidecar/requestor/active-requestor.ts'
import { encodeBulkQuery } from '../../sidecar/requestor/bulk-client.ts'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { byClient, Daemon, lease, startHook } from '../support/daemon.ts'
import type { HookCore } from '../support/hook-core.ts'
import { serviceJson } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'
import { type Answer, keepReading, type Place, readOften } from './bulk/reader.ts'
import { generatedSubnets } from './generated.ts'
import { median, quantile } from './measure.ts'
import type { BenchRow } from './row.ts'

const FIRSTS = 20
const DOWNLOADS = 3
/** Changes watched, one after the other, in each of the rounds with and without downloads. */
const CHANGES = 200
const ROUNDS = 4
const host = { 4: '127.0.0.1', 6: '::1' } as const

/**
 * @param bindings how many the store holds
 * @param changes how many are watched, see {@link CHANGES}
 */
export async function run(
  bindings: number,
  {
    families = [4, 6],
    changes = CHANGES,
  }: { readonly families?: readonly Family[]; readonly changes?: number },
): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const family of families) rows.push(...(await measure(family, bindings, changes)))
  return rows
}

async function measure(family: Family, bindings: number, changes: number): Promise<BenchRow[]> {
  await using daemon = new Daemon([family])
  // Room for all changes: one that leaves the ring before it is followed comes by a walk.
  using core = startHook(daemon, family, { pageShare: 1, ringEvents: 2 * bindings, ringOctets: 1 << 30 })
  core.generate({ count: bindings, storedRelay: true })
  core.setService(
    serviceJson(family, { advanced: { 'active-query-enabled': true, 'bulk-query-enabled': true } }),
  )
  core.setConfig({ subnets: generatedSubnets(family, bindings) })
  await daemon.start('--log-level', 'info')
  const { port } = (await daemon.logged('listener.started')) as unknown as { port: number }
  await daemon.logged('feed.reconciled')

  const rows: BenchRow[] = []
  const add = (
    name: string,
    value: number,
    unit: string,
    beside: Pick<BenchRow, 'goal' | 'than'> = {},
  ): void => {
    rows.push({ name: `v${family}, ${name}`, value, unit, ...beside })
  }
  const place: Place = { family, host: host[family], port }
  const everything = encodeBulkQuery({ family, xid: 2, select: { by: 'all' } })
  const firsts = await firstsOf(place, everything)
  add('Bulk, everything: query to first message, median', median(firsts), 'ms')
  add('Bulk, everything: query to first message, longest', Math.max(...firsts), 'ms', {
    goal: { atMost: 100 },
  })
  const downloads = await readOften(place, everything, { times: DOWNLOADS })
  for (const { messages } of downloads) {
    if (messages < bindings) throw new Error(`${bindings} bindings made only ${messages} messages`)
  }
  const bulkRate = median(downloads.map(rateOf))
  add('Bulk, everything', bulkRate, 'messages/s')
  add('Bulk, everything', median(downloads.map(({ octets, allMs }) => octets / allMs / 1000)), 'MB/s')

  const since = await baseTimeOf(place)
  await core.churn({ changes: bindings, inOrder: true })
  const { lastSeq } = core.status()
  const applied = () =>
    core.status().followers.some(({ appliedSeq, state }) => appliedSeq === lastSeq && state === 'following')
  await waitFor('the changes to be followed', applied, 600_000)
  const back = encodeActiveQuery({ family, xid: 3, since })
  const backFirsts = await firstsOf(place, back)
  add('Active after an absence: query to first message, median', median(backFirsts), 'ms')
  add('Active after an absence: query to first message, longest', Math.max(...backFirsts), 'ms', {
    goal: { atMost: 50 },
  })
  const caughtUp = await readOften(place, back, { times: DOWNLOADS, until: 'caught-up' })
  add(
    'Active after an absence: bindings that had changed',
    median(caughtUp.map(({ messages }) => messages)),
    '',
  )
  const backRate = median(caughtUp.map(rateOf))
  add('Active after an absence: caught up', backRate, 'messages/s', {
    than: { name: 'a Bulk download of everything', ratio: backRate / bulkRate },
  })

  const alone: number[] = []
  const beside: number[] = []
  await using watcher = await Watcher.connect(family, port, core)
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(...(await watcher.delays(changes)))
    using _download = keepReading(place, everything)
    beside.push(...(await watcher.delays(changes)))
  }
  for (const [name, of] of [
    ['median', median],
    ['p99', (all: number[]) => quantile(all, 0.99)],
  ] as const) {
    add(`Active, change in the hook to requestor, ${name}`, of(alone), 'ms')
    const ratio = of(beside) / of(alone)
    add(`Active beside a Bulk download of everything, ${name}`, of(beside), 'ms', {
      than: { name: 'without it', ratio, goal: { atMost: 2 } },
    })
  }
  return rows
}

/** The present second of the daemon's clock, which stands behind while much waits for the disk. */
async function baseTimeOf(place: Place): Promise<number> {
  const requestor = await ActiveRequestor.connect(place)
  try {
    const accepted = await requestor.until(({ type }) => type === 'accepted')
    if (accepted.type !== 'accepted' || accepted.baseTime === undefined) throw new Error('no base-time came')
    return accepted.baseTime
  } finally {
    requestor.close()
  }
}

/** Milliseconds from query to first octets, of each. */
async function firstsOf(place: Place, query: Uint8Array): Promise<number[]> {
  const answers = await readOften(place, query, { times: FIRSTS, first: true })
  return answers.map(({ firstMs }) => firstMs)
}

/** A requestor that takes the time from a change to the message that tells of it; one change at a time. */
class Watcher implements AsyncDisposable {
  readonly #socket: Socket
  readonly #core: HookCore
  readonly #family: Family
  #told: (() => void) | undefined
  #changes = 0

  private constructor(socket: Socket, core: HookCore, family: Family) {
    this.#socket = socket
    this.#core = core
    this.#family = family
    socket.on('data', () => this.#told?.())
  }

  static async connect(family: Family, port: number, core: HookCore): Promise<Watcher> {
    const socket = connect({ host: host[family], port, noDelay: true })
    const watcher = new Watcher(socket, core, family)
    // The first answer says that the query was accepted.
    await watcher.#answer(() => socket.write(encodeActiveQuery({ family, xid: 1 })))
    return watcher
  }

  /** Milliseconds from tap to socket. */
  async delays(changes: number): Promise<number[]> {
    const delays: number[] = []
    for (let i = 0; i < changes; i++) {
      // Not in step with any timer of the daemon's.
      await new Promise((resolve) => setTimeout(resolve, 3 + Math.random() * 10))
      const began = performance.now()
      await this.#answer(() => this.#change())
      delays.push(performance.now() - began)
    }
    return delays
  }

  #change(): void {
    const address = this.#family === 4 ? '10.0.0.77' : '2001:db8::77'
    // Never what the store has already: that would be no change.
    const validLifetime = 3600 + (this.#changes++ % 2)
    this.#core.put(lease(address, 77, { validLifetime }), byClient)
  }

  #answer(ask: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('a change was not told within 30 s')), 30_000)
      this.#told = () => {
        clearTimeout(late)
        this.#told = undefined
        resolve()
      }
      ask()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy()
  }
}

function rateOf({ messages, allMs }: Answer): number {
  return (1000 * messages) / allMs
}
