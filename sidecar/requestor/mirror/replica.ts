// The replica on disk: rows of bindings, positions of servers, queues of receivers, in one LevelDB. What belongs together
// is written together, so that a kill at any moment leaves a state that was there.
//
//   b <binding>            row            p <server>  position
//   q <receiver> <number>  binding        m           names of servers and receivers, counters
import { existsSync } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import type { Family } from '../../binding.ts'
import { reasonOf, SidecarError } from '../../errors.ts'
import type { BindingJson } from '../binding-json.ts'
import { FIRST_POSITION, type Position } from './plan.ts'
import {
  type Change,
  changeFor,
  currentOf,
  type Handed,
  isEmpty,
  type KeptRecord,
  NO_ROW,
  type Row,
  withoutUntold,
  withRecord,
} from './row.ts'

const VERSION = 1
/** Rows read at a time where all are looked at. */
const PAGE = 512
const META = 'm'

interface Meta {
  readonly version: number
  readonly family: Family
  servers: Record<string, number>
  receivers: Record<string, number>
  /** Receivers whose queues were kept up to date when this was last open. */
  current: number[]
  rows: number
  nextQueued: number
}

/** What a server told of one binding. */
export interface TellingOf {
  readonly key: string
  readonly active: boolean
  readonly binding: BindingJson
}

/** A change to be handed to a receiver. */
export interface Pending {
  readonly key: string
  readonly queued: number
  /** undefined: by now there is nothing to tell. */
  readonly change: Change | undefined
}

export interface ReplicaOptions {
  readonly path: string
  readonly family: Family
  /** Hand over what changes times only. */
  readonly renewals: boolean
  readonly maxBindings: number
  readonly now: () => number
}

export class Replica {
  readonly #options: ReplicaOptions
  readonly #level: ClassicLevel<string, string>
  #meta: Meta
  /** Receivers that are kept up to date in this run, by number. */
  readonly #receivers = new Map<number, () => void>()
  /** Servers with a Bulk run under way, or one that has not been swept. */
  readonly #bulk = new Set<number>()
  #last: Promise<unknown> = Promise.resolve()

  private constructor(options: ReplicaOptions, level: ClassicLevel<string, string>, meta: Meta) {
    this.#options = options
    this.#level = level
    this.#meta = meta
  }

  /** Opens or makes it; only its owner may read it. @throws SidecarError ALQ_MIRROR_STATE */
  static async open(options: ReplicaOptions): Promise<Replica> {
    const { path, family } = options
    const unusable = (reason: string, cause?: unknown) =>
      new SidecarError('ALQ_MIRROR_STATE', { path, reason }, { cause })
    const level = new ClassicLevel<string, string>(path)
    try {
      await mkdir(path, { recursive: true, mode: 0o700 })
      await chmod(path, 0o700)
      await level.open()
    } catch (error) {
      const { cause } = error as { cause?: { code?: string } }
      const locked = cause?.code === 'LEVEL_LOCKED'
      throw unusable(locked ? 'another process uses it' : reasonOf(cause ?? error), error)
    }
    const text = await level.get(META)
    const meta: Meta =
      text === undefined
        ? { version: VERSION, family, servers: {}, receivers: {}, current: [], rows: 0, nextQueued: 1 }
        : JSON.parse(text)
    if (meta.version !== VERSION || meta.family !== family) {
      await level.close()
      throw unusable(
        meta.family === family
          ? `it is of version ${meta.version}, and this program knows version ${VERSION}`
          : `it holds DHCPv${meta.family}; each family needs a folder of its own`,
      )
    }
    return new Replica(options, level, meta)
  }

  /** Opens one of a mirror that does not run, of either family, to read from it. @throws SidecarError ALQ_MIRROR_STATE */
  static async openToRead(path: string): Promise<Replica> {
    if (!existsSync(join(path, 'CURRENT'))) {
      throw new SidecarError('ALQ_MIRROR_STATE', { path, reason: 'there is no replica in it' })
    }
    const settings = { path, renewals: true, maxBindings: 0, now: () => Date.now() / 1000 }
    try {
      return await Replica.open({ ...settings, family: 4 })
    } catch (error) {
      if (!/it holds DHCPv6/.test((error as Error).message)) throw error
      return Replica.open({ ...settings, family: 6 })
    }
  }

  /** Rows, ended ones that are still needed included. */
  get rows(): number {
    return this.#meta.rows
  }

  async close(): Promise<void> {
    await this.#alone(async () => {})
    await this.#level.close()
  }

  /** Numbers of these endpoints; what was known from others is dropped. */
  async servers(endpoints: readonly string[]): Promise<number[]> {
    const { servers } = this.#meta
    for (const endpoint of endpoints) {
      servers[endpoint] ??= Math.max(0, ...Object.values(servers)) + 1
    }
    const numbers = endpoints.map((endpoint) => servers[endpoint]!)
    await this.#alone(() => this.#level.put(META, JSON.stringify(this.#meta)))
    for (const [endpoint, number] of Object.entries(servers)) {
      if (endpoints.includes(endpoint)) continue
      await this.sweep(number, Number.POSITIVE_INFINITY)
      delete servers[endpoint]
      await this.#alone(() => this.#level.batch([del(`p${number}`), put(META, this.#meta)]))
    }
    return numbers
  }

