// Whether all that was shown to requestors before the last stop is in the store. After a clean stop it is. After any other one
// only a replay of everything that can have been shown proves it; where that is not to be had, a walk sets a new beginning,
// and no start time of before is good any more.
import type { Progress } from './progress.ts'

export class Proof {
  readonly #progress: Progress
  /** Nothing has proven it yet. */
  #isMissing: boolean
  /** It cannot be proven any more; the end of a walk sets a new beginning. */
  #isLost = false
  /** Events up to here may have been shown before the stop. */
  #shownThrough = 0

  constructor(progress: Progress, wasClean: boolean) {
    this.#progress = progress
    this.#isMissing = !wasClean && progress.store.horizon !== undefined
  }

  /** Start times of before cannot be judged by the store's horizon. */
  get isMissing(): boolean {
    return this.#isMissing
  }

  /** The feed is taken up in the epoch of the last stop, where `seq` is the newest event. */
  begin(seq: number): void {
    this.#shownThrough = seq
  }

  /** The event may have been shown before the stop, by a life that did not store it: it has to be told again. */
  mayHaveBeenShown(seq: number): boolean {
    return seq <= this.#shownThrough
  }

  /** Events have been applied, and no replay is under way: everything that can have been shown may have been told again. */
  advance(): void {
    if (this.#progress.seq >= this.#shownThrough && !this.#isLost) this.#isMissing = false
  }

  /** Events are lost for good. */
  lose(): void {
    if (!this.#isMissing || this.#isLost) return
    const { clock, store } = this.#progress
    // What was shown before the stop and is not in the store cannot be told from what never was. The end of the walk says
    // it once more, for those who come in between.
    store.raiseHorizon(clock())
    this.#isLost = true
    this.#progress.note({
      kind: 'note',
      note: 'what was shown before the unclean stop cannot be proven: older start times get DataMissing',
    })
  }

  /** A walk has ended. */
  walked(): void {
    const { clock, store } = this.#progress
    if (this.#isLost || store.horizon === undefined) store.raiseHorizon(clock())
    this.#isLost = false
    this.#isMissing = false
  }

  /** A clean stop: the next start would take it for a proof, so the horizon says what is not proven. */
  stop(): void {
    const { clock, store } = this.#progress
    if (this.#isMissing) store.raiseHorizon(clock())
  }
}
