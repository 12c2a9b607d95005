/** A message of the feed that cannot be what the contract says. `field` is its path, as in the .proto file. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  readonly field: string

  constructor(field: string, reason: string, options?: ErrorOptions) {
    super(`${field}: ${reason}`, options)
    this.field = field
  }
}
