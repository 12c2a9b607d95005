// What the follower has to say to the log. The daemon turns each into one of its lines.
import type { HistogramState } from '../histogram.ts'
import type { ChangeKind } from './change-kind.ts'
import type { FeedProblem, RingReport } from './events.ts'

export type FeedNote =
  | { readonly kind: 'connected'; readonly kea: string; readonly epoch: string }
  /** Events are missing and cannot be replayed: a walk follows. */
  | { readonly kind: 'gap'; readonly reason: string; readonly seq: number }
  | { readonly kind: 'replayed'; readonly count: number; readonly seq: number }
  /** A walk has ended. `count`: leases of Kea that were looked at. */
  | {
      readonly kind: 'reconciled'
      readonly count: number
      readonly changed: number
      readonly ended: number
      readonly seconds: number
    }
  | { readonly kind: 'silent'; readonly seconds: number }
  | { readonly kind: 'back'; readonly seconds: number }
  /** Kea's clock was set. */
  | { readonly kind: 'clock'; readonly direction: 'forward' | 'backward'; readonly seconds: number }
  /** Service reduced, or a thing somebody must look at. */
  | { readonly kind: 'problem'; readonly reason: string }
  /** A step worth a line at debug level. */
  | { readonly kind: 'note'; readonly note: string }

/** One word for the operator, in the order in which the worst wins. */
export type FeedState = 'refused' | 'silent' | 'connecting' | 'replaying' | 'walking' | 'following'

export interface FeedStatus {
  readonly state: FeedState
  /** Hex; empty until Kea has answered. */
  readonly epoch: string
  readonly appliedSeq: number
  /** Newest sequence number heard of. */
  readonly newestSeq: number
  /** The bindings may lack changes until a walk has ended. */
  readonly walkPending: boolean
  /** A walk is under way, pending or periodic. */
  readonly walking: boolean
  /**
   * Start times can be judged by the store's horizon. False until a first walk has ended, and after an unclean stop until it
   * is known that nothing shown before was lost: every start time then gets DataMissing.
   */
  readonly indexTrusted: boolean
  /** Milliseconds since the feed that is followed was last heard, or since the start: what is served may be as old. */
  readonly silentForMs: number
  /** What the operator should know now; empty = all well. */
  readonly problems: readonly FeedProblem[]
}

export interface RingStatus extends RingReport {
  /** Events in it now: as many can be replayed. */
  readonly kept: number
}

/** {@link FeedStatus} with all that is known beside: for whoever watches, once a second or so. */
export interface FeedDetails extends FeedStatus {
  readonly counters: FeedCounters
  /** Seconds from the moment that Kea's library published a change to its being applied here; replayed ones left out. */
  readonly applyDelay: HistogramState
  /** Of the hook, as its newest heartbeat has it. */
  readonly ring: RingStatus
  /** What Kea said of itself last; null = nothing yet. */
  readonly kea: {
    readonly version: string
    readonly hookVersion: string
    /** DHCPv4: addresses it answers with; DHCPv6: its DUID in hexadecimal. */
    readonly identities: readonly string[]
    /** Every write is seen; false: walks find what the rest missed. */
    readonly tap: boolean
    readonly extendedInfo: boolean
    /** Seconds since it was met in this epoch. */
    readonly knownForSeconds: number
  } | null
  /** The walk under way. */
  readonly walk: WalkProgress | null
  /** The last one that ended, in this run. */
  readonly lastWalk: (WalkProgress & { readonly agoSeconds: number }) | null
}

export interface WalkProgress {
  /** Leases of Kea looked at. */
  readonly leases: number
  /** Bindings that it changed, and ended. */
  readonly changed: number
  readonly ended: number
  /** How long it took, or has been under way. */
  readonly seconds: number
}

/** Since the start; for metrics. */
export interface FeedCounters {
  events: number
  /** Bindings that were changed, by an event, by a walk or by the clock. */
  changes: number
  /** The same by what became of the binding. */
  byKind: Record<ChangeKind, number>
  replayed: number
  /** Times that events were lost for good. */
  gaps: number
  /** Events that were lost so, where their number is known: of an epoch that was followed before. */
  lost: number
  /** Walks that ended. */
  walks: number
  /** Seconds that these took. */
  walkSeconds: number
  /** Bindings that walks found to differ from Kea's leases, and that they found gone; also walks that did not end. */
  walkChanged: number
  walkEnded: number
  pages: number
  /** Messages, events and rows that could not be read. */
  unreadable: number
  /** Batches left out while a replay was under way: they are replayed too. */
  dropped: number
}
