import { text } from '../field-types.ts'
import type { FieldType } from '../option-table.ts'
import type { StatusOption } from '../v4/status.ts'

/** Values of OPTION_STATUS_CODE: RFC 8415 section 21.13, RFC 5007 section 4.1.3, RFC 5460 section 5.4, RFC 7653 section 11. */
export const Status6 = {
  success: 0,
  unspecFail: 1,
  unknownQueryType: 7,
  malformedQuery: 8,
  notConfigured: 9,
  notAllowed: 10,
  queryTerminated: 11,
  dataMissing: 12,
  catchUpComplete: 13,
  notSupported: 14,
  tlsConnectionRefused: 15,
} as const
export type Status6 = (typeof Status6)[keyof typeof Status6]

export const statusNames6: Readonly<Record<number, string>> = {
  0: 'Success',
  1: 'UnspecFail',
  7: 'UnknownQueryType',
  8: 'MalformedQuery',
  9: 'NotConfigured',
  10: 'NotAllowed',
  11: 'QueryTerminated',
  12: 'DataMissing',
  13: 'CatchUpComplete',
  14: 'NotSupported',
  15: 'TLSConnectionRefused',
}

/** code(2), text. */
export const status6: FieldType<StatusOption> = {
  read: (reader) => ({ code: reader.u16(), text: text.read(reader) }),
  write(writer, value) {
    writer.u16(value.code)
    text.write(writer, value.text)
  },
}
