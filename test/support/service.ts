/** The whole product in a laboratory: real Keas with the hook, the sidecar beside them, and requestors of it. */

import { createServer } from 'node:net'
import { ActiveRequestor, FoldedBindings } from '../../sidecar/requestor/active-requestor.ts'
import type { RequestorEvent } from '../../sidecar/requestor/events.ts'
import { Database, type DatabaseKind } from './database.ts'
import { feedLibrary, Kea, type KeaOptions, leaseCommands } from './kea.ts'
import type { JsonObject } from './kea-config.ts'
import { Laboratory } from './laboratory.ts'
import type { KeaRoot } from './roots.ts'
import { Sidecar } from './sidecar.ts'
import { GiveUp, waitFor } from './wait.ts'

export type Family = 4 | 6
const loopback = { 4: '127.0.0.1', 6: '::1' } as const

export interface ServiceOptions {
  readonly families?: readonly Family[]
  /** More of Kea's configuration, for both families or by family. Hooks named here come after ours. */
  readonly kea?: Omit<KeaOptions, 'hooks'>
  /** Parameters of the one subnet of kea-dhcp4. */
  readonly subnet4?: JsonObject
  /** Parameters of our hook, in place of those of the same name here. */
  readonly hook?: JsonObject
  /** Keas' leases are in a database of this kind, one for both families; in lease files unless given. */
  readonly database?: DatabaseKind
  /** false: the sidecar is not started. */
  readonly sidecar?: boolean
}

/** One laboratory with Kea (one server a family), the hook in it, and a sidecar that serves on loopback. */
export class Service {
  readonly lab: Laboratory
  readonly root: KeaRoot
  readonly families: readonly Family[]
  readonly ports: Readonly<Record<Family, number>>
  readonly keas = new Map<Family, Kea>()
  readonly #options: ServiceOptions
  #database: Database | undefined
  #sidecar: Sidecar | undefined
  #requestors: ActiveRequestor[] = []

  private constructor(
    lab: Laboratory,
    root: KeaRoot,
    ports: Record<Family, number>,
    options: ServiceOptions,
  ) {
    this.lab = lab
    this.root = root
    this.ports = ports
    this.families = options.families ?? [4, 6]
    this.#options = options
  }

  /** Starts Kea with the hook and, unless told otherwise, the sidecar; waits until requestors are served. */
  static async start(root: KeaRoot, options: ServiceOptions = {}): Promise<Service> {
    const lab = await Laboratory.open()
    try {
      const service = new Service(lab, root, { 4: await freePort(4), 6: await freePort(6) }, options)
      if (options.database) service.#database = await Database.start(lab, root, options.database)
      for (const family of service.families) {
        service.keas.set(family, await Kea.start(lab, root, family, service.keaOptions(family)))
      }
      if (options.sidecar !== false) await service.startSidecar()
      return service
    } catch (error) {
      await lab.close()
      throw error
    }
  }

