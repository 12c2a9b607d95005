import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SidecarError } from '../../sidecar/errors.ts'
import { commandFlags, commandNames, parseArguments } from '../../sidecar/requestor/arguments.ts'
import { help } from '../../sidecar/requestor/help.ts'
import { parseTime } from '../../sidecar/requestor/values.ts'

const NOW = 1_800_000_000

const good: readonly [argv: string, family: 4 | 6, host: string, port: number][] = [
  ['watch 192.0.2.1', 4, '192.0.2.1', 67],
  ['watch 192.0.2.1:6767', 4, '192.0.2.1', 6767],
  ['watch -6 kea.example.net', 6, 'kea.example.net', 547],
  ['watch kea.example.net:99', 4, 'kea.example.net', 99],
  ['watch 2001:db8::1', 6, '2001:db8::1', 547],
  ['watch [2001:db8::1]:5470', 6, '2001:db8::1', 5470],
  ['watch [2001:db8::1] -4', 4, '2001:db8::1', 67],
]
for (const [argv, family, host, port] of good) {
  test(`leasequery ${argv} asks ${host} port ${port} for DHCPv${family}`, () => {
    const command = parseArguments(argv.split(' '), NOW)
    assert.ok(command.run === 'watch')
    const { since, json, tlsFiles, select } = command
    assert.deepEqual([since, json, tlsFiles, select], [undefined, false, undefined, undefined])
    assert.deepEqual([command.family, command.host, command.port], [family, host, port])
  })
}

test('--since takes Unix seconds, ISO 8601 and relative times', () => {
  assert.equal(parseTime('--since', '1700000000', NOW), 1_700_000_000)
  assert.equal(parseTime('--since', '2026-01-31T12:00:00Z', NOW), 1_769_860_800)
  assert.equal(parseTime('--since', '2026-01-31T13:00:00+01:00', NOW), 1_769_860_800)
  assert.equal(parseTime('--since', '-10m', NOW), NOW - 600)
  assert.equal(parseTime('--since', '-2d', NOW + 0.9), NOW - 172_800)
  const command = parseArguments(['watch', 'h', '--since', '-90s', '--json'], NOW)
  assert.ok(command.run === 'watch' && command.since === NOW - 90 && command.json)
})

for (const since of ['', 'yesterday', '-10', '10m', '99999999999', '2026-13-01', '-999999999d']) {
  test(`refuses a start time of "${since}"`, () => {
    assert.throws(
      () => parseTime('--since', since, NOW),
      (error) => error instanceof SidecarError && error.code === 'ALQ_FLAG',
    )
  })
}

for (const argv of [
  ['listen', 'h'],
  ['watch'],
  ['watch', 'a', 'b'],
  ['watch', 'h:0'],
  ['watch', 'h:70000'],
  ['watch', '[192.0.2.1]:67'],
  ['watch', 'h', '-4', '-6'],
  ['watch', 'h', '--jsno'],
]) {
  test(`refuses leasequery ${argv.join(' ')}`, () => {
    assert.throws(
      () => parseArguments(argv, NOW),
      (error) => error instanceof SidecarError && error.code === 'ALQ_FLAG',
    )
  })
}

test('TLS takes an authority, a certificate and its key, all three', () => {
  const command = parseArguments('watch h --tls-ca a --tls-cert=c --tls-key k --tls-name n'.split(' '), NOW)
  assert.ok(command.run === 'watch')
  assert.deepEqual(command.tlsFiles, { ca: 'a', cert: 'c', key: 'k', servername: 'n' })
  assert.throws(() => parseArguments('watch h --tls-ca a --tls-key k'.split(' '), NOW), /--tls-cert/)
  assert.throws(() => parseArguments('watch h --tls-name n'.split(' '), NOW), /--tls-ca/)
})

test('the help shows every command and every flag of it', () => {
  assert.deepEqual(parseArguments(['watch', '--help'], NOW), { run: 'help', about: 'watch' })
  assert.deepEqual(parseArguments([], NOW), { run: 'help', about: undefined })
  for (const name of commandNames) {
    assert.ok(help(undefined).includes(`leasequery ${name} `))
    for (const flag of commandFlags[name]) assert.ok(help(name).includes(flag.name))
  }
})
