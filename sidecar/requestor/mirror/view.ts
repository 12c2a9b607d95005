// What `leasequery mirror` prints: a line for each thing that happens; on a terminal also how it stands, kept at the bottom.
import { printable, timeOf } from '../print.ts'
import type { DeliveryNote } from './delivery.ts'
import type { Mirror } from './mirror.ts'
import type { MirrorNote } from './server-mirror.ts'

type Note = (MirrorNote & { readonly server: string }) | DeliveryNote
type Status = Mirror['status']

/** As process.stdout has it. */
export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string, done?: (error?: Error | null) => void): unknown
}

/** Milliseconds between two looks at how it stands. */
const REFRESH = 500

export class MirrorView {
  readonly #json: boolean
  readonly #output: Output
  #status: (() => Status) | undefined
  #timer: NodeJS.Timeout | undefined
  /** Lines at the bottom that are to be written over. */
  #drawn = 0

  constructor(json: boolean, output: Output) {
    this.#json = json
    this.#output = output
  }

  /** @param failed called when the output takes no more */
  note(note: Note, now: number, failed: (error: unknown) => void): void {
    const line = this.#json
      ? JSON.stringify({ time: Math.floor(now), ...note })
      : `${timeOf(now)}  ${sentenceOf(note)}`
    this.#output.write(`${this.#erase()}${line}\n`, (error) => {
      if (error) failed(error)
    })
    this.#draw()
  }

  /** On a terminal, shows the status until {@link close}; in a pipe there is nothing to keep in place. */
  follow(status: () => Status): void {
    if (!this.#output.isTTY || this.#json) return
    this.#status = status
    this.#timer = setInterval(() => this.#draw(), REFRESH)
    this.#draw()
  }

  close(): void {
    clearInterval(this.#timer)
    if (this.#drawn > 0) this.#output.write(this.#erase())
    this.#status = undefined
  }

  #draw(): void {
    if (this.#status === undefined) return
    const width = (this.#output.columns ?? 80) - 1
    const lines = statusLines(this.#status()).map((line) => line.slice(0, width))
    this.#output.write(`${this.#erase()}${lines.map((line) => `${line}\n`).join('')}`)
    this.#drawn = lines.length
  }

  /** Cursor up and clear to the end, for what was drawn. */
  #erase(): string {
    const lines = this.#drawn
    this.#drawn = 0
    return lines === 0 ? '' : `\x1b[${lines}A\x1b[J`
  }
}

export function statusLines({ servers, deliveries, bindings }: Status): string[] {
  return [
    `-- ${bindings} bindings`,
    ...servers.map(({ endpoint, phase, told, since, trouble }) => {
      const position = since === undefined ? 'no position yet' : `position ${timeOf(since)}`
      return `   ${endpoint}  ${phase}  ${told} told  ${position}${trouble === undefined ? '' : `  ${printable(trouble)}`}`
    }),
    ...deliveries.map(({ receiver, handed, failures }) => {
      const failing = failures === 0 ? '' : `  ${failures} failures in a row`
      return `   ${printable(receiver)}  ${handed} handed over${failing}`
    }),
  ]
}

export function sentenceOf(note: Note): string {
  const text = (note: Note): string => {
    switch (note.event) {
      case 'asking':
        return note.query === 'bulk'
          ? 'asking for all bindings (Bulk)'
          : `asking for changes since ${timeOf(note.since)} (Active)`
      case 'asking-window':
        return `asking for what changed from ${timeOf(note.start)} to ${timeOf(note.end)} (Bulk)`
      case 'window-refused':
        return `that was refused (${note.reason}): asking for everything instead`
      case 'bulk-complete':
        return `all bindings told: ${note.count}`
      case 'live':
        return 'caught up; following changes'
      case 'data-missing':
        return `its history does not reach back so far${note.text === '' ? '' : ` (${note.text})`}; recovering by Bulk`
      case 'lost':
        return `${note.query === 'active' ? 'Active' : 'Bulk'} query lost: ${note.reason}`
      case 'skew':
        return note.seconds === 0
          ? 'its clock agrees with ours'
          : `its clock is ${Math.abs(note.seconds)} s ${note.seconds > 0 ? 'ahead of' : 'behind'} ours`
      case 'not-taken':
        return `${note.reason}; again in ${note.wait} s`
      case 'taken-again':
        return 'takes changes again'
    }
  }
  return printable(`${'server' in note ? note.server : note.receiver}  ${text(note)}`)
}
