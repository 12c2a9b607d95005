// Bulk Leasequery over loopback: the whole way from the socket to the store.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState, type Family } from '../../sidecar/binding.ts'
import type { BulkRequestor, BulkResult } from '../../sidecar/requestor/bulk-requestor.ts'
import { topologyOf } from '../../sidecar/server/topology.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { TestService } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'

const families: readonly Family[] = [4, 6]
const address = (family: Family, n: number) =>
  family === 4 ? `192.0.${n >> 8}.${n & 255}` : `2001:db8::${n.toString(16)}`
const bulkOn = { 'bulk-query-enabled': true, 'active-query-enabled': true }

function serving(family: Family, advanced: Record<string, unknown> = {}): TestService {
  const service = new TestService(family).walked().configure({ advanced: { ...bulkOn, ...advanced } })
  service.service.setTopology(
    topologyOf([
      {
        id: 1,
        prefix: parseAddress(family === 4 ? '192.0.0.0' : '2001:db8::')!,
        prefixLength: family === 4 ? 16 : 64,
        sharedNetwork: '',
        relayAddresses: [],
        renewTimer: 0,
        rebindTimer: 0,
        pools:
          family === 4 ? [{ first: parseAddress('192.0.0.1')!, last: parseAddress('192.0.7.208')! }] : [],
      },
    ]),
  )
  return service
}

function told({ bindings }: BulkResult): string[] {
  return bindings.filter(({ state }) => state === BindingState.active).map((binding) => binding.address)
}

for (const family of families) {
  test(`DHCPv${family}: everything is told once, however many slices it takes, and counted in the log`, async () => {
    await using service = serving(family)
    for (let n = 1; n <= 2000; n++) service.put(address(family, n))
    const requestor = await service.bulk()
    const result = await requestor.fetch({ by: 'all' })
    assert.equal(result.status, 'Success')
    assert.equal(result.baseTime, service.now)
    assert.deepEqual(
      told(result).sort(),
      Array.from({ length: 2000 }, (_, i) => address(family, i + 1)).sort(),
    )
    assert.equal(result.bindings.length, 2000)
    const [started] = service.logged('query.started')
    assert.deepEqual([started?.['query'], started?.['by']], ['bulk', 'all'])
    const [done] = service.logged('query.done')
    assert.deepEqual([done?.['query'], done?.['by'], done?.['count']], ['bulk', 'all', 2000])
    assert.ok(done?.['requestor'] !== undefined)
  })

  test(`DHCPv${family}: parallel queries are interleaved, and a short one is not held back by a long one`, async () => {
    await using service = serving(family)
    for (let n = 1; n <= 2000; n++) service.put(address(family, n))
    const client = service.memory.get(parseAddress(address(family, 7))!)!
    const requestor = await service.bulk()
    const ended: string[] = []
    const note = (name: string) => (result: BulkResult) => {
      ended.push(name)
      return result
    }
    const long = requestor.fetch({ by: 'all' }).then(note('long'))
    const short = requestor
      .fetch(
        family === 4
          ? { by: 'hardware-address', hardwareType: 1, hardwareAddress: client.hardwareAddress }
          : { by: 'client-id', clientId: client.clientId },
      )
      .then(note('short'))
    assert.deepEqual(told(await short), [address(family, 7)])
    assert.equal((await long).bindings.length, 2000)
    assert.deepEqual(ended, ['short', 'long'])
  })

  test(`DHCPv${family}: a thousand queries at once are all answered, a few at a time`, async () => {
    await using service = serving(family, { 'max-concurrent-queries': 2 })
    service.put(address(family, 1))
    const requestor = await service.bulk()
    const clientId = Uint8Array.of(9, 9, 9)
    const results = await Promise.all(
      Array.from({ length: 1000 }, () => requestor.fetch({ by: 'client-id', clientId })),
    )
    assert.ok(results.every(({ status, bindings }) => status === 'Success' && bindings.length === 0))
    assert.equal(service.logged('query.done').length, 1000)
  })

  test(`DHCPv${family}: a requestor that does not read stalls nobody, and gets all of it when it reads`, async () => {
    await using service = serving(family)
    const filler = new Uint8Array(8000).fill(7)
    const options = family === 4 ? sub4(filler) : filler6(filler)
    for (let n = 1; n <= 2000; n++) service.put(address(family, n), { options })
    const slow = await service.bulk()
    slow.hold()
    const wants = family === 4 ? [60, 152] : [16, 100]
    const all = slow.fetch({ by: 'all' }, { wants })
    await waitFor('the query to have started', () => service.logged('query.started').length === 1)
    const other = await service.bulk()
    assert.equal((await other.fetch({ by: 'all' }, { wants: [152] })).bindings.length, 2000)
    // What waits for the slow one is in the kernel, and one slice of ours.
    assert.equal(service.logged('query.done').length, 1)
    slow.release()
    const { bindings, status } = await all
    assert.deepEqual([bindings.length, status], [2000, 'Success'])
    assert.ok(slow.received > 16_000_000, `${slow.received} octets`)
  })

  test(`DHCPv${family}: a requestor that closes its end behind its queries gets all answers (RFC 5460 section 7.4)`, async () => {
    await using service = serving(family, { 'max-concurrent-queries': 1 })
    for (let n = 1; n <= 1500; n++) service.put(address(family, n))
    const requestor = await service.bulk()
    const answers = [requestor.fetch({ by: 'all' }), requestor.fetch({ by: 'all' })]
    requestor.end()
    for (const { status, bindings } of await Promise.all(answers)) {
      assert.equal(status, 'Success')
      assert.ok(bindings.length >= 1500)
    }
    await requestor.closed
    const [closed] = await waitFor('the line', () => {
      const lines = service.logged('requestor.closed')
      return lines.length > 0 ? lines : undefined
    })
    assert.match(String(closed?.['reason']), /^requestor-closed/)
  })

  test(`DHCPv${family}: an Active query is told of changes while a Bulk query runs`, async () => {
    await using service = serving(family)
    for (let n = 1; n <= 2000; n++) service.put(address(family, n))
    const active = await service.connect()
    await active.until(({ type }) => type === 'accepted')
    const requestors: BulkRequestor[] = []
    for (let i = 0; i < 5; i++) requestors.push(await service.bulk())
    const answers = requestors.map((requestor) => requestor.fetch({ by: 'all' }))
    await waitFor('the queries', () => service.logged('query.started').length >= 6)
    service.put(address(family, 3000))
    const event = await active.until(({ type }) => type === 'binding')
    assert.ok(event.type === 'binding' && event.binding.address === address(family, 3000))
    for (const { status } of await Promise.all(answers)) assert.equal(status, 'Success')
  })

  test(`DHCPv${family}: Bulk is refused before a first walk, waits for one that is pending, and for the configuration`, async () => {
    await using service = new TestService(family).configure({ advanced: bulkOn })
    const requestor = await service.bulk()
    const early = await requestor.fetch({ by: 'all' })
    assert.equal(early.status, 'QueryTerminated')
    assert.match(early.text, /not all been read yet/)
    service.walked()
    service.walkPending = true
    service.put(address(family, 1))
    service.service.setTopology(topologyOf([]))
    const waiting = requestor.fetch({ by: 'all' })
    const first = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 200, 'nothing'))])
    assert.equal(first, 'nothing')
    service.walkPending = false
    assert.deepEqual(told(await waiting), [address(family, 1)])
  })

  test(`DHCPv${family}: a stop tells Bulk requestors QueryTerminated and why`, async () => {
    const service = serving(family)
    service.walkPending = true
    const requestor = await service.bulk()
    const answer = requestor.fetch({ by: 'all' })
    await waitFor('the query to have started', () => service.logged('query.started').length === 1)
    const stopped = service.service.stop()
    const { status, text } = await answer
    assert.deepEqual([status, text], ['QueryTerminated', 'the server is being stopped'])
    await stopped
    await service.close()
  })

  test(`DHCPv${family}: Bulk and then Active from its base-time know what the store holds`, async () => {
    await using service = serving(family)
    for (let n = 1; n <= 1500; n++) service.put(address(family, n))
    const requestor = await service.bulk()
    const answer = requestor.query({ by: 'all' })
    const known = new Map<string, boolean>()
    let seen = 0
    for await (const binding of answer) {
      known.set(binding.address, binding.state === BindingState.active)
      if (++seen % 100 > 0) continue
      // The store goes on changing while the answer comes, ahead of the scan and behind it.
      service.now++
      const n = (seen * 7) % 1500
      service.put(address(family, n + 1), { state: BindingState.released })
      service.put(address(family, 1600 + (seen % 400)))
    }
    const { baseTime } = answer.outcome!
    const active = await service.connect({ since: baseTime })
    for (;;) {
      const event = (await active.next())!
      if (event.type === 'binding')
        known.set(event.binding.address, event.binding.state === BindingState.active)
      assert.notEqual(event.type, 'data-missing')
      if (event.type === 'catch-up-complete') break
    }
    const held: string[] = []
    for (let n = 1; n <= 2000; n++) {
      const name = address(family, n)
      const state = service.memory.get(parseAddress(name)!)?.state
      if (state === BindingState.active) held.push(name)
    }
    const live = [...known].filter(([, is]) => is).map(([name]) => name)
    assert.deepEqual(live.sort(), held.sort())
  })
}

