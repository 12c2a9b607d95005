// The daemon as an operator runs it, with the hook's core as the other end of the feed.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { BindingState, type Family, NO_OCTETS } from '../sidecar/binding.ts'
import { type ActiveRequestor, FoldedBindings } from '../sidecar/requestor/active-requestor.ts'
import type { ReportedBinding } from '../sidecar/requestor/events.ts'
import { parseAddress } from '../sidecar/wire/address.ts'
import { byClient, Daemon, lease, startHook } from './support/daemon.ts'
import type { HookCore } from './support/hook-core.ts'
import { compiled } from './support/package-root.ts'
import { serviceJson } from './support/requestor-service.ts'
import { waitFor } from './support/wait.ts'

const address = (family: Family, n: number) =>
  family === 4 ? `192.0.${n >> 8}.${n & 255}` : `2001:db8::${n.toString(16)}`

/** Connected after the first walk, so that a start time of now is answered. */
async function caughtUp(daemon: Daemon, family: Family, fold?: FoldedBindings, since?: number) {
  await daemon.logged('feed.reconciled', { family })
  const requestor = await daemon.connect(family, { since: since ?? Math.floor(Date.now() / 1000) })
  await requestor.until(({ type }) => type === 'catch-up-complete', fold)
  return requestor
}

const known = (fold: FoldedBindings) => [...fold.active.keys()].sort()

for (const family of [4, 6] as const) {
  test(`DHCPv${family}: a change in Kea is printed by leasequery watch`, async () => {
    await using daemon = await new Daemon([family]).start()
    using core = startHook(daemon, family)
    const { port } = await daemon.logged('listener.started')
    await daemon.logged('feed.reconciled')
    const host = family === 4 ? '127.0.0.1' : '[::1]'
    const watch = spawn(process.execPath, [compiled('sidecar/requestor/main.ts'), 'watch', `${host}:${port}`])
    let output = ''
    watch.stdout.on('data', (data) => {
      output += data
    })
    try {
      await waitFor('the query to be accepted', () => output.includes('accepted'))
      core.put(lease(address(family, 0x57), 57), byClient)
      await waitFor('the grant', () => /:57 +granted .*until |\.87 +granted .*until /.test(output))
      core.remove(parseAddress(address(family, 0x57))!, byClient)
      await waitFor('the end', () => /(:57|\.87) +(released|deleted|ended|free|expired)/.test(output))
    } finally {
      watch.kill('SIGKILL')
    }
  })

  test(`DHCPv${family}: after kill -9 a requestor resumes with what changed meanwhile, in Kea and on the feed`, async () => {
    await using daemon = await new Daemon([family]).start()
    using core = startHook(daemon, family)
    for (let n = 1; n <= 300; n++) core.put(lease(address(family, n), n), byClient)
    const fold = new FoldedBindings()
    const first = await caughtUp(daemon, family)
    for (let n = 301; n <= 600; n++) core.put(lease(address(family, n), n), byClient)
    await first.until(() => fold.active.has(address(family, 600)), fold)
    const { resumePoint } = first
    daemon.kill('SIGKILL')
    assert.equal(await daemon.ended(), 'SIGKILL')
    for (let n = 301; n <= 310; n++) core.remove(parseAddress(address(family, n))!, byClient)
    for (let n = 601; n <= 610; n++) core.put(lease(address(family, n), n), byClient)
    await daemon.start()
    const second = await connectTrusted(daemon, family, resumePoint!)
    await second.until(({ type }) => type === 'catch-up-complete', fold)
    await waitUntil(
      second,
      fold,
      () => fold.active.has(address(family, 610)) && !fold.active.has(address(family, 310)),
    )
    const expected = core
      .leases()
      .map((held) => textOf(held.address))
      .filter((text) => Number(text.match(/[0-9a-f]+$/)) >= 0)
      .filter((text) => !Array.from({ length: 300 }, (_, i) => address(family, i + 1)).includes(text))
    for (const text of expected) assert.ok(fold.active.has(text), text)
    for (let n = 301; n <= 310; n++) assert.ok(!fold.active.has(address(family, n)))
  })

  test(`DHCPv${family}: SIGTERM tells requestors, writes everything and exits with 0; a restart resumes`, async () => {
    await using daemon = await new Daemon([family]).start()
    using core = startHook(daemon, family)
    const fold = new FoldedBindings()
    const first = await caughtUp(daemon, family)
    core.put(lease(address(family, 1), 1), byClient)
    await first.until(() => fold.active.size === 1, fold)
    daemon.kill('SIGTERM')
    const event = await first.until(({ type }) => type === 'terminated')
    assert.ok(
      event.type === 'terminated' && event.status === 'QueryTerminated' && event.baseTime !== undefined,
    )
    assert.equal(await daemon.ended(), 0)
    assert.equal(daemon.errors, '')
    core.put(lease(address(family, 2), 2), byClient)
    core.remove(parseAddress(address(family, 1))!, byClient)
    await daemon.start()
    const second = await daemon.connect(family, { since: first.resumePoint })
    await second.until(({ type }) => type === 'catch-up-complete', fold)
    await waitUntil(second, fold, () => fold.active.size === 1 && fold.active.has(address(family, 2)))
  })
}

