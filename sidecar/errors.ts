// Everything the world can do wrong, in one table: a stable code that operators and scripts may rely on, and the
// sentence it is told in. A test holds this table and sidecar/README.md equal.

/** Templates: each `{name}` is a field that the error carries and its message shows. */
export const errorTable = {
  ALQ_FLAG: 'flag {flag}: {reason}',
  ALQ_CONFIG: 'parameter {parameter} is {value}: {reason}',
  ALQ_CONFIG_JSON: 'the service parameters are not readable JSON: {reason}',
  ALQ_KEA_CONF: '{place}: {reason}',
  ALQ_STATE_DIR: 'state directory {path} cannot be used: {reason}',
  ALQ_FEED_ENDPOINT: 'feed endpoint {endpoint} cannot be used: {reason}',
  ALQ_FEED_KEYS: 'feed keys {path} cannot be used: {reason}',
  ALQ_FEED_CONTRACT: 'feed {endpoint} speaks contract version {version}, not {supported}',
  ALQ_FEED_FAMILY: 'feed {endpoint} is of DHCPv{found}, not of DHCPv{wanted}',
  ALQ_FEED_DECODE: 'a message of feed {endpoint} cannot be read: {reason}',
  ALQ_STORE_LOCKED:
    'store {path} is in use by another process: only one kea-leasequery can serve from it. Stop the other one, or give this one a --state-dir of its own',
  ALQ_STORE_OPEN:
    'store {path} cannot be opened: {reason}. Check that the directory exists, belongs to this user and has room; if so, its files are damaged: start with --rebuild to read all leases from Kea anew',
  ALQ_STORE_DAMAGED:
    'store {path} cannot be trusted: {reason}. Start with --rebuild to drop it and read all leases from Kea anew; requestors then get DataMissing for older start times',
  ALQ_STORE_VERSION:
    'store {path} is of format {found}, written by a newer kea-leasequery; this one reads up to {supported}. Install the newer one again, or start with --rebuild to read all leases from Kea anew',
  ALQ_STORE_FAMILY:
    'store {path} holds DHCPv{found} bindings, but is opened for DHCPv{wanted}: check the --state-dir of both',
  ALQ_STORE_WRITE:
    'store {path} cannot be written: {reason}. Bindings are served from memory and writing is tried again; check the room and health of the disk',
  ALQ_STORE_CLOSED: 'store {path} is closed',
  ALQ_LISTEN: 'cannot listen on {address} port {port}: {reason}',
  ALQ_TLS_MISSING:
    'tls.mode is required, but {parameter} is not given: nothing is served until it is, or tls.mode is set to off',
  ALQ_TLS_FILE: '{parameter} {path} cannot be used: {reason}',
  ALQ_TLS_PINNED: 'tls.mode is off, but this sidecar was started with --require-tls: TLS stays required',
  ALQ_CONNECT: 'cannot connect to {address} port {port}: {reason}',
  ALQ_TLS: 'no TLS with the server at {address} port {port}: {reason}',
  ALQ_TLS_OWN_FILE: '{path} cannot be used: {reason}',
  ALQ_SERVER_CLOSED: 'the server at {address} port {port} closed the connection {when}',
  ALQ_SERVER_SILENT: 'nothing was heard from the server at {address} port {port} for {seconds} s',
  ALQ_SERVER_REFUSED: 'the server refused the query: {status}{text}',
  ALQ_SERVER_TERMINATED: 'the server ended the query: {status}{text}',
  ALQ_SERVER_NO_BULK:
    'the server at {address} port {port} did not answer the Bulk query to its end: {status}{text}',
  ALQ_MIRROR_STATE: 'mirror state {path} cannot be used: {reason}',
  ALQ_MIRROR_FULL:
    'the server at {address} port {port} tells of more than {limit} bindings: raise --max-bindings if it really has so many',
  ALQ_RECEIVER: '{receiver} did not take it: {reason}',
  ALQ_SERVER_PROTOCOL: 'the server broke the protocol: {reason}',
} as const

export type ErrorCode = keyof typeof errorTable

/** Names of the `{fields}` of a template. */
type FieldNames<T extends string> = T extends `${string}{${infer Name}}${infer Rest}`
  ? Name | FieldNames<Rest>
  : never

export type ErrorFields<C extends ErrorCode> = Readonly<
  Record<FieldNames<(typeof errorTable)[C]>, string | number>
>

/** The world failed: a disk, a socket, a peer, a setting. A bug is never one of these. */
export class SidecarError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name: string = 'SidecarError'
  readonly code: C
  readonly fields: ErrorFields<C>

  constructor(code: C, fields: ErrorFields<C>, options?: ErrorOptions) {
    super(fill(errorTable[code], fields), options)
    this.code = code
    this.fields = fields
  }
}

function fill(template: string, fields: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => String(fields[name] ?? ''))
}

/** One sentence for a log line or a report, whatever was thrown. System errors read as `ENOSPC: no space left on device`. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name
  return String(error)
}

/** The `code` of a system or sidecar error, or an empty string. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}

/** Proves at compile time that a switch over a union is complete. */
export function assertNever(value: never): never {
  throw new Error(`not handled: ${JSON.stringify(value)}`)
}
