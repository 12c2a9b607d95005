// What Jazzer.js calls with octets that it made up: the target named by FUZZ_TARGET.
import { targetNamed } from './targets.ts'

const target = targetNamed(process.env['FUZZ_TARGET'] ?? '')

export function fuzz(octets: Uint8Array): void {
  // A copy: the next input comes in the same memory.
  target.run(Uint8Array.from(octets))
}
