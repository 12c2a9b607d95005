// The Debian packages at work on a machine of their own: installed by apt, configured as README.md says, run as units run them.
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after } from 'node:test'
import { Authority } from '../support/certificates.ts'
import { perfdhcp } from '../support/clients.ts'
import { blocks, documents } from '../support/documents.ts'
import { type JsonObject, keaConfig, keaJson } from '../support/kea-config.ts'
import { interfaces, Laboratory } from '../support/laboratory.ts'
import { type Debian, Machine } from '../support/machine.ts'
import { packagePath } from '../support/package-root.ts'
import type { Process } from '../support/processes.ts'
import { mainKea } from '../support/roots.ts'
import type { LogLine } from '../support/sidecar.ts'
import { GiveUp, waitFor } from '../support/wait.ts'

export type Family = 4 | 6
export const families: readonly Family[] = [4, 6]

export const hook = 'kea-lease-feed-hook'
export const sidecar = 'kea-leasequery'

/** Where the block in README.md has the service listen, with the requestor's own address beside it. */
export const hosts = { 4: '192.0.2.53', 6: '2001:db8::53' } as const
const requestors = { 4: '192.0.2.1', 6: '2001:db8::1' } as const
const networks = { 4: '192.0.2.0/24', 6: '2001:db8::/32' } as const

const authority = new Authority()
after(() => authority[Symbol.dispose]())
const server = authority.issue({ names: `IP:${hosts[4]},IP:${hosts[6]}` })
const client = authority.issue({ names: 'DNS:bng1.example.net' })

/** What README.md tells operators to put into kea.conf; for DHCPv6 changed as it says there. */
export function documentedBlock(family: Family): JsonObject {
  const block = blocks(documents.readme).find(({ text }) => text.includes('"hooks-libraries"'))!.text
  const text =
    family === 4
      ? block
      : block
          .replaceAll('/dhcp4', '/dhcp6')
          .replaceAll(hosts[4], hosts[6])
          .replaceAll(networks[4], networks[6])
  return JSON.parse(`{${text}}`) as JsonObject
}

