import { MAX_MESSAGE } from '../wire/writer.ts'

/** What a connection may cost us. Each limit says what it prevents. */
export interface Limits {
  /** Longest message read, in octets: what one connection may make us buffer. */
  readonly maxMessage: number
  /**
   * BULK_LQ_DATA_TIMEOUT, seconds: from accept (or the end of the TLS handshake) to a whole query, from the end of the last
   * Bulk query to the next one, and blocked outside of an active query. Keeps idle peers from holding connections (RFC 7724
   * section 8.1, RFC 6926 sections 8.1, 8.2 and 8.5, RFC 5460 sections 7.1 and 7.2).
   */
  readonly dataSeconds: number
  /**
   * ACTIVE_LQ_SEND_TIMEOUT, seconds without progress while messages wait to be sent (RFC 7724 section 8.2, RFC 7653
   * section 9.3). Keeps a requestor that stopped reading from holding a connection.
   */
  readonly activeSendSeconds: number
  /** ACTIVE_LQ_IDLE_TIMEOUT, seconds without a message before a keepalive (RFC 7724 section 7.4, RFC 7653 section 8.4). */
  readonly activeIdleSeconds: number
  /**
   * Seconds by which base-times may be held back after the catch-up phase, for changes that are still to be sent: a requestor
   * that takes less than what changes would fall behind for ever, and believe old bindings. 0 = no limit.
   */
  readonly activeLagSeconds: number
  /** Seconds from the go-ahead to the end of the TLS handshake: keeps half-open handshakes from holding connections. */
  readonly tlsSeconds: number
  /** Seconds a requestor that was refused TLS may take to close before we do. */
  readonly refusedSeconds: number
  /**
   * Seconds by which a start time may be ahead of L before it counts as of another clock, about which nothing is known:
   * DataMissing. A requestor's first start time may be from its own clock.
   */
  readonly futureSeconds: number
  /** Changes asked for in one read: what a connection sends in one go before others have their turn. */
  readonly batchChanges: number
  /**
   * Bulk queries in progress on one connection; further ones are left unread (RFC 6926 section 8.4, RFC 5460 section 7.3).
   */
  readonly maxBulkQueries: number
  /** Queries refused on one connection before it is closed: keeps a requestor gone wrong from filling the log. */
  readonly maxRefusals: number
  /** Longest message sent, in octets. A frame of it fits one TLS record of 16384 octets (RFC 7724 section 5.1). */
  readonly maxReply: number
}

/** RFC 7724 section 5.3, RFC 7653 section 6.4, RFC 6926 section 6.3; smaller time-outs should not be used. */
export const defaultLimits: Limits = {
  maxMessage: MAX_MESSAGE,
  dataSeconds: 300,
  activeSendSeconds: 120,
  activeIdleSeconds: 60,
  activeLagSeconds: 3600,
  tlsSeconds: 30,
  refusedSeconds: 5,
  futureSeconds: 5,
  batchChanges: 200,
  maxBulkQueries: 4,
  maxRefusals: 100,
  maxReply: 16382,
}
