/** Reads Kea's lease files (memfile back end): an account of the leases that owes nothing to our own code. */

import { readFileSync, statSync } from 'node:fs'

/** A row of a lease file, v4 or v6. What the family does not have is empty or 0. */
export interface LeaseRow {
  readonly address: string
  /** Delegated length of a prefix; 128 for a v6 address, 32 for a v4 one. */
  readonly prefixLength: number
  readonly type: 'V4' | 'IA_NA' | 'IA_TA' | 'IA_PD'
  /** Kea's number: 0 default, 1 declined, 2 expired-reclaimed, 3 released, 4 registered. */
  readonly state: number
  /** Seconds; 4294967295 = infinite. */
  readonly validLifetime: number
  /** Unix seconds. */
  readonly expires: number
  /** Unix seconds: client's last transaction. */
  readonly cltt: number
  readonly subnetId: number
  /** Colon-separated hexadecimal, as Kea writes it; likewise the next two. */
  readonly hardwareAddress: string
  readonly clientId: string
  readonly duid: string
  readonly iaid: number
  readonly hostname: string
  /** Kea's user-context, parsed; with store-extended-info it holds the relay data. */
  readonly userContext: unknown
}

const infinite = 0xffff_ffff

/**
 * The newest row of each lease, from the file and from those that Kea's lease file cleanup leaves beside it, in the
 * order in which Kea itself reads them. Leases that Kea deleted are left out; a last line still being written too.
 */
export function readLeaseFile(path: string): readonly LeaseRow[] {
  const stamp = [path, `${path}.1`, `${path}.2`, `${path}.completed`].map(stampOf).join(' ')
  if (lastRead?.path !== path || lastRead.stamp !== stamp) lastRead = { path, stamp, rows: readRows(path) }
  return lastRead.rows
}

/** What was read last: a test that waits asks again and again, and a large file takes a second to read. */
let lastRead: { path: string; stamp: string; rows: readonly LeaseRow[] } | undefined

function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat ? `${stat.ino}:${stat.size}:${stat.mtimeMs}` : '-'
}

function readRows(path: string): LeaseRow[] {
  const newest = new Map<string, LeaseRow>()
  const completed = read(`${path}.completed`)
  const older = completed === undefined ? [read(`${path}.2`), read(`${path}.1`)] : [completed]
  for (const text of [...older, read(path)]) {
    for (const row of parse(text ?? '')) {
      // A row with lifetime 0 in state 0 takes the lease away: deleted, or (Kea before 2.7) released.
      if (row.validLifetime === 0 && row.state === 0) newest.delete(row.address)
      else newest.set(row.address, row)
    }
  }
  return [...newest.values()]
}

/**
 * Of these rows, the leases in use at `now`: state 0, lifetime above 0, not past their expiry.
 * @param now Unix seconds
 */
export function activeLeases(rows: readonly LeaseRow[], now: number): LeaseRow[] {
  return rows.filter(
    (row) =>
      row.state === 0 && row.validLifetime > 0 && (row.validLifetime === infinite || row.expires > now),
  )
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

const types = { '0': 'IA_NA', '1': 'IA_TA', '2': 'IA_PD' } as const

function* parse(text: string): Generator<LeaseRow> {
  const [header, ...lines] = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  const columns = header!.split(',')
  for (const line of lines) {
    // A file that Kea wrote on after a cleanup can hold its header again.
    if (line === '' || line === header) continue
    const cells = line.split(',')
    const row = Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? '']))
    const validLifetime = Number(row['valid_lifetime'])
    const expires = Number(row['expire'])
    const six = 'duid' in row
    yield {
      address: row['address']!,
      prefixLength: six ? Number(row['prefix_len']) : 32,
      type: six ? types[row['lease_type'] as keyof typeof types] : 'V4',
      state: Number(row['state']),
      validLifetime,
      expires,
      cltt: expires - validLifetime,
      subnetId: Number(row['subnet_id']),
      hardwareAddress: row['hwaddr'] ?? '',
      clientId: row['client_id'] ?? '',
      duid: row['duid'] ?? '',
      iaid: Number(row['iaid'] ?? 0),
      hostname: unquote(row['hostname'] ?? ''),
      userContext: row['user_context'] ? JSON.parse(unquote(row['user_context'])) : undefined,
    }
  }
}

/** Kea writes a comma inside a cell as &#x2c. */
function unquote(cell: string): string {
  return cell.replace(/&#x([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
