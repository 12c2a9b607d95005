// The certificates of connections that are up: an active query lasts for months, and one that would not be let in any more
// ends.
import type { Connection } from './connection.ts'
import { type Authorities, judgePeer } from './peer-judge.ts'

export class CertificateWatch {
  /** By which authorities each was judged last, and Unix milliseconds at which its certificates end. */
  readonly #judged = new WeakMap<Connection, { readonly by: Authorities; readonly endsAt: number }>()

  /** It was let in by these, with certificates that end then. */
  admitted(connection: Connection, by: Authorities, endsAt: number): void {
    this.#judged.set(connection, { by, endsAt })
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
    const fallen = []
    for (const connection of connections) {
      const { peer } = connection
      const before = this.#judged.get(connection)
      if (peer === undefined || (before?.by === authorities && before.endsAt > wallMs)) continue
      const judged = judgePeer(peer.chain, authorities, wallMs)
      if (typeof judged === 'number') this.admitted(connection, authorities, judged)
      else fallen.push({ connection, name: peer.name, why: judged })
    }
    return fallen
  }
}
