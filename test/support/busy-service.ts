/**
 * A daemon of both families to which everything has happened that its metrics tell of: a walk that found leases, changes that
 * go on, requestors over TLS of which one follows and one does not read, queries, and some who were not let in.
 */
import { ActiveRequestor } from '../../sidecar/requestor/active-requestor.ts'
import { BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import { Authority } from './certificates.ts'
import { Daemon, startHook } from './daemon.ts'
import type { HookCore } from './hook-core.ts'
import { serviceJson } from './requestor-service.ts'
import { waitFor } from './wait.ts'

type Family = 4 | 6

/** Milliseconds: the machine may be busy with other things. */
export const GENEROUS = 180_000
/** As many leases as more than fill what the kernel buffers for a requestor that does not read. */
const LEASES = 40_000

export class BusyService {
  readonly daemon: Daemon
  readonly #authority = new Authority()
  readonly #cores: HookCore[] = []
  readonly #requestors: { close(): void }[] = []

  private constructor() {
    this.daemon = new Daemon([4, 6])
  }

  static async start(): Promise<BusyService> {
    const service = new BusyService()
    try {
      await service.daemon.start('--log-level', 'info')
      for (const family of [4, 6] as const) await service.#begin(family)
      return service
    } catch (error) {
      await service[Symbol.asyncDispose]()
      throw error
    }
  }

  /** host:port of its metrics. */
  async metrics(): Promise<string> {
    return String((await this.daemon.logged('operations.started'))['place'])
  }

  async #begin(family: Family): Promise<void> {
    const core = startHook(this.daemon, family, { pageShare: 1 })
    this.#cores.push(core)
    core.generate({ count: LEASES })
    core.setService(serviceJson(family, this.#parameters(family)))
    core.requestResync()
    await waitFor(
      `a walk over all leases of DHCPv${family}`,
      () =>
        this.daemon
          .lines()
          .some(
            (line) =>
              line.event === 'feed.reconciled' && line['family'] === family && line['count'] === LEASES,
          ),
      GENEROUS,
    )
    const line = await this.daemon.logged('listener.started', { family })
    const host = family === 4 ? '127.0.0.1' : '::1'
    const place = { family, host, port: Number(line['port']) } as const
    const certified = (name: string) => ({ ca: this.#authority.cert, ...this.#certificate(name) })
    const tls = certified('bng1.example.net')

    const late = await ActiveRequestor.connect({ ...place, tls, since: 1 })
    await late.until(({ type }) => type === 'data-missing')
    late.close()
    const asking = await BulkRequestor.connect({ ...place, tls })
    await asking.query({ by: 'client-id', clientId: Uint8Array.of(1, 2, 3) }).collect()
    const stranger = await ActiveRequestor.connect({ ...place, tls: certified('stranger.example.net') })
    await stranger.next().catch(() => {}) // It is not let in.
    const now = Math.floor(Date.now() / 1000)
    const following = await ActiveRequestor.connect({ ...place, tls, since: now })
    const held = await ActiveRequestor.connect({ ...place, tls: certified('bng2.example.net'), since: now })
    for (const requestor of [following, held])
      await requestor.until(({ type }) => type === 'catch-up-complete')
    this.#requestors.push(asking, following, held)
    held.hold()
    // It takes all it is told, until it is closed.
    following.until(() => false).catch(() => {})
    await core.churn({ changes: 4 * LEASES, rate: 20_000, removals: 0.1 })
    // Until the core is closed.
    core.churn({ changes: 1_000_000, rate: 50, removals: 0.1, newClients: 0.1 }).catch(() => {})
  }

  #certificate(name: string): { cert: string; key: string } {
    return this.#authority.issue({ names: `DNS:${name}`, purpose: 'clientAuth' })
  }

  #parameters(family: Family): Record<string, unknown> {
    const server = this.#authority.issue({ days: 90 })
    return {
      requesters: [{ certificate: 'bng1.example.net' }, { certificate: 'bng2.example.net' }],
      advanced: {
        'active-query-enabled': true,
        'bulk-query-enabled': true,
        'lease-query-ip': family === 4 ? '127.0.0.1' : '::1',
        // Who does not read stays for as long as the test takes.
        'active-query-send-timeout': 3_600,
        'active-query-max-lag': 0,
      },
      tls: {
        mode: 'required',
        'trust-anchor': this.#authority.certFile,
        'cert-file': server.certFile,
        'key-file': server.keyFile,
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const requestor of this.#requestors) requestor.close()
    for (const core of this.#cores) core.close()
    await this.daemon[Symbol.asyncDispose]()
    this.#authority[Symbol.dispose]()
  }
}
