// The Bulk queries of one connection, as far as they look into the store: opened when that can be done and not too often,
// read on in turns, closed in any case.
import type { Input, ScanQuery } from '../session/session-io.ts'
import { Bucket } from './accept-rate.ts'
import type { OpenBulk } from './bulk-reader.ts'
import type { OpenedBulk } from './connection-host.ts'
import type { Turns } from './turns.ts'

/** Milliseconds after which it is asked again whether a query can be begun. */
const OPEN_AGAIN_MS = 50
/**
 * Bulk queries that one connection may begin, in the long run and at once; further ones wait. Queries about one client
 * each cost little, and so does asking them without end.
 */
export const QUERIES = { perSecond: 500, burst: 2_000 } as const

export interface ScanHost {
  readonly turns: Turns
  /** The connection is open. */
  alive(): boolean
  /** A mistake in this program ends the connection; undefined then. */
  guarded<T>(work: () => T): T | undefined
  /** @param waitedMs since it was asked first */
  openBulk(query: ScanQuery, waitedMs: number): OpenedBulk | 'later'
  tell(input: Input): void
}

export class ConnectionScans {
  readonly #host: ScanHost
  readonly #rate = new Bucket(QUERIES)
  /** By number; undefined while it is being opened. */
  readonly #scans = new Map<number, OpenBulk | undefined>()

  constructor(host: ScanHost) {
    this.#host = host
  }

  open(scan: number, query: ScanQuery): void {
    this.#scans.set(scan, undefined)
    this.#begin(scan, query)
  }

  /** When its rate allows it; who waits asks again. */
  #begin(scan: number, query: ScanQuery): void {
    if (!this.#scans.has(scan)) return
    const now = performance.now()
    if (this.#rate.take(now)) {
      this.#host.turns.take(() => this.#open(scan, query, performance.now()), 'long')
    } else setTimeout(() => this.#begin(scan, query), this.#rate.msUntilNext(now))
  }

  /** @param settled see BulkScan.settle */
  readOn(scan: number, settled: readonly Uint8Array[]): void {
    this.#host.turns.take(() => {
      const bulk = this.#scans.get(scan)
      if (bulk === undefined) return
      const slice = this.#host.guarded(() => bulk.next(settled))
      if (slice !== undefined) this.#host.tell({ type: 'slice', scan, slice })
    }, 'long')
  }

  close(scan: number): void {
    this.#scans.get(scan)?.close()
    this.#scans.delete(scan)
  }

  closeAll(): void {
    for (const bulk of this.#scans.values()) bulk?.close()
    this.#scans.clear()
  }

  #open(scan: number, query: ScanQuery, askedAt: number): void {
    if (!this.#scans.has(scan) || !this.#host.alive()) return
    const opened = this.#host.guarded(() => this.#host.openBulk(query, performance.now() - askedAt))
    if (opened === undefined) return
    if (opened === 'later') {
      setTimeout(() => this.#open(scan, query, askedAt), OPEN_AGAIN_MS)
    } else if ('refused' in opened) {
      this.#host.tell({ type: 'scan-refused', scan, text: opened.refused })
    } else {
      this.#scans.set(scan, opened.bulk)
      this.#host.tell({ type: 'scan-opened', scan, horizon: opened.horizon })
    }
  }
}
