// What is measured: one table. The text for Prometheus is made from it, and so is the table in README.md.
//
// Nothing is counted here. Each part of the service counts what it does; this says what of it is told, under which name.
// Names, types and units are by Prometheus's conventions: base units (seconds, bytes), `_total` where a number only grows.
// How many series there are depends on the configuration and on nothing that a peer can do: requestors are told of by entry
// of `requesters`.
import type { HistogramState } from '../histogram.ts'
import type { Metric, MetricType, Sample } from './exposition.ts'
import { type Verdict, verdict } from './health.ts'
import type { ProcessFacts } from './process-facts.ts'
import { type FamilyStatus, factsOf, type ProcessStatus } from './status.ts'

export interface Measured {
  readonly status: ProcessStatus
  readonly process: ProcessFacts
  readonly eventLoopDelay: HistogramState
  /** Octets of the store on disk, by its path; absent = not known yet. */
  readonly storeOctets: ReadonlyMap<string, number>
  /** Of Node, and of the contract with the hook. */
  readonly node: string
  readonly contract: string
}

const PREFIX = 'kea_leasequery_'

type Value = number | boolean | HistogramState | null | undefined

/** No sample where there is nothing to say. */
function sample(labels: readonly string[], value: Value): readonly Sample[] {
  if (value === undefined || value === null) return []
  return [{ labels, value: typeof value === 'boolean' ? Number(value) : value }]
}

/** Of the process as a whole. */
function whole(
  type: MetricType,
  name: string,
  help: string,
  read: (from: Measured) => Value,
): Metric<Measured> {
  return { name, type, labels: [], help, read: (from) => sample([], read(from)) }
}

/** Of each family that somebody wants served; `labels` besides the family. */
function each(
  type: MetricType,
  name: string,
  labels: readonly string[],
  help: string,
  read: (of: FamilyStatus, from: Measured) => Value | readonly (readonly [...string[], Value])[],
): Metric<Measured> {
  return {
    name: PREFIX + name,
    type,
    labels: ['family', ...labels],
    help,
    read: (from) =>
      from.status.families
        .filter(({ expected }) => expected)
        .flatMap((of) => {
          const family = `dhcp${of.family}`
          const found = read(of, from)
          if (!Array.isArray(found)) return sample([family], found as Value)
          return found.flatMap((row) => sample([family, ...row.slice(0, -1)], row.at(-1)))
        }),
  }
}

/** A gauge that is 1 for the state there is, and 0 for the others. */
function oneOf(states: readonly string[], state: string): [string, number][] {
  return states.map((name) => [name, Number(name === state)])
}

const seconds = (ms: number) => ms / 1000
const feedStates = ['following', 'walking', 'replaying', 'connecting', 'silent', 'refused']
const perMessage = (counts: Readonly<Record<string, number>>): [string, number][] => Object.entries(counts)

