/**
 * One of those that are compared: a Kea in a laboratory of its own, with or without a library and a sidecar. It rests
 * (stopped by SIGSTOP, sidecar and all) while another one has its turn.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { Database, type DatabaseKind } from '../../support/database.ts'
import { Kea, type KeaOptions } from '../../support/kea.ts'
import type { HookLibrary } from '../../support/kea-config.ts'
import { Laboratory } from '../../support/laboratory.ts'
import { writeLeaseFile } from '../../support/made-leases.ts'
import type { KeaRoot } from '../../support/roots.ts'
import { Sidecar } from '../../support/sidecar.ts'
import { cores, pin } from './cores.ts'

export type Family = 4 | 6

/** What all contenders of a comparison have in common. */
export interface Ground {
  readonly root: KeaRoot
  readonly family: Family
  /** Kea's multi-threading. */
  readonly threads: boolean
  /** Leases that are there before the start. */
  readonly leases: number
  readonly database?: DatabaseKind
}

/** What makes a contender different. */
export interface Difference {
  readonly name: string
  readonly hooks?: (lab: Laboratory, family: Family) => readonly HookLibrary[]
  /** More libraries of ours, for hooks to name. */
  readonly libraries?: readonly string[]
  readonly env?: KeaOptions['env']
  /** A sidecar that follows; that is stopped by SIGSTOP once it has followed; that walks all the time. None unless given. */
  readonly sidecar?: 'running' | 'stopped' | 'walking'
}

/** Seconds of processor time: of Kea's own threads, and of those that our library has made. */
export interface CpuSeconds {
  readonly kea: number
  readonly feed: number
}

const MINUTES = 60_000

export class Contender {
  readonly name: string
  readonly ground: Ground
  readonly lab: Laboratory
  readonly kea: Kea
  readonly #difference: Difference
  #sidecar: Sidecar | undefined
  #walksAsked = 1

  private constructor(ground: Ground, difference: Difference, lab: Laboratory, kea: Kea) {
    this.name = difference.name
    this.ground = ground
    this.lab = lab
    this.kea = kea
    this.#difference = difference
  }

  /** Starts it, and lets it rest. */
  static async open(ground: Ground, difference: Difference): Promise<Contender> {
    const lab = await Laboratory.open()
    try {
      const kea = await startKea(lab, ground, difference)
      pin(kea.pid, cores.kea)
      const contender = new Contender(ground, difference, lab, kea)
      await contender.#follow()
      contender.rest()
      return contender
    } catch (error) {
      await lab.close()
      throw error
    }
  }

  async #follow(): Promise<void> {
    const { sidecar } = this.#difference
    if (!sidecar) return
    const { family } = this.ground
    const started = await Sidecar.start(this.lab, { families: [family], logLevel: 'info' })
    pin(started.pid, cores.sidecar)
    this.#sidecar = started
    if (sidecar === 'walking') return
    await started.logged('feed.reconciled', {}, 5 * MINUTES)
  }

  /** Its turn. */
  async work(): Promise<void> {
    this.kea.kill('SIGCONT')
    const { sidecar } = this.#difference
    if (sidecar !== 'stopped') this.#sidecar?.kill('SIGCONT')
    if (sidecar === 'walking' && this.#walks() >= this.#walksAsked) {
      this.#walksAsked = this.#walks() + 1
      await this.kea.mustCommand('lease-feed-resync')
    }
  }

  rest(): void {
    this.kea.kill('SIGSTOP')
    this.#sidecar?.kill('SIGSTOP')
  }

  /** Walks that the sidecar has ended. */
  #walks(): number {
    return this.#sidecar!.log().filter((line) => line.event === 'feed.reconciled').length
  }

  cpuSeconds(): CpuSeconds {
    const sum = { kea: 0, feed: 0 }
    const tasks = `/proc/${this.kea.pid}/task`
    for (const task of readdirSync(tasks)) {
      const whose = /^(lease-feed|ZMQ)/.test(readFileSync(`${tasks}/${task}/comm`, 'utf8')) ? 'feed' : 'kea'
      sum[whose] += Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e9
    }
    return sum
  }

  /** Pages of leases that Kea has read for followers; 0 without the library. While it has its turn. */
  async pages(): Promise<number> {
    if (!this.#sidecar) return 0
    const { arguments: answer } = await this.kea.mustCommand('statistic-get', { name: 'lease-feed.pages' })
    return (answer as { 'lease-feed.pages'?: [number, string][] })['lease-feed.pages']?.[0]?.[0] ?? 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kea.kill('SIGCONT')
    this.#sidecar?.kill('SIGCONT')
    await this.lab.close()
  }
}

async function startKea(lab: Laboratory, ground: Ground, difference: Difference): Promise<Kea> {
  const { root, family, threads, leases } = ground
  const database = ground.database && (await Database.start(lab, root, ground.database))
  if (leases > 0) writeLeaseFile(lab.path(`kea${family}.csv`), family, leases, Math.floor(Date.now() / 1000))
  return Kea.start(lab, root, family, {
    severity: 'WARN',
    parameters: {
      'multi-threading': {
        'enable-multi-threading': threads,
        'thread-pool-size': 2,
        'packet-queue-size': 64,
      },
    },
    // New clients find room at once, however many leases there are.
    subnet: { allocator: 'random' },
    hooks: difference.hooks?.(lab, family) ?? [],
    ...(difference.libraries ? { libraries: difference.libraries } : {}),
    ...(difference.env ? { env: difference.env } : {}),
    ...(database ? { database } : {}),
  })
}
