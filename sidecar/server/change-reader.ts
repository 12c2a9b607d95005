// What the session of an active query asks of the store, answered in one slice: changes are shown to its pen where they lie,
// with the companions that a DHCPv6 message needs.
import type { Binding, BindingData, ChangeNumber, LogicalSeconds } from '../binding.ts'
import { BindingState, sameOctets } from '../binding.ts'
import type { Action, ActiveChange, ChangePen, Input, Moment } from '../session/session-io.ts'
import type { BindingStore, BulkStore, Change } from '../store/store.ts'
import type { BindingView } from '../store/view.ts'

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

/** A slice that is written ends after this time in any case, but for what one client's bindings take. */
const SLICE_MS = 0.5
/** Changes after which the clock is looked at. */
const STEP_CHANGES = 32
/** A client that holds more besides is told of from objects. */
const MOST_BESIDES = 16
const NOBODY: readonly BindingView[] = []

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

/** Places kept: requestors at the tail mostly stand at the same one. */
const KEPT_PLACES = 4

export class ChangeReader {
  readonly #store: BulkStore
  #linkOf: LinkOf
  /** Who reads on from the same place, before anything else is stored, can be told the same. */
  readonly #places = new Map<string, object>()
  #newest = -1
  #prunedThrough = -1

  constructor(store: BulkStore, linkOf: LinkOf) {
    this.#store = store
    this.#linkOf = linkOf
  }

  set linkOf(linkOf: LinkOf) {
    this.#linkOf = linkOf
    this.#places.clear()
  }

  /** Answers `write-changes`: until the pen has written enough, or much was looked at. */
  write(
    { after, until, limit, pen }: Omit<Extract<Action, { type: 'write-changes' }>, 'type'>,
    moment: Moment,
  ): Extract<Input, { type: 'written' }> {
    const { newestChange: newest, prunedThrough } = this.#store
    if (prunedThrough > after) return { type: 'written', through: after, newest, overtaken: true }
    const told = pen.begin(this.#place(after, limit), moment)
    const through = told ?? this.#walk(after, until ?? newest, limit, pen)
    return { type: 'written', through, newest, overtaken: false }
  }

  #walk(after: ChangeNumber, until: ChangeNumber, limit: number, pen: ChangePen): ChangeNumber {
    const store = this.#store
    const linkOf = this.#linkOf
    const ends = performance.now() + SLICE_MS
    let shown = 0
    return store.walkChanges(after, until, MAX_VISITED, (change, isDeparture, next) => {
      pen.turnTo(next)
      if (isDeparture) pen.tell(withCompanions(store, linkOf, { kind: 'departure', departure: change }))
      else if (pen.wants(change)) {
        const companions = besidesOf(store, linkOf, change)
        if (companions !== undefined) pen.write(change, companions)
        else pen.tell(withCompanions(store, linkOf, { kind: 'binding', binding: change }))
      }
      shown++
      if (shown === limit || pen.length >= MAX_SLICE_OCTETS) return false
      return shown % STEP_CHANGES !== 0 || performance.now() < ends
    })
  }

  #place(after: ChangeNumber, limit: number): object {
    const { newestChange, prunedThrough } = this.#store
    if (newestChange !== this.#newest || prunedThrough !== this.#prunedThrough) {
      this.#places.clear()
      this.#newest = newestChange
      this.#prunedThrough = prunedThrough
    }
    const key = `${after} ${limit}`
    let place = this.#places.get(key)
    if (place === undefined) {
      if (this.#places.size >= KEPT_PLACES) this.#places.clear()
      place = {}
      this.#places.set(key, place)
    }
    return place
  }
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

/**
 * As {@link companionsOf}, where they lie: good until the next change to the store or the next call. Undefined: the client
 * holds more than that is for.
 */
export function besidesOf(
  store: BulkStore,
  linkOf: LinkOf,
  binding: BindingView,
): readonly BindingView[] | undefined {
  if (store.family === 4 || binding.state === BindingState.abandoned) return NOBODY
  const others = store.besides(binding, MOST_BESIDES)
  if (others === undefined || others.length === 0) return others
  const link = linkOf(binding.subnetId)
  return others.filter(({ state, subnetId }) => state === BindingState.active && linkOf(subnetId) === link)
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
