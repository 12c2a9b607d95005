// Each mistake that --check-config finds, by parameter, value and line; and the documents' own examples, which have none.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type CheckSettings, checkConfig } from '../../sidecar/check-config/check-config.ts'
import { feedNumbers } from '../../sidecar/check-config/feed-parameters.ts'
import { formatFinding } from '../../sidecar/check-config/finding.ts'
import { readKeaJson } from '../../sidecar/check-config/kea-json.ts'
import { Authority } from '../support/certificates.ts'
import { compiled, packageRoot } from '../support/package-root.ts'

const folder = mkdtempSync(join(tmpdir(), 'alq-check-'))
const authority = new Authority()
const server = authority.issue()
after(() => {
  rmSync(folder, { recursive: true, force: true })
  authority[Symbol.dispose]()
})
chmodSync(folder, 0o755)
const feedFolder = join(folder, 'feed')
mkdirSync(feedFolder)
chmodSync(server.keyFile, 0o600)
const endpoint = `ipc://${feedFolder}/dhcp4`
const file = join(folder, 'kea.conf')
const settings: CheckSettings = {
  feeds: new Map([[4, endpoint]]),
  listen: new Map(),
  requireTls: false,
  tlsFiles: {},
}
const tls = { 'trust-anchor': authority.certFile, 'cert-file': server.certFile, 'key-file': server.keyFile }
const good = {
  requesters: ['192.0.2.0/24'],
  advanced: { 'active-query-enabled': true, 'bulk-query-enabled': true, 'lease-query-ip': '127.0.0.1' },
  tls,
  feed: { endpoint },
}

/** The configuration has one line for each parameter, so that lines are told apart. */
function check(
  parameters: unknown,
  dhcp: object = {},
  changed: Partial<CheckSettings> = {},
  now = Date.now(),
) {
  const library = { library: 'libdhcp_lease_feed.so', parameters }
  const config = { Dhcp4: { 'store-extended-info': true, 'hooks-libraries': [library], ...dhcp } }
  return checkText(JSON.stringify(config, null, 1), changed, now)
}

function checkText(text: string, changed: Partial<CheckSettings> = {}, now = Date.now()) {
  writeFileSync(file, text)
  const { findings, served } = checkConfig(readKeaJson(file), { ...settings, ...changed }, now)
  const lines = text.split('\n')
  return {
    served,
    told: findings.map(({ severity, text }) => `${severity}: ${text}`),
    /** What stands at the line of each. */
    at: findings.map(({ at }) => lines[at.line - 1]!.trim()),
    formatted: findings.map(formatFinding),
  }
}

test('all is well: what will be served is said, and nothing else', () => {
  const { told, served } = check(good)
  assert.deepEqual(told, [])
  assert.deepEqual(served, [
    'DHCPv4: all is well: Active and Bulk Leasequery is served over TLS at 127.0.0.1 port 67 (CAP_NET_BIND_SERVICE is needed; the systemd unit gives it), to one entry of requesters',
  ])
})

type Row = readonly [what: string, changed: object, told: RegExp, at: RegExp]

