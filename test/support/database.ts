/**
 * SQL databases for the Keas of a laboratory: PostgreSQL or MariaDB of Debian's packages, a process of the laboratory's
 * own on data in its folder, at loopback in the server namespace. Kea's schema is put in by Kea's own kea-admin.
 *
 *     const database = await Database.start(lab, root, 'postgresql')
 *     const kea = await Kea.start(lab, root, 4, { database })
 *     await database.sql('DELETE FROM lease4')              // another writer, past Kea
 *     const truth = await database.leases(4)
 */

import { existsSync, readdirSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import type { HookLibrary, JsonObject } from './kea-config.ts'
import type { Laboratory } from './laboratory.ts'
import type { LeaseRow } from './lease-file.ts'
import type { Exit, Process } from './processes.ts'
import type { KeaRoot } from './roots.ts'
import { GiveUp, waitFor } from './wait.ts'

export const databaseKinds = ['postgresql', 'mariadb'] as const
export type DatabaseKind = (typeof databaseKinds)[number]

/** User, password and name of the database, all the same. */
const kea = 'kea'
const host = '127.0.0.1'

/** What differs between the two. */
interface Server {
  readonly port: number
  /** Kea's word for it in `lease-database`, kea-admin's, and the library with the back end from Kea 3.0 on. */
  readonly type: string
  readonly admin: string
  readonly library: string
  /** Makes an empty data folder; then serves from it. Both run inside the root. */
  initialise(root: KeaRoot, data: string): string[]
  serve(root: KeaRoot, data: string): string[]
  /** Makes user and database, as the server's administrator. */
  readonly prepare: readonly string[]
  client(database: string, statements: string): string[]
  /** The signal at which it ends soon, also with clients connected. */
  readonly stopSignal: NodeJS.Signals
  /** Columns of LeaseRow, in the order in which readRow() takes them. */
  readonly columns: { readonly 4: string; readonly 6: string }
}

/** No test survives a loss of power, so nothing need wait for a disk. */
const careless = ['--sync-frm=0', '--innodb-flush-method=nosync', '--innodb-flush-log-at-trx-commit=0']

const servers: { readonly [kind in DatabaseKind]: Server } = {
  postgresql: {
    port: 5432,
    type: 'postgresql',
    admin: 'pgsql',
    library: 'libdhcp_pgsql.so',
    // It refuses to be root. In root's group it may enter the laboratory's folder.
    initialise: (root, data) => [
      ...asUser('postgres'),
      ...[`${postgresPrograms(root)}/initdb`, '-D', data, '-U', 'postgres', '--auth=trust'],
      ...['--no-sync', '--locale=C', '--encoding=UTF8', '-c', 'dynamic_shared_memory_type=mmap'],
    ],
    serve: (root, data) => [
      ...asUser('postgres'),
      ...[`${postgresPrograms(root)}/postgres`, '-D', data],
      ...[`listen_addresses=${host}`, 'unix_socket_directories=', 'fsync=off'].flatMap((one) => ['-c', one]),
    ],
    prepare: [`CREATE USER ${kea} PASSWORD '${kea}'`, `CREATE DATABASE ${kea} OWNER ${kea}`],
    client: (database, statements) => [
      ...['psql', '-h', host, '-U', 'postgres', '-d', database, '-v', 'ON_ERROR_STOP=1'],
      ...['--no-psqlrc', '-q', '-A', '-t', '-F', '\t', '-c', statements],
    ],
    stopSignal: 'SIGINT',
    columns: {
      4: `host('0.0.0.0'::inet + address), 32, 0, state, valid_lifetime, extract(epoch FROM expire)::bigint,
          subnet_id, encode(hwaddr, 'hex'), encode(client_id, 'hex'), '', 0, hostname, user_context`,
      6: `host(address), prefix_len, lease_type, state, valid_lifetime, extract(epoch FROM expire)::bigint,
          subnet_id, encode(hwaddr, 'hex'), '', encode(duid, 'hex'), iaid, hostname, user_context`,
    },
  },
  mariadb: {
    port: 3306,
    type: 'mysql',
    admin: 'mysql',
    library: 'libdhcp_mysql.so',
    initialise: (_, data) => [
      ...['mariadb-install-db', '--no-defaults', '--user=root', `--datadir=${data}`],
      ...['--auth-root-authentication-method=normal', '--skip-test-db', ...careless],
    ],
    serve: (_, data) => [
      ...['mariadbd', '--no-defaults', '--user=root', `--datadir=${data}`, `--socket=${data}/sock`],
      ...[`--bind-address=${host}`, '--skip-name-resolve', ...careless],
    ],
    prepare: [
      `CREATE DATABASE ${kea}`,
      `CREATE USER '${kea}'@'${host}' IDENTIFIED BY '${kea}'`,
      `GRANT ALL ON ${kea}.* TO '${kea}'@'${host}'`,
    ],
    client: (database, statements) => [
      ...['mariadb', '--no-defaults', `--host=${host}`, '--skip-ssl', '--user=root', '--batch'],
      ...['--skip-column-names', `--execute=${statements}`, database],
    ],
    stopSignal: 'SIGTERM',
    columns: {
      4: `inet_ntoa(address), 32, 0, state, valid_lifetime, unix_timestamp(expire), subnet_id,
          hex(hwaddr), hex(client_id), '', 0, hostname, user_context`,
      6: `inet6_ntoa(address), prefix_len, lease_type, state, valid_lifetime, unix_timestamp(expire), subnet_id,
          hex(hwaddr), '', hex(duid), iaid, hostname, user_context`,
    },
  },
}

/** For node:test: false, or why tests with a database are skipped (only under --allow-missing). */
export function databaseSkip(root: KeaRoot): false | string {
  if (root.skip) return root.skip
  if (existsSync(join(root.root, '.databases'))) return false
  const reason = `there are no database servers in ${root.root}`
  if (process.env['KEA_TEST_ALLOW_MISSING']) return reason
  throw new Error(`${reason}. As root, \`npm run test:all\` puts them there.`)
}

export class Database {
  readonly kind: DatabaseKind
  readonly #lab: Laboratory
  readonly #root: KeaRoot
  readonly #server: Server
  readonly #data: string
  #process!: Process

  private constructor(lab: Laboratory, root: KeaRoot, kind: DatabaseKind) {
    this.kind = kind
    this.#lab = lab
    this.#root = root
    this.#server = servers[kind]
    this.#data = lab.path(kind)
  }

  /**
   * Makes a database with Kea's schema and no leases, and serves it. One of each kind in a laboratory.
   * @throws CommandError when one of the steps fails, with what it said
   */
  static async start(lab: Laboratory, root: KeaRoot, kind: DatabaseKind): Promise<Database> {
    const database = new Database(lab, root, kind)
    const { initialise, prepare, admin, port } = database.#server
    const owner = kind === 'postgresql' ? 'postgres' : 'root'
    await lab.run('server', ['install', '-d', '-m', '700', '-o', owner, database.#data], { root })
    await lab.run('server', initialise(root, database.#data), { root })
    await database.restart()
    for (const statement of prepare) {
      await database.#run(kind === 'postgresql' ? 'postgres' : 'mysql', statement)
    }
    const access = ['-h', host, '-P', String(port), '-u', kea, '-p', kea, '-n', kea]
    await lab.run('server', ['kea-admin', 'db-init', admin, ...access], { root })
    return database
  }

  /** For Kea's configuration: `lease-database`. */
  get leaseDatabase(): JsonObject {
    const { type, port } = this.#server
    // A lost database is tried again until it is back (a test has a time-out of its own), and clients wait meanwhile.
    const retry = { 'max-reconnect-tries': 10_000, 'reconnect-wait-time': 200, 'on-fail': 'stop-retry-exit' }
    return { type, host, port, user: kea, password: kea, name: kea, ...retry }
  }

  /** Libraries that Kea needs for it: none in 2.6, which has the back ends in itself. */
  get hooks(): HookLibrary[] {
    return this.#root.kea === '2.6' ? [] : [{ library: this.#server.library }]
  }

  /**
   * Has the server carry out statements (separated by semicolons), past Kea and as its administrator.
   * @returns the rows of the last one, as text
   */
  sql(statements: string): Promise<string[][]> {
    return this.#run(kea, statements)
  }

  /** An address as it stands in the tables, for statements. */
  address(text: string): string {
    if (isIPv4(text)) return String(text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0))
    return this.kind === 'postgresql' ? `'${text}'::inet` : `inet6_aton('${text}')`
  }

  /** Octets for statements; `hex` may have colons. */
  octets(hex: string): string {
    const digits = hex.replaceAll(':', '')
    return this.kind === 'postgresql' ? `decode('${digits}', 'hex')` : `unhex('${digits}')`
  }

  /** All rows of leases; a database tells neither rows that were deleted nor in which order they came. */
  async leases(family: 4 | 6): Promise<LeaseRow[]> {
    const rows = await this.sql(`SELECT ${this.#server.columns[family]} FROM lease${family}`)
    return rows.map((row) => readRow(family, row))
  }

  async #run(database: string, statements: string): Promise<string[][]> {
    const command = this.#server.client(database, statements)
    const text = await this.#lab.run('server', command, { root: this.#root })
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t'))
  }

  /** Starts the server, on the data that it had; a running one is stopped first. Waits until it answers. */
  async restart(): Promise<void> {
    if (this.#process && !this.#process.exit) await this.stop()
    const command = this.#lab.inRoot('server', this.#root, this.#server.serve(this.#root, this.#data))
    const server = this.#lab.start(this.#lab.unique(this.kind), command)
    this.#process = server
    await waitFor(`${this.kind} to answer`, async () => {
      if (server.exit) throw new GiveUp(`${this.kind} ended:\n${server.outputTail()}`)
      await this.#run(this.kind === 'postgresql' ? 'postgres' : 'mysql', 'SELECT 1')
      return true
    })
  }

  /** Ends the server; its clients lose their connections. */
  stop(): Promise<Exit> {
    this.#process.kill(this.#server.stopSignal)
    return this.#process.exited
  }

  toString(): string {
    return this.kind
  }
}

/** The parent-death signal once more: a change of user takes it away. */
function asUser(name: string): string[] {
  return ['setpriv', '--reuid', name, '--regid', 'root', '--clear-groups', '--pdeathsig', 'KILL', '--']
}

/** The folder of PostgreSQL's own programs, whose name has the release. */
function postgresPrograms(root: KeaRoot): string {
  const home = '/usr/lib/postgresql'
  return `${home}/${readdirSync(join(root.root, home))[0]}/bin`
}

const types = { 0: 'IA_NA', 1: 'IA_TA', 2: 'IA_PD' } as const

function readRow(family: 4 | 6, cells: readonly string[]): LeaseRow {
  const text = cells.map((cell) => (cell === 'NULL' ? '' : cell))
  const number = (at: number) => Number(text[at])
  const octets = (at: number) => (text[at]!.toLowerCase().match(/../g) ?? []).join(':')
  return {
    address: text[0]!,
    prefixLength: number(1),
    type: family === 4 ? 'V4' : types[number(2) as keyof typeof types],
    state: number(3),
    validLifetime: number(4),
    expires: number(5),
    cltt: number(5) - number(4),
    subnetId: number(6),
    hardwareAddress: octets(7),
    clientId: octets(8),
    duid: octets(9),
    iaid: number(10),
    hostname: text[11]!,
    userContext: text[12] ? JSON.parse(text[12]) : undefined,
  }
}
