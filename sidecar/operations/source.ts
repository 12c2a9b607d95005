// One status for all who ask: built when somebody asks, at most once a second, however many they are.
import type { ProcessStatus } from './status.ts'

const KEPT_MS = 1_000

export class StatusSource {
  readonly #build: () => ProcessStatus
  readonly #mono: () => number
  #status: ProcessStatus | undefined
  #json: string | undefined
  #builtAt = Number.NEGATIVE_INFINITY

  /** @param mono monotonic milliseconds */
  constructor(build: () => ProcessStatus, mono: () => number = () => performance.now()) {
    this.#build = build
    this.#mono = mono
  }

  /** At most a second old. */
  status(): ProcessStatus {
    const now = this.#mono()
    if (this.#status === undefined || now - this.#builtAt >= KEPT_MS) {
      this.#status = this.#build()
      this.#builtAt = now
      this.#json = undefined
    }
    return this.#status
  }

  /** The same as JSON, on one line. */
  json(): string {
    const status = this.status()
    this.#json ??= JSON.stringify(status)
    return this.#json
  }
}
