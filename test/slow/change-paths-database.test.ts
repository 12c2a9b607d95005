/**
 * Leases in SQL: what Kea does to them, what others do past Kea, and a database that goes away or is another one reach
 * requestors, with the lease manager watched (feed.tap true) and not. What is told is compared with the rows.
 */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import type { ReportedBinding } from '../../sidecar/requestor/events.ts'
import { perfdhcp } from '../support/clients.ts'
import { CraftedClient4, CraftedClient6 } from '../support/crafted-clients.ts'
import { databaseKinds, databaseSkip } from '../support/database.ts'
import type { Kea } from '../support/kea.ts'
import type { JsonObject } from '../support/kea-config.ts'
import { PacketPort } from '../support/packet-port.ts'
import { RecordedBindings } from '../support/recorded-bindings.ts'
import { keaRoots } from '../support/roots.ts'
import { type Family, Service, settle } from '../support/service.ts'
import { waitFor } from '../support/wait.ts'

const { abandoned, active, available, expired, released, reset } = BindingState

/** Kea of one family, on a database that both families share, and a requestor that records. */
interface Stage {
  readonly service: Service
  readonly family: Family
  readonly server: Kea
  readonly fold: RecordedBindings
  readonly port: PacketPort
  readonly tap: boolean
}

const circuit = (port: string) => (binding: ReportedBinding) =>
  Buffer.from(binding.relay?.circuitId ?? []).toString() === port
const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex')

/** Addresses of the pools that no client is given here, since each pool is given out from its other end. */
const address = (family: Family, number: number) =>
  family === 4 ? `10.200.${number >> 8}.${number & 255}` : `2001:db8:1::1:fff0:${number.toString(16)}`

/** A lease for the commands of lease_cmds. */
function lease(family: Family, number: number, client: number, more: JsonObject = {}): JsonObject {
  const id = client.toString(16).padStart(2, '0')
  const holder =
    family === 4 ? { 'hw-address': `02:00:00:00:77:${id}` } : { duid: `00:03:00:77:${id}`, iaid: 1 }
  return { 'ip-address': address(family, number), 'subnet-id': 1, ...holder, ...more }
}

const heldBy =
  (family: Family, client: number) =>
  ({ hardwareAddress, clientId }: ReportedBinding): boolean => {
    const id = client.toString(16).padStart(2, '0')
    return family === 4 ? hex(hardwareAddress) === `0200000077${id}` : hex(clientId) === `00030077${id}`
  }

/** Walks that have ended, of one family. */
function walks({ service, family }: Stage): number {
  return service.sidecar.log().filter((line) => line.event === 'feed.reconciled' && line['family'] === family)
    .length
}

/** What is to be heard without a walk, is: with the lease manager watched nothing here needs one. */
async function withoutWalk(stage: Stage, story: () => Promise<void>): Promise<void> {
  const before = walks(stage)
  await story()
  if (stage.tap) assert.equal(walks(stage), before, 'the lease manager told all of it')
}

async function walk(stage: Stage): Promise<void> {
  const before = walks(stage)
  await stage.server.mustCommand('lease-feed-resync')
  await waitFor('a walk to end', () => walks(stage) > before)
}

async function take(client: CraftedClient4 | CraftedClient6): Promise<string> {
  if (client instanceof CraftedClient4) await client.acquire()
  else await client.acquire(['address'])
  return client.address
}

async function clients(stage: Stage): Promise<void> {
  const { family, server, fold, port } = stage
  const made = (number: number) =>
    new (family === 4 ? CraftedClient4 : CraftedClient6)(port, number, { circuit: 'port-1' })
  const one = made(1)
  await take(one)
  await fold.hears(one.address, active, circuit('port-1'))
  one.attachment = { circuit: 'port-2' }
  await one.renew()
  await fold.hears(one.address, active, circuit('port-2'))
  await settle(server, fold)
  if (one instanceof CraftedClient4) one.release()
  else await one.release(['address'])
  await fold.hears(one.address, family === 4 ? released : available)
  const first = one.address
  assert.equal(await take(one), first, 'Kea gives a client its old address')
  await fold.hears(one.address, active, circuit('port-2'))

  const two = made(2)
  await take(two)
  await fold.hears(two.address, active)
  await two.decline()
  await fold.hears(two.address, family === 4 ? abandoned : available)
  await settle(server, fold)
  await perfdhcp(stage.service.lab, server.root, family, { rate: 50, clients: 40, exchanges: 40 })
  await settle(server, fold)
}

