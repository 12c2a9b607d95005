// Octets of the feed → our own types, or a DecodeError naming the field. Octet fields are views into the message: they
// cost nothing, and whoever keeps them copies them.
import { type Family, NO_OCTETS, Origin } from '../binding.ts'
import { decodeMessage, type Message, type MessageName } from './contract.ts'
import { DecodeError } from './decode-error.ts'
import {
  type Annotation,
  type ConfigPage,
  type EventBatch,
  type FeedEvent,
  type FeedMessage,
  type FeedReply,
  type Heartbeat,
  type Hello,
  KeaState,
  type LeaseChange,
  type LeaseRow,
  Operation,
  type PacketData,
  type ReplyBody,
  type SnapshotPage,
  type Subnet,
  type UnreadableRow,
} from './events.ts'
import { octets, relayOctets } from './relay-data.ts'

const PREFIX = 1
const EPOCH_OCTETS = 16
/** The hook keeps no event longer than this, so no field of one can be. Bounds what a client can make a binding hold. */
const MAX_OCTETS = 16 * 1024
const MAX_HARDWARE_TYPE = 0xffff
/** Kea's cltt is a time of its clock; 32 bits last until 2106. */
const MAX_CLTT = 0xfffffffe

/**
 * A frame of the PUB socket. A single event that cannot be read does not spoil its batch: it comes out as `unreadable`.
 * @throws DecodeError
 */
export function decodeFeedMessage(frame: Uint8Array, family: Family): FeedMessage {
  const { batch, heartbeat } = decodeAs('FeedMessage', frame)
  if (batch != null) return readBatch(batch, family, 'batch')
  if (heartbeat != null) return readHeartbeat(heartbeat)
  throw new DecodeError('body', 'neither a batch nor a heartbeat')
}

/** A reply of the ROUTER socket. @throws DecodeError */
export function decodeReply(frame: Uint8Array, family: Family): FeedReply {
  const reply = decodeAs('Reply', frame)
  return {
    id: safe(reply.id, 'id'),
    epoch: epochText(reply.epoch, 'epoch'),
    body: readReplyBody(reply, family),
  }
}

