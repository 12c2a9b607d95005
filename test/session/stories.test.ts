// What a requestor lives to see, on simulated time, the same for both families.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { BindingState } from '../../sidecar/binding.ts'
import { concat } from '../wire/bytes.ts'
import { allRights, Driver, type Setup, START } from './driver.ts'
import { type FamilyUnderTest, families, XID } from './families.ts'
import { story } from './story.ts'

const ended = { state: BindingState.released }

for (const family of families) {
  const v4 = family.family === 4
  const rfc = v4 ? 'RFC 7724' : 'RFC 7653'
  const xid = XID[family.family]
  /** LEASEQUERY-REPLY and its fellows; DHCPLEASEQUERYSTATUS. */
  const firstType = v4 ? 17 : 15
  const statusType = v4 ? 17 : 17
  const name = (n: number, client: number, state: string): string =>
    family.read(oneFrame(family, n, client)).bindings[0]!.replace(/live$/, state)

  describe(`Active Leasequery, DHCPv${family.family}: accepting a query`, () => {
    it(`${v4 ? '7724-7.3-05' : '7653-6.2.3-01'}: answers at once, with a base-time to resume from (${rfc} sections 7.3 and 8.2 / 6.2.3)`, () => {
      const { driver, replies } = story(family)
      driver.receive(family.query())
      const status = v4 ? 'ConnectionActive' : undefined
      assert.deepEqual(replies(), [{ type: firstType, xid, status, baseTime: START, bindings: [] }])
      assert.equal(driver.session.phase, 'live')
      assert.deepEqual(driver.notes[0], {
        event: 'query-started',
        xid: v4 ? '4a1c0001' : '7c0001',
        since: undefined,
      })
    })

    it('does not depend on how the query is cut into pieces', () => {
      const octets = family.query(START - 100)
      const run = (pieces: Uint8Array[]): unknown => {
        const { driver } = story(family)
        const actions = pieces.flatMap((data) => driver.tell({ type: 'bytes', data }))
        driver.settle()
        return [actions, driver.sent]
      }
      const whole = run([octets])
      fc.assert(
        fc.property(fc.array(fc.nat(octets.length), { maxLength: 6 }), (places) => {
          const at = [0, ...places.sort((a, b) => a - b), octets.length]
          assert.deepEqual(run(at.slice(1).map((to, i) => octets.slice(at[i]!, to))), whole)
        }),
      )
    })

    it('sends what changed before the query to nobody who did not ask for it', () => {
      const { driver, put, told } = story(family)
      put(1, 1)
      driver.receive(family.query())
      assert.deepEqual(told(), [])
    })

    it(
      'closes where Active Leasequery is not enabled' +
        (v4
          ? ', as for any unsupported type (RFC 7724 section 8.1.1)'
          : ', after NotSupported (RFC 7653 section 9.2)'),
      () => {
        const { driver, statuses } = story(family, { service: { activeEnabled: false } })
        driver.receive(family.query())
        assert.deepEqual(statuses(), v4 ? [] : ['NotSupported'])
        assert.equal(driver.closed?.reason, v4 ? 'protocol-error' : 'refused')
      },
    )

    it('answers NotAllowed to a requestor without the right, and closes', () => {
      const { driver, replies } = story(family, { rights: { active: false } })
      driver.receive(family.query())
      const [reply] = replies()
      assert.deepEqual([reply?.type, reply?.xid, reply?.status], [firstType, xid, 'NotAllowed'])
      assert.equal(driver.closed?.reason, 'refused')
    })

    it(`${v4 ? '7724-8.2-02 7724-8.2-03' : '7653-9.3-02'}: answers a query that cannot be understood with MalformedQuery, and closes (${rfc} section ${v4 ? '8.2' : '9.3'})`, () => {
      const { driver, replies } = story(family)
      const query = family.query(START)
      // The start time loses an octet: it is the last option in both families.
      const short = concat(query.slice(0, v4 ? -2 : -1), v4 ? [255] : [])
      short[1] = short.length - 2 - (short[0]! << 8)
      const lengthAt = short.length - (v4 ? 5 : 4)
      short[lengthAt] = 3
      driver.receive(short)
      const [reply] = replies()
      assert.deepEqual([reply?.type, reply?.xid, reply?.status], [firstType, xid, 'MalformedQuery'])
      assert.equal(driver.closed?.reason, 'refused')
      assert.deepEqual(driver.receive(family.query()).fresh(), [])
    })

    it(
      v4
        ? 'closes without an answer on DHCPBULKLEASEQUERY while Bulk is not enabled (RFC 7724 section 8.1.1)'
        : 'answers LEASEQUERY with NotAllowed while Bulk is not enabled (RFC 5460 section 7.1)',
      () => {
        const { driver, replies } = story(family)
        driver.receive(family.bulk(5))
        assert.deepEqual(
          replies().map((reply) => [reply.type, reply.xid, reply.status]),
          v4 ? [] : [[15, 5, 'NotAllowed']],
        )
        assert.ok(driver.closed)
      },
    )

    it(`closes without an answer on a type that does not belong here (${v4 ? 'RFC 7724 section 8.1.1' : 'RFC 5460 section 4'})`, () => {
      const { driver } = story(family)
      driver.receive(family.unsupported)
      assert.equal(driver.closed?.reason, 'protocol-error')
      assert.deepEqual(driver.fresh(), [])
    })

    it('closes on a size of zero', () => {
      const { driver } = story(family)
      driver.receive(Uint8Array.of(0, 0))
      assert.equal(driver.closed?.reason, 'protocol-error')
    })

    it('closes on a message above the limit before it is there', () => {
      const { driver } = story(family, { limits: { maxMessage: 1000 } })
      driver.receive(Uint8Array.of(4, 0))
      assert.match(driver.closed!.text, /1024 octets exceeds the 1000 allowed/)
    })
  })

  describe(`Active Leasequery, DHCPv${family.family}: following the index`, () => {
    it(`tells each change as it comes (${rfc} section ${v4 ? '7.3' : '8.3'})`, () => {
      const { driver, put, grew, replies } = story(family)
      driver.receive(family.query())
      replies()
      put(1, 1)
      grew()
      put(1, 1, ended)
      put(2, 2)
      grew()
      const all = replies()
      assert.deepEqual(
        all.flatMap((reply) => reply.bindings),
        [name(1, 1, 'live'), name(1, 1, 'ended'), name(2, 2, 'live')],
      )
      assert.deepEqual(new Set(all.map((reply) => reply.xid)), new Set([xid]))
      assert.deepEqual(
        all.map((reply) => reply.type),
        v4 ? [13, 11, 13] : [17, 17, 17],
      )
      assert.ok(
        all.every((reply) => reply.status === undefined),
        'no status Success without a text',
      )
    })

    it(`${v4 ? '7724-6-02 7724-6-03' : '7653-7-02'}: tells the present state of a binding that changed often while the requestor did not read (${rfc} section ${v4 ? '6' : '7'})`, () => {
      const { driver, put, grew, told } = story(family)
      driver.receive(family.query())
      told()
      driver.reading = false
      put(1, 1)
      grew()
      for (let n = 0; n < 1000; n++) {
        put(2, 1, n % 2 ? ended : {})
        grew()
      }
      put(2, 2)
      grew()
      driver.reading = true
      driver.settle()
      const last = told()
      assert.deepEqual(last.at(-1), name(2, 2, 'live'))
      assert.ok(last.length <= 4, `${last.length} messages`)
    })

    it('reads on only when the connection takes more, and only what it asked for', () => {
      const { driver, put } = story(family, { limits: { batchChanges: 2 } })
      driver.receive(family.query())
      driver.fresh()
      driver.reading = false
      for (let n = 1; n <= 5; n++) put(n, n)
      driver.grew()
      driver.settle()
      assert.equal(driver.fresh().length, 2)
      driver.grew()
      driver.settle()
      assert.equal(driver.fresh().length, 0)
      driver.take()
      driver.settle()
      assert.equal(driver.fresh().length, 2)
      driver.reading = true
      driver.settle()
      assert.equal(driver.fresh().length, 1)
    })

    it('gives a base-time that no unsent change is older than', () => {
      const { driver, put, replies } = story(family, { limits: { batchChanges: 2 } })
      driver.receive(family.query())
      replies()
      for (let n = 1; n <= 3; n++) {
        driver.time.pass(10)
        put(n, n)
      }
      driver.time.pass(10)
      driver.grew()
      driver.settle()
      // Each message: no later than the change behind it; the last: now, for nothing is left.
      assert.deepEqual(
        replies().map((reply) => reply.baseTime),
        [START + 20, START + 30, START + 40],
      )
    })

    it('holds base-times when the clock is set back', () => {
      const { driver, put, grew, replies } = story(family)
      driver.pass(100)
      driver.receive(family.query())
      driver.time.step(-1000)
      put(1, 1)
      grew()
      assert.deepEqual(
        replies().map((reply) => reply.baseTime),
        [START + 100, START + 100],
      )
    })
  })

  describe(`Active Leasequery, DHCPv${family.family}: keepalive (${rfc} section ${v4 ? '7.4' : '8.4'})`, () => {
    const status = v4 ? 'ConnectionActive' : undefined

    it(`${v4 ? '7724-7.4-01 7724-8.2-13' : '7653-8.4-03 7653-9.3-13'}: comes each 60 s of silence, and no query ends by itself`, () => {
      const { driver, replies } = story(family)
      driver.receive(family.query())
      replies()
      driver.pass(59)
      assert.deepEqual(replies(), [])
      driver.pass(1)
      assert.deepEqual(replies(), [{ type: statusType, xid, status, baseTime: START + 60, bindings: [] }])
      driver.pass(1740)
      assert.equal(replies().length, 29)
      assert.notEqual(driver.session.phase, 'closed')
    })

    it(`${v4 ? '7724-7.4-02' : '7653-8.4-04'}: does not come while bindings keep the connection busy`, () => {
      const { driver, put, grew, replies } = story(family)
      driver.receive(family.query())
      replies()
      for (let n = 1; n <= 18; n++) {
        driver.pass(10)
        put(n, n)
        grew()
      }
      assert.ok(replies().every((reply) => reply.bindings.length === 1))
    })

    it('comes as often as the requestor was promised', () => {
      const { driver, replies } = story(family, { rights: { keepaliveSeconds: 90 } })
      driver.receive(family.query())
      replies()
      driver.pass(180)
      assert.deepEqual(
        replies().map((reply) => reply.baseTime),
        [START + 90, START + 180],
      )
    })

    it('looks into the index first, so that its base-time is never later than a change nobody has announced yet', () => {
      const { driver, put, replies } = story(family)
      driver.receive(family.query())
      replies()
      driver.time.pass(59)
      put(1, 1)
      driver.pass(1)
      const [reply, ...more] = replies()
      assert.deepEqual(reply?.bindings, [name(1, 1, 'live')])
      assert.deepEqual(more, [])
    })
  })

  describe(`Active Leasequery, DHCPv${family.family}: catch-up phase (${rfc} section ${v4 ? '7.4.1' : '8.4.1'})`, () => {
    it('tells what changed at the start time or later, then CatchUpComplete, then what changes', () => {
      const { driver, put, grew, replies } = story(family)
      put(1, 1)
      driver.time.pass(10)
      put(2, 2)
      driver.time.pass(10)
      put(3, 3, ended)
      driver.time.pass(10)
      driver.receive(family.query(START + 10))
      put(4, 4)
      grew()
      const all = replies()
      assert.deepEqual(
        all.map((reply) => reply.status ?? reply.bindings[0]),
        [name(2, 2, 'live'), name(3, 3, 'ended'), 'CatchUpComplete', name(4, 4, 'live')],
      )
      if (!v4)
        assert.deepEqual(
          all.map((reply) => reply.type),
          [15, 17, 17, 17],
        )
      // In the catch-up phase base-time is the present.
      assert.deepEqual(
        all.map((reply) => reply.baseTime),
        [START + 30, START + 30, START + 30, START + 30],
      )
      assert.deepEqual(driver.notes.at(-1), {
        event: 'caught-up',
        xid: v4 ? '4a1c0001' : '7c0001',
        messages: 2,
      })
    })

    it(`${v4 ? '7724-8.2-09' : '7653-9.3-10'}: is complete at once when nothing changed`, () => {
      const { driver, replies } = story(family)
      driver.receive(family.query(START))
      assert.deepEqual(
        replies().map((reply) => [reply.type, reply.status]),
        v4
          ? [[17, 'CatchUpComplete']]
          : [
              [15, undefined],
              [17, 'CatchUpComplete'],
            ],
      )
    })

    it(`${v4 ? '7724-7.4.1-05: ' : ''}ends exactly where the newest change at the time of the query is passed`, () => {
      const { driver, put, replies } = story(family)
      for (let n = 1; n <= 4; n++) put(n, n)
      driver.tell({ type: 'bytes', data: family.query(START) })
      driver.answer()
      // While it waits for its turn, one of the four changes again and a fifth comes.
      driver.time.pass(7)
      put(2, 2)
      put(5, 5)
      driver.settle()
      assert.deepEqual(
        replies().map((reply) => reply.status ?? reply.bindings[0]),
        [
          name(1, 1, 'live'),
          name(3, 3, 'live'),
          name(4, 4, 'live'),
          'CatchUpComplete',
          name(2, 2, 'live'),
          name(5, 5, 'live'),
        ],
      )
    })

    it('is followed by base-times that hold back for what has changed meanwhile', () => {
      const { driver, put, replies } = story(family)
      put(1, 1)
      driver.tell({ type: 'bytes', data: family.query(START) })
      driver.answer()
      driver.time.pass(7)
      put(2, 2)
      driver.time.pass(3)
      driver.settle()
      assert.deepEqual(
        replies().map((reply) => [reply.status, reply.baseTime]),
        [
          [undefined, START + 10],
          ['CatchUpComplete', START],
          [undefined, START + 10],
        ],
      )
    })

    it(`${v4 ? '7724-7.4.1-03' : '7653-8.4.1-02'}: ends with DataMissing at once, base-time now, where the history is too short; the connection lives on`, () => {
      const { driver, put, grew, replies } = story(family)
      put(1, 1)
      driver.index.horizon = START + 5
      driver.time.pass(20)
      driver.receive(family.query(START + 4))
      put(2, 2)
      grew()
      const all = replies()
      assert.deepEqual(
        all.map((reply) => [reply.type, reply.status ?? reply.bindings[0], reply.baseTime]),
        [
          [firstType, 'DataMissing', START + 20],
          [v4 ? 13 : 17, name(2, 2, 'live'), START + 20],
        ],
      )
      driver.pass(600)
      assert.ok(replies().every((reply) => reply.status !== 'CatchUpComplete'))
      assert.notEqual(driver.session.phase, 'closed')
    })

    it('begins at the horizon itself', () => {
      const { driver, statuses } = story(family)
      driver.index.horizon = START + 5
      driver.time.pass(20)
      driver.receive(family.query(START + 5))
      assert.equal(statuses().at(-1), 'CatchUpComplete')
    })

    it('ends with DataMissing for a start time that only another clock can have given', () => {
      for (const [ahead, status] of [
        [5, 'CatchUpComplete'],
        [6, 'DataMissing'],
      ] as const) {
        const { driver, statuses } = story(family)
        driver.receive(family.query(START + ahead))
        assert.equal(statuses().at(-1), status)
      }
    })

    it('judges the future by L, not by a clock that was set back', () => {
      const { driver, statuses } = story(family)
      driver.time.pass(3600)
      void driver.time.now
      driver.time.step(-3600)
      driver.receive(family.query(START + 3600))
      assert.equal(statuses().at(-1), 'CatchUpComplete')
    })

    it(`${v4 ? '7724-7.4.1-04' : '7653-8.4.1-03'}: ends with DataMissing when pruning overtakes it, and goes on with live changes only`, () => {
      const { driver, put, grew, replies } = story(family)
      put(1, 1)
      put(2, 2, ended)
      put(3, 3)
      put(5, 5)
      driver.reading = false
      driver.tell({ type: 'bytes', data: family.query(START) })
      driver.answer()
      driver.answer(1)
      assert.deepEqual(driver.notes[0], {
        event: 'query-started',
        xid: v4 ? '4a1c0001' : '7c0001',
        since: START,
      })
      driver.index.prune()
      driver.time.pass(9)
      driver.reading = true
      driver.settle()
      put(4, 4)
      grew()
      assert.deepEqual(
        replies().map((reply) => [reply.status ?? reply.bindings[0], reply.baseTime]),
        [
          [name(1, 1, 'live'), START],
          ['DataMissing', START + 9],
          [name(4, 4, 'live'), START + 9],
        ],
      )
      assert.equal(driver.notes.filter((note) => note.event === 'data-missing').length, 1)
    })

    it('once over, pruning that overtakes ends the query with QueryTerminated and a base-time to come back with', () => {
      const { driver, put, grew, replies } = story(family)
      driver.receive(family.query())
      replies()
      driver.reading = false
      put(1, 1)
      grew()
      driver.time.pass(5)
      put(2, 2, ended)
      driver.index.prune()
      driver.time.pass(5)
      driver.grew()
      driver.reading = true
      driver.settle()
      const last = replies().at(-1)!
      assert.equal(last.type, v4 ? 17 : 16)
      assert.equal(last.status, 'QueryTerminated')
      assert.ok(last.baseTime! < driver.index.horizon, 'coming back with it gets DataMissing')
      assert.equal(driver.closed?.reason, 'terminated')
    })
  })

  describe(`Active Leasequery, DHCPv${family.family}: a requestor that takes less than what changes`, () => {
    const limits = { batchChanges: 1, activeLagSeconds: 100 }

    /** Each second a change comes, and every fourth second the requestor takes one message. */
    function slow(seconds: number, changed: Partial<Setup['limits']> = {}) {
      const parts = story(family, { limits: { ...limits, ...changed } })
      const { driver, put, replies } = parts
      driver.receive(family.query())
      driver.reading = false
      for (let n = 1; n <= seconds && driver.closed === undefined; n++) {
        driver.time.pass(1)
        put(n % 250, n % 250)
        driver.grew()
        if (n % 4 === 0) driver.take()
        driver.answer()
      }
      return { driver, all: replies() }
    }

    it('is ended with QueryTerminated and its held base-time once the oldest unsent change is too old', () => {
      const { driver, all } = slow(250)
      const last = all.at(-1)!
      assert.equal(last.status, 'QueryTerminated')
      assert.equal(driver.closed?.reason, 'terminated')
      assert.match(driver.closed!.text, /^it lags 10\d s behind the changes, over the 100 s allowed$/)
      assert.equal(driver.notes.filter(({ event }) => event === 'query-terminated').length, 1)
      // It comes back with the second of the first change that it was not told.
      const told = all.filter(({ bindings }) => bindings.length > 0).length
      assert.equal(last.baseTime, START + told + 1)
    })

    it('goes on where there is no limit, and in the catch-up phase, where all is old', () => {
      assert.equal(slow(250, { activeLagSeconds: 0 }).driver.closed, undefined)
      const { driver, put, statuses } = story(family, { limits })
      for (let n = 1; n <= 5; n++) put(n, n)
      driver.time.pass(1000)
      driver.receive(family.query(START))
      assert.equal(statuses().at(-1), 'CatchUpComplete')
      assert.equal(driver.session.phase, 'live')
    })

    it('is also found out while octets trickle', () => {
      const { driver, put } = story(family, { limits })
      driver.receive(family.query())
      driver.reading = false
      put(1, 1)
      put(2, 2)
      driver.grew()
      driver.answer()
      driver.take()
      driver.answer()
      driver.time.pass(101)
      driver.tell({ type: 'progress' })
      assert.equal(driver.session.phase, 'live', 'all that it is owed has been sent')
      put(3, 3)
      driver.grew()
      driver.tell({ type: 'progress' })
      assert.equal(driver.closed?.reason, 'terminated')
    })
  })

  describe(`Active Leasequery, DHCPv${family.family}: how it ends`, () => {
    it(`refuses a second query on the connection, ends the first, and closes (${rfc} section ${v4 ? '8.3' : '9.4'})`, () => {
      const { driver, replies } = story(family)
      driver.receive(family.query())
      replies()
      driver.receive(family.query(undefined, 77))
      assert.deepEqual(
        replies().map((reply) => [reply.xid, reply.status]),
        [
          [77, 'NotAllowed'],
          [xid, 'QueryTerminated'],
        ],
      )
      assert.equal(driver.closed?.reason, 'refused')
    })

    it('refuses a second query also when it comes in one piece with the first', () => {
      const { driver, statuses } = story(family)
      driver.receive(concat(family.query(), family.query(undefined, 77)))
      assert.deepEqual(statuses(), ['NotAllowed', 'QueryTerminated'])
      assert.ok(driver.closed)
    })

    it(`${v4 ? '7724-7.4-08 7724-7.4-09 7724-8.4-05' : '7653-8.4-06 7653-8.4-07 7653-9.5-03'}: ends with QueryTerminated, base-time and text as its last message (${rfc} section ${v4 ? '7.4' : '8.4'})`, () => {
      const { driver, put, replies } = story(family)
      driver.receive(family.query())
      replies()
      driver.pass(10)
      driver.tell({ type: 'terminate', text: 'the server stops' })
      put(1, 1)
      driver.tell({ type: 'index-grew' })
      driver.settle()
      const [last, ...more] = replies()
      assert.deepEqual([last?.type, last?.status, last?.baseTime], [v4 ? 17 : 16, 'QueryTerminated', START])
      assert.deepEqual(more, [])
      assert.deepEqual(driver.closed, {
        type: 'close',
        reason: 'terminated',
        text: 'the server stops',
        abort: false,
      })
    })

    it('ends with QueryTerminated also before the first reply', () => {
      const { driver, replies } = story(family)
      driver.tell({ type: 'bytes', data: family.query() })
      driver.tell({ type: 'terminate', text: 'the server stops' })
      assert.deepEqual(
        replies().map((reply) => [reply.type, reply.status]),
        [[firstType, 'QueryTerminated']],
      )
    })

    it('signals the end of the query when the requestor breaks the protocol later on', () => {
      const { driver, statuses } = story(family)
      driver.receive(family.query())
      statuses()
      driver.receive(Uint8Array.of(0, 0))
      assert.deepEqual(statuses(), ['QueryTerminated'])
      assert.equal(driver.closed?.reason, 'protocol-error')
    })

    it(`${v4 ? '7724-8.4-06' : '7653-9.5-04'}: closes at once when the requestor has closed (${rfc} section ${v4 ? '8.4' : '9.5'})`, () => {
      const { driver } = story(family)
      driver.receive(family.query())
      driver.tell({ type: 'ended' })
      assert.deepEqual([driver.closed?.reason, driver.closed?.abort], ['requestor-closed', true])
    })

    it(`${v4 ? '7724-8.2-01' : '7653-9.3-01'}: closes a requestor that takes nothing for 120 s (${rfc} section ${v4 ? '8.2' : '9.3'})`, () => {
      const { driver, put } = story(family)
      driver.receive(family.query())
      driver.reading = false
      put(1, 1)
      driver.grew()
      driver.settle()
      driver.pass(119)
      assert.notEqual(driver.session.phase, 'closed')
      driver.pass(1)
      assert.deepEqual([driver.closed?.reason, driver.closed?.abort], ['blocked', true])
    })

    it(`${v4 ? '7724-8.2-01' : '7653-9.3-01'}: counts the 120 s from the last progress`, () => {
      const { driver, put } = story(family)
      driver.receive(family.query())
      driver.reading = false
      put(1, 1)
      driver.grew()
      driver.settle()
      driver.pass(100)
      driver.tell({ type: 'progress' })
      driver.pass(119)
      assert.notEqual(driver.session.phase, 'closed')
      driver.pass(1)
      assert.equal(driver.closed?.reason, 'blocked')
    })

    it(`${v4 ? '7724-8.1-17' : '5460-7.1-06'}: closes a connection that sends no whole query within 300 s (${v4 ? 'RFC 7724 section 8.1' : 'RFC 5460 section 7.1'})`, () => {
      const { driver } = story(family)
      driver.pass(200)
      driver.receive(family.query().subarray(0, 10))
      driver.pass(99)
      assert.notEqual(driver.session.phase, 'closed')
      driver.pass(1)
      assert.equal(driver.closed?.reason, 'idle')
      assert.deepEqual(driver.fresh(), [])
    })
  })

  describe(`starting TLS, DHCPv${family.family} (${rfc} section ${v4 ? '8.1' : '9.1'})`, () => {
    const required = { tls: { mode: 'required', ready: true } } as const

    it(`${v4 ? '7724-8.1-05' : '7653-9.1-05'}: is refused in insecure mode, and the connection goes on`, () => {
      const { driver, replies } = story(family)
      driver.receive(family.tlsStart(5))
      driver.receive(family.query())
      assert.deepEqual(
        replies().map((reply) => [reply.type, reply.xid, reply.status]),
        [
          [v4 ? 18 : 7, 5, 'TLSConnectionRefused'],
          [firstType, xid, v4 ? 'ConnectionActive' : undefined],
        ],
      )
      assert.equal(driver.startedTls, false)
    })

    it('does not leave the blocked timer running behind the refusal', () => {
      const { driver } = story(family)
      driver.receive(family.tlsStart(5))
      driver.pass(200)
      driver.receive(family.query())
      driver.pass(100)
      assert.notEqual(driver.session.phase, 'closed')
    })

    it('closes when it comes twice, or behind a query', () => {
      for (const frames of [
        [family.tlsStart(5), family.tlsStart(6)],
        [family.query(), family.tlsStart(5)],
      ]) {
        const { driver } = story(family)
        for (const frame of frames) driver.receive(frame)
        assert.equal(driver.closed?.reason, 'protocol-error')
      }
    })

    it(`${v4 ? '7724-8.1-10' : '7653-9.1-09'}: gets the go-ahead without a status where TLS is required, and a query inside it is served`, () => {
      const { driver, replies } = story(family, { ...required, rights: { active: false } })
      driver.receive(family.tlsStart(5))
      assert.deepEqual(
        replies().map((reply) => [reply.type, reply.xid, reply.status]),
        [[v4 ? 18 : 7, 5, undefined]],
      )
      assert.equal(driver.startedTls, true)
      driver.take()
      driver.tell({ type: 'secured', rights: allRights })
      driver.receive(family.query())
      assert.equal(driver.session.phase, 'live')
    })

    it(`${v4 ? '7724-8.1-08' : '7653-9.1-08'}: serves nothing in clear text where TLS is required, not even a refusal`, () => {
      for (const frame of [family.query(), family.query(START), family.bulk(5)]) {
        const { driver } = story(family, required)
        driver.receive(frame)
        assert.equal(driver.closed?.reason, 'no-tls')
        assert.deepEqual(driver.fresh(), [])
      }
    })

    it('closes on octets that came behind the start frame: they are no part of TLS', () => {
      const { driver } = story(family, required)
      driver.receive(concat(family.tlsStart(5), [0x16]))
      assert.equal(driver.closed?.reason, 'protocol-error')
      assert.equal(driver.startedTls, false)
      assert.deepEqual(driver.fresh(), [])
    })

    it('closes when it is asked for inside TLS', () => {
      const { driver } = story(family, required)
      driver.receive(family.tlsStart(5))
      driver.take()
      driver.tell({ type: 'secured', rights: allRights })
      driver.receive(family.tlsStart(6))
      assert.equal(driver.closed?.reason, 'protocol-error')
    })

    it(`${v4 ? '7724-8.1-13' : '7653-9.1-10'}: is refused where it is required but impossible; nothing further is processed, and we close after 5 s`, () => {
      const { driver, statuses } = story(family, { tls: { mode: 'required', ready: false } })
      driver.receive(family.tlsStart(5))
      driver.receive(family.query())
      assert.deepEqual(statuses(), ['TLSConnectionRefused'])
      driver.pass(4)
      assert.notEqual(driver.session.phase, 'closed')
      driver.pass(1)
      assert.equal(driver.closed?.reason, 'no-tls')
    })

    it('must be asked for within 30 s where it is required: who connects may be anybody', () => {
      const { driver } = story(family, required)
      driver.pass(29)
      assert.notEqual(driver.session.phase, 'closed')
      driver.pass(1)
      assert.equal(driver.closed?.reason, 'idle')
    })

    it('may take 30 s, and then the query has its 300 s', () => {
      const slow = story(family, required).driver
      slow.receive(family.tlsStart(5))
      slow.take()
      slow.pass(30)
      assert.equal(slow.closed?.reason, 'no-tls')

      const { driver } = story(family, required)
      driver.receive(family.tlsStart(5))
      driver.take()
      driver.pass(29)
      driver.tell({ type: 'secured', rights: allRights })
      driver.pass(299)
      assert.notEqual(driver.session.phase, 'closed')
      driver.pass(1)
      assert.equal(driver.closed?.reason, 'idle')
    })
  })

  describe(`a requestor bound to relay-ids, DHCPv${family.family}`, () => {
    const mine = Uint8Array.of(0, 3, 1)
    const other = Uint8Array.of(0, 3, 2)
    const start = () => {
      const parts = story(family, { rights: { relayIds: [mine] } })
      parts.driver.receive(family.query())
      parts.told()
      return parts
    }

    it('is shown the bindings of its relays only', () => {
      const { put, grew, told } = start()
      put(1, 1, { relay: family.relay(mine) })
      put(2, 2, { relay: family.relay(other) })
      put(3, 3)
      grew()
      assert.deepEqual(told(), [name(1, 1, 'live')])
    })

    it('is told of the end of a binding that moves to another relay, and nothing of what it becomes', () => {
      const { put, grew, told } = start()
      put(1, 1, { relay: family.relay(mine) })
      grew()
      put(1, 2, { relay: family.relay(other) })
      grew()
      assert.deepEqual(told(), [name(1, 1, 'live'), name(1, 1, 'ended')])
    })
  })
}

function oneFrame(family: FamilyUnderTest, n: number, client: number): Uint8Array {
  const driver = new Driver(family.dialect).receive(family.query())
  driver.fresh()
  driver.index.put(family.binding(n, client), START)
  driver.grew()
  driver.settle()
  return driver.fresh()[0]!
}
