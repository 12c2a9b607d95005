/**
 * DHCP clients behind relays, packet by packet: for what no ready-made client can be made to do. The packets are made
 * and read by code that owes nothing to the product.
 */

import assert from 'node:assert/strict'
import { addresses, interfaces } from './laboratory.ts'
import type { Endpoint, PacketPort } from './packet-port.ts'

let transaction = 0x5a0000

const types4 = { discover: 1, offer: 2, request: 3, decline: 4, ack: 5, nak: 6, release: 7 } as const

/** How a relay marks what it forwards: sub-options of option 82, or interface-id and remote-id in DHCPv6. */
export interface Attachment {
  readonly circuit?: string
  readonly remote?: string
}

interface Answer4 {
  readonly type: number
  readonly address: string
}

/** A DHCPv4 client; all it sends goes through a relay agent, unless told otherwise. */
export class CraftedClient4 {
  /** It has only IPv6, and sends what it says inside of DHCPv6 (RFC 7341). */
  overDhcpv6 = false
  readonly mac: Buffer
  readonly clientId: Buffer | undefined
  /** The address it holds. */
  address = '0.0.0.0'
  attachment: Attachment
  /** What it calls itself (option 12). */
  hostName: string | undefined
  /** Seconds it asks for (option 51). */
  leaseTime: number | undefined
  /** Where its relay agent sends what it says. */
  servers: readonly Endpoint[] = [server4]
  /** The one that answered last (option 54). */
  #server = addresses.server4 as string
  readonly #port: PacketPort

  /** @param number makes its hardware address, and its client identifier unless `bare` */
  constructor(port: PacketPort, number: number, attachment: Attachment = {}, bare = false) {
    this.#port = port
    this.mac = Buffer.from([0x02, 0, 0, 0, number >> 8, number & 0xff])
    this.clientId = bare ? undefined : Buffer.concat([Buffer.of(1), this.mac])
    this.attachment = attachment
  }

  get hardwareAddress(): string {
    return colons(this.mac)
  }

  /** DISCOVER only. @returns what was offered */
  async discover(): Promise<string> {
    const offer = await this.#exchange('DISCOVER', types4.discover, '0.0.0.0', [])
    assert.equal(offer.type, types4.offer)
    return offer.address
  }

  /** DISCOVER and REQUEST. */
  async acquire(): Promise<string> {
    const offered = await this.discover()
    const ack = await this.#exchange('REQUEST', types4.request, '0.0.0.0', [
      [50, ipv4(offered)],
      [54, ipv4(this.#server)],
    ])
    assert.equal(ack.type, types4.ack, `the REQUEST for ${offered} was refused`)
    this.address = ack.address
    return ack.address
  }

  /** REQUEST of what was offered, for a server that may not answer: wait for what it does. */
  request(offered: string): void {
    this.address = offered
    this.#say(types4.request, '0.0.0.0', [
      [50, ipv4(offered)],
      [54, ipv4(this.#server)],
    ])
  }

  /** @returns whether the server agreed (ACK, not NAK) */
  async renew(): Promise<boolean> {
    const answer = await this.#exchange('REQUEST (renewing)', types4.request, this.address, [])
    return answer.type === types4.ack
  }

  /** A renewal to the server itself, past the relay. Nobody here hears the answer: the lease file tells. */
  renewDirectly(): void {
    const octets = this.#packet(types4.request, this.address, [], ++transaction, false)
    this.#port.send({ address: addresses.client4, port: 68 }, server4, octets)
  }

  /** Never answered (RFC 2131 section 3.1): wait for what it does. */
  release(): void {
    this.#say(types4.release, this.address, [[54, ipv4(addresses.server4)]])
  }

