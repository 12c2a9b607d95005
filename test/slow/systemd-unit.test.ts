// The unit as systemd runs it: ready, watched, confined, reloaded, restarted and stopped.
import assert from 'node:assert/strict'
import { chmodSync, chownSync, copyFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { BootedRoot, productFolder } from '../support/booted-root.ts'
import { Authority } from '../support/certificates.ts'
import { byClient, lease } from '../support/daemon.ts'
import { HookCore } from '../support/hook-core.ts'
import { Laboratory } from '../support/laboratory.ts'
import { compiled } from '../support/package-root.ts'
import { serviceJson } from '../support/requestor-service.ts'
import { mainKea } from '../support/roots.ts'
import { waitFor } from '../support/wait.ts'

const kea = mainKea()
const { skip } = kea
const unit = 'kea-leasequery.service'
const state = '/var/lib/kea-leasequery'
/** CAP_NET_BIND_SERVICE, by its bit. */
const BIND_SERVICE = 1 << 10
/** systemd's measure of what a unit could do to its host, in tenths: 0 nothing, 100 anything. */
const MOST_EXPOSED = 16

let lab: Laboratory
let host: BootedRoot
let core: HookCore
let feedGroup: number

/** What a package does: the user, the feed's folder, the command, the unit. */
const install = `
set -e
useradd --system --user-group --no-create-home --shell /usr/sbin/nologin kea-leasequery
install -d -m 2750 -o _kea -g kea-leasequery /run/kea-lease-feed
mount --bind "$1" /run/kea-lease-feed
cat >/usr/bin/kea-leasequery <<EOF
#!/bin/sh
exec /usr/bin/node --enable-source-maps ${productFolder}/dist/sidecar/main.js "\\$@"
EOF
chmod 755 /usr/bin/kea-leasequery
cp ${productFolder}/sidecar/package/kea-leasequery.service /etc/systemd/system/
systemctl daemon-reload
`

before(async () => {
  if (skip) return
  lab = await Laboratory.open()
  host = await BootedRoot.boot(lab, kea)
  await host.run(['sh', '-c', install, 'sh', lab.path('feed')])
  feedGroup = Number(await host.run(['id', '--group', 'kea-leasequery']))
  // As tmpfiles.d makes it: sockets inherit the group.
  chownSync(lab.path('feed'), 0, feedGroup)
  chmodSync(lab.path('feed'), 0o2750)
  core = new HookCore({
    family: 4,
    endpoint: lab.feedEndpoint(4),
    identity: { keaVersion: '3.0.0', serverIdentifiers: [Uint8Array.of(192, 0, 2, 1)] },
  })
  core.setService(serviceJson(4, { advanced: { 'active-query-enabled': true, 'bulk-query-enabled': true } }))
  core.put(lease('192.0.2.77', 77), byClient)
  core.start()
})

after(async () => {
  if (skip) return
  core?.close()
  await lab?.close()
})

const mainPid = async () => Number(await host.property(unit, 'MainPID'))

/** An Active and a Bulk query are answered at port 67. */
async function serves(): Promise<void> {
  const check = [process.execPath, compiled('sidecar/requestor/main.ts'), 'check', '127.0.0.1']
  await waitFor(
    'leasequery check to be content',
    async () => {
      return (await lab.run('server', check)).includes('serves DHCPv4 Active and Bulk Leasequery')
    },
    120_000,
  )
}

test('systemd has nothing to say against the unit', { skip }, async () => {
  assert.equal(await host.run(['systemd-analyze', 'verify', `/etc/systemd/system/${unit}`]), '')
  await host.run(['systemd-analyze', 'security', '--no-pager', `--threshold=${MOST_EXPOSED}`, unit])
})

test('it is ready when it follows Kea, says how it is, and serves', { skip }, async () => {
  await host.run(['systemctl', 'enable', '--now', unit])
  assert.equal(await host.property(unit, 'ActiveState'), 'active')
  assert.equal(await host.property(unit, 'Type'), 'notify')
  await serves()
  await waitFor('the status', async () =>
    /^All is well: DHCPv4 is followed and served\. DHCPv4: 1 active bindings, \d+ connections\.$/.test(
      await host.property(unit, 'StatusText'),
    ),
  )
})

test('it has one capability, and no way to get another', { skip }, async () => {
  const status = await host.run(['cat', `/proc/${await mainPid()}/status`])
  const field = (name: string) => new RegExp(`^${name}:\\s+(.+)$`, 'm').exec(status)?.[1]
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    assert.equal(Number.parseInt(field(set)!, 16), BIND_SERVICE, set)
  }
  assert.equal(field('NoNewPrivs'), '1')
  assert.equal(field('Seccomp'), '2')
  const user = (await host.run(['id', '--user', 'kea-leasequery'])).trim()
  assert.deepEqual(new Set(field('Uid')!.split(/\s+/)), new Set([user]))
})

test('what it stores is for its user alone', { skip }, async () => {
  const modes = (await host.run(['find', state, '-printf', '%m %u %y %p\\n'])).trim().split('\n')
  assert.ok(modes.length > 4, modes.join('\n'))
  for (const line of modes) assert.match(line, /^(700 kea-leasequery d|600 kea-leasequery f) /)
})

