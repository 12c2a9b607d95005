// Field types that both families use.
import type { FieldType } from './option-table.ts'
import { WireError } from './wire-error.ts'

export const u8: FieldType<number> = {
  read: (reader) => reader.u8(),
  write: (writer, value) => writer.u8(value),
}

/** Unsigned 32-bit seconds, relative or absolute as the option says. */
export const seconds: FieldType<number> = {
  read: (reader) => reader.u32(),
  write: (writer, value) => writer.u32(value),
}

/** Opaque octets, at least `minimum` of them. */
export function octets(minimum = 0): FieldType<Uint8Array> {
  return {
    read(reader) {
      if (reader.remaining < minimum)
        throw new WireError('too-short', reader.where, `${minimum} octets needed, ${reader.remaining} there`)
      return reader.rest()
    },
    write: (writer, value) => writer.octets(value),
  }
}

/** Exactly `size` octets. */
export function fixed(size: number): FieldType<Uint8Array> {
  return {
    read: (reader) => reader.octets(size),
    write: (writer, value) => writer.padded(value, size),
  }
}

/** A virtual subnet selection: which VPN a query or reply is about (RFC 6607 section 3.5, RFC 6926 section 6.2.9). */
export interface VirtualSubnet {
  /** 0 VPN name, 1 RFC 2685 VPN-ID, 254 all VPNs (queries only), 255 global VPN. */
  readonly type: number
  readonly information: Uint8Array
}

export const virtualSubnet: FieldType<VirtualSubnet> = {
  read: (reader) => ({ type: reader.u8(), information: reader.rest() }),
  write(writer, value) {
    writer.u8(value.type)
    writer.octets(value.information)
  },
}

const utf8 = new TextDecoder('utf-8')
const toUtf8 = new TextEncoder()

/**
 * UTF-8 text that fills the rest of the field. NUL must not appear anywhere (RFC 6926 section 6.2.2). Octets that are no
 * UTF-8 come out as U+FFFD: a garbled explanation should not cost the requestor its connection.
 */
export const text: FieldType<string> = {
  read(reader) {
    const value = reader.rest()
    if (value.includes(0)) throw new WireError('bad-value', reader.where, 'NUL in a status message')
    return utf8.decode(value)
  },
  write: (writer, value) => writer.octets(toUtf8.encode(value.replaceAll('\0', ' '))),
}
