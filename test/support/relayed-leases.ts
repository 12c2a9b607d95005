/** Lease files whose leases came through relays, with all that a Bulk query can ask for, and leases in every state. */

import { closeSync, openSync, writeSync } from 'node:fs'

export interface RelayedLease {
  readonly address: string
  /** 0 = an address. */
  readonly prefixLength: number
  readonly subnetId: number
  /** Kea's number: 0 default, 1 declined, 2 expired-reclaimed, 3 released. */
  readonly state: number
  /** Seconds; 4294967295 = infinite. */
  readonly valid: number
  readonly preferred: number
  /** Unix seconds. */
  readonly cltt: number
  readonly hardwareAddress: Buffer
  /** v4: option 61, may be empty; v6: the DUID. */
  readonly clientId: Buffer
  readonly iaid: number
  /** Of the relay next to the server; undefined = the client was not relayed. */
  readonly relayId: Buffer | undefined
  /** v6: with its enterprise number. */
  readonly remoteId: Buffer | undefined
}

const INFINITE = 0xffffffff
const DECLINED = 1
const hex = (octets: Buffer, between = ':') => (octets.toString('hex').match(/../g) ?? []).join(between)
/** Kea writes a comma inside a cell in this way. */
const cell = (value: unknown) => JSON.stringify(value).replaceAll(',', '&#x2c')

function stateOf(i: number): number {
  if (i % 11 === 4) return DECLINED
  if (i % 13 === 5) return 2
  if (i % 17 === 6) return 3
  return 0
}

const mac = (n: number) => Buffer.from([2, 0, 0x5e, 0x10, n >> 8, n & 255])

/** 10.1.0.0 and so on, in subnet 1: three relays, fifty remote-ids, a hundred clients of three leases each. */
export function relayedLeases4(now: number, count = 300): RelayedLease[] {
  return Array.from({ length: count }, (_, i) => {
    const state = stateOf(i)
    const client = mac(i % 100)
    const relayed = i % 7 !== 3
    return {
      address: `10.1.${i >> 8}.${i & 255}`,
      prefixLength: 0,
      subnetId: 1,
      state,
      valid: state === 3 ? 0 : i % 19 === 0 ? INFINITE : 7200,
      preferred: 0,
      cltt: now - 60 - 10 * i,
      hardwareAddress: state === DECLINED ? Buffer.alloc(0) : client,
      clientId:
        state === DECLINED || i % 2 === 1 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([1]), client]),
      iaid: 0,
      relayId: relayed ? Buffer.from(`relay-${i % 3}`) : undefined,
      remoteId: relayed ? Buffer.from(`cpe-${i % 50}`) : undefined,
    }
  })
}

/**
 * Addresses of subnets 1 to 3 (2001:db8:1::/64 and so on), and prefixes of /56, each fourth one. Forty clients; all that
 * one of them holds came through the same relays, at the same time.
 */
export function relayedLeases6(now: number, count = 240): RelayedLease[] {
  return Array.from({ length: count }, (_, i) => {
    const state = stateOf(i)
    const isPrefix = i % 4 === 2
    const subnetId = 1 + (i % 3)
    const client = i % 40
    const relayed = client % 7 !== 3
    const enterprise = Buffer.from([0, 0, 0x7e, 0xd9])
    return {
      address: isPrefix
        ? `2001:db8:${(0x8000 + i).toString(16)}::`
        : `2001:db8:${subnetId}::1:0:${(i + 1).toString(16)}`,
      prefixLength: isPrefix ? 56 : 0,
      subnetId,
      state: isPrefix && state === DECLINED ? 2 : state,
      valid: state === 3 ? 0 : i % 19 === 0 ? INFINITE : 7200,
      preferred: state === 3 ? 0 : i % 19 === 0 ? INFINITE : client % 2 === 0 ? 100 : 3600,
      cltt: now - 200 - 10 * client,
      hardwareAddress: Buffer.alloc(0),
      clientId:
        state === DECLINED && !isPrefix
          ? Buffer.alloc(3)
          : Buffer.concat([Buffer.from([0, 3, 0, 1]), mac(client)]),
      iaid: i,
      relayId: relayed ? Buffer.concat([Buffer.from([0, 3, 0, 1]), mac(1000 + (client % 3))]) : undefined,
      remoteId: relayed ? Buffer.concat([enterprise, Buffer.from(`cpe-${client % 20}`)]) : undefined,
    }
  })
}

