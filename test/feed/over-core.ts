// A sidecar's follower and a real store on the hook's core, over real sockets in a folder of their own.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BindingData, BindingState, type Family } from '../../sidecar/binding.ts'
import type { FeedConfig, Hello } from '../../sidecar/feed/events.ts'
import { FeedFollower, type FeedFollowerOptions } from '../../sidecar/feed/feed-follower.ts'
import type { FeedNote } from '../../sidecar/feed/notes.ts'
import { openStore, type Store } from '../../sidecar/store/open.ts'
import { HookCore, type HookCoreSettings, type HookLease } from '../support/hook-core.ts'
import { waitFor } from '../support/wait.ts'

export class FollowedCore {
  readonly folder = mkdtempSync(join(tmpdir(), 'feed-'))
  readonly family: Family
  readonly endpoint: string
  readonly core: HookCore
  readonly notes: FeedNote[] = []
  readonly hellos: Hello[] = []
  readonly services: string[] = []
  config: FeedConfig | undefined
  resyncs = 0
  #changes = 0
  #store: Store | undefined
  #follower: FeedFollower | undefined

  constructor(settings: Partial<HookCoreSettings> = {}) {
    this.family = settings.family ?? 4
    this.endpoint = settings.endpoint ?? `ipc://${join(this.folder, 'feed')}`
    this.core = new HookCore({ family: this.family, endpoint: this.endpoint, pageShare: 1, ...settings })
  }

  get store(): Store {
    return this.#store!
  }

  get follower(): FeedFollower {
    return this.#follower!
  }

  /** The sidecar starts. */
  async follow(options: Partial<FeedFollowerOptions> = {}): Promise<void> {
    const { endpoint, family } = this
    const store = await openStore({ path: join(this.folder, 'store'), family, wall: () => Date.now() / 1000 })
    this.#store = store
    this.#follower = new FeedFollower({
      endpoint,
      family,
      store,
      clock: () => store.clock.now(),
      opening: store.openReport,
      follower: 'test follower',
      onNote: (note) => this.notes.push(note),
      onHello: (hello) => this.hellos.push(hello),
      onService: (json) => this.services.push(json),
      onConfig: (config) => {
        this.config = config
      },
      onResync: () => {
        this.resyncs += 1
      },
      onChange: () => {
        this.#changes += 1
      },
      ...options,
    })
    this.#follower.start()
  }

  /** How often the store was said to have changed. */
  get changes(): number {
    return this.#changes
  }

  /** The sidecar stops. */
  async unfollow(): Promise<void> {
    await this.#follower?.stop()
    await this.#store?.close()
    this.#follower = undefined
    this.#store = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unfollow()
    this.core.close()
    rmSync(this.folder, { recursive: true })
  }

  /** Until the follower is in step with everything published so far. */
  async inStep(): Promise<void> {
    await waitFor('the follower to be in step', () => {
      const { state, appliedSeq, epoch } = this.follower.status()
      const { lastSeq, epoch: current } = this.core.status()
      return state === 'following' && appliedSeq === lastSeq && epoch === current
    })
  }

  /** A walk that begins now has ended. */
  async walked(): Promise<void> {
    const { walks } = this.follower.details().counters
    this.follower.requestWalk('test')
    await waitFor('the walk to end', () => this.follower.details().counters.walks > walks)
  }

  noted<K extends FeedNote['kind']>(kind: K): Extract<FeedNote, { kind: K }>[] {
    return this.notes.filter((note) => note.kind === kind) as Extract<FeedNote, { kind: K }>[]
  }

  /** The store holds exactly the leases that are in force in the core. */
  agrees(): void {
    const stored: string[] = []
    const scan = this.store.openBulkScan({ by: 'all' })!
    for (let done = false; !done; ) {
      const slice = scan.next(10_000)
      for (const change of slice.changes) {
        if (change.kind === 'binding' && change.binding.state === BindingState.active)
          stored.push(told(change.binding))
      }
      done = slice.done
    }
    scan.close()
    const leased: string[] = []
    let after: Uint8Array | undefined
    for (;;) {
      const page = this.core.leases(after, 10_000)
      for (const lease of page)
        if (lease.state === 0 && lease.validLifetime !== 0) leased.push(toldLease(lease))
      after = page.at(-1)?.address
      if (page.length < 10_000) break
    }
    assert.deepEqual(stored.sort(), leased.sort())
  }
}

function told(b: BindingData): string {
  return [
    hex(b.address),
    b.prefixLength,
    hex(b.hardwareAddress),
    hex(b.clientId),
    b.validLifetime,
    b.preferredLifetime,
    b.clientLastTransaction,
    b.subnetId,
    b.iaid,
    hex(b.hostname),
  ].join(' ')
}

function toldLease(l: Required<Omit<HookLease, 'storedRelay'>>): string {
  return [
    hex(l.address),
    l.prefixLength,
    hex(l.hardwareAddress),
    hex(l.clientId),
    l.validLifetime,
    l.preferredLifetime,
    l.cltt,
    l.subnetId,
    l.iaid,
    hex(l.hostname),
  ].join(' ')
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex')
}
