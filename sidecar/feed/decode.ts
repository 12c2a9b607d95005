// Octets of the feed → our own types, or a DecodeError naming the field. Octet fields are views into the message: they
// cost nothing, and whoever keeps them copies them.
import { type Family, NO_OCTETS } from '../binding.ts'
import { decodeMessage, type Message, type MessageName } from './contract.ts'
import { DecodeError } from './decode-error.ts'
import type {
  ConfigPage,
  EventBatch,
  FeedEvent,
  FeedMessage,
  FeedReply,
  Heartbeat,
  Hello,
  LeaseRow,
  ReplyBody,
  SnapshotPage,
  Subnet,
  UnreadableRow,
} from './events.ts'
import { readAnnotation, readChange, readLease } from './read-rows.ts'
import { WireReader } from './wire-reader.ts'

const EPOCH_OCTETS = 16
/** Of a kind that this version does not know. */
const UNKNOWN: FeedEvent = { kind: 'unknown' }

/**
 * A frame of the PUB socket. A single event that cannot be read does not spoil its batch: it comes out as `unreadable`.
 * @throws DecodeError
 */
export function decodeFeedMessage(frame: Uint8Array, family: Family): FeedMessage {
  const batch = reading('FeedMessage', () => findBatch(new WireReader(frame), family))
  if (batch !== undefined) return batch
  const { heartbeat } = decodeAs('FeedMessage', frame)
  if (heartbeat != null) return readHeartbeat(heartbeat)
  throw new DecodeError('body', 'neither a batch nor a heartbeat')
}

/** A reply of the ROUTER socket. @throws DecodeError */
export function decodeReply(frame: Uint8Array, family: Family): FeedReply {
  const large = reading('Reply', () => findLarge(new WireReader(frame), family))
  if (large !== undefined) return large
  const reply = decodeAs('Reply', frame)
  return {
    id: safe(reply.id, 'id'),
    epoch: epochText(reply.epoch, 'epoch'),
    body: readReplyBody(reply, family),
  }
}

function findBatch(wire: WireReader, family: Family): EventBatch | undefined {
  let batch: EventBatch | undefined
  while (wire.at < wire.length) {
    const tag = wire.uint32()
    if (tag === 10) batch = readBatch(wire, family, 'batch')
    else wire.skip(tag)
  }
  wire.close(wire.length)
  return batch
}

/** A reply that carries events or leases. */
function findLarge(wire: WireReader, family: Family): FeedReply | undefined {
  let id = 0
  let epoch = NO_OCTETS
  let body: ReplyBody | undefined
  while (wire.at < wire.length) {
    const tag = wire.uint32()
    switch (tag) {
      case 8:
        id = wire.uint64()
        break
      case 18:
        epoch = wire.bytes()
        break
      case 34:
        body = readBatch(wire, family, 'replay')
        break
      case 42:
        body = readPage(wire, family)
        break
      default:
        wire.skip(tag)
    }
  }
  wire.close(wire.length)
  return body && { id: safe(id, 'id'), epoch: epochText(epoch, 'epoch'), body }
}

