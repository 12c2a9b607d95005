// Stored bindings beside what Kea says now. Of a binding that is read where it lies no views are made: that takes longer than
// comparing, and nearly every event is a renewal that leaves all octets as they are.
import { type BindingData, type ClientNames, sameClient, sameOctets } from '../binding.ts'
import { PackedBinding } from '../packed-binding.ts'

/** See {@link sameClient}. */
export function isOfClient(stored: BindingData, names: ClientNames): boolean {
  if (!(stored instanceof PackedBinding)) return sameClient(stored, names)
  const { octets } = stored
  if (!lies(octets, stored.clientIdAt, stored.hostnameAt, names.clientId)) return false
  if (stored.addressLength === 16) return true
  return (
    stored.hardwareType === names.hardwareType &&
    lies(octets, stored.hardwareAddressAt, stored.clientIdAt, names.hardwareAddress)
  )
}

/** Whether the octets are alike that a row of Kea has: of client, host name and relay data. */
export function sameRowOctets(stored: BindingData, next: BindingData): boolean {
  if (!(stored instanceof PackedBinding)) {
    return (
      sameOctets(next.clientId, stored.clientId) &&
      sameOctets(next.hardwareAddress, stored.hardwareAddress) &&
      sameOctets(next.hostname, stored.hostname) &&
      sameOctets(next.relay, stored.relay)
    )
  }
  const { octets } = stored
  return (
    lies(octets, stored.clientIdAt, stored.hostnameAt, next.clientId) &&
    lies(octets, stored.hardwareAddressAt, stored.clientIdAt, next.hardwareAddress) &&
    lies(octets, stored.hostnameAt, stored.relayAt, next.hostname) &&
    lies(octets, stored.relayAt, stored.optionsAt, next.relay)
  )
}

/** Whether the captured options are alike. */
export function sameOptions(stored: BindingData, next: BindingData): boolean {
  return stored instanceof PackedBinding
    ? lies(stored.octets, stored.optionsAt, stored.octetsEnd, next.options)
    : sameOctets(next.options, stored.options)
}

function lies(octets: Uint8Array, from: number, to: number, value: Uint8Array): boolean {
  if (to - from !== value.length) return false
  for (let i = 0; i < value.length; i++) if (octets[from + i] !== value[i]) return false
  return true
}