test('DHCPv4: the configured addresses are told once each, whatever is bound in or outside of them', async () => {
  await using service = serving(4)
  service.put('192.0.0.5')
  service.put('192.0.0.6', { state: BindingState.released })
  service.put('198.51.100.9')
  const requestor = await service.bulk()
  const { bindings } = await requestor.fetch({ by: 'all' })
  assert.equal(bindings.length, 2000 + 1)
  assert.equal(new Set(bindings.map((binding) => binding.address)).size, 2001)
  const states = new Map(bindings.map((binding) => [binding.address, binding.state]))
  assert.equal(states.get('192.0.0.5'), BindingState.active)
  assert.equal(states.get('192.0.0.6'), BindingState.released)
  assert.equal(states.get('198.51.100.9'), BindingState.active)
  assert.equal(states.get('192.0.7.208'), BindingState.available)
})

test('DHCPv6: a client with more bindings than a message shows is told of each of them, in little more octets', async () => {
  await using service = serving(6)
  const clientId = Uint8Array.of(0, 3, 0, 1, 1)
  for (let n = 1; n <= 3000; n++) service.put(address(6, n), { clientId })
  const requestor = await service.bulk()
  const { bindings } = await requestor.fetch({ by: 'client-id', clientId })
  assert.equal(new Set(bindings.map((binding) => binding.address)).size, 3000)
  assert.ok(bindings.length < 3000 + 600, `${bindings.length} bindings told`)
})

function sub4(value: Uint8Array): Uint8Array {
  const parts: number[] = []
  for (let at = 0; at < value.length; at += 255) {
    const part = value.subarray(at, at + 255)
    parts.push(60, part.length, ...part)
  }
  return Uint8Array.from(parts)
}

function filler6(value: Uint8Array): Uint8Array {
  return Uint8Array.from([0, 16, value.length >> 8, value.length & 255, ...value])
}
