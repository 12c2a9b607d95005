/**
 * What a disk can do to the sidecar, on real Kea and under load: it is slow, it is full, what is on it is damaged. Requestors
 * are served all along where there is a store to serve from; where there is none, one sentence says so, and what to do.
 */

import assert from 'node:assert/strict'
import {
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { packagePath } from '../support/package-root.ts'
import { type Process, run } from '../support/processes.ts'
import { keaRoots } from '../support/roots.ts'
import type { Service } from '../support/service.ts'
import { Sidecar, type SidecarOptions } from '../support/sidecar.ts'
import { waitFor } from '../support/wait.ts'
import {
  assertLoud,
  assertServed,
  assertSettled,
  begin,
  comeBack,
  hears,
  keaLines,
  load,
  startService,
} from './faults-support.ts'

/** The sidecar with other options than a Service gives it, serving. */
async function startSidecar(service: Service, options: SidecarOptions): Promise<Sidecar> {
  const sidecar = await Sidecar.start(service.lab, { families: [4], ...options })
  await sidecar.logged('listener.started')
  await waitFor('the sidecar to be in step with Kea', () =>
    sidecar.log().some(({ event }) => event === 'feed.reconciled' || event === 'feed.replayed'),
  )
  return sidecar
}

/** A disk of so many octets for the state, in a mount namespace of its own that ends with the laboratory. */
class SmallDisk {
  readonly folder: string
  readonly #holder: Process

  private constructor(folder: string, holder: Process) {
    this.folder = folder
    this.#holder = holder
  }

  static async mount(service: Service, size: string): Promise<SmallDisk> {
    const folder = service.lab.path('state')
    mkdirSync(folder, { recursive: true })
    const script = `mount -t tmpfs -o size=${size} tmpfs '${folder}' && echo mounted && exec sleep infinity`
    const own = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script]
    const holder = service.lab.start('small-disk', own)
    await waitFor('the disk to be mounted', () => holder.output().includes('mounted'))
    return new SmallDisk(folder, holder)
  }

  /** Runs a program where the disk is seen. */
  get prefix(): string[] {
    return ['nsenter', `--mount=/proc/${this.#holder.pid}/ns/mnt`, '--']
  }

  run(...command: string[]): Promise<string> {
    return run([...this.prefix, ...command], [0, 1])
  }

  /** Takes all the room there is. */
  fill(): Promise<string> {
    return this.run('sh', '-c', `cat /dev/zero >>'${this.folder}/fill'`)
  }

  resize(size: string): Promise<string> {
    return this.run('mount', '-o', `remount,size=${size}`, this.folder)
  }
}

/** One octet in ten thousand is another one, from the middle of the file on. */
function flip(path: string): void {
  const octets = readFileSync(path)
  for (let at = octets.length >>> 1; at < octets.length; at += 10_000) octets[at]! ^= 0x55
  writeFileSync(path, octets)
}

/** The largest file of the store whose name ends like this. */
function largest(folder: string, ending: RegExp): string {
  const [path] = readdirSync(folder)
    .filter((name) => ending.test(name))
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(b).size - statSync(a).size)
  assert.ok(path, `${folder} has no such file: ${readdirSync(folder)}`)
  return path
}

const data = /\.(ldb|log)$/

/** What becomes of files on a disk that nobody looks after. */
const damages: Readonly<Record<string, (folder: string) => void>> = {
  'octets are flipped': (folder) => flip(largest(folder, data)),
  'a block is zeroed': (folder) => {
    const path = largest(folder, data)
    const at = Math.floor(statSync(path).size / 2)
    writeSync(openSync(path, 'r+'), Buffer.alloc(4096), 0, 4096, at)
  },
  'MANIFEST is gone': (folder) => rmSync(largest(folder, /^MANIFEST/)),
  'CURRENT is gone': (folder) => rmSync(join(folder, 'CURRENT')),
  'CURRENT is empty': (folder) => truncateSync(join(folder, 'CURRENT'), 0),
}

