// What the documents name exists: files, places to link to, commands, flags, parameters, log lines, errors, statistics. What
// each table says is held to the code where the table is tested (test/readme.test.ts, test/kea-hook/documented.test.ts).
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, it } from 'node:test'
import { daemonFlags } from '../../sidecar/daemon-flags.ts'
import { errorTable } from '../../sidecar/errors.ts'
import { logLines } from '../../sidecar/log-lines.ts'
import { metrics } from '../../sidecar/operations/metrics.ts'
import { commandFlags } from '../../sidecar/requestor/arguments.ts'
import {
  allDocuments,
  blocks,
  type Document,
  documents,
  firstCells,
  headings,
  prose,
  section,
} from '../support/documents.ts'
import { packagePath } from '../support/package-root.ts'

const all = allDocuments()
const read = (path: string) => readFileSync(packagePath(path), 'utf8')
const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts

/** Every match in a document's text, once. */
function named({ text }: Document, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map((match) => match[1]!))]
}

/** Holds every document's words of one kind against those that there are. */
function allKnown(pattern: RegExp, known: ReadonlySet<string>): void {
  let seen = 0
  for (const document of all) {
    const words = named(document, pattern)
    seen += words.length
    const unknown = words.filter((word) => !known.has(word))
    assert.deepEqual(unknown, [], `${document.path} names what there is not`)
  }
  assert.ok(seen > 0, `no document has any ${pattern}`)
}

