/** The other end of a feed, without any of the sidecar's code: what is asked, answered and published, decoded. */
import { Dealer, Subscriber } from 'zeromq'
import { contractType } from '../support/hook-core.ts'

export interface Batch {
  epoch: Buffer
  firstSeq: number
  clock: number
  events: FeedEvent[]
}

export interface FeedEvent {
  change?: {
    operation: string
    origin?: string
    lease: { address: Buffer; [field: string]: unknown }
    packet?: { messageType?: number; options?: Buffer; relay?: Record<string, unknown> }
  }
  annotation?: { address: Buffer; origin?: string; packet?: object; [field: string]: unknown }
}

export interface FeedFrame {
  batch?: Batch
  heartbeat?: Record<string, number> & { epoch: Buffer }
}

export interface FeedReply {
  id: number
  epoch: Buffer
  hello?: Record<string, unknown> & { lastSeq: number; oldestSeq: number }
  replay?: Batch
  page?: {
    walk: number
    after: Buffer
    stamp: number
    clock: number
    leases: { address: Buffer }[]
    end: boolean
  }
  config?: {
    generation: number
    subnets: Record<string, unknown>[]
    reserved: { first: Buffer; last: Buffer }[]
    page: number
    pages: number
  }
  report?: object
  error?: { code: string; text: string }
}

function decode<T>(name: string, octets: Uint8Array): T {
  const type = contractType(name)
  // Absent numbers read as 0, absent lists as []: but an absent message stays absent.
  return type.toObject(type.decode(octets), { longs: Number, enums: String, arrays: true }) as T
}

export function encodeRequest(request: object): Uint8Array {
  const type = contractType('Request')
  return type.encode(type.fromObject(request)).finish()
}

/** Asks on one DEALER socket. Each question waits for the reply with its id. */
export class Asker implements Disposable {
  readonly socket = new Dealer({ linger: 0, receiveTimeout: 20_000 })
  #id = 0

  constructor(endpoint: string) {
    this.socket.connect(`${endpoint}-sync`)
  }

  async ask(body: object, epoch: Uint8Array = Buffer.alloc(0)): Promise<FeedReply> {
    const id = await this.send(body, epoch)
    return await this.reply(id)
  }

  async send(body: object, epoch: Uint8Array = Buffer.alloc(0)): Promise<number> {
    const id = ++this.#id
    await this.socket.send(encodeRequest({ id, epoch, ...body }))
    return id
  }

  /** The next reply, or that with this id: others are dropped. */
  async reply(id?: number): Promise<FeedReply> {
    for (;;) {
      const [frame] = await this.socket.receive()
      const reply = decode<FeedReply>('Reply', frame!)
      if (id === undefined || reply.id === id) return reply
    }
  }

  async hello(): Promise<FeedReply & { hello: NonNullable<FeedReply['hello']> }> {
    const reply = await this.ask({ hello: { contractMajor: 1, follower: 'test' } })
    if (reply.hello === undefined) throw new Error(`no Hello but ${JSON.stringify(reply)}`)
    return { ...reply, hello: { ...reply.hello, lastSeq: reply.hello.lastSeq ?? 0 } }
  }

  [Symbol.dispose](): void {
    this.socket.close()
  }
}

/** Follows the PUB socket and notes what is missing. */
export class Listener implements Disposable {
  readonly socket = new Subscriber({ linger: 0, receiveTimeout: 20_000 })
  /** Number that should come next; 0 before the first batch. */
  next = 0
  gaps: { from: number; to: number }[] = []
  events = 0

  constructor(endpoint: string) {
    this.socket.subscribe()
    this.socket.connect(endpoint)
  }

  async frame(): Promise<FeedFrame> {
    const [octets] = await this.socket.receive()
    const frame = decode<FeedFrame>('FeedMessage', octets!)
    if (frame.batch !== undefined) {
      const { firstSeq, events } = frame.batch
      if (this.next !== 0 && firstSeq !== this.next) this.gaps.push({ from: this.next, to: firstSeq - 1 })
      this.next = firstSeq + events.length
      this.events += events.length
    }
    return frame
  }

  /** Until the subscription is known to be in force: nothing published before may be expected, all after it is. */
  async connected(): Promise<void> {
    while ((await this.frame()).heartbeat === undefined);
  }

  /** Batches until the event with this number has come. */
  async until(seq: number): Promise<FeedEvent[]> {
    const events: FeedEvent[] = []
    while (this.next <= seq) events.push(...((await this.frame()).batch?.events ?? []))
    return events
  }

  [Symbol.dispose](): void {
    this.socket.close()
  }
}
