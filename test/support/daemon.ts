/** The daemon as a process beside a hook core in this one: no Kea, no laboratory. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Family } from '../../sidecar/binding.ts'
import { ActiveRequestor, type ActiveRequestorOptions } from '../../sidecar/requestor/active-requestor.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { HookCore, type HookCoreSettings, HookOrigin } from './hook-core.ts'
import { compiled } from './package-root.ts'
import { serviceJson } from './requestor-service.ts'
import { GiveUp, waitFor } from './wait.ts'

export interface DaemonLine {
  readonly event: string
  readonly [field: string]: unknown
}

export interface DaemonSurroundings {
  /** What starts it, and becomes it: unshare and its arguments... */
  readonly prefix?: readonly string[]
  /** Another build of the daemon. */
  readonly program?: string
  readonly env?: NodeJS.ProcessEnv
  /** Of another daemon, or on another disk; in its own folder unless given. */
  readonly stateDir?: string
  /** Milliseconds in which it is to log what is waited for; half a minute unless given. */
  readonly patience?: number
}

const loopback = { 4: '127.0.0.1', 6: '::1' } as const

export class Daemon {
  readonly folder = mkdtempSync(join(tmpdir(), 'alq-daemon-'))
  readonly families: readonly Family[]
  readonly flags: readonly string[]
  readonly #surroundings: DaemonSurroundings
  #child!: ChildProcess
  #output = ''
  #errors = ''
  readonly #requestors: ActiveRequestor[] = []

  /** @param flags in addition; `--listen` on loopback, any port, unless given */
  constructor(
    families: readonly Family[] = [4],
    flags?: readonly string[],
    surroundings: DaemonSurroundings = {},
  ) {
    this.families = families
    this.#surroundings = surroundings
    this.flags = flags ?? families.flatMap((family) => ['--listen', `dhcp${family}=${hostOf(family)}:0`])
  }

  endpoint(family: Family): string {
    return `ipc://${this.folder}/dhcp${family}`
  }

  get stateDir(): string {
    return this.#surroundings.stateDir ?? join(this.folder, 'state')
  }

  /** Starts it, or starts it anew with the same state; returns when it says that it runs. */
  async start(...more: string[]): Promise<this> {
    this.#output = ''
    this.#errors = ''
    const feeds = this.families.flatMap((family) => ['--feed', `dhcp${family}=${this.endpoint(family)}`])
    const level = more.includes('--log-level') ? [] : ['--log-level', 'debug']
    const flags = [...this.flags, ...more]
    const argv = [...feeds, '--state-dir', this.stateDir, ...level, ...operationsFlags(flags), ...flags]
    const { prefix = [], program = compiled('sidecar/main.ts'), env } = this.#surroundings
    const [command, ...words] = [...prefix, process.execPath, '--enable-source-maps', program, ...argv]
    const child = spawn(command!, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    this.#child = child
    child.stdout!.on('data', (data) => {
      this.#output += data
    })
    child.stderr!.on('data', (data) => {
      this.#errors += data
    })
    await this.logged('daemon.started')
    return this
  }

  get errors(): string {
    return this.#errors
  }

  get pid(): number {
    return this.#child.pid!
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  lines(): DaemonLine[] {
    return this.#output
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as DaemonLine)
  }

  logged(event: string, matches: Readonly<Record<string, unknown>> = {}): Promise<DaemonLine> {
    return waitFor(
      `the daemon to log ${event}`,
      () => {
        const found = this.lines().find(
          (line) =>
            line.event === event && Object.entries(matches).every(([name, value]) => line[name] === value),
        )
        if (found === undefined && this.#child !== undefined && !this.running) {
          throw new GiveUp(
            `the daemon ended before it logged ${event}: ${this.#errors}${this.#output.slice(-2000)}`,
          )
        }
        return found
      },
      this.#surroundings.patience,
    )
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** How it ended: exit code, or the signal that killed it. */
  async ended(): Promise<number | NodeJS.Signals> {
    if (this.running) await once(this.#child, 'exit')
    return this.#child.exitCode ?? this.#child.signalCode!
  }

  async connect(family: Family, options: Partial<ActiveRequestorOptions> = {}): Promise<ActiveRequestor> {
    const { port } = (await this.logged('listener.started', { family })) as unknown as { port: number }
    const requestor = await ActiveRequestor.connect({ family, host: loopback[family], port, ...options })
    this.#requestors.push(requestor)
    return requestor
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const requestor of this.#requestors) requestor.close()
    if (this.#child !== undefined && this.running) {
      this.kill('SIGKILL')
      await this.ended()
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Daemons of one machine each have a status page of their own. */
export function operationsFlags(flags: readonly string[]): readonly string[] {
  return flags.includes('--metrics') ? [] : ['--metrics', '127.0.0.1:0']
}

function hostOf(family: Family): string {
  return family === 4 ? '127.0.0.1' : '[::1]'
}

export const keaDuid = Uint8Array.of(0, 3, 0, 1, 2, 0, 0x5e, 0, 0, 1)

/** A hook core at the daemon's endpoint, started, that wants everybody on loopback served. */
export function startHook(daemon: Daemon, family: Family, changed: Partial<HookCoreSettings> = {}): HookCore {
  const core = new HookCore({
    family,
    endpoint: daemon.endpoint(family),
    identity: {
      keaVersion: '3.0.0',
      ...(family === 4 ? { serverIdentifiers: [Uint8Array.of(192, 0, 2, 1)] } : { serverDuid: keaDuid }),
    },
    ...changed,
  })
  core.setService(serviceJson(family))
  core.start()
  return core
}

export function lease(address: string, client: number, changed: object = {}) {
  const octets = parseAddress(address)!
  const id = Uint8Array.of(client >>> 16, client >>> 8, client)
  return {
    address: octets,
    validLifetime: 3600,
    preferredLifetime: octets.length === 16 ? 1800 : 0,
    cltt: Math.floor(Date.now() / 1000),
    subnetId: 1,
    hardwareType: 1,
    hardwareAddress: Uint8Array.of(2, 0, 0x5e, ...id),
    clientId: octets.length === 16 ? Uint8Array.of(0, 3, 0, 1, 2, 0, 0x5e, ...id) : Uint8Array.of(1, ...id),
    ...changed,
  }
}

export const byClient = { origin: HookOrigin.client }
