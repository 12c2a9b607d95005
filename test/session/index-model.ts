// A change index small enough to be obviously right: a list in order of number, one entry a binding, and departures.
import {
  type Binding,
  type BindingData,
  BindingState,
  type ChangeNumber,
  type LogicalSeconds,
  sameClient,
  sameOctets,
} from '../../sidecar/binding.ts'
import { PackedBinding } from '../../sidecar/packed-binding.ts'
import type { Action, ActiveChange, Input, Moment } from '../../sidecar/session/session-io.ts'

interface Entry {
  readonly departed: boolean
  readonly binding: Binding
}

export class IndexModel {
  #entries: Entry[] = []
  newest: ChangeNumber = 0
  prunedThrough: ChangeNumber = 0
  /** Second from which the index is complete. */
  horizon: LogicalSeconds = 0
  /** Which configuration of subnets holds: a slice is read under one. */
  topology = 0
  #place: { readonly at: string } | undefined

  /** Bindings as they are now. */
  get bindings(): Binding[] {
    return this.#entries.filter((entry) => !entry.departed).map((entry) => entry.binding)
  }

  /** All changes, in order. */
  get changes(): ActiveChange[] {
    return this.#entries.map((entry) => this.#asChange(entry))
  }

  get(address: Uint8Array): Binding | undefined {
    return this.bindings.find((binding) => sameOctets(binding.address, address))
  }

  /** Stores a change; where the holder, the length, the link or the relay changes, the old value leaves a departure. */
  put(data: BindingData, at: LogicalSeconds): ChangeNumber {
    const before = this.get(data.address)
    this.#drop((entry) => !entry.departed && sameOctets(entry.binding.address, data.address))
    this.#drop((entry) => entry.departed && sameSelectors(entry.binding, data))
    if (before !== undefined && !sameSelectors(before, data)) {
      if (before.state === BindingState.active)
        this.#append({ ...before, state: BindingState.reset }, at, true)
      else this.#insert({ departed: true, binding: before })
    }
    return this.#append(data, at, false)
  }

  /** Forgets the oldest ended binding or departure. */
  prune(): void {
    const oldest = this.#entries.find(
      (entry) => entry.departed || entry.binding.state !== BindingState.active,
    )
    if (oldest === undefined) return
    this.#drop((entry) => entry === oldest)
    this.prunedThrough = Math.max(this.prunedThrough, oldest.binding.changeNumber)
    this.horizon = Math.max(this.horizon, oldest.binding.changedAt + 1)
  }

  /** The number after which every change at `since` or later lies. */
  before(since: LogicalSeconds): ChangeNumber {
    const older = this.#entries.filter((entry) => entry.binding.changedAt < since)
    return Math.max(this.prunedThrough, older.at(-1)?.binding.changeNumber ?? 0)
  }

  /** Shows the pen what comes, at most as many changes as it asks for. */
  write(
    { after, until, limit, pen }: Extract<Action, { type: 'write-changes' }>,
    moment: Moment,
  ): Extract<Input, { type: 'written' }> {
    const { newest } = this
    if (this.prunedThrough > after) return { type: 'written', through: after, newest, overtaken: true }
    const told = pen.begin(this.#placeOf(`${after} ${limit} ${this.topology}`), moment)
    if (told !== undefined) return { type: 'written', through: told, newest, overtaken: false }
    const left = this.#entries.filter(({ binding }) => binding.changeNumber > after)
    const due = left.filter(({ binding }) => binding.changeNumber <= (until ?? newest))
    const pack = (binding: Binding) => new PackedBinding().pack(binding)
    for (const [i, entry] of due.slice(0, limit).entries()) {
      pen.turnTo(left[i + 1]?.binding.changedAt)
      const change = this.#asChange(entry)
      if (change.kind === 'departure') pen.tell(change)
      else if (pen.wants(pack(change.binding))) pen.write(pack(change.binding), change.companions.map(pack))
    }
    const through = due.length <= limit ? (until ?? newest) : due[limit - 1]!.binding.changeNumber
    return { type: 'written', through, newest, overtaken: false }
  }

  /** The same for all who read on from there, until something changes. */
  #placeOf(at: string): object {
    if (this.#place?.at !== at) this.#place = { at }
    return this.#place
  }

  #asChange({ departed, binding }: Entry): ActiveChange {
    const companions = this.bindings.filter(
      (other) =>
        other.state === BindingState.active &&
        other.address.length === 16 &&
        sameClient(other, binding) &&
        other.subnetId === binding.subnetId &&
        !sameOctets(other.address, binding.address),
    )
    return departed
      ? { kind: 'departure', departure: binding, current: this.get(binding.address), companions }
      : { kind: 'binding', binding, companions }
  }

  #append(data: BindingData, changedAt: LogicalSeconds, departed: boolean): ChangeNumber {
    this.newest++
    this.#place = undefined
    this.#entries.push({ departed, binding: { ...data, changedAt, changeNumber: this.newest } })
    return this.newest
  }

  #insert(entry: Entry): void {
    this.#entries.push(entry)
    this.#entries.sort((a, b) => a.binding.changeNumber - b.binding.changeNumber)
  }

  #drop(which: (entry: Entry) => boolean): void {
    this.#place = undefined
    this.#entries = this.#entries.filter((entry) => !which(entry))
  }
}

function sameSelectors(a: BindingData, b: BindingData): boolean {
  return (
    sameOctets(a.address, b.address) &&
    a.prefixLength === b.prefixLength &&
    a.subnetId === b.subnetId &&
    sameClient(a, b) &&
    sameOctets(a.relay, b.relay)
  )
}
