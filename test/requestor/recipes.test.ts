// The recipes of sidecar/requestor/README.md, as they stand there, against a real service.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import { topologyOf } from '../../sidecar/server/topology.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'
import { interfaces, Laboratory } from '../support/laboratory.ts'
import { compiled, packagePath } from '../support/package-root.ts'
import { TestService } from '../support/requestor-service.ts'
import { mainKea } from '../support/roots.ts'
import { waitFor } from '../support/wait.ts'

/** Namespaces need what a Kea needs. */
const { skip } = mainKea()

/** The first block of that language below the heading. */
function recipe(heading: string, language: string): string {
  const text = readFileSync(packagePath('sidecar', 'requestor', 'README.md'), 'utf8')
  const at = text.indexOf(`### Recipe: ${heading}`)
  const block = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(text.slice(at))?.[1]
  assert.ok(at >= 0 && block, `there is no recipe '${heading}'`)
  return block
}

function serving(family: 4 | 6): TestService {
  const service = new TestService(family)
  service.now = Math.floor(Date.now() / 1000)
  service.service.setTopology(topologyOf([]))
  return service.walked().configure({
    advanced: { 'active-query-enabled': true, 'bulk-query-enabled': true },
  })
}

async function mirror(lab: Laboratory, service: TestService, ...flags: string[]): Promise<void> {
  const host = service.family === 4 ? '127.0.0.1' : '[::1]'
  const place = [...(service.family === 6 ? ['-6'] : []), `${host}:${await service.port()}`]
  const own = ['--state', lab.path('replica'), '--tls', 'off', '--skip-renewals']
  const command = [
    process.execPath,
    compiled('sidecar/requestor/main.ts'),
    'mirror',
    ...place,
    ...own,
    ...flags,
  ]
  lab.start(lab.unique('mirror'), command)
}

/** Relay data of a DHCPv6 client that its relay saw at this address (RFC 5007 section 4.1.2.4). */
function relayedFrom(client: string): Uint8Array {
  const link = parseAddress('2001:db8::1')!
  return Uint8Array.from([...link, 12, 0, ...link, ...parseAddress(client)!])
}

test('a route stands for each delegated prefix, by way of its client, until the prefix ends', {
  skip,
}, async () => {
  await using lab = await Laboratory.open()
  await using service = serving(6)
  const script = lab.path('routes.sh')
  writeFileSync(script, recipe('routes for delegated prefixes', 'sh'), { mode: 0o755 })
  const namespace = lab.namespaces.client
  const routes = () =>
    execFileSync('ip', ['-n', namespace, '-6', 'route', 'show', 'dev', interfaces.client], {
      encoding: 'utf8',
    })
      .split('\n')
      .filter((line) => line.startsWith('2001:db8:8'))
      .map((line) => line.split(' ').slice(0, 3).join(' '))
      .sort()
  const delegate = (prefix: string, client: string, state: BindingState = BindingState.active) =>
    service.put(prefix, {
      prefixLength: 56,
      relay: relayedFrom(client),
      clientId: parseAddress(client)!,
      state,
    })

  delegate('2001:db8:8000::', 'fe80::a')
  service.put('2001:db8::77')
  await mirror(lab, service, '--exec', `ip netns exec ${namespace} ${script} ${interfaces.client}`)
  const become = (...wanted: string[]) =>
    waitFor(`routes to be ${wanted}`, () => {
      assert.deepEqual(routes(), wanted)
      return true
    })
  await become('2001:db8:8000::/56 via fe80::a')
  delegate('2001:db8:8000:100::', 'fe80::b')
  await become('2001:db8:8000:100::/56 via fe80::b', '2001:db8:8000::/56 via fe80::a')
  delegate('2001:db8:8000::', 'fe80::c')
  await become('2001:db8:8000:100::/56 via fe80::b', '2001:db8:8000::/56 via fe80::c')
  delegate('2001:db8:8000:100::', 'fe80::b', BindingState.released)
  await become('2001:db8:8000::/56 via fe80::c')
})

test('a web server is told of each change', { skip }, async () => {
  await using lab = await Laboratory.open()
  await using service = serving(4)
  const program = lab.path('receiver.mjs')
  writeFileSync(program, recipe('a web server that takes changes', 'js'))
  const port = 20_000 + (process.pid % 20_000)
  const receiver = lab.start('receiver', ['env', `PORT=${port}`, process.execPath, program])
  const told = (line: RegExp) => waitFor(`the receiver to print ${line}`, () => line.test(receiver.output()))
  service.put('192.0.2.1')
  await mirror(lab, service, '--webhook', `http://127.0.0.1:${port}/leases`)
  await told(/^\d+ added 192\.0\.2\.1 02005e000201$/m)
  service.put('192.0.2.1', { hostname: Buffer.from('cpe') })
  await told(/^\d+ changed 192\.0\.2\.1 /m)
  service.put('192.0.2.1', { state: BindingState.released })
  await told(/^\d+ removed 192\.0\.2\.1 /m)
})
