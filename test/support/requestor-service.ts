/** A requestor service on loopback, over a store in memory that a test changes by hand. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BindingData, BindingState, type Family, NO_OCTETS, Origin } from '../../sidecar/binding.ts'
import { createLog } from '../../sidecar/log.ts'
import type { LogLevel } from '../../sidecar/log-lines.ts'
import { ActiveRequestor, type ActiveRequestorOptions } from '../../sidecar/requestor/active-requestor.ts'
import { BulkRequestor, type BulkRequestorOptions } from '../../sidecar/requestor/bulk-requestor.ts'
import { RequestorService } from '../../sidecar/server/requestor-service.ts'
import { ServiceMemory } from '../../sidecar/server/service-memory.ts'
import type { RequestorServiceParts } from '../../sidecar/server/service-parts.ts'
import { dialect4 } from '../../sidecar/session/dialect4.ts'
import { dialect6 } from '../../sidecar/session/dialect6.ts'
import { Session } from '../../sidecar/session/session.ts'
import { shareBatches } from '../../sidecar/session/shared-batches.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import type { BulkStore } from '../../sidecar/store/store.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { waitFor } from './wait.ts'

export interface LogLine {
  readonly event: string
  readonly [field: string]: unknown
}

const loopback = { 4: '127.0.0.1', 6: '::1' } as const

/** Parameters as the hook would send them: insecure, Active on, everybody on loopback. */
export function serviceJson(family: Family, changed: Record<string, unknown> = {}): string {
  return JSON.stringify({
    requesters: [family === 4 ? '127.0.0.0/8' : '::1'],
    advanced: { 'active-query-enabled': true, 'lease-query-ip': loopback[family] },
    tls: { mode: 'off' },
    ...changed,
  })
}

export class TestService {
  readonly family: Family
  readonly memory: Memory
  readonly service: RequestorService
  readonly folder: string
  readonly log: LogLine[] = []
  readonly #requestors: { close(): void }[] = []
  /** The logical clock; a test moves it. */
  now = 1_800_000_000
  trusted = true
  walkPending = false
  #port: number | undefined

  constructor(
    family: Family,
    changed: Partial<RequestorServiceParts> & { memory?: never; folder?: string; level?: LogLevel } = {},
  ) {
    const { folder, level, ...parts } = changed
    this.family = family
    this.folder = folder ?? mkdtempSync(join(tmpdir(), 'alq-service-'))
    this.memory = new Memory(family)
    const dialect = shareBatches(family === 4 ? dialect4 : dialect6)
    this.service = new RequestorService({
      family,
      store: this.memory as unknown as BulkStore,
      now: () => this.now,
      keaNow: () => this.now,
      createSession: (settings, moment) => new Session(dialect, settings, moment),
      memory: new ServiceMemory(join(this.folder, 'service.json')),
      log: createLog({
        level: level ?? 'debug',
        destination: { write: (text) => this.log.push(JSON.parse(text)) },
      }),
      listen: [{ address: loopback[family], port: 0 }],
      indexTrusted: () => this.trusted,
      walkPending: () => this.walkPending,
      ...parts,
    })
  }

  /** As if a first walk had just ended. */
  walked(): this {
    this.memory.raiseHorizon(this.now)
    return this
  }

  configure(changed: Record<string, unknown> = {}): this {
    const identity =
      this.family === 4 ? Uint8Array.of(192, 0, 2, 1) : Uint8Array.of(0, 3, 0, 1, 2, 0, 0x5e, 0, 0, 1)
    this.service.identify([identity])
    this.service.configure(serviceJson(this.family, changed))
    return this
  }

  async port(): Promise<number> {
    this.#port = await waitFor('the service to listen', () => this.service.places[0]?.port)
    return this.#port
  }

  async connect(options: Partial<ActiveRequestorOptions> = {}): Promise<ActiveRequestor> {
    const { family } = this
    const port = this.#port ?? (await this.port())
    const requestor = await ActiveRequestor.connect({ family, host: loopback[family], port, ...options })
    this.#requestors.push(requestor)
    return requestor
  }

  async bulk(options: Partial<BulkRequestorOptions> = {}): Promise<BulkRequestor> {
    const { family } = this
    const port = this.#port ?? (await this.port())
    const requestor = await BulkRequestor.connect({ family, host: loopback[family], port, ...options })
    this.#requestors.push(requestor)
    return requestor
  }

  /** Stores a change and tells the service. */
  put(address: string, changed: Partial<BindingData> = {}): void {
    this.memory.put(binding(address, this.now, changed), this.now)
    this.service.indexGrew()
  }

  logged(event: string): LogLine[] {
    return this.log.filter((line) => line.event === event)
  }

  async close(): Promise<void> {
    for (const requestor of this.#requestors) requestor.close()
    await this.service.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

export function binding(address: string, now: number, changed: Partial<BindingData> = {}): BindingData {
  const octets = parseAddress(address)!
  return {
    address: octets,
    prefixLength: 0,
    state: BindingState.active,
    origin: Origin.client,
    subnetId: 1,
    iaid: 0,
    hardwareType: 1,
    hardwareAddress: Uint8Array.of(2, 0, 0x5e, ...octets.subarray(octets.length - 3)),
    clientId: octets.length === 16 ? Uint8Array.of(0, 3, 0, 1, ...octets.subarray(8)) : NO_OCTETS,
    validLifetime: 3600,
    preferredLifetime: octets.length === 16 ? 1800 : 0,
    clientLastTransaction: now,
    stateSince: now,
    hostname: NO_OCTETS,
    relay: NO_OCTETS,
    options: NO_OCTETS,
    ...changed,
  }
}
