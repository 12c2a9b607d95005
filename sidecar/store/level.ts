// The few things the store asks of LevelDB, so that tests can put a disk that fails in its place.
import { open as openFile, readdir, readFile, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { reasonOf, SidecarError } from '../errors.ts'
import { AHEAD, inParts, type PackedValues, packValues } from './packed-values.ts'
import { valuesByThread } from './reader-thread.ts'

export type LevelOperation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }

export interface Level {
  /** @throws SidecarError where the database is locked, damaged or cannot be opened. */
  open(): Promise<void>
  close(): Promise<void>
  /** All of it or nothing; `sync`: on the disk itself, not only with the operating system. */
  write(operations: readonly LevelOperation[], sync: boolean): Promise<void>
  read(key: Buffer): Promise<Buffer | undefined>
  /** Entries with from <= key < to, in order, some at a time. */
  entries(from: Buffer, to: Buffer): AsyncIterable<readonly (readonly [Buffer, Buffer])[]>
  /** As {@link entries}, without the keys; `expected` is about how many there will be. */
  values(from: Buffer, to: Buffer, expected: number): AsyncIterable<PackedValues>
  /** Keeps a short text beside the database, on the disk itself when it resolves; it outlives whatever befalls the database. */
  writeNote(text: string): Promise<void>
  /** Undefined: there is none. */
  readNote(): Promise<string | undefined>
  /** Deletes everything but the note and opens a fresh database. */
  restart(): Promise<void>
}

/** From so many values on a thread pays. */
const THREAD_FROM = 30_000

/**
 * Beside LevelDB's own files, which leaves others alone. Where its newest log is lost, LevelDB shows an earlier moment, which
 * may be that of a clean stop: this file knows better.
 */
const NOTE_FILE = 'LAST-STOP'

/** Directories that are open in this process, where LevelDB's lock does not tell two of us apart. */
const openHere = new Set<string>()

/** LevelDB in the directory `path`. */
export function classicLevel(path: string): Level {
  let database: ClassicLevel<Buffer, Buffer> | undefined
  let held: string | undefined

  async function open(): Promise<void> {
    const place = await realpath(path).catch(() => resolve(path))
    if (openHere.has(place)) throw locked(path)
    openHere.add(place)
    held = place
    try {
      await openFresh()
    } catch (error) {
      release()
      throw error
    }
  }

  function release(): void {
    if (held !== undefined) openHere.delete(held)
    held = undefined
  }

  async function openFresh(): Promise<void> {
    // LevelDB would take it for a place without a database, and begin one over what is left.
    const files: readonly string[] = await readdir(path).catch(() => [])
    if (!files.includes('CURRENT') && files.some((name) => /\.(ldb|log)$/.test(name)))
      throw damaged(path, 'its file CURRENT is missing')
    const fresh = new ClassicLevel<Buffer, Buffer>(path, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      multithreading: true, // for the thread that reads at start
      writeBufferSize: 32 << 20,
      maxFileSize: 16 << 20,
    })
    try {
      await fresh.open()
    } catch (error) {
      throw openError(path, error)
    }
    database = fresh
  }

  async function close(): Promise<void> {
    const open = database
    database = undefined
    try {
      await open?.close()
    } finally {
      release()
    }
  }

  function opened(): ClassicLevel<Buffer, Buffer> {
    if (database === undefined) throw new SidecarError('ALQ_STORE_CLOSED', { path })
    return database
  }

  return {
    open,
    close,
    async write(operations, sync) {
      // Chained, since batch(array) costs the event loop ten times as much for each operation.
      const batch = opened().batch()
      for (const operation of operations) {
        if (operation.type === 'put') batch.put(operation.key, operation.value)
        else batch.del(operation.key)
      }
      await batch.write({ sync })
    },
    async read(key) {
      const database = opened()
      try {
        return await database.get(key)
      } catch (error) {
        throw unreadable(path, error)
      }
    },
    async *entries(from, to) {
      const entries = opened().iterator({ gte: from, lt: to, ...AHEAD })
      try {
        yield* inParts(entries)
      } catch (error) {
        throw unreadable(path, error)
      }
    },
    async *values(from, to, expected) {
      const database = opened()
      try {
        const byThread = expected < THREAD_FROM ? undefined : await valuesByThread(path, from, to)
        if (byThread !== undefined) yield* byThread
        else
          for await (const part of inParts(database.values({ gte: from, lt: to, ...AHEAD })))
            yield packValues(part)
      } catch (error) {
        throw unreadable(path, error)
      }
    },
    async writeNote(text) {
      const file = await openFile(join(path, NOTE_FILE), 'w')
      try {
        await file.writeFile(text)
        await file.sync()
      } finally {
        await file.close()
      }
    },
    async readNote() {
      return readFile(join(path, NOTE_FILE), 'utf8').catch(() => undefined)
    },
    async restart() {
      await close()
      try {
        await ClassicLevel.destroy(path)
      } catch (error) {
        throw openError(path, { cause: error })
      }
      await open()
    },
  }
}

function damaged(path: string, reason: string, cause?: unknown): SidecarError {
  return new SidecarError('ALQ_STORE_DAMAGED', { path, reason }, { cause })
}

function unreadable(path: string, cause: unknown): SidecarError {
  return damaged(path, 'a part of the database cannot be read', cause)
}

function locked(path: string, cause?: unknown): SidecarError {
  return new SidecarError('ALQ_STORE_LOCKED', { path }, { cause })
}

function openError(path: string, error: unknown): SidecarError {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause
  if (cause?.code === 'LEVEL_LOCKED') return locked(path, error)
  // A damaged file may bring any octet into LevelDB's words.
  const reason = (cause?.message ?? reasonOf(error)).replace(/[^\x20-\x7e]/g, '?')
  if (cause?.code === 'LEVEL_CORRUPTION') return damaged(path, `it is damaged (${reason})`, error)
  // The directory is there: what is missing is a file that others refer to.
  if (reason.includes('No such file or directory'))
    return damaged(path, `a file of it is missing (${reason})`, error)
  return new SidecarError('ALQ_STORE_OPEN', { path, reason }, { cause: error })
}
