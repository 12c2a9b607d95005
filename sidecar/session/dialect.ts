import type { BindingData, ChangeNumber, Family, LogicalSeconds } from '../binding.ts'
import type { PackedBinding } from '../packed-binding.ts'
import type { Writer } from '../wire/writer.ts'
import type { Limits } from './limits.ts'
import type { Asker, QueryForBindings, QueryKind, Refusal, Request, StatusName } from './query.ts'
import type { ActiveChange, Moment, Rights, Service } from './session-io.ts'
import type { SharedBatches } from './shared-batches.ts'

/** What a message about a query is made from. */
export interface ReplyContext {
  readonly query: QueryForBindings
  readonly service: Service
  readonly rights: Rights
  readonly limits: Limits
  /** Nothing has been sent in answer to the query yet. */
  readonly first: boolean
  /** In the requestor's scope and asked for: whether a change of this binding is told. */
  readonly shows: (data: BindingData) => boolean
  /** In the requestor's scope: whether this binding may be told beside another of its client. */
  readonly inScope: (data: BindingData) => boolean
  /**
   * Equal for all to whom a change is told in the same words, but for the transaction id; undefined where that cannot be
   * said.
   */
  readonly view: string | undefined
  /** Changes that a message of this batch has told already, as companions of another. */
  readonly told: Set<ChangeNumber>
}

/** What an active query is told apart from changes. */
export type Outcome = 'accepted' | 'keepalive' | 'catchUpComplete' | 'dataMissing' | 'queryTerminated'

/**
 * What differs between DHCPv4 and DHCPv6 on a connection. Frames are whole: size prefix and message.
 * `baseTime` is on L; a dialect decides whether it is sent, and relates every other time to it.
 */
export interface Dialect {
  readonly family: Family
  /** How a kind of query that is disabled is refused; absent: closed without an answer. */
  readonly whenDisabled: { readonly [K in QueryKind]?: StatusName }

  parse(message: Uint8Array, now: LogicalSeconds, service: Service, rights: Rights): Request
  /** Answer to DHCPTLS or STARTTLS. */
  tlsAnswer(xid: number, refused: boolean, service: Service): Uint8Array
  /** Answer to a query that is not served. */
  refuse(kind: QueryKind, asker: Asker, refusal: Refusal, service: Service, now: LogicalSeconds): Uint8Array
  /** Messages that tell an outcome: none to two. */
  outcome(
    reply: ReplyContext,
    outcome: Outcome,
    text: string,
    baseTime: LogicalSeconds,
    moment: Moment,
  ): Uint8Array[]
  /**
   * Messages that tell a change, or a find of a Bulk query: none when there is nothing for this requestor in it. Change
   * numbers of companions that need no message of their own after it go into `reply.told`.
   */
  change(reply: ReplyContext, change: ActiveChange, baseTime: LogicalSeconds, moment: Moment): Uint8Array[]
  /**
   * Writes the messages that tell a binding which {@link ReplyContext.shows} let through, the same as {@link change}:
   * straight from where it lies, with what the client holds besides.
   * @returns how many messages
   */
  write(
    to: Writer,
    reply: ReplyContext,
    record: PackedBinding,
    companions: readonly PackedBinding[],
    baseTime: LogicalSeconds,
    moment: Moment,
  ): number
  /**
   * DHCPv4 alone: writes the message about a configured address of which no binding is known.
   * @param since when it was last leased at the latest, on L
   */
  writeAvailable?(
    to: Writer,
    reply: ReplyContext,
    address: number,
    since: LogicalSeconds,
    baseTime: LogicalSeconds,
  ): void
  /** The message that ends a Bulk query: after all of it, or with a status. */
  bulkEnd(reply: ReplyContext, failure: Refusal | undefined, baseTime: LogicalSeconds): Uint8Array
  /** Gives the frame of this family that begins at `at` another transaction id. */
  setXid(frames: Uint8Array, at: number, xid: number): void
  /** Where requestors share what they are told. */
  readonly batches?: SharedBatches
  /** relay-ids in a binding's relay data. */
  relayIds(data: BindingData): Uint8Array[]
  /** remote-ids in a binding's relay data; in DHCPv6 with their enterprise number. */
  remoteIds(data: BindingData): Uint8Array[]
}
