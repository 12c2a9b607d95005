// The status page over running Keas with clients, and requestors that show certificates. It is also where the picture in
// sidecar/README.md comes from: with STATUS_PAGE_PNG=FILE it looks for a minute, and writes what it sees there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ActiveRequestor } from '../../sidecar/requestor/active-requestor.ts'
import { BulkRequestor } from '../../sidecar/requestor/bulk-requestor.ts'
import { assertAccessible } from '../support/accessibility.ts'
import { Browser, withoutBrowser } from '../support/browser.ts'
import { Authority } from '../support/certificates.ts'
import { perfdhcp } from '../support/clients.ts'
import { keaRoots } from '../support/roots.ts'
import { type Family, Service } from '../support/service.ts'
import { Sidecar } from '../support/sidecar.ts'

const picture = process.env['STATUS_PAGE_PNG']
const seconds = picture === undefined ? 5 : 75
const wide = { width: 1280, height: 900 } as const

for (const root of keaRoots()) {
  const skip = root.skip || withoutBrowser()
  test(`the page shows what Kea ${root.kea} has, and who asks for it`, { skip }, async () => {
    using authority = new Authority()
    const server = authority.issue()
    await using service = await Service.start(root, {
      sidecar: false,
      kea: { parameters: { 'valid-lifetime': 3600 } },
      hook: {
        requesters: [
          { certificate: 'bng1.example.net' },
          { certificate: 'bng2.example.net' },
          { certificate: 'nac.example.net', queries: ['active'], subnets: [1] },
          { certificate: 'access7.example.net', queries: ['bulk'] },
        ],
        tls: {
          'trust-anchor': authority.certFile,
          'cert-file': server.certFile,
          'key-file': server.keyFile,
        },
      },
    })
    const sidecar = await Sidecar.start(service.lab)
    for (const family of service.families) {
      await sidecar.logged('feed.reconciled', { family })
      await sidecar.logged('listener.started', { family })
    }
    const as = (name: string, family: Family) => {
      const { cert, key } = authority.issue({ names: `DNS:${name}`, purpose: 'clientAuth' })
      return { ...service.address(family), tls: { ca: authority.cert, cert, key } }
    }
    const connect = async (name: string, family: Family) => {
      const requestor = await ActiveRequestor.connect(as(name, family))
      await requestor.until(({ type }) => type === 'accepted')
      const read = requestor.until(() => false).catch(() => {})
      return {
        async [Symbol.asyncDispose]() {
          requestor.close()
          await read
        },
      }
    }
    await using _bng1 = await connect('bng1.example.net', 4)
    await using _bng2 = await connect('bng2.example.net', 4)
    await using _nac = await connect('nac.example.net', 4)
    await using _bng1v6 = await connect('bng1.example.net', 6)

    const access7 = await BulkRequestor.connect(as('access7.example.net', 4))

    const lease = (seconds: number) =>
      Promise.all(
        service.families.map((family) =>
          perfdhcp(service.lab, root, family, {
            ...{ clients: 500, seconds, renewals: 3, releases: 1 },
            rate: family === 4 ? 9 : 5,
          }),
        ),
      )
    await lease(seconds)
    const ofSwitch = { by: 'relay-id', relayId: Uint8Array.of(1) } as const
    assert.equal((await access7.fetch(ofSwitch)).status, 'Success')
    await using browser = await Browser.start()
    const { place } = await sidecar.logged('operations.started')
    const page = await browser.open(`http://${place}/`, wide)
    await page.until('all to be well', `document.body.dataset.level === 'well'`)
    for (const family of service.families) {
      const held = service.kea(family).activeLeases().length
      assert.ok(held > 10, `${held} leases`)
      const shown = `document.querySelector('[aria-labelledby=dhcpv${family}] .active').textContent`
      await page.until(
        `the ${held} bindings of Kea`,
        `${shown} === ${JSON.stringify(held.toLocaleString('en'))}`,
      )
    }
    const text = await page.text()
    assert.ok(text.includes(`${service.kea(4).root.kea}.`), text)
    for (const name of ['bng1.example.net', 'bng2.example.net', 'nac.example.net'])
      assert.ok(text.includes(name), text)
    assert.match(text, /access7\.example\.net\s+\S+\s+idle/)
    assert.match(text, /1 subnet\s+requesters\[2\]/)
    assert.match(text, /Certificate\s+ends in 9\d d/)
    await assertAccessible(page, `Kea ${root.kea}`)
    assert.deepEqual(page.complaints, [])
    if (picture !== undefined && root.kea === '3.0') {
      const goesOn = lease(15)
      await sleep(10_000)
      await page.screenshot(picture)
      await goesOn
    }
    access7.close()
  })
}
