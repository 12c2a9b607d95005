// What the RFCs say of a requestor's connections, statement by statement, against a server that does what no real one does.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, describe, it } from 'node:test'
import { ActiveRequestor, type ActiveRequestorOptions } from '../../sidecar/requestor/active-requestor.ts'
import { BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import type { RequestorTls } from '../../sidecar/requestor/start-tls.ts'
import { shows } from '../conformance/rows.ts'
import { Authority, type Issued } from '../support/certificates.ts'
import { TestMirror } from '../support/mirror.ts'
import { compiled } from '../support/package-root.ts'
import { type ScriptedConnection, ScriptedServer } from '../support/scripted-server.ts'
import { waitFor } from '../support/wait.ts'
import { concat } from '../wire/bytes.ts'
import {
  accepts,
  binding,
  bulkAnswer,
  type Family,
  NOW,
  status,
  timeOf,
  tlsAnswer,
  typeOf,
  xidOf,
} from './rows.ts'

const authority = new Authority()
const stranger = new Authority('another authority')
after(() => {
  authority[Symbol.dispose]()
  stranger[Symbol.dispose]()
})
const own = authority.issue()
const tls: RequestorTls = { ca: authority.cert, cert: own.cert, key: own.key }
const kinds = { active: { 4: 16, 6: 22 }, bulk: { 4: 14, 6: 14 }, startTls: { 4: 18, 6: 23 } } as const

/** Runs a script of a server beside a requestor. */
async function against<T>(
  script: (server: ScriptedServer) => Promise<unknown>,
  requestor: (port: number) => Promise<T>,
): Promise<T> {
  using server = await ScriptedServer.start()
  const [result] = await Promise.all([requestor(server.port), script(server)])
  return result
}

async function failing(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('it did not fail')
}

const connect = (family: Family, port: number, more: Partial<ActiveRequestorOptions> = {}) =>
  ActiveRequestor.connect({ family, host: '127.0.0.1', port, ...more })

/** Takes an active query and answers it with these messages. */
async function query(
  family: Family,
  connection: ScriptedConnection,
  kind: keyof typeof kinds,
): Promise<{ xid: number; frame: Buffer }> {
  const frame = await connection.frame()
  assert.equal(typeOf(family, frame), kinds[kind][family])
  return { xid: xidOf(family, frame), frame }
}

for (const family of [4, 6] as const) {
  const id = (four: string, six: string) => (family === 4 ? four : six)
  describe(`a requestor of DHCPv${family}`, () => {
    shows(
      [
        id('7724-7.2-01', '7653-8.2-01'),
        id('7724-7.2-02', '7653-8.2-05'),
        ...(family === 4
          ? ['7724-7.2-05', '7724-7.2-10', '7724-7.2-08', '7724-8.1-15']
          : ['7653-8.2-02', '7653-8.2-07', '7653-8.2-09', '7653-9.1-12']),
      ],
      async () => {
        // Clear: the query is the first that is said, without waiting for anything.
        await against(
          async (server) => {
            await query(family, await server.connection(), 'active')
          },
          async (port) => (await connect(family, port)).close(),
        )
        // Secure: the start of TLS, a ClientHello once there is a go-ahead, and the query inside; both show certificates.
        await against(
          async (server) => {
            const connection = await server.connection()
            const { xid } = await query(family, connection, 'startTls')
            assert.equal(connection.frames, 0)
            connection.send(tlsAnswer(family, xid))
            const secure = await connection.secure({ cert: own.cert, key: own.key, ca: authority.cert })
            await query(family, connection, 'active')
            assert.match(String(secure.getPeerCertificate().subjectaltname), /localhost/)
            assert.equal(xidOf(family, connection.clear), xid)
          },
          async (port) => (await connect(family, port, { tls })).close(),
        )
      },
    )

    const noTls: readonly [string, (connection: ScriptedConnection, xid: number) => void][] = [
      ['closes', ({ socket }) => socket.end()],
      ['refuses', (connection, xid) => connection.send(tlsAnswer(family, xid, true))],
    ]
    for (const [what, answer] of noTls) {
      it(`${id('7724-7.2-07', '7653-8.2-06')}, ${id('7724-7.2-02', '7653-8.2-03')}: a server that ${what} at the start of TLS is asked nothing, and the connection is closed`, async () => {
        await against(
          async (server) => {
            const connection = await server.connection()
            const { xid } = await query(family, connection, 'startTls')
            answer(connection, xid)
            await connection.closed()
            assert.equal(connection.frames, 0)
          },
          async (port) =>
            assert.match(await failing(connect(family, port, { tls })), /no TLS with the server/),
        )
      })
    }

    const wrong: readonly [string, () => Issued][] = [
      ['of another authority', () => stranger.issue()],
      ['that has expired', () => authority.issue({ days: -1 })],
      ['of another name', () => authority.issue({ names: 'DNS:elsewhere.example.net' })],
    ]
    for (const [what, issue] of wrong) {
      it(`${id('7724-7.2-09', '7653-8.2-08')}, ${id('7724-7.2-11', '7653-8.2-10')}: a certificate ${what} ends the connection before any query`, async () => {
        const theirs = issue()
        await against(
          async (server) => {
            const connection = await server.connection()
            const { xid } = await query(family, connection, 'startTls')
            connection.send(tlsAnswer(family, xid))
            connection.secure({ cert: theirs.cert, key: theirs.key }).catch(() => {})
            await connection.closed()
            assert.equal(connection.frames, 0)
          },
          async (port) =>
            assert.match(await failing(connect(family, port, { tls })), /no TLS with the server/),
        )
      })
    }

    shows([id('7724-7.2-03', '7653-8.2-03'), id('7724-7.2-11', '7653-8.2-10')], async () => {
      await against(
        async (server) => {
          const connection = await server.connection()
          const { xid } = await query(family, connection, 'startTls')
          connection.send(tlsAnswer(family, xid))
          connection.send(Buffer.from('no ServerHello, as long as a record header'))
          await connection.closed()
        },
        async (port) => assert.match(await failing(connect(family, port, { tls })), /no TLS with the server/),
      )
    })

    shows(id('7724-7.2-04', '7653-8.2-04'), async () => {
      await against(
        async (server) => {
          const connection = await server.connection()
          const { xid } = await query(family, connection, 'startTls')
          connection.send(tlsAnswer(family, xid))
          // Only what RFC 9325 rules out.
          connection
            .secure({
              cert: own.cert,
              key: own.key,
              maxVersion: 'TLSv1.2',
              ciphers: 'AES128-SHA:ECDHE-ECDSA-AES128-SHA',
            })
            .catch(() => {})
          await connection.closed()
          assert.equal(connection.frames, 0)
        },
        async (port) => assert.match(await failing(connect(family, port, { tls })), /no TLS with the server/),
      )
    })

    shows(id('7724-7.4-03', '7653-8.4-01'), async () => {
      await against(
        async (server) => {
          const connection = await server.connection()
          const { xid } = await query(family, connection, 'active')
          connection.send(accepts(family, xid), binding(family, xid, 1))
          await connection.closed()
        },
        async (port) => {
          const requestor = await connect(family, port, { receiveTimeout: 0.5 })
          await requestor.until(({ type }) => type === 'binding')
          assert.match(await failing(requestor.next()), /nothing was heard from the server .* for 0.5 s/)
        },
      )
    })

    it('gives up a server that trickles a message which never ends', async () => {
      await against(
        async (server) => {
          const connection = await server.connection()
          await query(family, connection, 'active')
          connection.send(Uint8Array.of(0xff, 0xff))
          const drip = setInterval(() => connection.send(Uint8Array.of(0)), 20)
          await connection.closed()
          clearInterval(drip)
        },
        async (port) => {
          const requestor = await connect(family, port, { receiveTimeout: 0.5 })
          assert.match(await failing(requestor.next()), /nothing was heard/)
        },
      )
    })

    it('holds a flood on the wire and not in memory, and gives up nobody whom it does not read itself', async () => {
      let serverWaits = () => {}
      const waiting = new Promise<void>((resolve) => {
        serverWaits = resolve
      })
      await against(
        async (server) => {
          const connection = await server.connection()
          const { xid } = await query(family, connection, 'active')
          connection.send(accepts(family, xid))
          const piece = Buffer.concat(new Array(200).fill(binding(family, xid, 1)))
          for (let sent = 0; sent < 64 << 20; sent += piece.length) connection.socket.write(piece)
          // What the kernels of both sides take, and no more.
          await new Promise((resolve) => setTimeout(resolve, 700))
          assert.ok(connection.socket.writableLength > 0, 'the server has to wait')
          serverWaits()
        },
        async (port) => {
          const requestor = await connect(family, port, { receiveTimeout: 0.3 })
          // Longer than it waits for a silent server: what it has not read yet is no silence.
          await waiting
          assert.ok(requestor.received < 16 << 20)
          assert.notEqual(await requestor.next(), undefined)
          requestor.close()
        },
      )
    })

    shows(id('7724-7.5-01', '7653-8.7-01'), async () => {
      await against(
        async (server) => {
          const first = await server.connection()
          await query(family, first, 'active')
          first.socket.end()
          const second = await server.connection()
          const { xid } = await query(family, second, 'active')
          second.send(accepts(family, xid), binding(family, xid, 1))
          await second.closed()
        },
        async (port) => {
          const requestor = await connect(family, port)
          assert.match(await failing(requestor.next()), /closed the connection/)
          const other = await connect(family, port)
          await other.until(({ type }) => type === 'binding')
          other.close()
        },
      )
    })

    shows([id('6926-7.3-01', '5460-6.3-01')], async () => {
      await against(
        async (server) => {
          const connection = await server.connection()
          const { xid } = await query(family, connection, 'bulk')
          connection.send(bulkAnswer(family, xid, [1, 2]).subarray(0, -20))
          await connection.closed()
        },
        async (port) => {
          const requestor = await BulkRequestor.connect({ family, host: '127.0.0.1', port, dataTimeout: 0.5 })
          assert.match(await failing(requestor.fetch({ by: 'all' })), /nothing was heard .* for 0.5 s/)
        },
      )
    })

    shows([id('6926-7.2-07', '5460-6.2-01'), id('7724-7.3-08', '7653-8.3-04')], async () => {
      await against(
        async (server) => {
          const connection = await server.connection()
          connection.socket.pause()
        },
        async (port) => {
          const requestor = await BulkRequestor.connect({ family, host: '127.0.0.1', port, dataTimeout: 0.5 })
          // More than the kernels of both sides hold, so that the query cannot get out.
          requestor.send(new Uint8Array(32 << 20))
          const answer = requestor.query({ by: 'all' })
          assert.match(await failing(answer.collect()), /nothing was heard .* for 0.5 s/)
        },
      )
    })

    shows(
      family === 4
        ? ['6926-7.7-01', '6926-7.7-05', '6926-7.8-01', '6926-7.8-02']
        : ['5460-6.5-03', '5460-6.6-01'],
      async () => {
        await against(
          async (server) => {
            const connection = await server.connection()
            const first = await query(family, connection, 'bulk')
            connection.send(bulkAnswer(family, first.xid, [1]))
            const second = await query(family, connection, 'bulk')
            const third = await query(family, connection, 'bulk')
            assert.equal(new Set([first.xid, second.xid, third.xid]).size, 3)
            connection.send(concat(bulkAnswer(family, third.xid, [3]), bulkAnswer(family, second.xid, [2])))
            assert.deepEqual(await connection.closed(), { reset: false })
          },
          async (port) => {
            const requestor = await BulkRequestor.connect({ family, host: '127.0.0.1', port })
            const one = await requestor.fetch({ by: 'all' })
            const others = [requestor.fetch({ by: 'all' }), requestor.fetch({ by: 'all' })]
            if (family === 6) requestor.end()
            const [two, three] = await Promise.all(others)
            assert.deepEqual(
              [one, two, three].map((result) => result!.bindings.length),
              [1, 1, 1],
            )
            requestor.close()
          },
        )
      },
    )

    if (family === 4) {
      shows(['6926-7.8-03', '6926-7.8-04'], async () => {
        for (const how of ['end', 'resetAndDestroy'] as const) {
          await against(
            async (server) => {
              const connection = await server.connection()
              const { xid } = await query(4, connection, 'bulk')
              connection.send(bulkAnswer(4, xid, [1, 2, 3]).subarray(0, -20))
              await waitFor('it to be read', () => connection.socket.writableLength === 0)
              await new Promise((resolve) => setTimeout(resolve, 200))
              connection.socket[how]()
            },
            async (port) => {
              const requestor = await BulkRequestor.connect({ family: 4, host: '127.0.0.1', port })
              const kept: string[] = []
              const answer = requestor.query({ by: 'all' })
              const failure = await failing(
                (async () => {
                  for await (const { address } of answer) kept.push(address)
                })(),
              )
              assert.match(failure, /closed the connection/)
              assert.deepEqual(kept, ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
            },
          )
        }
      })
    }

    shows(
      family === 4
        ? ['7724-7.1-01', '7724-7.4.1-08', '7724-7.4.1-09', '7724-8.3-01', '7724-8.3-02', '6926-7.1-03']
        : [
            '7653-8.1-01',
            '7653-8.4.1-07',
            '7653-8.4.1-08',
            '7653-9.4-01',
            '7653-9.4-02',
            '5460-5.5-02',
            '5460-6.1-01',
          ],
      async () => {
        using server = await ScriptedServer.start()
        const servers = [{ host: '127.0.0.1', port: server.port }]
        await using mirror = new TestMirror({ family, servers, tls: 'off' })
        await mirror.start()
        // Bulk that is ended is repeated whole, after a pause; then Active from its first base-time.
        const cut = await server.connection()
        const { xid: lost } = await query(family, cut, 'bulk')
        cut.send(bulkAnswer(family, lost, [1, 2]).subarray(0, -30))
        cut.socket.end()
        const again = await server.connection()
        assert.ok(again.began - cut.began >= 190, 'not before the retry time')
        const whole = await query(family, again, 'bulk')
        assert.equal(timeOf(family, whole.frame, 'start'), undefined)
        again.send(bulkAnswer(family, whole.xid, [1, 2], NOW))
        const active = await server.connection()
        const asked = await query(family, active, 'active')
        assert.equal(timeOf(family, asked.frame, 'start'), NOW)
        // DataMissing: Bulk on a connection of its own, from the start time to the base-time, while Active stays.
        active.send(status(family, asked.xid, 'dataMissing', NOW + 500, true))
        const recovery = await server.connection()
        const window = await query(family, recovery, 'bulk')
        assert.equal(timeOf(family, window.frame, 'start'), NOW)
        assert.equal(timeOf(family, window.frame, 'end'), NOW + 500)
        assert.equal(active.over, undefined)
        assert.equal(active.frames, 0)
        recovery.send(bulkAnswer(family, window.xid, [2, 3]))
        const everything = await query(family, recovery, 'bulk')
        assert.notEqual(everything.xid, window.xid)
        recovery.send(bulkAnswer(family, everything.xid, [3, 4]))
        await waitFor('the replica', async () => (await mirror.keys()).length === 2)
        // Lost: it comes back with the newest base-time after the catch-up phase.
        active.send(binding(family, asked.xid, 5, NOW + 600))
        await waitFor('the change', async () => (await mirror.keys()).length === 3)
        active.socket.destroy()
        const back = await server.connection()
        assert.equal(timeOf(family, (await query(family, back, 'active')).frame, 'start'), NOW + 600)
      },
    )
  })
}

describe('the tool', () => {
  it('7724-5.3-02, 7653-6.4-01, 7724-5.3-03, 7653-6.4-02, 6926-6.3-04, 5460-5.6-04: timeouts below the defaults are warned about, with the default', () => {
    const port = 9 // nothing listens there, nor has to
    for (const [flag, seconds] of [
      ['--retry', 60],
      ['--receive-timeout', 120],
      ['--data-timeout', 300],
    ] as const) {
      const argv = [
        compiled('sidecar/requestor/main.ts'),
        'mirror',
        `127.0.0.1:${port}`,
        '--state',
        '/dev/null/none',
        '--tls',
        'off',
      ]
      const { stderr } = spawnSync(process.execPath, [...argv, flag, '5'], { encoding: 'utf8' })
      assert.match(stderr, new RegExp(`warning: ${flag} 5 is below the ${seconds} s that the RFCs name`))
      const quiet = spawnSync(process.execPath, [...argv, flag, String(seconds)], { encoding: 'utf8' })
      assert.doesNotMatch(quiet.stderr, /warning/)
    }
  })
})
