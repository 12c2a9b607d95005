// Who may feed a sidecar: whoever can write to the folder of the sockets, or holds the key that the hook is known by.
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { curveKeyPair } from 'zeromq'
import { parseDaemonFlags } from '../../sidecar/daemon-flags.ts'
import { formatCurveKeys, readCurveKeys } from '../../sidecar/feed/curve-keys.ts'
import { folderFault } from '../../sidecar/feed/feed-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'alq-access-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('a folder that everybody may write to, or that is none, is said; one that is not there yet is not', () => {
  const feed = join(folder, 'feed')
  assert.equal(folderFault(`ipc://${feed}/dhcp4`), undefined)
  mkdirSync(feed, { mode: 0o750 })
  assert.equal(folderFault(`ipc://${feed}/dhcp4`), undefined)
  chmodSync(feed, 0o777)
  assert.match(folderFault(`ipc://${feed}/dhcp4`)!, /everybody may write to .*feed/)
  symlinkSync(feed, join(folder, 'link'))
  assert.match(folderFault(`ipc://${folder}/link/dhcp4`)!, /no folder/)
  assert.equal(folderFault('tcp://192.0.2.1:5547'), undefined)
})

const hook = curveKeyPair()
const own = curveKeyPair()
const text = `${formatCurveKeys(own)}    server-key = "${hook.publicKey}"\n`
const keyFile = (content: string, mode = 0o600) => {
  const path = join(folder, 'keys')
  rmSync(path, { force: true })
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

test('keys are read as they are made, with that of the hook beside them', () => {
  assert.deepEqual(readCurveKeys(keyFile(text)), {
    publicKey: own.publicKey,
    secretKey: own.secretKey,
    serverPublicKey: hook.publicKey,
  })
})

test('keys that are cut, missing or open to everybody are refused without being quoted', () => {
  const cases: readonly [string, RegExp][] = [
    [keyFile(text, 0o644), /may be read by everybody/],
    [join(folder, 'nowhere'), /ENOENT/],
    [folder, /no file of keys/],
  ]
  for (const [path, said] of cases) assert.throws(() => readCurveKeys(path), said)
  for (const content of ['', formatCurveKeys(own), text.replace(own.secretKey, own.secretKey.slice(1))]) {
    assert.throws(
      () => readCurveKeys(keyFile(content)),
      (error: Error) => /is wanted/.test(error.message) && !error.message.includes(own.secretKey.slice(2)),
    )
  }
})

test('a feed over tcp:// needs keys, and no other feed takes any', () => {
  const parse = (...argv: string[]) => parseDaemonFlags(argv)
  assert.throws(() => parse('--feed', 'dhcp4=tcp://192.0.2.1:5547'), /needs CURVE keys/)
  assert.throws(() => parse('--feed-keys', 'dhcp4=/k'), /has no feed over tcp/)
  const command = parse('--feed', 'dhcp4=tcp://192.0.2.1:5547', '--feed-keys', 'dhcp4=/k')
  assert.ok(command.run === 'daemon' && command.settings.feedKeys.get(4) === '/k')
})
