// The two sockets of a feed: SUB for events, DEALER for questions. They reconnect by themselves; nothing that goes wrong
// on them is more than a gap or a reply that never comes.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Dealer, Subscriber } from 'zeromq'
import { reasonOf, SidecarError } from '../errors.ts'

/** Z85, 40 characters each; a feed over tcp:// needs them. */
export interface CurveKeys {
  readonly serverPublicKey: string
  readonly publicKey: string
  readonly secretKey: string
}

export interface LinkOptions {
  /** ipc:///path or tcp://host:port; the hook answers questions at the path with `-sync`, or at the next port. */
  readonly endpoint: string
  readonly curve?: CurveKeys | undefined
  readonly onEvents: (frame: Uint8Array) => void
  readonly onReply: (frame: Uint8Array) => void
  /** A socket has failed and is tried again. */
  readonly onTrouble: (reason: string) => void
}

/**
 * Batches that wait to be read, each of up to 256 events; what is above is dropped by ZeroMQ and shows as a gap. Bounds the
 * memory that a sidecar busy with other things takes, at some 60 MB.
 */
const WAITING_BATCHES = 1_000
/** Questions that wait for a Kea that is down: they are old when it comes, and it answers each. */
const WAITING_REQUESTS = 4
/** A larger message is none of ours. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024
/** A full socket resolves hundreds of receives in one turn of the loop; requestors want their turn too. */
const TURN_MS = 1
const RECONNECT_MS = 200
const RECONNECT_MAX_MS = 2_000
/** A TCP peer that vanished without a word is noticed by this, ms. */
const TCP_HEARTBEAT_MS = 5_000
const TROUBLE_PAUSE_MS = 1_000

export class Link {
  readonly #options: LinkOptions
  #subscriber: Subscriber | undefined
  #dealer: Dealer | undefined
  #loops: Promise<void>[] = []
  #isOpen = false

  constructor(options: LinkOptions) {
    this.#options = options
  }

  /** @throws SidecarError where the endpoint is none */
  open(): void {
    const { endpoint, curve } = this.#options
    const security =
      curve === undefined
        ? {}
        : {
            curveServerKey: curve.serverPublicKey,
            curvePublicKey: curve.publicKey,
            curveSecretKey: curve.secretKey,
          }
    const common = {
      linger: 0,
      reconnectInterval: RECONNECT_MS,
      reconnectMaxInterval: RECONNECT_MAX_MS,
      maxMessageSize: MAX_MESSAGE_BYTES,
      ...(endpoint.startsWith('tcp:') ? { heartbeatInterval: TCP_HEARTBEAT_MS, tcpKeepalive: 1 } : {}),
      ...security,
    }
    try {
      const sync = syncEndpoint(endpoint)
      const subscriber = new Subscriber({ ...common, receiveHighWaterMark: WAITING_BATCHES })
      const dealer = new Dealer({ ...common, sendTimeout: 0, sendHighWaterMark: WAITING_REQUESTS })
      this.#subscriber = subscriber
      this.#dealer = dealer
      subscriber.connect(endpoint)
      subscriber.subscribe()
      dealer.connect(sync)
      this.#isOpen = true
      this.#loops = [
        this.#read(subscriber, this.#options.onEvents),
        this.#read(dealer, this.#options.onReply),
      ]
    } catch (error) {
      this.#subscriber?.close()
      this.#dealer?.close()
      throw error instanceof SidecarError
        ? error
        : new SidecarError('ALQ_FEED_ENDPOINT', { endpoint, reason: reasonOf(error) }, { cause: error })
    }
  }

  /** A question that cannot be sent is one that is not answered: the asker asks again. */
  send(frame: Uint8Array): void {
    this.#dealer?.send(frame).catch(() => {})
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#subscriber?.close()
    this.#dealer?.close()
    await Promise.all(this.#loops)
  }

  async #read(socket: Subscriber | Dealer, handle: (frame: Uint8Array) => void): Promise<void> {
    let turnEnds = performance.now() + TURN_MS
    while (this.#isOpen) {
      let frame: Buffer | undefined
      try {
        ;[frame] = await socket.receive()
      } catch (error) {
        if (!this.#isOpen) return
        this.#options.onTrouble(`the feed's socket failed: ${reasonOf(error)}`)
        await new Promise((resolve) => setTimeout(resolve, TROUBLE_PAUSE_MS).unref())
        continue
      }
      if (frame !== undefined && this.#isOpen) handle(frame)
      if (performance.now() < turnEnds) continue
      await nextTurn()
      turnEnds = performance.now() + TURN_MS
    }
  }
}

/** @throws SidecarError */
export function syncEndpoint(endpoint: string): string {
  if (/^ipc:\/\/./.test(endpoint)) return `${endpoint}-sync`
  const tcp = /^(tcp:\/\/.+:)(\d{1,5})$/.exec(endpoint)
  const port = Number(tcp?.[2])
  if (tcp === null || port < 1 || port > 65_534) {
    const reason = 'ipc:///path or tcp://host:port is wanted'
    throw new SidecarError('ALQ_FEED_ENDPOINT', { endpoint, reason })
  }
  return `${tcp[1]}${port + 1}`
}