describe('the documents', () => {
  for (const document of all) {
    it(`${document.path}: every link leads to a file, and to a heading in it`, () => {
      for (const [, target] of prose(document).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target!)) continue
        const [path = '', anchor] = target!.split('#')
        const file = path === '' ? document.path : normalize(join(dirname(document.path), path))
        assert.ok(existsSync(packagePath(file)), `${target}: there is no ${file}`)
        if (anchor === undefined) continue
        const there = headings({ path: file, text: read(file) }).map((heading) => heading.anchor)
        assert.ok(there.includes(anchor), `${target}: ${file} has no such heading`)
      }
    })

    it(`${document.path}: every program in it is run by the test that is named above it`, () => {
      for (const { language, remark, text } of blocks(document)) {
        if (!['sh', 'js', 'python'].includes(language)) continue
        const test = /^run by (\S+)$/.exec(remark)?.[1]
        assert.ok(test, `no test is named above:\n${text}`)
        assert.ok(existsSync(packagePath(test)), `there is no ${test}`)
      }
    })
  }

  it('name no file of the project that there is not', () => {
    const places = readdirSync(packagePath()).filter((name) => /^(sidecar|proto|kea-hook|test)$/.test(name))
    // `test/slow/faults-*` stands for files, `libdhcp_...` under build/ for what is made.
    const path = new RegExp(`\`((?:${places.join('|')})/[A-Za-z0-9_./*-]+)\``, 'g')
    for (const document of all) {
      for (const file of named(document, path)) {
        const [start = ''] = file.split('*')
        const folder = start.endsWith('/') || !file.includes('*') ? start : dirname(start)
        const candidates = [folder, join(dirname(document.path), folder)].map((place) => packagePath(place))
        assert.ok(
          candidates.some((place) => existsSync(place)),
          `${document.path}: ${file}`,
        )
      }
    }
  })

  it('name npm scripts that there are', () => {
    allKnown(/npm run ([a-z:]+)/g, new Set(Object.keys(scripts)))
  })

  it('name log events and parameters that there are', () => {
    const events = Object.values(logLines).map(({ event }) => event)
    const first = new Set(events.map((event) => event.split('.')[0]!))
    const ofHook = firstCells(section(documents.hook, 'Parameters'))
    const groups = new Set(ofHook.filter((name) => name.includes('.')).map((name) => name.split('.')[0]!))
    const heads = [...first, ...groups].map((head) => head.replace('[]', '\\[\\]')).join('|')
    const known = new Set([...events, ...ofHook])
    allKnown(new RegExp(`\`((?:${heads})\\.[a-z]+(?:[.-][a-z]+)*)\``, 'g'), known)
  })

  it("name log messages of the hook's, and errors of the service's, that there are", () => {
    const ids = [...read('kea-hook/src/kea/log.h').matchAll(/X\((LEASE_FEED_[A-Z_]+),/g)]
    allKnown(/\b(LEASE_FEED_[A-Z_]*[A-Z])\b/g, new Set(ids.map((match) => match[1]!)))
    allKnown(/\b(ALQ_[A-Z_]*[A-Z])\b/g, new Set(Object.keys(errorTable)))
  })

  it('name statistics and commands that there are', () => {
    const statistics = [...read('kea-hook/src/kea/reports.cc').matchAll(/set\("(lease-feed\.[a-z-]+)"/g)]
    allKnown(/`(lease-feed\.[a-z-]+)`/g, new Set(statistics.map((match) => match[1]!)))
    const commands = read('kea-hook/src/kea/commands.cc').matchAll(/registerCommandCallout\("([a-z-]+)"/g)
    const registered = [...commands].map((match) => match[1]!)
    allKnown(/"command": "([a-z-]+)"/g, new Set(registered))
    assert.deepEqual(named(section(documents.hook, 'Commands'), /"command": "([a-z-]+)"/g), registered)
  })

  it('name metrics that there are', () => {
    allKnown(/`(kea_leasequery_[a-z_]+)`/g, new Set(metrics.map(({ name }) => name)))
  })

  it("tell the feed's limits as the hook has them", () => {
    const limits: Readonly<Record<string, readonly [header: string, ...constants: string[]]>> = {
      'connections to each socket': ['sockets.h', 'kMostConnections'],
      subscriptions: ['sockets.h', 'kMostSubscriptions'],
      'messages that wait for one subscriber': ['sockets.h', 'kPublishQueue'],
      'events in a batch': ['batcher.h', 'kBatchEvents', 'kBatchOctets'],
      'an event': ['ring.h', 'kMaxEntryOctets'],
      'a request': ['sockets.h', 'kMostRequestOctets'],
      'events in a replay': ['sync_server.h', 'kReplayEvents', 'kReplayOctets'],
      'pages that wait, of all and of one follower': [
        'pager.h',
        'kMostWaitingPages',
        'kMostWaitingPagesEach',
      ],
      'followers that are remembered': ['followers.h', 'kMostFollowers'],
    }
    const table = section(documents.proto, 'Limits').text
    for (const [what, [header, ...constants]] of Object.entries(limits)) {
      const cell = new RegExp(`^\\| ${what} \\| ([^|]*) \\|`, 'm').exec(table)?.[1]
      assert.ok(cell, `no row for ${what}`)
      const told = [...cell.matchAll(/(\d+)( KiB)?/g)].map(([, n, unit]) => Number(n) * (unit ? 1024 : 1))
      const source = read(`kea-hook/src/core/${header}`)
      const real = constants.map((name) => {
        const value = new RegExp(`${name} = ([\\d *]+);`).exec(source)?.[1] ?? ''
        return value.split('*').reduce((product, factor) => product * Number(factor), 1)
      })
      assert.deepEqual(told, real, what)
    }
  })

  it('name flags that there are', () => {
    const ours = [daemonFlags, ...Object.values(commandFlags)].flat().map(({ name }) => name)
    // Those of the npm scripts stand in what reads them.
    const readers = ['test/setup', 'test/bench', 'test/demo', 'test/conformance', 'test/fuzz']
    const sources = readers.flatMap((folder) =>
      readdirSync(packagePath(folder))
        .filter((name) => /\.(sh|ts)$/.test(name))
        .map((name) => read(join(folder, name))),
    )
    const ofScripts = sources.flatMap((source) => source.match(/--[a-z][a-z-]+/g) ?? [])
    // A mistake that is quoted, and flags of systemd's programs.
    const others = ['--stat-dir', '--create', '--now']
    const known = new Set([...ours, ...ofScripts, ...others])
    for (const document of all) {
      // What a shell runs is run by a test.
      const text = document.text.replace(/^```sh\n[\s\S]*?^```/gm, '')
      const unknown = named({ ...document, text }, /(?<![\w-])(--[a-z]+(?:-[a-z]+)*)(?![\w-])/g).filter(
        (flag) => !known.has(flag),
      )
      assert.deepEqual(unknown, [], document.path)
    }
  })
})