async function commands(stage: Stage): Promise<void> {
  const { family, server, fold } = stage
  const command = (name: string, args: JsonObject) => server.mustCommand(`lease${family}-${name}`, args)
  const gone = family === 4 ? reset : available
  await command('add', lease(family, 1, 1))
  await fold.hears(address(family, 1), active, heldBy(family, 1))

  // Kea tells its lease manager's watchers of a row that it could not add, because it is another's, as of any other.
  const again = await server.command(`lease${family}-add`, lease(family, 1, 2))
  assert.match(again.text ?? '', /already exists/)
  await command('add', lease(family, 2, 3))
  await fold.hears(address(family, 2), active, heldBy(family, 3))
  await fold.hears(address(family, 1), active, heldBy(family, 1))
  await settle(server, fold)

  await command('update', lease(family, 1, 4))
  await fold.hears(address(family, 1), active, heldBy(family, 4))
  await command('del', { 'ip-address': address(family, 1) })
  await fold.hears(address(family, 1), gone)
  await command('add', lease(family, 3, 5, { 'valid-lft': 1, expire: Math.floor(Date.now() / 1000) + 1 }))
  await fold.hears(address(family, 3), family === 4 ? expired : available)
  await settle(server, fold)
}

/** One statement that Kea's watchers never see. */
async function wipe({ family, server, fold }: Stage): Promise<void> {
  const answer = await server.command(`lease${family}-wipe`, { 'subnet-id': 1 })
  if (server.root.kea === '2.6') {
    assert.equal(answer.result, 1, 'Kea 2.6 does not wipe SQL databases')
    assert.match(answer.text ?? '', /not implemented/)
    return
  }
  assert.equal(answer.result, 0, answer.text)
  await waitFor('all of it to be told', () => fold.active.size === 0)
  await settle(server, fold)
}

async function otherWriters(stage: Stage): Promise<void> {
  const { service, family, server, fold } = stage
  const { database } = service
  for (const number of [11, 12, 13])
    await server.mustCommand(`lease${family}-add`, lease(family, number, number))
  await fold.hears(address(family, 13), active, heldBy(family, 13))
  const where = (number: number) => `WHERE address = ${database.address(address(family, number))}`
  const holder = family === 4 ? ['hwaddr', '02:00:00:00:77:20'] : ['duid', '00:03:00:77:20']
  await database.sql(`UPDATE lease${family} SET ${holder[0]} = ${database.octets(holder[1]!)} ${where(11)};
    DELETE FROM lease${family} ${where(12)}`)
  await database.sql(copies(stage, 13, [14]))
  await walk(stage)
  await settle(server, fold)
  await fold.hears(address(family, 11), active, heldBy(family, 32))
  await fold.hears(address(family, 12), family === 4 ? reset : available)
  await fold.hears(address(family, 14), active, heldBy(family, 14))
}

/** A row that is no lease holds up walks, and nothing else, until it is mended. */
async function unreadable(stage: Stage): Promise<void> {
  const { service, family, server, fold } = stage
  const where = `WHERE address = ${service.database.address(address(family, 31))}`
  await server.mustCommand(`lease${family}-add`, lease(family, 31, 31))
  await fold.hears(address(family, 31), active)
  const walked = walks(stage)
  const logged = server.log().length
  const failures = () =>
    [
      ...server
        .log()
        .slice(logged)
        .matchAll(/LEASE_FEED_PAGE_FAILED .*/g),
    ].map(String)

  await service.database.sql(`UPDATE lease${family} SET user_context = '[]' ${where}`)
  await server.mustCommand('lease-feed-resync')
  await waitFor('Kea to say so', () => failures().length > 0)
  // Where it is, and what is wrong with it.
  assert.match(
    failures()[0]!,
    /the next \d+ leases after [\d.:a-f]+: .*user context '\[\]' is not a JSON map/,
  )
  await service.sidecar.logged('feed.problem', (line) => {
    return line['family'] === family && /'\[\]' is not a JSON map/.test(String(line['reason']))
  })
  await server.mustCommand(`lease${family}-add`, lease(family, 32, 32))
  await fold.hears(address(family, 32), active)
  await settle(server, fold)
  assert.equal(walks(stage), walked, 'the walk has not ended')

  await service.database.sql(`UPDATE lease${family} SET user_context = NULL ${where}`)
  await waitFor('the walk to end', () => walks(stage) > walked)
  await settle(server, fold)
  assert.equal(failures().length, 1)
}

/** A statement that makes rows like that of one lease, each for a client of its own. */
function copies({ service: { database }, family }: Stage, number: number, more: readonly number[]): string {
  const octets = (n: number) =>
    database.octets(`${family === 4 ? '02000000' : '000300'}${n.toString(16).padStart(4, '0')}`)
  const rows = more.map(
    (n) => `SELECT ${database.address(address(family, n))} AS a, ${octets(0x7700 + n)} AS h`,
  )
  const [holder, own] =
    family === 4
      ? ['hwaddr', '']
      : ['duid', ', pref_lifetime, lease_type, iaid, prefix_len, hwaddr, hwtype, hwaddr_source']
  const kept = `valid_lifetime, expire, subnet_id, fqdn_fwd, fqdn_rev, hostname, state${own}`
  return `INSERT INTO lease${family} (address, ${holder}, ${kept})
    SELECT n.a, n.h, ${kept} FROM lease${family}, (${rows.join(' UNION ALL ')}) n
    WHERE address = ${database.address(address(family, number))}`
}

