/** A daemon of another release than the hook. */
import assert from 'node:assert/strict'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { compiled, packageRoot } from './package-root.ts'

/** The daemon as it would be with another version of the contract. @returns its program */
export function daemonOfContract(folder: string, major: number): string {
  cpSync(dirname(compiled('sidecar/main.ts')), join(folder, 'sidecar'), { recursive: true })
  for (const name of ['package.json', 'node_modules', 'proto']) {
    symlinkSync(join(packageRoot, name), join(folder, name))
  }
  const contract = join(folder, 'sidecar/feed/contract.js')
  const text = readFileSync(contract, 'utf8')
  const other = text.replace(/CONTRACT_MAJOR = 1\b/, `CONTRACT_MAJOR = ${major}`)
  assert.notEqual(other, text)
  writeFileSync(contract, other)
  return join(folder, 'sidecar/main.js')
}
