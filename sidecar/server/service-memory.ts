// What the service must remember over a restart while Kea is down: the last accepted parameters, so that it never serves
// under defaults, and who this server is. One small file beside the store, replaced as a whole.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { codeOf } from '../errors.ts'
import type { RememberedViews } from './former-views.ts'

export interface Remembered {
  /** Hello.service as it was accepted. */
  readonly service: string
  /** DHCPv4: server identifiers, most usual first. DHCPv6: one DUID. Hexadecimal. */
  readonly identities: readonly string[]
  readonly formerViews: RememberedViews
}

const VERSION = 2

export class ServiceMemory {
  readonly #path: string
  #written = ''

  constructor(path: string) {
    this.#path = path
  }

  /** undefined: nothing was ever accepted here, or the file cannot be read (then Kea has to say it again). */
  read(): Remembered | undefined {
    let text: string
    try {
      text = readFileSync(this.#path, 'utf8')
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
    try {
      const value = JSON.parse(text) as Partial<Remembered> & { version?: number }
      const { formerViews } = value
      if (value.version !== VERSION || typeof value.service !== 'string' || formerViews === undefined)
        return undefined
      this.#written = text
      return { service: value.service, identities: value.identities ?? [], formerViews }
    } catch {
      return undefined
    }
  }

  /** Durable when it returns. @throws the system's error when the disk is full or failing */
  write(remembered: Remembered): void {
    const text = `${JSON.stringify({ version: VERSION, ...remembered })}\n`
    if (text === this.#written) return
    const draft = `${this.#path}.new`
    const file = openSync(draft, 'w', 0o600)
    try {
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(draft, this.#path)
    const folder = openSync(dirname(this.#path), 'r')
    try {
      fsyncSync(folder)
    } finally {
      closeSync(folder)
    }
    this.#written = text
  }
}
