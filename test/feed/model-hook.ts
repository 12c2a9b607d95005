// A hook as it is meant to be: leases, a ring of events, pages with stamps. It answers requests and keeps what it has
// published until a test delivers or drops it.
import { type Family, NO_OCTETS, Origin } from '../../sidecar/binding.ts'
import {
  type ConfigPage,
  type EventBatch,
  FeedErrorCode,
  type FeedEvent,
  type FeedMessage,
  type FeedReply,
  type FeedRequest,
  type Heartbeat,
  type Hello,
  type LeaseRow,
  NO_RING,
  Operation,
  type PacketData,
  type ReplyBody,
  type RequestBody,
} from '../../sidecar/feed/events.ts'
import { compareAddresses } from '../../sidecar/feed/walk.ts'
import { keyOf } from './plain-store.ts'

export function ipv4(last: number, third = 2): Uint8Array {
  return Uint8Array.of(192, 0, third, last)
}

export function mac(last: number): Uint8Array {
  return Uint8Array.of(2, 0, 0x5e, 0, 0, last)
}

/** A lease of 3600 s, held by hardware address `client`. */
export function leaseRow(address: Uint8Array, client: number, fields: Partial<LeaseRow> = {}): LeaseRow {
  const isV4 = address.length === 4
  return {
    address,
    prefixLength: 0,
    keaState: 0,
    subnetId: 1,
    iaid: isV4 ? 0 : 7,
    hardwareType: isV4 ? 1 : 0,
    hardwareAddress: isV4 ? mac(client) : NO_OCTETS,
    clientId: isV4 ? NO_OCTETS : Uint8Array.of(0, 3, 0, 1, ...mac(client)),
    validLifetime: 3600,
    preferredLifetime: isV4 ? 0 : 1800,
    clientLastTransaction: 1_700_000_000,
    hostname: NO_OCTETS,
    storedRelay: undefined,
    ...fields,
  }
}

export class ModelHook {
  readonly family: Family
  /** Hello says that every row keeps its relay data. */
  extendedInfo = false
  readonly leases = new Map<string, LeaseRow>()
  epoch = ''
  /** Kea's clock, Unix milliseconds. */
  clock = 1_700_000_000_000
  ringSize = 1_000_000
  pageSize = 256
  configGeneration = 1
  /** Of the configuration: what each page reserves. */
  configPages: readonly Uint8Array[] = [NO_OCTETS]
  resyncGeneration = 0
  serviceGeneration = 1
  service = '{}'
  contractMajor = 1
  /** Pages are answered with this error while it is set. */
  pageError: { code: number; text: string } | undefined
  #starts = 0
  #ring: { seq: number; event: FeedEvent }[] = []
  lastSeq = 0
  /** Given a number, not yet published. */
  #unpublished: FeedEvent[] = []

  constructor(family: Family = 4) {
    this.family = family
    this.start()
  }

  /** Kea is started or configured anew. Leases stay; what was not published is lost. */
  start(): void {
    this.#starts += 1
    this.epoch = this.#starts.toString(16).padStart(32, '0')
    this.#ring = []
    this.#unpublished = []
    this.lastSeq = 0
  }

  /** Pages fail with this error; undefined = no longer. */
  failPages(error: { code: number; text: string } | undefined): void {
    this.pageError = error
  }

  stepClock(ms: number): void {
    this.clock += ms
  }

  get now(): number {
    return Math.floor(this.clock / 1000)
  }

  get oldestSeq(): number {
    return this.#ring[0]?.seq ?? this.lastSeq + 1
  }

  /** A row is added or updated. */
  write(lease: LeaseRow, fields: { origin?: Origin; packet?: PacketData } = {}): void {
    const key = keyOf(lease.address)
    const operation = this.leases.has(key) ? Operation.update : Operation.add
    this.leases.set(key, lease)
    const { origin = Origin.client, packet } = fields
    this.#event({ kind: 'change', operation, lease, origin, packet })
  }

  /** A row goes. */
  remove(address: Uint8Array, origin: Origin = Origin.operator): void {
    const lease = this.leases.get(keyOf(address))
    if (lease === undefined) return
    this.leases.delete(keyOf(address))
    this.#event({ kind: 'change', operation: Operation.delete, lease, origin, packet: undefined })
  }

