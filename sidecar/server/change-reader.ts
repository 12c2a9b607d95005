// What a session asks of the store, answered in one slice: changes with the companions a DHCPv6 message needs.
import type { Binding, BindingData, ChangeNumber, LogicalSeconds } from '../binding.ts'
import { BindingState, sameOctets } from '../binding.ts'
import type { ActiveChange, ChangeBatch, Input } from '../session/session-io.ts'
import type { BindingStore, Change } from '../store/store.ts'

/** Entries of the change index looked at in one slice: bounds the time of a slice that finds little. */
export const MAX_VISITED = 20_000
/** Octets of output a slice may lead to, roughly. */
export const MAX_SLICE_OCTETS = 24 * 1024
/** Fixed part of a DHCPv4 message, and about what the options of a binding take beside its own octets. */
export const MESSAGE_OVERHEAD = 300
/** Other bindings of one client shown with a changed one; a client with more is told of them by their own changes. */
export const MAX_COMPANIONS = 256

/** Bindings of one client looked at for companions; a client may hold any number. */
const MAX_HELD_VISITED = 1024

/** Which link a subnet is on: subnets of one shared network are one link. */
export type LinkOf = (subnetId: number) => string | number

/** A start time this much ahead of the server's clock comes from before the clock was set back (RFC 7724 section 7.2). */
const FUTURE_SECONDS = 5

/** Answers `open`: where a query that starts at `since` begins to read. */
export function openAt(
  store: BindingStore,
  since: LogicalSeconds | undefined,
  now: LogicalSeconds,
): Extract<Input, { type: 'opened' }> {
  const newest = store.newestChange
  if (since === undefined) return { type: 'opened', after: newest, newest, complete: true }
  const { horizon } = store
  const complete = horizon !== undefined && since >= horizon && since <= now + FUTURE_SECONDS
  if (!complete) return { type: 'opened', after: newest, newest, complete }
  // What pruning took lies before the horizon, so before `since`: nothing is skipped.
  const after = Math.max(store.before(since), store.prunedThrough)
  return { type: 'opened', after: Math.min(after, newest), newest, complete }
}

/** Batches kept: requestors at the tail mostly ask for the same one. */
const KEPT_BATCHES = 4

/** Answers `read`. Requestors that read on from the same place, before anything else is stored, share one batch. */
export class ChangeReader {
  readonly #store: BindingStore
  #linkOf: LinkOf
  #kept = new Map<string, ChangeBatch>()
  #newest = -1
  #prunedThrough = -1

  constructor(store: BindingStore, linkOf: LinkOf) {
    this.#store = store
    this.#linkOf = linkOf
  }

  set linkOf(linkOf: LinkOf) {
    this.#linkOf = linkOf
    this.#kept.clear()
  }

  /** At most `limit` changes after `after`, and fewer where they are large. */
  read(after: ChangeNumber, limit: number): ChangeBatch {
    const { newestChange, prunedThrough } = this.#store
    if (newestChange !== this.#newest || prunedThrough !== this.#prunedThrough) {
      this.#kept.clear()
      this.#newest = newestChange
      this.#prunedThrough = prunedThrough
    }
    const key = `${after} ${limit}`
    let batch = this.#kept.get(key)
    if (batch === undefined) {
      batch = readChanges(this.#store, this.#linkOf, after, limit)
      if (this.#kept.size >= KEPT_BATCHES) this.#kept.clear()
      this.#kept.set(key, batch)
    }
    return batch
  }
}

/** One slice, read anew: at most `limit` changes, and fewer where they are large. */
export function readChanges(
  store: BindingStore,
  linkOf: LinkOf,
  after: ChangeNumber,
  limit: number,
): ChangeBatch {
  const overtaken = store.prunedThrough > after
  const { newestChange: newest } = store
  const read = store.changesAfter(after, limit, MAX_VISITED)
  const changes: ActiveChange[] = []
  let octets = 0
  for (const [index, change] of read.changes.entries()) {
    const active = withCompanions(store, linkOf, change)
    changes.push(active)
    octets += sizeOf(active)
    if (octets >= MAX_SLICE_OCTETS && index < read.changes.length - 1) {
      return { changes, through: numberOf(change), atEnd: false, newest, overtaken }
    }
  }
  return { changes, through: read.through, atEnd: read.atEnd, newest, overtaken }
}

/** A change with all that a message about it needs. */
export function withCompanions(store: BindingStore, linkOf: LinkOf, change: Change): ActiveChange {
  if (change.kind === 'binding') {
    return { ...change, companions: companionsOf(store, linkOf, change.binding) }
  }
  const { departure } = change
  return {
    ...change,
    current: store.get(departure.address),
    companions: companionsOf(store, linkOf, departure),
  }
}

/** The client's other active bindings on the link (RFC 5460 section 5.2.1); ended bindings stand alone. */
function companionsOf(store: BindingStore, linkOf: LinkOf, about: BindingData): Binding[] {
  if (store.family === 4 || about.clientId.length === 0) return []
  // Declined leases all share one empty DUID in Kea: no client of that name exists.
  if (about.state === BindingState.abandoned) return []
  const link = linkOf(about.subnetId)
  const companions: Binding[] = []
  for (const binding of store.heldBy(about.clientId, MAX_HELD_VISITED)) {
    if (linkOf(binding.subnetId) !== link || sameOctets(binding.address, about.address)) continue
    companions.push(binding)
    if (companions.length === MAX_COMPANIONS) break
  }
  return companions
}

/** About how many octets its message takes. */
export function sizeOf(change: ActiveChange): number {
  const about = change.kind === 'binding' ? change.binding : change.departure
  return (
    MESSAGE_OVERHEAD +
    about.clientId.length +
    about.relay.length +
    about.options.length +
    about.hostname.length +
    32 * change.companions.length
  )
}

function numberOf(change: Change): ChangeNumber {
  return change.kind === 'binding' ? change.binding.changeNumber : change.departure.changeNumber
}
