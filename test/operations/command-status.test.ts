// `kea-leasequery status`, as an operator runs it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FamilyStatus, ProcessStatus } from '../../sidecar/operations/status.ts'
import { formatStatus } from '../../sidecar/operations/terminal.ts'
import { byClient, Daemon, lease, startHook } from '../support/daemon.ts'
import { compiled } from '../support/package-root.ts'
import { waitFor } from '../support/wait.ts'

interface Ran {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

function run(...words: string[]): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [compiled('sidecar/main.ts'), 'status', ...words])
    let [output, errors] = ['', '']
    child.stdout.on('data', (data) => {
      output += data
    })
    child.stderr.on('data', (data) => {
      errors += data
    })
    child.on('error', reject).on('close', (code) => resolve({ code, output, errors }))
  })
}

test('exit code and text say whether requestors are served, and what to do if not', async () => {
  const socket = join('/tmp', `alq-status-${process.pid}.sock`)
  const place = `unix:${socket}`
  await using daemon = await new Daemon([4], ['--metrics', place, '--listen', 'dhcp4=127.0.0.1:0']).start()
  await daemon.logged('operations.started', { place })
  const unready = await run('--metrics', place)
  assert.equal(unready.code, 1)
  assert.match(unready.output, /^Not ready\.\n {2}- DHCPv4: Kea has not been heard (?:yet|for \d+ s)\n/)
  assert.match(unready.output, /see whether kea-dhcp4 runs/)

  using core = startHook(daemon, 4)
  core.put(lease('192.0.2.7', 7), byClient)
  await daemon.logged('feed.reconciled')
  const requestor = await daemon.connect(4)
  await requestor.until(({ type }) => type === 'accepted')
  const ready = await waitFor('it to be ready', async () => {
    const ran = await run('--metrics', place)
    return ran.code === 0 && ran.output.includes('Active, follows') ? ran : undefined
  })
  assert.match(ready.output, /^All is well: DHCPv4 is followed and served\.\n/)
  assert.match(ready.output, /\n {2}Bindings +1 active, /)
  assert.match(ready.output, /\n {2}127\.0\.0\.1:\d+ +Active, follows +/)
  // Nobody looks: no colours.
  assert.ok(!ready.output.includes('\x1b'))
  const { code, output } = await run('--metrics', place, '--json')
  assert.equal(code, 0)
  assert.equal((JSON.parse(output) as ProcessStatus).families[0]?.bindings.active, 1)

  daemon.kill('SIGTERM')
  assert.equal(await daemon.ended(), 0)
  const absent = await run('--metrics', place)
  assert.deepEqual([absent.code, absent.output], [3, ''])
  assert.match(
    absent.errors,
    /^kea-leasequery: no status from unix:.*ENOENT.* See whether the service runs, /,
  )
})

test('a flag that is wrong is told, and another server is not taken for ours', async () => {
  assert.equal((await run('--metrics', 'off')).code, 2)
  assert.equal((await run('--matrix')).code, 2)
  const other = createServer((_, response) => response.end('{}'))
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { code, errors } = await run('--metrics', `127.0.0.1:${(other.address() as AddressInfo).port}`)
  other.close()
  assert.equal(code, 3)
  assert.match(errors, /what answers there is no kea-leasequery/)
  const help = await run('--help')
  assert.deepEqual([help.code, help.output.includes('no kea-leasequery answers there')], [0, true])
})

test('a terminal gets colours, lines that fit, and no control codes of others', async () => {
  await using daemon = await new Daemon([4]).start()
  using core = startHook(daemon, 4)
  core.put(lease('192.0.2.7', 7), byClient)
  await daemon.logged('feed.reconciled')
  const requestor = await daemon.connect(4)
  await requestor.until(({ type }) => type === 'accepted')
  const { place } = await daemon.logged('operations.started')
  const status = (await (await fetch(`http://${place}/status.json`)).json()) as ProcessStatus
  const [family] = status.families
  const [shown] = family!.service.requestors
  const evil: FamilyStatus = {
    ...family!,
    service: {
      ...family!.service,
      requestors: [{ ...shown!, certificate: `\x1b[2J\u202eevil ${'x'.repeat(200)}` }],
    },
  }
  const text = await formatStatus({ ...status, families: [evil] }, { colours: true, columns: 60 })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is about them
  const plain = text.replace(/\x1b\[(?:\d+)?m/g, '')
  assert.notEqual(plain, text)
  assert.ok(!plain.includes('\x1b') && !plain.includes('\u202e'))
  assert.match(plain, /\?\[2J\?evil/)
  for (const line of plain.split('\n')) assert.ok([...line].length <= 60, line)
})