test('both families are served by one process', async () => {
  await using daemon = await new Daemon([4, 6]).start()
  using core4 = startHook(daemon, 4)
  using core6 = startHook(daemon, 6)
  const [first, second] = [await caughtUp(daemon, 4), await caughtUp(daemon, 6)]
  core4.put(lease('192.0.2.7', 7), byClient)
  core6.put(lease('2001:db8::7', 7), byClient)
  await first.until((event) => event.type === 'binding' && event.binding.address === '192.0.2.7')
  await second.until((event) => event.type === 'binding' && event.binding.address === '2001:db8::7')
})

test('SIGHUP reads TLS files again and ends nothing', async () => {
  await using daemon = await new Daemon([4]).start()
  daemon.kill('SIGHUP')
  await daemon.logged('daemon.reloading')
  assert.ok(daemon.running)
})

test('a daemon restarted while Kea is down serves under the parameters accepted last', async () => {
  await using daemon = await new Daemon([4]).start()
  {
    using core = startHook(daemon, 4)
    core.put(lease('192.0.2.7', 7), byClient)
    const requestor = await caughtUp(daemon, 4)
    requestor.close()
  }
  daemon.kill('SIGTERM')
  await daemon.ended()
  await daemon.start()
  await daemon.logged('config.applied', { source: 'store' })
  const requestor = await daemon.connect(4)
  await requestor.until(({ type }) => type === 'accepted')
})

test('a daemon that never met Kea serves nothing', async () => {
  await using daemon = await new Daemon([4]).start()
  await daemon.logged('feed.silent')
  assert.deepEqual(
    daemon.lines().filter((line) => line.event === 'listener.started'),
    [],
  )
})

test('bad parameters reach the status of the hook, and the service goes on', async () => {
  await using daemon = await new Daemon([4]).start()
  using core = startHook(daemon, 4)
  const requestor = await caughtUp(daemon, 4)
  core.setService(serviceJson(4, { requesters: ['nonsense'] }))
  const problem = await waitFor('the problem in the status of the hook', () =>
    core.status().followers[0]?.problems.find(({ parameter }) => parameter === 'requesters[0]'),
  )
  assert.match(problem.text, /"nonsense"/)
  core.put(lease('192.0.2.7', 7), byClient)
  await requestor.until(({ type }) => type === 'binding')
  core.setService(serviceJson(4))
  await waitFor('the problem to go', () => core.status().followers[0]?.problems.length === 0)
})

test('tls.mode required without files is told to Kea in one sentence', async () => {
  await using daemon = await new Daemon([4]).start()
  using core = startHook(daemon, 4)
  core.setService(serviceJson(4, { tls: { mode: 'required' } }))
  await waitFor('the problem', () =>
    core.status().followers[0]?.problems.some(({ parameter }) => parameter === 'tls.trust-anchor'),
  )
  await daemon.logged('tls.missing')
})

test('new parameters rebind the listener without a restart', async () => {
  await using daemon = await new Daemon([4], []).start()
  using core = startHook(daemon, 4)
  const advanced = { 'active-query-enabled': true, 'lease-query-ip': '127.0.0.1' }
  core.setService(serviceJson(4, { advanced: { ...advanced, 'lease-query-tcp-port': 40671 } }))
  await daemon.logged('listener.started', { port: 40671 })
  core.setService(serviceJson(4, { advanced: { ...advanced, 'lease-query-tcp-port': 40672 } }))
  await daemon.logged('listener.started', { port: 40672 })
  await daemon.logged('listener.stopped', { port: 40671 })
})

test('a second daemon on the same state says so and exits with 1', async () => {
  await using daemon = await new Daemon([4]).start()
  const second = spawn(process.execPath, [
    compiled('sidecar/main.ts'),
    '--feed',
    `dhcp4=${daemon.endpoint(4)}`,
    '--state-dir',
    daemon.stateDir,
  ])
  let errors = ''
  second.stderr.on('data', (data) => {
    errors += data
  })
  await waitFor('its end', () => second.exitCode !== null)
  assert.equal(second.exitCode, 1)
  await waitFor('the sentence', () => /^kea-leasequery: store .*dhcp4.*\n$/.test(errors))
})

