// Who may connect, and how many: the entry of `requesters` that permits a peer, or why it is not served (RFC 7724 sections
// 8.1 and 9, RFC 7653 sections 9.1 and 10).

import type { ServiceConfig } from '../config.ts'
import { type Requester, UNSAID } from '../config-requesters.ts'
import { AcceptRate } from './accept-rate.ts'
import { AllowList, entryKey, type Peer } from './allow-list.ts'
import { Refused } from './refused.ts'

/** What is counted of a connection. */
export interface Counted {
  readonly address: string
  /** Who it is: the certificate's names, or the address. */
  readonly identity: string
  readonly requester: Requester
  /** TLS is up. */
  readonly secure: boolean
  /** No query runs on it, nor has come yet. */
  readonly idle: boolean
  /** It is over, and about to be gone. */
  readonly closing: boolean
  destroy(reason: string): void
}

/**
 * Where a certificate decides, anybody may connect until it is seen: so many at once, and of one address, wait for TLS.
 * They take nothing of `max-requester-connections`, or strangers could keep requestors out; and where there are more, the
 * oldest of them makes room, since whoever is honest has shown its certificate within moments.
 */
export const MAX_UNSECURED = 256
export const MAX_UNSECURED_OF_ONE = 16

/** Who has not shown a certificate yet; may ask for TLS and nothing else. */
export const NOBODY: Requester = { place: '', queries: [], ...UNSAID }

export class Admission<C extends Counted> {
  readonly #connections: ReadonlySet<C>
  readonly #rate = new AcceptRate()
  #config: ServiceConfig | undefined
  #allowList = new AllowList({ requesters: [] })

  /** @param connections those that are up, kept by the caller */
  constructor(connections: ReadonlySet<C>) {
    this.#connections = connections
  }

  configure(config: ServiceConfig): void {
    this.#config = config
    this.#allowList = new AllowList(config)
  }

  /** The entry that speaks for a peer, whatever limits say. */
  match(peer: Peer): Requester | undefined {
    return this.#allowList.match(peer)
  }

  /** A connection has come in: under which entry it may stay for now, or why it may not. */
  accept(address: string): Requester | Refused {
    if (this.#config === undefined) return new Refused('not-configured', 'nothing is configured yet')
    const secure = this.#config.tls.mode === 'required'
    const requester = this.match({ address })
    if (requester === undefined && !(secure && this.#allowList.asksForCertificates)) return NOT_PERMITTED
    const rate = this.#rate.take(address, !secure, performance.now())
    if (rate !== undefined) return new Refused('too-fast', rate)
    if (!secure) return this.#withinLimits(requester!, address)
    const unsecured = [...this.#connections].filter(({ secure, closing }) => !secure && !closing)
    if (unsecured.filter((connection) => connection.address === address).length >= MAX_UNSECURED_OF_ONE) {
      const text = `${MAX_UNSECURED_OF_ONE} connections from there have not started TLS yet`
      return new Refused('tls-waiting', text)
    }
    if (unsecured.length >= MAX_UNSECURED) {
      mostOf(unsecured, ({ address }) => address)[0]!.destroy('it made room: TLS was not up in time')
    }
    return requester ?? NOBODY
  }

  /** TLS is up: the entry that permits the peer, or why it is not served. */
  secured(peer: Peer, identity: string): Requester | Refused {
    const requester = this.match(peer)
    if (requester === undefined) return NOT_PERMITTED
    this.#rate.proved(peer.address)
    return this.#withinLimits(requester, identity)
  }

  #withinLimits(requester: Requester, identity: string): Requester | Refused {
    const { maxConnections, tls } = this.#config!
    const judged = [...this.#connections].filter(({ secure }) => secure || tls.mode === 'off')
    const ofEntry = judged.filter(
      (connection) => entryKey(connection.requester) === entryKey(requester),
    ).length
    if (requester.maxConnections > 0 && ofEntry >= requester.maxConnections) {
      const text = `all ${requester.maxConnections} connections of ${requester.place} are taken`
      return new Refused('limit', text)
    }
    const own = judged.filter((connection) => connection.identity === identity).length
    if (judged.length >= maxConnections) {
      // Who has many and asks nothing on them gives one to who has none.
      const idle = own > 0 ? [] : idleOfGreediest(judged)
      if (idle.length === 0) return new Refused('limit', `all ${maxConnections} connections are taken`)
      idle[0]!.destroy('it made room for another requestor')
      return requester
    }
    // As Kea does: one requestor alone does not take them all, where others are configured.
    const last = judged.length > 0 && judged.length === maxConnections - 1
    if (last && own === judged.length && this.#allowList.admitsSeveral) {
      return new Refused('limit', 'the last free connection is kept for another requestor')
    }
    return requester
  }
}

const NOT_PERMITTED = new Refused('not-permitted', 'it is not among the requesters')

/** Those of whoever has most of them, the oldest first. */
function mostOf<C extends Counted>(
  connections: readonly C[],
  whose: (connection: C) => string,
): readonly C[] {
  const byWhom = new Map<string, C[]>()
  for (const connection of connections) {
    const key = whose(connection)
    const list = byWhom.get(key)
    if (list === undefined) byWhom.set(key, [connection])
    else list.push(connection)
  }
  let most: readonly C[] = []
  for (const list of byWhom.values()) if (list.length > most.length) most = list
  return most
}

function idleOfGreediest<C extends Counted>(connections: readonly C[]): readonly C[] {
  const most = mostOf(connections, ({ identity }) => identity)
  return most.length > 1 ? most.filter(({ idle, closing }) => idle && !closing) : []
}
