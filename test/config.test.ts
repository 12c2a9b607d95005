import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Family } from '../sidecar/binding.ts'
import { parseService } from '../sidecar/config.ts'
import { ConfigError } from '../sidecar/config-map.ts'
import { SidecarError } from '../sidecar/errors.ts'
import { nearest } from '../sidecar/nearest.ts'

const parse = (value: unknown, family: Family = 4) => parseService(JSON.stringify(value), family)

test('an empty block has the defaults of Kea and of the RFCs', () => {
  assert.deepEqual(parse({}), {
    family: 4,
    requesters: [],
    bulk: false,
    active: false,
    addresses: [],
    port: 67,
    maxConnections: 10,
    maxConcurrentQueries: 4,
    idleSeconds: 300,
    activeSendSeconds: 120,
    activeIdleSeconds: 60,
    activeLagSeconds: 3600,
    feedSilenceSeconds: 120,
    tls: { mode: 'required', trustAnchor: '', certFile: '', keyFile: '' },
    history: { retentionSeconds: 604800, maxEnded: 1_000_000 },
    captureOptions: [12, 60, 61, 77, 81, 82, 124, 125],
  })
  assert.equal(parse({}, 6).port, 547)
})

test('a full block is read into types', () => {
  const config = parse({
    requesters: [
      '192.0.2.0/24',
      {
        certificate: 'bng1.example.net',
        queries: ['active'],
        subnets: [1, 2],
        'relay-ids': ['00:03:00:01', "'relay-7'", '0xABCD'],
        'remote-ids': ['09'],
        'withhold-options': [12, 12],
        'max-connections': 2,
        keepalive: { interval: 30, form: 'empty-active' },
      },
    ],
    advanced: {
      'bulk-query-enabled': true,
      'active-query-enabled': true,
      'lease-query-ip': ['192.0.2.53', '198.51.100.53'],
      'lease-query-tcp-port': 1067,
      'max-leases-per-fetch': 100,
    },
    tls: { mode: 'off' },
    history: { retention: 3600, 'max-ended': 5 },
    'capture-options': [82],
    feed: { endpoint: 'ipc:///x', 'ring-size': 1 },
  })
  assert.deepEqual(config.requesters[0]?.network, { address: '192.0.2.0', prefixLength: 24 })
  assert.deepEqual(config.requesters[0]?.queries, ['active', 'bulk'])
  assert.deepEqual(config.requesters[1], {
    place: 'requesters[1]',
    certificate: 'bng1.example.net',
    queries: ['active'],
    subnets: [1, 2],
    remoteIds: [Uint8Array.of(9)],
    relayIds: [Uint8Array.of(0, 3, 0, 1), Uint8Array.from(Buffer.from('relay-7')), Uint8Array.of(0xab, 0xcd)],
    withholdOptions: [12],
    relayDataAlways: false,
    maxConnections: 2,
    keepaliveInterval: 30,
    keepaliveForm: 'empty-active',
  })
  assert.deepEqual(config.addresses, ['192.0.2.53', '198.51.100.53'])
  assert.equal(config.active && config.bulk, true)
})

test('lease-query-ip may be one address, and the wildcard means all', () => {
  assert.deepEqual(parse({ advanced: { 'lease-query-ip': '::1' } }, 6).addresses, ['::1'])
  assert.deepEqual(parse({ advanced: { 'lease-query-ip': '0.0.0.0' } }).addresses, [])
})

