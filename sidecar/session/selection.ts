import { type BindingData, sameOctets } from '../binding.ts'
import type { Dialect } from './dialect.ts'
import type { ActiveQuery } from './query.ts'
import type { Rights } from './session-io.ts'

/** Whether a binding lies in a requestor's scope: all do, unless it is bound to relay-ids. */
export function scopeOf(dialect: Dialect, rights: Rights): (data: BindingData) => boolean {
  const allowed = rights.relayIds
  if (allowed.length === 0) return () => true
  return (data) => dialect.relayIds(data).some((relayId) => allowed.some((one) => sameOctets(one, relayId)))
}

/** What decides the words in which a requestor is told of changes, as a text; undefined where a query selects bindings. */
export function viewOf(query: ActiveQuery, rights: Rights): string | undefined {
  if (query.selects !== undefined) return undefined
  const options = [...query.requested].filter((code) => !rights.withhold.has(code)).sort((a, b) => a - b)
  return JSON.stringify([
    options,
    query.wantsBaseTime,
    query.requestorId.length, // takes room in the first message, and so decides how groups are cut
    rights.relayIds.map((relayId) => relayId.join('.')).sort(),
  ])
}
