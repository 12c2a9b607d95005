// What a connection is asked and how it ended, for whoever audits it: each query has one line at its beginning and one at
// its end, which names the requestor (address, and names in its certificate), and says how many messages it was told.
import { assertNever } from '../errors.ts'
import type { Log } from '../log.ts'
import { secondsOf } from '../seconds.ts'
import type { SessionNote } from '../session/session-io.ts'
import type { QueryStatus } from './requestor-status.ts'
import type { ServiceCounters } from './service-counters.ts'

interface Running {
  readonly query: 'active' | 'bulk'
  readonly by: string | null
  readonly since: number | null
  readonly began: number
  /** Messages of the connection when it began. */
  readonly messages: number
}

export class QueryLog {
  /** That of the connection; another one once its certificate is known. */
  log: Log
  readonly #messages: () => number
  readonly #counters: ServiceCounters
  readonly #running = new Map<string, Running>()
  #caughtUp = false

  /** @param messages sent on the connection so far */
  constructor(log: Log, messages: () => number, counters: ServiceCounters) {
    this.log = log
    this.#messages = messages
    this.#counters = counters
  }

  get caughtUp(): boolean {
    return this.#caughtUp
  }

  get running(): number {
    return this.#running.size
  }

  /** What runs now, the oldest first. @param mono monotonic milliseconds */
  list(mono: number): readonly QueryStatus[] {
    return Array.from(this.#running.values(), ({ query, by, since, began }) => ({
      query,
      by,
      since,
      seconds: secondsOf(mono - began),
    }))
  }

  note(note: SessionNote): void {
    const { log } = this
    this.#counters.note(note)
    switch (note.event) {
      case 'query-started': {
        const { xid, since } = note
        this.#begin(xid, 'active', { since })
        log.queryStarted({ xid, query: 'active', ...(since === undefined ? {} : { since }) })
        return
      }
      case 'bulk-started': {
        const { xid, by, since, until } = note
        this.#begin(xid, 'bulk', { by, since })
        log.queryStarted({
          xid,
          query: 'bulk',
          by,
          ...(since === undefined ? {} : { since }),
          ...(until === undefined ? {} : { until }),
        })
        return
      }
      case 'query-refused':
        this.#running.delete(note.xid)
        log.queryRefused(note)
        return
      case 'bulk-done': {
        const { xid, by, bindings, messages, seconds } = note
        this.#running.delete(xid)
        log.queryDone({ xid, query: 'bulk', by, count: bindings, messages, seconds })
        return
      }
      case 'caught-up':
        this.#caughtUp = true
        log.queryCaughtUp({ xid: note.xid, count: note.messages })
        return
      case 'data-missing':
        this.#caughtUp = true
        log.queryDataMissing(note)
        return
      case 'query-terminated': {
        const { xid, query, status, reason } = note
        const told = this.#end(xid)
        log.queryTerminated({ xid, query, status, reason, ...told })
        return
      }
      case 'misbehaved':
        log.requestorMisbehaved(note)
        return
      case 'tls-refused':
        log.sessionNote({ note: 'TLSConnectionRefused sent' })
        return
      default:
        assertNever(note)
    }
  }

  /** The connection is gone, and what ran on it with it. */
  closed(reason: string): void {
    for (const [xid, { query }] of [...this.#running]) {
      this.#counters.closed(query)
      this.log.queryClosed({ xid, query, reason, ...this.#end(xid) })
    }
  }

  #begin(
    xid: string,
    query: Running['query'],
    { by, since }: { by?: string; since?: number | undefined },
  ): void {
    const asked = { query, by: by ?? null, since: since ?? null }
    this.#running.set(xid, { ...asked, began: performance.now(), messages: this.#messages() })
  }

  #end(xid: string): { messages: number; seconds: number } {
    const running = this.#running.get(xid)
    this.#running.delete(xid)
    if (running === undefined) return { messages: 0, seconds: 0 }
    const seconds = Math.round((performance.now() - running.began) / 1000)
    return { messages: this.#messages() - running.messages, seconds }
  }
}
