// Active Leasequery, statement by statement, for both families on simulated time. What the stories of test/session show is
// titled there.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { decodeMessage4 } from '../../sidecar/wire/v4/codec.ts'
import { decodeMessage6 } from '../../sidecar/wire/v6/codec.ts'
import type { Setup } from '../session/driver.ts'
import { START } from '../session/driver.ts'
import { families, type Reply, XID } from '../session/families.ts'
import { story } from '../session/story.ts'
import { concat, framed, message4, message6, option4, option6, u32 } from '../wire/bytes.ts'
import { shows } from './rows.ts'

const ended = { state: BindingState.released }

for (const family of families) {
  const v4 = family.family === 4
  const xid = XID[family.family]
  /** A test of a statement that both families have; of one that only one has, the other's ids are empty. */
  const both = (four: string | string[], six: string | string[], test: () => void): void =>
    shows(v4 ? four : six, test)

  /** A query for everything, with options of the family appended. */
  const query = (options: readonly number[] = []): Uint8Array =>
    v4
      ? framed(message4(1, xid, [...option4(53, [16]), ...options]))
      : framed(message6(22, xid, [...option6(1, [0, 3, 0, 1, 2]), ...options]))

  describe(`Active Leasequery, DHCPv${family.family}: messages`, () => {
    both('7724-5.1-01', '7653-6.1-01', () => {
      const { driver, put, grew, replies } = story(family)
      // Octet by octet, then two messages in one piece; a refused start of TLS is an answer, too.
      for (const octet of family.tlsStart(5)) driver.receive(Uint8Array.of(octet))
      assert.equal(replies().length, 1)
      for (const octet of family.query()) driver.receive(Uint8Array.of(octet))
      assert.equal(replies().length, 1)
      const together = story(family)
      together.driver.receive(concat(family.tlsStart(5), family.query()))
      assert.equal(together.replies().length, 2)

      put(1, 1)
      grew()
      driver.pass(60)
      driver.tell({ type: 'terminate', text: 'stop' })
      assert.ok(driver.sent.length >= 5)
      for (const { octets } of driver.sent) {
        assert.equal(octets[0]! * 256 + octets[1]!, octets.length - 2)
        if (v4) assert.equal(octets.at(-1), 255)
      }
    })

    both('7724-5.2.1-01', '7653-6.2.1-05', () => {
      const { driver } = story(family)
      driver.receive(family.tlsStart(5))
      driver.receive(family.query())
      driver.pass(60)
      const [tls, accepted, keepalive] = driver.fresh()
      if (v4) {
        // Option 53 is the first behind the cookie.
        const type = (frame: Uint8Array | undefined) => [...frame!.subarray(2 + 240, 2 + 243)]
        assert.deepEqual(type(family.query()), [53, 1, 16])
        assert.deepEqual(type(accepted), [53, 1, 17])
        assert.deepEqual(type(keepalive), [53, 1, 17])
        assert.deepEqual(type(tls), [53, 1, 18])
      } else {
        assert.deepEqual([family.tlsStart(5)[2], family.query()[2]], [23, 22])
        assert.deepEqual([tls![2], accepted![2], keepalive![2]], [7, 15, 17])
      }
    })

    both('7724-5.2.2-02', [], () => {
      const { driver, put, grew, replies } = story(family)
      driver.receive(family.query())
      driver.fresh()
      for (let n = 0; n < 1000; n++) {
        put(n % 200, n % 7, n % 3 === 0 ? ended : {})
        grew()
      }
      const all = replies()
      assert.ok(all.length >= 1000)
      assert.ok(all.every(({ status }) => status === undefined))
    })

    both('7724-5.2.2-03', [], () => {
      /** The first octet of option 151 of the last frame. */
      const last = (setup: Partial<Setup>, act: (parts: ReturnType<typeof story>) => void): number => {
        const parts = story(family, setup)
        act(parts)
        const frame = parts.driver.sent.at(-1)!.octets
        const { status } = decodeMessage4(frame.subarray(2)).options
        const at = frame.findIndex((octet, i) => octet === 151 && i > 240)
        assert.equal(frame[at + 2], status!.code)
        return frame[at + 2]!
      }
      const missing = last({}, ({ driver }) => {
        driver.index.horizon = START + 1
        driver.receive(family.query(START))
      })
      const alive = last({}, ({ driver }) => driver.receive(family.query()).pass(60))
      const complete = last({}, ({ driver }) => driver.receive(family.query(START)))
      const refused = last({}, ({ driver }) => driver.receive(family.tlsStart(1)))
      assert.deepEqual([missing, alive, complete, refused], [5, 6, 7, 8])
    })

    both('7724-7.1-03', '7653-8.1-03', () => {
      const other = v4 ? 0x01020304 : 0x7c0203
      const { driver, put, grew, replies } = story(family, { limits: { batchChanges: 1 } })
      put(1, 1)
      put(2, 2, ended)
      driver.receive(family.query(START, other))
      put(3, 3)
      grew()
      driver.pass(60)
      driver.tell({ type: 'terminate', text: 'stop' })
      const all = replies()
      // What changed, CatchUpComplete, a change, a keepalive, the end.
      assert.equal(all.length, 6)
      assert.deepEqual(new Set(all.map((reply) => reply.xid)), new Set([other]))
      const refused = story(family, { rights: { active: false } })
      refused.driver.receive(family.query(START, other))
      assert.deepEqual(
        refused.replies().map((reply) => reply.xid),
        [other],
      )
    })

    both('7724-7.3-05', '7653-9.3-08', () => {
      const ask = (options: readonly number[]): (number | undefined)[] => {
        const { driver, put, grew, replies } = story(family)
        driver.receive(query(options))
        put(1, 1)
        put(2, 2, ended)
        grew()
        driver.pass(60)
        driver.tell({ type: 'terminate', text: 'stop' })
        return replies().map(({ baseTime }) => baseTime)
      }
      const at = [START, START, START, START + 60, START + 60]
      if (v4) {
        for (const options of [option4(55, [51]), option4(55, [51, 152])]) {
          const all = ask(options)
          assert.equal(all.length, at.length)
          assert.ok(all.every((baseTime) => baseTime !== undefined))
        }
      } else {
        assert.deepEqual(ask(option6(6, [0, 100])).slice(0, 4), at.slice(0, 4))
        const { driver, put, replies } = story(family, { service: { bulkEnabled: true } })
        put(1, 1)
        put(2, 2)
        const bulk = [
          ...option6(1, [0, 3, 0, 1, 2]),
          ...option6(6, [0, 100]),
          ...option6(44, [4, ...new Uint8Array(16)]),
        ]
        driver.receive(framed(message6(14, 9, bulk)))
        assert.deepEqual(
          replies().map(({ type, baseTime }) => [type, baseTime]),
          [
            [15, START],
            [17, START],
            [16, START],
          ],
        )
      }
    })

    both('7724-7.4-04', [], () => {
      const check = (frames: Uint8Array[]): void => {
        const about = frames.filter((frame) => [11, 13].includes(family.read(frame).type))
        assert.equal(about.length, 3)
        for (const [i, frame] of about.entries()) {
          const message = frame.subarray(2)
          assert.deepEqual([...message.subarray(12, 16)], [192, 0, 2, i + 1])
          assert.deepEqual([...message.subarray(16, 28)], [...new Uint8Array(12)])
        }
      }
      const { driver, put, grew } = story(family)
      driver.receive(family.query())
      const bulk = story(family, { service: { bulkEnabled: true } })
      for (const parts of [{ put }, bulk]) {
        parts.put(1, 1)
        parts.put(2, 2, ended)
        parts.put(3, 3)
      }
      grew()
      check(driver.fresh())
      bulk.driver.receive(family.bulk(9))
      check(bulk.driver.fresh())
    })

    both([], ['7653-6.3.1-01', '7653-6.3.1-02'], () => {
      const { driver, put, grew } = story(family)
      driver.receive(family.query())
      driver.pass(30)
      put(1, 1, { clientLastTransaction: START + 10, validLifetime: 600, preferredLifetime: 300 })
      grew()
      const { options } = decodeMessage6(driver.fresh().at(-1)!.subarray(2))
      assert.equal(options.baseTime! + 946_684_800, START + 30)
      const [address] = options.clientData!.iaAddresses!
      assert.equal(START + 30 - options.clientData!.clientLastTransactionTime!, START + 10)
      assert.equal(START + 30 + address!.validLifetime, START + 10 + 600)
      assert.equal(START + 30 + address!.preferredLifetime, START + 10 + 300)
      // On the wire: four octets in network order.
      const frame = [...driver.sent.at(-1)!.octets]
      const option = [0, 100, 0, 4, ...u32(START + 30 - 946_684_800)]
      assert.ok(frame.some((_, i) => option.every((octet, j) => frame[i + j] === octet)))
    })

    both(['7724-3-02', '7724-8.2-04'], ['7653-3-02', '7653-9.3-06'], () => {
      // One binding, told by both kinds of query in the same second: all that differs is what belongs to the query.
      const relay = family.relay(Uint8Array.of(7))
      const options = Uint8Array.from(v4 ? option4(60, [1, 2]) : option6(39, [0, 1]))
      const asks = v4
        ? option4(55, [51, 58, 59, 60, 61, 82, 91, 152, 153, 156, 157])
        : [...option6(1, [0, 3, 0, 1, 2]), ...option6(6, [0, 100, 0, 47, 0, 39])]
      const prefix = {
        address: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0x47, ...new Uint8Array(11)),
        prefixLength: 56,
      }
      const store = (parts: ReturnType<typeof story>): void => {
        parts.put(1, 1, { relay, options, origin: 3 })
        if (!v4) parts.put(2, 1, { relay, options, origin: 3, ...prefix })
      }
      const active = story(family)
      active.driver.receive(
        v4 ? framed(message4(1, 5, [...option4(53, [16]), ...asks])) : framed(message6(22, 5, asks)),
      )
      active.driver.fresh()
      store(active)
      active.grew()
      const bulk = story(family, { service: { bulkEnabled: true } })
      store(bulk)
      bulk.driver.receive(
        v4
          ? framed(message4(1, 5, [...option4(53, [14]), ...asks]))
          : framed(
              message6(14, 5, [
                ...asks,
                ...option6(44, [4, ...new Uint8Array(16), ...option6(6, [0, 47, 0, 39])]),
              ]),
            ),
      )
      const about = (frame: Uint8Array): unknown => {
        if (!v4) return decodeMessage6(frame.subarray(2)).options.clientData
        const { options, ...header } = decodeMessage4(frame.subarray(2))
        // It goes into the first answer to a query only, which of an active one is the acceptance.
        return { ...header, options: { ...options, serverIdentifier: undefined } }
      }
      const [fromActive] = active.driver.fresh()
      const [fromBulk] = bulk.driver.fresh()
      assert.deepEqual(about(fromActive!), about(fromBulk!))
      assert.deepEqual(family.read(fromActive!).bindings.length, v4 ? 1 : 2)
    })

    both([], '7653-9.3-05', () => {
      const { driver, put, replies } = story(family)
      for (let n = 1; n <= 3; n++) put(n, n)
      driver.receive(family.query(START))
      assert.deepEqual(
        replies().map(({ type, bindings }) => [type, bindings.length]),
        [
          [15, 1],
          [17, 1],
          [17, 1],
          [17, 0],
        ],
      )
    })

    both([], ['7653-6.2.3-02', '7653-6.2.3-01'], () => {
      const { driver, put, grew, replies } = story(family)
      for (let n = 1; n <= 3; n++) put(n, n)
      driver.receive(family.query(START))
      for (let n = 0; n < 600; n += 60) {
        driver.pass(60)
        put(4, 4)
        grew()
      }
      const all = replies()
      assert.deepEqual(
        all.map(({ type }) => type),
        [15, ...all.slice(1).map(() => 17)],
      )
      assert.equal(all[0]!.bindings.length, 1)
      assert.ok(all.length > 10)
    })
  })

  describe(`Active Leasequery, DHCPv${family.family}: catch-up phase and changes`, () => {
    const live = ({ bindings }: Reply) => bindings.map((text) => text.split(' ')[0])

    both('7724-7.4.1-01', [], () => {
      const { driver, put, grew, replies } = story(family)
      put(9, 9)
      driver.time.pass(10)
      const since = driver.time.now
      for (const n of [1, 2, 3]) put(n, n)
      driver.receive(family.query(since))
      put(4, 4)
      grew()
      assert.deepEqual(
        replies().map((reply) => reply.status ?? live(reply)[0]),
        ['192.0.2.1', '192.0.2.2', '192.0.2.3', 'CatchUpComplete', '192.0.2.4'],
      )
    })

    both('7724-8.2-08', [], () => {
      const { driver, put } = story(family)
      driver.time.pass(10)
      put(1, 1)
      const at = driver.time.now
      driver.time.pass(10)
      const caughtUpWith = (since: number): string[] => {
        const again = story(family)
        again.driver.index.put(family.binding(1, 1), at)
        again.driver.time.pass(20)
        again.driver.receive(family.query(since))
        return again.told()
      }
      assert.equal(caughtUpWith(at).length, 1)
      assert.equal(caughtUpWith(at + 1).length, 0)
    })

    both('7724-7.4.1-06', '7653-8.4.1-06', () => {
      const { driver, put, replies } = story(family, { limits: { batchChanges: 7 } })
      for (let n = 1; n <= 250; n++) put(n, n)
      driver.time.pass(10)
      const since = driver.time.now
      for (let n = 1; n <= 250; n++) put(n, n, n % 5 === 0 ? ended : {})
      for (let n = 1; n <= 250; n += 3) put(n, n, n % 2 === 0 ? ended : {})
      for (let n = 1; n <= 250; n += 9) put(n, n + 1)
      driver.receive(family.query(since))
      const last = new Map<string, string>()
      for (const { bindings } of replies())
        for (const text of bindings) {
          const [address, ...rest] = text.split(' ')
          last.set(address!, rest.at(-1)!)
        }
      assert.equal(last.size, 250)
      const states = driver.index.bindings.map(({ address, state }) => [
        address.at(-1),
        state === BindingState.active ? 'live' : 'ended',
      ])
      assert.equal(states.length, 250)
      for (const [n, state] of states) {
        const name = v4 ? `192.0.2.${n}` : `2001:db8::${n!.toString(16)}`
        assert.equal(last.get(name), state, name)
      }
    })

    both('7724-8.2-14', [], () => {
      const { driver, put, grew, replies } = story(family)
      driver.receive(family.query())
      replies()
      for (const n of [1, 2, 3, 4]) put(n, n)
      grew()
      replies()
      const { released, expired, reset, abandoned } = BindingState
      for (const [i, state] of [released, expired, reset, abandoned].entries()) {
        put(i + 1, i + 1, { state })
        grew()
        // The store may forget it at once.
        driver.index.prune()
        const [reply, ...more] = replies()
        assert.deepEqual([reply?.type, live(reply!)], [11, [`192.0.2.${i + 1}`]])
        assert.deepEqual(more, [])
      }
    })

    both('7724-5.3-02', '7653-6.4-01', () => {
      const { driver, replies } = story(family, { limits: { activeIdleSeconds: 90, activeSendSeconds: 200 } })
      driver.receive(family.query())
      replies()
      driver.pass(89)
      assert.equal(replies().length, 0)
      driver.pass(1)
      assert.equal(replies().length, 1)
      driver.reading = false
      driver.pass(90 + 199)
      assert.notEqual(driver.session.phase, 'closed')
      driver.pass(1)
      assert.equal(driver.closed?.reason, 'blocked')
    })
  })

  describe(`Active Leasequery, DHCPv${family.family}: errors and ends`, () => {
    both('7724-8.4-04', ['7653-9.5-02', '7653-9.3-03'], () => {
      // The history is gone that an active query still needs.
      const { driver, put, grew, replies } = story(family)
      driver.receive(family.query())
      driver.reading = false
      put(1, 1)
      grew()
      put(2, 2, ended)
      driver.index.prune()
      driver.reading = true
      driver.grew()
      driver.settle()
      const last = replies().at(-1)!
      assert.deepEqual([last.type, last.status, last.xid], [v4 ? 17 : 16, 'QueryTerminated', xid])
      assert.equal(driver.closed?.reason, 'terminated')

      // And one that a Bulk query needs.
      const bulk = story(family, { service: { bulkEnabled: true } })
      bulk.driver.sliceFinds = 1
      for (let n = 1; n <= 5; n++) bulk.put(n, n)
      bulk.put(6, 6, ended)
      bulk.driver.tell({ type: 'bytes', data: family.bulk(9) })
      bulk.driver.answer()
      bulk.driver.answer()
      bulk.driver.take()
      bulk.driver.tell({ type: 'terminate', text: 'the leases are lost' })
      const ends = bulk.replies().at(-1)!
      assert.deepEqual([ends.type, ends.status], [v4 ? 15 : 16, 'QueryTerminated'])
      assert.equal(bulk.driver.closed?.reason, 'terminated')
    })

    both([], '7653-9.3-04', () => {
      const refused = story(family)
      refused.driver.receive(query(option6(44, [3, ...new Uint8Array(16)])))
      assert.deepEqual(refused.statuses(), ['MalformedQuery'])
      assert.equal(refused.driver.closed?.reason, 'refused')

      const late = story(family)
      late.driver.receive(family.query())
      late.driver.receive(Uint8Array.of(0, 0))
      assert.equal(late.statuses().at(-1), 'QueryTerminated')
      assert.ok(late.driver.closed)

      const { driver, put, grew, statuses, told } = story(family)
      driver.index.horizon = START + 1
      driver.receive(family.query(START))
      assert.deepEqual(statuses(), ['DataMissing'])
      put(1, 1)
      grew()
      assert.equal(told().length, 1)
    })

    both('7724-9-02', ['7653-9.2-02', '7653-9.2-03'], () => {
      const service = { activeEnabled: false, bulkEnabled: true }
      const bulk = story(family, { service })
      bulk.driver.receive(family.bulk(9))
      assert.deepEqual(bulk.statuses(), [undefined])
      assert.equal(bulk.driver.closed, undefined)
      const { driver } = story(family, { service })
      driver.receive(family.query())
      const frames = driver.fresh()
      if (v4) assert.deepEqual(frames, [])
      else {
        const { type, xid: id, options } = decodeMessage6(frames[0]!.subarray(2))
        assert.deepEqual([frames.length, type, id, options.status?.code], [1, 15, xid, 14])
        assert.ok(options.clientId && options.serverId)
        assert.equal(options.clientData, undefined)
      }
      assert.equal(driver.closed?.abort, false)
    })

    both('7724-7.5-01', '7653-8.7-01', () => {
      // The requestor's end, in the middle of what it is told; a session that still has to speak is not asked any more.
      const { driver, put } = story(family, { limits: { batchChanges: 1 } })
      for (let n = 1; n <= 9; n++) put(n, n)
      driver.reading = false
      driver.receive(family.query(START))
      driver.tell({ type: 'ended' })
      assert.deepEqual([driver.closed?.reason, driver.closed?.abort], ['requestor-closed', true])
      const sent = driver.sent.length
      driver.grew()
      driver.settle()
      assert.equal(driver.sent.length, sent)
      // Ours, likewise.
      const ours = story(family)
      ours.driver.receive(family.query())
      ours.driver.tell({ type: 'terminate', text: 'stop' })
      assert.equal(ours.driver.closed?.reason, 'terminated')
    })
  })
}
