// Reads a range of a LevelDB in a thread of its own: making an object of each value takes as long as decoding it.
// This file is both sides: what the store calls, and, as a worker, the thread.
import { once } from 'node:events'
import { isMainThread, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads'
import { ClassicLevel } from 'classic-level'
import { AHEAD, inParts, type PackedValues, packValues } from './packed-values.ts'

interface Range {
  readonly readRange: { readonly path: string; readonly from: Uint8Array; readonly to: Uint8Array }
}

/** Parts that may be under way: reading goes on while the store decodes. */
const UNDER_WAY = 4

type Answer =
  | { readonly kind: 'opened' }
  | { readonly kind: 'part'; readonly values: PackedValues }
  | { readonly kind: 'end' }
  | { readonly kind: 'failed'; readonly error: unknown }

/**
 * Values with from <= key < to of the database in `path`, which this process has open with `multithreading`.
 * Undefined: no thread could be had; read them otherwise. What cannot be read is thrown as LevelDB put it.
 */
export async function valuesByThread(
  path: string,
  from: Uint8Array,
  to: Uint8Array,
): Promise<AsyncGenerator<PackedValues, void, void> | undefined> {
  let worker: Worker
  const answers: Answer[] = []
  let wake = (): void => {}
  const answered = (answer: Answer): void => {
    answers.push(answer)
    wake()
  }
  const next = async (): Promise<Answer> => {
    while (answers.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return answers.shift()!
  }
  try {
    const range: Range = { readRange: { path, from: Uint8Array.from(from), to: Uint8Array.from(to) } }
    worker = new Worker(new URL(import.meta.url), { workerData: range })
  } catch {
    return undefined
  }
  const exited = new Promise((resolve) => worker.on('exit', resolve))
  worker.on('message', answered)
  worker.on('error', (error) => answered({ kind: 'failed', error }))
  worker.on('exit', () => answered({ kind: 'failed', error: new Error('the reading thread has ended') }))
  if ((await next()).kind !== 'opened') {
    await worker.terminate()
    return undefined
  }
  return (async function* () {
    try {
      for (;;) {
        const answer = await next()
        if (answer.kind === 'failed') throw answer.error
        if (answer.kind === 'end') {
          await exited // it closes its database itself
          return
        }
        if (answer.kind !== 'part') continue
        worker.postMessage('more')
        yield answer.values
      }
    } finally {
      await worker.terminate()
    }
  })()
}

async function readRange(port: MessagePort, { path, from, to }: Range['readRange']): Promise<void> {
  const tell = (answer: Answer, transfer: ArrayBuffer[] = []): void => port.postMessage(answer, transfer)
  const database = new ClassicLevel<Buffer, Buffer>(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: false,
    multithreading: true,
  })
  try {
    await database.open()
    tell({ kind: 'opened' })
    let credit = UNDER_WAY
    port.on('message', () => credit++)
    for await (const part of inParts(
      database.values({ gte: Buffer.from(from), lt: Buffer.from(to), ...AHEAD }),
    )) {
      while (credit === 0) await once(port, 'message')
      credit--
      const values = packValues(part)
      tell({ kind: 'part', values }, [values.octets.buffer, values.ends.buffer])
    }
    tell({ kind: 'end' })
  } catch (error) {
    tell({ kind: 'failed', error })
  } finally {
    await database.close()
    port.close()
  }
}

if (!isMainThread && parentPort !== null && (workerData as Range | null)?.readRange !== undefined) {
  await readRange(parentPort, (workerData as Range).readRange)
}
