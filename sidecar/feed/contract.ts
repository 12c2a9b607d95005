// The contract with the hook, read from proto/lease_feed.proto when the module is loaded. The table below says what
// this side takes from it; the types follow from the table, and a test holds it equal to the file.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import { packageRoot } from '../package-root.ts'

/** Of proto/lease_feed.proto as this program knows it. Another major version cannot be followed. */
export const CONTRACT_MAJOR = 1
export const CONTRACT_MINOR = 2

/** Message → field → type. `[]` = repeated, `?` = absent is told from empty (messages, and members of a oneof). */
export const contractFields = {
  Lease: {
    address: 'bytes',
    type: 'LeaseType',
    prefixLength: 'uint32',
    state: 'uint32',
    validLifetime: 'uint32',
    preferredLifetime: 'uint32',
    cltt: 'uint64',
    subnetId: 'uint32',
    poolId: 'uint32',
    iaid: 'uint32',
    hardwareType: 'uint32',
    hardwareAddress: 'bytes',
    clientId: 'bytes',
    hostname: 'bytes',
    fqdnForward: 'bool',
    fqdnReverse: 'bool',
    storedRelay: 'RelayInfo?',
  },
  RelayInfo: { agentInfo: 'bytes', hops: 'RelayHop[]', source: 'bytes' },
  RelayHop: { hopCount: 'uint32', linkAddress: 'bytes', peerAddress: 'bytes', options: 'bytes' },
  PacketData: { messageType: 'uint32', relay: 'RelayInfo?', options: 'bytes' },
  Event: { change: 'LeaseChange?', annotation: 'Annotation?' },
  LeaseChange: { operation: 'Operation', lease: 'Lease?', origin: 'Origin', packet: 'PacketData?' },
  Annotation: {
    address: 'bytes',
    hardwareAddress: 'bytes',
    clientId: 'bytes',
    hardwareType: 'uint32',
    origin: 'Origin',
    packet: 'PacketData?',
  },
  FeedMessage: { batch: 'EventBatch?', heartbeat: 'Heartbeat?' },
  EventBatch: { epoch: 'bytes', firstSeq: 'uint64', clock: 'uint64', events: 'Event[]' },
  Heartbeat: {
    epoch: 'bytes',
    lastSeq: 'uint64',
    oldestSeq: 'uint64',
    clock: 'uint64',
    configGeneration: 'uint64',
    resyncGeneration: 'uint64',
    serviceGeneration: 'uint64',
    ringEvents: 'uint64',
    overwritten: 'uint64',
    lost: 'uint64',
    cut: 'uint64',
  },
  Request: {
    id: 'uint64',
    epoch: 'bytes',
    hello: 'HelloRequest?',
    replay: 'ReplayRequest?',
    page: 'SnapshotPageRequest?',
    config: 'ConfigRequest?',
    report: 'Report?',
  },
  Reply: {
    id: 'uint64',
    epoch: 'bytes',
    hello: 'Hello?',
    replay: 'EventBatch?',
    page: 'SnapshotPage?',
    config: 'Config?',
    report: 'ReportAccepted?',
    error: 'Error?',
  },
  Error: { code: 'Code', text: 'string' },
  HelloRequest: { contractMajor: 'uint32', contractMinor: 'uint32', follower: 'string' },
  Hello: {
    contractMajor: 'uint32',
    contractMinor: 'uint32',
    family: 'Family',
    keaVersion: 'string',
    hookVersion: 'string',
    lastSeq: 'uint64',
    oldestSeq: 'uint64',
    clock: 'uint64',
    serverDuid: 'bytes',
    serverIdentifiers: 'bytes[]',
    service: 'string',
    serviceGeneration: 'uint64',
    configGeneration: 'uint64',
    resyncGeneration: 'uint64',
    tap: 'bool',
    extendedInfo: 'bool',
  },
  ReplayRequest: { fromSeq: 'uint64', limit: 'uint32' },
  SnapshotPageRequest: { walk: 'uint64', after: 'bytes', limit: 'uint32' },
  SnapshotPage: {
    walk: 'uint64',
    after: 'bytes',
    stamp: 'uint64',
    clock: 'uint64',
    leases: 'Lease[]',
    end: 'bool',
  },
  ConfigRequest: { page: 'uint32', generation: 'uint64' },
  Config: {
    generation: 'uint64',
    subnets: 'Subnet[]',
    reserved: 'AddressRange[]',
    page: 'uint32',
    pages: 'uint32',
  },
  AddressRange: { first: 'bytes', last: 'bytes' },
  Subnet: {
    id: 'uint32',
    prefix: 'bytes',
    prefixLength: 'uint32',
    sharedNetwork: 'string',
    pools: 'Pool[]',
    prefixPools: 'PrefixPool[]',
    relayAddresses: 'bytes[]',
    renewTimer: 'uint32',
    rebindTimer: 'uint32',
  },
  Pool: { first: 'bytes', last: 'bytes' },
  PrefixPool: { prefix: 'bytes', prefixLength: 'uint32', delegatedLength: 'uint32' },
  Report: {
    follower: 'string',
    state: 'string',
    appliedSeq: 'uint64',
    bindings: 'uint64',
    requestors: 'uint32',
    problems: 'Problem[]',
  },
  Problem: { parameter: 'string', text: 'string' },
  ReportAccepted: {},
} as const

