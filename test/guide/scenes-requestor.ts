// What is said where a requestor is not served as it should be. The service runs in this process.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { check } from '../../sidecar/requestor/check.ts'
import type { RequestorTls } from '../../sidecar/requestor/start-tls.ts'
import { topologyOf } from '../../sidecar/server/topology.ts'
import { Authority, type Issued } from '../support/certificates.ts'
import { compiled } from '../support/package-root.ts'
import { TestService } from '../support/requestor-service.ts'
import type { Said, Scene, Scenes } from './symptoms.ts'

const authority = new Authority()
const stranger = new Authority('another authority')
process.on('exit', () => {
  authority[Symbol.dispose]()
  stranger[Symbol.dispose]()
})

const both = { 'active-query-enabled': true, 'bulk-query-enabled': true, 'lease-query-ip': '127.0.0.1' }
const tlsOf = ({ cert, key }: Issued): RequestorTls => ({ ca: authority.cert, cert, key })
const filesOf = ({ certFile, keyFile }: Issued) => ({
  mode: 'required',
  'trust-anchor': authority.certFile,
  'cert-file': certFile,
  'key-file': keyFile,
})

/** A service that has seen all of Kea's leases, with these parameters. */
export function serviceWith(parameters: Record<string, unknown>): TestService {
  const service = new TestService(4)
  service.now = Math.floor(Date.now() / 1000)
  service.service.setTopology(topologyOf([]))
  return service.walked().configure({ advanced: both, ...parameters })
}

/** What the service says, and, once asked, `leasequery check` about it. */
export function aroundService(service: TestService, tls?: RequestorTls): Said {
  let checked: Promise<string> | undefined
  return {
    'kea-leasequery': () => service.log.map(({ event, msg }) => `${event}: ${msg}`).join('\n'),
    'lease-feed-status': () =>
      service.service.problems.map(({ parameter, text }) => `${parameter}: ${text}`).join('\n'),
    'leasequery check': () => {
      checked ??= service
        .port()
        .then((port) => check({ family: 4, host: '127.0.0.1', port, tls }))
        .then(({ sentence }) => sentence)
      return checked
    },
  }
}

/** A service with these parameters is asked by a requestor with this TLS. */
function asked(parameters: () => Record<string, unknown>, tls?: () => RequestorTls): Scene {
  return async (heard) => {
    await using service = serviceWith(parameters())
    await heard(aroundService(service, tls?.()))
  }
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export const scenes: Scenes = {
  'Nothing listens': async (heard) => {
    const report = await check({ family: 4, host: '127.0.0.1', port: await closedPort() })
    await heard({ 'leasequery check': () => report.sentence })
  },
  'The host does not answer': async (heard) => {
    // A network of its own, with nothing in it.
    const alone = process.getuid?.() === 0 ? ['--net'] : ['--net', '--map-root-user']
    const tool = [process.execPath, compiled('sidecar/requestor/main.ts'), 'check', '192.0.2.1']
    const child = spawn('unshare', [...alone, ...tool], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (data) => {
      output += data
    })
    await once(child, 'close')
    await heard({ 'leasequery check': () => output })
  },
  'The connection is closed whatever is asked': asked(() => ({ requesters: ['192.0.2.0/24'] })),
  'TLS is required': asked(() => ({ tls: filesOf(authority.issue()) })),
  'TLS is refused': asked(
    () => ({}),
    () => tlsOf(authority.issue()),
  ),
  'TLS is refused: there is no certificate to serve with': asked(
    () => ({ tls: { ...filesOf(authority.issue()), 'cert-file': '/nonexistent/server.pem' } }),
    () => tlsOf(authority.issue()),
  ),
  "The server's certificate has expired": async (heard) => {
    await using service = serviceWith({ tls: filesOf(authority.issue({ days: -1 })) })
    service.service.checkTls(Date.now())
    await heard(aroundService(service, tlsOf(authority.issue())))
  },
  'A certificate ends soon': async (heard) => {
    await using service = serviceWith({ tls: filesOf(authority.issue({ days: 10 })) })
    service.service.checkTls(Date.now())
    await heard(aroundService(service))
  },
  "The requestor's certificate is of another authority": asked(
    () => ({ tls: filesOf(authority.issue()) }),
    () => tlsOf(stranger.issue()),
  ),
  "The requestor's certificate names no requester": asked(
    () => ({ tls: filesOf(authority.issue()), requesters: [{ certificate: 'bng1.example.net' }] }),
    () => tlsOf(authority.issue()),
  ),
  'A replaced certificate is not used': async (heard) => {
    const own = authority.issue()
    await using service = serviceWith({ tls: filesOf(own) })
    writeFileSync(own.keyFile, authority.issue().key)
    service.service.reloadTls()
    await heard(aroundService(service))
    rmSync(own.keyFile)
  },
  'Active Leasequery is off': asked(() => ({ advanced: { ...both, 'active-query-enabled': false } })),
  'Bulk Leasequery is off': asked(() => ({ advanced: { ...both, 'bulk-query-enabled': false } })),
  'All connections are taken': async (heard) => {
    await using service = serviceWith({ advanced: { ...both, 'max-requester-connections': 1 } })
    const first = await service.connect()
    await first.until(({ type }) => type === 'accepted')
    await heard(aroundService(service))
  },
  'The service cannot answer yet': async (heard) => {
    await using service = new TestService(4).configure({ advanced: both })
    await heard(aroundService(service))
  },
  'A requestor speaks another protocol': async (heard) => {
    await using service = serviceWith({})
    const socket = connect({ port: await service.port(), host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.write('GET / HTTP/1.1\r\n\r\n'.repeat(2000))
    await once(socket, 'close')
    await heard(aroundService(service))
  },
}
