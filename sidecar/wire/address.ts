// Addresses and prefixes as text: dotted decimal, and RFC 4291 section 2.2 read, RFC 5952 written.

export interface Prefix {
  /** 4 or 16 octets; bits behind the length are zero. */
  readonly address: Uint8Array
  readonly length: number
}

/** 4 octets as dotted decimal, 16 as RFC 5952 recommends. */
export function formatAddress(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.')
  if (octets.length !== 16) throw new RangeError(`an address has 4 or 16 octets, not ${octets.length}`)
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) groups.push((octets[i]! << 8) | octets[i + 1]!)
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return `::ffff:${octets.subarray(12).join('.')}` // RFC 5952 section 5: a well-known prefix that embeds IPv4
  const run = longestZeroRun(groups)
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  return run === undefined ? hex(0, 8) : `${hex(0, run.from)}::${hex(run.to, 8)}`
}

/** The longest run of two or more zero groups, the first of several (RFC 5952 section 4.2). */
function longestZeroRun(groups: readonly number[]): { from: number; to: number } | undefined {
  let best: { from: number; to: number } | undefined
  for (let from = 0; from < 8; from++) {
    let to = from
    while (to < 8 && groups[to] === 0) to++
    if (to - from >= 2 && to - from > (best === undefined ? 0 : best.to - best.from)) best = { from, to }
    from = to
  }
  return best
}

/** 4 or 16 octets, or undefined if `text` is no address. No zone, no port, no brackets. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parse6(text) : parse4(text)
}

function parse4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const octets = new Uint8Array(4)
  for (const [i, part] of parts.entries()) {
    // No leading zeros: some read them as octal.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    octets[i] = Number(part)
  }
  return octets
}

function parse6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = groupsOf(halves[0]!, halves.length === 1)
  const tail = halves.length === 2 ? groupsOf(halves[1]!, true) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 16 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined
  return Uint8Array.from([...head, ...new Array<number>(missing).fill(0), ...tail])
}

/** Octets of colon-separated groups; the last may be dotted decimal where an address may end. */
function groupsOf(text: string, mayEnd: boolean): number[] | undefined {
  if (text === '') return []
  const octets: number[] = []
  const groups = text.split(':')
  for (const [i, group] of groups.entries()) {
    if (mayEnd && i === groups.length - 1 && group.includes('.')) {
      const embedded = parse4(group)
      if (embedded === undefined) return undefined
      octets.push(...embedded)
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined
      const value = Number.parseInt(group, 16)
      octets.push(value >>> 8, value & 0xff)
    }
  }
  return octets
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.address)}/${prefix.length}`
}

/** `address/length`, or a plain address as a prefix of full length; undefined if it is neither, or has bits behind its length. */
export function parsePrefix(text: string): Prefix | undefined {
  const [addressText, lengthText, ...more] = text.split('/')
  const address = parseAddress(addressText!)
  if (address === undefined || more.length > 0) return undefined
  const full = 8 * address.length
  if (lengthText === undefined) return { address, length: full }
  if (!/^(0|[1-9]\d{0,2})$/.test(lengthText) || Number(lengthText) > full) return undefined
  const length = Number(lengthText)
  for (let bit = length; bit < full; bit++) if (bitOf(address, bit)) return undefined
  return { address, length }
}

/** Whether `address` lies in `prefix`; never for different families. */
export function prefixContains(prefix: Prefix, address: Uint8Array): boolean {
  if (address.length !== prefix.address.length) return false
  const whole = prefix.length >> 3
  for (let i = 0; i < whole; i++) if (address[i] !== prefix.address[i]) return false
  const rest = prefix.length & 7
  return rest === 0 || (address[whole]! ^ prefix.address[whole]!) >> (8 - rest) === 0
}

function bitOf(octets: Uint8Array, bit: number): number {
  return (octets[bit >> 3]! >> (7 - (bit & 7))) & 1
}
