// The chains that Bulk queries walk: by hardware address (DHCPv4), client, subnet (DHCPv6), relay-id and remote-id.
//
// In DHCPv6 a binding may have a relay-id and a remote-id of each hop: the first value of each is in one set of chains, the
// second in another, and so on; sets that few bindings need take little memory.
import type { BindingData } from '../binding.ts'
import { Word } from '../record-words.ts'
import type { BindingTable } from './binding-table.ts'
import { Chains } from './chains.ts'
import { findRelaySelectors, Spans } from './indexes.ts'
import type { KeyedHash } from './keyed-hash.ts'

/** Distinct relay-ids, and remote-ids, by which one binding is found: one of each relay on the longest way (RFC 8415 section 7.6). */
export const MAX_LEVELS = 9

/** Index among the octet fields of a record. */
export const Field = { hardwareAddress: 0, clientId: 1, relay: 3 } as const

/** Sets of chains, as bits of a mask. */
const HARDWARE = 1 << 0
const CLIENT = 1 << 1
const SUBNET = 1 << 2
const RELAY_ID = 1 << 3
const REMOTE_ID = RELAY_ID << MAX_LEVELS
/** Relay data differs, though perhaps in nothing that selects. */
const RELAY_DATA = REMOTE_ID << MAX_LEVELS
/** Something that selects but has no chain differs. */
const UNCHAINED = RELAY_DATA << 1

/** All chains of a binding. */
export const ALL_CHAINS = -1
/** The chain of its client. */
export const CLIENT_CHAIN = CLIENT

/** A chain by its value. */
export interface ChainOf {
  readonly chains: Chains
  readonly hash: number
  readonly value: Uint8Array
}

export class SelectorChains {
  readonly #table: BindingTable
  readonly #hash: KeyedHash
  readonly #byHardware: Chains | undefined
  readonly #byClient: Chains
  readonly #bySubnet: Chains | undefined
  /** One for each level; made when the first binding needs it. */
  readonly #byRelayId: Chains[] = []
  readonly #byRemoteId: Chains[] = []
  // Scratch: values of the binding at hand, of the one it is compared with, and of what is about to be stored.
  readonly #relayIds = new Spans(MAX_LEVELS)
  readonly #remoteIds = new Spans(MAX_LEVELS)
  readonly #otherRelayIds = new Spans(MAX_LEVELS)
  readonly #otherRemoteIds = new Spans(MAX_LEVELS)

  constructor(table: BindingTable, hash: KeyedHash) {
    this.#table = table
    this.#hash = hash
    if (table.family === 4) {
      this.#byHardware = new Chains((at, value) => table.octets.has(at, Field.hardwareAddress, value))
    } else {
      this.#bySubnet = new Chains((at, value) => table.rows.get(at, Word.subnetId) === subnetOf(value))
    }
    this.#byClient = new Chains((at, value) => table.octets.has(at, Field.clientId, value))
  }

  /**
   * What selects and would differ if `data` took the place of what is stored; 0 = nothing does. To be called before
   * the record is overwritten, and the result handed to {@link unlink} and, after it, to {@link link}.
   * `octets`: which octet fields differ, see RecordOctets.differing().
   */
  differing(ordinal: number, data: BindingData, octets: number): number {
    const table = this.#table
    const { rows } = table
    let mask = 0
    if ((octets & (1 << Field.clientId)) !== 0) mask |= CLIENT
    if (rows.get(ordinal, Word.subnetId) !== data.subnetId) mask |= SUBNET
    if ((octets & (1 << Field.hardwareAddress)) !== 0) mask |= HARDWARE
    if (
      (table.flags(ordinal) & 0xffff) !== data.hardwareType ||
      ((rows.get(ordinal, Word.kind) >>> 16) & 0xff) !== data.prefixLength
    ) {
      mask |= UNCHAINED
    }
    if ((octets & (1 << Field.relay)) !== 0) mask |= RELAY_DATA | this.#differingRelay(ordinal, data)
    return mask
  }

