// The daemon as systemd runs it: an ordinary user whose only right is to listen on port 67, on a feed that lets its group in.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { byClient, lease } from '../support/daemon.ts'
import { HookCore } from '../support/hook-core.ts'
import { packageRoot } from '../support/package-root.ts'
import { serviceJson } from '../support/requestor-service.ts'
import { waitFor } from '../support/wait.ts'

const NOBODY = 65534
/** CAP_NET_BIND_SERVICE, by its bit. */
const BIND_SERVICE = 1 << 10
const mayNot = process.getuid?.() !== 0 && process.env['KEA_TEST_ALLOW_MISSING'] === '1'
const skip = mayNot ? 'only root can become somebody else' : false

/** Its children see the checkout and Node where anybody may read them, whoever owns the folders above; and a loopback of their own. */
const asNobody = `
set -eu
mount --bind "$1" "$3/product"
mount --bind "$2" "$3/node"
ip link set lo up
cd /
folder=$3
shift 3
exec setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups --no-new-privs \\
  --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service --bounding-set=-all,+net_bind_service \\
  "$folder/node" "$@"`

class Child {
  readonly process: ChildProcess
  output = ''

  constructor(command: string, words: readonly string[]) {
    this.process = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.process.stdout!, this.process.stderr!]) {
      stream.on('data', (data) => {
        this.output += data
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    this.process.kill('SIGKILL')
    await once(this.process, 'exit')
  }
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? [path, ...filesIn(path)] : [path]
  })

test('an ordinary user with CAP_NET_BIND_SERVICE alone serves port 67; what it stores nobody else may read', {
  skip,
}, async () => {
  const folder = mkdtempSync('/tmp/alq-nobody-')
  chmodSync(folder, 0o755)
  const feed = join(folder, 'feed')
  const state = join(folder, 'state')
  for (const name of ['product', 'feed', 'state']) mkdirSync(join(folder, name))
  // As tmpfiles.d makes it: sockets inherit the group, whose members may connect.
  chownSync(feed, 0, NOBODY)
  chmodSync(feed, 0o2750)
  chownSync(state, NOBODY, NOBODY)
  chmodSync(state, 0o700)
  // What Node is mounted on.
  writeFileSync(join(folder, 'node'), '')
  const endpoint = `ipc://${feed}/dhcp4`
  using core = new HookCore({
    family: 4,
    endpoint,
    identity: { keaVersion: '3.0.0', serverIdentifiers: [Uint8Array.of(192, 0, 2, 1)] },
  })
  try {
    core.setService(serviceJson(4))
    core.start()
    const flags = ['--feed', `dhcp4=${endpoint}`, '--state-dir', state]
    const daemonFile = join(folder, 'product', 'dist', 'sidecar', 'main.js')
    await using daemon = new Child('unshare', [
      ...['--mount', '--propagation', 'private', '--net', 'sh', '-c', asNobody, 'sh'],
      ...[packageRoot, process.execPath, folder, daemonFile, ...flags],
    ])
    const listening = await waitFor('it to listen', () => {
      if (daemon.process.exitCode !== null) throw new Error(daemon.output)
      return /"event":"listener.started".*port 67/.test(daemon.output)
    })
    assert.ok(listening)
    const status = readFileSync(`/proc/${daemon.process.pid}/status`, 'utf8')
    assert.match(status, new RegExp(`^Uid:\\s+${NOBODY}\\s+${NOBODY}\\s+${NOBODY}\\s+${NOBODY}$`, 'm'))
    for (const set of ['CapEff', 'CapPrm', 'CapBnd']) {
      const value = new RegExp(`^${set}:\\s+([0-9a-f]+)$`, 'm').exec(status)?.[1]
      assert.equal(Number.parseInt(value!, 16), BIND_SERVICE, set)
    }
    await using watch = new Child('nsenter', [
      `--net=/proc/${daemon.process.pid}/ns/net`,
      ...[process.execPath, join(packageRoot, 'dist', 'sidecar', 'requestor', 'main.js')],
      ...['watch', '127.0.0.1'],
    ])
    await waitFor('the query to be accepted', () => watch.output.includes('accepted'))
    core.put(lease('192.0.2.77', 77), byClient)
    await waitFor('the grant', () => /192\.0\.2\.77 +granted/.test(watch.output))
    daemon.process.kill('SIGTERM')
    await once(daemon.process, 'exit')
    assert.equal(daemon.process.exitCode, 0, daemon.output)
    const stored = filesIn(state)
    assert.ok(stored.length > 3)
    for (const path of stored) assert.equal(statSync(path).mode & 0o077, 0, path)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
