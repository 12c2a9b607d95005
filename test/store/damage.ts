// A LevelDB whose files are cut, zeroed and flipped at random: it is refused in one sentence, or opened right, or opened at an
// earlier moment that knows it is not the last one. Never silently short. An earlier moment is that of any batch: of a round
// of several, all but the last stand at the position before it, with a part of the changes that lead to the next one.
import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, open as openFile, readdir, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { BindingState } from '../../sidecar/binding.ts'
import { SidecarError } from '../../sidecar/errors.ts'
import { classicLevel, type Level } from '../../sidecar/store/level.ts'
import { openStore, type Store, type StoreAlarm } from '../../sidecar/store/open.ts'
import { diesOf } from '../../sidecar/store/probe.ts'
import { bindingOf, FakeLevel, octets, plain } from './support.ts'

const wall = (): number => 5_000

/** For each position what the store held there: when it was flushed, and after each batch of the round that followed. */
type Moments = ReadonlyMap<number, readonly unknown[]>

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
  readonly #moments: Moments
  readonly outcomes: Outcomes = { refused: 0, whole: 0, earlier: 0, incomplete: 0 }

  private constructor(folder: string, images: readonly Image[], moments: Moments) {
    this.#folder = folder
    this.#images = images
    this.#moments = moments
  }

  /** Three lives of a store, so that there are tables as well as logs; each is kept as stopped and as killed. */
  static async prepare(bindings: number): Promise<Damage> {
    const folder = await mkdtemp(join(tmpdir(), 'leasequery-damage-'))
    const path = join(folder, 'store')
    const images: Image[] = []
    const moments = new Map<number, unknown[]>([[0, [contentsOf(undefined)]]])
    await mkdir(path)
    const { level, takeBatches } = watched(classicLevel(path))
    let seq = 0
    for (let life = 0; life < 3; life++) {
      const store = await openStore({ path, family: 4, wall, bootId: 'boot 1', level })
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
        const reached = contentsOf(store)
        for (const batch of takeBatches()) {
          const { at, contents } = await momentOf(batch)
          if (at === seq) assert.deepEqual(contents, reached)
          else moments.get(at)!.push(contents)
        }
        moments.set(seq, [reached])
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
          const harmed = await harmFile(copy, file, kind, share, length)
          if (harmed.endsWith('.ldb')) await dieBefore(copy)
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
      const moments = this.#moments.get(seq)
      assert.ok(moments, `position ${seq} never was`)
      const contents = contentsOf(store)
      if (wasNew || seq === newest || !moments.some((moment) => isDeepStrictEqual(contents, moment)))
        assert.deepEqual(contents, moments[0])
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

/** The level as it is, and on the side what the database holds after each batch, for who asks. */
function watched(level: Level): { level: Level; takeBatches(): ReadonlyMap<string, Buffer>[] } {
  let batches: ReadonlyMap<string, Buffer>[] = []
  const twin = new FakeLevel()
  const opened = twin.open()
  return {
    level: {
      ...level,
      async write(operations, sync) {
        await level.write(operations, sync)
        await opened
        await twin.write(operations, sync)
        batches.push(twin.content)
      },
    },
    takeBatches() {
      const taken = batches
      batches = []
      return taken
    },
  }
}

/** What a store shows that is opened upon this batch. */
async function momentOf(batch: ReadonlyMap<string, Buffer>): Promise<{ at: number; contents: unknown }> {
  const level = new FakeLevel(batch)
  const store = await openStore({ path: '/fake', family: 4, wall, bootId: 'boot 1', level })
  assert.equal(store.openReport.intact, true)
  const moment = { at: store.position.seq, contents: contentsOf(store) }
  await store.close()
  return moment
}

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

/** A damaged table may end the process that reads it: where it does, the store is left as by a start that died so. */
async function dieBefore(path: string): Promise<void> {
  const copy = `${path}-read`
  await cp(path, copy, { recursive: true })
  try {
    if ((await diesOf(copy)) !== undefined) await classicLevel(path).writeNote('opening')
  } finally {
    await rm(copy, { recursive: true })
  }
}

/** @returns the name of the file */
async function harmFile(
  folder: string,
  which: number,
  kind: 'flip' | 'zero' | 'cut' | 'remove' | 'garbage',
  share: number,
  length: number,
): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name !== 'LOCK' && !name.startsWith('LOG')).sort()
  const name = names[which % names.length]!
  const path = join(folder, name)
  const { size } = await stat(path)
  const at = Math.floor(size * share)
  if (kind === 'remove') await rm(path)
  if (kind === 'cut') await truncate(path, at)
  if (kind === 'remove' || kind === 'cut' || at === size) return name
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
  return name
}
