/** A hook core in a folder of its own, gone at the end of the test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HookCore, type HookCoreSettings } from '../support/hook-core.ts'
import { Asker, Listener } from './feed-client.ts'

export class Stage implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'hook-core-'))
  readonly endpoint = `ipc://${join(this.folder, 'feed')}`
  readonly core: HookCore
  readonly #open: Disposable[] = []

  constructor(settings: Partial<HookCoreSettings> = {}) {
    this.core = new HookCore({ family: 4, endpoint: this.endpoint, ...settings })
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  another(settings: Partial<HookCoreSettings> = {}): HookCore {
    return this.#keep(new HookCore({ family: 4, endpoint: this.endpoint, ...settings }))
  }

  asker(): Asker {
    return this.#keep(new Asker(this.endpoint))
  }

  listener(): Listener {
    return this.#keep(new Listener(this.endpoint))
  }

  #keep<T extends Disposable>(part: T): T {
    this.#open.push(part)
    return part
  }

  [Symbol.dispose](): void {
    for (const part of this.#open) part[Symbol.dispose]()
    this.core.close()
    rmSync(this.folder, { recursive: true })
  }
}

export const address = (n: number): Buffer => Buffer.from([10, 0, n >> 8, n & 0xff])
