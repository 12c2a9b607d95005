// LevelDB ends the whole process where a damaged table breaks what it takes for granted. So where the last start died while
// it read the store, another process reads it first, and what happens to that one is the answer.
// This file is both sides: what the store calls, and, as a program, the reader.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ClassicLevel } from 'classic-level'

const PROGRAM = fileURLToPath(import.meta.url)

/** What becomes of a process that reads everything in the database; undefined: it lives, whatever else it finds. */
export async function diesOf(path: string): Promise<string | undefined> {
  const child = fork(PROGRAM, [path], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: [] })
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  return signal === null ? undefined : `reading it ends the process (${signal})`
}

if (process.argv[1] === PROGRAM) {
  const database = new ClassicLevel<Buffer, Buffer>(process.argv[2]!, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: false,
  })
  try {
    await database.open()
    for await (const _ of database.iterator()) {
      // Only that it can be read matters here: what it holds is for the store to judge.
    }
    await database.close()
  } catch {
    // An error is none of a process that ends.
  }
  process.disconnect?.()
}