/** As Kea's memfile back end reads it; relay data as Kea writes it since 2.3.2. */
export function writeRelayedLeases(path: string, family: 4 | 6, leases: Iterable<RelayedLease>): void {
  const file = openSync(path, 'w')
  let lines = [headers[family] as string]
  const flush = () => writeSync(file, `${lines.join('\n')}\n`)
  for (const lease of leases) {
    lines.push(family === 4 ? row4(lease) : row6(lease))
    if (lines.length < LINES_AT_ONCE) continue
    flush()
    lines = []
  }
  if (lines.length > 0) flush()
  closeSync(file)
}

/** There may be millions of leases. */
const LINES_AT_ONCE = 10_000

const headers = {
  4: 'address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id',
  6: 'address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id',
} as const

function row4(lease: RelayedLease): string {
  const { address, hardwareAddress, clientId, valid, cltt, subnetId, state } = lease
  const expires = cltt + valid
  return [
    address,
    hex(hardwareAddress),
    hex(clientId),
    valid,
    expires,
    subnetId,
    0,
    0,
    '',
    state,
    context4(lease),
    0,
  ].join()
}

/** Payload of option 82: circuit-id, remote-id, relay-id. */
export function agentInformation({ address, relayId, remoteId }: RelayedLease): Buffer | undefined {
  if (relayId === undefined || remoteId === undefined) return undefined
  const sub = (code: number, data: Buffer) => Buffer.concat([Buffer.from([code, data.length]), data])
  return Buffer.concat([sub(1, Buffer.from(`port ${address}`)), sub(2, remoteId), sub(12, relayId)])
}

function context4(lease: RelayedLease): string {
  const agent = agentInformation(lease)
  if (agent === undefined) return ''
  const ids = {
    'remote-id': hex(lease.remoteId!, '').toUpperCase(),
    'relay-id': hex(lease.relayId!, '').toUpperCase(),
  }
  return cell({ ISC: { 'relay-agent-info': { 'sub-options': `0x${hex(agent, '').toUpperCase()}`, ...ids } } })
}

function row6(lease: RelayedLease): string {
  const { address, prefixLength, clientId, valid, preferred, cltt, subnetId, iaid, state } = lease
  const [type, length] = prefixLength > 0 ? [2, prefixLength] : [0, 128]
  const expires = cltt + valid
  const start = [address, hex(clientId), valid, expires, subnetId, preferred, type, iaid, length]
  return [...start, 0, 0, '', '', state, context6(lease), '', '', 0].join()
}

/** Two relays for each second client: the outer one, which is closest to the server, has the ids. */
function context6({ clientId, subnetId, relayId, remoteId }: RelayedLease): string {
  if (relayId === undefined || remoteId === undefined) return ''
  const option = (code: number, data: Buffer) => {
    const head = Buffer.alloc(4)
    head.writeUInt16BE(code, 0)
    head.writeUInt16BE(data.length, 2)
    return Buffer.concat([head, data])
  }
  const text = (octets: Buffer) => `0x${hex(octets, '').toUpperCase()}`
  const isTwice = clientId.at(-1)! % 2 === 1
  const link = `2001:db8:${subnetId === 3 ? 3 : 1}::1`
  const port = option(18, Buffer.from(`port ${clientId.at(-1)}`))
  const inner = { hop: 0, link, peer: 'fe80::5eff:fe10:57', options: text(port) }
  const outer = {
    hop: isTwice ? 1 : 0,
    link,
    peer: isTwice ? link.replace(/1$/, '2') : 'fe80::5eff:fe10:58',
    options: text(Buffer.concat([option(37, remoteId), option(53, relayId)])),
    'remote-id': hex(remoteId, '').toUpperCase(),
    'relay-id': hex(relayId, '').toUpperCase(),
  }
  return cell({ ISC: { 'relay-info': isTwice ? [outer, inner] : [outer] } })
}