  async position(server: number): Promise<Position> {
    const text = await this.#level.get(`p${server}`)
    if (text === undefined) return FIRST_POSITION
    // JSON leaves out what is undefined.
    const { since, generation, due } = JSON.parse(text) as Position
    return { since, generation, due: due && { window: due.window } }
  }

  /** A Bulk answer of this server is on its way; until {@link sweep}, what has ended is remembered. */
  bulkBegins(server: number): void {
    this.#bulk.add(server)
  }

  /**
   * Writes what a server told, and its position, at once.
   * @throws SidecarError ALQ_MIRROR_FULL naming `place`
   */
  async tell(
    server: number,
    tellings: readonly TellingOf[],
    run: { readonly generation: number; readonly byActive: boolean },
    position: Position,
    place: { readonly address: string; readonly port: number },
  ): Promise<void> {
    await this.#alone(async () => {
      const heard = this.#options.now()
      const keepEnded = this.#bulk.size > 0
      const rows = await this.#rows(tellings.map(({ key }) => key))
      const before = new Map(rows)
      for (const { key, active, binding } of tellings) {
        const record: KeptRecord = { active, binding, heard, ...run }
        rows.set(key, withRecord(rows.get(key)!, server, record, keepEnded))
      }
      const { rows: held, operations } = this.#write(before, rows)
      if (held > this.#options.maxBindings) {
        throw new SidecarError('ALQ_MIRROR_FULL', { ...place, limit: this.#options.maxBindings })
      }
      this.#meta.rows = held
      await this.#level.batch([...operations, put(`p${server}`, position), put(META, this.#meta)])
    })
    for (const wake of this.#receivers.values()) wake()
  }

  /** Ends what Bulk run `generation` of `server` did not tell. */
  async sweep(server: number, generation: number): Promise<void> {
    this.#bulk.delete(server)
    const keepEnded = this.#bulk.size > 0
    await this.#all((row) => withoutUntold(row, server, generation, keepEnded))
  }

  /** Keeps a position, when nothing else is to be written. */
  async keep(server: number, position: Position): Promise<void> {
    await this.#alone(() => this.#level.put(`p${server}`, JSON.stringify(position)))
  }

  /** All bindings that live. Changes made meanwhile may be in it or not. */
  async *bindings(): AsyncGenerator<{ key: string; binding: BindingJson }, void, void> {
    for await (const [key, text] of this.#level.iterator({ gt: 'b', lt: 'c' })) {
      const binding = currentOf(JSON.parse(text) as Row, this.#options.now())
      if (binding !== undefined) yield { key: key.slice(1), binding }
    }
  }

  // ---- receivers

  /**
   * From here on, every difference between the replica and what this receiver was handed is in its queue; at the first
   * time that is every binding there is.
   * @param wake called when there may be something to hand over
   */
  async receiver(name: string, wake: () => void): Promise<number> {
    const { receivers } = this.#meta
    receivers[name] ??= Math.max(0, ...Object.values(receivers)) + 1
    const number = receivers[name]!
    const wasCurrent = this.#meta.current.includes(number)
    this.#receivers.set(number, wake)
    if (!wasCurrent) {
      await this.#all((row) => row)
      this.#meta.current.push(number)
    }
    await this.#alone(() => this.#level.put(META, JSON.stringify(this.#meta)))
    return number
  }

  /** Receivers not named by {@link receiver} in this run are no longer kept up to date; what they have stays noted. */
  async receiversNamed(): Promise<void> {
    this.#meta.current = [...this.#receivers.keys()]
    await this.#alone(() => this.#level.put(META, JSON.stringify(this.#meta)))
  }

  /** The oldest changes in a receiver's queue, one a binding. */
  async pending(receiver: number, most: number): Promise<Pending[]> {
    return this.#alone(async () => {
      const range = {
        gt: queueKey(receiver, 0),
        lt: queueKey(receiver, Number.MAX_SAFE_INTEGER),
        limit: most,
      }
      const queued: [number, string][] = []
      for (const [place, key] of await this.#level.iterator(range).all()) {
        queued.push([Number(place.slice(place.indexOf(':') + 1)), key])
      }
      const rows = await this.#rows(queued.map(([, key]) => key))
      return queued.map(([place, key]) => ({
        key,
        queued: place,
        change: this.#change(rows.get(key)!, receiver),
      }))
    })
  }

