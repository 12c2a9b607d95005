// What a peer can do wrong in octets, apart from what fails on our own side.

/**
 * - `frame-size`: a size prefix of zero, or over the limit
 * - `too-short`: octets end inside a field
 * - `trailing`: octets are left behind the last field
 * - `bad-value`: a field holds what its definition forbids
 * - `duplicate`: an option that may appear once appears again
 * - `missing`: a field or option that must be there is not
 * - `too-deep`: nested further than any real sender nests
 */
export type WireErrorCode =
  | 'frame-size'
  | 'too-short'
  | 'trailing'
  | 'bad-value'
  | 'duplicate'
  | 'missing'
  | 'too-deep'

/** What is needed to answer a message whose contents could not be read. */
export interface Answerable {
  /** Message type as received: option 53, or the DHCPv6 msg-type. */
  readonly type: number
  readonly xid: number
  /** The requestor's DUID (DHCPv6), as far as it could be read. */
  readonly clientId?: Uint8Array | undefined
}

/**
 * The octets are not what their protocol says. Decoders throw this and nothing else.
 *
 * With `answerable`, the outer form was sound (header, message type, options end where they say) and only a value
 * inside was wrong: the peer can be told MalformedQuery. Without it, there is nobody to answer: close.
 */
export class WireError extends Error {
  readonly code: WireErrorCode
  /** Where: the field or option, by name. */
  readonly where: string
  readonly answerable: Answerable | undefined

  constructor(code: WireErrorCode, where: string, what: string, answerable?: Answerable) {
    super(`${where}: ${what}`)
    this.name = 'WireError'
    this.code = code
    this.where = where
    this.answerable = answerable
  }

  /** The same fault, with what is needed to answer it. */
  answerableAs(answerable: Answerable): WireError {
    const error = new WireError(this.code, this.where, '', answerable)
    error.message = this.message
    return error
  }
}