export const metrics: readonly Metric<Measured>[] = [
  {
    name: `${PREFIX}build_info`,
    type: 'gauge',
    labels: ['version', 'node', 'contract'],
    help: 'Always 1; the labels say what runs.',
    read: ({ status, node, contract }) => sample([status.version, node, contract], 1),
  },
  whole(
    'gauge',
    `${PREFIX}ready`,
    'As /ready: 1 where every family is ready.',
    (m) => m.status.verdict.ready,
  ),
  each('gauge', 'family_ready', [], 'Whether this family is ready.', (f) => verdictOf(f).ready),
  each(
    'gauge',
    'problems',
    [],
    'Problems that status page and lease-feed-status name, refused requestors left out.',
    (f) => f.problems.length - f.service.refusals.length,
  ),
  each(
    'gauge',
    'configuration_refused',
    [],
    'Newer parameters of kea.conf were refused; older ones are in force.',
    (f) => f.service.refusedConfig !== null,
  ),
  each(
    'counter',
    'configurations_refused_total',
    [],
    'Times that parameters of kea.conf were refused.',
    (f) => f.service.counts.refusedConfigs,
  ),

  each(
    'gauge',
    'feed_up',
    [],
    "Kea is heard, and by a library of this program's release.",
    (f) => !['silent', 'connecting', 'refused'].includes(f.feed.state),
  ),
  each('gauge', 'feed_state', ['state'], 'What the follower does: 1 for that state.', (f) =>
    oneOf(feedStates, f.feed.state),
  ),
  each('gauge', 'feed_heartbeat_age_seconds', [], 'Since Kea was last heard; it speaks each second.', (f) =>
    seconds(f.feed.silentForMs),
  ),
  each(
    'gauge',
    'feed_lag_events',
    [],
    'Events that Kea has published and that are not applied yet.',
    (f) => f.feed.newestSeq - f.feed.appliedSeq,
  ),
  each(
    'histogram',
    'feed_apply_delay_seconds',
    [],
    "From Kea's change to its being applied; replayed events are left out.",
    (f) => f.feed.applyDelay,
  ),
  each('counter', 'feed_events_total', [], 'Events applied.', (f) => f.feed.counters.events),
  each(
    'counter',
    'feed_replayed_events_total',
    [],
    "Events fetched from the ring of Kea's library, since they did not arrive.",
    (f) => f.feed.counters.replayed,
  ),
  each(
    'counter',
    'feed_gaps_total',
    [],
    'Times that events were lost for good; a walk follows each.',
    (f) => f.feed.counters.gaps,
  ),
  each(
    'counter',
    'feed_lost_events_total',
    [],
    'Events lost so, where their number is known.',
    (f) => f.feed.counters.lost,
  ),
  each(
    'counter',
    'feed_unreadable_total',
    [],
    'Messages, events and leases of Kea that could not be read.',
    (f) => f.feed.counters.unreadable,
  ),
  each(
    'gauge',
    'walk_pending',
    [],
    'Bindings may lack changes until a walk has ended.',
    (f) => f.feed.walkPending,
  ),
  each('gauge', 'walk_running', [], "Kea's leases are being compared with the store.", (f) => f.feed.walking),
  each('counter', 'walks_total', [], 'Walks that ended.', (f) => f.feed.counters.walks),
  each('counter', 'walk_seconds_total', [], 'Time that these took.', (f) => f.feed.counters.walkSeconds),
  each(
    'counter',
    'walk_differences_total',
    ['kind'],
    'Bindings that walks found to differ from Kea (changed), and gone (ended).',
    (f) => [
      ['changed', f.feed.counters.walkChanged],
      ['ended', f.feed.counters.walkEnded],
    ],
  ),
  each(
    'gauge',
    'kea_info',
    ['version', 'library'],
    'Always 1; the labels are the versions of Kea and of the library in it.',
    (f) => (f.feed.kea === null ? null : [[f.feed.kea.version, f.feed.kea.hookVersion, 1]]),
  ),
  each(
    'gauge',
    'ring_events',
    [],
    "Events in the ring of Kea's library: as many can be missed without a walk.",
    (f) => f.feed.ring.kept,
  ),
  each('gauge', 'ring_size_events', [], 'Events that it keeps at most.', (f) => f.feed.ring.events),
  each(
    'counter',
    'ring_overwritten_events_total',
    [],
    'Events that left it before they could be published.',
    (f) => f.feed.ring.overwritten,
  ),
  each(
    'counter',
    'ring_lost_events_total',
    [],
    'Events that it could not keep at all.',
    (f) => f.feed.ring.lost,
  ),
  each(
    'counter',
    'ring_cut_events_total',
    [],
    "Events kept without what the client's packet carried, being too long.",
    (f) => f.feed.ring.cut,
  ),

  each('gauge', 'bindings', ['state'], 'Bindings stored, by state as Kea reported it last.', (f) =>
    Object.entries(f.bindings),
  ),
  each('counter', 'changes_total', ['kind'], 'Changes of bindings, by what became of them.', (f) =>
    Object.entries(f.feed.counters.byKind),
  ),
  each(
    'gauge',
    'history_horizon_timestamp_seconds',
    [],
    'Second from which the history is complete: older start times get DataMissing.',
    (f) => f.history.horizon,
  ),
  each(
    'gauge',
    'history_retention_seconds',
    [],
    'How long ended bindings are to be remembered: history.retention.',
    (f) => f.history.retentionSeconds,
  ),
  each('gauge', 'history_ended_bindings', [], 'Ended bindings remembered.', (f) => f.history.ended),
  each(
    'gauge',
    'history_max_ended_bindings',
    [],
    'As many are at most: history.max-ended.',
    (f) => f.history.maxEnded,
  ),
  each(
    'counter',
    'history_forgotten_total',
    ['reason'],
    'Ended bindings forgotten: for their age, or early, for their number (count).',
    (f) => Object.entries(f.history.forgotten),
  ),

  each(
    'gauge',
    'connections',
    [],
    'Connections now, those that wait for TLS included.',
    (f) => f.service.connections,
  ),
  each(
    'gauge',
    'max_connections',
    [],
    'As many may be: max-requester-connections.',
    (f) => f.service.config?.maxConnections,
  ),
  each(
    'counter',
    'connections_accepted_total',
    [],
    'Connections that might ask: TLS was up and the certificate accepted, where it is required.',
    (f) => f.service.counts.accepted,
  ),
  each(
    'counter',
    'connections_refused_total',
    ['reason'],
    'Connections that were not let in, by reason.',
    (f) => Object.entries(f.service.counts.refused),
  ),
  each(
    'gauge',
    'active_suspended',
    [],
    'Active queries are refused since Kea has been silent for too long.',
    (f) => f.service.suspended,
  ),
  each(
    'gauge',
    'requestor_info',
    ['entry', 'view', 'asks'],
    'Always 1, for each entry of requesters: what it lets see and ask.',
    (f) => f.service.entries.map(({ entry, view, asks }) => [entry, view, asks, 1]),
  ),
  each(
    'gauge',
    'requestor_connections',
    ['entry'],
    'Connections of whom an entry of requesters speaks for.',
    (f) => f.service.entries.map((one) => [one.entry, one.connections]),
  ),
  each('gauge', 'requestor_caught_up', ['entry'], 'Those of them that follow every change.', (f) =>
    f.service.entries.map((one) => [one.entry, one.caughtUp]),
  ),
  each(
    'gauge',
    'requestor_lag_changes',
    ['entry'],
    'Changes that an Active query has yet to look at; the most of any.',
    (f) => f.service.entries.map((one) => [one.entry, one.lagChanges]),
  ),
  each(
    'gauge',
    'requestor_lag_seconds',
    ['entry'],
    'How long a requestor that had caught up is behind; the longest of any.',
    (f) => f.service.entries.map((one) => [one.entry, one.lagSeconds]),
  ),
  each(
    'gauge',
    'requestor_blocked_seconds',
    ['entry'],
    'How long a requestor has not taken what waits for it; the longest of any.',
    (f) => f.service.entries.map((one) => [one.entry, one.blockedSeconds]),
  ),

  each('gauge', 'queries_running', ['query'], 'Queries that are being answered.', (f) =>
    Object.entries(f.service.running),
  ),
  each(
    'counter',
    'queries_total',
    ['query', 'by'],
    'Queries accepted, and what Bulk queries select by.',
    (f) => Object.entries(f.service.counts.queries).map(([name, count]) => [...kindAndSelector(name), count]),
  ),
  each(
    'counter',
    'query_outcomes_total',
    ['query', 'status'],
    'What queries were told, by status; closed: the connection ended first.',
    (f) =>
      Object.entries(f.service.counts.outcomes).flatMap(([query, counts]) =>
        Object.entries(counts).map(([status, count]): [string, string, number] => [query, status, count]),
      ),
  ),
  each('counter', 'messages_sent_total', ['message'], 'Messages handed to connections, by type.', (f) =>
    perMessage(f.service.counts.messages),
  ),
  each('counter', 'sent_bytes_total', ['message'], 'Octets of these.', (f) =>
    perMessage(f.service.counts.octets),
  ),

  each('gauge', 'store_size_bytes', [], 'Octets of the store on disk.', (f, m) =>
    m.storeOctets.get(f.store.path),
  ),
  each('gauge', 'store_unwritten_records', [], 'Records that wait to be written.', (f) => f.store.unwritten),
  each(
    'gauge',
    'store_failing',
    [],
    'Writes to the disk fail; requestors are served from memory.',
    (f) => f.store.diskFails,
  ),

  each(
    'gauge',
    'tls_ready',
    [],
    'There is a certificate to serve with; absent where tls.mode is off.',
    (f) => (f.service.config?.tls === 'required' ? f.service.tls.ready : null),
  ),
  each(
    'gauge',
    'tls_expiry_timestamp_seconds',
    ['what'],
    'When what TLS rests on ends; of each kind the one that ends first.',
    (f) => f.service.tls.ends.map(({ what, at }) => [what, seconds(at)]),
  ),

  whole(
    'histogram',
    `${PREFIX}event_loop_delay_seconds`,
    'The longest delay of the event loop in each second.',
    (m) => m.eventLoopDelay,
  ),
  whole(
    'gauge',
    `${PREFIX}memory_limit_bytes`,
    'Memory that the process may have: that of the host, or of its control group.',
    (m) => m.status.memory.limitOctets,
  ),
  whole('gauge', 'process_start_time_seconds', 'When the process was started.', (m) => m.process.startedAt),
  whole('counter', 'process_cpu_seconds_total', 'Processor time used.', (m) => m.process.cpuSeconds),
  whole('gauge', 'process_resident_memory_bytes', 'Memory held.', (m) => m.process.residentOctets),
  whole('gauge', 'process_open_fds', 'File descriptors open.', (m) => m.process.openFiles),
  whole('gauge', 'process_max_fds', 'File descriptors that may be.', (m) => m.process.maxFiles),
  whole('gauge', 'nodejs_heap_size_total_bytes', "V8's heap.", (m) => m.process.heapTotalOctets),
  whole('gauge', 'nodejs_heap_size_used_bytes', 'What of it is used.', (m) => m.process.heapUsedOctets),
  whole(
    'gauge',
    'nodejs_external_memory_bytes',
    'Memory outside of it; bindings are there.',
    (m) => m.process.externalOctets,
  ),
]

function verdictOf(family: FamilyStatus): Verdict {
  return verdict({ families: [factsOf(family)] })
}

/** `bulk client-id` is a Bulk query by client-id; an Active one selects by nothing. */
function kindAndSelector(name: string): [string, string] {
  const [query, by = ''] = name.split(' ')
  return [query!, by]
}
