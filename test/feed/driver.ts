// Follower, model hook and plain store on simulated time, for stories.
import type { LogicalSeconds } from '../../sidecar/binding.ts'
import type { FeedReply, FeedRequest } from '../../sidecar/feed/events.ts'
import { Follower } from '../../sidecar/feed/follower.ts'
import type { FeedNote } from '../../sidecar/feed/notes.ts'
import type { FollowerOutput, FollowerSettings } from '../../sidecar/feed/progress.ts'
import { ModelHook } from './model-hook.ts'
import { PlainStore, type SavedStore } from './plain-store.ts'

export class Driver {
  readonly hook: ModelHook
  store: PlainStore
  follower: Follower
  /** Monotonic milliseconds. */
  now = 1_000
  /** L. */
  logical: LogicalSeconds = 5_000
  readonly notes: FeedNote[] = []
  readonly outputs: FollowerOutput[] = []
  /** Asked, and answered by nobody yet. */
  requests: FeedRequest[] = []
  readonly #settings: Partial<FollowerSettings>

  constructor(settings: Partial<FollowerSettings> = {}, hook: ModelHook = new ModelHook()) {
    this.#settings = settings
    this.hook = hook
    this.store = new PlainStore(4)
    this.follower = this.#newFollower(true)
    this.collect()
  }

  #newFollower(wasClean: boolean): Follower {
    return new Follower(
      {
        family: 4,
        store: this.store,
        clock: () => this.logical,
        opening: { wasClean },
        sendNow: () => this.collect(),
        settings: { walkEveryMs: 0, ...this.#settings },
      },
      this.now,
    )
  }

  /** The sidecar is gone and comes back with what the disk holds. L begins above what it was. */
  restart(saved: SavedStore, wasClean: boolean): void {
    this.logical += 10
    this.store = new PlainStore(4, saved)
    this.requests = []
    this.follower = this.#newFollower(wasClean)
    this.collect()
  }

  /** A clean stop, and a start. */
  stopAndStart(): void {
    this.follower.stop()
    this.restart(this.store.save(), true)
  }

  collect(): void {
    for (const output of this.follower.takeOutputs()) {
      this.outputs.push(output)
      if (output.kind === 'request') this.requests.push(output.request)
      if (output.kind === 'note') this.notes.push(output.note)
    }
  }

  /** The oldest request under way is answered; false = there is none. */
  answer(change: (reply: FeedReply) => FeedReply = (reply) => reply): boolean {
    const request = this.requests.shift()
    if (request === undefined) return false
    this.reply(change(this.hook.answer(request)))
    return true
  }

  reply(reply: FeedReply): void {
    this.follower.reply(reply, this.now)
    this.collect()
  }

  /** What the hook has to publish arrives. */
  deliver(): void {
    const batch = this.hook.publish()
    if (batch !== undefined) this.follower.message(batch, this.now)
    this.collect()
  }

  /** What the hook has to publish is lost on the way. */
  drop(): void {
    this.hook.publish()
  }

  heartbeat(): void {
    this.follower.message(this.hook.heartbeat(), this.now)
    this.collect()
  }

  /** Time passes, for all clocks alike. */
  pass(ms: number): void {
    this.now += ms
    this.hook.clock += ms
    this.logical += Math.floor(ms / 1000)
    this.tick()
  }

  tick(): void {
    this.follower.tick(this.now)
    this.collect()
    while (this.follower.deadline() <= this.now) {
      this.follower.tick(this.now)
      this.collect()
    }
  }

  /** Everything under way arrives, until nothing is. */
  settle(): void {
    for (let i = 0; i < 100_000; i++) {
      this.deliver()
      if (this.answer()) continue
      this.tick()
      if (this.requests.length === 0) return
    }
    throw new Error('the follower asks without end')
  }

  noted<K extends FeedNote['kind']>(kind: K): Extract<FeedNote, { kind: K }>[] {
    return this.notes.filter((note) => note.kind === kind) as Extract<FeedNote, { kind: K }>[]
  }
}
