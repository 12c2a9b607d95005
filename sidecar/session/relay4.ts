import type { BindingData } from '../binding.ts'
import type { RawOption } from '../wire/option-table.ts'
import { subOptions4 } from '../wire/v4/options.ts'
import { WireError } from '../wire/wire-error.ts'

/** Values of one sub-option in a binding's relay data. */
export function relayOptions4(data: BindingData, code: number): Uint8Array[] {
  return readableOptions4(data.relay)
    .filter((option) => option.code === code)
    .map((option) => option.data)
}

/** Sub-options of relays, or captured options of a client: what cannot be taken apart counts as absent. */
export function readableOptions4(value: Uint8Array): RawOption[] {
  try {
    return subOptions4(value)
  } catch (error) {
    if (error instanceof WireError) return []
    throw error
  }
}
