// What must not stand in a log: keys, and above level debug whatever names a subscriber. A run with all there is to log.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { test } from 'node:test'
import { FoldedBindings } from '../../sidecar/requestor/active-requestor.ts'
import { BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import { Authority } from '../support/certificates.ts'
import { byClient, Daemon, lease, startHook } from '../support/daemon.ts'
import { serviceJson } from '../support/requestor-service.ts'

const INFO = 30

for (const family of [4, 6] as const) {
  test(`DHCPv${family}: no line of a full run holds a key, nor one above level debug a client's names`, async () => {
    using authority = new Authority()
    const server = authority.issue()
    const { cert, key } = authority.issue({ names: 'DNS:bng1.example.net', purpose: 'clientAuth' })
    await using daemon = await new Daemon([family]).start()
    using core = startHook(daemon, family)
    const tls = {
      mode: 'required',
      'trust-anchor': authority.certFile,
      'cert-file': server.certFile,
      'key-file': server.keyFile,
    }
    const requesters = [{ certificate: 'bng1.example.net', 'withhold-options': [family === 4 ? 82 : 47] }]
    const advanced = { 'active-query-enabled': true, 'bulk-query-enabled': true }
    core.setService(serviceJson(family, { tls, requesters, advanced }))
    await daemon.logged('tls.loaded')
    await daemon.logged('feed.reconciled')
    const own = { ca: authority.cert, cert, key }
    const requestor = await daemon.connect(family, { tls: own })
    await requestor.until(({ type }) => type === 'accepted')
    const address = family === 4 ? '192.0.2.77' : '2001:db8::77'
    const secret = lease(address, 0xabcdef, { hostname: Buffer.from('secret-subscriber') })
    core.put(secret, byClient)
    await requestor.until(({ type }) => type === 'binding', new FoldedBindings())
    const { port } = (await daemon.logged('listener.started')) as unknown as { port: number }
    const host = family === 4 ? '127.0.0.1' : '::1'
    await using bulk = {
      requestor: await BulkRequestor.connect({ family, host, port, tls: own }),
      async [Symbol.asyncDispose]() {
        this.requestor.close()
        await this.requestor.closed
      },
    }
    await bulk.requestor.fetch({ by: 'client-id', clientId: secret.clientId })
    // Refused: relay data is withheld from it.
    await bulk.requestor.fetch({ by: 'relay-id', relayId: Buffer.from('secret-relay') }).catch(() => {})
    const stranger = connect({ port, host })
    stranger.on('error', () => {})
    stranger.end(Buffer.concat([Buffer.from('secret-subscriber'), secret.hardwareAddress]))
    await daemon.logged('query.refused')
    requestor.close()
    daemon.kill('SIGTERM')
    assert.equal(await daemon.ended(), 0)

    const lines = daemon.lines()
    assert.ok(lines.length > 15)
    const all = lines.map((line) => JSON.stringify(line)).join('\n')
    const keyLines = readFileSync(server.keyFile, 'utf8')
      .split('\n')
      .filter((line) => line.length > 20)
    for (const line of keyLines) assert.ok(!all.includes(line), 'the private key')
    const told = lines
      .filter(({ level }) => Number(level) >= INFO)
      .map((line) => JSON.stringify(line).toLowerCase())
      .join('\n')
    const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex')
    const colons = (octets: Uint8Array) => hex(octets).replace(/..(?!$)/g, '$&:')
    for (const octets of [secret.clientId, secret.hardwareAddress]) {
      for (const text of [hex(octets), colons(octets), octets.join('.'), octets.join(',')])
        assert.ok(!told.includes(text), text)
    }
    for (const text of ['secret-subscriber', 'secret-relay', hex(Buffer.from('secret'))])
      assert.ok(!told.includes(text), text)
    assert.ok(told.includes('bng1.example.net'), 'who asked is said')
  })
}
