import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keepConfig, keptConfig } from '../../sidecar/server/kept-config.ts'
import { parseAddress } from '../../sidecar/wire/address.ts'

const address = (text: string) => parseAddress(text)!

test('subnets and reservations come back from the store as they were kept, and are written only when they change', () => {
  const kept = new Map<string, Buffer>()
  let writes = 0
  const blobs = {
    get: (name: string) => kept.get(name),
    set: (name: string, octets: Uint8Array | undefined) => {
      writes++
      kept.set(name, Buffer.from(octets!))
    },
  }
  assert.equal(keptConfig(blobs), undefined)
  const config = {
    subnets: [
      {
        id: 7,
        prefix: address('192.0.2.0'),
        prefixLength: 24,
        sharedNetwork: 'street',
        pools: [{ first: address('192.0.2.1'), last: address('192.0.2.9') }],
        prefixPools: [],
        relayAddresses: [address('192.0.2.254')],
        renewTimer: 900,
        rebindTimer: 0,
      },
    ],
    reserved: Uint8Array.from([...address('192.0.2.20'), ...address('192.0.2.29')]),
  }
  keepConfig(blobs, config)
  keepConfig(blobs, config)
  assert.equal(writes, 2)
  const { subnets, reserved } = keptConfig(blobs)!
  assert.deepEqual(subnets, config.subnets)
  assert.deepEqual([...reserved], [...config.reserved])
  keepConfig(blobs, { ...config, reserved: new Uint8Array() })
  assert.equal(writes, 3)
  assert.equal(keptConfig(blobs)!.reserved.length, 0)
})
