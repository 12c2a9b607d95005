// Who belongs gets in, and nobody else: certificates in handshakes, and those of connections that are up when authorities,
// revocation lists and time move on.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { Family } from '../../sidecar/binding.ts'
import { FoldedBindings } from '../../sidecar/requestor/active-requestor.ts'
import { judgeNewPeer, NO_PATH } from '../../sidecar/server/peer-judge.ts'
import { Authority, type Issued } from '../support/certificates.ts'
import { openssl, StartedTls } from '../support/openssl.ts'
import { TestService } from '../support/requestor-service.ts'
import { tlsWays } from '../support/tls-ways.ts'
import { waitFor } from '../support/wait.ts'

const authority = new Authority()
const stranger = new Authority('another authority')
const below = authority.intermediate()
after(() => {
  for (const one of [authority, stranger]) one[Symbol.dispose]()
})
const server = authority.issue()
const client = authority.issue({ names: 'DNS:bng1.example.net', purpose: 'clientAuth' })
const revoked = authority.issue({ names: 'DNS:bng1.example.net', purpose: 'clientAuth' })
const bng1 = [{ certificate: 'bng1.example.net' }]

const files = (changed: Record<string, string> = {}) => ({
  mode: 'required',
  'trust-anchor': authority.certFile,
  'cert-file': server.certFile,
  'key-file': server.keyFile,
  ...changed,
})
const tlsOf = ({ cert, key }: Issued) => ({ ca: authority.cert, cert, key })
const address = (family: Family) => (family === 4 ? '10.0.0.1' : '2001:db8::1')

const ids = {
  4: { validated: '7724-8.1-14', aborted: '7724-8.1-09', mutual: '7724-8.1-15', limited: '7724-9-01' },
  6: { validated: '7653-9.1-11', aborted: '7653-9.1-08', mutual: '7653-9.1-12', limited: '7653-10-01' },
} as const
const rfc = { 4: 'RFC 7724 section 8.1', 6: 'RFC 7653 section 9.1' } as const

const bad: readonly (readonly [what: string, make: () => Issued, said: RegExp])[] = [
  ['of another authority', () => stranger.issue({ names: 'DNS:bng1.example.net' }), /certificate is refused/],
  ['signed by itself', () => authority.selfSigned(), /certificate is refused/],
  [
    'that has ended',
    () => authority.issue({ names: 'DNS:bng1.example.net', days: -1 }),
    /certificate is refused/,
  ],
  ['that is revoked', () => revoked, /REVOKED/],
  [
    'for servers only',
    () => authority.issue({ names: 'DNS:bng1.example.net', purpose: 'serverAuth' }),
    /certificate is refused/,
  ],
  ['of the authority itself', () => authority.own, /that of an authority/],
  ['with another name', () => authority.issue({ names: 'DNS:bng2.example.net' }), /not among the requesters/],
  ['with a weak key', () => authority.issue({ names: 'DNS:bng1.example.net', weak: true }), /./],
]

