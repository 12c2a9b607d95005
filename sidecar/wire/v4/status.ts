import { text } from '../field-types.ts'
import type { FieldType } from '../option-table.ts'

/** Values of the dhcp-status-code option: RFC 6926 section 6.2.2, RFC 7724 section 5.2.2. */
export const Status4 = {
  success: 0,
  unspecFail: 1,
  queryTerminated: 2,
  malformedQuery: 3,
  notAllowed: 4,
  dataMissing: 5,
  connectionActive: 6,
  catchUpComplete: 7,
  tlsConnectionRefused: 8,
} as const
export type Status4 = (typeof Status4)[keyof typeof Status4]

export const statusNames4: Readonly<Record<number, string>> = {
  0: 'Success',
  1: 'UnspecFail',
  2: 'QueryTerminated',
  3: 'MalformedQuery',
  4: 'NotAllowed',
  5: 'DataMissing',
  6: 'ConnectionActive',
  7: 'CatchUpComplete',
  8: 'TLSConnectionRefused',
}

export interface StatusOption {
  /** As received, known or not. */
  readonly code: number
  /** For people; '' = none. */
  readonly text: string
}

/** code(1), text; the option's length counts both (RFC 6926 section 6.2.2, figure). */
export const status4: FieldType<StatusOption> = {
  read: (reader) => ({ code: reader.u8(), text: text.read(reader) }),
  write(writer, value) {
    writer.u8(value.code)
    text.write(writer, value.text)
  },
}