/** Clients and an operator write the same addresses, from as many threads as Kea has. */
async function contention(stage: Stage): Promise<void> {
  const { service, family, server, fold, port } = stage
  const client = new (family === 4 ? CraftedClient4 : CraftedClient6)(port, 300)
  await take(client)
  const until = performance.now() + 3000
  const load = perfdhcp(service.lab, server.root, family, {
    rate: 60,
    clients: 30,
    seconds: 3,
    renewals: 40,
    releases: 10,
    flags: ['-b', 'mac=00:0c:01:09:03:04', ...(family === 6 ? ['-A', '1'] : [])],
  })
  const renewals = async () => {
    while (performance.now() < until) await client.renew()
  }
  const rows = async () => {
    let written = 0
    while (performance.now() < until) {
      const row = (await service.database.leases(family)).filter(({ state }) => state === 0)
      for (const { address, hardwareAddress, duid, iaid, type, prefixLength } of row.slice(0, 40)) {
        const holder = family === 4 ? { 'hw-address': hardwareAddress } : { duid, iaid }
        const kind = type === 'IA_PD' ? { type, 'prefix-len': prefixLength } : {}
        const args = { 'ip-address': address, 'subnet-id': 1, 'valid-lft': 1800, ...holder, ...kind }
        // Refused where a client's thread writes the same row in this moment.
        if ((await server.command(`lease${family}-update`, args)).result === 0) written++
      }
    }
    return written
  }
  const [written] = await Promise.all([rows(), load, renewals()])
  assert.ok(written > 0)
  await settle(server, fold)
}

/** An older state of the table comes back under Kea. */
async function restored(stage: Stage): Promise<void> {
  const { service, family, server, fold } = stage
  const { database } = service
  await database.sql(`DELETE FROM lease${family}`)
  await server.mustCommand(`lease${family}-add`, lease(family, 21, 21))
  for (let n = 100; n < 1100; n += 250) {
    await database.sql(
      copies(
        stage,
        21,
        Array.from({ length: 250 }, (_, i) => n + i),
      ),
    )
  }
  await walk(stage)
  await settle(server, fold)
  assert.equal(fold.active.size, 1001)
  const saved = `lease${family}_saved_${stage.tap}`
  await database.sql(`CREATE TABLE ${saved} AS SELECT * FROM lease${family}`)
  for (let n = 100; n < 120; n++) {
    await server.mustCommand(`lease${family}-del`, { 'ip-address': address(family, n) })
  }
  await server.mustCommand(`lease${family}-add`, lease(family, 22, 22))
  await fold.hears(address(family, 22), active)
  await settle(server, fold)
  assert.equal(fold.active.size, 982)
  await database.sql(`DELETE FROM lease${family}; INSERT INTO lease${family} SELECT * FROM ${saved}`)
  await walk(stage)
  await settle(server, fold)
  assert.equal(fold.active.size, 1001)
}

/** The database goes away in the midst of a walk: what the walk has not seen is not taken for gone. */
async function lost(stages: readonly Stage[]): Promise<void> {
  const { service } = stages[0]!
  const pages = async ({ server }: Stage) => {
    const { arguments: status } = await server.mustCommand('lease-feed-status')
    return (status as { feed: { pages: number } }).feed.pages
  }
  for (const { server, family, tap } of stages) {
    const endpoint = service.lab.feedEndpoint(family)
    const slow = { endpoint, tap, 'walk-share': 1, 'walk-page': 16 }
    const answer = await server.reload(service.keaOptions(family, { feed: slow }))
    assert.equal(answer.result, 0, answer.text)
  }
  for (const stage of stages) {
    // The epoch is new, so a walk is under way by itself.
    await waitFor('a walk to begin', async () => (await pages(stage)) > 2)
    await settle(stage.server, stage.fold)
  }
  const told = stages.map(({ fold }) => fold.told)
  const walked = stages.map(walks)
  await Promise.all(stages.map(({ server }) => server.mustCommand('lease-feed-resync')))
  const begun = await Promise.all(stages.map(pages))
  for (const [i, stage] of stages.entries()) {
    await waitFor('the walk to be under way', async () => (await pages(stage)) > begun[i]! + 1)
  }
  // A follower that stands still asks for no more pages.
  service.sidecar.kill('SIGSTOP')
  await service.database.stop()
  service.sidecar.kill('SIGCONT')
  for (const { server } of stages) {
    await waitFor(`${server} to be asked for a page that it cannot read`, async () => {
      const { arguments: status } = await server.mustCommand('lease-feed-status')
      return (status as { feed: { 'pages-failed': number } }).feed['pages-failed'] > 0
    })
  }
  stages.forEach((stage, i) => {
    assert.equal(walks(stage), walked[i], 'no walk has ended')
    assert.equal(stage.fold.told, told[i], 'and nothing was told')
  })
  // Kea's first attempt to connect again must fail, or its watchers would be handed on.
  for (const { server } of stages) await server.logged(/DB_RECONNECT_ATTEMPT_FAILED/)
  await service.database.restart()
  await Promise.all(
    stages.map(async (stage, i) => {
      await waitFor('the walk to end', () => walks(stage) > walked[i]!, 60_000)
      await settle(stage.server, stage.fold)
      assert.equal(stage.fold.told, told[i], 'all is as it was')
    }),
  )
}

