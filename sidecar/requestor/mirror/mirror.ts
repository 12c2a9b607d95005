// A local replica of what one or several servers know: Bulk, then Active, for ever.
import type { Family } from '../../binding.ts'
import type { BindingJson } from '../binding-json.ts'
import { DATA_TIMEOUT_SECONDS, RECEIVE_TIMEOUT_SECONDS } from '../connection.ts'
import { peerOf, type ServerPlace } from '../open-socket.ts'
import type { RequestorTls } from '../start-tls.ts'
import { Delivery, type DeliveryNote, type DeliveryStatus, type Receiver } from './delivery.ts'
import { MirrorPlan } from './plan.ts'
import { Replica } from './replica.ts'
import { type MirrorNote, ServerMirror, type ServerStatus } from './server-mirror.ts'

/** ACTIVE_LQ_IDLE_TIMEOUT (RFC 7724 section 5.3, RFC 7653 section 6.4). */
export const RETRY_SECONDS = 60
export const MAX_BINDINGS = 20_000_000

export interface MirrorOptions {
  readonly family: Family
  readonly servers: readonly { readonly host: string; readonly port?: number | undefined }[]
  /** Folder of the replica; made when it is missing. */
  readonly path: string
  /** `off` is a decision: bindings go over the network in clear text. */
  readonly tls: RequestorTls | 'off'
  readonly receivers?: readonly Receiver[]
  /** false: changes of times alone are not handed over. */
  readonly renewals?: boolean
  readonly maxBindings?: number
  /** Least seconds between attempts to connect to one server. */
  readonly retrySeconds?: number
  /** For servers without Active Leasequery: ask everything by Bulk, each so many seconds. */
  readonly pollSeconds?: number | undefined
  readonly receiveTimeout?: number
  readonly dataTimeout?: number
  /** Seconds to wait after a receiver has failed once; twice as long after each further failure. */
  readonly backOffSeconds?: number
  /** DHCPv6 Client-ID of the requestor. */
  readonly duid?: Uint8Array | undefined
  readonly wants?: readonly number[] | undefined
  readonly note?: (note: (MirrorNote & { readonly server: string }) | DeliveryNote) => void
}

export class Mirror {
  readonly #replica: Replica
  readonly #servers: readonly ServerMirror[]
  readonly #deliveries: readonly Delivery[]
  readonly #delivering: Promise<void>[]
  /** Rejects when the mirror cannot go on: its disk fails. */
  readonly failed: Promise<never>

  private constructor(
    replica: Replica,
    servers: readonly ServerMirror[],
    deliveries: readonly Delivery[],
    failed: Promise<never>,
    fail: (error: unknown) => void,
  ) {
    this.#replica = replica
    this.#servers = servers
    this.#deliveries = deliveries
    this.failed = failed
    this.#delivering = deliveries.map((delivery) => delivery.run().catch(fail))
    for (const server of servers) server.start()
  }

  /**
   * Opens the replica and begins.
   * @throws SidecarError ALQ_MIRROR_STATE
   */
  static async start(options: MirrorOptions): Promise<Mirror> {
    const { family, path, tls, note = () => {} } = options
    const replica = await Replica.open({
      path,
      family,
      renewals: options.renewals ?? true,
      maxBindings: options.maxBindings ?? MAX_BINDINGS,
      now: () => Date.now() / 1000,
    })
    // Receivers first: what is dropped with a server that is asked no more is told to them, too.
    const deliveries = (options.receivers ?? []).map(
      (receiver) => new Delivery(replica, receiver, note, options.backOffSeconds),
    )
    for (const delivery of deliveries) await delivery.register()
    await replica.receiversNamed()
    const places = options.servers.map(
      (server): ServerPlace => ({ ...server, family, tls: tls === 'off' ? undefined : tls }),
    )
    const endpoints = places.map(endpointOf)
    const numbers = await replica.servers(endpoints)
    const settings = {
      retrySeconds: options.retrySeconds ?? RETRY_SECONDS,
      pollSeconds: options.pollSeconds,
      receiveTimeout: options.receiveTimeout ?? RECEIVE_TIMEOUT_SECONDS,
      dataTimeout: options.dataTimeout ?? DATA_TIMEOUT_SECONDS,
      duid: options.duid,
      wants: options.wants,
    }
    let fail: (error: unknown) => void = () => {}
    const failed = new Promise<never>((_, reject) => {
      fail = reject
    })
    failed.catch(() => {})
    const servers: ServerMirror[] = []
    for (const [i, place] of places.entries()) {
      const [server, number] = [endpoints[i]!, numbers[i]!]
      const plan = new MirrorPlan(await replica.position(number), settings)
      const tell = (one: MirrorNote) => note({ ...one, server })
      servers.push(new ServerMirror(place, server, number, replica, plan, settings, tell, fail))
    }
    return new Mirror(replica, servers, deliveries, failed, fail)
  }

  get status(): { servers: ServerStatus[]; deliveries: DeliveryStatus[]; bindings: number } {
    return {
      servers: this.#servers.map(({ status }) => status),
      deliveries: this.#deliveries.map(({ status }) => status),
      bindings: this.#replica.rows,
    }
  }

  /** All bindings that live. */
  bindings(): AsyncIterable<{ readonly key: string; readonly binding: BindingJson }> {
    return this.#replica.bindings()
  }

  /** Ends connections and deliveries, and closes the replica. */
  async close(): Promise<void> {
    for (const delivery of this.#deliveries) delivery.stop()
    await Promise.all(this.#servers.map((server) => server.stop()))
    await Promise.all(this.#delivering)
    await this.#replica.close()
  }
}

/** What a position is kept by. Not the server's identifier: several services may answer for one server, each with its own clock. */
export function endpointOf(place: ServerPlace): string {
  const { address, port } = peerOf(place)
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