  /** Never answered either. */
  decline(): void {
    this.#say(types4.decline, '0.0.0.0', [
      [50, ipv4(this.address)],
      [54, ipv4(addresses.server4)],
    ])
  }

  #say(type: number, ciaddr: string, options: [number, Buffer][]): void {
    const octets = this.#packet(type, ciaddr, options, ++transaction, !this.overDhcpv6)
    if (this.overDhcpv6) this.#port.send(relay6, server6, this.#queryInDhcpv6(octets))
    else this.#port.send(relay4, server4, octets)
  }

  #queryInDhcpv6(octets: Buffer): Buffer {
    const query = Buffer.concat([Buffer.of(types6.dhcpv4Query, 0, 0, 0), option6(dhcpv4Message, octets)])
    return relayed6(`fe80::4:${this.mac.readUInt16BE(4).toString(16)}`, this.attachment, query)
  }

  #exchange(what: string, type: number, ciaddr: string, options: [number, Buffer][]): Promise<Answer4> {
    const xid = ++transaction
    const octets = this.#packet(type, ciaddr, options, xid, !this.overDhcpv6)
    const name = `a ${what} of ${this.hardwareAddress}`
    const read = (answer: Buffer) => {
      if (answer.length < 240 || answer[0] !== 2 || answer.readUInt32BE(4) !== xid) return undefined
      this.#server = optionOf4(answer, 54)!.join('.')
      return { type: optionOf4(answer, 53)![0]!, address: answer.subarray(16, 20).join('.') }
    }
    if (!this.overDhcpv6) return this.#port.exchange(name, relay4, this.servers, octets, read)
    return this.#port.exchange(name, relay6, server6, this.#queryInDhcpv6(octets), (answer) => {
      const response = innerOf(answer)
      if (response?.[0] !== types6.dhcpv4Response) return undefined
      return read(optionsOf6(response.subarray(4)).get(dhcpv4Message)![0]!)
    })
  }

  #packet(type: number, ciaddr: string, options: [number, Buffer][], xid: number, relayed: boolean): Buffer {
    const fixed = Buffer.alloc(240)
    fixed.set([1, 1, 6, relayed ? 1 : 0])
    fixed.writeUInt32BE(xid, 4)
    fixed.set(ipv4(ciaddr), 12)
    if (relayed) fixed.set(ipv4(relay4.address), 24)
    fixed.set(this.mac, 28)
    fixed.set([99, 130, 83, 99], 236)
    const all: [number, Buffer][] = [[53, Buffer.of(type)], ...options]
    if (this.clientId) all.push([61, this.clientId])
    if (this.leaseTime !== undefined) {
      const seconds = Buffer.alloc(4)
      seconds.writeUInt32BE(this.leaseTime)
      all.push([51, seconds])
    }
    if (this.hostName !== undefined) all.push([12, Buffer.from(this.hostName)])
    const { circuit, remote } = this.attachment
    const agent = [
      ...(circuit === undefined ? [] : [option4(1, Buffer.from(circuit))]),
      ...(remote === undefined ? [] : [option4(2, Buffer.from(remote))]),
    ]
    if (relayed && agent.length > 0) all.push([82, Buffer.concat(agent)])
    return Buffer.concat([fixed, ...all.map(([code, data]) => option4(code, data)), Buffer.of(255)])
  }
}

const server4: Endpoint = { address: addresses.server4, port: 67 }
const relay4: Endpoint = { address: addresses.relays4[0], port: 67 }

function option4(code: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.of(code, data.length), data])
}

function optionOf4(packet: Buffer, wanted: number): Buffer | undefined {
  for (let at = 240; at < packet.length && packet[at] !== 255; ) {
    if (packet[at] === 0) at += 1
    else if (packet[at] === wanted) return packet.subarray(at + 2, at + 2 + packet[at + 1]!)
    else at += 2 + packet[at + 1]!
  }
  return undefined
}

function ipv4(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number))
}

const types6 = {
  solicit: 1,
  request: 3,
  renew: 5,
  reply: 7,
  release: 8,
  decline: 9,
  relayForward: 12,
  relayReply: 13,
  dhcpv4Query: 20,
  dhcpv4Response: 21,
  addressRegistration: 36,
  addressRegistrationReply: 37,
} as const