  /** Configuration of the Kea of a family, our hook first. */
  keaOptions(family: Family, hook: JsonObject = {}): KeaOptions {
    return {
      ...this.#options.kea,
      ...(family === 4 && this.#options.subnet4 ? { subnet: this.#options.subnet4 } : {}),
      ...(this.#database ? { database: this.#database } : {}),
      hooks: [
        { library: feedLibrary, parameters: { ...this.hookParameters(family), ...hook } },
        { library: leaseCommands },
      ],
    }
  }

  get database(): Database {
    if (!this.#database) throw new Error('leases are in files here, not in a database')
    return this.#database
  }

  hookParameters(family: Family): JsonObject {
    return {
      requesters: [family === 4 ? '127.0.0.0/8' : '::1'],
      advanced: {
        'active-query-enabled': true,
        'bulk-query-enabled': true,
        'lease-query-ip': loopback[family],
        'lease-query-tcp-port': this.ports[family],
      },
      tls: { mode: 'off' },
      feed: { endpoint: this.lab.feedEndpoint(family) },
      ...this.#options.hook,
    }
  }

  kea(family: Family): Kea {
    const kea = this.keas.get(family)
    if (!kea) throw new Error(`there is no kea-dhcp${family} here`)
    return kea
  }

  /**
   * Starts the daemon, or starts it anew with the same state, and waits until it serves each family.
   * @param timeout milliseconds that each may take
   */
  async startSidecar(timeout?: number): Promise<void> {
    if (this.#sidecar) await this.#sidecar.restart()
    else this.#sidecar = await Sidecar.start(this.lab, { families: this.families })
    for (const family of this.families) await this.serving(family, timeout)
  }

  /** Waits until the sidecar answers requestors of a family and its first walk is over. */
  serving(family: Family, timeout?: number): Promise<boolean> {
    return waitFor(
      `the sidecar to serve DHCPv${family} requestors`,
      async () => {
        if (this.sidecar.exit) throw new GiveUp(`the sidecar ended:\n${this.sidecar.output().slice(-2000)}`)
        // A start time of now is answered with CatchUpComplete once a walk has ended, with DataMissing before.
        const since = Math.floor(Date.now() / 1000)
        const probe = await ActiveRequestor.connect({ ...this.address(family), since })
        try {
          const event = await probe.until(
            ({ type }) => type === 'catch-up-complete' || type === 'data-missing',
          )
          return event.type === 'catch-up-complete'
        } finally {
          probe.close()
        }
      },
      timeout,
    )
  }

  get sidecar(): Sidecar {
    if (!this.#sidecar) throw new Error('the sidecar was not started')
    return this.#sidecar
  }

  /** Where the service of a family is reached. */
  address(family: Family): { family: Family; host: string; port: number } {
    return { family, host: loopback[family], port: this.ports[family] }
  }
  /** A requestor that is connected and accepted. */
  async requestor(family: Family, since?: number, fold?: FoldedBindings): Promise<WatchingRequestor> {
    const requestor = await ActiveRequestor.connect({ ...this.address(family), since })
    this.#requestors.push(requestor)
    const watching = new WatchingRequestor(family, requestor, fold)
    await watching.accepted
    return watching
  }

  async close(): Promise<void> {
    for (const requestor of this.#requestors) requestor.close()
    await this.lab.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** A requestor that folds all it is told, in the background. */
export class WatchingRequestor {
  readonly family: Family
  readonly fold = new FoldedBindings()
  readonly events: RequestorEvent[] = []
  /** Settles when the server has answered at all. */
  readonly accepted: Promise<void>
  /** Settles when the connection is over, with the reason if there was one. */
  readonly over: Promise<Error | undefined>
  readonly #requestor: ActiveRequestor
  #caughtUp = false

  constructor(family: Family, requestor: ActiveRequestor, fold?: FoldedBindings) {
    this.family = family
    this.#requestor = requestor
    if (fold) this.fold = fold
    let accept = () => {}
    let refuse = (_: Error) => {}
    this.accepted = new Promise((resolve, reject) => {
      accept = resolve
      refuse = reject
    })
    this.over = (async () => {
      try {
        for await (const event of requestor) {
          accept()
          this.fold.apply(event)
          if (event.type === 'catch-up-complete') this.#caughtUp = true
          if (event.type !== 'binding') this.events.push(event)
        }
        refuse(new Error('the query ended before it was answered'))
        return undefined
      } catch (error) {
        refuse(error as Error)
        return error as Error
      }
    })()
  }

  get caughtUp(): boolean {
    return this.#caughtUp
  }

  get resumePoint(): number | undefined {
    return this.#requestor.resumePoint
  }

  saw(type: RequestorEvent['type']): boolean {
    return this.events.some((event) => event.type === type)
  }

  hold(): void {
    this.#requestor.hold()
  }

  release(): void {
    this.#requestor.release()
  }

  async close(): Promise<void> {
    this.#requestor.close()
    await this.over
  }
}

/**
 * Compares what a requestor believes with what Kea's lease file or database says: addresses, clients, expiry (to the second, or the
 * one beside it: base-time and lease time are whole seconds of two clocks).
 * @returns one sentence for each difference; empty = equal
 */
export async function differences(kea: Kea, fold: FoldedBindings): Promise<string[]> {
  const found: string[] = []
  const leases = new Map(
    (await kea.readActiveLeases()).map((row) => [
      row.type === 'IA_PD' ? `${row.address}/${row.prefixLength}` : row.address,
      row,
    ]),
  )
  for (const [key, row] of leases) {
    const binding = fold.active.get(key)
    if (!binding) {
      found.push(`${key} is leased, and the requestor does not know it`)
      continue
    }
    const client = kea.family === 4 ? hex(binding.hardwareAddress) : hex(binding.clientId)
    const holder = kea.family === 4 ? row.hardwareAddress : row.duid
    if (client !== holder) found.push(`${key} is held by ${holder}, the requestor says ${client}`)
    if (kea.family === 4 && hex(binding.clientId) !== row.clientId) {
      found.push(`${key} has client-id ${row.clientId}, the requestor says ${hex(binding.clientId)}`)
    }
    if (binding.expires === undefined || Math.abs(binding.expires - row.expires) > 1) {
      found.push(`${key} ends at ${row.expires}, the requestor says ${binding.expires}`)
    }
  }
  for (const key of fold.active.keys()) {
    if (!leases.has(key)) found.push(`${key} is not leased, and the requestor takes it for active`)
  }
  return found
}

/** Waits until a requestor's fold equals the lease file or database. */
export async function settle(kea: Kea, fold: FoldedBindings, timeout = 60_000): Promise<void> {
  await waitFor(
    `what a DHCPv${kea.family} requestor knows to equal the leases of ${kea}`,
    async () => {
      const found = await differences(kea, fold)
      if (found.length > 0) {
        throw new Error(`${found.length} differences, the first: ${found.slice(0, 5).join('; ')}`)
      }
      return true
    },
    timeout,
  )
}

function hex(octets: Uint8Array): string {
  return [...octets].map((octet) => octet.toString(16).padStart(2, '0')).join(':')
}

function freePort(family: Family): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, loopback[family], () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
