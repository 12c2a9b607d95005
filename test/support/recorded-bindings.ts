/** What a requestor was told, kept in full: the last word on each binding, and how often there was one. */

import type { BindingState } from '../../sidecar/binding.ts'
import { FoldedBindings } from '../../sidecar/requestor/active-requestor.ts'
import { keyOf, type ReportedBinding, type RequestorEvent } from '../../sidecar/requestor/events.ts'
import { waitFor } from './wait.ts'

export class RecordedBindings extends FoldedBindings {
  readonly #histories = new Map<string, ReportedBinding[]>()

  override apply(event: RequestorEvent): void {
    super.apply(event)
    if (event.type !== 'binding') return
    const key = keyOf(event.binding)
    const history = this.#histories.get(key)
    if (history) history.push(event.binding)
    else this.#histories.set(key, [event.binding])
  }

  /** All that was told of a binding, oldest first. */
  history(key: string): readonly ReportedBinding[] {
    return this.#histories.get(key) ?? []
  }

  last(key: string): ReportedBinding | undefined {
    return this.history(key).at(-1)
  }

  /** Waits until the last word on a binding is this state, and whatever else is wanted of it. */
  async hears(
    key: string,
    state: BindingState,
    wanted: (binding: ReportedBinding) => boolean = () => true,
  ): Promise<ReportedBinding> {
    return waitFor(`a requestor to be told that ${key} is in state ${state}`, () => {
      const last = this.last(key)
      if (last?.state === state && wanted(last)) return last
      throw new Error(`it was told ${describe(last)}`)
    })
  }
}

function describe(binding: ReportedBinding | undefined): string {
  if (!binding) return 'nothing'
  const { state, hardwareAddress, clientId, remote, relay } = binding
  const hex = (octets: Uint8Array | undefined) => Buffer.from(octets ?? []).toString('hex')
  return `state ${state}, client ${hex(hardwareAddress)} ${hex(clientId)}, remote ${remote}, relay ${hex(relay?.raw)}`
}
