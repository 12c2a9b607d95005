/**
 * Child processes that never outlive us. Each is ended by its id when its owner closes; if this process dies without
 * closing anything, the kernel ends them (parent-death signal).
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const alive = new Set<Process>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** A running child whose output goes to a file. */
export class Process {
  /** What it is, for messages. */
  readonly what: string
  /** The process id: of the program itself, since everything before it in the command line only replaces itself. */
  readonly pid: number
  /** Settles when the process has ended. */
  readonly exited: Promise<Exit>
  /** How it ended; undefined while it runs. */
  exit: Exit | undefined
  readonly #child: ChildProcess
  readonly #output: string

  /**
   * @param command program and arguments
   * @param output file that gets both output streams, appended
   */
  constructor(
    what: string,
    command: readonly string[],
    output: string,
    env: NodeJS.ProcessEnv = process.env,
  ) {
    const file = openSync(output, 'a')
    const [program, ...rest] = ['setpriv', '--pdeathsig', 'KILL', '--', ...command]
    const child = spawn(program!, rest, { stdio: ['ignore', file, file], env })
    closeSync(file)
    this.what = what
    this.pid = child.pid ?? 0
    this.#child = child
    this.#output = output
    alive.add(this)
    this.exited = new Promise((resolve, reject) => {
      child.once('error', (error) => {
        alive.delete(this)
        reject(new Error(`${what} did not start: ${error.message}`, { cause: error }))
      })
      child.once('exit', (code, signal) => {
        alive.delete(this)
        this.exit = { code, signal }
        resolve(this.exit)
      })
    })
    this.exited.catch(() => {})
  }

  /** All output so far. */
  output(): string {
    return readFileSync(this.#output, 'utf8')
  }

  /** The end of the output, for failure messages. */
  outputTail(lines = 20): string {
    return this.output().trimEnd().split('\n').slice(-lines).join('\n')
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.exit) this.#child.kill(signal)
  }

  /** Asks it to end, and makes it after `patience` milliseconds. */
  async stop(patience = 10_000): Promise<Exit> {
    this.kill('SIGTERM')
    const timer = setTimeout(() => this.kill('SIGKILL'), patience)
    try {
      return await this.exited
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Thrown by run() for a command that fails: what it was, how it ended, what it said. */
export class CommandError extends Error {}

/**
 * Runs a command to its end.
 * @returns what it wrote, both streams together
 * @throws CommandError unless its exit code is one of `codes`
 */
export function run(command: readonly string[], codes: readonly number[] = [0]): Promise<string> {
  return new Promise((resolve, reject) => {
    const [program, ...rest] = ['setpriv', '--pdeathsig', 'KILL', '--', ...command]
    const child = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
    const parts: Buffer[] = []
    child.stdout.on('data', (part: Buffer) => parts.push(part))
    child.stderr.on('data', (part: Buffer) => parts.push(part))
    child.once('error', reject)
    child.once('close', (code, signal) => {
      const text = Buffer.concat(parts).toString()
      if (code !== null && codes.includes(code)) resolve(text)
      else reject(new CommandError(`${command.join(' ')} ended with ${signal ?? code}:\n${text.trimEnd()}`))
    })
  })
}
