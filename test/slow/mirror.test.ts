/**
 * `leasequery mirror` on real Kea: whatever is cut, killed or restarted, the replica ends equal to Kea's leases, and what
 * receivers were handed ends equal to the replica.
 */

import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ActiveRequestor } from '../../sidecar/requestor/active-requestor.ts'
import type { BindingJson } from '../../sidecar/requestor/binding-json.ts'
import type { ChangeJson } from '../../sidecar/requestor/mirror/change-json.ts'
import type { RequestorTls } from '../../sidecar/requestor/start-tls.ts'
import { Authority } from '../support/certificates.ts'
import { perfdhcp } from '../support/clients.ts'
import { CuttingProxy } from '../support/cutting-proxy.ts'
import type { Kea } from '../support/kea.ts'
import { type Note, TestMirror } from '../support/mirror.ts'
import { compiled } from '../support/package-root.ts'
import { type KeaRoot, keaRoots } from '../support/roots.ts'
import { type Family, Service } from '../support/service.ts'
import { Sidecar } from '../support/sidecar.ts'
import { waitFor } from '../support/wait.ts'

const authority = new Authority()
after(() => authority[Symbol.dispose]())
const own = authority.issue()
const tls: RequestorTls = { ca: authority.cert, cert: own.cert, key: own.key }
const tlsParameters = {
  'trust-anchor': authority.certFile,
  'cert-file': own.certFile,
  'key-file': own.keyFile,
}

/**
 * Seconds that a time may be off: a sidecar that was killed begins a few seconds ahead of the clock, so that it never gives
 * out a base-time twice, and what it says in these seconds is as far off.
 */
const CLOCKS = 8

/** One sentence for each difference from Kea's lease file; times may be told a second or two apart by two clocks. */
function differences(server: Kea, bindings: ReadonlyMap<string, BindingJson>): string[] {
  const found: string[] = []
  const leases = new Map(
    server
      .activeLeases()
      .map((row) => [row.type === 'IA_PD' ? `${row.address}/${row.prefixLength}` : row.address, row]),
  )
  for (const [key, row] of leases) {
    const binding = bindings.get(key)
    if (binding === undefined) {
      found.push(`${key} is not known`)
      continue
    }
    const holder = server.family === 4 ? row.hardwareAddress : row.duid
    const told = server.family === 4 ? binding['hardware-address'] : binding['client-id']
    if (told !== holder.replaceAll(':', '')) found.push(`${key} is held by ${holder}, not by ${told}`)
    const { expires } = binding
    if (typeof expires !== 'number' || Math.abs(expires - row.expires) > CLOCKS) {
      found.push(`${key} ends at ${row.expires}, not at ${expires}`)
    }
  }
  for (const key of bindings.keys()) if (!leases.has(key)) found.push(`${key} is not leased`)
  return found
}

/** Waits until the replica equals Kea's leases. */
async function settled(server: Kea, mirror: TestMirror): Promise<void> {
  await waitFor(
    `what is known to equal the leases of ${server}`,
    async () => {
      const found = differences(server, await mirror.bindings())
      if (found.length > 0) {
        const stands = JSON.stringify([mirror.mirror.status, mirror.notes.slice(-6)])
        throw new Error(`${found.length} differences: ${found.slice(0, 5).join('; ')}; ${stands}`)
      }
      return true
    },
    60_000,
  )
}

/** Waits until the mirror is in step with Active. */
async function follows(mirror: TestMirror): Promise<void> {
  await waitFor('Active', () => {
    if (mirror.noted('live').length > 0) return true
    throw new Error(JSON.stringify([mirror.mirror.status, mirror.notes.slice(-12)]))
  })
}

/** Kea, hook and sidecar; with TLS or without. */
async function start(kea: KeaRoot, secure: boolean, history?: Record<string, number>) {
  const hook = { ...(secure ? { tls: tlsParameters } : {}), ...(history ? { history } : {}) }
  // A pool of 65,536 addresses: a DHCPv4 Bulk answer names each of them.
  const subnet = { pools: [{ pool: '10.1.0.0 - 10.1.255.255' }] }
  const service = await Service.start(kea, { hook, sidecar: false, subnet4: subnet })
  const sidecar = await Sidecar.start(service.lab)
  return { service, sidecar, [Symbol.asyncDispose]: () => service.close() }
}

