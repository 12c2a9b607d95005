// What Kea says of itself.
import type { Family } from '../binding.ts'
import { CONTRACT_MAJOR } from './contract.ts'
import type { Hello } from './events.ts'
import type { FeedDetails } from './notes.ts'

/** Why this feed cannot be followed, in a sentence; empty = it can. */
export function refusalOf(hello: Hello, family: Family): string {
  if (hello.contractMajor !== CONTRACT_MAJOR) {
    return `the hook speaks version ${hello.contractMajor} of the feed's contract, this program version ${CONTRACT_MAJOR}: they must be of one release`
  }
  if (hello.family !== family) {
    return `the feed is that of DHCPv${hello.family}, not of DHCPv${family}: check --feed`
  }
  return ''
}

/** For whoever watches. @param knownForSeconds since it was met in this epoch */
export function keaDetails(hello: Hello, knownForSeconds: number): FeedDetails['kea'] {
  const { keaVersion: version, hookVersion, tap, extendedInfo, serverDuid } = hello
  const addresses = hello.serverIdentifiers.map((octets) => octets.join('.'))
  const identities = serverDuid.length > 0 ? [Buffer.from(serverDuid).toString('hex')] : addresses
  return { version, hookVersion, identities, tap, extendedInfo, knownForSeconds }
}
