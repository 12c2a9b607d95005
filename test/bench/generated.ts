import type { Family } from '../../sidecar/binding.ts'

/** The subnets of generated leases: 65,536 addresses each from 10.0.0.0 or 2001:db8:: on. */
export function generatedSubnets(family: Family, bindings: number) {
  return Array.from({ length: Math.ceil(bindings / 65_536) }, (_, i) => {
    const prefix = Buffer.from(family === 4 ? '0a000000' : '20010db8000000000000000000000000', 'hex')
    if (family === 4) prefix[1] = i
    else prefix.writeUInt16BE(i, 12)
    const last = Buffer.from(prefix)
    last.writeUInt16BE(0xffff, last.length - 2)
    return { id: 1 + i, prefix, prefixLength: family === 4 ? 16 : 112, pools: [{ first: prefix, last }] }
  })
}
