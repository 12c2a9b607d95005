/** Every command that changes leases reaches requestors: lease_cmds of both families, and forced reclamation. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BindingState } from '../../sidecar/binding.ts'
import type { Kea } from '../support/kea.ts'
import { RecordedBindings } from '../support/recorded-bindings.ts'
import { keaRoots } from '../support/roots.ts'
import { Service, settle } from '../support/service.ts'

const { active, available, expired, reset } = BindingState

/** Adds a lease by command. */
function add4(server: Kea, address: string, mac: string, more: Record<string, string | number> = {}) {
  return server.mustCommand('lease4-add', {
    'ip-address': address,
    'hw-address': mac,
    'subnet-id': 1,
    ...more,
  })
}

function add6(server: Kea, address: string, duid: string, more: Record<string, string | number> = {}) {
  return server.mustCommand('lease6-add', { ...lease6(address, duid), ...more })
}

function lease6(address: string, duid: string) {
  return { 'ip-address': address, duid, iaid: 1, 'subnet-id': 1 }
}

const seconds = () => Math.floor(Date.now() / 1000)
const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex')

for (const kea of keaRoots()) {
  test(`what lease4 commands of Kea ${kea.kea} do is told`, { skip: kea.skip }, async () => {
    await using service = await Service.start(kea, { families: [4] })
    const server = service.kea(4)
    const fold = new RecordedBindings()
    await service.requestor(4, undefined, fold)

    await add4(server, '10.1.0.1', '02:00:00:00:01:01')
    const added = await fold.hears('10.1.0.1', active)
    assert.equal(hex(added.hardwareAddress), '020000000101')
    assert.equal(
      added.remote,
      false,
      "the server's own operator is not another server (RFC 6926 section 6.2.8)",
    )

    // Another holder, of the other kind: with a client identifier.
    await server.mustCommand('lease4-update', {
      'ip-address': '10.1.0.1',
      'hw-address': '02:00:00:00:01:02',
      'client-id': '01:02:03',
      'subnet-id': 1,
      'valid-lft': 1800,
    })
    const moved = await fold.hears('10.1.0.1', active, ({ clientId }) => hex(clientId) === '010203')
    assert.equal(hex(moved.hardwareAddress), '020000000102')
    await settle(server, fold)

    await server.mustCommand('lease4-del', { 'ip-address': '10.1.0.1' })
    // RESET: "forced by an administrator" (RFC 6926 section 6.2.7).
    await fold.hears('10.1.0.1', reset)

    await add4(server, '10.1.0.2', '02:00:00:00:01:03')
    await fold.hears('10.1.0.2', active)
    await server.mustCommand('lease4-del', {
      'identifier-type': 'hw-address',
      identifier: '02:00:00:00:01:03',
      'subnet-id': 1,
    })
    await fold.hears('10.1.0.2', reset)

    // A command that makes the lease it does not find.
    await server.mustCommand('lease4-update', {
      'ip-address': '10.1.0.3',
      'hw-address': '02:00:00:00:01:04',
      'subnet-id': 1,
      'force-create': true,
    })
    await fold.hears('10.1.0.3', active)
    await settle(server, fold)

    // Reclaimed by force: kept as expired, or removed. Kea's own reclamation may come first; the word is the same.
    await add4(server, '10.1.0.4', '02:00:00:00:01:05', { 'valid-lft': 1, expire: seconds() + 1 })
    await add4(server, '10.1.0.5', '02:00:00:00:01:06', { 'valid-lft': 1, expire: seconds() + 1 })
    await fold.hears('10.1.0.3', active)
    await server.mustCommand('leases-reclaim', { remove: false })
    await fold.hears('10.1.0.4', expired)
    await server.mustCommand('leases-reclaim', { remove: true })
    await fold.hears('10.1.0.5', expired)
    await settle(server, fold)

    for (let i = 1; i <= 20; i++)
      await add4(server, `10.1.1.${i}`, `02:00:00:00:02:${String(i).padStart(2, '0')}`)
    await fold.hears('10.1.1.20', active)
    await settle(server, fold)
    assert.equal(fold.active.size, 21)
    await server.mustCommand('lease4-wipe', { 'subnet-id': 1 })
    for (let i = 1; i <= 20; i++) await fold.hears(`10.1.1.${i}`, reset)
    await settle(server, fold)
    assert.equal(fold.active.size, 0)
  })

  test(`what lease6 commands of Kea ${kea.kea} do is told`, { skip: kea.skip }, async () => {
    await using service = await Service.start(kea, { families: [6] })
    const server = service.kea(6)
    const fold = new RecordedBindings()
    await service.requestor(6, undefined, fold)
    const address = (n: number) => `2001:db8:1::1:0:${n}`

    await add6(server, address(1), '00:03:00:01:01')
    assert.equal(hex((await fold.hears(address(1), active)).clientId), '0003000101')

    await server.mustCommand('lease6-update', { ...lease6(address(1), '00:03:00:01:02'), 'valid-lft': 1800 })
    await fold.hears(address(1), active, ({ clientId }) => hex(clientId) === '0003000102')
    const ends = fold.history(address(1)).filter(({ state }) => state !== active)
    assert.deepEqual(
      ends.map(({ clientId }) => hex(clientId)),
      ['0003000101'],
      'its former holder is told to hold it no more (RFC 7653 section 8.2)',
    )
    await settle(server, fold)

    await server.mustCommand('lease6-del', { 'ip-address': address(1) })
    await fold.hears(address(1), available)
    await add6(server, address(2), '00:03:00:01:03')
    await fold.hears(address(2), active)
    await server.mustCommand('lease6-del', {
      'identifier-type': 'duid',
      identifier: '00:03:00:01:03',
      iaid: 1,
      'subnet-id': 1,
    })
    await fold.hears(address(2), available)

    // Kea's key is the address: another length is the same row, and another binding.
    const prefix = { ...lease6('2001:db8:8000:100::', '00:03:00:01:04'), type: 'IA_PD' }
    await server.mustCommand('lease6-add', { ...prefix, 'prefix-len': 64 })
    await fold.hears('2001:db8:8000:100::/64', active)
    await server.mustCommand('lease6-update', { ...prefix, 'prefix-len': 56 })
    await fold.hears('2001:db8:8000:100::/56', active)
    await fold.hears('2001:db8:8000:100::/64', available)
    await settle(server, fold)

    await server.mustCommand('lease6-bulk-apply', {
      'deleted-leases': [{ ...prefix, 'prefix-len': 56 }],
      leases: [lease6(address(3), '00:03:00:01:05'), lease6(address(4), '00:03:00:01:06')],
    })
    await fold.hears('2001:db8:8000:100::/56', available)
    await fold.hears(address(3), active)
    await fold.hears(address(4), active)
    await settle(server, fold)

    await add6(server, address(5), '00:03:00:01:07', { 'valid-lft': 1, expire: seconds() + 1 })
    await server.mustCommand('leases-reclaim', { remove: true })
    await fold.hears(address(5), available)
    await settle(server, fold)

    await server.mustCommand('lease6-wipe', { 'subnet-id': 1 })
    await fold.hears(address(3), available)
    await fold.hears(address(4), available)
    await settle(server, fold)
    assert.equal(fold.active.size, 0)
  })
}