/** An address, or a prefix with its length. */
export interface Held6 {
  readonly kind: 'address' | 'prefix'
  readonly octets: Buffer
  readonly length: number
}

/** A DHCPv6 client behind a relay agent that adds interface-id and remote-id. */
export class CraftedClient6 {
  readonly duid: Buffer
  attachment: Attachment
  /** What it holds, of the last reply that gave it something. */
  held: Held6[] = []
  readonly #port: PacketPort
  readonly #peer: string
  #server: Buffer = Buffer.alloc(0)

  constructor(port: PacketPort, number: number, attachment: Attachment = {}) {
    this.#port = port
    this.#peer = `fe80::2:${number.toString(16)}`
    this.duid = Buffer.from([0, 3, 0, 1, 2, 0, 0, 6, number >> 8, number & 0xff])
    this.attachment = attachment
  }

  get duidText(): string {
    return colons(this.duid)
  }

  /** Key of the address it holds, as requestors have it. */
  get address(): string {
    return text6(this.held.find(({ kind }) => kind === 'address')!.octets)
  }

  /** The same of its prefix: first address and length. */
  get prefix(): string {
    const { octets, length } = this.held.find(({ kind }) => kind === 'prefix')!
    return `${text6(octets)}/${length}`
  }

  /** SOLICIT with rapid commit (RFC 8415 section 18.2.1), or with ADVERTISE and REQUEST. */
  async acquire(kinds: readonly Held6['kind'][] = ['address', 'prefix'], rapid = false): Promise<void> {
    const asked = kinds.map((kind) => association(kind))
    const solicit = await this.#exchange(types6.solicit, rapid ? [...asked, option6(14)] : asked)
    this.#server = optionsOf6(solicit.subarray(4)).get(2)![0]!
    let reply = solicit
    if (!rapid) reply = await this.#exchange(types6.request, [this.#serverId(), ...given(solicit).map(iaOf)])
    assert.equal(reply[0], types6.reply)
    this.held = given(reply)
    assert.equal(this.held.length, kinds.length, 'the server gave what was asked for')
  }

  async renew(): Promise<void> {
    const reply = await this.#exchange(types6.renew, [this.#serverId(), ...this.held.map(iaOf)])
    const renewed = given(reply)
    assert.equal(renewed.length, this.held.length, 'all was renewed')
  }

  async release(kinds: readonly Held6['kind'][] = ['address', 'prefix']): Promise<void> {
    const going = this.held.filter(({ kind }) => kinds.includes(kind))
    await this.#exchange(types6.release, [this.#serverId(), ...going.map(iaOf)])
  }

  async decline(): Promise<void> {
    const going = this.held.filter(({ kind }) => kind === 'address')
    await this.#exchange(types6.decline, [this.#serverId(), ...going.map(iaOf)])
  }

  /** ADDR-REG-INFORM for an address that it has made itself (RFC 9686 section 4.2). */
  async register(octets: Buffer, validLifetime: number): Promise<void> {
    const body = Buffer.alloc(24)
    body.set(octets)
    body.writeUInt32BE(validLifetime, 16)
    body.writeUInt32BE(validLifetime, 20)
    const answer = await this.#exchange(types6.addressRegistration, [option6(5, body)], text6(octets))
    assert.equal(answer[0], types6.addressRegistrationReply)
  }

  #serverId(): Buffer {
    return option6(2, this.#server)
  }

  #exchange(type: number, options: readonly Buffer[], peer = this.#peer): Promise<Buffer> {
    const xid = ++transaction & 0xffffff
    const header = Buffer.alloc(4)
    header.writeUInt32BE(type * 0x1000000 + xid)
    const message = Buffer.concat([header, option6(1, this.duid), option6(8, Buffer.alloc(2)), ...options])
    const relayed = relayed6(peer, this.attachment, message)
    const what = `a message of type ${type} of ${this.duidText}`
    return this.#port.exchange(what, relay6, server6, relayed, (answer) => {
      const inner = innerOf(answer)
      return inner?.readUIntBE(1, 3) === xid ? inner : undefined
    })
  }
}

