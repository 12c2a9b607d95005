// What an operator is told of a running daemon, by its own words on /status.json and /ready.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FamilyStatus, ProcessStatus } from '../../sidecar/operations/status.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { byClient, Daemon, keaDuid, lease, startHook } from '../support/daemon.ts'
import { serviceJson } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'

async function place(daemon: Daemon): Promise<string> {
  return `http://${(await daemon.logged('operations.started'))['place']}`
}

async function statusOf(daemon: Daemon): Promise<ProcessStatus> {
  const response = await fetch(`${await place(daemon)}/status.json`)
  return (await response.json()) as ProcessStatus
}

/** The first status of the first family that is as it should be. */
function family(
  daemon: Daemon,
  what: string,
  holds: (status: FamilyStatus) => boolean,
): Promise<FamilyStatus> {
  return waitFor(what, async () => (await statusOf(daemon)).families.find(holds))
}

test('the status tells of feed, bindings, requestors and changes, and of nobody who holds an address', async () => {
  await using daemon = await new Daemon([4, 6]).start()
  assert.equal((await fetch(`${await place(daemon)}/live`)).status, 200)
  const unready = await fetch(`${await place(daemon)}/ready`)
  assert.equal(unready.status, 503)
  assert.match(await unready.text(), /DHCPv4: Kea has not been heard (?:yet|for \d+ s)/)

  using core4 = startHook(daemon, 4)
  using core6 = startHook(daemon, 6)
  core6.put(lease('2001:db8::7', 7), byClient)
  await daemon.logged('feed.reconciled', { family: 4 })
  await daemon.logged('feed.reconciled', { family: 6 })
  const requestor = await daemon.connect(4)
  await requestor.until(({ type }) => type === 'accepted')
  for (let n = 1; n <= 30; n++) core4.put(lease(`192.0.2.${n}`, n), byClient)
  core4.remove(parseAddress('192.0.2.1')!, byClient)

  const told = await family(
    daemon,
    'the end of a binding',
    ({ bindings }) => bindings.reset + bindings.released === 1,
  )
  assert.deepEqual([told.family, told.bindings.active, told.history.ended], [4, 29, 1])
  assert.equal(told.feed.state, 'following')
  assert.deepEqual([told.feed.kea?.version, told.feed.kea?.identities], ['3.0.0', ['192.0.2.1']])
  assert.equal(told.changes.latest.length, 20)
  const [ended, granted] = told.changes.latest.map(({ address, what, by }) => `${address} ${what} by ${by}`)
  assert.match(ended!, /^192\.0\.2\.1 (?:released|deleted) by client$/)
  assert.equal(granted, '192.0.2.30 granted by client')
  assert.equal(told.changes.latest[0]!.until, null)
  const [shown] = told.service.requestors
  assert.deepEqual(
    [shown?.address, shown?.phase, shown?.view, shown?.entry, shown?.certificate, shown?.blockedSeconds],
    ['127.0.0.1', 'live', 'all bindings', 'requesters[0]', null, null],
  )
  assert.deepEqual(
    shown?.queries.map(({ query }) => query),
    ['active'],
  )
  await family(daemon, 'what was sent', ({ service }) => (service.requestors[0]?.messages ?? 0) >= 31)

  const status = await waitFor('all to be well', async () => {
    const now = await statusOf(daemon)
    return now.verdict.ready ? now : undefined
  })
  assert.equal(status.verdict.sentence, 'All is well: DHCPv4 and DHCPv6 are followed and served.')
  assert.equal((await fetch(`${await place(daemon)}/ready`)).status, 200)
  const { families } = status
  const identities = families.map(({ feed }) => feed.kea?.identities.join())
  assert.equal(identities[1], Buffer.from(keaDuid).toString('hex'))
  // The clients' hardware addresses and DUIDs all hold these octets.
  const text = JSON.stringify({ ...status, families: families.map((of) => ({ ...of, feed: null })) })
  assert.doesNotMatch(text, /02005e|02:00:5e|2,0,94/i)
})

test('parameters that were refused, and why, stand beside those in force', async () => {
  await using daemon = await new Daemon([4]).start()
  using core = startHook(daemon, 4)
  await family(daemon, 'the parameters', ({ service }) => service.config?.active === true)
  core.setService(serviceJson(4, { requesters: ['nonsense'] }))
  const refused = await family(daemon, 'the refusal', ({ service }) => service.refusedConfig !== null)
  assert.equal(refused.service.refusedConfig?.parameter, 'requesters[0]')
  assert.equal(refused.service.config?.requesters, 1)
  assert.match(refused.problems[0]!.text, /"nonsense"/)
  core.setService(serviceJson(4))
  await family(daemon, 'the end of the refusal', ({ service }) => service.refusedConfig === null)
})

test('how far a requestor that stopped reading is behind, and since when, is told', async () => {
  await using daemon = await new Daemon([4]).start()
  using core = startHook(daemon, 4)
  await daemon.logged('feed.reconciled')
  const requestor = await daemon.connect(4)
  await requestor.until(({ type }) => type === 'accepted')
  requestor.hold()
  await waitFor('it to be behind', async () => {
    for (let n = 0; n < 5_000; n++) core.put(lease(`10.0.${n >> 8}.${n & 255}`, n), byClient)
    const { service } = (await statusOf(daemon)).families[0]!
    return service.requestors.find(
      ({ lagChanges, blockedSeconds, waitingOctets }) =>
        lagChanges > 0 && blockedSeconds !== null && waitingOctets > 0,
    )
  })
  requestor.release()
  const reading = requestor.until(() => false).catch(() => {})
  await family(daemon, 'it to have caught up', ({ service }) => {
    const [shown] = service.requestors
    return shown?.lagChanges === 0 && shown.lagSeconds === 0 && shown.blockedSeconds === null
  })
  requestor.close()
  await reading
})

test('a second daemon whose place is taken says so and serves requestors all the same', async () => {
  await using first = await new Daemon([4]).start()
  const taken = String((await first.logged('operations.started'))['place'])
  await using second = await new Daemon([4], ['--metrics', taken, '--listen', 'dhcp4=127.0.0.1:0']).start()
  using core = startHook(second, 4)
  await second.logged('operations.failed', { place: taken })
  core.put(lease('192.0.2.7', 7), byClient)
  await second.logged('feed.reconciled')
  const requestor = await second.connect(4)
  await requestor.until(({ type }) => type === 'accepted')
  second.kill('SIGTERM')
  assert.equal(await second.ended(), 0)
})
