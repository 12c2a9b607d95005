// An active query from the requestor's side, sans-IO: octets in, events out. It opens no socket and reads no clock.
import { NO_OCTETS, sameOctets, type UnixSeconds } from '../binding.ts'
import { reasonOf, SidecarError } from '../errors.ts'
import { fromSeconds2000, toSeconds2000 } from '../wire/absolute-time.ts'
import { Framer } from '../wire/framing.ts'
import { decodeMessage4, encodeFrame4 } from '../wire/v4/codec.ts'
import { type Message4, MessageType4, messageTypeNames4, Op } from '../wire/v4/messages.ts'
import { Code4 } from '../wire/v4/options.ts'
import { Status4, type StatusOption, statusNames4 } from '../wire/v4/status.ts'
import { decodeMessage6, encodeFrame6 } from '../wire/v6/codec.ts'
import { type Message6, MessageType6, messageTypeNames6 } from '../wire/v6/messages.ts'
import { type ClientData6, Code6 } from '../wire/v6/options.ts'
import { Status6, statusNames6 } from '../wire/v6/status.ts'
import type { RequestorEvent, Told } from './events.ts'
import { bindingOf4, bindingsOf6 } from './reported.ts'
import { type BulkSelection, leaseQuery6 } from './selection.ts'

/** Option 55 of a query, unless told otherwise: what RFC 6926 section 7.2 recommends, and who the client is. */
export const defaultWants4: readonly number[] = [
  Code4.hostName,
  Code4.leaseTime,
  Code4.clientIdentifier,
  Code4.relayAgentInformation,
  Code4.clientLastTransactionTime,
  Code4.baseTime,
  Code4.startTimeOfState,
  Code4.dhcpState,
  Code4.dataSource,
]
/** ORO of a query, unless told otherwise. */
export const defaultWants6: readonly number[] = [Code6.baseTime, Code6.relayData]

/** DUID-EN of the IANA example enterprise (RFC 5612), for requestors without one of their own. */
export const DEFAULT_DUID = Uint8Array.from([0, 2, 0, 0, 0x7e, 0xd9, ...Buffer.from('leasequery')])

export interface ActiveQueryOptions {
  readonly family: 4 | 6
  /** transaction-id: 32 bits in DHCPv4, 24 in DHCPv6. */
  readonly xid: number
  /**
   * query-start-time, Unix seconds in the server's time (RFC 7724 section 7.2, RFC 7653 section 6.3.2): asks for all that
   * changed since then, first. Absent: only what changes from now on.
   */
  readonly since?: UnixSeconds | undefined
  /** DHCPv6: only what this selects (RFC 7653 section 6.2.1); all without it. */
  readonly select?: BulkSelection | undefined
  readonly linkAddress?: Uint8Array | undefined
  /** Option codes wanted; {@link defaultWants4} or {@link defaultWants6} without it. */
  readonly wants?: readonly number[] | undefined
  /** DHCPv6 Client-ID of the requestor. */
  readonly duid?: Uint8Array | undefined
}

/** The query as a frame to send. @throws RangeError for a selection in DHCPv4, which has none (RFC 7724 section 4) */
export function encodeActiveQuery(options: ActiveQueryOptions): Uint8Array {
  const { select, linkAddress } = options
  if (options.family === 4) {
    if (select !== undefined || linkAddress !== undefined) {
      throw new RangeError('DHCPv4 Active Leasequery is about all bindings')
    }
    return encodeFrame4({
      op: Op.request,
      type: MessageType4.activeLeasequery,
      xid: options.xid,
      options: {
        parameterRequestList: Uint8Array.from(options.wants ?? defaultWants4),
        queryStartTime: options.since,
      },
    })
  }
  return encodeFrame6({
    type: MessageType6.activeLeasequery,
    xid: options.xid,
    options: {
      clientId: options.duid ?? DEFAULT_DUID,
      requestedOptions: options.wants ?? defaultWants6,
      leaseQuery:
        select === undefined && linkAddress === undefined
          ? undefined
          : leaseQuery6(select ?? { by: 'all' }, linkAddress, []),
      startTime: options.since === undefined ? undefined : toSeconds2000(options.since),
    },
  })
}

/** One active query. `handle` what arrives; the events say what it meant. */
export class ActiveClient {
  readonly #options: ActiveQueryOptions
  readonly #framer = new Framer()
  #accepted = false
  #over = false
  #catchingUp: boolean
  #resumePoint: UnixSeconds | undefined
  /** server-identifier or Server-ID, as the first message had it. */
  #server: Uint8Array = NO_OCTETS
  /** Whole messages received. */
  messages = 0