type Contract = typeof contractFields
/** A message of the contract. */
export type MessageName = keyof Contract

type FieldValue<T extends string> = T extends `${infer Each}[]`
  ? readonly FieldValue<Each>[]
  : T extends `${infer Present}?`
    ? FieldValue<Present> | null | undefined
    : T extends MessageName
      ? Message<T>
      : T extends 'bytes'
        ? Uint8Array
        : T extends 'string'
          ? string
          : T extends 'bool'
            ? boolean
            : number

/** A decoded message. 64-bit numbers are plain ones: whoever reads them checks that they are safe integers. */
export type Message<N extends MessageName> = {
  readonly [F in keyof Contract[N]]: FieldValue<Contract[N][F] & string>
}

/** What is given to the encoder: any field may be left out. */
export type Draft<N extends MessageName> = {
  readonly [F in keyof Contract[N]]?: DraftValue<Contract[N][F] & string> | undefined
}

type DraftValue<T extends string> = T extends `${infer Each}[]`
  ? readonly DraftValue<Each>[]
  : T extends `${infer Present}?`
    ? DraftValue<Present> | null
    : T extends MessageName
      ? Draft<T>
      : FieldValue<T>

// uint64 as plain numbers, not as objects of the `long` package: the decoder checks their range. Nothing else in the
// process uses protobufjs, so its one setting is ours.
;(protobuf.util as { Long: unknown }).Long = null
protobuf.configure()

const PACKAGE = 'kea.lease_feed.v1'

/** The parsed contract, for the test that compares it with the table. */
export const contractRoot: protobuf.Root = protobuf.parse(
  readFileSync(join(packageRoot(), 'proto', 'lease_feed.proto'), 'utf8'),
).root

const types = new Map<MessageName, protobuf.Type>()

function typeOf(name: MessageName): protobuf.Type {
  let type = types.get(name)
  if (type === undefined) {
    type = contractRoot.lookupType(`${PACKAGE}.${name}`)
    types.set(name, type)
  }
  return type
}

/** Octet fields are views into `octets`. @throws Error of protobufjs where the octets are no such message */
export function decodeMessage<N extends MessageName>(name: N, octets: Uint8Array): Message<N> {
  // protobufjs takes views without a copy from a Buffer only.
  const buffer = Buffer.isBuffer(octets)
    ? octets
    : Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
  return typeOf(name).decode(buffer) as unknown as Message<N>
}

export function encodeMessage<N extends MessageName>(name: N, message: Draft<N>): Uint8Array {
  return typeOf(name)
    .encode(message as Record<string, unknown>)
    .finish()
}
