// Bulk queries from the requestor's side, sans-IO: octets in, events out. Any number of queries on one connection.
import { NO_OCTETS, sameOctets, type UnixSeconds } from '../binding.ts'
import { reasonOf, SidecarError } from '../errors.ts'
import { fromSeconds2000, toSeconds2000 } from '../wire/absolute-time.ts'
import type { VirtualSubnet } from '../wire/field-types.ts'
import { Framer } from '../wire/framing.ts'
import { decodeMessage4, encodeFrame4 } from '../wire/v4/codec.ts'
import { type Message4, MessageType4, messageTypeNames4, Op } from '../wire/v4/messages.ts'
import { SubCode4 } from '../wire/v4/options.ts'
import { Status4, statusNames4 } from '../wire/v4/status.ts'
import { decodeMessage6, encodeFrame6 } from '../wire/v6/codec.ts'
import { type Message6, MessageType6, messageTypeNames6 } from '../wire/v6/messages.ts'
import { Code6 } from '../wire/v6/options.ts'
import { Status6, statusNames6 } from '../wire/v6/status.ts'
import { broken, checkReply6, DEFAULT_DUID, defaultWants4, defaultWants6, serverOf } from './client.ts'
import type { ReportedBinding } from './events.ts'
import { bindingOf4, bindingsOf6 } from './reported.ts'
import { type BulkSelection, leaseQuery6 } from './selection.ts'

export interface BulkQueryOptions {
  readonly family: 4 | 6
  /** transaction-id, unique on the connection: 32 bits in DHCPv4, 24 in DHCPv6. */
  readonly xid: number
  readonly select: BulkSelection
  /** DHCPv6: only on the link of this address. */
  readonly linkAddress?: Uint8Array | undefined
  /** Changed at or after, and at or before: Unix seconds in the server's time. */
  readonly start?: UnixSeconds | undefined
  readonly end?: UnixSeconds | undefined
  /** Option codes wanted; those of an active query without it. */
  readonly wants?: readonly number[] | undefined
  /** DHCPv6 Client-ID of the requestor. */
  readonly duid?: Uint8Array | undefined
  /** The VPN to look in (RFC 6607); the global one without it. Answers about another one are dropped. */
  readonly vpn?: VirtualSubnet | undefined
}

/** The query as a frame to send. */
export function encodeBulkQuery(options: BulkQueryOptions): Uint8Array {
  return options.family === 4 ? encodeBulk4(options) : encodeBulk6(options)
}

function encodeBulk4({ xid, select, start, end, wants = defaultWants4, vpn }: BulkQueryOptions): Uint8Array {
  const common = {
    virtualSubnet: vpn,
    parameterRequestList: Uint8Array.from(wants),
    queryStartTime: start,
    queryEndTime: end,
  }
  const header = { op: Op.request, type: MessageType4.bulkLeasequery, xid }
  const relay = (code: number, value: Uint8Array) =>
    encodeFrame4({
      ...header,
      options: { ...common, relayAgentInformation: Uint8Array.from([code, value.length, ...value]) },
    })
  switch (select.by) {
    case 'all':
      return encodeFrame4({ ...header, options: common })
    case 'hardware-address':
      return encodeFrame4({
        ...header,
        htype: select.hardwareType,
        chaddr: select.hardwareAddress,
        options: common,
      })
    case 'client-id':
      return encodeFrame4({ ...header, options: { ...common, clientIdentifier: select.clientId } })
    case 'relay-id':
      return relay(SubCode4.relayId, select.relayId)
    case 'remote-id':
      return relay(SubCode4.remoteId, select.remoteId)
    case 'address':
      throw new RangeError('DHCPv4 Bulk Leasequery has no query by address')
  }
}

function encodeBulk6(query: BulkQueryOptions): Uint8Array {
  const { xid, select, start, end, wants = defaultWants6, linkAddress, duid = DEFAULT_DUID, vpn } = query
  const list = (codes: readonly number[]) => (codes.length > 0 ? codes : undefined)
  return encodeFrame6({
    type: MessageType6.leasequery,
    xid,
    options: {
      clientId: duid,
      // At the level of the Client Identifier, and only there (RFC 6607 section 6).
      virtualSubnet: vpn,
      requestedOptions: list(wants.filter((code) => code === Code6.baseTime)),
      leaseQuery: leaseQuery6(
        select,
        linkAddress,
        wants.filter((code) => code !== Code6.baseTime),
      ),
      startTime: start === undefined ? undefined : toSeconds2000(start),
      endTime: end === undefined ? undefined : toSeconds2000(end),
    },
  })
}

/** RFC 6607 section 3.5; type 254 is of RFC 6926 section 6.2.9. */
const ALL_VPNS = 254
const GLOBAL_VPN = 255

/** RFC 6607 section 6: an answer about another VPN than the one asked for is dropped. */
function answersVpn(asked: VirtualSubnet | undefined, told: VirtualSubnet | undefined): boolean {
  if (asked?.type === ALL_VPNS) return true
  if (asked === undefined || asked.type === GLOBAL_VPN) return told === undefined || told.type === GLOBAL_VPN
  return told?.type === asked.type && sameOctets(told.information, asked.information)
}

export type BulkEvent =
  | {
      readonly type: 'binding'
      readonly xid: number
      readonly binding: ReportedBinding
      /** Of its message; the present of the requestor where the server gave none. */
      readonly baseTime: UnixSeconds
    }
  /** Nothing further comes with this transaction-id. */
  | {
      readonly type: 'done'
      readonly xid: number
      /** The registry's name; `Success` = everything that matched has come. */
      readonly status: string
      readonly text: string
      /**
       * The first base-time of the answer: an active query from here on misses nothing that changed while the answer was
       * on its way. undefined = nothing said one.
       */
      readonly baseTime: UnixSeconds | undefined
    }

