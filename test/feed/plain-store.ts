// A BindingStore that is plainly right: a Map and a list. For tests of the feed only.
import {
  type Binding,
  type BindingData,
  BindingState,
  expiryOf,
  type Family,
  type LogicalSeconds,
  sameClient,
  type UnixSeconds,
} from '../../sidecar/binding.ts'
import type { BindingStore, Change, ChangeBatch, FeedPosition } from '../../sidecar/store/store.ts'

export interface SavedStore {
  readonly bindings: ReadonlyMap<string, Binding>
  readonly position: FeedPosition
  readonly horizon: LogicalSeconds | undefined
}

export function keyOf(address: Uint8Array): string {
  return Buffer.from(address).toString('hex')
}

export class PlainStore implements BindingStore {
  readonly family: Family
  readonly bindings: Map<string, Binding>
  /** Everything that was put, in order: what a requestor at the tail was shown. */
  readonly shown: Change[] = []
  readonly prunedThrough = 0
  position: FeedPosition
  horizon: LogicalSeconds | undefined
  newestChange = 0
  #marks = new Set<string>()

  constructor(family: Family, saved?: SavedStore) {
    this.family = family
    this.bindings = new Map(saved?.bindings)
    this.position = saved?.position ?? { epoch: '', seq: 0, walkPending: true }
    this.horizon = saved?.horizon
    for (const { changeNumber } of this.bindings.values()) {
      this.newestChange = Math.max(this.newestChange, changeNumber)
    }
  }

  /** What a disk would hold now. */
  save(): SavedStore {
    return { bindings: new Map(this.bindings), position: this.position, horizon: this.horizon }
  }

  get(address: Uint8Array): Binding | undefined {
    return this.bindings.get(keyOf(address))
  }

  peek(address: Uint8Array): Binding | undefined {
    return this.get(address)
  }

  expect(): void {}

  put(data: BindingData, at: LogicalSeconds): number {
    const previous = this.get(data.address)
    if (
      previous !== undefined &&
      (!sameClient(previous, data) || previous.prefixLength !== data.prefixLength)
    ) {
      const departure = { ...previous, changedAt: at, changeNumber: ++this.newestChange }
      this.shown.push({ kind: 'departure', departure })
    }
    // Octets given to a store may be views of a message.
    const binding: Binding = { ...copied(data), changedAt: at, changeNumber: ++this.newestChange }
    this.bindings.set(keyOf(data.address), binding)
    this.shown.push({ kind: 'binding', binding })
    return binding.changeNumber
  }

  heldBy(clientId: Uint8Array): Binding[] {
    return [...this.bindings.values()].filter(
      (b) => b.state === BindingState.active && Buffer.from(b.clientId).equals(clientId),
    )
  }

  get counts(): ReadonlyMap<BindingState, number> {
    const counts = new Map<BindingState, number>()
    for (const { state } of this.bindings.values()) counts.set(state, (counts.get(state) ?? 0) + 1)
    return counts
  }

  before(at: LogicalSeconds): number {
    return numberOf(this.shown.find((change) => timeOf(change) >= at)) - 1
  }

  changesAfter(after: number, limit: number): ChangeBatch {
    const changes = this.shown.filter((change) => numberOf(change) > after).slice(0, limit)
    const through = changes.length === 0 ? this.newestChange : numberOf(changes.at(-1))
    return { changes, through, atEnd: through === this.newestChange }
  }

  raiseHorizon(at: LogicalSeconds): void {
    this.horizon = Math.max(this.horizon ?? at, at)
  }

  prune(): number {
    return 0
  }

  clearMarks(): void {
    this.#marks = new Set()
  }

  mark(address: Uint8Array): void {
    this.#marks.add(keyOf(address))
  }

  unmarked(from: number, limit: number): { bindings: readonly Binding[]; next: number } {
    const all = [...this.bindings.values()]
    const bindings: Binding[] = []
    let at = from
    for (; at < all.length && bindings.length < limit; at++) {
      const binding = all[at]!
      const isHeld = binding.state === BindingState.active || binding.state === BindingState.abandoned
      if (isHeld && !this.#marks.has(keyOf(binding.address))) bindings.push(binding)
    }
    return { bindings, next: at < all.length ? at : 0 }
  }

  overdue(before: UnixSeconds): Binding[] {
    return [...this.bindings.values()].filter((b) => b.state === BindingState.active && expiryOf(b) <= before)
  }

  async flush(): Promise<void> {}
  async close(): Promise<void> {}
}

function copied(data: BindingData): BindingData {
  return {
    ...data,
    address: Uint8Array.from(data.address),
    hardwareAddress: Uint8Array.from(data.hardwareAddress),
    clientId: Uint8Array.from(data.clientId),
    hostname: Uint8Array.from(data.hostname),
    relay: Uint8Array.from(data.relay),
    options: Uint8Array.from(data.options),
  }
}

function numberOf(change: Change | undefined): number {
  if (change === undefined) return Number.POSITIVE_INFINITY
  return change.kind === 'binding' ? change.binding.changeNumber : change.departure.changeNumber
}

function timeOf(change: Change): LogicalSeconds {
  return change.kind === 'binding' ? change.binding.changedAt : change.departure.changedAt
}
