// Where operators look: a TCP address and port, or a socket in the file system.
import { isIPv6 } from 'node:net'
import { badFlag } from '../flags.ts'

export type OperationsPlace =
  | { readonly kind: 'tcp'; readonly address: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/**
 * Reads `ADDRESS:PORT`, `[ADDRESS]:PORT`, `unix:PATH` or `off`.
 * @param flag that it is the value of
 * @returns undefined where it is off
 * @throws SidecarError ALQ_FLAG
 */
export function readOperationsPlace(flag: string, text: string): OperationsPlace | undefined {
  if (text === 'off') return undefined
  const path = /^unix:(\/.+)$/.exec(text)?.[1]
  if (path !== undefined) return { kind: 'unix', path }
  const match = /^(?:\[([^\]]+)\]|([^:[\]/]+)):(\d{1,5})$/.exec(text)
  const address = match?.[1] ?? match?.[2] ?? ''
  const port = Number(match?.[3])
  if (match === null || port > 65_535 || (match[1] !== undefined && !isIPv6(address))) {
    throw badFlag(
      flag,
      `${text} is no place such as 127.0.0.1:9547, [::1]:9547, unix:/run/status.sock or off`,
    )
  }
  return { kind: 'tcp', address, port }
}

/** As it is written in the flag. */
export function formatPlace(place: OperationsPlace): string {
  if (place.kind === 'unix') return `unix:${place.path}`
  return place.address.includes(':') ? `[${place.address}]:${place.port}` : `${place.address}:${place.port}`
}
