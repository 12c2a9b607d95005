import type { Target } from './targets.ts'

/** A fault that octets by chance do not find, to show that the search is guided. */
export const planted: Target = {
  what: 'a planted fault',
  seeds: () => [new Uint8Array(8)],
  run(octets) {
    if (octets[0] !== 0x4b) return
    if (octets[1] !== 0x65) return
    if (octets[2] !== 0x61) return
    if (octets.length > 4 && octets[3] === octets[4]) throw new Error('planted')
  },
}
