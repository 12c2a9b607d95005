// Where leases come from in the tests of the whole path: the hook as a model, or the hook's core over its real sockets.
// Both on the test's own clock: whatever they send bears the time that the test says it is for Kea.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { Dealer, Subscriber } from 'zeromq'
import { type Family, NO_OCTETS, type Origin } from '../../sidecar/binding.ts'
import { decodeFeedMessage, decodeReply } from '../../sidecar/feed/decode.ts'
import { encodeRequest } from '../../sidecar/feed/encode.ts'
import {
  FeedErrorCode,
  type FeedMessage,
  type FeedReply,
  type FeedRequest,
  type Heartbeat,
  type LeaseRow,
} from '../../sidecar/feed/events.ts'
import { families } from '../session/families.ts'
import { HookCore, type HookLease, type HookRelay } from '../support/hook-core.ts'
import { option4, option6 } from '../wire/bytes.ts'
import { ModelHook } from './model-hook.ts'

/** A lease of Kea's, with the relay-id of the relay that its row tells of; empty = of none. */
export interface SourceLease extends Omit<LeaseRow, 'storedRelay'> {
  readonly relayId: Uint8Array
}

export interface Cause {
  readonly origin: Origin
  /** Relay-id of the packet's relay; undefined = no packet. */
  readonly packetRelayId: Uint8Array | undefined
}

export interface Source {
  /** @param cause undefined = nobody is told */
  write(lease: SourceLease, cause: Cause | undefined): void
  remove(address: Uint8Array, origin: Origin | undefined): void
  /** A renewal that Kea answered from its cache, through another relay. */
  annotate(lease: SourceLease, relayId: Uint8Array): void
  /** Kea is configured anew: another epoch; what was not published is lost. */
  reload(): void
  failPages(fail: boolean): void
  /** What was published since the last call. */
  take(): Promise<FeedMessage[]>
  /** Undefined: none came. */
  heartbeat(): Promise<FeedMessage | undefined>
  /** Undefined: no answer came. */
  answer(request: FeedRequest): Promise<FeedReply | undefined>
  readonly lastSeq: number
  readonly epoch: string
  close(): Promise<void>
}

export interface SourceOptions {
  readonly family: Family
  /** Rows keep relay data (store-extended-info). */
  readonly extendedInfo: boolean
  /** Kea's clock, Unix milliseconds. */
  readonly keaMs: () => number
}

const DHCPREQUEST = 3

export class ModelSource implements Source {
  readonly hook: ModelHook
  readonly #options: SourceOptions

  constructor(options: SourceOptions) {
    this.#options = options
    this.hook = new ModelHook(options.family)
    this.hook.extendedInfo = options.extendedInfo
    this.hook.pageSize = 2
    this.hook.ringSize = 8
  }

  get lastSeq(): number {
    return this.hook.lastSeq
  }

  get epoch(): string {
    return this.hook.epoch
  }

  write(lease: SourceLease, cause: Cause | undefined): void {
    const row = this.#row(lease)
    if (cause === undefined) {
      this.hook.writeSilently(row)
      return
    }
    const { origin, packetRelayId } = cause
    const packet = packetRelayId === undefined ? {} : { packet: this.#packet(packetRelayId) }
    this.hook.write(row, { origin, ...packet })
  }

  remove(address: Uint8Array, origin: Origin | undefined): void {
    if (origin === undefined) this.hook.removeSilently(address)
    else this.hook.remove(address, origin)
  }

  annotate(lease: SourceLease, relayId: Uint8Array): void {
    const { address, hardwareType, hardwareAddress, clientId } = lease
    const packet = this.#packet(relayId)
    this.hook.event({
      kind: 'annotation',
      address,
      hardwareType,
      hardwareAddress,
      clientId,
      origin: 0,
      packet,
    })
  }

  reload(): void {
    this.hook.start()
  }

  failPages(fail: boolean): void {
    this.hook.failPages(fail ? { code: FeedErrorCode.leaseDatabase, text: 'gone' } : undefined)
  }

  async take(): Promise<FeedMessage[]> {
    this.hook.clock = this.#options.keaMs()
    const batch = this.hook.publish()
    return batch === undefined ? [] : [batch]
  }

  async heartbeat(): Promise<FeedMessage> {
    this.hook.clock = this.#options.keaMs()
    return this.hook.heartbeat()
  }

  async answer(request: FeedRequest): Promise<FeedReply> {
    this.hook.clock = this.#options.keaMs()
    return this.hook.answer(request)
  }

  async close(): Promise<void> {}

  #row({ relayId, ...row }: SourceLease): LeaseRow {
    return { ...row, storedRelay: relayId.length === 0 ? undefined : this.#relay(relayId) }
  }

  #relay(relayId: Uint8Array): Uint8Array {
    return families.find(({ family }) => family === this.#options.family)!.relay(relayId)
  }

  #packet(relayId: Uint8Array) {
    const relay = relayId.length === 0 ? undefined : this.#relay(relayId)
    return { messageType: DHCPREQUEST, relay, options: NO_OCTETS }
  }
}

/** How long the core's publisher may take until what it has counts as on its way still. */
const PUBLISHED_MS = 40
const ANSWERED_MS = 400

