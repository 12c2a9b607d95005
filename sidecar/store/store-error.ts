// What can go wrong between the store and its disk, each with a sentence that says what to do.

export type StoreErrorCode =
  | 'ALQ_STORE_LOCKED'
  | 'ALQ_STORE_OPEN'
  | 'ALQ_STORE_DAMAGED'
  | 'ALQ_STORE_VERSION'
  | 'ALQ_STORE_FAMILY'
  | 'ALQ_STORE_WRITE'
  | 'ALQ_STORE_CLOSED'

/** The world failed the store: a lock, a damaged file, a full disk. Never a requestor's fault, never a bug of ours. */
export class StoreError extends Error {
  readonly code: StoreErrorCode
  /** Directory of the store. */
  readonly path: string

  constructor(code: StoreErrorCode, path: string, sentence: string, options?: ErrorOptions) {
    super(`store ${path}: ${sentence}`, options)
    this.name = 'StoreError'
    this.code = code
    this.path = path
  }
}

export function damaged(path: string, what: string, cause?: unknown): StoreError {
  return new StoreError(
    'ALQ_STORE_DAMAGED',
    path,
    `${what}; it cannot be trusted. Start with a rebuild to drop it and read all bindings from Kea anew ` +
      '(requestors will be told that older data is missing)',
    cause === undefined ? undefined : { cause },
  )
}