const mistakes: readonly Row[] = [
  [
    'a port',
    { advanced: { ...good.advanced, 'lease-query-tcp-port': 70000 } },
    /^error: parameter advanced\.lease-query-tcp-port is 70000: a whole number from 1 to 65535/,
    /lease-query-tcp-port/,
  ],
  [
    'a type',
    { advanced: { ...good.advanced, 'bulk-query-enabled': 'yes' } },
    /advanced\.bulk-query-enabled is "yes": true or false/,
    /bulk-query-enabled/,
  ],
  [
    'a name',
    { advanced: { ...good.advanced, 'max-requestor-connections': 5 } },
    /advanced\.max-requestor-connections is 5: no parameter has this name; did you mean "max-requester-connections"\?/,
    /max-requestor-connections/,
  ],
  [
    'a name at the top',
    { ...good, requestors: [] },
    /parameter requestors is \[\]: .*did you mean "requesters"/,
    /requestors/,
  ],
  [
    'a name in feed',
    { feed: { endpoint, 'ring-sizes': 1 } },
    /feed\.ring-sizes is 1: .*did you mean "ring-size"/,
    /ring-sizes/,
  ],
  [
    'a number in feed',
    { feed: { endpoint, 'walk-share': 90 } },
    /feed\.walk-share is 90: a whole number from 1 to 80/,
    /walk-share/,
  ],
  [
    'an address',
    { advanced: { 'lease-query-ip': ['127.0.0.1', '192.0.2.300'] } },
    /advanced\.lease-query-ip\[1\] is "192\.0\.2\.300": an IPv4 address/,
    /192\.0\.2\.300/,
  ],
  [
    'a network',
    { requesters: ['192.0.2.0/24', '192.0.2.0/40'] },
    /requesters\[1\] is "192\.0\.2\.0\/40": the length/,
    /\/40/,
  ],
  [
    'an entry with both',
    { requesters: [{ address: '192.0.2.1', certificate: 'a' }] },
    /requesters\[0\] .*either "address" or "certificate"/,
    /\{/,
  ],
  [
    'a query',
    { requesters: [{ address: '192.0.2.1', queries: ['passive'] }] },
    /requesters\[0\]\.queries\[0\] is "passive"/,
    /passive/,
  ],
  [
    'octets',
    { requesters: [{ address: '192.0.2.1', 'relay-ids': ['xyz'] }] },
    /requesters\[0\]\.relay-ids\[0\] is "xyz": hexadecimal/,
    /xyz/,
  ],
  ['a mode', { tls: { mode: 'on' } }, /tls\.mode is "on": one of "required", "off"/, /mode/],
  ['a time', { history: { retention: 5 } }, /history\.retention is 5: a whole number from 60/, /retention/],
  [
    'an option code',
    { 'capture-options': [82, 300] },
    /capture-options\[1\] is 300: an option code from 1 to 254/,
    /300/,
  ],
  [
    'an endpoint',
    { feed: { endpoint: '/run/feed' } },
    /feed\.endpoint is "\/run\/feed": ipc:\/\/ with an absolute path/,
    /endpoint/,
  ],
  [
    'an endpoint of a path too long',
    { feed: { endpoint: `ipc:///${'x'.repeat(101)}` } },
    /feed\.endpoint .*at most 100 characters/,
    /endpoint/,
  ],
  [
    'an endpoint over the network without keys',
    { feed: { endpoint: 'tcp://192.0.2.1:5000' } },
    /tcp:\/\/ needs "curve-key-file"/,
    /endpoint/,
  ],
  [
    'a folder that is not there',
    { feed: { endpoint: 'ipc:///nowhere/dhcp4' } },
    /^error: the folder of feed\.endpoint, \/nowhere, cannot be used: it is not there/,
    /endpoint/,
  ],
  [
    'no trust anchor',
    { tls: { ...tls, 'trust-anchor': '' } },
    /^error: .*tls\.trust-anchor is not given/,
    /trust-anchor/,
  ],
  [
    'a certificate that is not there',
    { tls: { ...tls, 'cert-file': '/nowhere.pem' } },
    /tls\.cert-file \/nowhere\.pem cannot be used: ENOENT/,
    /cert-file/,
  ],
  [
    'a certificate that is none',
    { tls: { ...tls, 'cert-file': file } },
    /tls\.cert-file .*no certificate in it/,
    /cert-file/,
  ],
  [
    'a trust anchor that is none',
    { tls: { ...tls, 'trust-anchor': server.keyFile } },
    /tls\.trust-anchor .*no certificate in it/,
    /trust-anchor/,
  ],
  [
    'a key of another certificate',
    { tls: { ...tls, 'key-file': authority.issue().keyFile } },
    /tls\.key-file .*not the key of the certificate/,
    /key-file/,
  ],
  [
    'an expired certificate',
    { tls: { ...tls, ...filesOf({ days: -1 }) } },
    /^error: the certificate in .* has ended/,
    /cert-file/,
  ],
]

function filesOf(wishes: Parameters<Authority['issue']>[0]) {
  const { certFile, keyFile } = authority.issue(wishes)
  chmodSync(keyFile, 0o600)
  return { 'cert-file': certFile, 'key-file': keyFile }
}

for (const [what, changed, told, at] of mistakes) {
  test(`${what} that is wrong is told with parameter, value and line`, () => {
    const report = check({ ...good, ...changed })
    const index = report.told.findIndex((line) => told.test(line))
    assert.ok(index >= 0, report.told.join('\n'))
    assert.match(report.at[index]!, at)
    assert.deepEqual(report.served, [])
  })
}

test('all mistakes are told at once, each entry by its place in the file', () => {
  const requesters = [
    'nobody',
    '192.0.2.1',
    { address: 'nowhere' },
    { address: '192.0.2.2', queries: ['none'] },
  ]
  const advanced = { ...good.advanced, 'max-feed-silence': 0, 'active-query-enabled': 1 }
  const { told } = check({
    ...good,
    requesters,
    advanced,
    tls: { ...tls, 'key-file': '/nokey', 'trust-anchor': '/noca' },
  })
  const errors = told.map((line) => /^error: (?:parameter )?(\S+)/.exec(line)?.[1]).sort()
  assert.deepEqual(errors, [
    'advanced.active-query-enabled',
    'advanced.max-feed-silence',
    'requesters[0]',
    'requesters[2].address',
    'requesters[3].queries[0]',
    'tls.key-file',
    'tls.trust-anchor',
  ])
})

const scoped = [{ address: '192.0.2.1', 'remote-ids': ["'cpe'"] }]
const warnings: readonly [what: string, changed: object, dhcp: object, told: RegExp, at: RegExp][] = [
  [
    'all addresses',
    { advanced: { 'active-query-enabled': true } },
    {},
    /every address of this host/,
    /advanced/,
  ],
  [
    'an address of another host',
    { advanced: { 'active-query-enabled': true, 'lease-query-ip': '192.0.2.53' } },
    {},
    /this host does not have the address 192\.0\.2\.53/,
    /192\.0\.2\.53/,
  ],
  [
    'a short timer',
    { advanced: { ...good.advanced, 'active-query-idle-timeout': 10 } },
    {},
    /active-query-idle-timeout is 10 s; the RFCs advise against less than 60/,
    /idle-timeout/,
  ],
  ['TLS that is off', { tls: { mode: 'off' } }, {}, /in clear text/, /mode/],
  [
    'certificates that nobody shows',
    { tls: { mode: 'off' }, requesters: [{ certificate: 'a' }] },
    {},
    /requesters\[0\] is matched by certificate/,
    /\{/,
  ],
  ['nobody who may connect', { requesters: [] }, {}, /nobody may connect/, /requesters/],
  [
    'an entry that may ask nothing',
    { requesters: [{ address: '192.0.2.1', queries: [] }] },
    {},
    /may connect and ask nothing/,
    /queries/,
  ],
  ['nothing to serve', { advanced: {} }, {}, /nothing is served/, /advanced/],
  ['no history', { history: { 'max-ended': 0 } }, {}, /DataMissing/, /max-ended/],
  [
    'relay data that is lost',
    {},
    { 'store-extended-info': false },
    /store-extended-info is not true/,
    /store-extended-info/,
  ],
  [
    'relays that are forgotten',
    { requesters: scoped },
    { 'store-extended-info': false },
    /requesters\[0\] is shown only what certain relays sent/,
    /\{/,
  ],
  [
    'SQL with threads',
    {},
    { 'lease-database': { type: 'postgresql' } },
    /set feed\.tap to false/,
    /postgresql/,
  ],
  [
    'an endpoint the service does not follow',
    { feed: { endpoint: `ipc://${feedFolder}/other` } },
    {},
    /but kea-leasequery follows ipc:.*dhcp4 unless/,
    /endpoint/,
  ],
  [
    'a subnet that is not configured',
    { requesters: [{ address: '192.0.2.1', subnets: [1, 7] }] },
    { subnet4: [{ id: 1 }], 'shared-networks': [{ subnet4: [{ id: 2 }] }] },
    /no subnet here has the id 7/,
    /7/,
  ],
]
for (const [what, changed, dhcp, told, at] of warnings) {
  test(`${what}: a warning, and it is served`, () => {
    const report = check({ ...good, ...changed }, dhcp)
    const index = report.told.findIndex((line) => told.test(line))
    assert.match(report.told[index] ?? report.told.join('\n'), /^warning: /)
    assert.match(report.at[index]!, at)
    assert.deepEqual(
      report.told.filter((line) => line.startsWith('error')),
      [],
    )
    assert.equal(report.served.length, 1)
  })
}

test("Kea's own library at the same TCP port is warned of, over UDP alone it may stay", () => {
  const both = (bulk: boolean) => ({
    'hooks-libraries': [
      { library: 'libdhcp_lease_query.so', parameters: { advanced: { 'bulk-query-enabled': bulk } } },
      { library: 'libdhcp_lease_feed.so', parameters: good },
    ],
  })
  assert.match(check(good, both(true)).told.join(), /only one of the two can listen there/)
  assert.deepEqual(check(good, both(false)).told, [])
})

test('a certificate that ends soon, one not valid yet, a key for everybody', () => {
  const DAY = 86_400_000
  const soon = check({ ...good, tls: { ...tls, ...filesOf({ days: 20 }) } })
  assert.match(soon.told.join(), /^warning: the certificate in .* ends soon/)
  const early = check(good, {}, {}, Date.now() - 10 * DAY)
  assert.match(early.told.join(), /^error: tls\.cert-file .*it is valid from .* on only/)
  const open = filesOf({})
  chmodSync(open['key-file'], 0o644)
  assert.match(
    check({ ...good, tls: { ...tls, ...open } }).told.join(),
    /^warning: private key .* may be read by everybody/,
  )
})

test('flags of the service count: its TLS files, --require-tls, --listen', () => {
  const clear = { ...good, tls: { mode: 'off' } }
  assert.match(
    check(clear, {}, { requireTls: true }).told.join(),
    /^error: tls\.mode is off, but this sidecar was started with/,
  )
  const files = { trustAnchor: authority.certFile, certFile: server.certFile, keyFile: server.keyFile }
  assert.deepEqual(check({ ...good, tls: {} }, {}, { tlsFiles: files }).told, [])
  const elsewhere = { ...good, advanced: { 'active-query-enabled': true } }
  const { told, served } = check(
    elsewhere,
    {},
    { listen: new Map([[4, [{ address: '127.0.0.2', port: 6700 }]]]) },
  )
  assert.deepEqual(told, [])
  assert.match(served[0]!, /Active Leasequery is served over TLS at 127\.0\.0\.2 port 6700, to/)
})

test('a file without the library, with it twice, or with no server in it', () => {
  assert.match(
    checkText('{ "Dhcp4": { } }').told.join(),
    /^error: hooks-libraries of Dhcp4 has no libdhcp_lease_feed\.so/,
  )
  const block = { library: '/usr/lib/libdhcp_lease_feed.so', parameters: good }
  assert.match(
    check(good, { 'hooks-libraries': [block, block] }).told.join(),
    /stands in hooks-libraries twice/,
  )
  assert.throws(() => checkText('{ "Control-agent": { } }'), /there is neither Dhcp4 nor Dhcp6 in it/)
  assert.throws(() => checkText('{ "Dhcp6": [ ] }'), /Dhcp6 is no map/)
})

test('without parameters leases are fed, and nothing is served', () => {
  const { served } = checkText(
    '{ "Dhcp4": { "hooks-libraries": [ { "library": "libdhcp_lease_feed.so" } ] } }',
  )
  assert.deepEqual(
    served.filter((line) => !line.endsWith('nothing is served')),
    [],
  )
})

/** Complete configurations in the project's documents. */
const documents = execFileSync('git', ['ls-files', '*.md'], { cwd: packageRoot, encoding: 'utf8' })
  .trim()
  .split('\n')
const examples = documents.flatMap((name) =>
  [
    ...readFileSync(join(packageRoot, name), 'utf8').matchAll(/```json\n(\s*\{\s*"Dhcp[46]"[\s\S]*?)```/g),
  ].map((match) => ({ name, text: match[1]! })),
)
test("the documents' complete examples are well", () => {
  assert.ok(examples.length >= 2)
  const tlsFiles = { trustAnchor: authority.certFile, certFile: server.certFile, keyFile: server.keyFile }
  for (const { name, text } of examples) {
    // On this host the feed's folder is another one.
    const here = text.replaceAll('ipc:///run/kea-lease-feed/', `ipc://${feedFolder}/`)
    const { told } = checkText(here, { tlsFiles })
    const wrong = told.filter((line) => line.startsWith('error'))
    // The default folder is not of this host, either.
    const unexpected = wrong.filter(
      (line) => !/the folder of feed\.endpoint, \/run\/kea-lease-feed, /.test(line),
    )
    assert.deepEqual(unexpected, [], name)
  }
})

test("kea-hook/README.md has the feed's parameters as they are checked", () => {
  const readme = readFileSync(join(packageRoot, 'kea-hook', 'README.md'), 'utf8')
  const rows = [...readme.matchAll(/^\| `feed\.([a-z-]+)` \| (\w+) \|([^|]*)\| (.*) \|$/gm)]
  const numbers = rows.filter(([, , type]) => type === 'integer')
  assert.deepEqual(
    numbers.map(([, name]) => name),
    Object.keys(feedNumbers),
  )
  for (const [, name, , byDefault] of numbers) {
    assert.equal(Number(byDefault), feedNumbers[name as keyof typeof feedNumbers].byDefault, name)
  }
  const others = rows.filter(([, , type]) => type !== 'integer').map(([, name]) => name)
  assert.deepEqual(others, ['endpoint', 'curve-key-file', 'tap'])
  const source = readFileSync(join(packageRoot, 'kea-hook', 'src', 'kea', 'parameter_table.h'), 'utf8')
  for (const [name, { byDefault, least, most }] of Object.entries(feedNumbers)) {
    const row = new RegExp(`\\{"${name}", Type::integer, "${byDefault}", ${least}, (\\d+|1LL << 32)\\}`).exec(
      source,
    )
    assert.equal(row?.[1] === '1LL << 32' ? 2 ** 32 : Number(row?.[1]), most, name)
  }
})

test('the command prints as compilers do, and ends with 0, 1 or 2', () => {
  const run = (...words: string[]) => {
    const child = spawnSync(process.execPath, [compiled('sidecar/main.ts'), ...words], { encoding: 'utf8' })
    return { code: child.status, text: child.stdout + child.stderr }
  }
  check(good)
  const feed = ['--feed', `dhcp4=${endpoint}`]
  const well = run('--check-config', file, ...feed)
  assert.match(well.text, /^DHCPv4: all is well: Active and Bulk Leasequery/)
  assert.equal(well.code, 0)
  check({ ...good, history: { retention: 1 } })
  const ill = run(`--check-config=${file}`, ...feed)
  assert.match(ill.text, /kea\.conf:\d+: error: parameter history\.retention is 1: .*\none mistake found\n/)
  assert.equal(ill.code, 1)
  const none = run('--check-config', '/nowhere.conf')
  assert.match(none.text, /^kea-leasequery: \/nowhere\.conf: it cannot be read/)
  assert.equal(none.code, 2)
})
