// Why a connection is not let in: in a word that can be counted, and in a sentence for people.

export const refusalReasons = [
  /** Nothing is configured, or not who this server is. */
  'not-configured',
  /** It is not among the requesters. */
  'not-permitted',
  /** Connections come in faster than they are accepted. */
  'too-fast',
  /** As many connections as may be have not started TLS yet. */
  'tls-waiting',
  /** TLS did not come up. */
  'tls-failed',
  /** Its certificate is revoked, or of an authority that is gone. */
  'certificate',
  /** All connections, or all of its entry, are taken. */
  'limit',
] as const
export type RefusalReason = (typeof refusalReasons)[number]

export class Refused {
  readonly reason: RefusalReason
  /** For log and status. */
  readonly text: string

  constructor(reason: RefusalReason, text: string) {
    this.reason = reason
    this.text = text
  }
}
