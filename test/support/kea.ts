/** A Kea server in a laboratory: kea-dhcp4 or kea-dhcp6, in its Debian root, in the server namespace. */

import { copyFileSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { basename, join } from 'node:path'
import type { Database } from './database.ts'
import { type ConfigChanges, type JsonObject, keaConfig, keaJson } from './kea-config.ts'
import type { Laboratory } from './laboratory.ts'
import { activeLeases, type LeaseRow, readLeaseFile } from './lease-file.ts'
import type { Exit, Process } from './processes.ts'
import type { KeaRoot } from './roots.ts'
import { GiveUp, waitFor } from './wait.ts'

/** File name of our library, for ConfigChanges.hooks. */
export const feedLibrary = 'libdhcp_lease_feed.so'
/** File name of Kea's lease commands, for ConfigChanges.hooks. */
export const leaseCommands = 'libdhcp_lease_cmds.so'

/** An answer on Kea's control socket. */
export interface Answer {
  /** 0 success, 1 error, 2 unknown command, 3 empty (nothing found). */
  readonly result: number
  readonly text?: string
  readonly arguments?: unknown
}

export interface KeaOptions extends ConfigChanges {
  /** Environment of the server, e.g. libfaketime's: { LD_PRELOAD: ..., FAKETIME: '+1h' }. */
  readonly env?: Readonly<Record<string, string>>
  /**
   * Name of this server in the laboratory; it names the files of its own, so that two servers do not share a lease
   * file, and a server that is started again under the same name finds its leases. Default: kea4 or kea6.
   */
  readonly name?: string
  /** Where its leases are; in a lease file unless given. */
  readonly database?: Database
  /** Paths of more libraries of our own, for `hooks` to name; for the first server of a laboratory only. */
  readonly libraries?: readonly string[]
  /** Command line switches, e.g. -d. */
  readonly flags?: readonly string[]
}

/** Kea refused to start, or ended before it answered. The message has the end of its log. */
export class KeaStartError extends Error {}

export class Kea {
  readonly family: 4 | 6
  readonly root: KeaRoot
  readonly name: string
  /** All paths are the same inside the root and outside. */
  readonly configFile: string
  readonly socketFile: string
  readonly leaseFile: string
  readonly #lab: Laboratory
  readonly #hooks: string
  readonly #options: KeaOptions
  #process!: Process

  private constructor(lab: Laboratory, root: KeaRoot, family: 4 | 6, options: KeaOptions) {
    this.#lab = lab
    this.root = root
    this.family = family
    this.name = options.name ?? `kea${family}`
    this.configFile = lab.path(`${this.name}.conf`)
    this.socketFile = lab.path(`${this.name}.sock`)
    this.leaseFile = lab.path(`${this.name}.csv`)
    this.#options = options
    this.#hooks = hooksFolder(lab, root, options.libraries)
  }

  /**
   * Writes the configuration, starts the server, and waits until it answers on its control socket.
   * @throws KeaStartError when it ends before that
   */
  static async start(lab: Laboratory, root: KeaRoot, family: 4 | 6, options: KeaOptions = {}): Promise<Kea> {
    const kea = new Kea(lab, root, family, options)
    kea.configure(options)
    await kea.#launch()
    return kea
  }

  /**
   * What `kea-dhcp4 -T` (which loads the hooks) says about a configuration.
   * @returns whether Kea accepts it, and all it printed
   */
  static async check(
    lab: Laboratory,
    root: KeaRoot,
    family: 4 | 6,
    options: KeaOptions = {},
  ): Promise<{ accepted: boolean; text: string }> {
    const kea = new Kea(lab, root, family, { ...options, name: lab.unique(`check${family}`) })
    kea.configure(options)
    const child = lab.start(kea.name, kea.#command('-T'))
    const { code } = await child.exited
    return { accepted: code === 0, text: child.output() }
  }

  /** Starts the server anew after stop() or kill(), with its lease file and its last configuration. */
  async restart(): Promise<void> {
    if (!this.exit) await this.stop()
    await this.#launch()
  }

  async #launch(): Promise<void> {
    const child = this.#lab.start(this.#lab.unique(this.name), this.#command('-c'))
    this.#process = child
    const silent = () => new KeaStartError(`${this} ended before it answered:\n${child.outputTail(30)}`)
    await waitFor(`${this} to answer on its control socket`, async () => {
      if (child.exit) throw new GiveUp()
      return (await this.command('version-get')).result === 0
    }).catch((error: Error) => {
      throw error instanceof GiveUp ? silent() : error
    })
  }

  #command(flag: '-c' | '-T'): string[] {
    const folder = this.#lab.folder
    const env = {
      KEA_LOCKFILE_DIR: 'none',
      KEA_PIDFILE_DIR: folder,
      KEA_CONTROL_SOCKET_DIR: folder,
      KEA_DHCP_DATA_DIR: folder,
      KEA_LOG_FILE_DIR: folder,
      KEA_HOOKS_PATH: this.#hooks,
      ...this.#options.env,
    }
    const server = [
      'env',
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
      `kea-dhcp${this.family}`,
    ]
    return this.#lab.inRoot('server', this.root, [
      ...server,
      ...(this.#options.flags ?? []),
      flag,
      this.configFile,
    ])
  }

  /** Writes the configuration file; a running server learns of it by reload() or hangUp(). */
  configure(changes: ConfigChanges): JsonObject {
    const files = { socket: this.socketFile, leases: this.leaseFile, hooks: this.#hooks }
    const config = keaConfig(this.root.kea, this.family, files, this.#onDatabase(changes))
    writeFileSync(this.configFile, keaJson(config, 2))
    return config
  }

  #onDatabase(changes: ConfigChanges): ConfigChanges {
    const { database } = this.#options
    if (!database) return changes
    return {
      ...changes,
      parameters: { 'lease-database': database.leaseDatabase, ...changes.parameters },
      hooks: [...database.hooks, ...(changes.hooks ?? [])],
    }
  }

  /** Writes the configuration and has the server take it, by config-reload. Returns its answer, also a refusal. */
  async reload(changes: ConfigChanges = this.#options): Promise<Answer> {
    this.configure(changes)
    return this.command('config-reload')
  }

  /** SIGHUP: the other way to reload; nothing says when it is done. */
  hangUp(): void {
    this.kill('SIGHUP')
  }

  /**
   * Sends one command over the control socket.
   * @throws Error when there is no connection, or no answer to the end
   */
  command(name: string, args?: JsonObject): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.socketFile)
      const parts: Buffer[] = []
      socket.setTimeout(60_000, () => socket.destroy(new Error(`${this} gave no answer to ${name} in 60 s`)))
      socket.on('error', reject)
      socket.on('data', (part) => parts.push(part))
      socket.on('end', () => {
        socket.destroy()
        const text = Buffer.concat(parts).toString()
        try {
          resolve(JSON.parse(text) as Answer)
        } catch (cause) {
          reject(new Error(`${this} answered ${name} with no JSON: ${text.slice(0, 200)}`, { cause }))
        }
      })
      socket.write(keaJson(args ? { command: name, arguments: args } : { command: name }))
    })
  }

  /** As command(), but an answer other than success (or "nothing found") is an error. */
  async mustCommand(name: string, args?: JsonObject): Promise<Answer> {
    const answer = await this.command(name, args)
    if (answer.result !== 0 && answer.result !== 3) {
      throw new Error(`${this} refused ${name}: ${answer.text ?? JSON.stringify(answer)}`)
    }
    return answer
  }

  /** Process id of the server itself. */
  get pid(): number {
    return this.#process.pid
  }

  /** How the server ended; undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#process.exit
  }

  /** Settles when the server has ended, however that came about. */
  get exited(): Promise<Exit> {
    return this.#process.exited
  }

  /** Everything it logged since it was (re)started. */
  log(): string {
    return this.#process.output()
  }

  /** Waits for a line in the log. */
  async logged(pattern: RegExp | string): Promise<void> {
    await waitFor(`${this} to log ${pattern}`, () => {
      const log = this.log()
      return typeof pattern === 'string' ? log.includes(pattern) : pattern.test(log)
    })
  }

  /** Sends a signal; SIGKILL is a crash, SIGSTOP and SIGCONT a hang. */
  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Ends the server as an operator would, by SIGTERM. */
  stop(): Promise<Exit> {
    return this.#process.stop()
  }

  /** The newest row of each lease in the lease file. */
  leases(): readonly LeaseRow[] {
    return readLeaseFile(this.leaseFile)
  }

  /** The leases that are in use at `now`, Unix seconds (this machine's clock unless given). */
  activeLeases(now: number = Date.now() / 1000): LeaseRow[] {
    return activeLeases(this.leases(), now)
  }

  /** The same, wherever its leases are. */
  async readActiveLeases(now: number = Date.now() / 1000): Promise<LeaseRow[]> {
    const { database } = this.#options
    return activeLeases(database ? await database.leases(this.family) : this.leases(), now)
  }

  toString(): string {
    return `kea-dhcp${this.family} ${this.root.kea} (${this.name})`
  }
}

/**
 * The one folder that Kea may load libraries from (KEA_HOOKS_PATH): a copy of ours, and links to Kea's own, which
 * lead somewhere only inside the root.
 */
export function hooksFolder(lab: Laboratory, root: KeaRoot, more: readonly string[] = []): string {
  const folder = lab.path(`hooks-${root.name}`)
  if (existsSync(folder)) return folder
  mkdirSync(folder)
  for (const library of readdirSync(join(root.root, root.stockHooks))) {
    if (library.endsWith('.so')) symlinkSync(join(root.stockHooks, library), join(folder, library))
  }
  const ours = existsSync(root.hook) ? [root.hook, ...more] : more
  for (const library of ours) copyFileSync(library, join(folder, basename(library)))
  return folder
}