for (const kea of keaRoots()) {
  test(`requestors of Kea ${kea.kea} notice nothing of a slow disk, nor miss anything when the sidecar is killed over it`, {
    skip: kea.skip,
  }, async () => {
    await using service = await startService(kea, 4, { sidecar: false })
    const { lab } = service
    const library = lab.path('slow-disk.so')
    await run([
      'cc',
      '-shared',
      '-fPIC',
      '-O',
      '-o',
      library,
      packagePath('test/support/slow-disk.c'),
      '-ldl',
    ])
    const speed = lab.path('milliseconds')
    writeFileSync(speed, '0')
    const env = { LD_PRELOAD: library, SLOW_DISK: lab.path('state'), SLOW_DISK_MS: speed }
    const sidecar = await startSidecar(service, { env })
    const requestor = await begin(service, 4)
    const running = load(service, 10)
    await hears(requestor, 100)
    writeFileSync(speed, '9000')
    await sidecar.logged('store.slow')
    await hears(requestor, 300, requestor.fold.told)
    // A new requestor gets everything, too.
    await (await begin(service, 4)).close()
    assertServed(await running)
    await assertSettled(service, requestor)
    assertLoud(sidecar, { 'feed.gap': 1, 'store.slow': 1 })
    await service.kea(4).logged(/LEASE_FEED_FOLLOWER_PROBLEM.*the disk is slow/)
    sidecar.kill('SIGKILL')
    await sidecar.exited
    writeFileSync(speed, '0')
    await service.startSidecar()
    const back = await comeBack(service, requestor)
    assert.equal(back.wasMissing, false)
    await assertSettled(service, back.requestor)
  })

  test(`a full disk is told in one line, in Kea's log too, and nothing is missed, with room again or killed (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    await using service = await startService(kea, 4, { sidecar: false })
    const server = service.kea(4)
    const disk = await SmallDisk.mount(service, '1m')
    const { prefix } = disk
    const sidecar = await startSidecar(service, { prefix })
    const requestor = await begin(service, 4)
    await disk.fill()
    assertServed(await load(service, 3))
    const failed = await sidecar.logged('store.write-failed')
    assert.match(failed.msg, /^store cannot be written, serving from memory: .*[Nn]o space left on device/)
    await server.logged(/LEASE_FEED_FOLLOWER_PROBLEM.*cannot be written/)
    assertServed(await load(service, 2))
    await assertSettled(service, requestor)
    assertLoud(sidecar, { 'feed.gap': 1, 'store.write-failed': 1 })

    await disk.resize('64m')
    await sidecar.logged('store.written-again')
    await server.logged('LEASE_FEED_FOLLOWER_WELL')
    assert.equal(keaLines(server.log(), 'LEASE_FEED_FOLLOWER_PROBLEM').length, 1)
    assertServed(await load(service, 1))
    await assertSettled(service, requestor)
    await disk.fill()
    assertServed(await load(service, 2))
    sidecar.kill('SIGKILL')
    await sidecar.exited

    // A disk without any room is told at the start, too.
    assert.match(
      await refusal(service, 'the disk is full', prefix),
      /^kea-leasequery: store \S+ cannot be opened: .*No space left on device.*has room/,
    )
    await disk.run('rm', join(disk.folder, 'fill'))
    const again = await startSidecar(service, { prefix })
    const back = await comeBack(service, requestor)
    assertServed(await load(service, 1))
    await assertSettled(service, back.requestor)
    assertLoud(again, { 'feed.gap': 1 })
  })

  test(`a damaged store is refused in one sentence, and rebuilt from Kea ${kea.kea} when asked`, {
    skip: kea.skip,
  }, async () => {
    await using service = await startService(kea, 4)
    const { lab } = service
    const requestor = await service.requestor(4)
    assertServed(await load(service, 3, 300))
    await service.sidecar.stop()
    const running = load(service, 8, 50)
    const [store, whole] = [lab.path('state', 'dhcp4'), lab.path('whole')]
    cpSync(store, whole, { recursive: true })
    for (const [what, damage] of Object.entries(damages)) {
      rmSync(store, { recursive: true })
      cpSync(whole, store, { recursive: true })
      damage(store)
      const sentence = await refusal(service, what)
      assert.match(sentence, /^kea-leasequery: store \S+ (cannot be trusted|cannot be opened): .*$/, what)
      assert.match(sentence, /--rebuild/, what)
    }

    // A log cut short is what a crash leaves, an earlier moment: it goes on from there.
    rmSync(store, { recursive: true })
    cpSync(whole, store, { recursive: true })
    const log = largest(store, /\.log$/)
    truncateSync(log, Math.floor(statSync(log).size / 2))
    const cut = await startSidecar(service, {})
    const back = await comeBack(service, requestor)
    assert.equal(back.wasMissing, false, 'the ring has what the store lost')
    assertServed(await running)
    await assertSettled(service, back.requestor)
    assertLoud(cut, { 'store.alarm': 1 }) // That it is older than its last stop.
    await cut.stop()

    // Without any log there is nothing to go on from: history begins anew, and requestors are told.
    rmSync(store, { recursive: true })
    cpSync(whole, store, { recursive: true })
    rmSync(largest(store, /\.log$/))
    const empty = await startSidecar(service, {})
    const third = await comeBack(service, back.requestor)
    assert.ok(third.wasMissing)
    await assertSettled(service, third.requestor)
    await empty.stop()

    // The one before was begun anew as well, so its clock ran ahead as far; that two do so in one second is this test's alone.
    await sleep(2000)
    const rebuilt = await startSidecar(service, { flags: ['--rebuild'] })
    const last = await comeBack(service, third.requestor)
    assert.ok(last.wasMissing, 'history begins anew')
    await assertSettled(service, last.requestor)
    assertLoud(rebuilt, { 'feed.gap': 1, 'query.data-missing': 1 })
  })
}

/** What a sidecar that must not start says on standard error. */
async function refusal(service: Service, why: string, prefix: readonly string[] = []): Promise<string> {
  const error = await Sidecar.start(service.lab, { families: [4], prefix }).then(
    () => assert.fail(`it starts though ${why}`),
    (error: Error) => error,
  )
  const said = error.message.split('\n').slice(1)
  return said.filter((line) => !line.startsWith('{')).join('\n')
}
