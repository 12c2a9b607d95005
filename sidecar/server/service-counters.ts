// What the service of one family has done since the start, in numbers, for metrics. Each has a bounded set of names, all of
// them there from the beginning: a rate can be taken of what has not happened yet.
import type { Family } from '../binding.ts'
import type { StatusName } from '../session/query.ts'
import type { SessionNote } from '../session/session-io.ts'
import { frameEnd } from '../wire/framing.ts'
import { frameType4 } from '../wire/v4/codec.ts'
import { MessageType4, messageTypeNames4 } from '../wire/v4/messages.ts'
import { Status4, statusNames4 } from '../wire/v4/status.ts'
import { frameType6 } from '../wire/v6/codec.ts'
import { MessageType6, messageTypeNames6 } from '../wire/v6/messages.ts'
import { Status6, statusNames6 } from '../wire/v6/status.ts'
import { type RefusalReason, refusalReasons } from './refused.ts'

/** What a query is, and what a Bulk query selects by. */
export const countedQueries = [
  'active',
  'bulk all',
  'bulk hardware-address',
  'bulk client-id',
  'bulk relay-id',
  'bulk remote-id',
  'bulk subnets',
  'bulk address',
] as const
export type CountedQuery = (typeof countedQueries)[number]

/** What a server says on a connection. */
const sent = {
  4: [
    MessageType4.leaseActive,
    MessageType4.leaseUnassigned,
    MessageType4.leasequeryDone,
    MessageType4.leasequeryStatus,
    MessageType4.tls,
  ],
  6: [
    MessageType6.leasequeryReply,
    MessageType6.leasequeryData,
    MessageType6.leasequeryDone,
    MessageType6.reply,
  ],
} as const

type Numbers = Readonly<Record<string, number>>
const wire = {
  4: {
    typeOf: frameType4,
    typeNames: messageTypeNames4,
    statuses: Status4 as Numbers,
    statusNames: statusNames4,
  },
  6: {
    typeOf: frameType6,
    typeNames: messageTypeNames6,
    statuses: Status6 as Numbers,
    statusNames: statusNames6,
  },
} as const

/** Statuses that say nothing of how a query went. */
const notOfQueries = ['ConnectionActive', 'TLSConnectionRefused'] as const

/** How a query ends without a word: its connection is gone. */
const CLOSED = 'closed'

export interface ServiceCounts {
  /** Connections that may ask: where TLS is required, it is up and the certificate accepted. */
  readonly accepted: number
  /** Those that may not, by reason. */
  readonly refused: Readonly<Record<RefusalReason, number>>
  readonly queries: Readonly<Record<CountedQuery, number>>
  /** What queries were told, by status as the RFCs name it, `closed` where their connection ended; by query. */
  readonly outcomes: Readonly<Record<'active' | 'bulk', Readonly<Record<string, number>>>>
  /** By message type. */
  readonly messages: Readonly<Record<string, number>>
  readonly octets: Readonly<Record<string, number>>
  /** Times that new parameters were refused. */
  readonly refusedConfigs: number
}

export class ServiceCounters {
  readonly #family: Family
  readonly #messages = new Float64Array(256)
  readonly #octets = new Float64Array(256)
  readonly #refused = zeros(refusalReasons)
  readonly #queries = zeros(countedQueries)
  readonly #outcomes: Readonly<Record<'active' | 'bulk', Record<string, number>>>
  accepted = 0
  refusedConfigs = 0

  constructor(family: Family) {
    this.#family = family
    const told = Object.values(wire[family].statusNames).filter(
      (name) => !(notOfQueries as readonly string[]).includes(name),
    )
    const statuses = [...told, CLOSED]
    this.#outcomes = { active: zeros(statuses), bulk: zeros(statuses) }
  }

  refused(reason: RefusalReason): void {
    this.#refused[reason] += 1
  }

  /**
   * Messages are handed to a connection: whole frames, one behind the other.
   * @returns how many
   */
  sent(frames: Uint8Array): number {
    const { typeOf } = wire[this.#family]
    let count = 0
    for (let at = 0, end = 0; at < frames.length; at = end, count++) {
      end = frameEnd(frames, at)
      const type = typeOf(frames, at)
      this.#messages[type]! += 1
      this.#octets[type]! += end - at
    }
    return count
  }

  note(note: SessionNote): void {
    switch (note.event) {
      case 'query-started':
        this.#queries.active += 1
        return
      case 'bulk-started':
        this.#queries[`bulk ${note.by}`] += 1
        return
      case 'bulk-done':
        this.#told('bulk', 'success')
        return
      case 'caught-up':
        this.#told('active', 'catchUpComplete')
        return
      case 'data-missing':
        this.#told('active', 'dataMissing')
        return
      case 'query-refused':
      case 'query-terminated':
        this.#told(note.query, note.status as StatusName)
        return
      default: // Of connections, not of queries.
    }
  }

  /** A query ended with its connection. */
  closed(query: 'active' | 'bulk'): void {
    this.#outcomes[query][CLOSED]! += 1
  }

  counts(): ServiceCounts {
    return {
      accepted: this.accepted,
      refused: { ...this.#refused },
      queries: { ...this.#queries },
      outcomes: { active: { ...this.#outcomes.active }, bulk: { ...this.#outcomes.bulk } },
      messages: this.#byType(this.#messages),
      octets: this.#byType(this.#octets),
      refusedConfigs: this.refusedConfigs,
    }
  }

  #told(query: 'active' | 'bulk', status: StatusName): void {
    const { statuses, statusNames } = wire[this.#family]
    const name = statusNames[statuses[status]!]!
    this.#outcomes[query][name]! += 1
  }

  #byType(counts: Float64Array): Record<string, number> {
    const { typeNames } = wire[this.#family]
    return Object.fromEntries(sent[this.#family].map((type) => [typeNames[type]!, counts[type]!]))
  }
}

function zeros<K extends string>(names: readonly K[]): Record<K, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<K, number>
}
