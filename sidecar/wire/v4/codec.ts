// DHCPv4 messages to and from octets (RFC 2131 section 2, RFC 3396, RFC 6926 section 6, RFC 7724 section 5).
import type { RawOption } from '../option-table.ts'
import { Reader } from '../reader.ts'
import { type Answerable, WireError } from '../wire-error.ts'
import { Writer } from '../writer.ts'
import type { Message4 } from './messages.ts'
import { Code4, options4 } from './options.ts'

const PAD = 0
const END = 255
const COOKIE = 0x63825363
const OVERLOAD_FILE = 1
const OVERLOAD_SNAME = 2

const NO_HARDWARE_ADDRESS = new Uint8Array(0)

/**
 * Reads one message, without its size prefix. Octets in the result are views of `octets`.
 * Throws a {@link WireError} and nothing else; one that is `answerable` when only an option's value was wrong.
 */
export function decodeMessage4(octets: Uint8Array): Message4 {
  const reader = new Reader(octets, 'DHCPv4 message')
  const op = reader.u8()
  const htype = reader.u8()
  const hlen = reader.u8()
  reader.skip(1) // hops
  const xid = reader.u32()
  reader.skip(4) // secs, flags
  const ciaddr = reader.octets(4)
  const yiaddr = reader.octets(4)
  const siaddr = reader.octets(4)
  const giaddr = reader.octets(4)
  const chaddr = reader.octets(16)
  const sname = reader.octets(64)
  const file = reader.octets(128)
  if (reader.u32() !== COOKIE) throw new WireError('bad-value', 'magic cookie', 'not 99.130.83.99')

  const found = new Map<number, Uint8Array>()
  readOptions(reader.rest(), 'DHCPv4 options', found)
  const overload = found.get(Code4.overload)?.[0] ?? 0
  if (overload & OVERLOAD_FILE) readOptions(file, 'options in file', found)
  if (overload & OVERLOAD_SNAME) readOptions(sname, 'options in sname', found)

  const messageType = found.get(Code4.messageType)
  if (messageType === undefined) throw new WireError('missing', 'option 53 (dhcp-message-type)', 'not there')
  if (messageType.length !== 1)
    throw new WireError('bad-value', 'option 53 (dhcp-message-type)', `${messageType.length} octets, not 1`)
  const type = messageType[0]!
  found.delete(Code4.messageType)
  found.delete(Code4.overload)

  const raw: RawOption[] = []
  for (const [code, data] of found) raw.push({ code, data })
  const options = answerable({ type, xid }, () => options4.decode(raw, 'DHCPv4'))
  return { op, type, xid, ciaddr, yiaddr, siaddr, giaddr, htype, hlen, chaddr, options }
}

/** Collects options; several instances of one are joined in order of appearance (RFC 3396 section 7). */
function readOptions(octets: Uint8Array, where: string, found: Map<number, Uint8Array>): void {
  const parts = new Map<number, Uint8Array[]>()
  const reader = new Reader(octets, where)
  while (reader.remaining > 0) {
    const code = reader.u8()
    if (code === PAD) continue
    if (code === END) break
    const data = reader.octets(reader.u8())
    const before = found.get(code)
    if (before === undefined) found.set(code, data)
    else if (parts.has(code)) parts.get(code)!.push(data)
    else parts.set(code, [before, data])
  }
  for (const [code, list] of parts) found.set(code, joined(list))
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function answerable<T>(as: Answerable, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof WireError) throw error.answerableAs(as)
    throw error
  }
}

/** Where fields stand in a frame: behind the size, as in RFC 2131 section 2. */
export const Place4 = {
  op: 2,
  htype: 3,
  hlen: 4,
  xid: 6,
  ciaddr: 14,
  yiaddr: 18,
  siaddr: 22,
  giaddr: 26,
  chaddr: 30,
} as const
/** Octets of the hardware address in the header. */
export const CHADDR_OCTETS = 16

/** Another xid for the frame that begins at `at`. */
export function setXid4(frames: Uint8Array, at: number, xid: number): void {
  frames[at + Place4.xid] = xid >>> 24
  frames[at + Place4.xid + 1] = xid >>> 16
  frames[at + Place4.xid + 2] = xid >>> 8
  frames[at + Place4.xid + 3] = xid
}

const writer = new Writer(1024)

/** Where the options begin: behind size, fields, sname, file and cookie. The message type comes first. */
const OPTIONS_AT = 2 + 44 + 64 + 128 + 4
const TYPE_AT = OPTIONS_AT + 2

/** The message type of a frame made here, which begins at `start`. */
export function frameType4(octets: Uint8Array, start = 0): number {
  return octets[start + TYPE_AT]!
}

/** Begins a frame, in which the header's other fields are zero: to be patched at {@link Place4}. Returns where it begins. */
export function beginFrame4(to: Writer, op: number, type: number, xid: number): number {
  const start = to.length
  to.zeros(OPTIONS_AT)
  to.patch8(start + Place4.op, op)
  to.patch32(start + Place4.xid, xid)
  to.patch32(start + OPTIONS_AT - 4, COOKIE)
  to.shortOption4(Code4.messageType, type)
  return start
}

/** Ends the frame that began at `start`. Throws a RangeError where it would exceed 65535 octets. */
export function endFrame4(to: Writer, start: number): void {
  to.u8(END)
  to.endSize(start + 2)
}

/** The whole frame, size prefix included. Throws a RangeError where it would exceed 65535 octets. */
export function encodeFrame4(message: Message4): Uint8Array {
  writer.reset()
  const chaddr = message.chaddr ?? NO_HARDWARE_ADDRESS
  const start = beginFrame4(writer, message.op, message.type, message.xid)
  writer.patch8(Place4.htype, message.htype ?? 0)
  writer.patch8(Place4.hlen, message.hlen ?? chaddr.length)
  for (const field of ['ciaddr', 'yiaddr', 'siaddr', 'giaddr'] as const) patchField(field, message[field], 4)
  patchField('chaddr', chaddr, CHADDR_OCTETS)
  options4.encode(writer, message.options)
  endFrame4(writer, start)
  return writer.take()
}

/** Zero padded behind; absent = zero. */
function patchField(field: keyof typeof Place4, value: Uint8Array | undefined, size: number): void {
  if (value === undefined) return
  if (value.length > size) throw new RangeError(`${value.length} octets in a field of ${size}`)
  writer.patch(Place4[field], value)
}
