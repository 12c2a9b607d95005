// A thousand peers that mean harm, from a thousand addresses, and one that is permitted but floods: an honest requestor
// still gets each change, and the daemon's memory stays where it was.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { FoldedBindings } from '../../sidecar/requestor/active-requestor.ts'
import { Authority } from '../support/certificates.ts'
import { byClient, Daemon, lease, startHook } from '../support/daemon.ts'
import { compiled } from '../support/package-root.ts'
import { serviceJson } from '../support/requestor-service.ts'

const SECONDS = 60
/** What a busy machine may make of one second. */
const GENEROUS_MS = 10_000
const MAX_GROWTH = 256 * 1024 * 1024

class Peers {
  readonly #child: ChildProcess
  #output = ''

  constructor(port: number, count: number, ...certificate: string[]) {
    const words = [
      compiled('test/support/hostile-peers-main.ts'),
      String(port),
      String(count),
      ...certificate,
    ]
    this.#child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child.stdout!.on('data', (data) => {
      this.#output += data
    })
  }

  get counts(): { opened: number; ended: number; octets: number } {
    const line = this.#output.trimEnd().split('\n').at(-1)
    return line === undefined || line === '' ? { opened: 0, ended: 0, octets: 0 } : JSON.parse(line)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
  }
}

const memoryOf = (pid: number) =>
  1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])

/** Changes one by one for so long; each has to arrive. @returns milliseconds from Kea to the requestor, sorted */
async function latencies(
  requestor: { until(where: () => boolean, fold: FoldedBindings): Promise<unknown> },
  put: (address: string, n: number) => void,
  seconds: number,
): Promise<number[]> {
  const fold = new FoldedBindings()
  const took: number[] = []
  const until = performance.now() + 1000 * seconds
  for (let n = 1; performance.now() < until; n++) {
    const address = `10.1.${n >> 8}.${n & 255}`
    const began = performance.now()
    put(address, n)
    await requestor.until(() => fold.active.has(address), fold)
    took.push(performance.now() - began)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return took.sort((a, b) => a - b)
}

function summary(took: readonly number[]): string {
  const at = (share: number) => Math.round(took[Math.min(took.length - 1, Math.floor(share * took.length))]!)
  return `${took.length} changes, ms from Kea to the requestor: median ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)}`
}

async function served(
  work: (served: {
    daemon: Daemon
    port: number
    pid: number
    authority: Authority
    honest: Awaited<ReturnType<Daemon['connect']>>
    put: (address: string, n: number) => void
  }) => Promise<void>,
): Promise<void> {
  using authority = new Authority()
  const server = authority.issue()
  const { cert, key } = authority.issue({ names: 'DNS:honest.example.net', purpose: 'clientAuth' })
  await using daemon = await new Daemon([4]).start()
  using core = startHook(daemon, 4)
  const service = {
    requesters: [
      { certificate: 'honest.example.net' },
      { certificate: 'flood.example.net', 'max-connections': 4 },
    ],
    advanced: { 'active-query-enabled': true, 'bulk-query-enabled': true },
    tls: {
      mode: 'required',
      'trust-anchor': authority.certFile,
      'cert-file': server.certFile,
      'key-file': server.keyFile,
    },
  }
  core.setService(serviceJson(4, service))
  await daemon.logged('tls.loaded')
  const { port } = (await daemon.logged('listener.started')) as unknown as { port: number }
  await daemon.logged('feed.reconciled')
  const { pid } = (await daemon.logged('daemon.started')) as unknown as { pid: number }
  const honest = await daemon.connect(4, { tls: { ca: authority.cert, cert, key } })
  await honest.until(({ type }) => type === 'accepted')
  const put = (address: string, n: number) => core.put(lease(address, n), byClient)
  await work({ daemon, port, pid, authority, honest, put })
}

test('RFC 7724 section 9: a thousand hostile connections keep no change from an honest requestor, nor fill memory', async (t) => {
  await served(async ({ daemon, port, pid, authority, honest, put }) => {
    const quiet = await latencies(honest, put, 3)
    const before = memoryOf(pid)
    await using peers = new Peers(port, 1000)
    const took = await latencies(honest, put, SECONDS)
    const after = memoryOf(pid)
    const { opened, ended } = peers.counts
    // A newcomer gets in as well: those who wait for TLS make room.
    const second = authority.issue({ names: 'DNS:honest.example.net', purpose: 'clientAuth' })
    const began = performance.now()
    let attempts = 0
    for (;;) {
      attempts++
      try {
        const late = await daemon.connect(4, {
          tls: { ca: authority.cert, cert: second.cert, key: second.key },
        })
        await late.until(({ type }) => type === 'accepted')
        break
      } catch (error) {
        if (attempts >= 50) throw error
      }
    }
    t.diagnostic(`quiet: ${summary(quiet)}`)
    t.diagnostic(`under attack: ${summary(took)}; ${opened} connections opened, ${ended} ended`)
    t.diagnostic(
      `memory ${before >> 20} MB, then ${after >> 20} MB; a newcomer was in after ${attempts} attempts and ${Math.round(performance.now() - began)} ms`,
    )
    assert.ok(opened > 1000, `${opened} connections were opened`)
    assert.ok(took.at(-1)! < GENEROUS_MS, summary(took))
    assert.ok(after - before < MAX_GROWTH, `${after - before} octets`)
    const lines = daemon.lines().length
    assert.ok(lines < 40 * (SECONDS + 30), `${lines} lines of log`)
  })
})

test('a flood of queries from one permitted requestor leaves others served', async (t) => {
  await served(async ({ port, pid, authority, honest, put }) => {
    for (let n = 0; n < 20_000; n++) put(`10.2.${n >> 8}.${n & 255}`, 100_000 + n)
    const told = new FoldedBindings()
    await honest.until(() => told.active.size === 20_000, told)
    const flooder = authority.issue({ names: 'DNS:flood.example.net', purpose: 'clientAuth' })
    const before = memoryOf(pid)
    await using peers = new Peers(port, 8, flooder.certFile, flooder.keyFile)
    const took = await latencies(honest, put, 20)
    const after = memoryOf(pid)
    t.diagnostic(
      `${summary(took)}; ${peers.counts.octets >> 20} MB answered to the flood; memory ${before >> 20}, then ${after >> 20} MB`,
    )
    assert.ok(peers.counts.octets > 1024 * 1024, `${peers.counts.octets} octets were answered`)
    assert.ok(took.at(-1)! < GENEROUS_MS, summary(took))
    assert.ok(after - before < MAX_GROWTH, `${after - before} octets`)
  })
})
