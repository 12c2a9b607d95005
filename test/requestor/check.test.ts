// `leasequery check` as it is called at 3 a.m.: each fault by its name and exit code, over real sockets.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, describe, it } from 'node:test'
import type { Family } from '../../sidecar/binding.ts'
import { check } from '../../sidecar/requestor/check.ts'
import { type FaultName, faults } from '../../sidecar/requestor/faults.ts'
import type { RequestorTls } from '../../sidecar/requestor/start-tls.ts'
import { topologyOf } from '../../sidecar/server/topology.ts'
import { Authority, type Issued, type Wishes } from '../support/certificates.ts'
import { compiled } from '../support/package-root.ts'
import { TestService } from '../support/requestor-service.ts'

const authority = new Authority()
const stranger = new Authority('another authority')
after(() => {
  authority[Symbol.dispose]()
  stranger[Symbol.dispose]()
})
const hosts = { 4: '127.0.0.1', 6: '::1' } as const
const both = { 'active-query-enabled': true, 'bulk-query-enabled': true }
const made = new Map<string, Issued>()
const issued = (wishes: Wishes = {}): Issued => {
  const key = JSON.stringify(wishes)
  const found = made.get(key) ?? authority.issue(wishes)
  made.set(key, found)
  return found
}
const files = (own: Issued = issued(), anchor = authority) => ({
  mode: 'required',
  'trust-anchor': anchor.certFile,
  'cert-file': own.certFile,
  'key-file': own.keyFile,
})
const tlsOf = ({ cert, key }: Issued, ca = authority.cert): RequestorTls => ({ ca, cert, key })

interface Case {
  readonly what: string
  readonly fault: FaultName | undefined
  readonly sentence: RegExp
  /** Parameters of the service. */
  readonly service?: () => Record<string, unknown>
  readonly tls?: () => RequestorTls
  readonly only?: Family
}

