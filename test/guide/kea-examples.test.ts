// The configurations in the documents, as the service reads them. What Kea says: test/slow/kea-examples.test.ts.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseService } from '../../sidecar/config.ts'
import { keaExamples, withoutComments } from '../support/kea-examples.ts'

interface Library {
  readonly library: string
  readonly parameters?: Record<string, unknown>
}

describe('a configuration in a document offers a service', () => {
  const examples = keaExamples()
  assert.ok(examples.length >= 6)
  for (const { what, family, text } of examples) {
    it(what, () => {
      const [server] = Object.values(JSON.parse(withoutComments(text))) as { 'hooks-libraries': Library[] }[]
      const ours = server!['hooks-libraries'].find(({ library }) => library === 'libdhcp_lease_feed.so')
      assert.ok(ours?.parameters, 'it does not load the library')
      const { feed: _, ...service } = ours.parameters
      const config = parseService(JSON.stringify(service), family)
      assert.ok(config.active && config.bulk && config.requesters.length > 0)
      assert.equal(config.tls.mode, 'required')
    })
  }
})
