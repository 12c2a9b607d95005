// As much of DER (X.690) as certificates and revocation lists need to be told apart: tag, length, value.

export interface DerElement {
  readonly tag: number
  /** Tag, length and value. */
  readonly whole: Uint8Array
  readonly value: Uint8Array
}

export const DerTag = {
  integer: 0x02,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const

/** The elements that stand one after another. @throws Error where that is not what the octets are */
export function derElements(octets: Uint8Array): DerElement[] {
  const elements: DerElement[] = []
  for (let at = 0; at < octets.length; ) {
    const element = derElement(octets, at)
    elements.push(element)
    at += element.whole.length
  }
  return elements
}

function derElement(octets: Uint8Array, at: number): DerElement {
  const tag = octets[at]!
  let length = octets[at + 1] ?? -1
  let start = at + 2
  if (length > 0x80) {
    const digits = length - 0x80
    if (digits > 4) throw new Error('a length of more than four octets')
    length = 0
    for (let i = 0; i < digits; i++) length = length * 256 + (octets[start + i] ?? 0)
    start += digits
  } else if (length === 0x80) throw new Error('an indefinite length')
  const end = start + length
  if (length < 0 || end > octets.length) throw new Error('it is cut short')
  return { tag, whole: octets.subarray(at, end), value: octets.subarray(start, end) }
}

/** Unix milliseconds of a UTCTime or GeneralizedTime (RFC 5280 section 4.1.2.5), or NaN. */
export function derTime({ tag, value }: DerElement): number {
  const text = Buffer.from(value).toString('latin1')
  const match = /^(\d{2,4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (match === null || (match[1]!.length === 2) !== (tag === DerTag.utcTime)) return Number.NaN
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const full = match[1]!.length === 4 ? year : year + (year < 50 ? 2000 : 1900)
  return Date.UTC(full, month - 1, day, hour, minute, second)
}