interface Asked {
  readonly duid: Uint8Array
  /** The VPN asked about; undefined = the global one, without a word about it. */
  readonly vpn: VirtualSubnet | undefined
  replied: boolean
  baseTime: UnixSeconds | undefined
  server: Uint8Array
}

export class BulkClient {
  readonly #family: 4 | 6
  readonly #framer = new Framer()
  readonly #asked = new Map<number, Asked>()
  /** Messages received so far. */
  messages = 0

  constructor(family: 4 | 6) {
    this.#family = family
  }

  /** Queries without their last answer. */
  get outstanding(): number {
    return this.#asked.size
  }

  /** The query to send. @throws RangeError where its transaction-id is in use, or the family has no such query */
  query(options: Omit<BulkQueryOptions, 'family'>): Uint8Array {
    if (this.#asked.has(options.xid)) throw new RangeError(`transaction-id ${options.xid} is in use`)
    const frame = encodeBulkQuery({ ...options, family: this.#family })
    const { duid = DEFAULT_DUID, vpn } = options
    this.#asked.set(options.xid, { duid, vpn, replied: false, baseTime: undefined, server: NO_OCTETS })
    return frame
  }

  /**
   * @param now the requestor's clock; used where the server gives no base-time, and to place a 32-bit DHCPv6 time
   * @throws SidecarError ALQ_SERVER_PROTOCOL: the connection must be closed (RFC 6926 section 7.3, RFC 5460 section 6.3)
   */
  handle(octets: Uint8Array, now: UnixSeconds): BulkEvent[] {
    const events: BulkEvent[] = []
    this.#framer.push(octets)
    try {
      for (let frame = this.#framer.next(); frame !== undefined; frame = this.#framer.next()) {
        this.messages++
        if (this.#family === 4) this.#message4(decodeMessage4(frame), now, events)
        else this.#message6(decodeMessage6(frame), now, events)
      }
    } catch (error) {
      if (error instanceof SidecarError) throw error
      throw broken(reasonOf(error), error)
    }
    return events
  }

  #message4(message: Message4, now: UnixSeconds, events: BulkEvent[]): void {
    const { xid, options } = message
    const asked = this.#get(xid)
    asked.baseTime ??= options.baseTime
    asked.server = serverOf(asked.server, options.serverIdentifier)
    switch (message.type) {
      case MessageType4.leaseActive:
      case MessageType4.leaseUnassigned: {
        const bound = message.ciaddr?.some((octet) => octet !== 0) ?? false
        if (!bound || !answersVpn(asked.vpn, options.virtualSubnet)) return
        const baseTime = options.baseTime ?? now
        events.push({ type: 'binding', xid, binding: bindingOf4(message, baseTime, asked.server), baseTime })
        return
      }
      case MessageType4.leasequeryDone: {
        const { code, text } = options.status ?? { code: Status4.success, text: '' }
        this.#done(xid, statusNames4[code] ?? `status ${code}`, text, events)
        return
      }
      default:
        throw broken(
          `${messageTypeNames4[message.type] ?? `message type ${message.type}`} answers no Bulk query`,
        )
    }
  }

  #message6(message: Message6, now: UnixSeconds, events: BulkEvent[]): void {
    const { xid, options, type } = message
    const asked = this.#get(xid)
    const told = options.baseTime === undefined ? undefined : fromSeconds2000(options.baseTime, now)
    asked.baseTime ??= told
    const { code, text } = options.status ?? { code: Status6.success, text: '' }
    const status = statusNames6[code] ?? `status ${code}`
    const name = messageTypeNames6[type] ?? `message type ${type}`
    const bindings = () => {
      if (!answersVpn(asked.vpn, options.virtualSubnet)) return
      const baseTime = told ?? now
      for (const binding of bindingsOf6(options.clientData!, baseTime, asked.server))
        events.push({ type: 'binding', xid, binding, baseTime })
    }
    switch (type) {
      case MessageType6.leasequeryReply:
        if (asked.replied) throw broken(`a second ${name}`)
        checkReply6(message, asked.duid)
        asked.server = serverOf(asked.server, options.serverId)
        asked.replied = true
        // RFC 5460 section 6.3.1: without data, or with an error, it is all that comes.
        if (code !== Status6.success || options.clientData === undefined)
          this.#done(xid, status, text, events)
        else bindings()
        return
      case MessageType6.leasequeryData:
        if (!asked.replied) throw broken(`${name} before LEASEQUERY-REPLY`)
        // RFC 5460 section 6.3: without client data it is discarded.
        if (options.clientData !== undefined) bindings()
        return
      case MessageType6.leasequeryDone:
        if (!asked.replied) throw broken(`${name} before LEASEQUERY-REPLY`)
        this.#done(xid, status, text, events)
        return
      default:
        throw broken(`${name} answers no Bulk query`)
    }
  }

  #get(xid: number): Asked {
    const asked = this.#asked.get(xid)
    // RFC 6926 section 7.3, RFC 5460 section 6.3: an answer to nothing that was asked closes the connection.
    if (asked === undefined) throw broken(`transaction-id ${xid.toString(16)} is that of no query`)
    return asked
  }

  #done(xid: number, status: string, text: string, events: BulkEvent[]): void {
    const { baseTime } = this.#get(xid)
    this.#asked.delete(xid)
    events.push({ type: 'done', xid, status, text, baseTime })
  }
}