  /** A row changes and nobody is told. */
  writeSilently(lease: LeaseRow): void {
    this.leases.set(keyOf(lease.address), lease)
  }

  removeSilently(address: Uint8Array): void {
    this.leases.delete(keyOf(address))
  }

  /** An event without a write. */
  event(event: FeedEvent): void {
    this.#event(event)
  }

  /** The batch of everything not yet published. */
  publish(): EventBatch | undefined {
    const events = this.#unpublished
    if (events.length === 0) return undefined
    this.#unpublished = []
    const firstSeq = this.lastSeq - events.length + 1
    return { kind: 'batch', epoch: this.epoch, firstSeq, clock: this.clock, events }
  }

  heartbeat(): Heartbeat {
    return {
      kind: 'heartbeat',
      epoch: this.epoch,
      lastSeq: this.lastSeq - this.#unpublished.length,
      oldestSeq: this.oldestSeq,
      clock: this.clock,
      configGeneration: this.configGeneration,
      resyncGeneration: this.resyncGeneration,
      serviceGeneration: this.serviceGeneration,
      ring: NO_RING,
    }
  }

  answer(request: FeedRequest): FeedReply {
    const isOther = request.body.kind !== 'hello' && request.epoch !== this.epoch
    const body = isOther
      ? { kind: 'error' as const, code: FeedErrorCode.wrongEpoch, text: 'loaded anew' }
      : this.#answer(request)
    return { id: request.id, epoch: this.epoch, body }
  }

  #answer({ body }: FeedRequest): ReplyBody {
    switch (body.kind) {
      case 'hello':
        return this.#hello()
      case 'replay': {
        if (body.fromSeq < this.oldestSeq && body.fromSeq <= this.lastSeq) {
          return {
            kind: 'error',
            code: FeedErrorCode.notInRing,
            text: `the ring begins at ${this.oldestSeq}`,
          }
        }
        const events = this.#ring
          .filter(({ seq }) => seq >= body.fromSeq)
          .slice(0, body.limit)
          .map(({ event }) => event)
        return { kind: 'batch', epoch: this.epoch, firstSeq: body.fromSeq, clock: this.clock, events }
      }
      case 'page': {
        if (this.pageError !== undefined) return { kind: 'error', ...this.pageError }
        const following = [...this.leases.values()]
          .sort((a, b) => compareAddresses(a.address, b.address))
          .filter(({ address }) => body.after.length === 0 || compareAddresses(address, body.after) > 0)
        return {
          kind: 'page',
          walk: body.walk,
          after: body.after,
          stamp: this.lastSeq,
          clock: this.clock,
          leases: following.slice(0, this.pageSize),
          unreadable: [],
          end: following.length <= this.pageSize,
        }
      }
      case 'config':
        return this.#config(body)
      case 'report':
        return { kind: 'report-accepted' }
    }
  }

  #config({ page, generation }: Extract<RequestBody, { kind: 'config' }>): ConfigPage {
    const number = generation === this.configGeneration ? page : 1
    return {
      kind: 'config',
      generation: this.configGeneration,
      page: number,
      pages: this.configPages.length,
      subnets: [],
      reserved: this.configPages[number - 1]!,
    }
  }

  #hello(): Hello {
    return {
      kind: 'hello',
      contractMajor: this.contractMajor,
      contractMinor: 0,
      family: this.family,
      keaVersion: '3.0.3',
      hookVersion: '0.1.0',
      lastSeq: this.lastSeq,
      oldestSeq: this.oldestSeq,
      clock: this.clock,
      serverDuid: NO_OCTETS,
      serverIdentifiers: [ipv4(1)],
      service: this.service,
      serviceGeneration: this.serviceGeneration,
      configGeneration: this.configGeneration,
      resyncGeneration: this.resyncGeneration,
      tap: true,
      extendedInfo: this.extendedInfo,
    }
  }

  #event(event: FeedEvent): void {
    this.lastSeq += 1
    this.#ring.push({ seq: this.lastSeq, event })
    while (this.#ring.length > this.ringSize) this.#ring.shift()
    this.#unpublished.push(event)
  }
}

export type { FeedMessage }
