// Leases and packets as they come in batches and pages, octets → our own types. The numbers are those of the fields in
// proto/lease_feed.proto, shifted by three, with the type of the field: 0 = a number, 2 = octets or a message.
import { type Family, NO_OCTETS, Origin } from '../binding.ts'
import type { Message } from './contract.ts'
import { DecodeError } from './decode-error.ts'
import {
  type Annotation,
  KeaState,
  type LeaseChange,
  type LeaseRow,
  Operation,
  type PacketData,
} from './events.ts'
import { relayOctets } from './relay-data.ts'
import type { WireReader } from './wire-reader.ts'

const PREFIX = 1
/** The hook keeps no event longer than this, so no field of one can be. Bounds what a client can make a binding hold. */
const MAX_OCTETS = 16 * 1024
const MAX_HARDWARE_TYPE = 0xffff
/** Kea's cltt is a time of its clock; 32 bits last until 2106. */
const MAX_CLTT = 0xfffffffe

/** @throws DecodeError naming the field; what is no message at all is an Error, as everywhere here */
export function readChange(wire: WireReader, family: Family): LeaseChange {
  const end = wire.end()
  let operation = 0
  let origin = 0
  let lease: LeaseRow | undefined
  let packet: PacketData | undefined
  while (wire.at < end) {
    const tag = wire.uint32()
    switch (tag) {
      case 8:
        operation = wire.uint32()
        break
      case 18:
        lease = readLease(wire, family, 'change.lease')
        break
      case 24:
        origin = wire.uint32()
        break
      case 34:
        packet = readPacket(wire, family, 'change.packet')
        break
      default:
        wire.skip(tag)
    }
  }
  wire.close(end)
  if (operation !== Operation.add && operation !== Operation.update && operation !== Operation.delete) {
    throw new DecodeError('change.operation', `${operation} is none this version knows`)
  }
  if (lease === undefined) throw new DecodeError('change.lease', 'missing')
  return { kind: 'change', operation, lease, origin: readOrigin(origin), packet }
}

/** As {@link readChange}. */
export function readAnnotation(wire: WireReader, family: Family): Annotation {
  const end = wire.end()
  let address = NO_OCTETS
  let hardwareAddress = NO_OCTETS
  let clientId = NO_OCTETS
  let hardwareType = 0
  let origin = 0
  let packet: PacketData | undefined
  while (wire.at < end) {
    const tag = wire.uint32()
    switch (tag) {
      case 10:
        address = wire.bytes()
        break
      case 18:
        hardwareAddress = wire.bytes()
        break
      case 26:
        clientId = wire.bytes()
        break
      case 32:
        hardwareType = wire.uint32()
        break
      case 40:
        origin = wire.uint32()
        break
      case 50:
        packet = readPacket(wire, family, 'annotation.packet')
        break
      default:
        wire.skip(tag)
    }
  }
  wire.close(end)
  return {
    kind: 'annotation',
    address: ofFamily(address, family, 'annotation', 'address'),
    hardwareType,
    hardwareAddress: bounded(hardwareAddress, 'annotation', 'hardware_address'),
    clientId: bounded(clientId, 'annotation', 'client_id'),
    origin: readOrigin(origin),
    packet,
  }
}