/** A package unpacked, changed by `change`, and packed again: a release that nobody has made. @returns its file */
export function repack(file: string, into: string, change: (folder: string) => void): string {
  const folder = mkdtempSync(join(into, 'repack-'))
  try {
    execFileSync('dpkg-deb', ['-R', file, folder])
    change(folder)
    return execFileSync('dpkg-deb', ['-Zgzip', '-z1', '--root-owner-group', '-b', folder, into], {
      encoding: 'utf8',
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export function changeFile(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8')
  if (!text.includes(from)) throw new Error(`${file} has no ${from}`)
  writeFileSync(file, text.replaceAll(from, to))
}

const localProfile = (family: Family) => `/etc/apparmor.d/local/usr.sbin.kea-dhcp${family}`

export class Site {
  readonly lab: Laboratory
  readonly debian: Debian
  readonly machine: Machine
  readonly #keas = new Map<Family, Process>()
  sidecar!: Process

  private constructor(lab: Laboratory, debian: Debian, machine: Machine) {
    this.lab = lab
    this.debian = debian
    this.machine = machine
  }

  /** A machine whose two Keas are installed, and nothing of ours. */
  static async open(debian: Debian): Promise<Site> {
    const lab = await Laboratory.open()
    try {
      for (const [side, addresses] of [
        ['server', hosts],
        ['client', requestors],
      ] as const) {
        const add = ['ip', 'addr', 'add', 'dev', interfaces[side]]
        await lab.run(side, [...add, `${addresses[4]}/24`])
        await lab.run(side, [...add, `${addresses[6]}/64`, 'nodad'])
      }
      const machine = await Machine.start(lab, debian.folder)
      const release = debian.release === undefined ? [] : ['-t', debian.release]
      await machine.apt('install', ...release, 'kea-dhcp4-server', 'kea-dhcp6-server')
      return new Site(lab, debian, machine)
    } catch (error) {
      await lab.close()
      throw error
    }
  }

  /** The packages as `npm run package` left them, copied to where the machine sees them. */
  copyPackages(): string[] {
    const from = packagePath('build', 'packages', this.debian.packages)
    const folder = this.repository('packages')
    return readdirSync(from)
      .filter((file) => file.endsWith('.deb'))
      .map((file) => {
        copyFileSync(join(from, file), join(folder, file))
        return join(folder, file)
      })
  }

  repository(name: string): string {
    const folder = this.lab.path(name)
    mkdirSync(folder, { recursive: true })
    return folder
  }

  /** Makes apt know a folder of packages. */
  async offer(name: string): Promise<void> {
    const folder = this.repository(name)
    const index = execFileSync('dpkg-scanpackages', ['--multiversion', '.'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    writeFileSync(join(folder, 'Packages'), index)
    await this.machine.addRepository(name, folder)
  }

  async installed(name: string): Promise<string | undefined> {
    const text = await this.machine.run(
      ['dpkg-query', '-W', '-f', `\${db:Status-Status} \${Version}`, name],
      {
        codes: [0, 1],
      },
    )
    const [status, version] = text.split(' ')
    return status === 'installed' ? version : undefined
  }

  /** kea.conf with the documented block, or without; certificates where the block names them. */
  async configure(withBlock = true): Promise<void> {
    const { machine } = this
    for (const family of families) {
      const name = `kea${family}`
      const files = {
        socket: `/run/kea/${name}-ctrl-socket`,
        leases: `/var/lib/kea/kea-leases${family}.csv`,
        hooks: '',
      }
      const parameters = withBlock ? documentedBlock(family) : {}
      const config = keaConfig(this.debian.kea, family, files, { parameters })
      await machine.write(`/etc/kea/kea-dhcp${family}.conf`, keaJson(config, 2))
    }
    await machine.write('/etc/kea-leasequery/ca.pem', authority.cert)
    await machine.write('/etc/kea-leasequery/server.pem', server.cert)
    await machine.write('/etc/kea-leasequery/server.key', server.key)
    await machine.sh(
      'chown kea-leasequery: /etc/kea-leasequery/server.key; chmod 400 /etc/kea-leasequery/server.key',
    )
    for (const [name, text] of [
      ['ca.pem', authority.cert],
      ['me.pem', client.cert],
      ['me.key', client.key],
    ] as const) {
      await machine.write(`/root/${name}`, text)
    }
  }

  /** As kea-dhcp4-server.service starts it, up to what systemd makes for it. */
  async #launchKea(family: Family): Promise<Process> {
    const folders = '/run/kea /run/lock/kea /var/lib/kea /var/log/kea'
    await this.machine.sh(`install -d -m 750 -o _kea -g _kea ${folders}`)
    const server = ['env', 'KEA_LOCKFILE_DIR=/run/lock/kea', `kea-dhcp${family}`]
    const command = [...server, '-c', `/etc/kea/kea-dhcp${family}.conf`]
    return this.machine.startAs('_kea', '+net_bind_service,+net_raw', `kea${family}`, command)
  }

  /** Starts it, or starts it anew, and waits until it serves. */
  async startKea(family: Family): Promise<void> {
    await this.#keas.get(family)?.stop()
    this.#keas.set(family, await this.#launchKea(family))
    await this.#keaSays(family, `DHCP${family}_STARTED`, 1)
  }

  /** Stops it and tries to start it anew. @returns what it says when it does not */
  async failToStartKea(family: Family): Promise<string> {
    await this.#keas.get(family)!.stop()
    const kea = await this.#launchKea(family)
    const { code } = await kea.exited
    if (code === 0) throw new Error(`kea-dhcp${family} ended in order: ${kea.outputTail()}`)
    return kea.output()
  }

  /** Has it read its configuration anew, and waits until it has. */
  async reloadKea(family: Family): Promise<void> {
    const words = `DHCP${family}_DYNAMIC_RECONFIGURATION_SUCCESS`
    const kea = this.#keas.get(family)!
    const before = kea.output().split(words).length - 1
    kea.kill('SIGHUP')
    await this.#keaSays(family, words, before + 1)
  }

  /** Waits until it has logged words so many times since it was started. */
  #keaSays(family: Family, words: string, times: number): Promise<boolean> {
    const kea = this.#keas.get(family)!
    return waitFor(`kea-dhcp${family} to say ${words}`, () => {
      if (kea.exit) throw new GiveUp(`kea-dhcp${family} ended: ${kea.outputTail()}`)
      if (kea.output().split(words).length > times) return true
      throw new Error(kea.outputTail(5))
    })
  }

  /** What apt says when it does not do it. */
  async refused(...words: string[]): Promise<string> {
    try {
      await this.machine.apt(...words)
    } catch (error) {
      return (error as Error).message
    }
    throw new Error(`apt-get ${words.join(' ')} should have been refused`)
  }

  /** What the host adds to AppArmor's profile of a server. */
  localProfile(family: Family): Promise<string> {
    return this.machine.read(localProfile(family))
  }

  writeLocalProfile(family: Family, text: string): Promise<void> {
    return this.machine.write(localProfile(family), text)
  }

  /** As kea-leasequery.service starts it, up to what systemd makes for it. */
  async startSidecar(): Promise<void> {
    await this.machine.sh('install -d -m 700 -o kea-leasequery -g kea-leasequery /var/lib/kea-leasequery')
    this.sidecar = this.machine.startAs(sidecar, '+net_bind_service', sidecar, ['kea-leasequery'])
    await this.logged('daemon.started')
  }

  logged(event: string, family?: Family, from = 0): Promise<LogLine> {
    return waitFor(`the sidecar to log ${event}`, () => {
      const lines = this.log().slice(from)
      const found = lines.find(
        (line) => line.event === event && (family === undefined || line['family'] === family),
      )
      if (!found && this.sidecar.exit) throw new Error(`it ended: ${this.sidecar.outputTail()}`)
      return found
    })
  }

  log(): LogLine[] {
    return this.sidecar
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as LogLine)
  }

  /** The packaged requestor, on the client's side of the network. */
  leasequery(command: string, family: Family, ...more: string[]): string[] {
    const tls = ['--tls-ca', '/root/ca.pem', '--tls-cert', '/root/me.pem', '--tls-key', '/root/me.key']
    return ['leasequery', command, hosts[family], ...tls, ...more]
  }

  /** Waits until `leasequery check` says that all is well. @returns what it prints */
  check(family: Family): Promise<string> {
    return waitFor(
      `leasequery check ${hosts[family]}`,
      () => this.machine.run(this.leasequery('check', family), { side: 'client' }),
      60_000,
    )
  }

  watch(family: Family, ...more: string[]): Watch {
    return new Watch(
      this.machine.start(`watch${family}`, this.leasequery('watch', family, '--json', ...more), 'client'),
    )
  }

  /** So many clients that were not there before get an address. */
  async lease(family: Family, clients: number, first: number): Promise<void> {
    const octets = first.toString(16).padStart(2, '0')
    const flags =
      family === 4
        ? ['-b', `mac=00:0c:01:${octets}:00:00`]
        : ['-b', `duid=000300010203${octets}050000`, '-b', `mac=00:0c:01:${octets}:00:00`]
    const load = { rate: 20, clients, exchanges: clients, leases: 'address-only' as const, flags }
    await perfdhcp(this.lab, mainKea(), family, load)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab.close()
  }
}

/** leasequery watch --json */
export class Watch {
  readonly #process: Process

  constructor(process: Process) {
    this.#process = process
  }

  events(): { event: string; address?: string; 'resume-point': number | null }[] {
    return this.#process
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line))
  }

  addresses(): Set<string> {
    return new Set(this.events().flatMap(({ event, address }) => (event === 'binding' ? [address!] : [])))
  }

  saw(event: string): Promise<boolean> {
    return waitFor(`the requestor to be told ${event}`, () => {
      if (this.#process.exit) throw new Error(`it ended: ${this.#process.outputTail()}`)
      return this.events().some((line) => line.event === event)
    })
  }

  /** Waits until it has been told of so many addresses. */
  knows(count: number): Promise<boolean> {
    return waitFor(`the requestor to be told of ${count} addresses`, () => this.addresses().size >= count)
  }

  /** The start time with which a later requestor misses nothing. */
  get resumePoint(): number {
    return this.events().findLast((line) => line['resume-point'] !== null)!['resume-point']!
  }

  get over(): Promise<unknown> {
    return this.#process.exited
  }
}
