// What the service manager is told. It reads datagrams, which Node cannot: Perl, of every Debian's base, does.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Notifier, notifierParts } from '../../sidecar/operations/notify.ts'
import { Daemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'

const read = `
use Socket;
$| = 1;
my $name = shift;
socket(my $socket, PF_UNIX, SOCK_DGRAM, 0) or die $!;
bind($socket, sockaddr_un($name =~ s/^@/\\0/r)) or die $!;
print "bound\\n";
while (defined recv($socket, my $text, 8192, 0)) { print $text, "--\\n" }`

class Manager {
  readonly folder = mkdtempSync(join(tmpdir(), 'alq-notify-'))
  readonly socket: string
  #output = ''
  #child: ChildProcess

  constructor(socket?: string) {
    this.socket = socket ?? join(this.folder, 'notify')
    this.#child = spawn('perl', ['-e', read, this.socket], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child.stdout!.on('data', (data) => {
      this.#output += data
    })
  }

  async listening(): Promise<this> {
    await waitFor('the manager to listen', () => this.#output.startsWith('bound\n'))
    return this
  }

  /** Each a message; the lines of it. */
  get told(): string[][] {
    return this.#output
      .slice('bound\n'.length)
      .split('--\n')
      .slice(0, -1)
      .map((text) => text.trimEnd().split('\n'))
  }

  count(line: string): number {
    return this.told.flat().filter((told) => told === line).length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

test('systemd is told that the daemon is ready, how it is, that its loop turns, and that it stops', async () => {
  await using manager = await new Manager().listening()
  await using daemon = new Daemon([4], undefined, {
    env: { NOTIFY_SOCKET: manager.socket, WATCHDOG_USEC: '300000' },
  })
  await daemon.start()
  await waitFor('keep-alives', () => manager.count('WATCHDOG=1') >= 4)
  assert.deepEqual(manager.told[0]!.slice(0, 2), ['READY=1', 'WATCHDOG=1'])
  assert.match(
    manager.told[0]![2]!,
    /^STATUS=Not ready\. DHCPv4: Kea has not been heard (?:yet|for \d+ s); .* DHCPv4: 0 active bindings, 0 connections\.$/,
  )
  assert.equal(manager.count('READY=1'), 1)
  daemon.kill('SIGTERM')
  assert.equal(await daemon.ended(), 0)
  await waitFor('the word of the stop', () => manager.count('STOPPING=1') === 1)
})

test('a manager that cannot be told is one line in the log, and the daemon goes on', async () => {
  const env = { NOTIFY_SOCKET: '/nowhere/at/all', WATCHDOG_USEC: '150000' }
  await using daemon = new Daemon([4], undefined, { env })
  await daemon.start()
  const { msg } = await daemon.logged('daemon.not-supervised')
  assert.match(String(msg), /all: ENOENT/)
  daemon.kill('SIGTERM')
  assert.equal(await daemon.ended(), 0)
})

test('without NOTIFY_SOCKET there is nobody to tell', () => {
  assert.equal(notifierParts({ WATCHDOG_USEC: '30000000' }, assert.fail), undefined)
})

test('keep-alives are sent where the watchdog is for this process', () => {
  const microseconds = (env: NodeJS.ProcessEnv) =>
    notifierParts({ NOTIFY_SOCKET: '/x', ...env }, assert.fail)!.watchdogMicroseconds
  assert.equal(microseconds({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(process.pid) }), 30_000_000)
  assert.equal(microseconds({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' }), 0)
  assert.equal(microseconds({ WATCHDOG_USEC: 'soon' }), 0)
  assert.equal(microseconds({}), 0)
})

test('an abstract socket is reached; a name that is too long is said', async () => {
  await using manager = await new Manager(`@alq-notify-${process.pid}`).listening()
  notifierParts({ NOTIFY_SOCKET: manager.socket }, assert.fail)!.send('READY=1\n')
  await waitFor('the message', () => manager.count('READY=1') === 1)
  const long = notifierParts({ NOTIFY_SOCKET: `/${'x'.repeat(200)}` }, assert.fail)!
  assert.throws(() => long.send('READY=1\n'), /ENAMETOOLONG/)
})

test('what could not be told is told later, once, and its failure is said once a series', () => {
  const told: string[] = []
  const failures: string[] = []
  let broken = true
  const send = (text: string) => {
    if (broken) throw new Error('queue full')
    told.push(text)
  }
  const onFailure = (reason: string) => failures.push(reason)
  const notifier = new Notifier({ send, watchdogMicroseconds: 0, onFailure }, () => 'well\nand good')
  notifier.stopping()
  assert.deepEqual(failures, ['queue full'])
  broken = false
  notifier.stopping()
  assert.deepEqual(told, ['READY=1\nSTATUS=well and good\nSTOPPING=1\n'])
})
