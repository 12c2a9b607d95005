// What Kea's configuration says of links, as far as it has been heard: what sessions ask of it.
import type { Service } from '../session/session-io.ts'
import { type Topology, topologyOf } from './topology.ts'

export class Links {
  #topology: Topology = topologyOf([])
  #isKnown = false
  /** By the very octets that were asked with: an active query asks of each change. */
  #subnets = new WeakMap<Uint8Array, readonly number[]>()

  /** As it is at the moment of each question. */
  readonly ofSessions: Required<Pick<Service, 'timers' | 'subnetsOfLink' | 'isOnLink'>> = {
    timers: (subnetId) => this.#topology.timers(subnetId),
    subnetsOfLink: (linkAddress) => this.#subnetsOf(linkAddress),
    isOnLink: (address) => !this.#isKnown || this.#topology.isOnLink(address),
  }

  /** Kea has said it. */
  set(topology: Topology): void {
    this.#topology = topology
    this.#isKnown = true
    this.#subnets = new WeakMap()
  }

  /** undefined: it has not been heard. */
  get known(): Topology | undefined {
    return this.#isKnown ? this.#topology : undefined
  }

  /** What is known, or nothing. */
  get topology(): Topology {
    return this.#topology
  }

  #subnetsOf(linkAddress: Uint8Array): readonly number[] | undefined {
    if (!this.#isKnown) return undefined
    let subnets = this.#subnets.get(linkAddress)
    if (subnets === undefined) {
      subnets = this.#topology.subnetsOfLink(linkAddress)
      this.#subnets.set(linkAddress, subnets)
    }
    return subnets
  }
}
