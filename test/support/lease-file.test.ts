import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { activeLeases, readLeaseFile } from './lease-file.ts'

const header4 =
  'address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n'
const header6 =
  'address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id\n'

/** Rows as Kea 3.0.3 wrote them. */
const rows = {
  infinite: '10.1.2.3,02:00:00:00:00:01,,4294967295,6090269671,1,0,0,a&#x2cb,0,{ "x": "c&#x2cd" },0\n',
  given: '10.1.2.4,02:00:00:00:00:02,,3600,1795305976,1,0,0,,0,,0\n',
  deleted: '10.1.2.4,02:00:00:00:00:02,,0,1795302376,1,0,0,,0,,0\n',
  declined: '10.1.2.4,,,600,1795305976,1,0,0,,1,,0\n',
  prefix: '2001:db8:8000:100::,00:01:02:03,3600,1795305976,1,2700,2,7,56,0,0,,,0,,,,0\n',
}

function read(files: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'kea-lease-file-'))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return readLeaseFile(join(folder, 'leases'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('the last row of an address wins, and a deletion takes it away', () => {
  assert.equal(read({ leases: header4 + rows.given }).length, 1)
  assert.deepEqual(read({ leases: header4 + rows.given + rows.deleted }), [])
  const [again] = read({ leases: header4 + rows.given + rows.deleted + rows.declined })
  assert.equal(again?.state, 1)
})

test('commas inside cells and infinite lifetimes are read as Kea meant them', () => {
  const [lease] = read({ leases: header4 + rows.infinite })
  assert.equal(lease?.hostname, 'a,b')
  assert.deepEqual(lease?.userContext, { x: 'c,d' })
  assert.equal(lease?.cltt, 1795302376)
  assert.equal(activeLeases([lease!], 5_000_000_000).length, 1)
})

test('a delegated prefix has its length and its type', () => {
  const [lease] = read({ leases: header6 + rows.prefix })
  assert.deepEqual(
    [lease?.type, lease?.prefixLength, lease?.iaid, lease?.duid],
    ['IA_PD', 56, 7, '00:01:02:03'],
  )
})

test('a row still being written is left out', () => {
  assert.equal(read({ leases: header4 + rows.infinite + rows.given.slice(0, 20) }).length, 1)
  assert.deepEqual(read({}), [])
})

test('what a lease file cleanup left is read in Kea’s own order', () => {
  assert.deepEqual(
    read({ 'leases.2': header4 + rows.given, 'leases.1': header4 + rows.deleted, leases: header4 }),
    [],
  )
  const finished = {
    'leases.completed': header4 + rows.given,
    'leases.1': header4 + rows.deleted,
    leases: header4,
  }
  assert.equal(read(finished).length, 1)
})

test('active are leases in state 0 before their expiry', () => {
  const all = read({ leases: header4 + rows.infinite + rows.given })
  assert.equal(activeLeases(all, 1795305975).length, 2)
  assert.equal(activeLeases(all, 1795305976).length, 1)
  assert.deepEqual(activeLeases(read({ leases: header4 + rows.declined }), 0), [])
})
