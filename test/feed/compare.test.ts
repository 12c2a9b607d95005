// Stored bindings beside what Kea says: read where they lie and as copies, they compare alike.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type BindingData, BindingState, type Family, Origin, sameClient } from '../../sidecar/binding.ts'
import { isOfClient, sameOptions, sameRowOctets } from '../../sidecar/feed/compare.ts'
import { PackedBinding } from '../../sidecar/packed-binding.ts'

const octets = fc
  .constantFrom('', '00', '01', '0100', '000102')
  .map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')))

const binding = (family: Family): fc.Arbitrary<BindingData> =>
  fc
    .record({
      hardwareType: fc.constantFrom(1, 6),
      hardwareAddress: octets,
      clientId: octets,
      hostname: octets,
      relay: octets,
      options: octets,
    })
    .map((some) => ({
      address: new Uint8Array(family === 4 ? 4 : 16).fill(1),
      prefixLength: 0,
      state: BindingState.active,
      origin: Origin.client,
      subnetId: 1,
      iaid: 1,
      validLifetime: 1,
      preferredLifetime: 1,
      clientLastTransaction: 1,
      stateSince: 1,
      ...some,
    }))

for (const family of [4, 6] as const) {
  test(`v${family}: a packed binding is of the same client, and has the same octets, as its copy`, () => {
    fc.assert(
      fc.property(binding(family), binding(family), (stored, next) => {
        const packed = new PackedBinding().pack(stored)
        assert.equal(isOfClient(packed, next), sameClient(stored, next))
        assert.equal(isOfClient(stored, next), sameClient(stored, next))
        assert.equal(sameRowOctets(packed, next), sameRowOctets(stored, next))
        assert.equal(sameOptions(packed, next), sameOptions(stored, next))
        assert.ok(isOfClient(packed, stored) && sameRowOctets(packed, stored) && sameOptions(packed, stored))
        for (const field of ['hardwareAddress', 'clientId', 'hostname', 'relay', 'options'] as const) {
          const other = { ...stored, [field]: Uint8Array.of(9, ...stored[field]) }
          assert.equal(sameOptions(packed, other), field !== 'options', field)
          assert.equal(sameRowOctets(packed, other), field === 'options', field)
        }
      }),
      { numRuns: 500 },
    )
  })
}
