import type { BindingData } from '../binding.ts'
import { relayHops6 } from '../wire/v6/options.ts'
import { WireError } from '../wire/wire-error.ts'

/** Values of one option in all hops of a binding's relay data; none where relays left something unreadable. */
export function relayOptions6(data: BindingData, code: number): Uint8Array[] {
  if (data.relay.length <= 16) return []
  try {
    return relayHops6(data.relay.subarray(16)).flatMap((hop) =>
      hop.options.filter((option) => option.code === code).map((option) => option.data),
    )
  } catch (error) {
    if (error instanceof WireError) return []
    throw error
  }
}
