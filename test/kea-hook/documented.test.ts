// What the hook's sources say once, and its README for people: held equal here.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Family } from '../../sidecar/binding.ts'
import { parseService } from '../../sidecar/config.ts'
import { documents, firstCells, section } from '../support/documents.ts'
import { packageRoot } from '../support/package-root.ts'

const read = (file: string) => readFileSync(join(packageRoot, 'kea-hook', file), 'utf8')
const { hook: readme } = documents
const table = read('src/kea/parameter_table.h')
const log = read('src/kea/log.h')

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1]!)
}

/** The rows of one table of parameter_table.h, as they stand there. */
function bodyOf(name: string): string {
  const body = new RegExp(`${name} = \\{(?:\\n([^;]*)\\n)?([^;]*)\\};`).exec(table)
  assert.ok(body, `parameter_table.h has no table ${name}`)
  return body[1] ?? `{${body[2]}}`
}

/** Names of one table, each with what it stands within. */
function rows(name: string, within: string): string[] {
  return matches(bodyOf(name), /\{"([a-z-]+)", Type::/g).map((parameter) => within + parameter)
}

const known = [
  'requesters',
  ...rows('kRequester', 'requesters[].'),
  ...rows('kKeepalive', 'requesters[].keepalive.'),
  ...rows('kAdvanced', 'advanced.'),
  ...rows('kTls', 'tls.'),
  ...rows('kHistory', 'history.'),
  'capture-options',
  ...rows('kFeed', 'feed.'),
]

test("the README's table of parameters has every parameter of the hook, in order, and no other", () => {
  assert.deepEqual(firstCells(section(readme, 'Parameters')), known)
})

/** What the README calls the types of parameter_table.h. */
const types: Readonly<Record<string, string>> = {
  boolean: 'boolean',
  integer: 'integer',
  text: 'string',
  choice: 'string',
  network: 'string',
  name: 'string',
  addresses: 'string or list',
  codes: 'list',
  octets: 'list',
  subnets: 'list',
  queries: 'list',
}

test("the README's table of parameters has the hook's types and defaults", () => {
  const told = new Map(
    [...section(readme, 'Parameters').text.matchAll(/^\| `([^`]+)` \|([^|]*)\|([^|]*)\|/gm)].map(
      ([, name, type, byDefault]) => [
        name!.split('.').at(-1)!,
        { type: type!.trim(), byDefault: byDefault! },
      ],
    ),
  )
  const inTable = [...table.matchAll(/\{"([a-z-]+)", Type::(\w+),\s*"((?:[^"\\]|\\.)*)"/g)]
  assert.ok(inTable.length > 25)
  for (const [, name, type, value] of inTable) {
    const row = told.get(name!)
    assert.ok(row, name)
    assert.equal(row.type, types[type!], name)
    // None, for a family each, or for both; an empty list is told in words.
    for (const one of value!
      .replaceAll('\\"', '"')
      .split('|')
      .filter((text) => !['', '[ ]'].includes(text))) {
      const bare = one.replace(/^\[ (\d.*) \]$/, '$1').replace(/^"ipc:.*(\/dhcp\d)"$/, '$1')
      assert.ok(row.byDefault.includes(bare), `${name}: ${row.byDefault} should tell ${bare}`)
    }
  }
})

/** Names that the sidecar's reader of a map lets pass. */
function readBy(file: string, call: RegExp): string[] {
  const source = readFileSync(join(packageRoot, 'sidecar', file), 'utf8')
  const list = new RegExp(`${call.source} \\[([^\\]]*)\\]`).exec(source)?.[1]
  assert.ok(list, `${file} has no ${call.source}`)
  return matches(list, /'([a-z-]+)'/g)
}

test('the hook and the sidecar know the same parameters of the requestor service', () => {
  const maps: readonly (readonly [hook: string, file: string, call: RegExp, more?: readonly string[]])[] = [
    ['kAdvanced', 'config.ts', /service\.map\('advanced',/],
    ['kTls', 'config.ts', /service\.map\('tls',/],
    ['kHistory', 'config.ts', /service\.map\('history',/],
    ['kRequester', 'config-requesters.ts', /new MapReader\(place, entry,/, ['keepalive']],
    ['kKeepalive', 'config-requesters.ts', /map\.map\('keepalive',/],
  ]
  for (const [hook, file, call, more = []] of maps) {
    assert.deepEqual(readBy(file, call).toSorted(), [...rows(hook, ''), ...more].toSorted(), hook)
  }
})

/** What the hook fills in for parameters of one table that are not given. */
function defaultsOf(name: string, family: Family): Record<string, unknown> {
  const given = [...bodyOf(name).matchAll(/\{"([a-z-]+)", Type::\w+,\s*"((?:[^"\\]|\\.)*)"/g)].flatMap(
    ([, key, value]) => {
      const both = value!.replaceAll('\\"', '"').split('|')
      const own = both[family === 6 ? both.length - 1 : 0]!
      return own === '' ? [] : [[key!, JSON.parse(own) as unknown] as const]
    },
  )
  assert.ok(given.length > 0)
  return Object.fromEntries(given)
}

for (const family of [4, 6] as const) {
  test(`DHCPv${family}: the defaults that the hook fills in are the sidecar's`, () => {
    const address = family === 4 ? '192.0.2.1' : '2001:db8::1'
    const parsed = (service: object) => parseService(JSON.stringify(service), family)
    const filledIn = {
      advanced: defaultsOf('kAdvanced', family),
      tls: defaultsOf('kTls', family),
      history: defaultsOf('kHistory', family),
      ...defaultsOf('kCapture', family),
      requesters: [
        { address, ...defaultsOf('kRequester', family), keepalive: defaultsOf('kKeepalive', family) },
      ],
    }
    assert.deepEqual(parsed(filledIn), parsed({ requesters: [{ address }] }))
  })
}

test('every id that the hook logs has a paragraph in the README, and no other has one', () => {
  const ids = matches(log, /X\((LEASE_FEED_[A-Z_]+),/g)
  assert.ok(ids.length > 20)
  assert.deepEqual(
    matches(section(readme, 'Log messages').text, /^\*\*(LEASE_FEED_[A-Z_]+)\*\*/gm),
    ids.toSorted(),
  )
})

test("the hook registers every id of the core's with Kea", () => {
  const core = matches(read('src/core/log_ids.h'), /= "(LEASE_FEED_[A-Z_]+)"/g)
  const registered = new Set(matches(log, /X\((LEASE_FEED_[A-Z_]+),/g))
  assert.ok(core.length > 5)
  assert.deepEqual(
    core.filter((id) => !registered.has(id)),
    [],
  )
})

test('the library exports what callouts.cc and version.cc define, and nothing else', () => {
  const exported = matches(read('src/kea/exports.map').split('local:')[0]!, /([a-z0-9_]+);/g)
  const defined = [read('src/kea/callouts.cc'), read('src/kea/version.cc')].flatMap((source) =>
    matches(source.slice(source.indexOf('extern "C" {')), /^int ([a-z0-9_]+)\(/gm),
  )
  assert.deepEqual(exported.toSorted(), defined.toSorted())
})

test('the README names every statistic', () => {
  const set = matches(read('src/kea/reports.cc'), /set\("(lease-feed\.[a-z-]+)"/g)
  assert.deepEqual(firstCells(section(readme, 'Statistics')), set)
})