export class CoreSource implements Source {
  readonly core: HookCore
  readonly #options: SourceOptions
  readonly #folder = mkdtempSync(join(tmpdir(), 'source-'))
  readonly #subscriber = new Subscriber({ linger: 0, reconnectInterval: 5, reconnectMaxInterval: 20 })
  readonly #dealer = new Dealer({ linger: 0, reconnectInterval: 5, reconnectMaxInterval: 20, sendTimeout: 0 })
  readonly #reading: Promise<void>[]
  #messages: FeedMessage[] = []
  #heartbeat: Heartbeat | undefined
  readonly #replies = new Map<number, FeedReply>()
  #received = 0

  constructor(options: SourceOptions) {
    this.#options = options
    const { family, extendedInfo } = options
    const endpoint = `ipc://${join(this.#folder, 'feed')}`
    this.core = new HookCore({
      family,
      endpoint,
      pageShare: 1,
      ringEvents: 32,
      pageLeases: 3,
      identity: { extendedInfo },
    })
    this.core.start()
    this.#subscriber.connect(endpoint)
    this.#subscriber.subscribe()
    this.#dealer.connect(`${endpoint}-sync`)
    this.#reading = [
      this.#read(this.#subscriber, (frame) => this.#hear(decodeFeedMessage(frame, family))),
      this.#read(this.#dealer, (frame) => {
        const reply = decodeReply(frame, family)
        this.#replies.set(reply.id, reply)
      }),
    ]
  }

  async #read(socket: Subscriber | Dealer, take: (frame: Uint8Array) => void): Promise<void> {
    for await (const frames of socket) for (const frame of frames) take(frame)
  }

  #hear(message: FeedMessage): void {
    if (message.kind === 'heartbeat') {
      this.#heartbeat = message
      return
    }
    this.#messages.push(message)
    if (message.epoch === this.epoch) this.#received = message.firstSeq + message.events.length - 1
  }

  get lastSeq(): number {
    return this.core.status().lastSeq
  }

  get epoch(): string {
    return this.core.status().epoch
  }

  write(lease: SourceLease, cause: Cause | undefined): void {
    const row = this.#lease(lease)
    if (cause === undefined) {
      this.core.putSilently(row)
      return
    }
    const { origin, packetRelayId } = cause
    const packet = packetRelayId === undefined ? {} : { packet: this.#packet(packetRelayId) }
    this.core.put(row, { origin, ...packet })
  }

  remove(address: Uint8Array, origin: Origin | undefined): void {
    if (origin === undefined) this.core.removeSilently(address)
    else this.core.remove(address, { origin })
  }

  annotate(lease: SourceLease, relayId: Uint8Array): void {
    const { address, hardwareType, hardwareAddress, clientId } = lease
    this.core.annotate({
      address,
      hardwareType,
      hardwareAddress,
      clientId,
      origin: 0,
      packet: this.#packet(relayId),
    })
  }

  reload(): void {
    this.core.renew()
    this.core.start()
    this.#received = 0
  }

  failPages(fail: boolean): void {
    this.core.failPages(fail ? 'gone' : null)
  }

  async take(): Promise<FeedMessage[]> {
    const until = performance.now() + PUBLISHED_MS
    while (this.#received < this.lastSeq && performance.now() < until) await nextTurn()
    const taken = this.#messages
    this.#messages = []
    return taken.map((message) => this.#timed(message))
  }

  /** The core sends one a second, whatever second it is for the test: between two of them, one as it would be now. */
  async heartbeat(): Promise<FeedMessage | undefined> {
    for (let i = 0; i < 400 && this.#heartbeat?.epoch !== this.epoch; i++) await sleep(5)
    const heartbeat = this.#heartbeat
    if (heartbeat === undefined) return undefined
    const { lastSeq, oldestSeq } = this.core.status()
    return this.#timed({ ...heartbeat, lastSeq, oldestSeq })
  }

  async answer(request: FeedRequest): Promise<FeedReply | undefined> {
    await this.#dealer.send(encodeRequest(request, 'test')).catch(() => {})
    const until = performance.now() + ANSWERED_MS
    while (performance.now() < until) {
      const reply = this.#replies.get(request.id)
      if (reply !== undefined) {
        this.#replies.delete(request.id)
        return { ...reply, body: 'clock' in reply.body ? this.#timed(reply.body) : reply.body }
      }
      await nextTurn()
    }
    return undefined
  }

  async close(): Promise<void> {
    this.#subscriber.close()
    this.#dealer.close()
    await Promise.all(this.#reading)
    this.core.close()
    rmSync(this.#folder, { recursive: true })
  }

  #timed<T extends { readonly clock: number }>(message: T): T {
    return { ...message, clock: this.#options.keaMs() }
  }

  #lease({ relayId, clientLastTransaction, keaState, ...lease }: SourceLease): HookLease {
    return {
      ...lease,
      type: lease.prefixLength > 0 ? 1 : 0,
      state: keaState,
      cltt: clientLastTransaction,
      ...(relayId.length === 0 ? {} : { storedRelay: this.#relay(relayId) }),
    }
  }

  #relay(relayId: Uint8Array): HookRelay {
    if (this.#options.family === 4) return { agentInfo: Uint8Array.from(option4(12, relayId)) }
    const nobody = new Uint8Array(16)
    const options = Uint8Array.from(option6(53, relayId))
    return { hops: [{ hopCount: 0, linkAddress: nobody, peerAddress: nobody, options }], source: nobody }
  }

  #packet(relayId: Uint8Array) {
    return { messageType: DHCPREQUEST, ...(relayId.length === 0 ? {} : { relay: this.#relay(relayId) }) }
  }
}