  /** Takes a binding out of the chains of `mask`: of all of them before any {@link link}, as a scan relies on. */
  unlink(ordinal: number, mask: number): void {
    if ((mask & HARDWARE) !== 0) this.#byHardware?.remove(ordinal)
    if ((mask & CLIENT) !== 0) this.#byClient.remove(ordinal)
    if ((mask & SUBNET) !== 0) this.#bySubnet?.remove(ordinal)
    for (let level = 0; level < this.#byRelayId.length; level++) {
      if ((mask & (RELAY_ID << level)) !== 0) this.#byRelayId[level]!.remove(ordinal)
    }
    for (let level = 0; level < this.#byRemoteId.length; level++) {
      if ((mask & (REMOTE_ID << level)) !== 0) this.#byRemoteId[level]!.remove(ordinal)
    }
  }

  /** Makes room for so many bindings at once, while there is none yet. */
  reserve(bindings: number): void {
    this.#byClient.reserve(bindings)
    this.#byHardware?.reserve(bindings)
  }

  /** Puts a binding, as it is stored now, into the chains of `mask`, where it is not yet. */
  link(ordinal: number, mask: number): void {
    const table = this.#table
    if ((mask & HARDWARE) !== 0 && this.#byHardware !== undefined) {
      this.#linkOctets(this.#byHardware, ordinal, table.octets.field(ordinal, Field.hardwareAddress))
    }
    if ((mask & CLIENT) !== 0) {
      this.#linkOctets(this.#byClient, ordinal, table.octets.field(ordinal, Field.clientId))
    }
    if ((mask & SUBNET) !== 0 && this.#bySubnet !== undefined) {
      this.#linkOctets(this.#bySubnet, ordinal, subnetValue(table.rows.get(ordinal, Word.subnetId)))
    }
    if ((mask & ~(HARDWARE | CLIENT | SUBNET | RELAY_DATA | UNCHAINED)) === 0) return
    const relay = table.octets.field(ordinal, Field.relay)
    if (relay.length === 0) return
    // Chains compare by means of the other spans.
    findRelaySelectors(table.family, relay, 0, relay.length, this.#relayIds, this.#remoteIds)
    for (let level = 0; level < this.#relayIds.count; level++) {
      if ((mask & (RELAY_ID << level)) !== 0) {
        this.#linkSpan(this.#levelOf(this.#byRelayId, level, true), ordinal, relay, this.#relayIds, level)
      }
    }
    for (let level = 0; level < this.#remoteIds.count; level++) {
      if ((mask & (REMOTE_ID << level)) !== 0) {
        this.#linkSpan(this.#levelOf(this.#byRemoteId, level, false), ordinal, relay, this.#remoteIds, level)
      }
    }
  }

  // ---- chains by value; an empty value has none

  byHardwareAddress(value: Uint8Array): ChainOf[] {
    return this.#byHardware === undefined ? [] : this.#chainOf([this.#byHardware], value)
  }

  byClientId(value: Uint8Array): ChainOf[] {
    return this.#chainOf([this.#byClient], value)
  }

  bySubnet(subnetId: number): ChainOf[] {
    return this.#bySubnet === undefined ? [] : this.#chainOf([this.#bySubnet], subnetValue(subnetId))
  }

  /** One for each level: a binding is in one of them at most. */
  byRelayId(value: Uint8Array): ChainOf[] {
    return this.#chainOf(this.#byRelayId, value)
  }

  /** As {@link byRelayId}. */
  byRemoteId(value: Uint8Array): ChainOf[] {
    return this.#chainOf(this.#byRemoteId, value)
  }

  /** First binding of this client, 0 = none; go on with {@link nextOfClient}. */
  firstOfClient(clientId: Uint8Array): number {
    return clientId.length === 0 ? 0 : this.#byClient.first(this.#hash.of(clientId), clientId)
  }

  nextOfClient(ordinal: number): number {
    return this.#byClient.next(ordinal)
  }

  /** The other bindings of its client, see {@link Chains.others}. */
  othersOfClient(ordinal: number, most: number): readonly number[] | undefined {
    return this.#byClient.others(ordinal, most)
  }

  /** Whether a stored binding has this relay-id, at any hop. */
  hasRelayId(ordinal: number, value: Uint8Array): boolean {
    return this.#hasSelector(ordinal, value, true)
  }

  /** Whether a stored binding has this remote-id, at any hop. */
  hasRemoteId(ordinal: number, value: Uint8Array): boolean {
    return this.#hasSelector(ordinal, value, false)
  }

  /** Octets held, for measurements. */
  get octets(): number {
    let octets = this.#byClient.octets + (this.#byHardware?.octets ?? 0) + (this.#bySubnet?.octets ?? 0)
    for (const chains of this.#byRelayId) octets += chains.octets
    for (const chains of this.#byRemoteId) octets += chains.octets
    return octets
  }

  #chainOf(sets: readonly Chains[], value: Uint8Array): ChainOf[] {
    if (value.length === 0) return []
    const hash = this.#hash.of(value)
    return sets.map((chains) => ({ chains, hash, value }))
  }

  #linkOctets(chains: Chains, ordinal: number, value: Uint8Array): void {
    if (value.length > 0) chains.add(ordinal, this.#hash.of(value), value)
  }

  #linkSpan(chains: Chains, ordinal: number, relay: Uint8Array, spans: Spans, level: number): void {
    this.#linkOctets(chains, ordinal, relay.subarray(spans.starts[level], spans.ends[level]))
  }

  #levelOf(sets: Chains[], level: number, relayId: boolean): Chains {
    let chains = sets[level]
    if (chains === undefined) {
      chains = new Chains((at, value) => this.#hasAtLevel(at, value, level, relayId))
      sets[level] = chains
    }
    return chains
  }

  #hasAtLevel(ordinal: number, value: Uint8Array, level: number, relayId: boolean): boolean {
    const relay = this.#findOther(ordinal)
    const spans = relayId ? this.#otherRelayIds : this.#otherRemoteIds
    return level < spans.count && isSpan(relay, spans, level, value)
  }

