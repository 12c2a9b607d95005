/** A mistake in the hook's parameters is refused where that is safe, and never stops DHCP in a running server. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { perfdhcp } from '../support/clients.ts'
import { Kea, KeaStartError } from '../support/kea.ts'
import { Laboratory } from '../support/laboratory.ts'
import { keaRoots } from '../support/roots.ts'
import { Service, settle } from '../support/service.ts'

const wrong = { advanced: { 'lease-query-tcp-port': 70_000 } }
/** What every complaint about it names: the parameter, the value, and where it stands. */
const complaint = /advanced.*lease-query-tcp-port.*70000/s

for (const kea of keaRoots()) {
  for (const family of [4, 6] as const) {
    test(`kea-dhcp${family} -T refuses a wrong parameter, and names parameter and value (Kea ${kea.kea})`, {
      skip: kea.skip,
    }, async () => {
      await using service = await Service.start(kea, { families: [family], sidecar: false })
      const { lab } = service
      const right = await Kea.check(lab, kea, family, service.keaOptions(family))
      assert.ok(right.accepted, right.text)
      const { accepted, text } = await Kea.check(lab, kea, family, service.keaOptions(family, wrong))
      assert.equal(accepted, false, 'a port above 65535 was accepted')
      assert.match(text, complaint)
    })
  }

  test(`kea-dhcp4 does not start for the first time with a wrong parameter, and says why (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    await using lab = await Laboratory.open()
    const parameters = { requesters: ['192.0.2.0/33'], feed: { endpoint: lab.feedEndpoint(4) } }
    const start = Kea.start(lab, kea, 4, { hooks: [{ library: 'libdhcp_lease_feed.so', parameters }] })
    await assert.rejects(
      start,
      (error) => error instanceof KeaStartError && /requesters.*192\.0\.2\.0\/33/.test(error.message),
    )
  })

  test(`a wrong parameter in a running server leaves DHCP answering and the service as it was (Kea ${kea.kea})`, {
    skip: kea.skip,
  }, async () => {
    await using service = await Service.start(kea)
    for (const family of service.families) {
      const server = service.kea(family)
      const requestor = await service.requestor(family)
      const answer = await server.reload(service.keaOptions(family, wrong))
      assert.equal(answer.result, 0, answer.text)
      const errors = server
        .log()
        .split('\n')
        .filter((line) => line.includes('ERROR') && line.includes('LEASE_FEED_'))
      assert.ok(
        errors.some((line) => complaint.test(line)),
        `no ERROR line names it:\n${errors.join('\n')}`,
      )
      const load = await perfdhcp(service.lab, kea, family, { rate: 100, clients: 200, exchanges: 200 })
      const exchange = load.exchanges[family === 4 ? 'REQUEST-ACK' : 'REQUEST-REPLY']
      // perfdhcp sends each packet once, and a busy machine loses some.
      assert.ok((exchange?.received ?? 0) >= 150, load.text)
      await settle(server, requestor.fold)
      const status = await server.mustCommand('lease-feed-status')
      assert.match(JSON.stringify(status), complaint, 'lease-feed-status names it too')
    }
  })
}
