import type { QueryForBindings } from './query.ts'
import type { Rights } from './session-io.ts'

interface Asked {
  readonly query: QueryForBindings
  readonly rights: Rights
}

/** What follows from a query and the requestor's rights: decided once for each, looked up for each message. */
export function perQuery<T>(decide: (query: QueryForBindings, rights: Rights) => T): (asked: Asked) => T {
  const known = new WeakMap<QueryForBindings, { readonly rights: Rights; readonly decided: T }>()
  // Message after message is about the same one.
  let lastQuery: QueryForBindings | undefined
  let lastRights: Rights | undefined
  let last: T
  return ({ query, rights }) => {
    if (query === lastQuery && rights === lastRights) return last
    let entry = known.get(query)
    if (entry?.rights !== rights) {
      entry = { rights, decided: decide(query, rights) }
      known.set(query, entry)
    }
    lastQuery = query
    lastRights = rights
    last = entry.decided
    return last
  }
}
