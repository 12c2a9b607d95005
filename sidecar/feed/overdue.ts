// Leases that end by the clock and that Kea has not reclaimed: told of a bounded number at a time.
import { type Binding, BindingState, expiryOf, type UnixSeconds } from '../binding.ts'
import { overdue, RECLAIM_GRACE_SECONDS } from './apply.ts'
import { type Progress, SLICE_BINDINGS } from './progress.ts'

export class OverdueLeases {
  readonly #progress: Progress
  #waiting: Binding[] = []

  constructor(progress: Progress) {
    this.#progress = progress
  }

  /** Some were found and not told of yet. */
  get hasWork(): boolean {
    return this.#waiting.length > 0
  }

  /** Ends some, if there are any. @returns whether there may be more */
  slice(keaNow: UnixSeconds): boolean {
    const { clock, store } = this.#progress
    const before = keaNow - RECLAIM_GRACE_SECONDS
    if (this.#waiting.length === 0) this.#waiting = store.overdue(before)
    if (this.#waiting.length === 0) return false
    const at = clock()
    this.#progress.judge(keaNow)
    for (const { address } of this.#waiting.splice(0, SLICE_BINDINGS)) {
      const binding = store.get(address) // It may have been renewed while it waited here.
      if (binding?.state === BindingState.active && expiryOf(binding) <= before)
        this.#progress.put(overdue(binding), binding, at)
    }
    return true // There may be more than one call of the store gives.
  }

  /** Events turned out to be missing: what was found may have been renewed unseen. */
  forget(): void {
    this.#waiting = []
  }
}
