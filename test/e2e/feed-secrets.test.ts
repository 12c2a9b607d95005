/** What Kea keeps to itself stays there: the octets on the feed hold no key, no password and no place of one. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { curveKeyPair, Dealer, Subscriber } from 'zeromq'
import { encodeRequest } from '../hook-core/feed-client.ts'
import { feedLibrary, Kea } from '../support/kea.ts'
import { Laboratory } from '../support/laboratory.ts'
import { keaRoots } from '../support/roots.ts'

for (const kea of keaRoots()) {
  test(`no key or password of Kea's configuration is on the feed (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    await using lab = await Laboratory.open()
    const { publicKey, secretKey } = curveKeyPair()
    const keyFile = lab.path('curve-keys')
    const client = curveKeyPair()
    const lines = [
      `public-key = "${publicKey}"`,
      `secret-key = "${secretKey}"`,
      `client-key = "${client.publicKey}"`,
    ]
    writeFileSync(keyFile, `curve\n    ${lines.join('\n    ')}\n`, { mode: 0o640 })
    const endpoint = lab.feedEndpoint(4)
    await Kea.start(lab, kea, 4, {
      parameters: { 'user-context': { password: 'open-sesame' } },
      hooks: [
        {
          library: feedLibrary,
          parameters: {
            requesters: [{ certificate: 'bng1.example.net', 'user-context': { password: 'open-sesame' } }],
            tls: { 'key-file': '/etc/kea-leasequery/server.key' },
            feed: { endpoint, 'curve-key-file': keyFile },
            'user-context': { password: 'open-sesame' },
          },
        },
      ],
    })
    const dealer = new Dealer({ linger: 0, receiveTimeout: 30_000 })
    const subscriber = new Subscriber({ receiveTimeout: 30_000 })
    try {
      subscriber.connect(endpoint)
      subscriber.subscribe()
      dealer.connect(`${endpoint}-sync`)
      const heard: Buffer[] = []
      for (const body of [
        { id: 1, hello: { contractMajor: 1, follower: 'test' } },
        { id: 2, config: {} },
      ]) {
        await dealer.send(encodeRequest(body))
        heard.push(...(await dealer.receive()))
      }
      heard.push(...(await subscriber.receive()))
      const octets = Buffer.concat(heard).toString('latin1')
      assert.match(octets, /bng1\.example\.net/, 'what the service needs is there')
      for (const secret of [
        secretKey,
        publicKey,
        client.publicKey,
        keyFile,
        'curve',
        'open-sesame',
        endpoint,
      ])
        assert.ok(!octets.includes(secret), secret)
    } finally {
      dealer.close()
      subscriber.close()
    }
  })
}