/** Waits until both families serve, with an index that is complete. */
async function serving(service: Service, secure: boolean): Promise<void> {
  for (const family of service.families) {
    await waitFor(`the sidecar to serve DHCPv${family}`, async () => {
      const since = Math.floor(Date.now() / 1000)
      const place = { ...service.address(family), since, tls: secure ? tls : undefined }
      const probe = await ActiveRequestor.connect(place)
      try {
        const { type } = await probe.until(
          (event) => event.type === 'catch-up-complete' || event.type === 'data-missing',
        )
        return type === 'catch-up-complete'
      } finally {
        probe.close()
      }
    })
  }
}

function load(kea: KeaRoot, service: Service, family: Family, seconds: number, rate: number) {
  const mix = { rate, clients: 6 * rate, seconds, renewals: rate / 5, releases: Math.floor(rate / 4) }
  return perfdhcp(service.lab, kea, family, mix)
}

/** What a receiver believes, from what it was handed in order; fails where one binding went back. */
class Believed {
  readonly held = new Map<string, ChangeJson>()
  readonly #numbers = new Map<string, number>()
  handed = 0

  apply(change: ChangeJson): void {
    this.handed++
    const { key, number } = change
    assert.ok(
      number >= (this.#numbers.get(key) ?? 0),
      `${key}: number ${number} after ${this.#numbers.get(key)}`,
    )
    this.#numbers.set(key, number)
    if (change.change === 'removed') this.held.delete(key)
    else this.held.set(key, change)
  }
}

for (const kea of keaRoots()) {
  for (const secure of [false, true]) {
    test(`20 random cuts and two restarts of the server: the mirror ends equal to Kea's leases, v4 and v6, over ${secure ? 'TLS' : 'TCP'} (Kea ${kea.kea})`, {
      skip: kea.skip,
    }, async () => {
      await using started = await start(kea, secure)
      const { service, sidecar } = started
      await serving(service, secure)
      const proxies = new Map<Family, CuttingProxy>()
      const mirrors = new Map<Family, TestMirror>()
      await using stack = new AsyncDisposableStackLike()
      for (const family of service.families) {
        const { host, port } = service.address(family)
        const proxy = await CuttingProxy.to({ host, port })
        proxies.set(family, proxy)
        stack.add(async () => proxy.close())
        const mirror = new TestMirror({
          family,
          servers: [{ host: '127.0.0.1', port: proxy.port }],
          tls: secure ? tls : 'off',
        })
        mirrors.set(family, mirror)
        stack.add(() => mirror[Symbol.asyncDispose]())
        await mirror.start()
        await follows(mirror)
      }
      const running = Promise.all(service.families.map((family) => load(kea, service, family, 22, 50)))
      for (let cut = 1; cut <= 20; cut++) {
        await sleep(200 + 600 * Math.random())
        for (const proxy of proxies.values()) proxy.cut()
        if (cut === 7) await sidecar.restart()
        if (cut === 14) {
          sidecar.kill('SIGKILL')
          await sidecar.exited
          await sidecar.restart()
        }
      }
      await running
      for (const [family, mirror] of mirrors) {
        assert.ok(service.kea(family).activeLeases().length > 50, 'there are leases to compare')
        await settled(service.kea(family), mirror)
        assert.ok(mirror.noted('lost').length >= 10, 'it was cut')
      }
    })
  }

  test(`after an absence longer than the history the mirror recovers by Bulk and ends equal (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    await using started = await start(kea, false, { retention: 604_800, 'max-ended': 5 })
    const { service } = started
    await serving(service, false)
    await Promise.all(
      service.families.map(async (family) => {
        const { host, port } = service.address(family)
        await using mirror = new TestMirror({ family, servers: [{ host, port }], tls: 'off' })
        await load(kea, service, family, 6, 50)
        await mirror.start()
        await settled(service.kea(family), mirror)
        await follows(mirror)
        await mirror.stop()
        // A second of its own: bounds are inclusive.
        await sleep(2000)
        await load(kea, service, family, 8, 50)
        await started.sidecar.logged('index.pruned', { family })
        const before = mirror.notes.length
        await mirror.start()
        const since = (event: Note['event']) =>
          mirror.notes.slice(before).some((note) => note.event === event)
        await waitFor('DataMissing', () => since('data-missing'))
        await waitFor('the end of recovery', () => since('bulk-complete') && since('live'), 60_000)
        await settled(service.kea(family), mirror)
      }),
    )
  })

  test(`--exec, --jsonl and --webhook: with receivers that fail half the time and kills of the requestor nothing is lost, and order is kept (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    await using started = await start(kea, false)
    const { service } = started
    await serving(service, false)
    const family: Family = 4
    const { lab } = service
    const web = new Believed()
    let requests = 0
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (data) => {
        body += data
      })
      request.on('end', () => {
        // It takes them, and says so only half the time: what comes again must do no harm.
        for (const change of (JSON.parse(body) as { changes: ChangeJson[] }).changes) web.apply(change)
        response.writeHead(requests++ % 2 === 0 ? 503 : 204).end()
      })
    })
    server.listen(0, '127.0.0.1')
    await waitFor('the web server', () => server.listening)
    const { port: webPort } = server.address() as AddressInfo
    const folder = lab.path('taken')
    mkdirSync(folder)
    // A file for each binding, its contents the number; every other attempt fails, half of them after the work was done.
    const script = lab.path('take.sh')
    writeFileSync(
      script,
      `n=$(cat ${folder}/.n 2>/dev/null || echo 0); echo $((n + 1)) > ${folder}/.n
  [ $((n % 4)) -ne 1 ] || exit 1
  case $LEASEQUERY_CHANGE in
  removed) rm -f "${folder}/$LEASEQUERY_KEY" ;;
  *) echo "$LEASEQUERY_HARDWARE_ADDRESS" > "${folder}/$LEASEQUERY_KEY" ;;
  esac
  [ $((n % 4)) -ne 3 ]
  `,
    )
    const jsonl = lab.path('changes.jsonl')
    const { host, port } = service.address(family)
    const command = [process.execPath, compiled('sidecar/requestor/main.ts'), 'mirror', `${host}:${port}`]
    const flags = [
      '--state',
      lab.path('replica'),
      '--tls',
      'off',
      '--retry',
      '1',
      '--json',
      '--skip-renewals',
    ]
    const receivers = [
      '--exec',
      `sh ${script}`,
      '--jsonl',
      jsonl,
      '--webhook',
      `http://127.0.0.1:${webPort}/`,
    ]
    const run = () => lab.start(lab.unique('mirror'), [...command, ...flags, ...receivers])
    let mirror = run()
    // As many as a shell a change keeps up with here.
    const running = perfdhcp(lab, kea, family, { rate: 10, clients: 60, seconds: 15, releases: 4 })
    for (let kill = 0; kill < 4; kill++) {
      await sleep(2500)
      mirror.kill('SIGKILL')
      await mirror.exited
      mirror = run()
    }
    await running
    const leases = () =>
      new Map(
        service
          .kea(family)
          .activeLeases()
          .map((row) => [row.address, row.hardwareAddress]),
      )
    assert.ok(leases().size > 10)
    const sorted = (entries: Iterable<[string, string]>) =>
      [...entries].sort(([a], [b]) => a.localeCompare(b))
    await waitFor(
      'every receiver to have what Kea has',
      () => {
        const truth = sorted(leases())
        const taken = readdirSync(folder).filter((name) => name !== '.n')
        const byExec = taken.map((name): [string, string] => [
          name,
          readFileSync(`${folder}/${name}`, 'utf8').trim(),
        ])
        assert.deepEqual(sorted(byExec), truth, '--exec')
        const lines = new Believed()
        for (const line of readFileSync(jsonl, 'utf8').trimEnd().split('\n')) lines.apply(JSON.parse(line))
        for (const [name, { held }] of [
          ['--jsonl', lines],
          ['--webhook', web],
        ] as const) {
          const known = [...held].map(([key, change]): [string, string] => [
            key,
            change['hardware-address']!.replace(/(..)(?=.)/g, '$1:'),
          ])
          assert.deepEqual(sorted(known), truth, name)
        }
        return true
      },
      120_000,
    )
    await mirror.stop()
    server.closeAllConnections()
    server.close()
  })
}

/** What AsyncDisposableStack is, before Node 24. */
class AsyncDisposableStackLike {
  readonly #work: (() => Promise<void>)[] = []

  add(work: () => Promise<void>): void {
    this.#work.push(work)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const work of this.#work.reverse()) await work()
  }
}
