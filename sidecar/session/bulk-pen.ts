// What writes the messages of a Bulk query: all but the first, which is another one than those after it.
import type { LogicalSeconds } from '../binding.ts'
import type { PackedBinding } from '../packed-binding.ts'
import type { Writer } from '../wire/writer.ts'
import type { Run } from './bulk-queries.ts'
import type { Dialect } from './dialect.ts'
import type { BulkFind, Moment, Pen } from './session-io.ts'

export class BulkPen implements Pen {
  readonly #dialect: Dialect
  readonly #run: Run
  readonly #to: Writer
  #takenTo = 0
  #messages = 0
  #bindings = 0

  constructor(dialect: Dialect, run: Run, to: Writer) {
    this.#dialect = dialect
    this.#run = run
    this.#to = to
  }

  /** A slice begins: what was written before has been sent. */
  begin(): void {
    this.#to.reset()
    this.#takenTo = 0
  }

  get length(): number {
    return this.#to.length - this.#takenTo
  }

  write(record: PackedBinding, companions: readonly PackedBinding[], moment: Moment): boolean {
    const run = this.#run
    if (run.first) return false
    const before = run.told.size
    if (before > 0 && run.told.has(record.changeNumber)) return true
    this.#messages += this.#dialect.write(this.#to, run, record, companions, moment.now, moment)
    this.#bindings += 1 + run.told.size - before
    return true
  }

  writeAvailable(address: number, since: LogicalSeconds, moment: Moment): boolean {
    const run = this.#run
    if (run.first) return false
    this.#dialect.writeAvailable!(this.#to, run, address, since, moment.now)
    this.#messages++
    this.#bindings++
    return true
  }

  hasTold(record: PackedBinding): boolean {
    return this.#run.told.has(record.changeNumber)
  }

  take(): Extract<BulkFind, { kind: 'written' }> {
    const taken = {
      kind: 'written',
      frames: this.#to.view(this.#takenTo),
      messages: this.#messages,
      bindings: this.#bindings,
    } as const
    this.#takenTo = this.#to.length
    this.#messages = 0
    this.#bindings = 0
    return taken
  }
}
