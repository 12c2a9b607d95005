import assert from 'node:assert/strict'
import { test } from 'node:test'
import { daemonFlags, daemonHelp, parseDaemonFlags } from '../sidecar/daemon-flags.ts'
import { SidecarError } from '../sidecar/errors.ts'

function settingsOf(...argv: string[]) {
  const command = parseDaemonFlags(argv)
  assert.ok(command.run === 'daemon')
  return command.settings
}

test('without flags both families are followed at their default endpoints', () => {
  const settings = settingsOf()
  assert.deepEqual(
    [...settings.feeds],
    [
      [4, 'ipc:///run/kea-lease-feed/dhcp4'],
      [6, 'ipc:///run/kea-lease-feed/dhcp6'],
    ],
  )
  assert.equal(settings.stateDir, '/var/lib/kea-leasequery')
  assert.equal(settings.logLevel, 'info')
  assert.equal(settings.requireTls, false)
})

test('a feed named means that only the families named are followed', () => {
  assert.deepEqual([...settingsOf('--feed', 'dhcp6=ipc:///tmp/x').feeds], [[6, 'ipc:///tmp/x']])
})

test('values may be attached with = or follow', () => {
  const settings = settingsOf('--state-dir=/a=b', '--log-level', 'debug', '--require-tls')
  assert.equal(settings.stateDir, '/a=b')
  assert.equal(settings.logLevel, 'debug')
  assert.equal(settings.requireTls, true)
})

test('listen overrides take IPv4, bracketed IPv6, with and without port', () => {
  const { listen } = settingsOf(
    '--listen',
    'dhcp4=127.0.0.1:0',
    '--listen',
    'dhcp6=[::1]:5470',
    '--listen=dhcp6=[2001:db8::1]',
  )
  assert.deepEqual(listen.get(4), [{ address: '127.0.0.1', port: 0 }])
  assert.deepEqual(listen.get(6), [
    { address: '::1', port: 5470 },
    { address: '2001:db8::1', port: undefined },
  ])
})

const wrong: readonly [argv: string[], message: RegExp][] = [
  [['--stat-dir', '/x'], /--stat-dir.*did you mean --state-dir/],
  [['--feed', 'ipc:///x'], /--feed.*dhcp4= or dhcp6=/],
  [['--feed', 'dhcp4=/x'], /--feed.*ipc:\/\//],
  [['--feed', 'dhcp4=ipc:///x', '--feed', 'dhcp4=ipc:///y'], /dhcp4 is given twice/],
  [['--log-level', 'loud'], /--log-level.*loud/],
  [['--state-dir'], /--state-dir.*missing/],
  [['--require-tls=yes'], /takes no value/],
  [['--listen', 'dhcp4=[::1]:67'], /no place to listen for dhcp4/],
  [['--listen', 'dhcp4=127.0.0.1:70000'], /no place to listen/],
  [['start'], /flags only/],
  [['--state-dir', '/a', '--state-dir', '/b'], /given twice/],
]
for (const [argv, message] of wrong) {
  test(`refuses ${argv.join(' ')}`, () => {
    assert.throws(
      () => parseDaemonFlags(argv),
      (error) => error instanceof SidecarError && error.code === 'ALQ_FLAG' && message.test(error.message),
    )
  })
}

test('the help shows every flag, and wins over other flags', () => {
  assert.equal(parseDaemonFlags(['--require-tls', '--help']).run, 'help')
  for (const flag of daemonFlags) assert.ok(daemonHelp().includes(flag.name))
})

test('TLS files given as flags', () => {
  assert.deepEqual(settingsOf().tlsFiles, {})
  const { tlsFiles } = settingsOf('--tls-ca', '/ca', '--tls-cert=/cert', '--tls-key', '/key')
  assert.deepEqual(tlsFiles, { trustAnchor: '/ca', certFile: '/cert', keyFile: '/key' })
})