/** What cannot be read at all is a DecodeError too. */
function reading<T>(name: MessageName, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof DecodeError) throw error
    throw new DecodeError(name, error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function decodeAs<N extends MessageName>(name: N, frame: Uint8Array): Message<N> {
  return reading(name, () => decodeMessage(name, frame))
}

function readReplyBody(reply: Message<'Reply'>, family: Family): ReplyBody {
  if (reply.hello != null) return readHello(reply.hello)
  if (reply.config != null) return readConfig(reply.config, family)
  if (reply.report != null) return { kind: 'report-accepted' }
  if (reply.error != null) return { kind: 'error', code: reply.error.code, text: reply.error.text }
  throw new DecodeError('body', 'no reply this version knows')
}

function readBatch(wire: WireReader, family: Family, field: string): EventBatch {
  const end = wire.end()
  let epoch = NO_OCTETS
  let firstSeq = 0
  let clock = 0
  const events: FeedEvent[] = []
  while (wire.at < end) {
    const tag = wire.uint32()
    switch (tag) {
      case 10:
        epoch = wire.bytes()
        break
      case 16:
        firstSeq = wire.uint64()
        break
      case 24:
        clock = wire.uint64()
        break
      case 34:
        events.push(readEvent(wire, family))
        break
      default:
        wire.skip(tag)
    }
  }
  wire.close(end)
  safe(firstSeq, `${field}.first_seq`)
  safe(firstSeq + events.length, `${field}.first_seq`)
  if (firstSeq < 1 && events.length > 0) throw new DecodeError(`${field}.first_seq`, 'numbers begin at 1')
  safe(clock, `${field}.clock`)
  return { kind: 'batch', epoch: epochText(epoch, `${field}.epoch`), firstSeq, clock, events }
}

function readEvent(wire: WireReader, family: Family): FeedEvent {
  const end = wire.end()
  let event: FeedEvent = UNKNOWN
  try {
    while (wire.at < end) {
      const tag = wire.uint32()
      if (tag === 10) event = readChange(wire, family)
      else if (tag === 18) event = readAnnotation(wire, family)
      else wire.skip(tag)
    }
    wire.close(end)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    event = { kind: 'unreadable', error }
    wire.at = end
  }
  return event
}

function readHeartbeat(heartbeat: Message<'Heartbeat'>): Heartbeat {
  return {
    kind: 'heartbeat',
    epoch: epochText(heartbeat.epoch, 'heartbeat.epoch'),
    lastSeq: safe(heartbeat.lastSeq, 'heartbeat.last_seq'),
    oldestSeq: safe(heartbeat.oldestSeq, 'heartbeat.oldest_seq'),
    clock: safe(heartbeat.clock, 'heartbeat.clock'),
    configGeneration: safe(heartbeat.configGeneration, 'heartbeat.config_generation'),
    resyncGeneration: safe(heartbeat.resyncGeneration, 'heartbeat.resync_generation'),
    serviceGeneration: safe(heartbeat.serviceGeneration, 'heartbeat.service_generation'),
    ring: {
      events: safe(heartbeat.ringEvents, 'heartbeat.ring_events'),
      overwritten: safe(heartbeat.overwritten, 'heartbeat.overwritten'),
      lost: safe(heartbeat.lost, 'heartbeat.lost'),
      cut: safe(heartbeat.cut, 'heartbeat.cut'),
    },
  }
}

function readHello(hello: Message<'Hello'>): Hello {
  return {
    kind: 'hello',
    contractMajor: hello.contractMajor,
    contractMinor: hello.contractMinor,
    family: hello.family === 4 || hello.family === 6 ? hello.family : 0,
    keaVersion: hello.keaVersion,
    hookVersion: hello.hookVersion,
    lastSeq: safe(hello.lastSeq, 'hello.last_seq'),
    oldestSeq: safe(hello.oldestSeq, 'hello.oldest_seq'),
    clock: safe(hello.clock, 'hello.clock'),
    // The library has an array where there are no octets.
    serverDuid: hello.serverDuid.length === 0 ? NO_OCTETS : hello.serverDuid,
    serverIdentifiers: hello.serverIdentifiers.map((address, i) =>
      readAddress(address, 4, `hello.server_identifiers[${i}]`),
    ),
    service: hello.service,
    serviceGeneration: safe(hello.serviceGeneration, 'hello.service_generation'),
    configGeneration: safe(hello.configGeneration, 'hello.config_generation'),
    resyncGeneration: safe(hello.resyncGeneration, 'hello.resync_generation'),
    tap: hello.tap,
    extendedInfo: hello.extendedInfo,
  }
}

function readPage(wire: WireReader, family: Family): SnapshotPage {
  const end = wire.end()
  let walk = 0
  let after = NO_OCTETS
  let stamp = 0
  let clock = 0
  let isEnd = false
  const leases: LeaseRow[] = []
  const unreadable: UnreadableRow[] = []
  while (wire.at < end) {
    const tag = wire.uint32()
    switch (tag) {
      case 8:
        walk = wire.uint64()
        break
      case 18:
        after = wire.bytes()
        break
      case 24:
        stamp = wire.uint64()
        break
      case 32:
        clock = wire.uint64()
        break
      case 42:
        readRow(wire, family, leases, unreadable)
        break
      case 48:
        isEnd = wire.uint64() !== 0
        break
      default:
        wire.skip(tag)
    }
  }
  wire.close(end)
  const size = addressSize(family)
  if (after.length !== 0 && after.length !== size) {
    throw new DecodeError('page.after', `${after.length} octets instead of ${size}`)
  }
  return {
    kind: 'page',
    walk: safe(walk, 'page.walk'),
    after,
    stamp: safe(stamp, 'page.stamp'),
    clock: safe(clock, 'page.clock'),
    leases,
    unreadable,
    end: isEnd,
  }
}

function readRow(wire: WireReader, family: Family, leases: LeaseRow[], unreadable: UnreadableRow[]): void {
  const from = wire.at
  try {
    leases.push(readLease(wire, family, 'page.leases'))
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    wire.at = from
    const { address } = decodeAs('Lease', wire.bytes())
    unreadable.push({ address: address.length === addressSize(family) ? address : undefined, error })
  }
}

function readConfig(config: Message<'Config'>, family: Family): ConfigPage {
  return {
    kind: 'config',
    generation: safe(config.generation, 'config.generation'),
    // A hook of version 1.0 of the contract gives all in one, and no numbers.
    page: Math.max(1, config.page),
    pages: Math.max(1, config.pages),
    subnets: config.subnets.map((subnet) => readSubnet(subnet, family)),
    reserved: readRanges(config.reserved, family, 'config.reserved'),
  }
}

/** There may be millions: they are kept in one piece. */
function readRanges(ranges: Message<'Config'>['reserved'], family: Family, field: string): Uint8Array {
  const size = addressSize(family)
  const packed = Buffer.alloc(ranges.length * 2 * size)
  let before: Uint8Array | undefined
  let at = 0
  for (const range of ranges) {
    const first = readAddress(range.first, family, `${field}.first`)
    const last = readAddress(range.last, family, `${field}.last`)
    if (Buffer.compare(first, last) > 0) throw new DecodeError(field, 'a range ends before it begins')
    if (before !== undefined && Buffer.compare(before, first) >= 0)
      throw new DecodeError(field, 'the ranges do not ascend')
    before = last
    packed.set(first, at)
    packed.set(last, at + size)
    at += 2 * size
  }
  return packed
}

function readSubnet(subnet: Message<'Subnet'>, family: Family): Subnet {
  const at = `config.subnets (id ${subnet.id})`
  return {
    id: subnet.id,
    prefix: readAddress(subnet.prefix, family, `${at}.prefix`),
    prefixLength: readLength(subnet.prefixLength, family, `${at}.prefix_length`),
    sharedNetwork: subnet.sharedNetwork,
    pools: subnet.pools.map((pool) => ({
      first: readAddress(pool.first, family, `${at}.pools.first`),
      last: readAddress(pool.last, family, `${at}.pools.last`),
    })),
    prefixPools: subnet.prefixPools.map((pool) => ({
      prefix: readAddress(pool.prefix, family, `${at}.prefix_pools.prefix`),
      prefixLength: readLength(pool.prefixLength, family, `${at}.prefix_pools.prefix_length`),
      delegatedLength: readLength(pool.delegatedLength, family, `${at}.prefix_pools.delegated_length`),
    })),
    relayAddresses: subnet.relayAddresses.map((address) =>
      readAddress(address, family, `${at}.relay_addresses`),
    ),
    renewTimer: subnet.renewTimer,
    rebindTimer: subnet.rebindTimer,
  }
}

function addressSize(family: Family): number {
  return family === 4 ? 4 : 16
}

function readAddress(address: Uint8Array, family: Family, field: string): Uint8Array {
  const size = addressSize(family)
  if (address.length !== size) throw new DecodeError(field, `${address.length} octets instead of ${size}`)
  return address
}

function readLength(length: number, family: Family, field: string): number {
  const most = family === 4 ? 32 : 128
  if (length > most) throw new DecodeError(field, `${length} exceeds ${most}`)
  return length
}

/** Sequence numbers and clocks are never rounded: what is no safe integer is refused. */
function safe(value: number, field: string): number {
  if (!Number.isSafeInteger(value))
    throw new DecodeError(field, `${value} is no number that can be kept exactly`)
  return value
}

function epochText(epoch: Uint8Array, field: string): string {
  if (epoch.length !== EPOCH_OCTETS) {
    throw new DecodeError(field, `${epoch.length} octets instead of ${EPOCH_OCTETS}`)
  }
  return Buffer.from(epoch.buffer, epoch.byteOffset, epoch.byteLength).toString('hex')
}
