// What the service manager is told (sd_notify(3)): that the service is ready, how it is, that it stops, and that its event
// loop turns. Without NOTIFY_SOCKET nothing happens.
import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'
import { reasonOf } from '../errors.ts'

/** Sends one datagram; throws where the manager cannot be told. */
export type SendNotification = (text: string) => void

export interface NotifierParts {
  readonly send: SendNotification
  /** Microseconds without a keep-alive after which the manager restarts the service; 0 = it does not watch. */
  readonly watchdogMicroseconds: number
  /** Called once a series of failures. */
  readonly onFailure: (reason: string) => void
}

/** A new status is told at most so often. */
const BEAT_MS = 5_000
/** Keep-alives in the time that the manager waits for one: the loop may be late for two of them. */
const BEATS_A_WATCHDOG = 3
/** What is longer is cut: a status is one line on a screen. */
const MAX_STATUS = 1_000

export class Notifier {
  readonly #parts: NotifierParts
  readonly #timer: NodeJS.Timeout
  /** Assignments the manager has not been told yet, by variable. */
  readonly #untold = new Map<string, string>()
  readonly #status: () => string
  #told = ''
  #failing = false

  /** Tells that it is ready, and from then on what `status` says. */
  constructor(parts: NotifierParts, status: () => string) {
    this.#parts = parts
    this.#status = status
    this.#untold.set('READY', '1')
    const { watchdogMicroseconds } = parts
    const watched = watchdogMicroseconds > 0 ? watchdogMicroseconds / 1000 / BEATS_A_WATCHDOG : BEAT_MS
    // A timer of the loop itself: a loop that is stuck tells nothing.
    this.#timer = setInterval(() => this.#beat(), Math.min(BEAT_MS, watched))
    this.#timer.unref()
    this.#beat()
  }

  stopping(): void {
    this.#untold.set('STOPPING', '1')
    this.#beat()
  }

  #beat(): void {
    if (this.#parts.watchdogMicroseconds > 0) this.#untold.set('WATCHDOG', '1')
    const status = this.#status().replaceAll('\n', ' ').slice(0, MAX_STATUS)
    if (status !== this.#told) this.#untold.set('STATUS', status)
    if (this.#untold.size === 0) return
    try {
      this.#parts.send([...this.#untold].map(([name, value]) => `${name}=${value}\n`).join(''))
      this.#untold.clear()
      this.#told = status
      this.#failing = false
    } catch (error) {
      // What was not told is told with the next beat.
      if (!this.#failing) this.#parts.onFailure(reasonOf(error))
      this.#failing = true
    }
  }
}

/** What the environment says of a manager to be told (sd_notify(3), sd_watchdog_enabled(3)); undefined: there is none. */
export function notifierParts(
  env: NodeJS.ProcessEnv,
  onFailure: NotifierParts['onFailure'],
): NotifierParts | undefined {
  const socket = env['NOTIFY_SOCKET']
  if (socket === undefined || socket === '') return undefined
  const { WATCHDOG_PID: pid, WATCHDOG_USEC: microseconds } = env
  const watched = pid === undefined || pid === String(process.pid)
  return {
    send: sender(socket),
    watchdogMicroseconds: watched && /^[1-9]\d{0,14}$/.test(microseconds ?? '') ? Number(microseconds) : 0,
    onFailure,
  }
}

/** @param socket a path, or an abstract name that begins with @ */
function sender(socket: string): SendNotification {
  let native: { send(path: string, text: string): number } | undefined
  return (text) => {
    // Loaded when it is needed: where no manager is, it need not have been built.
    native ??= createRequire(import.meta.url)('./notify-socket.node') as {
      send(path: string, text: string): number
    }
    const fault = native.send(socket, text)
    if (fault !== 0) throw new Error(`${socket}: ${getSystemErrorName(-fault)}`)
  }
}
