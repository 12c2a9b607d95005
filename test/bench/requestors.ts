// What requestors see of the daemon, which is a process of its own: how long a Bulk query waits for its first message, how
// fast a download of everything goes, and how long a change takes to an Active requestor, alone and beside such downloads.
import { execFile, spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { promisify } from 'node:util'
import type { Family } from '../../sidecar/binding.ts'
import { encodeBulkQuery } from '../../sidecar/requestor/bulk-client.ts'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { MessageType4 } from '../../sidecar/wire/v4/messages.ts'
import { MessageType6 } from '../../sidecar/wire/v6/messages.ts'
import { byClient, Daemon, lease, startHook } from '../support/daemon.ts'
import type { HookCore } from '../support/hook-core.ts'
import { compiled } from '../support/package-root.ts'
import { serviceJson } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'
import type { Drained } from './drain.ts'
import { median, quantile } from './measure.ts'
import type { BenchRow } from './row.ts'

const execute = promisify(execFile)
const FIRSTS = 20
const DOWNLOADS = 3
/** Changes watched, one after the other, in each of the rounds with and without downloads. */
const CHANGES = 200
const ROUNDS = 4
const host = { 4: '127.0.0.1', 6: '::1' } as const

/** @param bindings how many the store holds */
export async function run(bindings: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const family of [4, 6] as const) rows.push(...(await measure(family, bindings)))
  return rows
}

async function measure(family: Family, bindings: number): Promise<BenchRow[]> {
  await using daemon = new Daemon([family])
  using core = startHook(daemon, family, { pageShare: 1 })
  core.generate({ count: bindings, storedRelay: true })
  core.setService(
    serviceJson(family, { advanced: { 'active-query-enabled': true, 'bulk-query-enabled': true } }),
  )
  core.setConfig({ subnets: subnets(family, bindings) })
  await daemon.start('--log-level', 'info')
  const { port } = (await daemon.logged('listener.started')) as unknown as { port: number }
  await daemon.logged('feed.reconciled')

  const rows: BenchRow[] = []
  const add = (name: string, value: number, unit: string, than?: BenchRow['than']): void => {
    rows.push({ name: `v${family}, ${name}`, value, unit, ...(than && { than }) })
  }
  const everything = everythingOf(family)
  const firsts = (await drain(family, port, FIRSTS, everything, 'first')).map(({ firstMs }) => firstMs)
  add('Bulk, everything: query to first message, median', median(firsts), 'ms')
  add('Bulk, everything: query to first message, longest', Math.max(...firsts), 'ms')
  const downloads = await drain(family, port, DOWNLOADS, everything)
  for (const { messages } of downloads) {
    if (messages < bindings) throw new Error(`${bindings} bindings made only ${messages} messages`)
  }
  add('Bulk, everything', median(downloads.map(rateOf)), 'messages/s')
  add('Bulk, everything', median(downloads.map(({ octets, allMs }) => octets / allMs / 1000)), 'MB/s')

  const since = Math.floor(Date.now() / 1000)
  await core.churn({ changes: bindings })
  const { lastSeq } = core.status()
  const applied = () => core.status().followers.some(({ appliedSeq }) => appliedSeq === lastSeq)
  await waitFor('the changes to be followed', applied, 600_000)
  const back = catchUpOf(family, since)
  const backFirsts = (await drain(family, port, FIRSTS, back, 'first')).map(({ firstMs }) => firstMs)
  add('Active after an absence: query to first message, median', median(backFirsts), 'ms')
  add('Active after an absence: query to first message, longest', Math.max(...backFirsts), 'ms')
  const caughtUp = await drain(family, port, DOWNLOADS, back)
  add(
    'Active after an absence: bindings that had changed',
    median(caughtUp.map(({ messages }) => messages)),
    '',
  )
  add('Active after an absence: caught up', median(caughtUp.map(rateOf)), 'messages/s')

  const alone: number[] = []
  const beside: number[] = []
  await using watcher = await Watcher.connect(family, port, core)
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(...(await watcher.delays(CHANGES)))
    const download = spawn(process.execPath, drainArguments(family, port, 0, everything), { stdio: 'ignore' })
    try {
      beside.push(...(await watcher.delays(CHANGES)))
    } finally {
      download.kill()
    }
  }
  for (const [name, of] of [
    ['median', median],
    ['p99', (all: number[]) => quantile(all, 0.99)],
  ] as const) {
    add(`Active, change in the hook to requestor, ${name}`, of(alone), 'ms')
    const ratio = of(beside) / of(alone)
    add(`Active beside a Bulk download of everything, ${name}`, of(beside), 'ms', {
      name: 'without it',
      ratio,
    })
  }
  return rows
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

/** What is asked, in hexadecimal, and what ends the answer. */
interface Asked {
  readonly query: string
  readonly end: string
}

function everythingOf(family: Family): Asked {
  const { leasequeryDone } = family === 4 ? MessageType4 : MessageType6
  return { query: hex(encodeBulkQuery({ family, xid: 2, select: { by: 'all' } })), end: `${leasequeryDone}` }
}

function catchUpOf(family: Family, since: number): Asked {
  return { query: hex(encodeActiveQuery({ family, xid: 3, since })), end: 'caught-up' }
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex')
}

function rateOf({ messages, allMs }: Drained): number {
  return (1000 * messages) / allMs
}

function drainArguments(family: Family, port: number, times: number, asked: Asked, stop = ''): string[] {
  return [compiled('test/bench/drain.ts'), host[family], `${port}`, asked.query, asked.end, `${times}`, stop]
}

async function drain(
  family: Family,
  port: number,
  times: number,
  asked: Asked,
  stop?: 'first',
): Promise<Drained[]> {
  const argv = drainArguments(family, port, times, asked, stop)
  const { stdout } = await execute(process.execPath, argv)
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Drained)
}

/** The subnets of generated leases: 65,536 addresses each from 10.0.0.0 or 2001:db8:: on. */
function subnets(family: Family, bindings: number) {
  return Array.from({ length: Math.ceil(bindings / 65_536) }, (_, i) => {
    const prefix = Buffer.from(family === 4 ? '0a000000' : '20010db8000000000000000000000000', 'hex')
    if (family === 4) prefix[1] = i
    else prefix.writeUInt16BE(i, 12)
    const last = Buffer.from(prefix)
    last.writeUInt16BE(0xffff, last.length - 2)
    return { id: 1 + i, prefix, prefixLength: family === 4 ? 16 : 112, pools: [{ first: prefix, last }] }
  })
}
