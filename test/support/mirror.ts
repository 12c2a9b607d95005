/** A mirror as a test runs it: in this process, with short waits, on a folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BindingJson } from '../../sidecar/requestor/binding-json.ts'
import { Mirror, type MirrorOptions } from '../../sidecar/requestor/mirror/mirror.ts'

export type Note = Parameters<NonNullable<MirrorOptions['note']>>[0]

export class TestMirror {
  readonly path: string
  readonly notes: Note[] = []
  readonly #options: Omit<MirrorOptions, 'path' | 'note'>
  #mirror: Mirror | undefined

  constructor(options: Omit<MirrorOptions, 'path' | 'note'>) {
    this.path = mkdtempSync(join(tmpdir(), 'alq-mirror-'))
    this.#options = options
  }

  /** Starts it, or starts it again on what it kept. */
  async start(changed: Partial<MirrorOptions> = {}): Promise<this> {
    const { path } = this
    const note = (note: Note) => this.notes.push(note)
    this.#mirror = await Mirror.start({
      retrySeconds: 0.2,
      backOffSeconds: 0.02,
      ...this.#options,
      ...changed,
      path,
      note,
    })
    this.#mirror.failed.catch((error) => this.notes.push({ event: 'failed', error } as never))
    return this
  }

  get mirror(): Mirror {
    if (this.#mirror === undefined) throw new Error('the mirror was not started')
    return this.#mirror
  }

  noted(event: Note['event']): Note[] {
    return this.notes.filter((note) => note.event === event)
  }

  async bindings(): Promise<Map<string, BindingJson>> {
    const found = new Map<string, BindingJson>()
    for await (const { key, binding } of this.mirror.bindings()) found.set(key, binding)
    return found
  }

  async keys(): Promise<string[]> {
    return [...(await this.bindings()).keys()].sort()
  }

  async stop(): Promise<void> {
    const mirror = this.#mirror
    this.#mirror = undefined
    await mirror?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    rmSync(this.path, { recursive: true, force: true })
  }
}
