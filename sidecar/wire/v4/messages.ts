// DHCPv4 messages of Bulk and Active Leasequery.
import type { Options4 } from './options.ts'

/** Values of option 53 that exist on a TCP connection. */
export const MessageType4 = {
  leaseUnassigned: 11, // RFC 4388 section 6.1
  leaseUnknown: 12, // RFC 4388; never on TCP
  leaseActive: 13, // RFC 4388 section 6.1
  bulkLeasequery: 14, // RFC 6926 section 6.2.1
  leasequeryDone: 15, // RFC 6926 section 6.2.1
  activeLeasequery: 16, // RFC 7724 section 5.2.1
  leasequeryStatus: 17, // RFC 7724 section 5.2.1
  tls: 18, // RFC 7724 section 5.2.1
} as const
export type MessageType4 = (typeof MessageType4)[keyof typeof MessageType4]

/** Names of message types as the registry writes them, for logs and people. */
export const messageTypeNames4: Readonly<Record<number, string>> = {
  11: 'DHCPLEASEUNASSIGNED',
  12: 'DHCPLEASEUNKNOWN',
  13: 'DHCPLEASEACTIVE',
  14: 'DHCPBULKLEASEQUERY',
  15: 'DHCPLEASEQUERYDONE',
  16: 'DHCPACTIVELEASEQUERY',
  17: 'DHCPLEASEQUERYSTATUS',
  18: 'DHCPTLS',
}

/** Field `op`: who speaks (RFC 2131 section 2). */
export const Op = { request: 1, reply: 2 } as const
export type Op = (typeof Op)[keyof typeof Op]

/**
 * A DHCPv4 message over TCP. Absent header fields are zero. hops, secs, flags, sname and file say nothing on TCP: sent
 * as zero, ignored on receipt (but options in sname and file are read where option 52 says so).
 */
export interface Message4 {
  readonly op: number
  /** Option 53, whatever its value. */
  readonly type: number
  readonly xid: number
  /** 4 octets each. */
  readonly ciaddr?: Uint8Array | undefined
  readonly yiaddr?: Uint8Array | undefined
  readonly siaddr?: Uint8Array | undefined
  readonly giaddr?: Uint8Array | undefined
  readonly htype?: number | undefined
  /** As received: may exceed 16, which no hardware address does. Default: length of `chaddr`. */
  readonly hlen?: number | undefined
  /** The hardware address: at most 16 octets; decoded: all 16. */
  readonly chaddr?: Uint8Array | undefined
  /** All options but 53. */
  readonly options: Options4
}
