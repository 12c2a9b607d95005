// The store as one would write it without a care for memory or time: a map and a sorted list. Tests compare with it.
import type { BindingData, Family } from '../../sidecar/binding.ts'
import { BindingState } from '../../sidecar/binding.ts'
import type { Retention } from '../../sidecar/store/retention.ts'
import { addressOf, bindingOf, octets, plain, relayOf } from './support.ts'

/** A binding by the choices that made it, so that the model need not read relay data. */
export interface Choice {
  readonly address: number
  readonly client: number
  readonly relayId: string
  readonly remoteId: string
  readonly noise: string
  /** Ids of a second relay (DHCPv6). */
  readonly inner?: string
  readonly subnetId: number
  readonly prefixLength: number
  readonly state: BindingState
  readonly validLifetime: number
}

export function dataOf(family: Family, choice: Choice, since: number): BindingData {
  const { address, client, relayId, remoteId, noise, inner, subnetId, prefixLength, state, validLifetime } =
    choice
  return bindingOf(family, address, {
    address: addressOf(family, address),
    hardwareAddress: family === 4 ? Uint8Array.of(client, 1) : Uint8Array.of(since),
    clientId: client === 0 ? new Uint8Array(0) : octets(`client-${client}`),
    relay: relayOf(family, relayId, remoteId, noise, inner),
    subnetId,
    prefixLength: family === 6 ? prefixLength : 0,
    state,
    validLifetime,
    stateSince: since,
    options: new Uint8Array((since * 37) % 200).fill(since),
  })
}

export interface ModelEntry {
  readonly departure: boolean
  readonly choice: Choice
  readonly selectors: string
  readonly data: Record<string, unknown>
  readonly number: number
  readonly at: number
}

export class Model {
  readonly family: Family
  readonly retention: Retention
  bindings = new Map<number, ModelEntry>()
  departures = new Map<string, ModelEntry>()
  newest = 0
  prunedThrough = 0
  horizon: number | undefined
  floor = 0

  constructor(family: Family, retention: Retention) {
    this.family = family
    this.retention = retention
  }

  copy(): Model {
    const copy = new Model(this.family, this.retention)
    copy.bindings = new Map(this.bindings)
    copy.departures = new Map(this.departures)
    copy.newest = this.newest
    copy.prunedThrough = this.prunedThrough
    copy.horizon = this.horizon
    copy.floor = this.floor
    return copy
  }

  put(choice: Choice, since: number, at: number): void {
    const prefixLength = this.family === 6 ? choice.prefixLength : 0
    const { client, relayId, remoteId, subnetId } = choice
    const inner = this.family === 6 ? choice.inner : ''
    const selectors = [client, relayId, remoteId, subnetId, prefixLength, inner ?? ''].join('|')
    const key = `${choice.address} ${selectors}`
    const data = plain(dataOf(this.family, choice, since))
    const old = this.bindings.get(choice.address)
    this.departures.delete(key)
    if (old !== undefined && old.selectors !== selectors) {
      const active = old.data['state'] === BindingState.active
      this.departures.set(`${choice.address} ${old.selectors}`, {
        ...old,
        departure: true,
        ...(active
          ? {
              number: ++this.newest,
              at,
              data: {
                ...old.data,
                state: BindingState.reset,
                stateSince: Math.max(old.data['stateSince'] as number, since),
              },
            }
          : {}),
      })
    }
    this.bindings.set(choice.address, {
      departure: false,
      choice,
      selectors,
      data,
      number: ++this.newest,
      at,
    })
  }

  /** All of the change index, in order. */
  get entries(): ModelEntry[] {
    return [...this.bindings.values(), ...this.departures.values()].sort((a, b) => a.number - b.number)
  }

  get ended(): number {
    return this.entries.filter(isEnded).length
  }

  raiseHorizon(at: number): void {
    this.horizon = Math.max(at, this.horizon ?? 0, this.floor)
  }

  prune(now: number): number {
    let dropped = 0
    for (const entry of this.entries.filter(isEnded)) {
      if (entry.at >= now - this.retention.seconds && this.ended <= this.retention.maxEnded) break
      const from: Map<unknown, ModelEntry> = entry.departure ? this.departures : this.bindings
      for (const [key, value] of from) if (value === entry) from.delete(key)
      this.prunedThrough = entry.number
      this.floor = Math.max(this.floor, entry.at + 1)
      if (this.horizon !== undefined) this.horizon = Math.max(this.horizon, this.floor)
      dropped++
    }
    return dropped
  }
}

export function isEnded(entry: ModelEntry): boolean {
  return entry.departure || entry.data['state'] !== BindingState.active
}
