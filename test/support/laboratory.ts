/**
 * A network of its own for Kea and its clients: two network namespaces joined by a veth pair, and a folder that
 * everybody in it sees under the same path, inside a Debian root or outside. Several laboratories, also of several
 * processes, run side by side. Closing one removes all of it; what a killed run left is removed by the next one.
 *
 *     server namespace  kea0 ===== kea1  client namespace
 */

import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Process, run } from './processes.ts'
import type { KeaRoot } from './roots.ts'

/** Addresses in every laboratory. Kea's subnets in kea-config.ts hold them all. */
export const addresses = {
  server4: '10.0.0.1',
  client4: '10.0.0.2',
  /** More addresses of the client side, for relays (giaddr, sources of relayed messages). */
  relays4: ['10.0.0.3', '10.0.0.4'],
  server6: '2001:db8:1::1',
  client6: '2001:db8:1::2',
  relays6: ['2001:db8:1::3', '2001:db8:1::4'],
} as const

/** The interfaces, each alone in its namespace. */
export const interfaces = { server: 'kea0', client: 'kea1' } as const

export type Side = keyof typeof interfaces

const parent = '/tmp'
const prefix = 'kea-lab-'
const open = new Set<Laboratory>()
let opened = 0

export class Laboratory {
  /** Unique on this machine: prefix, process id, number. */
  readonly name: string
  /** The shared folder, mode 0750 as Kea wants it for its control socket. Short, for the limit on socket paths. */
  readonly folder: string
  readonly namespaces: { readonly [side in Side]: string }
  readonly #processes = new Set<Process>()
  readonly #closers: (() => Promise<void>)[] = []
  #counter = 0

  private constructor(name: string) {
    this.name = name
    this.namespaces = { server: `${name}-server`, client: `${name}-client` }
    this.folder = mkdtempSync(join(parent, `${name}-`))
    chmodSync(this.folder, 0o750)
    writeFileSync(join(this.folder, 'owner'), `${process.pid} ${startTime(process.pid)}\n`)
    mkdirSync(join(this.folder, 'feed'))
    mkdirSync(join(this.folder, 'mount'))
  }

  /** @throws CommandError when the machine allows no namespaces */
  static async open(): Promise<Laboratory> {
    removeLeftovers()
    if (opened === 0) watchSignals()
    const lab = new Laboratory(`${prefix}${process.pid}-${++opened}`)
    open.add(lab)
    try {
      await lab.#connect()
    } catch (error) {
      await lab.close()
      throw error
    }
    return lab
  }

