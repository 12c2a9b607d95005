/** The daemon in a laboratory: outside the roots, on the machine's own Node, as an operator would run it. */

import { operationsFlags } from './daemon.ts'
import type { Laboratory, Side } from './laboratory.ts'
import { compiled } from './package-root.ts'
import type { Exit, Process } from './processes.ts'
import { GiveUp, waitFor } from './wait.ts'

/** A line of its log: see sidecar/log.ts for the events and their fields. */
export interface LogLine {
  readonly event: string
  readonly msg: string
  readonly level: number
  readonly [field: string]: unknown
}

export interface SidecarOptions {
  /** Families whose feed it follows; both unless given. */
  readonly families?: readonly (4 | 6)[]
  /** Feed endpoints other than the laboratory's own. */
  readonly feeds?: { readonly 4?: string; readonly 6?: string }
  /** Folder of its state; <laboratory>/state unless given. */
  readonly stateDir?: string
  readonly logLevel?: 'trace' | 'debug' | 'info' | 'warn' | 'error'
  /** More flags: --listen, --require-tls... */
  readonly flags?: readonly string[]
  /** Flags for node itself, e.g. --max-old-space-size. */
  readonly nodeFlags?: readonly string[]
  /** Network namespace it runs in; the machine's own unless given. */
  readonly side?: Side
  /** Environment in addition to ours. */
  readonly env?: NodeJS.ProcessEnv
  /** What starts it, and becomes it: nsenter and its arguments... */
  readonly prefix?: readonly string[]
  /** Another build of the daemon; ours unless given. */
  readonly program?: string
}

export class Sidecar {
  readonly stateDir: string
  readonly #lab: Laboratory
  readonly #options: SidecarOptions
  #process!: Process

  private constructor(lab: Laboratory, options: SidecarOptions) {
    this.#lab = lab
    this.#options = options
    this.stateDir = options.stateDir ?? lab.path('state')
  }

  /**
   * Starts the daemon and waits until it says so. Feed and listeners come later: wait for their log lines.
   * @throws Error with the end of its output when it ends before that
   */
  static async start(lab: Laboratory, options: SidecarOptions = {}): Promise<Sidecar> {
    const sidecar = new Sidecar(lab, options)
    await sidecar.restart()
    return sidecar
  }

  /** Starts it anew, with the same state folder; a running one is stopped first. */
  async restart(): Promise<void> {
    if (this.#process && !this.exit) await this.stop()
    this.#process = this.#lab.start(this.#lab.unique('sidecar'), this.#command(), {
      ...process.env,
      ...this.#options.env,
    })
    await this.logged('daemon.started')
  }

  #command(): string[] {
    const {
      families = [4, 6],
      feeds = {},
      logLevel = 'debug',
      flags = [],
      nodeFlags = [],
      side,
      prefix = [],
      program: main = compiled('sidecar/main.ts'),
    } = this.#options
    const follow = families.flatMap((family) => [
      '--feed',
      `dhcp${family}=${feeds[family] ?? this.#lab.feedEndpoint(family)}`,
    ])
    const program = [process.execPath, '--enable-source-maps', ...nodeFlags, main]
    const command = [
      ...prefix,
      ...program,
      ...follow,
      '--state-dir',
      this.stateDir,
      '--log-level',
      logLevel,
      ...operationsFlags(flags),
      ...flags,
    ]
    return side ? this.#lab.inNamespace(side, command) : command
  }

  get pid(): number {
    return this.#process.pid
  }

  /** How it ended; undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#process.exit
  }

  get exited(): Promise<Exit> {
    return this.#process.exited
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Ends it in order, by SIGTERM. */
  stop(patience?: number): Promise<Exit> {
    return this.#process.stop(patience)
  }

  /** What it wrote since it was (re)started, lines that are no JSON included. */
  output(): string {
    return this.#process.output()
  }

  /** Its log lines since it was (re)started, oldest first. */
  log(): LogLine[] {
    return this.output()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as LogLine)
  }

  /**
   * Waits for a log line, also one that came before.
   * @param matches what its fields must be, or a function over the line
   */
  logged(
    event: string,
    matches: Readonly<Record<string, unknown>> | ((line: LogLine) => boolean) = {},
    timeout?: number,
  ): Promise<LogLine> {
    const wanted =
      typeof matches === 'function'
        ? matches
        : (line: LogLine) => Object.entries(matches).every(([name, value]) => line[name] === value)
    return waitFor(
      `the sidecar to log ${event}`,
      () => {
        const found = this.log().find((line) => line.event === event && wanted(line))
        if (!found && this.exit) {
          throw new GiveUp(`the sidecar ended before it logged ${event}:\n${this.#process.outputTail()}`)
        }
        return found
      },
      timeout,
    )
  }
}