for (const { family, way, parts } of tlsWays) {
  const { validated, aborted, mutual, limited } = ids[family]
  describe(`certificates of requestors, ${way} (${rfc[family]})`, () => {
    for (const version of ['1.2', '1.3'] as const) {
      for (const [what, make, said] of bad) {
        const shown = what === 'with another name' ? limited : `${validated} ${aborted}`
        it(`${shown}: refuses one ${what}, to openssl over TLS ${version}; it sees nothing`, async () => {
          await using service = new TestService(family, parts)
          const anchor = join(service.folder, 'anchor.pem')
          writeFileSync(anchor, authority.cert + authority.revoke(revoked))
          service.walked().configure({ requesters: bng1, tls: files({ 'trust-anchor': anchor }) })
          service.put(address(family))
          await using started = await StartedTls.open(service)
          const { output, received } = await openssl(started, { version, own: make(), query: true })
          assert.equal(received.length, 0, output)
          const line = await waitFor('the line', () => service.logged('requestor.unsecured')[0])
          assert.match(String(line['reason']), said)
          assert.equal(service.logged('query.started').length, 0)
          assert.equal(service.service.connections, 0)
          assert.match(service.service.problems.map(({ text }) => text).join(), /was refused/)
        })
      }

      it(`${mutual}: serves one that is in order, over TLS ${version}, and refuses who shows none`, async () => {
        await using service = new TestService(family, parts)
          .walked()
          .configure({ requesters: bng1, tls: files() })
        service.put(address(family))
        await using started = await StartedTls.open(service)
        const good = await openssl(started, { version, own: client, query: true })
        assert.ok(good.received.length > 0, good.output)
        const none = await openssl(started, { version, query: true })
        assert.equal(none.received.length, 0, none.output)
      })

      it(`a session is never resumed: each connection shows its certificate, TLS ${version}`, async () => {
        await using service = new TestService(family, parts)
          .walked()
          .configure({ requesters: bng1, tls: files() })
        await using started = await StartedTls.open(service)
        const session = join(service.folder, `session-${version}`)
        const first = await openssl(started, {
          version,
          own: client,
          query: true,
          more: ['-sess_out', session],
        })
        assert.match(first.output, /New, TLS/)
        const again = await openssl(started, {
          version,
          own: client,
          query: true,
          // Whoever was given none cannot come back with it.
          more: existsSync(session) ? ['-sess_in', session] : [],
        })
        assert.match(again.output, /New, TLS/)
        assert.doesNotMatch(again.output, /Reused/)
      })
    }

    it('one that is revoked ends its connection with QueryTerminated; all others stay', async () => {
      await using service = new TestService(family, parts)
      const anchor = join(service.folder, 'anchor.pem')
      copyFileSync(authority.certFile, anchor)
      service.walked().configure({ requesters: bng1, tls: files({ 'trust-anchor': anchor }) })
      const stays = await service.connect({ tls: tlsOf(client) })
      await stays.until(({ type }) => type === 'accepted')
      const goes = await service.connect({ tls: tlsOf(revoked) })
      await goes.until(({ type }) => type === 'accepted')
      writeFileSync(anchor, authority.cert + authority.revoke(revoked))
      service.service.reloadTls()
      const event = await goes.until(({ type }) => type === 'terminated')
      assert.ok(event.type === 'terminated' && event.status === 'QueryTerminated')
      service.put(address(family))
      await stays.until(({ type }) => type === 'binding')
      assert.match(String(service.logged('requestor.ended')[0]?.['reason']), /it is revoked/)
    })

    it('one of an authority that is trusted no more ends its connection, also below an intermediate one', async () => {
      await using service = new TestService(family, parts)
      const anchor = join(service.folder, 'anchor.pem')
      writeFileSync(anchor, authority.cert + stranger.cert)
      service.walked().configure({ requesters: bng1, tls: files({ 'trust-anchor': anchor }) })
      const others = [stranger, below].map((one) => one.issue({ names: 'DNS:bng1.example.net' }))
      const [foreign, nested] = await Promise.all(others.map((one) => service.connect({ tls: tlsOf(one) })))
      for (const requestor of [foreign!, nested!]) await requestor.until(({ type }) => type === 'accepted')
      writeFileSync(anchor, authority.cert)
      service.service.reloadTls()
      await foreign!.until(({ type }) => type === 'terminated')
      service.put(address(family))
      const event = await nested!.until(({ type }) => type === 'binding' || type === 'terminated')
      if (event.type === 'binding') return
      // Where Node does not tell a server what lies between a certificate and its authority, the requestor has to come again.
      assert.ok(hidesChains, 'only there')
      const again = await service.connect({ tls: tlsOf(others[1]!), since: service.now })
      await again.until(({ type }) => type === 'binding')
    })

    it('one that ends while its connection is up ends that, at the second', async () => {
      await using service = new TestService(family, parts)
        .walked()
        .configure({ requesters: bng1, tls: files() })
      const requestor = await service.connect({ tls: tlsOf(client) })
      await requestor.until(({ type }) => type === 'accepted')
      const days = 86_400_000
      service.service.checkTls(Date.now() + 99 * days)
      const fold = new FoldedBindings()
      service.put(address(family))
      await requestor.until(({ type }) => type === 'binding', fold)
      service.service.checkTls(Date.now() + 101 * days)
      const event = await requestor.until(({ type }) => type === 'terminated')
      assert.ok(event.type === 'terminated' && event.status === 'QueryTerminated')
      assert.match(String(service.logged('requestor.ended')[0]?.['reason']), /it has ended/)
    })
  })
}

/** nodejs/node issue 65579, in 24.21 among others. */
const hidesChains = process.versions.node.startsWith('24.')

it("where Node hides the way to an authority, OpenSSL's word stands as long as the authorities are those it knew", () => {
  const leaf = new X509Certificate(below.issue().cert)
  const known = { trusted: [new X509Certificate(authority.cert)], revocationLists: [] }
  const now = Date.now()
  assert.equal(judgeNewPeer([leaf], known, known, now), Date.parse(leaf.validTo))
  assert.equal(judgeNewPeer([leaf], known, { ...known }, now), NO_PATH)
  assert.equal(judgeNewPeer([leaf, leaf], known, known, now), NO_PATH)
  assert.equal(judgeNewPeer([leaf], known, known, Date.parse(leaf.validTo)), 'it has ended')
})

it('a revocation list that cannot be read leaves the former files in use, and is named', async () => {
  await using service = new TestService(4)
  const anchor = join(service.folder, 'anchor.pem')
  copyFileSync(authority.certFile, anchor)
  service.walked().configure({ requesters: bng1, tls: files({ 'trust-anchor': anchor }) })
  writeFileSync(anchor, `${authority.cert}-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n`)
  service.service.reloadTls()
  assert.match(service.service.problems[0]!.text, /revocation list in it cannot be read/)
  const requestor = await service.connect({ tls: tlsOf(client) })
  await requestor.until(({ type }) => type === 'accepted')
})

it('what ends soon is told of ahead, once a day, and stands in the status: certificate and revocation list', async () => {
  await using service = new TestService(4)
  const anchor = join(service.folder, 'anchor.pem')
  writeFileSync(anchor, authority.cert + authority.revoke(revoked))
  service.walked().configure({ requesters: bng1, tls: files({ 'trust-anchor': anchor }) })
  for (let i = 0; i < 3; i++) service.service.checkTls(Date.now() + 5 * 86_400_000)
  assert.deepEqual(
    service.logged('tls.expires').map(({ what, days }) => [what, days]),
    [['revocation list', 24]],
  )
  assert.match(service.service.problems[0]!.text, /^revocation list in .*anchor\.pem ends 20/)
})