  async #connect(): Promise<void> {
    const { server, client } = this.namespaces
    await run(['ip', 'netns', 'add', server])
    await run(['ip', 'netns', 'add', client])
    await run(
      `ip link add ${interfaces.server} netns ${server} type veth peer name ${interfaces.client} netns ${client}`.split(
        ' ',
      ),
    )
    for (const side of ['server', 'client'] as const) {
      const name = interfaces[side]
      const own = side === 'server' ? [addresses.server4] : [addresses.client4, ...addresses.relays4]
      const own6 = side === 'server' ? [addresses.server6] : [addresses.client6, ...addresses.relays6]
      const batch = [
        'link set lo up',
        `link set ${name} up`,
        ...own.map((address) => `addr add ${address}/8 dev ${name}`),
        ...own6.map((address) => `addr add ${address}/64 dev ${name} nodad`),
      ]
      // Link-local addresses at once, without waiting for duplicate address detection.
      await this.run(side, ['sh', '-c', `echo 0 > /proc/sys/net/ipv6/conf/${name}/accept_dad`])
      const file = join(this.folder, `network-${side}`)
      writeFileSync(file, `${batch.join('\n')}\n`)
      await run(['ip', '-n', this.namespaces[side], '-batch', file])
    }
  }

  /** A path in the shared folder. */
  path(...names: string[]): string {
    return join(this.folder, ...names)
  }

  /** A name that was not given out before: unique('kea4') gives kea4-1, kea4-2... */
  unique(stem: string): string {
    return `${stem}-${++this.#counter}`
  }

  /** ZeroMQ endpoint of the feed in this laboratory. */
  feedEndpoint(family: 4 | 6): string {
    return `ipc://${this.path('feed', `dhcp${family}`)}`
  }

  /** The command line that runs a command in one of the namespaces, outside any root. */
  inNamespace(side: Side, command: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.namespaces[side], ...command]
  }

  /**
   * The command line that runs a command in one of the namespaces and inside a Debian root. The root is seen through
   * an overlay in memory, and that and every other mount is the process's own and goes with it.
   * @param script begins with {@link mountRoot}, and runs the command
   */
  inRoot(side: Side, kea: KeaRoot, command: readonly string[], script = enterRoot): string[] {
    return this.inNamespace(side, this.onHost(kea, command, script))
  }

  /** The same in the machine's own network, where the sidecar is. */
  onHost(kea: KeaRoot, command: readonly string[], script = enterRoot): string[] {
    const enter = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'enter-root']
    return [...enter, kea.root, this.path('mount'), this.folder, ...command]
  }

  /** Runs a command to its end in a namespace, inside a root if one is given. See run() in processes.ts. */
  run(
    side: Side,
    command: readonly string[],
    options: { root?: KeaRoot; codes?: readonly number[] } = {},
  ): Promise<string> {
    const line = options.root ? this.inRoot(side, options.root, command) : this.inNamespace(side, command)
    return run(line, options.codes)
  }

  /** Starts a process that ends with the laboratory at the latest. Its output goes to <name>.log in the folder. */
  start(name: string, command: readonly string[], env?: NodeJS.ProcessEnv): Process {
    const child = new Process(name, command, this.path(`${name}.log`), env)
    this.#processes.add(child)
    child.exited.finally(() => this.#processes.delete(child)).catch(() => {})
    return child
  }

  /** Something to be closed before the processes are ended; last come, first closed. */
  onClose(closer: () => Promise<void>): void {
    this.#closers.push(closer)
  }

  /** Ends all processes and removes namespaces and folder. Idempotent. */
  async close(): Promise<void> {
    if (!open.has(this)) return
    for (const closer of this.#closers.splice(0).reverse()) await closer()
    await Promise.allSettled([...this.#processes].map((child) => child.stop()))
    this.removeNow()
  }

  /** What close() does when there is no time left: synchronous, and the processes get no chance to say goodbye. */
  removeNow(): void {
    if (!open.delete(this)) return
    for (const child of this.#processes) child.kill('SIGKILL')
    for (const namespace of Object.values(this.namespaces)) removeNamespace(namespace)
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** sh: $1 root, $2 mount point, $3 shared folder, then the command. Leaves the root at $at/root, and the command in $@. */
export const mountRoot = `
set -e
root=$1 at=$2 shared=$3
shift 3
mount -t tmpfs -o mode=755 tmpfs "$at"
mkdir "$at/upper" "$at/work" "$at/root"
mount -t overlay -o "lowerdir=$root,upperdir=$at/upper,workdir=$at/work" overlay "$at/root"
mount -t proc proc "$at/root/proc"
mkdir -p "$at/root$shared"
mount --bind "$shared" "$at/root$shared"
`

/** Each step replaces or serves the same process. */
const enterRoot = `${mountRoot}
exec chroot "$at/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"
`

process.on('exit', () => {
  for (const lab of open) lab.removeNow()
})

/** A signal ends the process as it would have, but through exit, so that nothing stays behind. */
function watchSignals(): void {
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const) {
    process.once(signal, () => process.exit(128 + number))
  }
}

function removeNamespace(name: string): void {
  try {
    execFileSync('ip', ['netns', 'del', name], { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (error) {
    if (!String((error as { stderr?: Buffer }).stderr).includes('No such file')) throw error
  }
}

/** Removes what runs left that were killed: their folders and namespaces. Their processes died with them. */
export function removeLeftovers(): void {
  for (const entry of readdirSync(parent).filter((name) => name.startsWith(prefix))) {
    const folder = join(parent, entry)
    const owner = ownerOf(folder)
    if (owner && !isRunning(owner.pid, owner.started)) rmSync(folder, { recursive: true, force: true })
  }
  // Folders are made before namespaces and removed after them: a namespace that was there, and then has no folder, is
  // nobody's. (Asked in the other order, it may be one that another process has made just now.)
  const namespaces = listNamespaces().filter((name) => name.startsWith(prefix))
  const taken = new Set(readdirSync(parent).map((entry) => entry.split('-').slice(0, 4).join('-')))
  for (const namespace of namespaces) {
    if (!taken.has(namespace.split('-').slice(0, 4).join('-'))) removeNamespace(namespace)
  }
}

/** The named network namespaces of this machine. */
export function listNamespaces(): string[] {
  try {
    return readdirSync('/run/netns')
  } catch {
    return []
  }
}

function ownerOf(folder: string): { pid: number; started: string } | undefined {
  try {
    const [pid, started] = readFileSync(join(folder, 'owner'), 'utf8').trim().split(' ')
    return { pid: Number(pid), started: started ?? '' }
  } catch {
    // Made a moment ago, or cut off before its owner was written: then it is old enough to tell.
    const age = Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    return age > 60_000 ? { pid: 0, started: '' } : undefined
  }
}

function isRunning(pid: number, started: string): boolean {
  try {
    return startTime(pid) === started
  } catch {
    return false
  }
}

/** When a process began, in clock ticks since boot: with its id, it names a process for good. */
function startTime(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!
}
