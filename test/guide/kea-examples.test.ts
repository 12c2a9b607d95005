// The configurations in the documents, judged as `kea-leasequery --check-config` does. What Kea says: test/slow/kea-examples.test.ts.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { checkConfig } from '../../sidecar/check-config/check-config.ts'
import { readKeaJson } from '../../sidecar/check-config/kea-json.ts'
import { Authority } from '../support/certificates.ts'
import { keaExamples } from '../support/kea-examples.ts'

/** What an example's host has and this one lacks: the folder that tmpfiles.d makes. */
const FOLDER = /\/run\/kea-lease-feed/

describe('kea-leasequery --check-config has nothing to say against a configuration in a document', () => {
  const examples = keaExamples()
  assert.ok(examples.length >= 6)
  for (const { what, family, text } of examples) {
    it(what, () => {
      using authority = new Authority()
      const own = authority.issue()
      const settings = {
        feeds: new Map([[family, `ipc:///run/kea-lease-feed/dhcp${family}`]]),
        listen: new Map([[family, [{ address: family === 4 ? '127.0.0.1' : '::1', port: 0 }]]]),
        requireTls: false,
        tlsFiles: { trustAnchor: authority.certFile, certFile: own.certFile, keyFile: own.keyFile },
      }
      const file = join(authority.folder, 'kea.conf')
      writeFileSync(file, text)
      const { findings } = checkConfig(readKeaJson(file), settings, Date.now())
      const texts = findings.map((finding) => finding.text).filter((said) => !FOLDER.test(said))
      assert.deepEqual(texts, [])
    })
  }
})
