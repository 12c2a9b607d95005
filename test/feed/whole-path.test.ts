// The product's promise from end to end: whatever happens between Kea and the sidecar, to the sidecar and to its disk, at rest
// the store holds what Kea holds, and so does a requestor that reads as it likes, is cut, and comes back with the base-time
// it read last (RFC 7724 section 7.4.1, RFC 7653 section 8.4.1). Over a hook as a model, many times, and over the very code
// that runs inside Kea, on its real sockets, a few times; test/slow has more of both.
import { describe, it } from 'node:test'
import { CoreSource, ModelSource } from './source.ts'
import { converges } from './whole-path.ts'

describe('at rest, requestors hold what the store holds, and the store what Kea holds', () => {
  it('whatever was lost, late, repeated, failed, cut, killed, stepped or pruned on the way', () =>
    converges((options) => new ModelSource(options), 250))

  it("also where the hook's core publishes and answers, over its real sockets", () =>
    converges((options) => new CoreSource(options), 5))
})
