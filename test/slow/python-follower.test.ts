/** The follower of proto/example, in another language, on the hook's core: whatever happens, it holds the leases that there are. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { formatAddress, parseAddress } from '../../sidecar/wire/address.ts'
import { byClient, keaDuid, lease } from '../support/daemon.ts'
import { HookCore } from '../support/hook-core.ts'
import { packagePath } from '../support/package-root.ts'
import { waitFor } from '../support/wait.ts'

/** Debian's own, which has Debian's packages. */
const python = '/usr/bin/python3'

/** Why it cannot be run here, where that is allowed. */
function missing(): false | string {
  try {
    execFileSync(python, ['-c', 'import zmq, google.protobuf'], { stdio: 'pipe' })
    execFileSync('protoc', ['--version'], { stdio: 'pipe' })
    return false
  } catch {
    const reason = 'python3-zmq, python3-protobuf or protobuf-compiler is not installed'
    if (process.env['KEA_TEST_ALLOW_MISSING']) return reason
    throw new Error(`${reason}: npm run test:all, as root, installs it`)
  }
}

class PythonFollower {
  readonly folder = mkdtempSync(join(tmpdir(), 'alq-python-'))
  readonly #held = new Map<string, string>()
  readonly #notes: string[] = []
  #process: ReturnType<typeof spawn> | undefined
  #rest = ''
  errors = ''

  get endpoint(): string {
    return `ipc://${join(this.folder, 'feed')}`
  }

  /** As its README says. */
  start(): this {
    const source = ['--proto_path', packagePath('proto'), packagePath('proto', 'lease_feed.proto')]
    execFileSync('protoc', [...source, '--python_out', this.folder])
    copyFileSync(packagePath('proto', 'example', 'follow.py'), join(this.folder, 'follow.py'))
    const child = spawn(python, [join(this.folder, 'follow.py'), this.endpoint])
    this.#process = child
    child.stdout.on('data', (data) => {
      const lines = `${this.#rest}${data}`.split('\n')
      this.#rest = lines.pop()!
      for (const line of lines) this.#hear(line)
    })
    child.stderr.on('data', (data) => {
      this.errors += data
    })
    return this
  }

  #hear(line: string): void {
    const [sign, address = '', client = ''] = line.split(' ')
    if (sign === '+') this.#held.set(address, client)
    else if (sign === '-') this.#held.delete(address)
    else this.#notes.push(line)
  }

  kill(signal: NodeJS.Signals): void {
    this.#process?.kill(signal)
  }

  noted(pattern: RegExp, from = 0): Promise<boolean> {
    return waitFor(`the follower to note ${pattern}`, () => {
      assert.equal(this.errors, '')
      return this.#notes.slice(from).some((note) => pattern.test(note))
    })
  }

  get notes(): number {
    return this.#notes.length
  }

  /** Until what it has printed comes to the leases of the core. */
  async agrees(core: HookCore): Promise<void> {
    await waitFor('the follower to hold the leases that there are', () => {
      assert.equal(this.errors, '')
      assert.deepEqual(this.#held, heldBy(core))
      return true
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process?.exitCode === null) {
      this.kill('SIGKILL')
      await once(this.#process, 'exit')
    }
    rmSync(this.folder, { recursive: true })
  }
}

function heldBy(core: HookCore): Map<string, string> {
  const held = new Map<string, string>()
  for (let after: Uint8Array | undefined; ; ) {
    const page = core.leases(after, 10_000)
    for (const { address, state, validLifetime, hardwareAddress, clientId } of page) {
      if ((state !== 0 && state !== 4) || validLifetime === 0) continue
      const client = hardwareAddress.length > 0 ? hardwareAddress : clientId
      held.set(
        formatAddress(address),
        [...client].map((octet) => octet.toString(16).padStart(2, '0')).join(':'),
      )
    }
    if (page.length < 10_000) return held
    after = page.at(-1)!.address
  }
}

describe('the Python follower of proto/example', { skip: missing() }, () => {
  for (const family of [4, 6] as const) {
    const address = (n: number) => (family === 4 ? `192.0.2.${n}` : `2001:db8::${n.toString(16)}`)

    it(`DHCPv${family}: holds what Kea holds, through losses, a new epoch, failed pages and changes that nobody tells of`, async () => {
      await using follower = new PythonFollower()
      const identity = family === 4 ? {} : { serverDuid: keaDuid }
      using core = new HookCore({
        family,
        endpoint: follower.endpoint,
        identity: { keaVersion: '3.0.0', ...identity },
        ringEvents: 1024,
        pageShare: 1,
      })
      core.start()
      core.generate({ count: 3000 })
      follower.start()
      await follower.agrees(core)

      // Changes as they happen, while a walk is under way too.
      let before = follower.notes
      core.requestResync()
      await core.churn({ changes: 5000, rate: 2000, removals: 0.4, newClients: 0.4 })
      await follower.noted(/^# walk 2 ended/, before)
      await follower.agrees(core)

      // A lease that goes from one client to another, and one that is declined.
      core.put(lease(address(7), 7), byClient)
      core.put(lease(address(7), 8), byClient)
      core.put(lease(address(9), 9), byClient)
      core.put(lease(address(9), 9, { state: 1 }), byClient)
      await follower.agrees(core)

      // It hangs until the ring has overflown.
      before = follower.notes
      follower.kill('SIGSTOP')
      for (let round = 0; round < 10; round++)
        await core.churn({ changes: 20_000, removals: 0.3, seed: round + 2 })
      follower.kill('SIGCONT')
      await follower.noted(/^# walk \d+: events are lost/, before)
      core.put(lease(address(10), 10), byClient)
      await follower.agrees(core)

      // Kea is configured anew, and has lost and found leases meanwhile.
      before = follower.notes
      core.stop()
      core.removeSilently(parseAddress(address(7))!)
      core.putSilently(lease(address(11), 11))
      core.renew()
      core.start()
      await follower.noted(/^# Kea 3\.0\.0, epoch/, before)
      await follower.agrees(core)

      // A walk that fails in the middle ends nothing.
      before = follower.notes
      core.failPages('the database is away')
      core.removeSilently(parseAddress(address(11))!)
      core.requestResync()
      await follower.noted(/^# the database is away; again in/, before)
      core.failPages(null)
      await follower.agrees(core)
    })
  }
})