test("it sees nothing of Kea's, and writes nowhere but to its state", { skip }, async () => {
  await host.run(['systemctl', 'start', 'kea-dhcp4-server'])
  await waitFor("Kea's control socket", () =>
    host.run(['test', '-S', '/run/kea/kea4-ctrl-socket']).then(() => true),
  )
  const pid = await mainPid()
  // Its view of the file system; as root, so that no mode of a file is what keeps it out.
  const there = (script: string) =>
    host.run(['nsenter', '--target', String(pid), '--mount', '--root', 'sh', '-c', script], [0, 1, 2])
  const kept = ['/run/kea/kea4-ctrl-socket', '/var/lib/kea/kea-leases4.csv']
  for (const path of kept) {
    assert.match(await host.run(['ls', path]), /kea/, `${path} is there`)
    assert.match(await there(`ls ${path}`), /cannot access|No such file|Permission denied/, path)
  }
  // Nor what any user may write to.
  await host.run(['install', '-d', '-m', '1777', '/srv/everybody'])
  assert.match(await there('touch /srv/everybody/mine'), /Read-only file system/)
  assert.equal(await there(`touch ${state}/mine && rm ${state}/mine && echo written`), 'written\n')
  // And as its user: Kea's configuration is kept by its own mode.
  const asUser = ['setpriv', '--reuid=kea-leasequery', '--regid=kea-leasequery', '--clear-groups', 'cat']
  assert.match(await host.run([...asUser, '/etc/kea/kea-dhcp4.conf'], [1]), /Permission denied/)
})

test('--check-config, run as the user of the service, tells what that may not read', { skip }, async () => {
  using authority = new Authority()
  const { certFile, keyFile } = authority.issue()
  const place = (name: string, from: string) => {
    copyFileSync(from, lab.path(name))
    chmodSync(lab.path(name), name === 'key.pem' ? 0o600 : 0o644)
    return lab.path(name)
  }
  const tls = {
    'trust-anchor': place('ca.pem', authority.certFile),
    'cert-file': place('cert.pem', certFile),
    'key-file': place('key.pem', keyFile),
  }
  chmodSync(lab.folder, 0o755)
  const parameters = { requesters: ['192.0.2.1'], advanced: { 'active-query-enabled': true }, tls }
  const hooks = [{ library: 'libdhcp_lease_feed.so', parameters }]
  writeFileSync(lab.path('check.conf'), JSON.stringify({ Dhcp4: { 'hooks-libraries': hooks } }), {
    mode: 0o600,
  })
  // The configuration is root's: it comes by standard input.
  const command = 'exec runuser -u kea-leasequery -- kea-leasequery --check-config - <"$1"'
  const check = ['sh', '-c', command, 'sh', lab.path('check.conf')]
  const ill = await host.run(check, [1])
  assert.match(ill, /^-:1: error: tls\.key-file .*EACCES[\s\S]*one mistake found$/m)
  chownSync(lab.path('key.pem'), 0, feedGroup)
  chmodSync(lab.path('key.pem'), 0o640)
  assert.match(await host.run(check), /DHCPv4: all is well: Active Leasequery is served over TLS/)
})

test('a reload reads the TLS files again, in the same process', { skip }, async () => {
  const pid = await mainPid()
  await host.run(['systemctl', 'reload', unit])
  await waitFor('the line', async () => (await host.journal(unit)).includes('"event":"daemon.reloading"'))
  assert.equal(await mainPid(), pid)
  await serves()
})

test('a restart is in order, and it serves from its store while Kea is down', { skip }, async () => {
  const pid = await mainPid()
  core.stop()
  await host.run(['systemctl', 'restart', unit])
  assert.notEqual(await mainPid(), pid)
  assert.ok((await host.journal(unit)).includes('"event":"daemon.stopped"'))
  await serves()
  core.start()
})

test('a process that is stuck is ended by the watchdog, started again, and serves', { skip }, async () => {
  const pid = await mainPid()
  await host.run(['kill', '-STOP', String(pid)])
  await waitFor(
    'another process to be ready',
    async () => {
      const now = await mainPid()
      return now !== 0 && now !== pid && (await host.property(unit, 'ActiveState')) === 'active'
    },
    180_000,
  )
  assert.match(await host.journal(unit), /Watchdog timeout/)
  assert.equal(await host.property(unit, 'NRestarts'), '1')
  await serves()
})

test('a stop is in order: exit code 0, and everything written', { skip }, async () => {
  await host.run(['systemctl', 'stop', unit])
  assert.equal(await host.property(unit, 'ActiveState'), 'inactive')
  assert.equal(await host.property(unit, 'Result'), 'success')
  assert.equal(await host.property(unit, 'ExecMainCode'), '1', 'it ended by itself, not by a signal')
  assert.equal(await host.property(unit, 'ExecMainStatus'), '0')
  await host.run(['test', '-f', `${state}/dhcp4/LAST-STOP`])
})
