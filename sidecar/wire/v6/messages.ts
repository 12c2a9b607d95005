// DHCPv6 messages of Bulk and Active Leasequery.
import type { Options6 } from './options.ts'

/** DHCPv6 msg-type values that exist on a leasequery connection. */
export const MessageType6 = {
  reply: 7, // RFC 8415 section 7.3; answers STARTTLS only
  leasequery: 14, // RFC 5007 section 4.2.1
  leasequeryReply: 15, // RFC 5007 section 4.2.2
  leasequeryDone: 16, // RFC 5460 section 5.2.2
  leasequeryData: 17, // RFC 5460 section 5.2.1
  activeLeasequery: 22, // RFC 7653 section 6.2.1
  startTls: 23, // RFC 7653 section 6.2.2
} as const
export type MessageType6 = (typeof MessageType6)[keyof typeof MessageType6]

/** Names of message types as the registry writes them, for logs and people. */
export const messageTypeNames6: Readonly<Record<number, string>> = {
  7: 'REPLY',
  14: 'LEASEQUERY',
  15: 'LEASEQUERY-REPLY',
  16: 'LEASEQUERY-DONE',
  17: 'LEASEQUERY-DATA',
  22: 'ACTIVELEASEQUERY',
  23: 'STARTTLS',
}

/** query-type of OPTION_LQ_QUERY: RFC 5007 section 4.1.2.1, RFC 5460 section 5.3.1. */
export const QueryType6 = {
  byAddress: 1,
  byClientId: 2,
  byRelayId: 3,
  byLinkAddress: 4,
  byRemoteId: 5,
} as const
export type QueryType6 = (typeof QueryType6)[keyof typeof QueryType6]

/** msg-type(1) transaction-id(3) options. */
export interface Message6 {
  /** msg-type, whatever its value. */
  readonly type: number
  /** 24 bits. */
  readonly xid: number
  readonly options: Options6
}
