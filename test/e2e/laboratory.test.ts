import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Dhclient, perfdhcp } from '../support/clients.ts'
import { Kea, leaseCommands } from '../support/kea.ts'
import { Laboratory, listNamespaces, removeLeftovers } from '../support/laboratory.ts'
import { compiled } from '../support/package-root.ts'
import { fakeTimeLibrary, keaRoots, mainKea } from '../support/roots.ts'
import { waitFor } from '../support/wait.ts'

for (const root of keaRoots()) {
  test(`Kea ${root.kea} leases IPv4 addresses to perfdhcp, and its lease file has them`, {
    skip: root.skip,
  }, async () => {
    await using lab = await Laboratory.open()
    const kea = await Kea.start(lab, root, 4, { hooks: [{ library: leaseCommands }] })

    const load = await perfdhcp(lab, root, 4, { rate: 50, clients: 40, exchanges: 40 })

    // perfdhcp sends each packet once, and a busy machine loses some.
    const acks = load.exchanges['REQUEST-ACK']?.received ?? 0
    assert.ok(acks >= 30, load.text)
    const leases = kea.activeLeases()
    assert.ok(leases.length >= acks && leases.length <= 40, `${leases.length} leases, ${acks} acknowledged`)
    const { arguments: all } = await kea.mustCommand('lease4-get-all')
    const known = (all as { leases: { 'ip-address': string; 'hw-address': string }[] }).leases
    assert.deepEqual(
      leases.map((lease) => `${lease.address} ${lease.hardwareAddress}`).sort(),
      known.map((lease) => `${lease['ip-address']} ${lease['hw-address']}`).sort(),
    )
  })

  test(`Kea ${root.kea} leases IPv6 addresses and prefixes to perfdhcp`, { skip: root.skip }, async () => {
    await using lab = await Laboratory.open()
    const kea = await Kea.start(lab, root, 6)

    const load = await perfdhcp(lab, root, 6, { rate: 50, clients: 30, exchanges: 30 })

    const replies = load.exchanges['REQUEST-REPLY']?.received ?? 0
    assert.ok(replies >= 22, load.text)
    const leases = kea.activeLeases()
    const addresses = leases.filter((lease) => lease.type === 'IA_NA' && lease.prefixLength === 128)
    const prefixes = leases.filter((lease) => lease.type === 'IA_PD' && lease.prefixLength === 56)
    assert.ok(addresses.length >= replies, `${addresses.length} addresses, ${replies} replies`)
    assert.equal(prefixes.length, addresses.length)
  })

  test(`a host takes, keeps over a reboot and releases its lease (Kea ${root.kea})`, {
    skip: root.skip,
  }, async () => {
    await using lab = await Laboratory.open()
    for (const family of [4, 6] as const) {
      const kea = await Kea.start(lab, root, family)
      const host = new Dhclient(lab, root, family)
      await host.acquire()
      const first = kea.activeLeases().map((lease) => lease.address)
      assert.equal(first.length, family === 4 ? 1 : 2)
      await host.abandon()
      await host.acquire()
      assert.deepEqual(
        kea.activeLeases().map((lease) => lease.address),
        first,
      )
      await host.release()
      await waitFor('the lease to be released', () => kea.activeLeases().length === 0)
    }
  })

  test(`a Kea ${root.kea} that crashed comes back with its leases`, { skip: root.skip }, async () => {
    await using lab = await Laboratory.open()
    const kea = await Kea.start(lab, root, 4, { hooks: [{ library: leaseCommands }] })
    await perfdhcp(lab, root, 4, { rate: 50, clients: 10, exchanges: 10 })
    const before = kea.activeLeases()
    kea.kill('SIGKILL')
    assert.equal((await kea.exited).signal, 'SIGKILL')
    await kea.restart()
    const { arguments: all } = await kea.mustCommand('lease4-get-all')
    assert.equal((all as { leases: unknown[] }).leases.length, before.length)
    assert.equal((await kea.reload({ parameters: { 'valid-lifetime': 1000 } })).result, 0)
    assert.equal((await kea.stop()).code, 0)
  })

  test(`a configuration that Kea ${root.kea} refuses is told with its reason`, {
    skip: root.skip,
  }, async () => {
    await using lab = await Laboratory.open()
    assert.equal((await Kea.check(lab, root, 4)).accepted, true)
    const wrong = { parameters: { 'valid-lifetimes': 1 } }
    const { accepted, text } = await Kea.check(lab, root, 4, wrong)
    assert.equal(accepted, false)
    assert.match(text, /valid-lifetimes/)
    await assert.rejects(Kea.start(lab, root, 4, wrong), /ended before it answered.*valid-lifetimes/s)
  })

  test(`a Kea ${root.kea} can live at another time`, { skip: root.skip }, async () => {
    await using lab = await Laboratory.open()
    const env = { LD_PRELOAD: fakeTimeLibrary(root), FAKETIME: '+30d' }
    const kea = await Kea.start(lab, root, 4, { env })
    // It asks again where a packet is lost; perfdhcp would not.
    await new Dhclient(lab, root, 4).acquire()
    const { cltt } = await waitFor('the lease to be written', () => kea.leases()[0])
    const ahead = cltt - Date.now() / 1000
    assert.ok(Math.abs(ahead - 30 * 86400) < 3600, `${ahead} s ahead`)
  })

  test(`closing a laboratory leaves nothing of it on the machine (Kea ${root.kea})`, {
    skip: root.skip,
  }, async () => {
    const lab = await Laboratory.open()
    const kea = await Kea.start(lab, root, 4)
    await new Dhclient(lab, root, 4).acquire()
    const used = { pid: kea.pid, folder: lab.folder }
    assert.ok(existsSync(`/proc/${used.pid}`))
    assert.ok(processesNaming(lab.name).length >= 2)

    await lab.close()

    assert.deepEqual(processesNaming(lab.name), [])
    assert.deepEqual(
      listNamespaces().filter((name) => name.startsWith(lab.name)),
      [],
    )
    assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(lab.name))
    assert.equal(existsSync(used.folder), false)
    assert.deepEqual(
      readdirSync(`${root.root}/tmp`).filter((name) => name.startsWith('kea-lab')),
      [],
      'the cached root was written to',
    )
  })
}

