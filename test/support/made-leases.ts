/** Lease files with any number of leases, as Kea's memfile back end reads them. */

import { closeSync, openSync, writeSync } from 'node:fs'

const headers = {
  4: 'address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id',
  6: 'address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id',
} as const

/**
 * Writes a lease file of `count` leases of as many clients, in the pools of kea-config.ts; in v6 every other one is a
 * delegated prefix.
 * @param now Unix seconds of the clients' last transaction; every lease is valid for an hour from there
 */
export function writeLeaseFile(path: string, family: 4 | 6, count: number, now: number): void {
  const file = openSync(path, 'w')
  try {
    let rows: string[] = [headers[family]]
    for (let i = 0; i < count; i++) {
      rows.push(family === 4 ? row4(i, now) : row6(i, now))
      if (rows.length === 10_000) {
        writeSync(file, `${rows.join('\n')}\n`)
        rows = []
      }
    }
    writeSync(file, `${rows.join('\n')}\n`)
  } finally {
    closeSync(file)
  }
}

function row4(i: number, now: number): string {
  const address = `10.${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`
  const mac = octets(0x02_00_00_00_00_00 + i, 6)
  return `${address},${mac},01:${mac},3600,${now + 3600},1,0,0,,0,,0`
}

function row6(i: number, now: number): string {
  const duid = `00:03:00:01:${octets(0x02_00_00_00_00_00 + i, 6)}`
  const [high, low] = [(i >> 16).toString(16), (i & 0xffff).toString(16)]
  const prefix = i % 2 === 1
  const address = prefix
    ? `2001:db8:${(0x8000 + (i >> 8)).toString(16)}:${((i & 255) << 8).toString(16)}::`
    : `2001:db8:1::1:${high}:${low}`
  return `${address},${duid},3600,${now + 3600},1,2700,${prefix ? 2 : 0},${i},${prefix ? 56 : 128},0,0,,,0,,,,0`
}

function octets(value: number, count: number): string {
  return (
    value
      .toString(16)
      .padStart(count * 2, '0')
      .match(/../g) ?? []
  ).join(':')
}
