/** DHCP clients in a laboratory: perfdhcp, many at once, and dhclient, one that behaves like a host. */

import { readFileSync } from 'node:fs'
import { interfaces, type Laboratory } from './laboratory.ts'
import type { Process } from './processes.ts'
import type { KeaRoot } from './roots.ts'
import { GiveUp, waitFor } from './wait.ts'

export interface Load {
  /** New clients a second. */
  readonly rate: number
  /** How many different clients there are (MAC address, DUID). */
  readonly clients: number
  /** Ends after so many exchanges begun, and so many seconds; at least one of the two must be given. */
  readonly exchanges?: number
  readonly seconds?: number
  /** Renewals and releases a second. */
  readonly renewals?: number
  readonly releases?: number
  /** v6: what is asked for; both unless given. */
  readonly leases?: 'address-only' | 'prefix-only' | 'address-and-prefix'
  /** More of perfdhcp's switches. */
  readonly flags?: readonly string[]
}

/** One kind of exchange, e.g. DISCOVER-OFFER. */
export interface Exchange {
  readonly sent: number
  readonly received: number
  readonly drops: number
  /** Milliseconds; undefined where nothing was received. */
  readonly averageDelay: number | undefined
  readonly longestDelay: number | undefined
}

export interface LoadResult {
  /** By perfdhcp's names: DISCOVER-OFFER, REQUEST-ACK, SOLICIT-ADVERTISE, REQUEST-REPLY, RENEW-REPLY, RELEASE-REPLY... */
  readonly exchanges: Readonly<Record<string, Exchange>>
  readonly text: string
}

/**
 * Runs perfdhcp to its end.
 * @throws CommandError when it fails otherwise than by lost packets (those are in the result)
 */
export async function perfdhcp(
  lab: Laboratory,
  root: KeaRoot,
  family: 4 | 6,
  load: Load,
): Promise<LoadResult> {
  const numbers = [
    ['-r', Math.round(load.rate)],
    ['-R', load.clients],
    ['-n', load.exchanges],
    ['-p', load.seconds],
    ['-f', load.renewals],
    ['-F', load.releases],
  ] as const
  const command = [
    'perfdhcp',
    `-${family}`,
    ...numbers.flatMap(([flag, value]) => (value === undefined ? [] : [flag, String(value)])),
    ...(family === 6 ? ['-e', load.leases ?? 'address-and-prefix'] : []),
    // Microseconds it waits for outstanding answers before it ends; by itself it leaves the last ones unread.
    '-W',
    '500000',
    ...(load.flags ?? []),
    '-l',
    interfaces.client,
  ]
  // 3: some exchanges were not completed.
  return parsePerfdhcp(await lab.run('client', command, { root, codes: [0, 3] }))
}

/** Reads perfdhcp's closing statistics. */
export function parsePerfdhcp(text: string): LoadResult {
  const exchanges: Record<string, Exchange> = {}
  for (const section of text.split('***Statistics for: ').slice(1)) {
    const name = /^[A-Z-]+/.exec(section)?.[0]
    const value = (label: string) => {
      const found = new RegExp(`^${label}: *([0-9.]+)`, 'm').exec(section)
      return found ? Number(found[1]) : undefined
    }
    if (!name) throw new Error(`perfdhcp's output names no exchange: ${section.slice(0, 80)}`)
    exchanges[name] = {
      sent: value('sent packets') ?? 0,
      received: value('received packets') ?? 0,
      drops: value('drops') ?? 0,
      averageDelay: value('avg delay'),
      longestDelay: value('max delay'),
    }
  }
  return { exchanges, text }
}

/** One host on the client side, with the interface's own MAC address. It never touches the interface. */
export class Dhclient {
  readonly family: 4 | 6
  readonly #lab: Laboratory
  readonly #root: KeaRoot
  readonly #name: string
  #process: Process | undefined

  constructor(lab: Laboratory, root: KeaRoot, family: 4 | 6) {
    this.family = family
    this.#lab = lab
    this.#root = root
    this.#name = lab.unique(`dhclient${family}`)
  }

  /**
   * Starts it and waits until it has its lease; from then on it renews by itself (T1 from the server). Started again
   * after abandon(), it comes as a host after a reboot: INIT-REBOOT in v4, Confirm in v6.
   */
  async acquire(): Promise<void> {
    const child = this.#lab.start(this.#lab.unique(this.#name), this.#command(['-d', '-1']))
    this.#process = child
    const done = this.family === 4 ? /bound to / : /Reply message on .* received|RCV: Reply/
    await waitFor(`dhclient -${this.family} to have a lease`, () => {
      if (child.exit)
        throw new GiveUp(`dhclient -${this.family} ended without a lease:\n${child.outputTail()}`)
      return done.test(child.output()) && this.leaseText().includes('lease')
    })
  }

  /** What dhclient said since acquire(): DHCPREQUEST, DHCPACK, XMT: Renew, RCV: Reply... */
  log(): string {
    return this.#process?.output() ?? ''
  }

  /** Its own record of its leases. */
  leaseText(): string {
    try {
      return readFileSync(this.#lab.path(`${this.#name}.leases`), 'utf8')
    } catch {
      return ''
    }
  }

  /** Gives the lease back, and ends. */
  async release(): Promise<void> {
    await this.abandon()
    await this.#lab.run('client', this.#words(['-r', '-1']), { root: this.#root })
  }

  /** Ends without telling the server, as a host that is switched off. */
  async abandon(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.#process?.exited
    this.#process = undefined
  }

  #command(flags: readonly string[]): string[] {
    return this.#lab.inRoot('client', this.#root, this.#words(flags))
  }

  #words(flags: readonly string[]): string[] {
    const file = (extension: string) => this.#lab.path(`${this.#name}.${extension}`)
    const kind = this.family === 4 ? ['-4'] : ['-6', '-N', '-P']
    const places = ['-sf', '/bin/true', '-cf', '/dev/null', '-lf', file('leases'), '-pf', file('pid')]
    return ['dhclient', ...kind, '-v', ...flags, ...places, interfaces.client]
  }
}