/** As {@link readChange}; `field` is what the message of an error calls it. */
export function readLease(wire: WireReader, family: Family, field: string): LeaseRow {
  const end = wire.end()
  let address = NO_OCTETS
  let type = 0
  let prefixLength = 0
  let keaState = 0
  let validLifetime = 0
  let preferredLifetime = 0
  let cltt = 0
  let subnetId = 0
  let iaid = 0
  let hardwareType = 0
  let hardwareAddress = NO_OCTETS
  let clientId = NO_OCTETS
  let hostname = NO_OCTETS
  let storedRelay: Uint8Array | undefined
  while (wire.at < end) {
    const tag = wire.uint32()
    switch (tag) {
      case 10:
        address = wire.bytes()
        break
      case 16:
        type = wire.uint32()
        break
      case 24:
        prefixLength = wire.uint32()
        break
      case 32:
        keaState = wire.uint32()
        break
      case 40:
        validLifetime = wire.uint32()
        break
      case 48:
        preferredLifetime = wire.uint32()
        break
      case 56:
        cltt = wire.uint64()
        break
      case 64:
        subnetId = wire.uint32()
        break
      case 80:
        iaid = wire.uint32()
        break
      case 88:
        hardwareType = wire.uint32()
        break
      case 98:
        hardwareAddress = wire.bytes()
        break
      case 106:
        clientId = wire.bytes()
        break
      case 114:
        hostname = wire.bytes()
        break
      case 138:
        storedRelay = readRelay(wire, family, field, 'stored_relay')
        break
      default:
        wire.skip(tag)
    }
  }
  wire.close(end)
  const isPrefix = type === PREFIX
  if (isPrefix && family === 4) throw new DecodeError(`${field}.type`, 'a prefix in DHCPv4')
  if (isPrefix ? prefixLength < 1 || prefixLength > 128 : prefixLength !== 0) {
    throw new DecodeError(
      `${field}.prefix_length`,
      `${prefixLength} of ${isPrefix ? 'a prefix' : 'an address'}`,
    )
  }
  if (hardwareType > MAX_HARDWARE_TYPE) {
    throw new DecodeError(`${field}.hardware_type`, `${hardwareType} exceeds ${MAX_HARDWARE_TYPE}`)
  }
  if (cltt > MAX_CLTT) throw new DecodeError(`${field}.cltt`, `${cltt} exceeds ${MAX_CLTT}`)
  bounded(clientId, field, 'client_id')
  return {
    address: ofFamily(address, family, field, 'address'),
    prefixLength,
    keaState,
    subnetId,
    iaid,
    hardwareType,
    hardwareAddress: bounded(hardwareAddress, field, 'hardware_address'),
    clientId: keaState === KeaState.declined && isEmptyDuid(clientId) ? NO_OCTETS : clientId,
    validLifetime,
    preferredLifetime,
    clientLastTransaction: cltt,
    hostname: bounded(hostname, field, 'hostname'),
    storedRelay,
  }
}

/** Kea's "empty DUID", three zero octets, stands in declined leases for: nobody. */
function isEmptyDuid(duid: Uint8Array): boolean {
  return duid.length === 3 && duid[0] === 0 && duid[1] === 0 && duid[2] === 0
}

function readPacket(wire: WireReader, family: Family, field: string): PacketData {
  const end = wire.end()
  let messageType = 0
  let relay: Uint8Array | undefined
  let options = NO_OCTETS
  while (wire.at < end) {
    const tag = wire.uint32()
    switch (tag) {
      case 8:
        messageType = wire.uint32()
        break
      case 18:
        relay = readRelay(wire, family, field, 'relay')
        break
      case 26:
        options = wire.bytes()
        break
      default:
        wire.skip(tag)
    }
  }
  wire.close(end)
  return { messageType, relay, options: bounded(options, field, 'options') }
}

function readRelay(wire: WireReader, family: Family, field: string, name: string): Uint8Array | undefined {
  const end = wire.end()
  let agentInfo = NO_OCTETS
  let source = NO_OCTETS
  const hops: Message<'RelayHop'>[] = []
  while (wire.at < end) {
    const tag = wire.uint32()
    switch (tag) {
      case 10:
        agentInfo = wire.bytes()
        break
      case 18:
        hops.push(readHop(wire))
        break
      case 26:
        source = wire.bytes()
        break
      default:
        wire.skip(tag)
    }
  }
  wire.close(end)
  const body = relayOctets({ agentInfo, hops, source }, family, field, name)
  return body === undefined ? undefined : bounded(body, field, name)
}

function readHop(wire: WireReader): Message<'RelayHop'> {
  const end = wire.end()
  let hopCount = 0
  let linkAddress = NO_OCTETS
  let peerAddress = NO_OCTETS
  let options = NO_OCTETS
  while (wire.at < end) {
    const tag = wire.uint32()
    switch (tag) {
      case 8:
        hopCount = wire.uint32()
        break
      case 18:
        linkAddress = wire.bytes()
        break
      case 26:
        peerAddress = wire.bytes()
        break
      case 34:
        options = wire.bytes()
        break
      default:
        wire.skip(tag)
    }
  }
  wire.close(end)
  return { hopCount, linkAddress, peerAddress, options }
}

function bounded(value: Uint8Array, field: string, name: string): Uint8Array {
  if (value.length > MAX_OCTETS) {
    throw new DecodeError(`${field}.${name}`, `${value.length} octets exceed ${MAX_OCTETS}`)
  }
  return value
}

function ofFamily(address: Uint8Array, family: Family, field: string, name: string): Uint8Array {
  const size = family === 4 ? 4 : 16
  if (address.length !== size) {
    throw new DecodeError(`${field}.${name}`, `${address.length} octets instead of ${size}`)
  }
  return address
}

/** A later minor version may know more origins: to this one they are unknown ones. */
function readOrigin(origin: number): Origin {
  return origin >= Origin.unknown && origin <= Origin.partner ? (origin as Origin) : Origin.unknown
}
