/** The requestor of the benchmark, in C so that the server is the limit, and the ceiling beside it. */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Family } from '../../../sidecar/binding.ts'
import { MessageType4 } from '../../../sidecar/wire/v4/messages.ts'
import { MessageType6 } from '../../../sidecar/wire/v6/messages.ts'
import { packagePath } from '../../support/package-root.ts'

const execute = promisify(execFile)

/** What the reader prints. */
export interface Answer {
  readonly firstMs: number
  readonly allMs: number
  /** The last one counted too. */
  readonly messages: number
  readonly octets: number
  /** Of the reader itself. */
  readonly cpuMs: number
  /** With TLS: records that hold other than one whole message. */
  readonly recordsNotOne: number
}

export interface Place {
  readonly family: Family
  readonly host: string
  readonly port: number
}

export interface ReaderOptions {
  /** The command line that runs another one in a namespace. */
  readonly within?: (command: readonly string[]) => string[]
  readonly saveTo?: string
  /** Certificate of the authority, file with the own certificate and key, and the message that asks for TLS. */
  readonly tls?: { readonly ca: string; readonly own: string; readonly start: Uint8Array }
  /** How often it is asked, on a connection each; once unless given. */
  readonly times?: number
  /** It leaves after the first octets. */
  readonly first?: true
  /** The answer ends with CatchUpComplete; without it with LEASEQUERY-DONE, as Bulk's does. */
  readonly until?: 'caught-up'
}

export async function read(place: Place, query: Uint8Array, options: ReaderOptions = {}): Promise<Answer> {
  return (await readOften(place, query, options))[0]!
}

export async function readOften(
  place: Place,
  query: Uint8Array,
  options: ReaderOptions,
): Promise<readonly Answer[]> {
  const [file, ...rest] = commandLine(place, query, options)
  const { stdout } = await execute(file!, rest)
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Answer)
}

/** Asks again and again until it is disposed of. */
export function keepReading(place: Place, query: Uint8Array): Disposable {
  const [file, ...rest] = commandLine(place, query, { times: 0 })
  const child = spawn(file!, rest, { stdio: ['ignore', 'ignore', 'inherit'] })
  return { [Symbol.dispose]: () => void child.kill() }
}

function commandLine(place: Place, query: Uint8Array, options: ReaderOptions): string[] {
  const { within = (command) => [...command], saveTo, tls, times = 1, first, until } = options
  const { leasequeryDone } = place.family === 4 ? MessageType4 : MessageType6
  const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex')
  const flags = [
    ...['-n', `${times}`],
    ...(first ? ['-f'] : []),
    ...(saveTo === undefined ? [] : ['-s', saveTo]),
    ...(tls === undefined ? [] : ['-c', tls.ca, '-k', tls.own, '-g', hex(tls.start)]),
  ]
  const words = [place.host, `${place.port}`, hex(query), until ?? `${leasequeryDone}`]
  return within([compiledC('reader', ['-lssl', '-lcrypto']), ...flags, ...words])
}

/** A server on 127.0.0.1 that sends the octets of a file to whoever asks. */
export async function serveFile(path: string): Promise<{ port: number } & Disposable> {
  const child = spawn(compiledC('sendfile'), [path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { port: Number(line), [Symbol.dispose]: () => void child.kill() }
}

/** Compiles a program of this folder where it is newer than what was made of it. */
function compiledC(name: string, libraries: readonly string[] = []): string {
  const source = packagePath('test', 'bench', 'bulk', `${name}.c`)
  const built = packagePath('build', 'bench', name)
  if (!existsSync(built) || statSync(built).mtimeMs < statSync(source).mtimeMs) {
    mkdirSync(packagePath('build', 'bench'), { recursive: true })
    execFileSync('gcc', ['-O2', '-Wall', '-o', built, source, ...libraries])
  }
  return built
}