test('requestors cut at random and resumed know exactly what Kea holds, through a crash of the daemon', async () => {
  await using daemon = await new Daemon([4]).start()
  using core = startHook(daemon, 4)
  core.generate({ count: 2000 })
  await daemon.logged('feed.reconciled')
  // They begin with what a Bulk query would have given them at this moment.
  const since = Math.floor(Date.now() / 1000)
  const folds = Array.from({ length: 3 }, () => new FoldedBindings())
  for (const fold of folds) for (const [text, held] of heldBy(core)) fold.active.set(text, held)
  const resume: (number | undefined)[] = folds.map(() => undefined)
  const run = async (i: number, stop: () => boolean) => {
    const fold = folds[i]!
    while (!stop()) {
      let requestor: ActiveRequestor | undefined
      try {
        requestor = await daemon.connect(4, { since: resume[i] ?? since })
        // Sometimes too few to end the catch-up phase, which then begins anew; mostly enough.
        let left = 50 + Math.floor(Math.random() * 8000)
        for (let event = await requestor.next(); event !== undefined; event = await requestor.next()) {
          fold.apply(event)
          assert.notEqual(event.type === 'data-missing' && resume[i] !== undefined, true, 'DataMissing')
          if (--left === 0 || stop()) break
        }
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error
        // The daemon was killed, or is not up again yet.
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      resume[i] = requestor?.resumePoint ?? resume[i]
      requestor?.close()
    }
  }
  let over = false
  const running = folds.map((_, i) => run(i, () => over))
  await core.churn({ changes: 6000, rate: 6000, removals: 0.3, newClients: 0.2 })
  daemon.kill('SIGKILL')
  await daemon.ended()
  await core.churn({ changes: 1000, removals: 0.3, newClients: 0.2, seed: 2 })
  await daemon.start()
  await core.churn({ changes: 3000, rate: 6000, removals: 0.3, newClients: 0.2, seed: 3 })
  core.put(lease('192.0.2.250', 1), byClient)
  await waitFor('all to hear of the last change', () => folds.every((fold) => fold.active.has('192.0.2.250')))
  over = true
  core.put(lease('192.0.2.251', 1), byClient)
  await Promise.all(running)
  const truth = new Map([...heldBy(core)].map(([text, held]) => [text, hex(held.hardwareAddress)]))
  truth.delete('192.0.2.251')
  for (const fold of folds) {
    fold.active.delete('192.0.2.251')
    const wrong: string[] = []
    for (const [text, binding] of fold.active) {
      const holder = hex(binding.hardwareAddress)
      if (truth.get(text) !== holder) wrong.push(`${text} is ${truth.get(text)}, believed ${holder}`)
    }
    for (const text of truth.keys()) if (!fold.active.has(text)) wrong.push(`${text} is not known`)
    assert.deepEqual(wrong.slice(0, 5), [])
    assert.equal(known(fold).length, truth.size)
  }
})

/** All leases of the core, as a requestor would know them. */
function heldBy(core: HookCore): Map<string, ReportedBinding> {
  const held = new Map<string, ReportedBinding>()
  for (let after: Uint8Array | undefined; ; ) {
    const page = core.leases(after, 256)
    for (const one of page) {
      held.set(textOf(one.address), {
        family: 4,
        address: textOf(one.address),
        prefixLength: 0,
        state: BindingState.active,
        clientId: one.clientId,
        hardwareType: one.hardwareType,
        hardwareAddress: one.hardwareAddress,
        expires: one.cltt + one.validLifetime,
        preferredUntil: undefined,
        lastTransaction: one.cltt,
        stateSince: undefined,
        remote: false,
        relay: undefined,
        server: NO_OCTETS,
        status: undefined,
        options: [],
      })
    }
    if (page.length < 256) return held
    after = page.at(-1)!.address
  }
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex')
}

function textOf(octets: Uint8Array): string {
  return octets.length === 4 ? octets.join('.') : formatted6(octets)
}
function formatted6(octets: Uint8Array): string {
  return `2001:db8::${((octets[14]! << 8) | octets[15]!).toString(16)}`
}

/** Connects once start times are judged again: after an unclean stop the feed has to prove first that nothing was lost. */
async function connectTrusted(daemon: Daemon, family: Family, since: number): Promise<ActiveRequestor> {
  return waitFor('a start time to be accepted', async () => {
    await daemon.logged('feed.connected', { family })
    return daemon.connect(family, { since })
  })
}

async function waitUntil(
  requestor: ActiveRequestor,
  fold: FoldedBindings,
  done: () => boolean,
): Promise<void> {
  if (!done()) await requestor.until(done, fold)
}
