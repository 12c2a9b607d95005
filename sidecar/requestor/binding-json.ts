// A binding as JSON: what `watch`, `fetch` and `mirror` print, keep and hand over. Names are only ever added.
import { BindingState, type UnixSeconds } from '../binding.ts'
import type { ReportedBinding } from './events.ts'

export type End = number | 'infinite' | null

/** Octets are hexadecimal, times Unix seconds, what was not told is null. */
export interface BindingJson {
  readonly family: 4 | 6
  readonly address: string
  readonly 'prefix-length': number | null
  /** Name of a dhcp-state. */
  readonly state: string
  readonly 'client-id': string | null
  readonly 'hardware-type': number
  readonly 'hardware-address': string | null
  readonly expires: End
  readonly 'preferred-until': End
  readonly 'last-transaction': number | null
  readonly 'state-since': number | null
  readonly remote: boolean
  readonly relay: {
    readonly 'circuit-id': string | null
    readonly 'remote-id': string | null
    readonly 'relay-id': string | null
    readonly 'next-hop': string | null
    readonly 'link-address': string | null
    readonly raw: string | null
  } | null
  readonly server: string | null
  readonly status: string | null
  readonly options: readonly { readonly code: number; readonly data: string | null }[]
}

/** @param ahead seconds to take from every time: 0 keeps them on the server's clock */
export function bindingJson(binding: ReportedBinding, ahead = 0): BindingJson {
  const { relay } = binding
  const end = (time: UnixSeconds | undefined): End =>
    time === undefined ? null : Number.isFinite(time) ? time - ahead : 'infinite'
  const at = (time: UnixSeconds | undefined) => (time === undefined ? null : time - ahead)
  return {
    family: binding.family,
    address: binding.address,
    'prefix-length': binding.prefixLength === 0 ? null : binding.prefixLength,
    state: stateName(binding.state),
    'client-id': hex(binding.clientId),
    'hardware-type': binding.hardwareType,
    'hardware-address': hex(binding.hardwareAddress),
    expires: end(binding.expires),
    'preferred-until': end(binding.preferredUntil),
    'last-transaction': at(binding.lastTransaction),
    'state-since': at(binding.stateSince),
    remote: binding.remote,
    relay:
      relay === undefined
        ? null
        : {
            'circuit-id': hex(relay.circuitId),
            'remote-id': hex(relay.remoteId),
            'relay-id': hex(relay.relayId),
            'next-hop': relay.nextHop ?? null,
            'link-address': relay.linkAddress ?? null,
            raw: hex(relay.raw),
          },
    server: hex(binding.server),
    status: binding.status ?? null,
    options: binding.options.map(({ code, data }) => ({ code, data: hex(data) })),
  }
}

export function stateName(state: BindingState): string {
  const found = Object.entries(BindingState).find(([, value]) => value === state)
  return found === undefined ? `state-${state}` : found[0]
}

export function hex(octets: Uint8Array | undefined): string | null {
  return octets === undefined || octets.length === 0 ? null : Buffer.from(octets).toString('hex')
}