function decodeAs<N extends MessageName>(name: N, frame: Uint8Array): Message<N> {
  try {
    return decodeMessage(name, frame)
  } catch (error) {
    throw new DecodeError(name, error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function readReplyBody(reply: Message<'Reply'>, family: Family): ReplyBody {
  if (reply.hello != null) return readHello(reply.hello)
  if (reply.replay != null) return readBatch(reply.replay, family, 'replay')
  if (reply.page != null) return readPage(reply.page, family)
  if (reply.config != null) return readConfig(reply.config, family)
  if (reply.report != null) return { kind: 'report-accepted' }
  if (reply.error != null) return { kind: 'error', code: reply.error.code, text: reply.error.text }
  throw new DecodeError('body', 'no reply this version knows')
}

function readBatch(batch: Message<'EventBatch'>, family: Family, field: string): EventBatch {
  const firstSeq = safe(batch.firstSeq, `${field}.first_seq`)
  safe(firstSeq + batch.events.length, `${field}.first_seq`)
  if (firstSeq < 1 && batch.events.length > 0)
    throw new DecodeError(`${field}.first_seq`, 'numbers begin at 1')
  const clock = safe(batch.clock, `${field}.clock`)
  const events = new Array<FeedEvent>(batch.events.length)
  for (let i = 0; i < events.length; i++) events[i] = readEvent(batch.events[i]!, family)
  return { kind: 'batch', epoch: epochText(batch.epoch, `${field}.epoch`), firstSeq, clock, events }
}

function readEvent(event: Message<'Event'>, family: Family): FeedEvent {
  try {
    if (event.change != null) return readChange(event.change, family)
    if (event.annotation != null) return readAnnotation(event.annotation, family)
    return { kind: 'unknown' }
  } catch (error) {
    if (error instanceof DecodeError) return { kind: 'unreadable', error }
    throw error
  }
}

function readChange(change: Message<'LeaseChange'>, family: Family): LeaseChange {
  const { operation, lease } = change
  if (operation !== Operation.add && operation !== Operation.update && operation !== Operation.delete) {
    throw new DecodeError('change.operation', `${operation} is none this version knows`)
  }
  if (lease == null) throw new DecodeError('change.lease', 'missing')
  return {
    kind: 'change',
    operation,
    lease: readLease(lease, family, 'change.lease'),
    origin: readOrigin(change.origin),
    packet: change.packet == null ? undefined : readPacket(change.packet, family, 'change.packet'),
  }
}

function readAnnotation(annotation: Message<'Annotation'>, family: Family): Annotation {
  return {
    kind: 'annotation',
    address: readAddress(annotation.address, family, 'annotation.address'),
    hardwareType: annotation.hardwareType,
    hardwareAddress: bounded(annotation.hardwareAddress, 'annotation.hardware_address'),
    clientId: bounded(annotation.clientId, 'annotation.client_id'),
    origin: readOrigin(annotation.origin),
    packet:
      annotation.packet == null ? undefined : readPacket(annotation.packet, family, 'annotation.packet'),
  }
}

function readLease(lease: Message<'Lease'>, family: Family, field: string): LeaseRow {
  const isPrefix = lease.type === PREFIX
  if (isPrefix && family === 4) throw new DecodeError(`${field}.type`, 'a prefix in DHCPv4')
  if (isPrefix ? lease.prefixLength < 1 || lease.prefixLength > 128 : lease.prefixLength !== 0) {
    throw new DecodeError(
      `${field}.prefix_length`,
      `${lease.prefixLength} of ${isPrefix ? 'a prefix' : 'an address'}`,
    )
  }
  if (lease.hardwareType > MAX_HARDWARE_TYPE) {
    throw new DecodeError(`${field}.hardware_type`, `${lease.hardwareType} exceeds ${MAX_HARDWARE_TYPE}`)
  }
  if (lease.cltt > MAX_CLTT) throw new DecodeError(`${field}.cltt`, `${lease.cltt} exceeds ${MAX_CLTT}`)
  const clientId = bounded(lease.clientId, `${field}.client_id`)
  return {
    address: readAddress(lease.address, family, `${field}.address`),
    prefixLength: lease.prefixLength,
    keaState: lease.state,
    subnetId: lease.subnetId,
    iaid: lease.iaid,
    hardwareType: lease.hardwareType,
    hardwareAddress: bounded(lease.hardwareAddress, `${field}.hardware_address`),
    clientId: lease.state === KeaState.declined && isEmptyDuid(clientId) ? NO_OCTETS : clientId,
    validLifetime: lease.validLifetime,
    preferredLifetime: lease.preferredLifetime,
    clientLastTransaction: lease.cltt,
    hostname: bounded(lease.hostname, `${field}.hostname`),
    storedRelay: readRelay(lease.storedRelay, family, `${field}.stored_relay`),
  }
}

/** Kea's "empty DUID", three zero octets, stands in declined leases for: nobody. */
function isEmptyDuid(duid: Uint8Array): boolean {
  return duid.length === 3 && duid[0] === 0 && duid[1] === 0 && duid[2] === 0
}

function readPacket(packet: Message<'PacketData'>, family: Family, field: string): PacketData {
  return {
    messageType: packet.messageType,
    relay: readRelay(packet.relay, family, `${field}.relay`),
    options: bounded(packet.options, `${field}.options`),
  }
}

function readRelay(
  relay: Message<'RelayInfo'> | null | undefined,
  family: Family,
  field: string,
): Uint8Array | undefined {
  const body = relay == null ? undefined : relayOctets(relay, family, field)
  return body === undefined ? undefined : bounded(body, field)
}

function bounded(value: Uint8Array, field: string): Uint8Array {
  if (value.length > MAX_OCTETS) throw new DecodeError(field, `${value.length} octets exceed ${MAX_OCTETS}`)
  return octets(value)
}

/** A later minor version may know more origins: to this one they are unknown ones. */
function readOrigin(origin: number): Origin {
  return origin >= Origin.unknown && origin <= Origin.partner ? (origin as Origin) : Origin.unknown
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
    serverDuid: octets(hello.serverDuid),
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

function readPage(page: Message<'SnapshotPage'>, family: Family): SnapshotPage {
  const leases: LeaseRow[] = []
  const unreadable: UnreadableRow[] = []
  const size = addressSize(family)
  for (const lease of page.leases) {
    try {
      leases.push(readLease(lease, family, 'page.leases'))
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      unreadable.push({ address: lease.address.length === size ? lease.address : undefined, error })
    }
  }
  if (page.after.length !== 0 && page.after.length !== size) {
    throw new DecodeError('page.after', `${page.after.length} octets instead of ${size}`)
  }
  return {
    kind: 'page',
    walk: safe(page.walk, 'page.walk'),
    after: octets(page.after),
    stamp: safe(page.stamp, 'page.stamp'),
    clock: safe(page.clock, 'page.clock'),
    leases,
    unreadable,
    end: page.end,
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
  return (epoch as Buffer).toString('hex')
}
