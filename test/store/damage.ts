// A LevelDB whose files are cut, zeroed and flipped at random: it is refused in one sentence, or opened right, or opened at an
// earlier moment that knows it is not the last one. Never silently short.
import assert from 'node:assert/strict'
import { cp, mkdtemp, open as openFile, readdir, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { BindingState } from '../../sidecar/binding.ts'
import { SidecarError } from '../../sidecar/errors.ts'
import { openStore, type Store, type StoreAlarm } from '../../sidecar/store/open.ts'
import { bindingOf, octets, plain } from './support.ts'

const wall = (): number => 5_000

/** A folder of LevelDB's, as a stop of some kind has left it. */
interface Image {
  readonly path: string
  readonly wasStopped: boolean
  readonly seq: number
}

export interface Outcomes {
  refused: number
  whole: number
  earlier: number
  incomplete: number
}

export class Damage implements AsyncDisposable {
  readonly #folder: string
  readonly #images: readonly Image[]
  /** What the store held at each position that was flushed. */
  readonly #moments: ReadonlyMap<number, unknown>
  readonly outcomes: Outcomes = { refused: 0, whole: 0, earlier: 0, incomplete: 0 }

  private constructor(folder: string, images: readonly Image[], moments: ReadonlyMap<number, unknown>) {
    this.#folder = folder
    this.#images = images
    this.#moments = moments
  }

  /** Three lives of a store, so that there are tables as well as logs; each is kept as stopped and as killed. */
  static async prepare(bindings: number): Promise<Damage> {
    const folder = await mkdtemp(join(tmpdir(), 'leasequery-damage-'))
    const path = join(folder, 'store')
    const images: Image[] = []
    const moments = new Map<number, unknown>([[0, contentsOf(undefined)]])
    let seq = 0
    for (let life = 0; life < 3; life++) {
      const store = await openStore({ path, family: 4, wall, bootId: 'boot 1' })
      for (let flush = 0; flush < 3; flush++) {
        for (let i = 0; i < bindings; i++) {
          const state = (i + flush) % 5 === 0 ? BindingState.released : BindingState.active
          const clientId = octets(`client ${(i + life * flush) % 7}`)
          store.put(
            bindingOf(4, i + life * 100, { state, clientId, iaid: seq + i, options: new Uint8Array(i % 90) }),
            store.clock.now(),
          )
        }
        seq++
        store.raiseHorizon(store.clock.now())
        store.meta.set('config', octets(`{"life":${life}}`))
        store.position = { epoch: 'e', seq, walkPending: false }
        await store.flush()
        moments.set(seq, contentsOf(store))
      }
      for (const wasStopped of [false, true]) {
        // What a killed process has written is with the operating system, so in the files.
        if (wasStopped) await store.close()
        const copy = join(folder, `image-${images.length}`)
        await cp(path, copy, { recursive: true })
        images.push({ path: copy, wasStopped, seq })
      }
    }
    return new Damage(folder, images, moments)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true })
  }

  /** @param runs how many times a file of some image is harmed */
  async check(runs: number): Promise<void> {
    const harm = fc.record({
      image: fc.nat(this.#images.length - 1),
      file: fc.nat(30),
      kind: fc.constantFrom('flip', 'flip', 'zero', 'cut', 'cut', 'remove', 'garbage'),
      // Mostly near the beginning, the end, or nothing at all of a file.
      share: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 0.001, 0.5, 0.999)),
      length: fc.integer({ min: 1, max: 3_000 }),
      sameBoot: fc.boolean(),
    })
    let run = 0
    await fc.assert(
      fc.asyncProperty(harm, async ({ image, file, kind, share, length, sameBoot }) => {
        const { path, wasStopped, seq } = this.#images[image]!
        const copy = join(this.#folder, `harmed-${run++}`)
        await cp(path, copy, { recursive: true })
        try {
          await harmFile(copy, file, kind, share, length)
          await this.#open(copy, wasStopped, seq, sameBoot)
        } finally {
          await rm(copy, { recursive: true })
        }
      }),
      { numRuns: runs, includeErrorInReport: true },
    )
  }

  async #open(path: string, wasStopped: boolean, newest: number, sameBoot: boolean): Promise<void> {
    const alarms: StoreAlarm[] = []
    let store: Store
    try {
      const bootId = sameBoot ? 'boot 1' : 'boot 2'
      store = await openStore({ path, family: 4, wall, bootId, alarm: (alarm) => alarms.push(alarm) })
    } catch (error) {
      assert.ok(error instanceof SidecarError, String(error))
      assert.match(error.code, /^ALQ_STORE_(DAMAGED|OPEN)$/)
      assert.match(
        error.message,
        /^store .* cannot be (trusted|opened): [^\n]+ [Ss]tart with --rebuild [^\n]+$/,
      )
      this.outcomes.refused++
      return
    }
    try {
      const { seq, walkPending } = store.position
      const { intact, wasClean, wasNew } = store.openReport
      if (!intact) {
        assert.equal(sameBoot, false, 'only a power loss excuses that something is missing')
        assert.deepEqual({ wasClean, walkPending, horizon: store.horizon }, UNTRUSTED)
        assert.ok(alarms.some(({ kind }) => kind === 'incomplete-after-power-loss'))
        this.outcomes.incomplete++
        return
      }
      assert.ok(this.#moments.has(seq) || wasNew, `position ${seq} never was`)
      assert.deepEqual(contentsOf(store), this.#moments.get(seq))
      if (seq === newest) {
        this.outcomes.whole++
        // An unclean stop may be told where there was a clean one, never the other way round.
        if (!wasStopped) assert.equal(wasClean, false)
        return
      }
      assert.equal(wasClean, false, `position ${seq} of ${newest} is taken for all there was`)
      this.outcomes.earlier++
    } finally {
      await store.close()
    }
  }
}

const UNTRUSTED = { wasClean: false, walkPending: true, horizon: undefined }

function contentsOf(store: Store | undefined): unknown {
  if (store === undefined) return { changes: [], config: undefined }
  return {
    changes: store
      .changesAfter(0, 100_000, 1_000_000)
      .changes.map((change) =>
        change.kind === 'binding'
          ? { departure: false, ...plain(change.binding) }
          : { departure: true, ...plain(change.departure) },
      ),
    config: store.meta.get('config')?.toString(),
  }
}

async function harmFile(
  folder: string,
  which: number,
  kind: 'flip' | 'zero' | 'cut' | 'remove' | 'garbage',
  share: number,
  length: number,
): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name !== 'LOCK' && !name.startsWith('LOG')).sort()
  const path = join(folder, names[which % names.length]!)
  const { size } = await stat(path)
  const at = Math.floor(size * share)
  if (kind === 'remove') return rm(path)
  if (kind === 'cut') return truncate(path, at)
  if (at === size) return
  const piece = Buffer.alloc(kind === 'flip' ? 1 : Math.min(length, size - at))
  const file = await openFile(path, 'r+')
  try {
    await file.read(piece, 0, piece.length, at)
    if (kind === 'flip') piece[0] = piece[0]! ^ (1 << (length % 8))
    else if (kind === 'zero') piece.fill(0)
    else for (let i = 0; i < piece.length; i++) piece[i] = piece[i]! ^ (i * length + 1)
    await file.write(piece, 0, piece.length, at)
  } finally {
    await file.close()
  }
}
