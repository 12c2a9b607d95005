// Kea's subnets as they were said last, kept in the store: a sidecar restarted while Kea is down answers as before.
import type { Subnet } from '../feed/events.ts'
import type { Blobs } from '../store/open.ts'

const NAME = 'subnets'

/** Of this form of the blob; another one is not read, and Kea has to say it again. */
const VERSION = 1

/** Keeps them, durable with the next batch. */
export function keepSubnets(blobs: Blobs, subnets: readonly Subnet[]): void {
  const octets = Buffer.from(JSON.stringify({ version: VERSION, subnets }, toText))
  // Kea says them at each reload, mostly the same.
  if (blobs.get(NAME)?.equals(octets) !== true) blobs.set(NAME, octets)
}

/** undefined: Kea has never said any. */
export function keptSubnets(blobs: Blobs): readonly Subnet[] | undefined {
  const octets = blobs.get(NAME)
  if (octets === undefined) return undefined
  const kept = JSON.parse(octets.toString(), toOctets) as { version: number; subnets: readonly Subnet[] }
  return kept.version === VERSION ? kept.subnets : undefined
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
