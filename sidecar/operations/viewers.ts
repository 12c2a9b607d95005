// Those who look at the live page: each second they are all sent the same status, as Server-Sent Events.
import type { ServerResponse } from 'node:http'

export const MAX_VIEWERS = 16
const EACH_MS = 1_000
/** Octets that may wait for a viewer: two statuses of a busy server. Who has not taken them is passed over. */
const MAX_WAITING = 512 * 1024
/** Who has been passed over so often is gone. */
const MAX_PASSED_OVER = 30

export class Viewers {
  readonly #json: () => string
  readonly #onMistake: (error: unknown) => void
  readonly #eachMs: number
  /** How many times in a row each was passed over. */
  readonly #viewers = new Map<ServerResponse, number>()
  #timer: NodeJS.Timeout | undefined

  /**
   * @param json the status, on one line
   * @param onMistake it could not be had; those who look are sent away
   */
  constructor(json: () => string, onMistake: (error: unknown) => void, eachMs = EACH_MS) {
    this.#json = json
    this.#eachMs = eachMs
    this.#onMistake = onMistake
  }

  get isFull(): boolean {
    return this.#viewers.size >= MAX_VIEWERS
  }

  /** Takes over a response whose head has been written. */
  add(response: ServerResponse): void {
    this.#viewers.set(response, 0)
    response.on('close', () => this.#remove(response))
    response.write('retry: 2000\n\n')
    this.#timer ??= setInterval(() => this.#tell(this.#viewers), this.#eachMs)
    this.#tell(new Map([[response, 0]]))
  }

  /** Ends them all. */
  close(): void {
    for (const response of this.#viewers.keys()) response.destroy()
  }

  #remove(response: ServerResponse): void {
    this.#viewers.delete(response)
    if (this.#viewers.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tell(viewers: ReadonlyMap<ServerResponse, number>): void {
    let event: string
    try {
      event = `data: ${this.#json()}\n\n`
    } catch (error) {
      this.#onMistake(error)
      this.close()
      return
    }
    for (const [response, passedOver] of viewers) {
      if (response.writableLength <= MAX_WAITING) {
        this.#viewers.set(response, 0)
        response.write(event)
      } else if (passedOver < MAX_PASSED_OVER) {
        this.#viewers.set(response, passedOver + 1)
      } else {
        response.destroy()
      }
    }
  }
}
