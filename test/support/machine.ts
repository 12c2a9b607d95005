/** A Debian machine of its own in a laboratory: nothing is on it but the base, and packages are installed as by a user. */

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Laboratory, Side } from './laboratory.ts'
import { packagePath } from './package-root.ts'
import { type Process, run } from './processes.ts'
import { mayBeMissing, rootsFolder } from './roots.ts'
import { waitFor } from './wait.ts'

export interface Debian {
  readonly name: string
  /** The clean root that test/setup/package-roots.sh has made. Never written to: see Machine. */
  readonly folder: string
  /** Folder of its packages in build/packages. */
  readonly packages: string
  /** What apt installs Kea from, where it is not the release itself. */
  readonly release?: string
  readonly kea: '2.6' | '3.0'
  /** For node:test: false, or why it is skipped (only under --allow-missing). */
  readonly skip: false | string
}

/** Each Debian that packages are built for. @throws Error where one is missing and nobody allowed that */
export function debians(): Debian[] {
  return [
    describe(
      'Debian 13, Kea 3.0 of its backports',
      'clean-trixie',
      'trixie-backports',
      '3.0',
      'trixie-backports',
    ),
    describe('Debian 13, Kea 2.6', 'clean-trixie', 'trixie', '2.6'),
    describe('Debian testing', 'clean-testing', 'testing', '3.0'),
  ]
}

function describe(
  name: string,
  root: string,
  packages: string,
  kea: '2.6' | '3.0',
  release?: string,
): Debian {
  const folder = join(rootsFolder, root)
  const missing = [join(folder, '.stamp'), packagePath('build', 'packages', packages, 'Packages')].find(
    (path) => !existsSync(path),
  )
  const skip = missing === undefined ? false : mayBeMissing(`there is no ${missing}`)
  return { name, folder, packages, kea, skip, ...(release === undefined ? {} : { release }) }
}

export class Machine {
  readonly #lab: Laboratory
  readonly #holder: Process

  private constructor(lab: Laboratory, holder: Process) {
    this.#lab = lab
    this.#holder = holder
  }

  /**
   * Starts it: what is written goes to an overlay in memory, which ends with the laboratory.
   * @param root folder of the clean root
   */
  static async start(lab: Laboratory, root: string): Promise<Machine> {
    const ready = lab.path('machine-ready')
    const script = ['sh', '-c', makeMachine, 'make-machine', root, lab.path('mount'), lab.folder, ready]
    const unshare = ['unshare', '--mount', '--propagation', 'private']
    const holder = lab.start('machine', lab.inNamespace('server', [...unshare, ...script]))
    await waitFor('the machine to be mounted', () => {
      if (holder.exit) throw new Error(`it ended: ${holder.output()}`)
      return existsSync(ready)
    })
    return new Machine(lab, holder)
  }

  /** The command line that runs a command on it, with the network of one side of the laboratory. */
  command(command: readonly string[], side: Side = 'server'): string[] {
    return [
      'nsenter',
      `--mount=/proc/${this.#holder.pid}/ns/mnt`,
      `--net=/run/netns/${this.#lab.namespaces[side]}`,
      '--',
      'chroot',
      this.#lab.path('mount', 'root'),
      ...'env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive'.split(
        ' ',
      ),
      ...command,
    ]
  }

  /** Runs a command to its end. See run() in processes.ts. */
  run(command: readonly string[], options: { side?: Side; codes?: readonly number[] } = {}): Promise<string> {
    return run(this.command(command, options.side), options.codes)
  }

  sh(script: string): Promise<string> {
    return this.run(['sh', '-euc', script])
  }

  /** Starts a process that ends with the laboratory at the latest. */
  start(name: string, command: readonly string[], side?: Side): Process {
    return this.#lab.start(this.#lab.unique(name), this.command(command, side))
  }

  /** As a unit starts it: under a user of its own, with the capabilities that the unit names. */
  startAs(user: string, capabilities: string, name: string, command: readonly string[]): Process {
    const identity = [`--reuid=${user}`, `--regid=${user}`, '--init-groups']
    const rights = [`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`]
    return this.start(name, ['setpriv', ...identity, ...rights, ...command])
  }

  async write(path: string, text: string): Promise<void> {
    const shared = this.#lab.path('handed-over')
    writeFileSync(shared, text)
    await this.run(['install', '-D', '-m', '644', shared, path])
  }

  read(path: string): Promise<string> {
    return this.run(['cat', path])
  }

  /** Makes apt know a folder of packages, which the machine must see: one in the laboratory. */
  async addRepository(name: string, folder: string): Promise<void> {
    const list = join('/etc/apt/sources.list.d', `${name}.list`)
    await this.write(list, `deb [trusted=yes] file:${folder} ./\n`)
    const only = [`Dir::Etc::sourcelist=${list}`, 'Dir::Etc::sourceparts=-', 'APT::Get::List-Cleanup=0']
    await this.run(['apt-get', 'update', ...only.flatMap((option) => ['-o', option])])
  }

  /** What it depends on comes from apt's archives, which the root brings along: there is no network. */
  apt(...words: string[]): Promise<string> {
    return this.run(['apt-get', '-y', '--no-install-recommends', ...words])
  }
}

/** sh -c: $1 root, $2 mount point, $3 shared folder, $4 file that says that all is mounted. It stays, and holds the mounts. */
const makeMachine = `
set -e
mount -t tmpfs -o mode=755 tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
mount -t proc proc "$2/root/proc"
mkdir -p "$2/root$3"
mount --bind "$3" "$2/root$3"
touch "$4"
exec sleep infinity
`
