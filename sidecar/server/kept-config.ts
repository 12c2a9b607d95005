// Kea's subnets and reservations as they were said last, kept in the store: a sidecar restarted while Kea is down answers
// as before.
import { NO_OCTETS } from '../binding.ts'
import type { FeedConfig, Subnet } from '../feed/events.ts'
import type { Blobs } from '../store/open.ts'

const SUBNETS = 'subnets'
/** As the feed gives it, since it may be megabytes. */
const RESERVED = 'reserved'

type KeptConfig = Pick<FeedConfig, 'subnets' | 'reserved'>

/** Of this form of the subnets; another one is not read, and Kea has to say it again. */
const VERSION = 1

/** Keeps them, durable with the next batch. */
export function keepConfig(blobs: Blobs, { subnets, reserved }: KeptConfig): void {
  keep(blobs, SUBNETS, Buffer.from(JSON.stringify({ version: VERSION, subnets }, toText)))
  keep(blobs, RESERVED, Buffer.from(reserved))
}

/** Kea says them at each reload, mostly the same. */
function keep(blobs: Blobs, name: string, octets: Buffer): void {
  if (blobs.get(name)?.equals(octets) !== true) blobs.set(name, octets)
}

/** undefined: Kea has never said any. */
export function keptConfig(blobs: Blobs): KeptConfig | undefined {
  const octets = blobs.get(SUBNETS)
  if (octets === undefined) return undefined
  const kept = JSON.parse(octets.toString(), toOctets) as { version: number; subnets: readonly Subnet[] }
  if (kept.version !== VERSION) return undefined
  return { subnets: kept.subnets, reserved: blobs.get(RESERVED) ?? NO_OCTETS }
}

/** Names of the fields that hold octets; all else is numbers and text. */
const OCTETS: ReadonlySet<string> = new Set(['prefix', 'first', 'last'])

function toText(key: string, value: unknown): unknown {
  if (key === 'relayAddresses')
    return (value as Uint8Array[]).map((octets) => Buffer.from(octets).toString('hex'))
  return OCTETS.has(key) ? Buffer.from(value as Uint8Array).toString('hex') : value
}

function toOctets(key: string, value: unknown): unknown {
  if (key === 'relayAddresses') return (value as string[]).map(octetsOf)
  return OCTETS.has(key) ? octetsOf(value as string) : value
}

function octetsOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}