const mistakes: readonly [what: string, value: unknown, parameter: string, shown: RegExp, family?: Family][] =
  [
    ['a misspelt name', { requestors: [] }, 'requestors', /did you mean "requesters"/],
    ['a name unlike any', { frobnicate: 1 }, 'frobnicate', /no parameter has this name/],
    ['no map', [], 'parameters', /a map is wanted/],
    ['requesters no list', { requesters: '192.0.2.1' }, 'requesters', /a list is wanted/],
    ['a host name', { requesters: ['bng1'] }, 'requesters[0]', /"bng1".*IPv4 address/],
    ['the other family', { requesters: ['2001:db8::1'] }, 'requesters[0]', /IPv4 address/],
    ['IPv4 in DHCPv6', { requesters: ['192.0.2.1'] }, 'requesters[0]', /IPv6 address/, 6],
    ['a network too long', { requesters: ['192.0.2.0/33'] }, 'requesters[0]', /0 to 32/],
    ['two lengths', { requesters: ['192.0.2.0/24/8'] }, 'requesters[0]', /address or network/],
    ['neither address nor certificate', { requesters: [{}] }, 'requesters[0]', /either/],
    ['both', { requesters: [{ address: '192.0.2.1', certificate: 'a' }] }, 'requesters[0]', /either/],
    [
      'an unknown query',
      { requesters: [{ address: '192.0.2.1', queries: ['lazy'] }] },
      'requesters[0].queries[0]',
      /"lazy"/,
    ],
    [
      'an odd relay-id',
      { requesters: ['192.0.2.1', { address: '192.0.2.2', 'relay-ids': ['abc'] }] },
      'requesters[1].relay-ids[0]',
      /hexadecimal/,
    ],
    [
      'a subnet id that is none',
      { requesters: [{ address: '192.0.2.1', subnets: [1, 0] }] },
      'requesters[0].subnets[1]',
      /id of a subnet/,
    ],
    [
      'an odd remote-id',
      { requesters: [{ address: '192.0.2.1', 'remote-ids': [7] }] },
      'requesters[0].remote-ids[0]',
      /hexadecimal/,
    ],
    [
      'an option code out of range',
      { requesters: [{ address: '192.0.2.1', 'withhold-options': [255] }] },
      'requesters[0].withhold-options[0]',
      /1 to 254/,
    ],
    [
      'a keepalive form DHCPv6 has not',
      { requesters: [{ address: '2001:db8::1', keepalive: { form: 'empty-active' } }] },
      'requesters[0].keepalive.form',
      /one form only/,
      6,
    ],
    [
      'a boolean as text',
      { advanced: { 'bulk-query-enabled': 'yes' } },
      'advanced.bulk-query-enabled',
      /true or false/,
    ],
    ['port 0', { advanced: { 'lease-query-tcp-port': 0 } }, 'advanced.lease-query-tcp-port', /1 to 65535/],
    [
      'a port with a fraction',
      { advanced: { 'lease-query-tcp-port': 6.7 } },
      'advanced.lease-query-tcp-port',
      /whole/,
    ],
    [
      "the manual's wrong name",
      { advanced: { 'lease-query-port': 1 } },
      'advanced.lease-query-port',
      /lease-query-tcp-port/,
    ],
    [
      'no connections',
      { advanced: { 'max-requester-connections': 0 } },
      'advanced.max-requester-connections',
      /1 to/,
    ],
    [
      'an address with zone',
      { advanced: { 'lease-query-ip': 'fe80::1%eth0' } },
      'advanced.lease-query-ip',
      /IPv6/,
      6,
    ],
    [
      'an address twice',
      { advanced: { 'lease-query-ip': ['192.0.2.1', '192.0.2.1'] } },
      'advanced.lease-query-ip[1]',
      /twice/,
    ],
    ['a third TLS mode', { tls: { mode: 'optional' } }, 'tls.mode', /"optional".*"required", "off"/],
    ['a negative retention', { history: { retention: -1 } }, 'history.retention', /-1.*60/],
  ]

for (const [what, value, parameter, shown, family] of mistakes) {
  test(`refuses ${what}, naming parameter, value and place`, () => {
    assert.throws(
      () => parse(value, family),
      (error) => {
        assert.ok(error instanceof ConfigError)
        assert.equal(error.parameter, parameter)
        assert.match(error.message, shown)
        return true
      },
    )
  })
}

test('what is no JSON is refused as such', () => {
  assert.throws(
    () => parseService('{', 4),
    (error) => error instanceof SidecarError && error.code === 'ALQ_CONFIG_JSON',
  )
})

test('long values are cut in the message', () => {
  assert.throws(
    () => parse({ requesters: ['x'.repeat(10_000)] }),
    (error: Error) => error.message.length < 300,
  )
})

test('nearest names a close one and nothing far', () => {
  assert.equal(nearest('certfile', ['cert-file', 'key-file']), 'cert-file')
  assert.equal(nearest('banana', ['cert-file', 'key-file']), undefined)
})