/** Kea makes its lease manager anew with the connection, and forgets its watchers if the first attempt fails. */
async function reconnected(stage: Stage): Promise<void> {
  const { family, server, fold, tap } = stage
  if (tap) await server.logged('LEASE_FEED_TAP_RENEWED')
  await waitFor('Kea to serve again', async () => {
    const answer = await server.command(`lease${family}-add`, lease(family, 90, 90))
    return answer.result === 0
  })
  await fold.hears(address(family, 90), active, heldBy(family, 90))
  await walk(stage)
  await withoutWalk(stage, async () => {
    await server.mustCommand(`lease${family}-add`, lease(family, 91, 91))
    await fold.hears(address(family, 91), active, heldBy(family, 91))
  })
  await settle(server, fold)
}

/** All leases at once are only taken for gone when a second walk agrees: here the operator's, who need not wait for it. */
async function emptied(stage: Stage): Promise<void> {
  const { service, family, server, fold } = stage
  const doubts = () =>
    service.sidecar.log().filter(({ event, family: of, reason }) => {
      return event === 'feed.problem' && of === family && /if a second walk agrees/.test(String(reason))
    }).length
  const before = { doubts: doubts(), walks: walks(stage), told: fold.told }
  await service.database.sql(`DELETE FROM lease${family}`)
  await server.mustCommand('lease-feed-resync')
  await waitFor('the end of all leases to be doubted', () => doubts() > before.doubts)
  assert.equal(walks(stage), before.walks, 'the walk does not count')
  assert.equal(fold.told, before.told, 'and nothing was told')
  await walk(stage)
  await settle(server, fold)
  assert.equal(fold.active.size, 0)
}

for (const kea of keaRoots()) {
  for (const kind of databaseKinds) {
    test(`leases of Kea ${kea.kea} in ${kind}`, { skip: databaseSkip(kea) }, async (t: TestContext) => {
      const parameters = { 'decline-probation-period': 3600 }
      await using service = await Service.start(kea, { database: kind, kea: { parameters } })
      const ports = { 4: PacketPort.open(service.lab), 6: PacketPort.open(service.lab) }
      for (const tap of [true, false]) {
        const stages: Stage[] = []
        for (const family of [4, 6] as const) {
          const server = service.kea(family)
          const stage = { service, family, server, fold: new RecordedBindings(), port: ports[family], tap }
          if (!tap) {
            const before = walks(stage)
            const feed = { endpoint: service.lab.feedEndpoint(family), tap }
            const answer = await server.reload(service.keaOptions(family, { feed }))
            assert.equal(answer.result, 0, answer.text)
            await waitFor('a walk', () => walks(stage) > before)
          }
          await service.requestor(family, undefined, stage.fold)
          stages.push(stage)
        }
        const mode = `feed.tap ${tap}`
        const both = (story: (stage: Stage) => Promise<void>) => Promise.all(stages.map(story))
        const told = (what: string, story: (stage: Stage) => Promise<void>, walked = false) =>
          t.test(`${what} (${mode})`, async () => {
            await both((stage) => (walked ? story(stage) : withoutWalk(stage, () => story(stage))))
          })
        await told('what clients do is told', clients)
        await told('what commands do is told, and not what they could not do', commands)
        await told('contended writes are told', contention)
        await told('rows that others write are found by a walk', otherWriters, true)
        await told('a row that is no lease is named, and walks go on when it is mended', unreadable, true)
        await told('a wipe of a subnet is told', wipe, true)
        await told('a database that was filled anew is found by a walk', restored, true)
        await t.test(`a database that is lost in the midst of a walk ends no binding (${mode})`, () =>
          lost(stages),
        )
        await told('when it is back, changes are told as before', reconnected, true)
        await told('a table that was emptied is believed at the second walk', emptied, true)
      }
    })
  }
}