  /** These are about to be handed over: noted first, since a receiver may take what we never hear of. */
  async handing(receiver: number, changes: readonly Pending[]): Promise<void> {
    await this.#alone(async () => {
      const rows = await this.#rows(changes.map(({ key }) => key))
      const operations = changes.flatMap(({ key, change }) => {
        const row = rows.get(key)!
        const handed = row.receivers[receiver]!
        if (handed.tried !== undefined) return []
        const tried = { ...handed, tried: change!.binding }
        return [put(`b${key}`, { ...row, receivers: { ...row.receivers, [receiver]: tried } })]
      })
      if (operations.length > 0) await this.#level.batch(operations)
    })
  }

  /** These were handed over. What has changed since is queued anew, behind all others. */
  async handed(receiver: number, done: readonly Pending[]): Promise<void> {
    await this.#alone(async () => {
      const rows = await this.#rows(done.map(({ key }) => key))
      const before = new Map(rows)
      const operations: Operation[] = []
      for (const { key, queued, change } of done) {
        const row = rows.get(key)!
        const told =
          change === undefined
            ? row.receivers[receiver]?.told
            : change.change === 'removed'
              ? undefined
              : change.binding
        rows.set(key, { ...row, receivers: { ...row.receivers, [receiver]: { told, queued: undefined } } })
        operations.push(del(queueKey(receiver, queued)))
      }
      const written = this.#write(before, rows)
      this.#meta.rows = written.rows
      await this.#level.batch([...operations, ...written.operations, put(META, this.#meta)])
    })
  }

  /** This one was not taken: others first. */
  async putBack(receiver: number, { key, queued }: Pending): Promise<void> {
    await this.#alone(async () => {
      const row = (await this.#rows([key])).get(key)!
      const place = this.#meta.nextQueued++
      const handed: Handed = { told: undefined, ...row.receivers[receiver], queued: place }
      const changed = { ...row, receivers: { ...row.receivers, [receiver]: handed } }
      await this.#level.batch([
        del(queueKey(receiver, queued)),
        put(queueKey(receiver, place), key, true),
        put(`b${key}`, changed),
        put(META, this.#meta),
      ])
    })
  }

  // ---- inside

  async #rows(keys: readonly string[]): Promise<Map<string, Row>> {
    const wanted = [...new Set(keys)]
    const texts = await this.#level.getMany(wanted.map((key) => `b${key}`))
    return new Map(
      wanted.map((key, i) => [key, texts[i] === undefined ? NO_ROW : (JSON.parse(texts[i]) as Row)]),
    )
  }

  #change(row: Row, receiver: number): Change | undefined {
    const { now, renewals } = this.#options
    return changeFor(row.receivers[receiver], currentOf(row, now()), renewals)
  }

  /** What to write for rows that changed: queued for receivers where something is to be told. */
  #write(
    before: ReadonlyMap<string, Row>,
    after: ReadonlyMap<string, Row>,
  ): { rows: number; operations: Operation[] } {
    let { rows } = this.#meta
    const operations: Operation[] = []
    for (const [key, old] of before) {
      let row = after.get(key)!
      for (const receiver of this.#receivers.keys()) {
        const handed: Handed = row.receivers[receiver] ?? { told: undefined, queued: undefined }
        if (handed.queued !== undefined || this.#change(row, receiver) === undefined) continue
        const queued = this.#meta.nextQueued++
        row = { ...row, receivers: { ...row.receivers, [receiver]: { ...handed, queued } } }
        operations.push(put(queueKey(receiver, queued), key, true))
      }
      if (row === old) continue
      const [was, is] = [!isEmpty(old), !isEmpty(row)]
      rows += Number(is) - Number(was)
      if (is) operations.push(put(`b${key}`, row))
      else if (was) operations.push(del(`b${key}`))
    }
    return { rows, operations }
  }

  /** Gives each row to `alter`, a page at a time, and writes what it changes and what receivers lack. */
  async #all(alter: (row: Row) => Row): Promise<void> {
    for (let after: string | undefined = 'b'; after !== undefined; ) {
      const from: string = after
      after = await this.#alone(async () => {
        const page = await this.#level.iterator({ gt: from, lt: 'c', limit: PAGE }).all()
        const before = new Map(page.map(([key, text]) => [key.slice(1), JSON.parse(text) as Row]))
        const altered = new Map([...before].map(([key, row]) => [key, alter(row)]))
        const { rows, operations } = this.#write(before, altered)
        this.#meta.rows = rows
        if (operations.length > 0) await this.#level.batch([...operations, put(META, this.#meta)])
        return page.length < PAGE ? undefined : page[page.length - 1]![0]
      })
    }
    for (const wake of this.#receivers.values()) wake()
  }

  /** One at a time: each reads rows, and writes what it made of them. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work)
    this.#last = mine.catch(() => {})
    return mine
  }
}

type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string }

function put(key: string, value: unknown, plain = false): Operation {
  return { type: 'put', key, value: plain ? (value as string) : JSON.stringify(value) }
}

function del(key: string): Operation {
  return { type: 'del', key }
}

/** Numbers of one length, so that their order is that of the keys. */
function queueKey(receiver: number, queued: number): string {
  return `q${receiver}:${String(queued).padStart(16, '0')}`
}
