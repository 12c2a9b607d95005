import { type BindingData, sameOctets } from '../binding.ts'
import type { Dialect } from './dialect.ts'
import type { Rights } from './session-io.ts'

/** Whether a binding lies in a requestor's scope: all do, unless it is bound to relay-ids. */
export function scopeOf(dialect: Dialect, rights: Rights): (data: BindingData) => boolean {
  const allowed = rights.relayIds
  if (allowed.length === 0) return () => true
  return (data) => dialect.relayIds(data).some((relayId) => allowed.some((one) => sameOctets(one, relayId)))
}
