// The few things the store asks of LevelDB, so that tests can put a disk that fails in its place.
import { ClassicLevel } from 'classic-level'
import { damaged, StoreError } from './store-error.ts'

export type LevelOperation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }

export interface Level {
  /** @throws StoreError where the database is locked, damaged or cannot be opened. */
  open(): Promise<void>
  close(): Promise<void>
  /** All of it or nothing; `sync`: on the disk itself, not only with the operating system. */
  write(operations: readonly LevelOperation[], sync: boolean): Promise<void>
  read(key: Buffer): Promise<Buffer | undefined>
  /** Entries with from <= key < to, in order, some at a time. */
  entries(from: Buffer, to: Buffer): AsyncIterable<readonly (readonly [Buffer, Buffer])[]>
  /** As {@link entries}, without the keys, which cost as much again. */
  values(from: Buffer, to: Buffer): AsyncIterable<readonly Buffer[]>
  /** Deletes everything and opens a fresh database. */
  restart(): Promise<void>
}

const ENTRIES_AT_A_TIME = 1000
/** Octets. */
const READ_AHEAD = 1 << 20

/** LevelDB in the directory `path`. */
export function classicLevel(path: string): Level {
  let database: ClassicLevel<Buffer, Buffer> | undefined

  async function open(): Promise<void> {
    const fresh = new ClassicLevel<Buffer, Buffer>(path, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
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
    await open?.close()
  }

  function opened(): ClassicLevel<Buffer, Buffer> {
    if (database === undefined) throw new StoreError('ALQ_STORE_CLOSED', path, 'is not open')
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
    read: (key) => opened().get(key),
    entries: (from, to) =>
      inParts(path, opened().iterator({ gte: from, lt: to, highWaterMarkBytes: READ_AHEAD })),
    values: (from, to) =>
      inParts(path, opened().values({ gte: from, lt: to, highWaterMarkBytes: READ_AHEAD })),
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

interface Parts<T> {
  nextv(size: number): Promise<T[]>
  close(): Promise<void>
}

async function* inParts<T>(path: string, iterator: Parts<T>): AsyncIterable<readonly T[]> {
  try {
    // The next ones are read while these are looked at.
    for (let coming = iterator.nextv(ENTRIES_AT_A_TIME); ; ) {
      const part = await coming
      if (part.length === 0) return
      coming = iterator.nextv(ENTRIES_AT_A_TIME)
      coming.catch(() => {}) // it is awaited, and fails, with the next round
      yield part
    }
  } catch (error) {
    throw damaged(path, 'a part of the database cannot be read', error)
  } finally {
    await iterator.close()
  }
}

function openError(path: string, error: unknown): StoreError {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause
  if (cause?.code === 'LEVEL_LOCKED') {
    return new StoreError(
      'ALQ_STORE_LOCKED',
      path,
      'is in use by another process; only one kea-leasequery can serve from it. Stop the other one, or give this one a --state-dir of its own',
      { cause: error },
    )
  }
  if (cause?.code === 'LEVEL_CORRUPTION') {
    return damaged(path, `the database is damaged (${cause.message})`, error)
  }
  return new StoreError(
    'ALQ_STORE_OPEN',
    path,
    `cannot be opened (${cause?.message ?? String(error)}); check that the directory exists, belongs to this user and has room`,
    { cause: error },
  )
}
