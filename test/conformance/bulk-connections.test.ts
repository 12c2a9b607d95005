// Bulk queries on a connection, the same for both families: several at a time, limits, timers, ends; on simulated time.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Driver, type Setup, START } from '../session/driver.ts'
import { type FamilyUnderTest, families, type Reply } from '../session/families.ts'
import { concat } from '../wire/bytes.ts'
import { shows } from './rows.ts'

function server(family: FamilyUnderTest, setup: Partial<Setup> = {}) {
  const driver = new Driver(family.dialect, { ...setup, service: { bulkEnabled: true, ...setup.service } })
  const replies = (): Reply[] => driver.fresh().map((frame) => family.read(frame))
  return {
    driver,
    replies,
    put(count: number): void {
      for (let n = 1; n <= count; n++) driver.index.put(family.binding(n, n), driver.time.now)
    },
    /** Hands octets over; nothing is answered yet. */
    send: (...frames: Uint8Array[]) => driver.tell({ type: 'bytes', data: concat(...frames) }),
    /** The requestor takes what there is, and the shell answers once. False: nothing was waited for. */
    step: (): boolean => {
      const moved = driver.take()
      return driver.answer() || moved
    },
  }
}

for (const family of families) {
  const v4 = family.family === 4
  const last = v4 ? 15 : 16
  const { bulk } = family
  const ends = (replies: readonly Reply[]): number[] =>
    replies.filter(({ type, status }) => type === last || status !== undefined).map(({ xid }) => xid)

  describe(`Bulk Leasequery, DHCPv${family.family}: several queries on a connection`, () => {
    shows(v4 ? '6926-8.4-01' : '5460-7.3-01', () => {
      const { driver, put, replies } = server(family)
      put(3)
      for (const xid of [1, 2, 3]) {
        driver.receive(bulk(xid))
        const all = replies()
        assert.equal(all.length, 4)
        assert.ok(all.every((reply) => reply.xid === xid))
        driver.pass(200)
      }
      assert.equal(driver.closed, undefined)
    })

    shows(v4 ? '6926-7.7-04' : '5460-6.5-02', () => {
      const { driver, put, send, replies } = server(family)
      put(10)
      send(bulk(1))
      driver.answer()
      driver.answer()
      driver.take()
      send(bulk(2))
      driver.settle()
      const xids = replies().map(({ xid }) => xid)
      assert.deepEqual(xids.slice(0, 2), [1, 1])
      const second = xids.indexOf(2)
      assert.ok(second > 0 && second < xids.lastIndexOf(1), xids.join(' '))
      assert.equal(xids.filter((xid) => xid === 1).length, 11)
      assert.equal(xids.filter((xid) => xid === 2).length, 11)
    })

    shows(v4 ? ['6926-7.7-03', '6926-8.4-02'] : '5460-7.3-02', () => {
      const { driver, put, send, step, replies } = server(family, { limits: { maxBulkQueries: 2 } })
      put(6)
      send(...Array.from({ length: 50 }, (_, i) => bulk(i + 1)))
      assert.equal(driver.paused, true, 'nothing further is read from the connection')
      const seen: Reply[] = []
      let most = 0
      while (step()) {
        most = Math.max(most, driver.scans.size)
        seen.push(...replies())
        const begun = new Set(seen.map(({ xid }) => xid)).size
        assert.ok(begun - ends(seen).length <= 2, `${begun} begun, ${ends(seen).length} ended`)
      }
      assert.equal(most, 2)
      assert.deepEqual(
        ends(seen).sort((a, b) => a - b),
        Array.from({ length: 50 }, (_, i) => i + 1),
      )
      assert.equal(driver.paused, false)
    })

    shows(v4 ? '6926-6.1-01' : '5460-5.1-01', () => {
      const octets = concat(bulk(1), bulk(2), bulk(3))
      const run = (pieces: Uint8Array[]): unknown => {
        const { driver, put } = server(family)
        put(5)
        for (const data of pieces) driver.tell({ type: 'bytes', data })
        driver.settle()
        for (const { octets } of driver.sent) assert.equal(octets[0]! * 256 + octets[1]!, octets.length - 2)
        return driver.sent
      }
      const whole = run([octets])
      fc.assert(
        fc.property(fc.array(fc.nat(octets.length), { maxLength: 6 }), (places) => {
          const at = [0, ...places.sort((a, b) => a - b), octets.length]
          assert.deepEqual(run(at.slice(1).map((to, i) => octets.slice(at[i]!, to))), whole)
        }),
      )
    })

    it('ends all with QueryTerminated and closes where a transaction-id is that of a query under way', () => {
      const { driver, put, send, replies } = server(family)
      put(3)
      send(bulk(1), bulk(2), bulk(1))
      assert.deepEqual(
        replies().map(({ xid, status }) => [xid, status]),
        [
          [1, 'QueryTerminated'],
          [2, 'QueryTerminated'],
        ],
      )
      assert.equal(driver.closed?.reason, 'protocol-error')
    })

    it('goes on with the others where one fails', () => {
      const { driver, put, replies, send } = server(family)
      put(3)
      send(bulk(1))
      driver.answer()
      driver.refusing = 'no room'
      send(bulk(2))
      driver.answer()
      driver.settle()
      const all = replies()
      assert.equal(all.filter(({ xid }) => xid === 1).length, 4)
      assert.deepEqual(
        all.filter(({ xid }) => xid === 2).map(({ status }) => status),
        ['QueryTerminated'],
      )
      assert.equal(driver.closed, undefined)
    })

    it('closes a requestor whose queries are refused again and again, with a line for each', () => {
      const { driver, send } = server(family, { limits: { maxRefusals: 5 } })
      const bad = v4
        ? concat(bulk(1).subarray(0, 14), [192, 0, 2, 1], bulk(1).subarray(18))
        : bulk(1).with(2 + 4 + 4 + 10 + 4, 99)
      for (let i = 0; i < 9; i++) {
        send(bad)
        driver.settle()
      }
      assert.equal(driver.notes.filter(({ event }) => event === 'query-refused').length, 5)
      assert.equal(driver.closed?.reason, 'refused')
    })

    it('says in the log who asked what, and how many addresses were told', () => {
      const { driver, put } = server(family)
      put(3)
      driver.receive(bulk(0x12))
      const xid = v4 ? '00000012' : '000012'
      assert.deepEqual(driver.notes, [
        { event: 'bulk-started', xid, by: 'all', since: undefined, until: undefined },
        { event: 'bulk-done', xid, by: 'all', bindings: 3, messages: 3, seconds: 0 },
      ])
    })
  })

  describe(`Bulk Leasequery, DHCPv${family.family}: beside Active Leasequery`, () => {
    it('leaves an active query unread until the Bulk queries are done, then follows changes', () => {
      const { driver, put, send, replies } = server(family)
      put(3)
      send(bulk(1), family.query(undefined, 7), bulk(2))
      assert.equal(driver.paused, true)
      driver.answer()
      driver.answer()
      driver.take()
      assert.ok(replies().every(({ xid }) => xid === 1))
      driver.settle()
      const all = replies()
      assert.equal(all[0]?.xid, 1)
      // The Bulk query behind it came on a connection with an active query (RFC 7724 section 8.3, RFC 7653 section 9.4).
      assert.deepEqual(
        all.filter(({ xid }) => xid === 2).map(({ status }) => status),
        ['NotAllowed'],
      )
      assert.ok(all.some(({ xid }) => xid === 7))
      assert.ok(driver.closed)
    })

    it('goes from Bulk to Active and tells of changes since the base-time', () => {
      const { driver, put, replies } = server(family)
      put(2)
      driver.receive(bulk(1))
      const since = driver.time.now
      replies()
      driver.time.pass(10)
      driver.index.put(family.binding(9, 9), driver.time.now)
      driver.receive(family.query(since, 2))
      assert.equal(driver.session.phase, 'live')
      assert.ok(
        replies().some(({ bindings }) => bindings.some((one) => one.includes(v4 ? '192.0.2.9' : '::9'))),
      )
    })

    it('refuses a Bulk query while an active one runs, and closes (RFC 7724 section 8.3, RFC 7653 section 9.4)', () => {
      const { driver, replies } = server(family)
      driver.receive(family.query(undefined, 1))
      replies()
      driver.receive(bulk(2))
      assert.deepEqual(
        replies().map(({ xid, status }) => [xid, status]),
        [
          [2, 'NotAllowed'],
          [1, 'QueryTerminated'],
        ],
      )
      assert.ok(driver.closed)
    })

    it('serves no Bulk query in clear text where TLS is required', () => {
      const { driver, put } = server(family, { tls: { mode: 'required', ready: true } })
      put(1)
      driver.receive(bulk(1))
      assert.deepEqual(driver.fresh(), [])
      assert.equal(driver.closed?.reason, 'no-tls')
    })
  })

  describe(`Bulk Leasequery, DHCPv${family.family}: timers and ends`, () => {
    shows(v4 ? '6926-8.5-02' : '5460-7.1-06', () => {
      const { driver, put } = server(family)
      put(1)
      driver.receive(bulk(1).subarray(0, 9))
      driver.pass(299)
      assert.ok(isOpen(driver))
      driver.receive(bulk(1).subarray(9))
      driver.pass(299)
      driver.receive(bulk(2))
      driver.pass(299)
      assert.ok(isOpen(driver))
      driver.receive(bulk(3).subarray(0, 20))
      driver.pass(1)
      assert.equal(driver.closed?.reason, 'idle')
      assert.equal(driver.closed?.abort, false)
    })

    shows(v4 ? '6926-8.1-07' : '5460-7.1-06', () => {
      const { driver } = server(family)
      driver.receive(bulk(1).subarray(0, 20))
      driver.pass(300)
      assert.equal(driver.closed?.reason, 'idle')
    })

    shows(v4 ? '6926-8.2-01' : '5460-7.2-01', () => {
      const { driver, put, send } = server(family)
      put(9)
      driver.reading = false
      send(bulk(1))
      driver.settle()
      const sent = driver.sent.length
      assert.ok(sent > 0 && sent <= 2, 'one slice, and no more until it is taken')
      driver.pass(250)
      driver.tell({ type: 'progress' })
      driver.pass(299)
      assert.ok(isOpen(driver), 'as long as anything moves')
      driver.pass(1)
      assert.deepEqual([driver.closed?.reason, driver.closed?.abort], ['blocked', true])
      assert.equal(driver.sent.length, sent)
    })

    it('waits without a limit of its own while the shell waits for a walk', () => {
      const { driver, put, send, replies } = server(family)
      put(1)
      send(bulk(1))
      driver.pass(1000)
      assert.ok(isOpen(driver))
      driver.settle()
      assert.equal(replies().length, 2)
    })

    it('reads no further queries of a requestor that does not take its answers', () => {
      const { driver, send, replies } = server(family)
      driver.reading = false
      const frames = Array.from({ length: 20 }, (_, i) => bulk(i + 1))
      send(...frames)
      driver.settle()
      assert.ok(driver.paused)
      const most = replies().length
      assert.ok(most <= 4, `${most} answers`)
      driver.reading = true
      driver.settle()
      assert.equal(replies().length + most, 20)
    })

    const halfClosed = () => {
      const { driver, put, send, replies } = server(family, { limits: { maxBulkQueries: 1 } })
      put(5)
      send(bulk(1), bulk(2))
      driver.tell({ type: 'ended' })
      driver.settle()
      assert.deepEqual(ends(replies()), [1, 2])
      assert.deepEqual([driver.closed?.reason, driver.closed?.abort], ['requestor-closed', false])
    }
    if (v4)
      it(
        'answers what was asked before the requestor closed its end, then closes (RFC 6926 section 8.5)',
        halfClosed,
      )
    else shows('5460-7.4-01', halfClosed)

    it('follows no changes for a requestor that has closed its end', () => {
      const { driver, put, send } = server(family)
      put(2)
      send(bulk(1), family.query(START, 2))
      driver.tell({ type: 'ended' })
      driver.settle()
      assert.equal(driver.closed?.reason, 'requestor-closed')
      assert.equal(driver.notes.filter(({ event }) => event === 'query-started').length, 0)
    })

    it('tells each query under way that it is terminated, and why, when the server stops', () => {
      const { driver, put, send, replies } = server(family)
      put(9)
      send(bulk(1), bulk(2), bulk(3))
      for (let i = 0; i < 4; i++) driver.answer()
      replies()
      driver.tell({ type: 'terminate', text: 'stop' })
      const all = replies()
      assert.deepEqual(
        all.map(({ xid, status }) => [xid, status]),
        [1, 2, 3].map((xid) => [xid, 'QueryTerminated']),
      )
      assert.equal(all[0]?.type, last)
      assert.deepEqual([driver.closed?.reason, driver.closed?.abort], ['terminated', false])
    })
  })

  describe(`Bulk Leasequery, DHCPv${family.family}: hostile input`, () => {
    it('answers or closes, whatever the octets are', () => {
      const good = bulk(1)
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
          (changes) => {
            const { driver, put } = server(family)
            put(2)
            const octets = Uint8Array.from(good)
            for (const [at, value] of changes) octets[at] = value
            driver.receive(concat(octets, bulk(2)))
            driver.pass(1000)
            assert.ok(driver.closed !== undefined)
          },
        ),
      )
    })
  })

  describe(`Bulk Leasequery, DHCPv${family.family}: what all answers together say`, () => {
    it('is the truth where nothing changes, and covers what was there throughout where something does', () => {
      const step = fc.record({
        n: fc.integer({ min: 1, max: 30 }),
        client: fc.integer({ min: 1, max: 4 }),
        ended: fc.boolean(),
        answers: fc.integer({ min: 0, max: 3 }),
      })
      fc.assert(
        fc.property(
          fc.array(step, { maxLength: 40 }),
          fc.array(step, { maxLength: 40 }),
          fc.nat(5),
          (before, during, slice) => {
            const { driver, send, replies } = server(family)
            driver.sliceFinds = 1 + slice
            const put = ({ n, client, ended }: { n: number; client: number; ended: boolean }) =>
              driver.index.put(family.binding(n, client, ended ? { state: 4 } : {}), driver.time.now)
            for (const one of before) put(one)
            const held = new Set(
              driver.index.bindings.filter(({ state }) => state === 2).map(({ address }) => String(address)),
            )
            send(bulk(1))
            const touched = new Set<string>()
            for (const one of during) {
              put(one)
              if (one.ended) touched.add(String(family.binding(one.n, 1).address))
              for (let i = 0; i < one.answers; i++) {
                driver.take()
                driver.answer()
              }
            }
            driver.settle()
            const live = replies().flatMap(({ bindings }) => bindings.filter((one) => one.endsWith(' live')))
            const names = live.map((one) => one.split(' ')[0]!)
            for (const { address } of driver.index.bindings) {
              if (!held.has(String(address)) || touched.has(String(address))) continue
              const name = nameOf(family, address)
              assert.ok(names.includes(name), `${name} was held throughout`)
            }
            if (v4) assert.equal(new Set(names).size, names.length)
            if (during.length === 0) {
              assert.equal(names.length, held.size)
              assert.equal(new Set(names).size, held.size)
            }
          },
        ),
      )
    })
  })
}

function nameOf(family: FamilyUnderTest, address: Uint8Array): string {
  return family.family === 4 ? address.join('.') : `2001:db8::${address[15]!.toString(16)}`
}

function isOpen(driver: Driver): boolean {
  return driver.closed === undefined
}
