// Scans of Bulk queries over the model of the index: what was there at the opening, one after the other, as it is when its
// turn comes; then what came meanwhile. Obviously each binding once.
import { type Binding, type BindingData, sameOctets } from '../../sidecar/binding.ts'
import { PackedBinding } from '../../sidecar/packed-binding.ts'
import { numberOf } from '../../sidecar/server/topology.ts'
import type { Selector } from '../../sidecar/session/query.ts'
import type { BulkFind, BulkSlice, Moment, ScanQuery } from '../../sidecar/session/session-io.ts'
import { prefixContains } from '../../sidecar/wire/address.ts'
import { subOptions4 } from '../../sidecar/wire/v4/options.ts'
import { relayHops6 } from '../../sidecar/wire/v6/options.ts'
import type { IndexModel } from './index-model.ts'

/** What the server knows beside the bindings. */
export interface Configured {
  /** DHCPv4: all configured addresses. */
  readonly addresses: readonly Uint8Array[]
}

export class ScanModel {
  readonly #index: IndexModel
  readonly #query: ScanQuery
  readonly #configured: readonly Uint8Array[]
  readonly #met = new Set<string>()
  readonly #horizon: number
  #departuresTold = false
  /** As the store says it: ends that the window asks for are gone. */
  overtaken = false

  constructor(index: IndexModel, query: ScanQuery, configured: Configured) {
    this.#index = index
    this.#query = query
    this.#horizon = index.horizon
    const { start } = query.window ?? {}
    const walks =
      query.configured && (query.window === undefined || start === undefined || start < index.horizon)
    this.#configured = walks ? configured.addresses : []
  }

  next(limit: number, settled: readonly Uint8Array[], moment: Moment): BulkSlice {
    for (const address of settled) this.#met.add(String(address))
    const finds: BulkFind[] = []
    if (!this.#departuresTold) {
      this.#departuresTold = true
      if (this.#query.departures)
        for (const change of this.#index.changes)
          if (change.kind === 'departure' && this.#wants(change.departure, moment)) finds.push(change)
    }
    const all = this.#candidates()
    for (const find of all) {
      if (finds.length >= limit) break
      const address =
        find.kind === 'available'
          ? [24, 16, 8, 0].map((shift) => (find.address >>> shift) & 255)
          : find.kind === 'binding'
            ? find.binding.address
            : undefined
      this.#met.add(String(address))
      if (find.kind !== 'binding' || this.#wants(find.binding, moment)) finds.push(find)
    }
    return { finds, done: this.#candidates().length === 0, overtaken: this.overtaken }
  }

  #candidates(): BulkFind[] {
    const bindings: BulkFind[] = this.#index.changes.filter(
      (change) => change.kind === 'binding' && !this.#met.has(String(change.binding.address)),
    )
    const available = this.#configured.flatMap((address): BulkFind[] =>
      this.#met.has(String(address)) || this.#index.get(address) !== undefined
        ? []
        : [{ kind: 'available', address: numberOf(address), since: this.#horizon - 1 }],
    )
    return [...bindings, ...available]
  }

  #wants(data: Binding, moment: Moment): boolean {
    const { window, selector, where } = this.#query
    return (
      selected(selector, data) &&
      (window === undefined || inWindow(data, window, moment.keaNow - moment.now)) &&
      where(new PackedBinding().pack(data), moment)
    )
  }
}

function inWindow(
  data: Binding,
  { start = 0, end = Number.POSITIVE_INFINITY }: NonNullable<ScanQuery['window']>,
  keaAhead: number,
): boolean {
  return [data.changedAt, data.clientLastTransaction - keaAhead, data.stateSince - keaAhead].some(
    (at) => at >= start && at <= end,
  )
}

function selected(selector: Selector, data: BindingData): boolean {
  switch (selector.by) {
    case 'all':
      return true
    case 'hardware-address':
      return (
        data.hardwareType === selector.hardwareType &&
        sameOctets(data.hardwareAddress, selector.hardwareAddress)
      )
    case 'client-id':
      return sameOctets(data.clientId, selector.clientId)
    case 'relay-id':
      return relayOptions(data, 12, 53).some((one) => sameOctets(one, selector.relayId))
    case 'remote-id':
      return relayOptions(data, 2, 37).some((one) => sameOctets(one, selector.remoteId))
    case 'subnets':
      return selector.subnetIds.includes(data.subnetId)
    case 'address':
      return data.prefixLength === 0
        ? sameOctets(data.address, selector.address)
        : prefixContains({ address: data.address, length: data.prefixLength }, selector.address)
  }
}

function relayOptions(data: BindingData, code4: number, code6: number): Uint8Array[] {
  if (data.relay.length === 0) return []
  const options =
    data.address.length === 4
      ? subOptions4(data.relay).filter(({ code }) => code === code4)
      : relayHops6(data.relay.subarray(16)).flatMap((hop) => hop.options.filter(({ code }) => code === code6))
  return options.map(({ data: value }) => value)
}