const cases: readonly Case[] = [
  {
    what: 'all is well, in clear text',
    fault: undefined,
    sentence: /serves DHCPv[46] Active and Bulk Leasequery in clear text/,
    service: () => ({ advanced: both }),
  },
  {
    what: 'all is well, over TLS',
    fault: undefined,
    sentence: /serves DHCPv[46] Active and Bulk Leasequery over TLS/,
    service: () => ({ advanced: both, tls: files() }),
    tls: () => tlsOf(issued()),
  },
  {
    what: 'this host is no requester',
    fault: 'no-requester',
    sentence: /add the address of this host \((127\.0\.0\.1|::1)\) to requesters/,
    service: () => ({ advanced: both, requesters: ['STRANGER'] }),
  },
  {
    what: 'this host is no requester, and brings a certificate',
    fault: 'no-requester',
    sentence: /to requesters/,
    service: () => ({ advanced: both, requesters: ['STRANGER'] }),
    tls: () => tlsOf(issued()),
  },
  {
    what: 'TLS is required',
    fault: 'tls-required',
    sentence: /requires TLS: give --tls-ca/,
    service: () => ({ advanced: both, tls: files() }),
  },
  {
    what: 'TLS is refused',
    fault: 'tls-refused',
    sentence: /refuses (DHCPTLS|STARTTLS) \(TLSConnectionRefused\): set tls.mode to required/,
    service: () => ({ advanced: both }),
    tls: () => tlsOf(issued()),
  },
  {
    what: "the server's certificate has expired",
    fault: 'server-certificate',
    sentence: /certificate of .* has expired: replace tls.cert-file/,
    service: () => ({ advanced: both, tls: files(issued({ days: -1 })) }),
    tls: () => tlsOf(issued()),
  },
  {
    what: "the server's certificate is of an unknown authority",
    fault: 'server-certificate',
    sentence: /--tls-ca does not hold the authority that issued it/,
    service: () => ({ advanced: both, tls: files() }),
    tls: () => tlsOf(issued(), stranger.cert),
  },
  {
    what: "the server's certificate is made for another name",
    fault: 'server-certificate',
    sentence: /is not made for (127\.0\.0\.1|::1): give a name .*--tls-name/,
    service: () => ({ advanced: both, tls: files(issued({ names: 'DNS:elsewhere.example.net' })) }),
    tls: () => tlsOf(issued()),
  },
  {
    what: 'our certificate has expired',
    fault: 'own-certificate',
    sentence: /certificate of this requestor .* expired on .*: replace the file of --tls-cert/,
    service: () => ({ advanced: both, tls: files() }),
    tls: () => tlsOf(issued({ days: -1 })),
  },
  {
    what: 'our certificate is of an authority unknown there',
    fault: 'own-certificate',
    // Where it breaks off the handshake, TLS says why; else it is guessed.
    sentence:
      /does not know the authority that issued it: its tls.trust-anchor|issued by another authority than those in --tls-ca, and tls.trust-anchor there/,
    service: () => ({ advanced: both, tls: files() }),
    tls: () => tlsOf(stranger.issue()),
  },
  {
    what: 'our certificate names no requester',
    fault: 'own-certificate',
    sentence: /a subject alternative name of it \(.*192\.0\.2|DNS:localhost.*must be in requesters/,
    service: () => ({ advanced: both, tls: files(), requesters: [{ certificate: 'bng1.example.net' }] }),
    tls: () => tlsOf(issued()),
  },
  {
    what: 'our key is of another certificate',
    fault: 'own-certificate',
    sentence: /--tls-key holds the key of another certificate/,
    service: () => ({ advanced: both, tls: files() }),
    tls: () => ({ ...tlsOf(issued()), key: issued({ days: -1 }).key }),
  },
  {
    what: 'Active is off',
    fault: 'active-off',
    sentence: /does not serve Active Leasequery.*active-query-enabled/,
    service: () => ({ advanced: { 'bulk-query-enabled': true } }),
  },
  {
    what: 'Bulk is off',
    fault: 'bulk-off',
    sentence: /does not serve Bulk Leasequery.*bulk-query-enabled/,
    service: () => ({ advanced: { 'active-query-enabled': true } }),
  },
  {
    what: 'Active is not for this requester',
    fault: 'active-off',
    sentence: /NotAllowed.*"active" in queries of this requester/,
    service: () => ({
      advanced: both,
      requesters: [{ address: 'HOST', queries: ['bulk'] }],
    }),
  },
]

describe('leasequery check', () => {
  for (const family of [4, 6] as const) {
    for (const { what, fault, sentence, service: parameters, tls } of cases) {
      it(`DHCPv${family}: ${what}: ${fault ?? 'no fault'}`, async () => {
        const service = new TestService(family)
        await using _ = service
        service.now = Math.floor(Date.now() / 1000)
        service.service.setTopology(topologyOf([]))
        const given = JSON.parse(
          JSON.stringify(parameters!())
            .replace('HOST', hosts[family])
            .replace('STRANGER', family === 4 ? '192.0.2.1' : '2001:db8::1'),
        )
        const advanced = { ...(given['advanced'] as object), 'lease-query-ip': hosts[family] }
        service.walked().configure({ ...given, advanced })
        const place = { family, host: hosts[family], port: await service.port(), tls: tls?.() }
        const report = await check(place)
        assert.equal(report.fault, fault, report.sentence)
        assert.match(report.sentence, sentence)
        assert.doesNotMatch(report.sentence, /\n/)
      })
    }
  }

  it('says how far back a start time may lie, and whether the clocks agree', async () => {
    const service = new TestService(4)
    await using _ = service
    service.service.setTopology(topologyOf([]))
    service.now = Math.floor(Date.now() / 1000) - 2 * 3600
    service.walked()
    service.now += 3 * 3600
    service.configure({ advanced: { ...both, 'lease-query-ip': hosts[4] } })
    const report = await check({ family: 4, host: hosts[4], port: await service.port() })
    assert.deepEqual(report.history, { served: 3600, tooFar: 6 * 3600 })
    assert.ok(Math.abs(report.clockAhead! - 3600) <= 30)
  })

  const scripts: readonly [what: string, fault: FaultName, greeting: string, sentence: RegExp][] = [
    ['a web server', 'no-leasequery', 'HTTP/1.1 400 Bad Request\r\n', /is no DHCPv4 leasequery server/],
  ]
  for (const [what, fault, greeting, sentence] of scripts) {
    it(`${what}: ${fault}`, async () => {
      const server = createServer((socket) => socket.on('error', () => {}).end(greeting.repeat(2000)))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const report = await check({ family: 4, host: '127.0.0.1', port })
      server.close()
      assert.equal(report.fault, fault, report.sentence)
      assert.match(report.sentence, sentence)
    })
  }

  it('a port where nothing listens: port-closed; the tool says it on one line, with its exit code', async () => {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const { code, output } = await tool('check', `127.0.0.1:${port}`)
    assert.equal(code, faults['port-closed'].exit)
    assert.match(output, /^nothing listens on 127\.0\.0\.1 port \d+: start kea-leasequery there.*\n$/)
    const { output: json } = await tool('check', `127.0.0.1:${port}`, '--json')
    assert.equal(JSON.parse(json).fault, 'port-closed')
  })

  it('no route: unreachable', async () => {
    // A network namespace of its own, with nothing in it.
    const alone = process.getuid?.() === 0 ? ['--net'] : ['--net', '--map-root-user']
    const { code, output } = await program('unshare', [...alone, process.execPath, cli, 'check', '192.0.2.1'])
    assert.equal(code, faults.unreachable.exit, output)
    assert.match(output, /the host is down, there is no route to it, or a firewall drops TCP port 67/)
  })

  it('a name that is not known: unknown-host', async () => {
    const report = await check({ family: 4, host: 'no-such-host.invalid', port: 67 })
    assert.equal(report.fault, 'unknown-host', report.sentence)
  })

  it('exit codes are all different', () => {
    const exits = Object.values(faults).map(({ exit }) => exit)
    assert.equal(new Set(exits).size, exits.length)
    assert.ok(exits.every((exit) => exit > 2 && exit < 126))
  })
})

const cli = compiled('sidecar/requestor/main.ts')

function tool(...argv: string[]): Promise<{ code: number | null; output: string }> {
  return program(process.execPath, [cli, ...argv])
}

async function program(name: string, argv: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(name, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}
