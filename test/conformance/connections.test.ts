// Statements about connections, limits, access and configuration, over sockets: the requestor is octets and a socket.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { BindingState, Origin } from '../../sidecar/binding.ts'
import { topologyOf } from '../../sidecar/server/topology.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { decodeMessage4 } from '../../sidecar/wire/v4/codec.ts'
import { decodeMessage6 } from '../../sidecar/wire/v6/codec.ts'
import { families, type Reply } from '../session/families.ts'
import { TestService } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'
import { framed, message4, message6, option4, option6, u32 } from '../wire/bytes.ts'
import { RawRequestor } from './raw-requestor.ts'
import { shows } from './rows.ts'

const bothOn = { 'active-query-enabled': true, 'bulk-query-enabled': true }
const ended = { state: BindingState.released }

for (const family of families) {
  const v4 = family.family === 4
  const both = (four: string | string[], six: string | string[], test: () => Promise<void>): void =>
    shows(v4 ? four : six, test)
  const address = (n: number) => (v4 ? `192.0.${n >> 8}.${n & 255}` : `2001:db8::${n.toString(16)}`)
  const here = v4 ? '127.0.0.1' : '::1'
  const last = v4 ? 15 : 16

  const subnet = {
    id: 1,
    prefix: parseAddress(v4 ? '192.0.0.0' : '2001:db8::')!,
    prefixLength: v4 ? 16 : 64,
    sharedNetwork: '',
    relayAddresses: [],
    renewTimer: 0,
    rebindTimer: 0,
  }

  function serving(
    advanced: Record<string, unknown> = {},
    changed: Record<string, unknown> = {},
  ): TestService {
    const service = new TestService(family.family)
    service.service.setTopology(topologyOf([subnet]))
    return service.walked().configure({ advanced: { ...bothOn, ...advanced }, ...changed })
  }

  const read = (requestor: RawRequestor): Reply[] => requestor.frames.map((frame) => family.read(frame))
  const type = (wanted: number) => (frame: Uint8Array) => family.read(frame).type === wanted
  const anything = () => true

  describe(`DHCPv${family.family}: one listener for both services`, () => {
    both(['7724-5.3-01', '7724-8-01'], [], async () => {
      await using service = serving()
      service.put(address(1))
      const bulk = (await RawRequestor.connect(service)).send(family.bulk(9))
      const active = (await RawRequestor.connect(service)).send(family.query())
      await bulk.until(type(last))
      await active.until(anything)
      service.put(address(2))
      await active.until(type(13))
      assert.equal(bulk.socket.remotePort, active.socket.remotePort)
      bulk.close()
      active.close()
    })

    both([], ['7653-9-01', '7653-5-01'], async () => {
      await using service = serving()
      const began = service.now
      service.put(address(1))
      service.now += 10
      service.put(address(2))
      service.now += 10
      service.put(address(3))
      const { now } = service
      const window = (code: number, at: number) => option6(code, u32(at - 946_684_800))
      const query = (xid: number, ...windows: number[][]) =>
        framed(
          message6(14, xid, [
            ...option6(1, [0, 3, 0, 1, 2]),
            ...option6(6, [0, 100]),
            ...windows.flat(),
            ...option6(44, [4, ...new Uint8Array(16)]),
          ]),
        )
      const requestor = await RawRequestor.connect(service)
      const ask = async (xid: number, ...windows: number[][]): Promise<string[]> => {
        requestor.send(query(xid, ...windows))
        await requestor.until((frame) => family.read(frame).xid === xid && type(16)(frame))
        const replies = read(requestor).filter((reply) => reply.xid === xid)
        assert.ok(replies.every(({ baseTime }) => baseTime === now))
        return replies.flatMap(({ bindings }) => bindings.map((text) => text.split(' ')[0]!))
      }
      const at = began + 10
      assert.deepEqual((await ask(1, window(101, at), window(102, at))).sort(), [address(2)])
      assert.deepEqual((await ask(2, window(101, at))).sort(), [address(2), address(3)])
      assert.deepEqual((await ask(3, window(102, at))).sort(), [address(1), address(2)])
      assert.deepEqual((await ask(4, window(101, at + 1))).sort(), [address(3)])
      requestor.close()
    })
  })

  describe(`DHCPv${family.family}: nothing is served that was not enabled`, () => {
    both('7724-8.1-01', ['7653-9.1-01', '7653-9.2-01'], async () => {
      await using nothing = new TestService(family.family).walked().configure({ advanced: {} })
      assert.deepEqual(nothing.service.places, [])
      await using bulkOnly = new TestService(family.family)
        .walked()
        .configure({ advanced: { 'bulk-query-enabled': true } })
      bulkOnly.put(address(1))
      const requestor = (await RawRequestor.connect(bulkOnly)).send(family.query())
      assert.equal(await requestor.end, 'closed')
      assert.deepEqual(
        read(requestor).map(({ status }) => status),
        v4 ? [] : ['NotSupported'],
      )
      bulkOnly.configure({ advanced: { 'active-query-enabled': true } })
      const again = (await RawRequestor.connect(bulkOnly)).send(family.query())
      await again.until(anything)
      again.close()
    })

    both(['7724-8.1-03', '7724-8.1-04'], ['7653-9.1-03', '7653-9.1-04'], async () => {
      // With nothing said about TLS it is required, and where it cannot be done nothing is served.
      await using service = new TestService(family.family).walked().configure({ tls: {} })
      service.put(address(1))
      const clear = (await RawRequestor.connect(service)).send(family.query())
      assert.equal(await clear.end, 'closed')
      assert.deepEqual(read(clear), [])
      assert.ok(
        service.service.problems.some(({ text }) => /until it is, or tls.mode is set to off/.test(text)),
      )
      service.configure({ tls: { mode: 'off' } })
      const requestor = (await RawRequestor.connect(service)).send(family.query())
      await requestor.until(anything)
      requestor.close()
    })

    both(
      ['6926-9-01', '6926-9-02', '6926-8.1-04', '6926-8.1-05'],
      ['5460-7.1-03', '5460-7.1-04'],
      async () => {
        await using service = serving({}, { requesters: [] })
        const nobody = await RawRequestor.connect(service)
        await nobody.end
        service.configure({ advanced: bothOn, requesters: [v4 ? '192.0.2.10' : '2001:db8::10'] })
        const stranger = (await RawRequestor.connect(service)).send(family.bulk(9))
        await stranger.end
        assert.deepEqual([...nobody.frames, ...stranger.frames], [])
        assert.equal(service.logged('requestor.rejected').length, 2)
        service.configure({ advanced: bothOn, requesters: [{ address: here, queries: ['bulk'] }] })
        const listed = (await RawRequestor.connect(service)).send(family.bulk(9))
        await listed.until(v4 ? type(15) : type(15))
        const forbidden = (await RawRequestor.connect(service)).send(family.query())
        await forbidden.end
        assert.deepEqual(
          read(forbidden).map(({ status }) => status),
          ['NotAllowed'],
        )
        listed.close()
      },
    )

    both([], ['5007-4.4.1-02'], async () => {
      await using service = serving({}, { requesters: [{ address: here, queries: ['active'] }] })
      const requestor = (await RawRequestor.connect(service)).send(family.bulk(9))
      await requestor.end
      assert.deepEqual(
        read(requestor).map(({ status }) => status),
        ['NotAllowed'],
      )
    })
  })

  describe(`DHCPv${family.family}: limits`, () => {
    both(
      ['7724-8.4-01', '6926-8.1-01', '6926-8.1-02', '6926-8.1-03'],
      ['5460-7.1-01', '5460-7.1-02', '7653-9.5-05'],
      async () => {
        for (const [limit, advanced] of [
          [10, {}],
          [3, { 'max-requester-connections': 3 }],
        ] as const) {
          await using service = serving(advanced, { requesters: [here] })
          const served = []
          for (let n = 0; n < limit; n++) {
            const requestor = (await RawRequestor.connect(service)).send(
              n % 2 ? family.bulk(n) : family.query(),
            )
            await requestor.until(anything)
            served.push(requestor)
          }
          const over = await RawRequestor.connect(service)
          await over.end
          assert.deepEqual(over.frames, [])
          for (const requestor of served) assert.equal(requestor.socket.closed, false)
          served[0]!.close()
          await waitFor('its place to be free', () => service.service.connections === limit - 1)
          const next = (await RawRequestor.connect(service)).send(family.query())
          await next.until(anything)
          for (const requestor of [...served, next]) requestor.close()
        }
      },
    )

    both('7724-8.4-02', ['7653-9.5-05'], async () => {
      await using service = serving({ 'max-requester-idle-time': 2 })
      const active = (await RawRequestor.connect(service)).send(family.query())
      await active.until(anything)
      const silent = await RawRequestor.connect(service)
      const done = (await RawRequestor.connect(service)).send(family.bulk(9))
      await done.until(anything)
      assert.deepEqual(await Promise.all([silent.end, done.end]), ['closed', 'closed'])
      assert.deepEqual(silent.frames, [])
      service.put(address(7))
      await active.until((frame) => family.read(frame).bindings.length > 0)
      active.close()
    })

    both(['7724-8.3-03', '6926-8.4-03'], ['7653-9.4-03', '5460-7.3-03'], async () => {
      // One active query a connection, `max-concurrent-queries` Bulk queries a connection, so many connections an entry.
      await using service = serving(
        {},
        { requesters: [{ address: here, 'max-connections': 1 }, v4 ? '127.0.0.2' : '::2'] },
      )
      const first = (await RawRequestor.connect(service)).send(family.query())
      await first.until(anything)
      const second = (await RawRequestor.connect(service)).send(family.query())
      await second.end
      assert.deepEqual(second.frames, [])
      if (v4) {
        const other = (await RawRequestor.connect(service, '127.0.0.2')).send(family.query())
        await other.until(anything)
        other.close()
      }
      first.close()
    })

    both('6926-7.7-02', [], async () => {
      for (const [limit, most] of [
        [1, 1],
        [3, 3],
      ] as const) {
        await using service = serving({ 'max-concurrent-queries': limit })
        for (let n = 1; n <= 500; n++) service.put(address(n))
        const queries = Array.from({ length: 6 }, (_, i) => family.bulk(i + 1))
        const requestor = (await RawRequestor.connect(service)).send(Buffer.concat(queries))
        await waitFor(
          'all answers',
          () => read(requestor).filter((reply) => reply.type === last).length === 6,
        )
        const begun = new Set<number>()
        let running = 0
        let highest = 0
        for (const reply of read(requestor)) {
          if (!begun.has(reply.xid)) {
            begun.add(reply.xid)
            running++
          }
          highest = Math.max(highest, running)
          if (reply.type === last) running--
        }
        assert.equal(highest, most)
        requestor.close()
      }
    })

    both(['7724-5.3-03', '6926-6.3-04'], ['7653-6.4-02', '5460-5.6-04'], async () => {
      await using service = serving(
        { 'max-requester-idle-time': 299, 'active-query-send-timeout': 119, 'active-query-idle-timeout': 59 },
        {
          requesters: [
            { address: here, keepalive: { interval: 60 } },
            { address: v4 ? '192.0.2.1' : '2001:db8::1', keepalive: { interval: 10 } },
          ],
        },
      )
      assert.deepEqual(
        service.logged('config.short-timer').map(({ parameter, least }) => [parameter, least]),
        [
          ['advanced.max-requester-idle-time', 300],
          ['advanced.active-query-send-timeout', 120],
          ['advanced.active-query-idle-timeout', 60],
          ['requesters[1].keepalive.interval', 60],
        ],
      )
      service.log.length = 0
      service.configure({ advanced: { ...bothOn, 'max-requester-idle-time': 300 } })
      assert.equal(service.logged('config.applied').length, 1)
      assert.equal(service.logged('config.short-timer').length, 0)
    })

    both(['6926-6.3-01', '6926-6.3-02'], ['5460-5.6-01', '5460-5.6-02'], async () => {
      /** Where it listens, or says that it cannot: the port may be taken, or be for root only. */
      const portOf = async (advanced: Record<string, unknown>): Promise<number> => {
        await using service = new TestService(family.family, { listen: [] }).walked()
        service.configure({ advanced: { 'bulk-query-enabled': true, 'lease-query-ip': here, ...advanced } })
        return await waitFor('a listener', () => {
          const [problem] = service.service.problems
          return service.service.places[0]?.port ?? (problem && Number(/port (\d+)/.exec(problem.text)?.[1]))
        })
      }
      assert.equal(await portOf({}), v4 ? 67 : 547)
      assert.equal(await portOf({ 'lease-query-tcp-port': 10_067 }), 10_067)
    })
  })

  describe(`DHCPv${family.family}: ends of connections`, () => {
    both('7724-8.4-03', '7653-9.5-01', async () => {
      await using service = serving({ 'max-requester-connections': 1 }, { requesters: [here] })
      for (let n = 1; n <= 2000; n++) service.put(address(n))
      for (const query of [family.query(service.now), family.bulk(9)]) {
        const requestor = (await RawRequestor.connect(service)).send(query)
        await requestor.until(anything)
        requestor.reset()
        await waitFor('the connection to be gone', () => service.service.connections === 0)
      }
      const next = (await RawRequestor.connect(service)).send(family.query())
      await next.until(anything)
      next.close()
    })

    both(['7724-8.4-06', '7724-7.5-01'], ['7653-9.5-04', '7653-8.7-01'], async () => {
      await using service = serving()
      const requestor = (await RawRequestor.connect(service)).send(family.query())
      await requestor.until(anything)
      requestor.socket.end()
      assert.equal(await requestor.end, 'closed')
      await waitFor('its place to be free', () => service.service.connections === 0)
    })

    both('6926-8.5-01', '7653-8.4-07', async () => {
      // By time-out, and by a stop in the middle of a query: in order, without a reset.
      await using impatient = serving({ 'max-requester-idle-time': 1 })
      const idle = await RawRequestor.connect(impatient)
      assert.equal(await idle.end, 'closed')
      const service = serving()
      const active = (await RawRequestor.connect(service)).send(family.query())
      await active.until(anything)
      const stopped = service.service.stop()
      assert.equal(await active.end, 'closed')
      assert.equal(family.read(active.frames.at(-1)!).status, 'QueryTerminated')
      await stopped
      await service.close()
    })
  })

  describe(`DHCPv${family.family}: what is told, and from when on`, () => {
    both(['7724-7.3-01', '7724-8.2-16'], '7653-8.3-01', async () => {
      // No timer but the one that gathers changes of two milliseconds stands between the store and the socket.
      await using service = serving()
      const requestor = (await RawRequestor.connect(service)).send(family.query())
      await requestor.until(anything)
      for (const [n, origin] of [
        [1, Origin.client],
        [2, Origin.partner],
        [3, Origin.operator],
      ] as const) {
        service.put(address(n), { origin })
        await requestor.until(
          (frame) => family.read(frame).bindings[0]?.startsWith(`${address(n)} `) === true,
        )
      }
      requestor.close()
    })

    both(['7724-8.2-10', '7724-8.2-11', '7724-8.2-12'], ['7653-9.3-11', '7653-9.3-12'], async () => {
      for (const [maxEnded, status] of [
        [100, 'DataMissing'],
        [10_000, 'CatchUpComplete'],
      ] as const) {
        await using service = serving()
        service.memory.retention = { seconds: 604_800, maxEnded }
        const since = service.now
        for (let n = 1; n <= 1000; n++) service.put(address(n))
        service.now += 10
        for (let n = 1; n <= 1000; n++) service.put(address(n), ended)
        service.memory.prune(service.now)
        const requestor = (await RawRequestor.connect(service)).send(family.query(since))
        await requestor.until((frame) => {
          const reply = family.read(frame)
          return reply.status !== undefined
        })
        assert.equal(read(requestor).at(-1)?.status, status)
        const told = read(requestor).flatMap(({ bindings }) => bindings)
        assert.equal(told.length, maxEnded === 100 ? 0 : 1000)
        requestor.close()
      }
    })

    both('4388-6.4.2-09', '5007-4.4.2-03', async () => {
      const withholding = (codes: number[]) => ({
        advanced: bothOn,
        requesters: [{ address: here, 'withhold-options': codes }],
      })
      await using service = serving({}, withholding([]))
      const code = v4 ? 60 : 39
      service.put(address(1), { options: Uint8Array.from(v4 ? option4(60, [9]) : option6(39, [0, 9])) })
      const ask = async (): Promise<boolean> => {
        const requestor = await RawRequestor.connect(service)
        requestor.send(
          v4
            ? framed(
                message4(1, 5, [...option4(53, [14]), ...option4(55, [60])], {
                  1: [1, 6],
                  28: [2, 0, 0x5e, 0, 0, 1],
                }),
              )
            : framed(
                message6(14, 5, [
                  ...option6(1, [0, 3, 0, 1, 2]),
                  ...option6(44, [4, ...new Uint8Array(16), ...option6(6, [0, 39])]),
                ]),
              ),
        )
        const frame = await requestor.until((one) => family.read(one).bindings.length > 0)
        requestor.close()
        const unknown = v4
          ? decodeMessage4(frame.subarray(2)).options.unknown
          : decodeMessage6(frame.subarray(2)).options.clientData?.unknown
        return (unknown ?? []).some((option) => option.code === code)
      }
      assert.equal(await ask(), true)
      service.configure(withholding([code]))
      assert.equal(await ask(), false)
      service.configure(withholding([]))
      assert.equal(await ask(), true)
    })

    both('4388-3-01', [], async () => {
      await using service = serving()
      for (let n = 1; n <= 20; n++) service.put(address(n), n % 3 === 0 ? ended : {})
      const all = () =>
        Array.from({ length: 20 }, (_, i) => service.memory.get(parseAddress(address(i + 1))!))
      const before = JSON.stringify(all())
      const newest = service.memory.newestChange
      const requestor = (await RawRequestor.connect(service)).send(family.bulk(1))
      await requestor.until(type(last))
      requestor.send(family.query(service.now))
      await requestor.until((frame) => family.read(frame).status === 'CatchUpComplete')
      assert.equal(JSON.stringify(all()), before)
      assert.equal(service.memory.newestChange, newest)
      requestor.close()
    })
  })
}
