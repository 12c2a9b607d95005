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
import type { Action, ActiveChange, ChangeBatch, Input, Moment } from '../../sidecar/session/session-io.ts'

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
  /** Which configuration of subnets holds: a batch is read under one. */
  topology = 0
  #kept: { readonly at: string; readonly batch: ChangeBatch } | undefined

  /** Bindings as they are now. */
  get bindings(): Binding[] {
    return this.#entries.filter((entry) => !entry.departed).map((entry) => entry.binding)
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

  /** The same batch for all who read on from the same place, until something changes. */
  read(after: ChangeNumber, limit: number): ChangeBatch {
    const at = `${after} ${limit} ${this.topology}`
    if (this.#kept?.at !== at) this.#kept = { at, batch: this.#read(after, limit) }
    return this.#kept.batch
  }

  /** Hands at most `limit` changes to the pen. */
  write(
    { after, until, pen }: Extract<Action, { type: 'write-changes' }>,
    limit: number,
    moment: Moment,
  ): Extract<Input, { type: 'written' }> {
    const { newest } = this
    if (this.prunedThrough > after) return { type: 'written', through: after, newest, overtaken: true }
    const left = this.#entries.filter(
      ({ binding: { changeNumber } }) => changeNumber > after && changeNumber <= until,
    )
    const shown = left.slice(0, limit)
    const pack = (binding: Binding) => new PackedBinding().pack(binding)
    for (const change of shown.map((entry) => this.#asChange(entry))) {
      if (change.kind === 'departure') pen.tell(change, moment)
      else if (pen.wants(pack(change.binding)))
        pen.write(pack(change.binding), change.companions.map(pack), moment)
    }
    const through = shown.length === left.length ? until : shown.at(-1)!.binding.changeNumber
    return { type: 'written', through, newest, overtaken: false }
  }

  #read(after: ChangeNumber, limit: number): ChangeBatch {
    const left = this.#entries.filter((entry) => entry.binding.changeNumber > after)
    const found = left.slice(0, limit)
    const atEnd = found.length === left.length
    return {
      changes: found.map((entry) => this.#asChange(entry)),
      through: atEnd ? this.newest : found.at(-1)!.binding.changeNumber,
      atEnd,
      newest: this.newest,
      overtaken: this.prunedThrough > after,
    }
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
    this.#kept = undefined
    this.#entries.push({ departed, binding: { ...data, changedAt, changeNumber: this.newest } })
    return this.newest
  }

  #insert(entry: Entry): void {
    this.#entries.push(entry)
    this.#entries.sort((a, b) => a.binding.changeNumber - b.binding.changeNumber)
  }

  #drop(which: (entry: Entry) => boolean): void {
    this.#kept = undefined
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