/** OPTION_DHCPV4_MSG (RFC 7341 section 7.1). */
const dhcpv4Message = 87

/** A client's message as its relay agent forwards it. */
function relayed6(peer: string, { circuit, remote }: Attachment, message: Buffer): Buffer {
  return Buffer.concat([
    Buffer.of(types6.relayForward, 0),
    octets6(addresses.relays6[0]),
    octets6(peer),
    ...(circuit === undefined ? [] : [option6(18, Buffer.from(circuit))]),
    ...(remote === undefined
      ? []
      : [option6(37, Buffer.concat([Buffer.of(0, 0, 9, 0xbf), Buffer.from(remote)]))]),
    option6(9, message),
  ])
}

/** What a relay agent's answer brings for the client. */
function innerOf(answer: Buffer): Buffer | undefined {
  return answer[0] === types6.relayReply ? optionsOf6(answer.subarray(34)).get(9)?.[0] : undefined
}

const relay6: Endpoint = { address: addresses.relays6[0], port: 547 }
const server6: Endpoint = { address: `ff02::1:2%${interfaces.client}`, port: 547 }

function option6(code: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt16BE(code)
  header.writeUInt16BE(data.length, 2)
  return Buffer.concat([header, data])
}

function optionsOf6(octets: Buffer): Map<number, Buffer[]> {
  const found = new Map<number, Buffer[]>()
  for (let at = 0; at + 4 <= octets.length; ) {
    const code = octets.readUInt16BE(at)
    const length = octets.readUInt16BE(at + 2)
    found.set(code, [...(found.get(code) ?? []), octets.subarray(at + 4, at + 4 + length)])
    at += 4 + length
  }
  return found
}

/** IA_NA with IAID 1, IA_PD with IAID 2; T1 and T2 left to the server. */
function association(kind: Held6['kind'], inner: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt32BE(kind === 'address' ? 1 : 2)
  return option6(kind === 'address' ? 3 : 25, Buffer.concat([head, inner]))
}

function iaOf(held: Held6): Buffer {
  const lifetimes = Buffer.alloc(8)
  if (held.kind === 'address')
    return association('address', option6(5, Buffer.concat([held.octets, lifetimes])))
  return association('prefix', option6(26, Buffer.concat([lifetimes, Buffer.of(held.length), held.octets])))
}

/** Addresses and prefixes with a lifetime in a reply. */
function given(reply: Buffer): Held6[] {
  const options = optionsOf6(reply.subarray(4))
  const inside = (association: number, code: number) =>
    (options.get(association) ?? []).flatMap((body) => optionsOf6(body.subarray(12)).get(code) ?? [])
  return [
    ...inside(3, 5)
      .filter((body) => body.readUInt32BE(20) > 0)
      .map((body) => ({ kind: 'address' as const, octets: body.subarray(0, 16), length: 128 })),
    ...inside(25, 26)
      .filter((body) => body.readUInt32BE(4) > 0)
      .map((body) => ({ kind: 'prefix' as const, octets: body.subarray(9, 25), length: body[8]! })),
  ]
}

/** Colon-separated hexadecimal, as in Kea's lease file. */
export function colons(octets: Uint8Array): string {
  return [...octets].map((octet) => octet.toString(16).padStart(2, '0')).join(':')
}

/** The shortest text form (RFC 5952). */
export function text6(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((octets[2 * i]! << 8) | octets[2 * i + 1]!).toString(16),
  )
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

export function octets6(text: string): Buffer {
  const [left = '', right] = text.split('::')
  const parts = (side: string) => (side === '' ? [] : side.split(':'))
  const before = parts(left)
  const after = right === undefined ? [] : parts(right)
  const zeros = Array<string>(8 - before.length - after.length).fill('0')
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(''), 'hex')
}