test('what a killed run leaves, the next one removes', { skip: mainKea().skip }, async () => {
  const program = `
    const { Laboratory } = await import(${JSON.stringify(compiled('test/support/laboratory.ts'))})
    const { Kea } = await import(${JSON.stringify(compiled('test/support/kea.ts'))})
    const { mainKea } = await import(${JSON.stringify(compiled('test/support/roots.ts'))})
    const lab = await Laboratory.open()
    const kea = await Kea.start(lab, mainKea(), 4)
    console.log(JSON.stringify({ name: lab.name, folder: lab.folder, pid: kea.pid }))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const left = JSON.parse(line.toString()) as { name: string; folder: string; pid: number }
  assert.ok(existsSync(`/proc/${left.pid}`))
  child.kill('SIGKILL')
  await once(child, 'exit')
  await waitFor('Kea to die with its laboratory', () => processesNaming(left.name).length === 0)
  assert.ok(existsSync(left.folder))

  removeLeftovers()

  assert.equal(existsSync(left.folder), false)
  assert.deepEqual(
    listNamespaces().filter((name) => name.startsWith(left.name)),
    [],
  )
})

test('a laboratory is removed when its process gets SIGTERM', { skip: mainKea().skip }, async () => {
  const program = `
    const { Laboratory } = await import(${JSON.stringify(compiled('test/support/laboratory.ts'))})
    const lab = await Laboratory.open()
    console.log(lab.folder)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const folder = line.toString().trim()
  assert.ok(existsSync(folder))
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  assert.equal(code, 143)
  assert.equal(existsSync(folder), false)
})

/** Command lines of the running processes that have a word in them. */
function processesNaming(word: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      } catch {
        return ''
      }
    })
    .filter((line) => line.includes(word))
}
