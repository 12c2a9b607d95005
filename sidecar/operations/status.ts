// The whole process at one moment, as plain values that JSON can hold: what the status page shows, what metrics count, what
// `kea-leasequery status` prints. It is asked of the parts that know; nothing is scanned for it.
import { hostname } from 'node:os'
import { BindingState, type Family } from '../binding.ts'
import { socketsGone } from '../feed/feed-folder.ts'
import type { FeedFollower } from '../feed/feed-follower.ts'
import type { FeedDetails } from '../feed/notes.ts'
import type { RequestorService } from '../server/requestor-service.ts'
import type { ServiceStatus } from '../server/requestor-status.ts'
import type { Problem } from '../server/service-parts.ts'
import type { Store } from '../store/open.ts'
import { version } from '../version.ts'
import type { ChangeRate } from './change-rate.ts'
import { type FamilyFacts, type Verdict, verdict } from './health.ts'
import { LATEST_CHANGES, type LatestChange, shown } from './latest-changes.ts'

/** Names end in their unit; instants are Unix seconds on this host's clock. */
export interface ProcessStatus {
  readonly version: string
  readonly pid: number
  readonly host: string
  readonly at: number
  readonly upSeconds: number
  readonly memory: { readonly residentOctets: number; readonly limitOctets: number }
  readonly verdict: Verdict
  readonly families: readonly FamilyStatus[]
}

export interface FamilyStatus {
  readonly family: Family
  /** See {@link FamilyFacts.expected}. */
  readonly expected: boolean
  readonly endpoint: string
  /** Over ipc://: the library in Kea has none, as when Kea was stopped, or loads no such library any more. */
  readonly socketsGone: boolean
  readonly feed: FeedDetails
  /** How many bindings are in each state, as Kea reported it last. */
  readonly bindings: Readonly<Record<keyof typeof BindingState, number>>
  readonly changes: {
    /** Since the store was begun. */
    readonly total: number
    /** In each of the last 60 seconds, the oldest first. */
    readonly perSecond: readonly number[]
    readonly latest: readonly LatestChange[]
  }
  readonly history: {
    /** Second from which it is complete; null = no walk has ended yet. */
    readonly horizon: number | null
    readonly reachesBackSeconds: number
    readonly retentionSeconds: number
    /** Ended bindings and departures kept, and how many may be. */
    readonly ended: number
    readonly maxEnded: number
    /** Forgotten since the start: for their age, or early, for their number. */
    readonly forgotten: { readonly age: number; readonly count: number }
  }
  readonly store: {
    readonly path: string
    readonly isOpen: boolean
    /** Records that memory has and the disk has not. */
    readonly unwritten: number
    readonly diskFails: boolean
  }
  /** Subnets in Kea's configuration; null = it has not been heard. */
  readonly subnets: number | null
  readonly service: ServiceStatus
  /** What the operator should know; also in `lease-feed-status`. */
  readonly problems: readonly Problem[]
}

/** What knows about one family; FamilyRuntime is one. */
export interface FamilyParts {
  readonly family: Family
  readonly endpoint: string
  readonly expected: boolean
  readonly store: Store
  readonly service: RequestorService
  readonly follower: FeedFollower
  readonly rate: ChangeRate
  readonly problems: readonly Problem[]
}

/** @param limitOctets memory that the process may have */
export function processStatus(families: readonly FamilyParts[], limitOctets: number): ProcessStatus {
  const statuses = families.map(familyStatus)
  return {
    version: version(),
    pid: process.pid,
    host: hostname(),
    at: Math.floor(Date.now() / 1000),
    upSeconds: Math.floor(process.uptime()),
    memory: { residentOctets: process.memoryUsage.rss(), limitOctets },
    verdict: verdict({ families: statuses.map(factsOf) }),
    families: statuses,
  }
}

function familyStatus(parts: FamilyParts): FamilyStatus {
  const { family, expected, endpoint, store, service, follower, rate } = parts
  const feed = follower.details()
  const now = store.clock.now()
  return {
    family,
    expected,
    endpoint,
    socketsGone: socketsGone(endpoint),
    feed,
    bindings: bindingsOf(store),
    changes: {
      total: store.newestChange,
      perSecond: rate.perSecond,
      latest: store.newest(LATEST_CHANGES).map(shown),
    },
    history: {
      horizon: store.horizon ?? null,
      reachesBackSeconds: store.horizon === undefined ? 0 : Math.max(0, now - store.horizon),
      retentionSeconds: store.retention.seconds,
      ended: store.ended,
      maxEnded: store.retention.maxEnded,
      forgotten: { ...store.forgotten },
    },
    store: {
      path: store.path,
      isOpen: store.isOpen,
      unwritten: store.unwritten,
      diskFails: store.diskFails,
    },
    subnets: service.subnets ?? null,
    service: service.status(),
    problems: [...feed.problems, ...parts.problems],
  }
}

function bindingsOf({ counts }: Store): FamilyStatus['bindings'] {
  const entries = Object.entries(BindingState).map(([name, state]) => [name, counts.get(state) ?? 0])
  return Object.fromEntries(entries) as FamilyStatus['bindings']
}

/** What is judged of a family. */
export function factsOf({
  family,
  socketsGone,
  expected,
  feed,
  history,
  store,
  service,
  problems,
}: FamilyStatus): FamilyFacts {
  const { config, places, wantedPlaces, tls } = service
  return {
    family,
    expected,
    storeOpen: store.isOpen,
    feedState: feed.state,
    socketsGone,
    silentForMs: feed.silentForMs,
    walked: history.horizon !== null,
    configured: config !== null,
    enabled: config !== null && (config.active || config.bulk),
    listening: places.length,
    places: wantedPlaces,
    lacksCertificate: config?.tls === 'required' && !tls.ready,
    problems: problems.map(({ text }) => text),
  }
}
