// A follower of generated leases, with its store and disk, in this process; the hook's core has threads of its own.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Family } from '../../sidecar/binding.ts'
import { FeedFollower } from '../../sidecar/feed/feed-follower.ts'
import { openStore, type Store } from '../../sidecar/store/open.ts'
import { HookCore, type HookCoreSettings } from '../support/hook-core.ts'
import { waitFor } from '../support/wait.ts'
import { timed } from './measure.ts'

/** How far behind a follower may be when the changes end that says to keep up. */
const BEHIND_SECONDS = 0.25
/** Half an hour: ten million leases are walked in far less. */
const PATIENCE_MS = 1_800_000

export class Followed implements AsyncDisposable {
  readonly #folder: string
  readonly #core: HookCore
  readonly #store: Store
  readonly #follower: FeedFollower
  #seed = 1

  private constructor(folder: string, core: HookCore, store: Store, follower: FeedFollower) {
    this.#folder = folder
    this.#core = core
    this.#store = store
    this.#follower = follower
  }

  /** Nothing is followed before {@link start}. */
  static async open(
    family: Family,
    leases: number,
    ring: Pick<HookCoreSettings, 'ringEvents' | 'ringOctets'> = {},
  ): Promise<Followed> {
    const folder = await mkdtemp(join(tmpdir(), 'feed-bench-'))
    const endpoint = `ipc://${join(folder, 'feed')}`
    const core = new HookCore({ family, endpoint, pageShare: 1, ...ring })
    core.generate({ count: leases, storedRelay: true })
    core.start()
    const store = await openStore({ path: join(folder, 'store'), family, wall: () => Date.now() / 1000 })
    const follower = new FeedFollower({
      endpoint,
      family,
      store,
      clock: () => store.clock.now(),
      opening: store.openReport,
      follower: 'bench',
      onNote: () => {},
    })
    return new Followed(folder, core, store, follower)
  }

  async start(): Promise<void> {
    this.#follower.start()
    await waitFor('the first walk', () => this.#follower.status().state === 'following', PATIENCE_MS)
    await this.#store.flush()
  }

  async walk(): Promise<void> {
    const before = this.#follower.details().counters.walks
    this.#follower.requestWalk('bench')
    await waitFor('the walk', () => this.#follower.details().counters.walks > before, PATIENCE_MS)
  }

  /** Makes changes, at so many a second or as fast as it goes, and waits until the last one is stored. */
  async change(changes: number, rate?: number): Promise<void> {
    await this.#core.churn({ changes, seed: this.#seed++, ...(rate === undefined ? {} : { rate }) })
    await waitFor('the last change', () => this.#behind() === 0, PATIENCE_MS)
  }

  async keepsUp(rate: number, seconds: number): Promise<boolean> {
    const before = this.#follower.details().counters.replayed
    const { clock } = await timed(() => this.change(rate * seconds, rate))
    await this.#store.flush()
    const { replayed } = this.#follower.details().counters
    return replayed === before && clock <= seconds + BEHIND_SECONDS
  }

  #behind(): number {
    return this.#core.status().lastSeq - this.#follower.status().appliedSeq
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#follower.stop()
    await this.#store.close()
    this.#core.close()
    await rm(this.#folder, { recursive: true })
  }
}
