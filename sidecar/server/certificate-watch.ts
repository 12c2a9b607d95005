// The certificates of connections that are up: an active query lasts for months, and one that would not be let in any more
// ends.
import type { Connection } from './connection.ts'
import { type Authorities, judgePeer } from './peer-judge.ts'

export class CertificateWatch {
  /** Authorities that connections were last judged by. */
  #judgedBy: Authorities | undefined
  /** Unix milliseconds at which the certificates of each end. */
  readonly #endsAt = new WeakMap<Connection, number>()

  /** It was let in with certificates that end then. */
  admitted(connection: Connection, endsAt: number): void {
    this.#endsAt.set(connection, endsAt)
  }

  /**
   * Those that are not accepted any more, and why: all are judged where the authorities have changed, else those whose
   * certificates have ended.
   * @param wallMs Unix milliseconds
   */
  judge(
    connections: Iterable<Connection>,
    authorities: Authorities,
    wallMs: number,
  ): readonly { readonly connection: Connection; readonly name: string; readonly why: string }[] {
    const again = authorities !== this.#judgedBy
    this.#judgedBy = authorities
    const fallen = []
    for (const connection of connections) {
      const { peer } = connection
      if (peer === undefined || (!again && (this.#endsAt.get(connection) ?? 0) > wallMs)) continue
      const judged = judgePeer(peer.chain, authorities, wallMs)
      if (typeof judged === 'number') this.#endsAt.set(connection, judged)
      else fallen.push({ connection, name: peer.name, why: judged })
    }
    return fallen
  }
}