  #hasSelector(ordinal: number, value: Uint8Array, relayId: boolean): boolean {
    const relay = this.#findOther(ordinal)
    const spans = relayId ? this.#otherRelayIds : this.#otherRemoteIds
    for (let level = 0; level < spans.count; level++) if (isSpan(relay, spans, level, value)) return true
    return false
  }

  #findOther(ordinal: number): Uint8Array {
    const relay = this.#table.octets.field(ordinal, Field.relay)
    const { family } = this.#table
    findRelaySelectors(family, relay, 0, relay.length, this.#otherRelayIds, this.#otherRemoteIds)
    return relay
  }

  #differingRelay(ordinal: number, data: BindingData): number {
    const { family } = this.#table
    const { relay } = data
    findRelaySelectors(family, relay, 0, relay.length, this.#relayIds, this.#remoteIds)
    const stored = this.#findOther(ordinal)
    return (
      differingLevels(RELAY_ID, stored, this.#otherRelayIds, relay, this.#relayIds) |
      differingLevels(REMOTE_ID, stored, this.#otherRemoteIds, relay, this.#remoteIds)
    )
  }
}

function differingLevels(bit: number, a: Uint8Array, inA: Spans, b: Uint8Array, inB: Spans): number {
  let mask = 0
  for (let level = 0; level < Math.max(inA.count, inB.count); level++) {
    const same =
      level < inA.count &&
      level < inB.count &&
      isSpan(a, inA, level, b.subarray(inB.starts[level], inB.ends[level]))
    if (!same) mask |= bit << level
  }
  return mask
}

function isSpan(octets: Uint8Array, spans: Spans, level: number, value: Uint8Array): boolean {
  const start = spans.starts[level]!
  if (spans.ends[level]! - start !== value.length) return false
  for (let i = 0; i < value.length; i++) if (octets[start + i] !== value[i]) return false
  return true
}

function subnetValue(subnetId: number): Uint8Array {
  return Uint8Array.of(subnetId >>> 24, subnetId >>> 16, subnetId >>> 8, subnetId)
}

function subnetOf(value: Uint8Array): number {
  return ((value[0]! << 24) | (value[1]! << 16) | (value[2]! << 8) | value[3]!) >>> 0
}
