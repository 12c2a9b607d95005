// Absolute times on the wire: DHCPv4 counts from 1970, DHCPv6 from 2000 modulo 2^32.

/** Seconds between 1970-01-01 and 2000-01-01 UTC. */
const EPOCH_6 = 946_684_800

/** Absolute time of RFC 7653 section 6.3.1 (and RFC 8415 section 11.2): seconds since 2000-01-01 UTC modulo 2^32. */
export type Seconds2000 = number

export function toSeconds2000(unixSeconds: number): Seconds2000 {
  return modulo32(unixSeconds - EPOCH_6)
}

/** The Unix second meant by `value`: of all that share it modulo 2^32, the one nearest to `near` (Unix seconds). */
export function fromSeconds2000(value: Seconds2000, near: number): number {
  // A whole second: fractions would not come out as the second that went in.
  const second = Math.floor(near)
  const ahead = modulo32(value - toSeconds2000(second))
  return second + (ahead < 2 ** 31 ? ahead : ahead - 2 ** 32)
}

function modulo32(value: number): number {
  const rest = value % 2 ** 32
  return rest < 0 ? rest + 2 ** 32 : rest
}
