// The hook's own parameters, `feed`. The running sidecar never sees them, so they are checked here as the hook checks them;
// kea-hook/README.md has the same table, and a test holds the two equal.
import type { Family } from '../binding.ts'
import { ConfigError, MapReader } from '../config-map.ts'
import { defaultFeeds } from '../daemon-flags.ts'

export interface FeedParameters {
  readonly endpoint: string
  readonly tap: boolean
}

export const feedNumbers = {
  'ring-size': { byDefault: 65536, least: 1024, most: 16777216 },
  'ring-octets': { byDefault: 33554432, least: 1048576, most: 4294967296 },
  'walk-share': { byDefault: 10, least: 1, most: 80 },
  'walk-page': { byDefault: 256, least: 16, most: 256 },
  'walk-slow': { byDefault: 50, least: 1, most: 10000 },
} as const

/** Characters of a socket's path: the system's bound, less "-sync". */
const MAX_PATH = 100

/** @throws ConfigError */
export function readFeedParameters(parameters: unknown, family: Family): FeedParameters {
  const all = new MapReader('', parameters, Object.keys(parameters as object))
  const feed = all.map('feed', ['endpoint', 'curve-key-file', 'tap', ...Object.keys(feedNumbers)])
  for (const [name, { byDefault, least, most }] of Object.entries(feedNumbers)) {
    feed.integer(name, byDefault, least, most)
  }
  const endpoint = feed.text('endpoint', defaultFeeds[family])
  const keys = feed.text('curve-key-file', '')
  const refuse = (reason: string) => new ConfigError(feed.place('endpoint'), endpoint, reason)
  if (endpoint.startsWith('tcp://')) {
    if (!/^tcp:\/\/.+:[^:]+$/.test(endpoint)) throw refuse('tcp://address:port is wanted')
    if (keys === '') throw refuse('tcp:// needs "curve-key-file": leases do not cross a network in the clear')
  } else if (!/^ipc:\/\/\/./.test(endpoint)) {
    throw refuse('ipc:// with an absolute path, or tcp://address:port, is wanted')
  } else if (endpoint.length - 'ipc://'.length > MAX_PATH) {
    throw refuse(`a path of at most ${MAX_PATH} characters is wanted`)
  }
  return { endpoint, tap: feed.boolean('tap', true) }
}
