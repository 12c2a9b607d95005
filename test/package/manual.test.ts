// The manual pages and completions of the Debian packages say what --help and the READMEs say.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { daemonFlags, exitCodes, statusExitCodes, statusFlags } from '../../sidecar/daemon-flags.ts'
import { daemonCompletion, requestorCompletion } from '../../sidecar/package/completion.ts'
import { daemonPage, libraryPage, requestorPage } from '../../sidecar/package/manual.ts'
import { manualParts } from '../../sidecar/package/markdown.ts'
import { formatPage, roff } from '../../sidecar/package/roff.ts'
import { commandFlags, commandNames } from '../../sidecar/requestor/arguments.ts'
import { packagePath } from '../support/package-root.ts'

const readme = readFileSync(packagePath('kea-hook', 'README.md'), 'utf8')

test('roff takes no text for a request, and no minus for a hyphen', () => {
  assert.equal(roff(".conf\n--feed \\ 'x'"), '\\&.conf\n\\-\\-feed \\e \\(aqx\\(aq')
})

test('kea-leasequery(8) has each flag and exit code', () => {
  const page = formatPage(daemonPage, '1')
  for (const { name, meaning } of [...daemonFlags, ...statusFlags]) {
    assert.ok(page.includes(`\n\\fB${roff(name)}\\fR`), name)
    assert.ok(page.includes(roff(meaning)), meaning)
  }
  for (const meaning of [exitCodes, statusExitCodes].flatMap((codes) => Object.values(codes)))
    assert.ok(page.includes(roff(meaning)), meaning)
})

test('leasequery(1) has each command with its flags', () => {
  const page = formatPage(requestorPage, '1')
  for (const command of commandNames) {
    const [, part] = new RegExp(`^\\.SH LEASEQUERY ${command.toUpperCase()}\n([^]*?)^\\.SH `, 'm').exec(page)!
    for (const { name } of commandFlags[command]) assert.ok(part!.includes(`\n\\fB${roff(name)}\\fR`), name)
  }
})

test('libdhcp_lease_feed(7) has each parameter and log message, and nothing of Markdown', () => {
  const page = formatPage(libraryPage(readme), '1')
  const terms = [
    ...readme
      .split('## Building')[0]!
      .matchAll(/^(?:\| `([a-z0-9.[\]-]+)` \||\*\*(LEASE_FEED_[A-Z_]+)\*\*)/gm),
  ]
  assert.ok(terms.length > 60)
  for (const [, parameter, message] of terms)
    assert.ok(page.includes(`\\fB${roff(parameter ?? message!)}\\fR`))
  assert.doesNotMatch(page, /^(#|\||```)|\]\(|\*\*/m)
  assert.doesNotMatch(page, /cmake/i)
})

test('a README becomes roff: code, lists, tables and links', () => {
  const markdown =
    '# t\n\nsee [it](x.md)\n\n## Two\n\n- `a`\n  more\n\n```\n\n.x\n```\n\n| n | d | m |\n|---|---|---|\n| `p` | 1 | is \\| p |\n'
  assert.deepEqual(manualParts(markdown), [
    ['DESCRIPTION', '.PP\nsee it\n'],
    [
      'TWO',
      '.IP \\(bu 2\n\\fBa\\fR\nmore\n.PP\n.RS 4\n.nf\n\n\\&.x\n.fi\n.RE\n.TP\n\\fBp\\fR (d: 1)\nis | p\n',
    ],
  ])
})

/** What bash offers behind a line, the last word of which is being typed. */
function completed(script: string, line: readonly string[]): string[] {
  const [command] = line
  const run = `${script}
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    compopt() { :; }
    _${command!.replaceAll('-', '_')} "$1" "\${@: -1}" "\${@: -2:1}"
    printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-euc', run, 'complete', ...line], { encoding: 'utf8' })
    .trim()
    .split('\n')
}

test('bash completes commands and flags, and leaves the values of paths to itself', () => {
  assert.deepEqual(completed(requestorCompletion, ['leasequery', 'wa']), ['watch'])
  assert.deepEqual(completed(requestorCompletion, ['leasequery', 'check', '--tls-c']), [
    '--tls-ca',
    '--tls-cert',
  ])
  assert.deepEqual(completed(requestorCompletion, ['leasequery', 'check', '--tls-ca', '--']), [''])
  assert.deepEqual(completed(daemonCompletion, ['kea-leasequery', '--req']), ['--require-tls'])
  assert.deepEqual(completed(daemonCompletion, ['kea-leasequery', 'status', '--j']), ['--json'])
  assert.deepEqual(completed(daemonCompletion, ['kea-leasequery', '--state-dir', '--f']), [''])
})
