// DHCPv6 messages to and from octets (RFC 8415 section 8, RFC 5007, RFC 5460, RFC 7653 section 6).
import { Reader } from '../reader.ts'
import { WireError } from '../wire-error.ts'
import { Writer } from '../writer.ts'
import type { Message6 } from './messages.ts'
import { Code6, options6, rawOptions6 } from './options.ts'

/**
 * Reads one message, without its size prefix. Octets in the result are views of `octets`.
 * Throws a {@link WireError} and nothing else; one that is `answerable` when only an option's value was wrong.
 */
export function decodeMessage6(octets: Uint8Array): Message6 {
  const reader = new Reader(octets, 'DHCPv6 message')
  const type = reader.u8()
  const xid = reader.u24()
  const raw = rawOptions6(reader.rest(), 'DHCPv6 options')
  try {
    return { type, xid, options: options6.decode(raw, 'DHCPv6') }
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    // The answer copies the requestor's Client-ID, so keep it where it can be had (RFC 5460 section 6.3).
    const clientId = raw.find((option) => option.code === Code6.clientId && option.data.length > 0)?.data
    throw error.answerableAs({ type, xid, clientId })
  }
}

/** Place of the msg-type, which the transaction-id follows, in a frame. */
const TYPE_AT = 2

/** The msg-type of a frame that begins at `start`. */
export function frameType6(octets: Uint8Array, start = 0): number {
  return octets[start + TYPE_AT]!
}

/** Another transaction-id for the frame that begins at `at`. */
export function setXid6(frames: Uint8Array, at: number, xid: number): void {
  frames[at + TYPE_AT + 1] = xid >>> 16
  frames[at + TYPE_AT + 2] = xid >>> 8
  frames[at + TYPE_AT + 3] = xid
}

const writer = new Writer(1024)

/** Begins a frame: what stands before the options. Returns where it begins. */
export function beginFrame6(to: Writer, type: number, xid: number): number {
  const start = to.length
  to.beginSize()
  to.u32((type << 24) | xid)
  return start
}

/** Ends the frame that began at `start`. Throws a RangeError where it would exceed 65535 octets. */
export function endFrame6(to: Writer, start: number): void {
  to.endSize(start + 2)
}

/** The whole frame, size prefix included. Throws a RangeError where it would exceed 65535 octets. */
export function encodeFrame6(message: Message6): Uint8Array {
  writer.reset()
  const start = beginFrame6(writer, message.type, message.xid)
  options6.encode(writer, message.options)
  endFrame6(writer, start)
  return writer.take()
}
