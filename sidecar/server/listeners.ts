// All places that requestors connect to: those that are no longer wanted are left, those that stay are not touched.
import type { Socket } from 'node:net'
import type { Family } from '../binding.ts'
import { reasonOf, SidecarError } from '../errors.ts'
import type { Log } from '../log.ts'
import { Listener, type Place } from './listener.ts'

export class Listeners {
  readonly #family: Family
  readonly #log: Log
  readonly #onSocket: (socket: Socket) => void
  readonly #onState: () => void
  #listeners: readonly Listener[] = []

  constructor(family: Family, log: Log, onSocket: (socket: Socket) => void, onState: () => void) {
    this.#family = family
    this.#log = log
    this.#onSocket = onSocket
    this.#onState = onState
  }

  /** On how many places it should listen. */
  get wanted(): number {
    return this.#listeners.length
  }

  listen(wanted: readonly Place[]): void {
    const kept: Listener[] = []
    for (const listener of this.#listeners) {
      if (wanted.some((place) => samePlace(place, listener.place))) kept.push(listener)
      else void listener.close()
    }
    const added = wanted
      .filter((place) => !kept.some((listener) => samePlace(place, listener.place)))
      .map((place) => new Listener(this.#family, place, this.#log, this.#onSocket, this.#onState))
    this.#listeners = [...kept, ...added]
  }

  /** Where it listens now. */
  get places(): readonly Place[] {
    return this.#listeners.flatMap(({ place, port }) => (port === undefined ? [] : [{ ...place, port }]))
  }

  /** One sentence for each place that cannot be listened on. */
  get failures(): readonly string[] {
    return this.#listeners.flatMap(({ place, failure }) =>
      failure === undefined
        ? []
        : [new SidecarError('ALQ_LISTEN', { ...place, reason: reasonOf(failure) }).message],
    )
  }

  /** Resolves when the ports are free. */
  async close(): Promise<void> {
    const closing = this.#listeners.map((listener) => listener.close())
    this.#listeners = []
    await Promise.all(closing)
  }
}

function samePlace(a: Place, b: Place): boolean {
  return a.address === b.address && a.port === b.port
}