  constructor(options: ActiveQueryOptions) {
    this.#options = options
    this.#catchingUp = options.since !== undefined
    this.#resumePoint = options.since
  }

  /** The query; send it first. */
  query(): Uint8Array {
    return encodeActiveQuery(this.#options)
  }

  /** Between a query with start time and its CatchUpComplete or DataMissing. */
  get catchingUp(): boolean {
    return this.#catchingUp
  }

  /** Some message of the server took the query. */
  get accepted(): boolean {
    return this.#accepted
  }

  /** A message ended the query; nothing further is read. */
  get over(): boolean {
    return this.#over
  }

  /**
   * @param now the requestor's clock; used where the server gives no base-time, and to place a 32-bit DHCPv6 time
   * @throws SidecarError ALQ_SERVER_PROTOCOL: the connection must be closed (RFC 7724 section 7.4, RFC 7653 section 8.4)
   */
  handle(octets: Uint8Array, now: UnixSeconds): RequestorEvent[] {
    const events: RequestorEvent[] = []
    if (this.#over) return events
    this.#framer.push(octets)
    try {
      for (let frame = this.#framer.next(); frame !== undefined; frame = this.#framer.next()) {
        this.messages++
        const before = this.#resumePoint
        const told: Told[] = []
        if (this.#options.family === 4) this.#message4(decodeMessage4(frame), now, told)
        else this.#message6(decodeMessage6(frame), now, told)
        // A message's base-time vouches for all it holds, so it counts with the last part of it.
        for (const [i, part] of told.entries()) {
          events.push({ ...part, resumePoint: i === told.length - 1 ? this.#resumePoint : before })
        }
        if (this.#over) break
      }
    } catch (error) {
      if (error instanceof SidecarError) throw error
      throw broken(reasonOf(error), error)
    }
    return events
  }

  #message4(message: Message4, now: UnixSeconds, events: Told[]): void {
    this.#checkXid(message.xid)
    const { options } = message
    const baseTime = options.baseTime
    this.#server = serverOf(this.#server, options.serverIdentifier)
    const status = options.status ?? { code: Status4.success, text: '' }
    switch (message.type) {
      case MessageType4.leaseActive:
      case MessageType4.leaseUnassigned: {
        this.#accept(baseTime, events)
        this.#observe(baseTime)
        // Some servers keep a connection alive with a binding of no address.
        const bound = message.ciaddr?.some((octet) => octet !== 0) ?? false
        if (bound) {
          const at = baseTime ?? now
          events.push({ type: 'binding', binding: bindingOf4(message, at, this.#server), baseTime: at })
        } else {
          events.push({ type: 'keepalive', baseTime })
        }
        return
      }
      case MessageType4.leasequeryStatus:
        if (status.code === Status4.connectionActive || status.code === Status4.success) {
          this.#accept(baseTime, events)
          this.#observe(baseTime)
          events.push({ type: 'keepalive', baseTime })
        } else if (status.code === Status4.catchUpComplete) this.#caughtUp(baseTime, events)
        else if (status.code === Status4.dataMissing) this.#dataMissing(baseTime, status.text, events)
        else this.#terminated(statusNames4, status, baseTime, events)
        return
      case MessageType4.leasequeryDone: // RFC 7724 section 7.1 has it end an active query as well
        this.#terminated(statusNames4, status, baseTime, events)
        return
      default:
        throw broken(
          `${messageTypeNames4[message.type] ?? `message type ${message.type}`} answers no active query`,
        )
    }
  }

  #message6(message: Message6, now: UnixSeconds, events: Told[]): void {
    this.#checkXid(message.xid)
    const { options } = message
    const baseTime = options.baseTime === undefined ? undefined : fromSeconds2000(options.baseTime, now)
    const status = options.status ?? { code: Status6.success, text: '' }
    switch (message.type) {
      case MessageType6.leasequeryReply:
      case MessageType6.leasequeryData: {
        if (message.type === MessageType6.leasequeryReply) {
          checkReply6(message, this.#options.duid ?? DEFAULT_DUID)
          this.#server = serverOf(this.#server, options.serverId)
        } else if (!this.#accepted) throw broken('LEASEQUERY-DATA before LEASEQUERY-REPLY')
        if (status.code === Status6.success) this.#data6(options.clientData, baseTime, now, events)
        else if (status.code === Status6.dataMissing) this.#dataMissing(baseTime, status.text, events)
        else if (status.code === Status6.catchUpComplete) this.#caughtUp(baseTime, events)
        else this.#terminated(statusNames6, status, baseTime, events)
        return
      }
      case MessageType6.leasequeryDone:
        this.#terminated(statusNames6, status, baseTime, events)
        return
      default:
        throw broken(
          `${messageTypeNames6[message.type] ?? `message type ${message.type}`} answers no active query`,
        )
    }
  }

  /** LEASEQUERY-REPLY and LEASEQUERY-DATA without a status; without client data the latter is a keepalive. */
  #data6(
    data: ClientData6 | undefined,
    baseTime: UnixSeconds | undefined,
    now: UnixSeconds,
    events: Told[],
  ): void {
    const first = !this.#accepted
    this.#accept(baseTime, events)
    this.#observe(baseTime)
    if (data !== undefined) {
      const at = baseTime ?? now
      for (const binding of bindingsOf6(data, at, this.#server))
        events.push({ type: 'binding', binding, baseTime: at })
    } else if (!first) {
      events.push({ type: 'keepalive', baseTime })
    }
  }

  #checkXid(xid: number): void {
    // RFC 7724 section 7.4, RFC 7653 section 8.4: a reply to nothing that was asked closes the connection.
    if (xid !== this.#options.xid) {
      throw broken(`transaction-id ${xid.toString(16)} instead of ${this.#options.xid.toString(16)}`)
    }
  }

  #accept(baseTime: UnixSeconds | undefined, events: Told[]): void {
    if (this.#accepted) return
    this.#accepted = true
    events.push({ type: 'accepted', baseTime })
  }

  #observe(baseTime: UnixSeconds | undefined): void {
    if (baseTime === undefined || this.#catchingUp) return
    this.#resumePoint = Math.max(this.#resumePoint ?? 0, baseTime)
  }

  #caughtUp(baseTime: UnixSeconds | undefined, events: Told[]): void {
    this.#accept(baseTime, events)
    this.#catchingUp = false
    this.#observe(baseTime)
    events.push({ type: 'catch-up-complete', baseTime })
  }

  #dataMissing(baseTime: UnixSeconds | undefined, text: string, events: Told[]): void {
    this.#accept(baseTime, events)
    this.#catchingUp = false
    // What lies before is to be had by Bulk only: start anew from here (RFC 7724 section 7.4.1).
    this.#resumePoint = baseTime ?? this.#resumePoint
    events.push({ type: 'data-missing', baseTime, text })
  }

  #terminated(
    names: Readonly<Record<number, string>>,
    status: StatusOption,
    baseTime: UnixSeconds | undefined,
    events: Told[],
  ): void {
    this.#over = true
    this.#observe(baseTime)
    events.push({
      type: 'terminated',
      refused: !this.#accepted,
      status: names[status.code] ?? `status ${status.code}`,
      text: status.text,
      baseTime,
    })
  }
}

/** RFC 6926 section 7.3: the identifier of the first answer holds for those after it. */
export function serverOf(known: Uint8Array, told: Uint8Array | undefined): Uint8Array {
  return known.length > 0 || told === undefined ? known : Uint8Array.from(told)
}

/**
 * RFC 5007 section 4.2.2: a LEASEQUERY-REPLY without Server-ID, or without our Client-ID, is not for us.
 * @throws SidecarError ALQ_SERVER_PROTOCOL
 */
export function checkReply6({ options }: Message6, duid: Uint8Array): void {
  const { serverId, clientId, status } = options
  const said = status === undefined ? '' : ` (status ${statusNames6[status.code] ?? status.code})`
  if (serverId === undefined) throw broken(`LEASEQUERY-REPLY without Server-ID${said}`)
  if (clientId === undefined) throw broken(`LEASEQUERY-REPLY without Client-ID${said}`)
  if (!sameOctets(clientId, duid)) throw broken(`LEASEQUERY-REPLY with the Client-ID of somebody else${said}`)
}

/** What the server said cannot be: the connection is of no use any more. */
export function broken(reason: string, cause?: unknown): SidecarError<'ALQ_SERVER_PROTOCOL'> {
  return new SidecarError('ALQ_SERVER_PROTOCOL', { reason }, cause === undefined ? undefined : { cause })
}
