// What the daemon logs: one table of event, level, sentence and what the line means to an operator. sidecar/README.md
// carries the same table, and a test holds the two equal.
import { reasonOf } from './errors.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

export interface Line<F> {
  readonly level: LogLevel
  /** Dotted: a noun and what became of it. */
  readonly event: string
  /** For the operator: what it means, and what to do about it. */
  readonly meaning: string
  readonly text: (fields: F) => string
  /** A peer can cause it at will. */
  readonly limit?: LineBound | undefined
}

/** At most `lines` in ten seconds; the next one that is written says with `suppressed` how many were left out. */
export interface LineBound {
  readonly lines: number
  /** `requestor`: so many for each, so that one of them does not hide what another does. */
  readonly of: 'all' | 'requestor'
}

function line<F extends object>(
  level: LogLevel,
  event: string,
  meaning: string,
  text: (fields: F) => string,
  limit?: LineBound,
): Line<F> {
  return { level, event, meaning, text, limit }
}

/** What strangers can cause. */
const fromAnybody: LineBound = { lines: 10, of: 'all' }
/** Comings and goings of permitted requestors. */
const ofRequestor: LineBound = { lines: 100, of: 'requestor' }
/** What they ask: a box that comes back may ask about each of its clients. */
const ofQueries: LineBound = { lines: 2_000, of: 'requestor' }

interface Reason {
  reason: string
}
interface Failure {
  error: unknown
}

export const logLines = {
  daemonStarted: line<{ version: string; pid: number; feeds: string }>(
    'info',
    'daemon.started',
    'The daemon runs and follows the named feeds.',
    (f) => `kea-leasequery ${f.version} follows ${f.feeds}`,
  ),
  daemonStopping: line<Reason>(
    'info',
    'daemon.stopping',
    'A stop was asked for; Active requestors are told QueryTerminated and the store is flushed.',
    (f) => `stopping: ${f.reason}`,
  ),
  daemonStopped: line<{ seconds: number }>(
    'info',
    'daemon.stopped',
    'Everything is on disk and closed.',
    () => 'stopped',
  ),
  daemonStopFailed: line<Failure>(
    'error',
    'daemon.stop-failed',
    'Some part could not be closed in order; the next start may have to read all leases from Kea again.',
    (f) => `not stopped cleanly: ${reasonOf(f.error)}`,
  ),
  reloading: line<{ signal: string }>(
    'info',
    'daemon.reloading',
    'SIGHUP: certificates, keys and trust anchors are read again. All else comes from kea.conf, through the feed.',
    (f) => `${f.signal}: TLS files are read again`,
  ),
  notSupervised: line<Reason>(
    'error',
    'daemon.not-supervised',
    'NOTIFY_SOCKET is set, but the service manager cannot be told that the service runs; systemd will stop it. Build dist/sidecar/operations/notify-socket.node (`npm run build`), or run it as Type=simple without WatchdogSec.',
    (f) => `the service manager cannot be told that the service runs: ${f.reason}`,
  ),

  configApplied: line<{ source: string; requesters: number; active: boolean; bulk: boolean }>(
    'info',
    'config.applied',
    'The service runs under these parameters. `source` is `feed` (Kea said so) or `store` (last accepted; Kea has not been reached yet).',
    (f) =>
      `service parameters from the ${f.source}: ${f.requesters} requesters entries, Active ${onOff(f.active)}, Bulk ${onOff(f.bulk)}`,
  ),
  configRejected: line<{ parameter: string; reason: string }>(
    'error',
    'config.rejected',
    'The new parameters are wrong; the last accepted ones stay in force. Correct the named parameter in kea.conf and reload.',
    (f) => `service parameters refused, the last accepted ones stay: ${f.reason}`,
  ),
  configInsecure: line<{ parameter: string }>(
    'warn',
    'config.insecure',
    'tls.mode is off: bindings are served in clear text to whoever may connect from a permitted address.',
    () => 'tls.mode is off: requestors are served without TLS',
  ),

  configShortTimer: line<{ parameter: string; seconds: number; least: number }>(
    'warn',
    'config.short-timer',
    'A time-out is shorter than the default of the RFCs, which they say it should not be. It is used all the same.',
    (f) => `${f.parameter} is ${f.seconds} s; the RFCs advise against less than ${f.least} s`,
  ),

  tlsLoaded: line<{ path: string; authorities: number; until: string }>(
    'info',
    'tls.loaded',
    'New TLS handshakes use this certificate; connections that are up stay, unless their certificates are no longer accepted.',
    (f) => `certificate ${f.path} is used, valid until ${f.until}`,
  ),
  tlsEngine: line<{ openssl: string; built: string }>(
    'info',
    'tls.engine',
    'DHCPv4 messages get a TLS record each (RFC 7724 section 5.1) from `tls-engine.node`, which calls the `openssl` of Node and was compiled with the headers of `built`.',
    (f) => `TLS records of DHCPv4 are made by tls-engine.node with ${f.openssl}`,
  ),
  tlsSlow: line<{ reason: string }>(
    'warn',
    'tls.slow',
    'DHCPv4 messages get a TLS record each (RFC 7724 section 5.1) from Node itself, which costs several times the processor time: `tls-engine.node` cannot be used.',
    (f) => `TLS records of DHCPv4 are made by Node, slowly: ${f.reason}`,
  ),
  tlsMissing: line<{ parameter: string; reason: string }>(
    'error',
    'tls.missing',
    'There is no certificate to serve with: a start of TLS is answered TLSConnectionRefused and nothing is served. The files are tried again each minute and on SIGHUP.',
    (f) => `no TLS: ${f.reason}`,
  ),
  tlsKept: line<{ parameter: string; reason: string }>(
    'error',
    'tls.kept',
    'The files cannot be used; the certificate loaded last stays in use. They are tried again each minute and on SIGHUP.',
    (f) => `the former certificate stays: ${f.reason}`,
  ),
  tlsExpires: line<{ what: string; path: string; days: number }>(
    'warn',
    'tls.expires',
    'The certificate of this server, one of an authority, or a revocation list ends within 30 days; replace the file and send SIGHUP. Told once a day.',
    (f) => `${f.what} in ${f.path} ends in ${f.days} days`,
  ),
  tlsExpired: line<{ what: string; path: string }>(
    'error',
    'tls.expired',
    'It is no longer valid: requestors refuse this server, or are refused. Told once a day.',
    (f) => `${f.what} in ${f.path} has ended`,
  ),
  tlsKeyExposed: line<{ path: string }>(
    'warn',
    'tls.key-exposed',
    'The private key may be read by everybody on this host: chmod o= it.',
    (f) => `private key ${f.path} may be read by everybody`,
  ),

  listenerStarted: line<{ address: string; port: number }>(
    'info',
    'listener.started',
    'Requestors can connect here.',
    (f) => `listening on ${f.address} port ${f.port}`,
  ),
  listenerStopped: line<{ address: string; port: number }>(
    'info',
    'listener.stopped',
    'Requestors can no longer connect here.',
    (f) => `no longer listening on ${f.address} port ${f.port}`,
  ),
  listenerFailed: line<{ address: string; port: number; error: unknown }>(
    'error',
    'listener.failed',
    'The address cannot be listened on; it is tried again each few seconds.',
    (f) => `cannot listen on ${f.address} port ${f.port}: ${reasonOf(f.error)}`,
  ),
  listenerRefused: line<Reason>(
    'error',
    'listener.refused',
    'The parameters forbid to serve; the feed is followed meanwhile.',
    (f) => f.reason,
  ),

  operationsStarted: line<{ place: string }>(
    'info',
    'operations.started',
    'The status page, metrics and health checks can be had here.',
    (f) => `status page and metrics at ${f.place}`,
  ),
  operationsFailed: line<{ place: string; error: unknown }>(
    'error',
    'operations.failed',
    'The place of `--metrics` cannot be listened on, as when another kea-leasequery has it: there is no status page until it can be, which is tried each few seconds. Requestors are served all the same.',
    (f) =>
      `no status page or metrics at ${f.place}: ${reasonOf(f.error)}; requestors are served all the same`,
  ),
  operationsMistake: line<{ path: string; error: unknown; stack: string }>(
    'error',
    'operations.mistake',
    'A mistake in this program: a question of an operator got no answer, requestors are served all the same. Please report it with this line.',
    (f) => `internal error, ${f.path} was not answered: ${reasonOf(f.error)}`,
    fromAnybody,
  ),

  feedConnected: line<{ endpoint: string; kea: string; epoch: string }>(
    'info',
    'feed.connected',
    'Kea has answered.',
    (f) => `feed ${f.endpoint} is that of Kea ${f.kea}`,
  ),
  feedFolder: line<Reason>(
    'error',
    'feed.folder',
    "The folder of the feed's sockets, or a socket in it, is not Kea's alone: whoever may write there can be taken for Kea. See the tmpfiles.d entry of the hook.",
    (f) => f.reason,
  ),
  feedGap: line<{ reason: string; seq: number }>(
    'warn',
    'feed.gap',
    'Events were lost or cannot be replayed; the leases are read from Kea to find what changed.',
    (f) => `events after ${f.seq} are missing: ${f.reason}`,
  ),
  feedReplayed: line<{ count: number; seq: number }>(
    'info',
    'feed.replayed',
    'Missed events were fetched from the ring of the hook.',
    (f) => `${f.count} events replayed, up to ${f.seq}`,
  ),
  feedReconciled: line<{ count: number; changed: number; ended: number; seconds: number }>(
    'info',
    'feed.reconciled',
    'A walk has ended: the store agrees with the lease database of Kea.',
    (f) => `walk of ${f.count} leases ended in ${f.seconds} s: ${f.changed} changed, ${f.ended} ended`,
  ),
  feedSilent: line<{ seconds: number }>(
    'warn',
    'feed.silent',
    'No heartbeat of the hook: Kea is down, its configuration no longer names the library, or the feed is cut. Requestors are served from the store.',
    (f) => `nothing heard from Kea for ${f.seconds} s: it is down, or does not load libdhcp_lease_feed.so`,
  ),
  feedBack: line<{ seconds: number }>(
    'info',
    'feed.back',
    'Heartbeats arrive again.',
    (f) => `Kea is heard again after ${f.seconds} s`,
  ),
  activeSuspended: line<{ seconds: number }>(
    'warn',
    'active.suspended',
    'Kea was silent for advanced.max-feed-silence: Active connections end with QueryTerminated until it is back.',
    (f) => `Active Leasequery is suspended: Kea was silent for ${f.seconds} s`,
  ),
  activeResumed: line<object>(
    'info',
    'active.resumed',
    'Kea is back; Active queries are accepted again.',
    () => 'Active Leasequery is served again',
  ),
  feedProblem: line<Reason>(
    'warn',
    'feed.problem',
    'The feed could not be followed for a moment; it goes on by itself.',
    (f) => `feed: ${f.reason}`,
  ),
  feedNote: line<{ note: string }>(
    'debug',
    'feed.note',
    'Steps of following the feed.',
    (f) => `feed: ${f.note}`,
  ),

  requestorConnected: line<{ port: number }>(
    'info',
    'requestor.connected',
    'A permitted requestor has connected (with TLS: requestor.secured).',
    () => 'requestor connected',
    ofRequestor,
  ),
  requestorRejected: line<{ requestor: string; reason: string }>(
    'warn',
    'requestor.rejected',
    'A connection was closed at once: `reason` says why.',
    (f) => `connection from ${f.requestor} refused: ${f.reason}`,
    fromAnybody,
  ),
  requestorSecured: line<{ port: number }>(
    'info',
    'requestor.secured',
    'TLS is up and the certificate of the requestor is accepted; `peer` has the names in it, here and in all that follows on this connection.',
    () => 'TLS established',
    ofRequestor,
  ),
  requestorUnsecured: line<Reason>(
    'warn',
    'requestor.unsecured',
    'A connection ended before TLS was up, or with a certificate that is not accepted; `reason` says why.',
    (f) => `no TLS: ${f.reason}`,
    fromAnybody,
  ),
  requestorBlocked: line<{ bytes: number }>(
    'warn',
    'requestor.blocked',
    'The requestor has stopped reading; it is disconnected if that lasts.',
    (f) => `requestor takes no more messages, ${f.bytes} octets wait`,
    ofRequestor,
  ),
  requestorClosed: line<{ reason: string; seconds: number; bytes: number; messages: number }>(
    'info',
    'requestor.closed',
    'The connection is gone; `reason` says who ended it and why.',
    (f) => `connection closed: ${f.reason}`,
    ofRequestor,
  ),
  requestorEnded: line<{ reason: string; count: number }>(
    'info',
    'requestor.ended',
    'Connections were ended by this server: a changed configuration, a silent feed or a stop.',
    (f) => `${f.count} connections ended: ${f.reason}`,
  ),

  queryStarted: line<{ xid: string; query: string; by?: string; since?: number; until?: number }>(
    'info',
    'query.started',
    'A query was accepted; `by` says what a Bulk query selects by.',
    (f) =>
      `${f.query} query${f.by === undefined ? '' : ` by ${f.by}`} started${f.since === undefined ? '' : ` with start time ${f.since}`}`,
    ofQueries,
  ),
  queryRefused: line<{ xid: string; query: string; status: string; reason: string }>(
    'warn',
    'query.refused',
    'A query was understood and not served; `status` is what the requestor was told.',
    (f) => `${f.query} query refused with ${f.status}: ${f.reason}`,
    ofQueries,
  ),
  queryCaughtUp: line<{ xid: string; count: number }>(
    'info',
    'query.caught-up',
    'The catch-up phase is over; the requestor follows every change from here.',
    () => 'requestor has caught up',
    ofQueries,
  ),
  queryDataMissing: line<{ xid: string; reason: string }>(
    'warn',
    'query.data-missing',
    'The history does not reach back to the start time; the requestor has to fill the gap with a Bulk query.',
    (f) => `DataMissing sent: ${f.reason}`,
    ofQueries,
  ),
  queryDone: line<{
    xid: string
    query: string
    by: string
    count: number
    messages: number
    seconds: number
  }>(
    'info',
    'query.done',
    'All of the answer to a Bulk query has been sent; `count` says how many addresses and prefixes it told of.',
    (f) => `${f.query} query by ${f.by} done: ${f.count} addresses in ${f.messages} messages, ${f.seconds} s`,
    ofQueries,
  ),
  queryTerminated: line<{
    xid: string
    query: string
    status: string
    reason: string
    messages: number
    seconds: number
  }>(
    'warn',
    'query.terminated',
    'A running query was ended by this server.',
    (f) => `${f.query} query ended with ${f.status}: ${f.reason}`,
    ofQueries,
  ),
  queryClosed: line<{ xid: string; query: string; reason: string; messages: number; seconds: number }>(
    'info',
    'query.closed',
    'A running query ended with its connection; an Active one ends no other way, unless it is terminated.',
    (f) =>
      `${f.query} query ended with its connection after ${f.messages} messages, ${f.seconds} s: ${f.reason}`,
    ofQueries,
  ),
  requestorMisbehaved: line<Reason>(
    'warn',
    'requestor.misbehaved',
    'The requestor broke the protocol; the connection is closed.',
    (f) => `protocol error: ${f.reason}`,
    fromAnybody,
  ),
  sessionFailed: line<Failure & { stack: string }>(
    'error',
    'requestor.failed',
    'A mistake in this program: the connection was closed, all others go on. Please report it with this line.',
    (f) => `internal error, connection closed: ${reasonOf(f.error)}`,
  ),
  sessionNote: line<{ note: string }>('debug', 'requestor.note', 'Steps of one connection.', (f) => f.note),

  storeOpened: line<{ path: string; count: number; seconds: number; clean: boolean }>(
    'info',
    'store.opened',
    'The bindings of the last run are in memory.',
    (f) =>
      `${f.count} bindings loaded from ${f.path} in ${f.seconds} s${f.clean ? '' : '; the last run had not ended in order'}`,
  ),
  storeWriteFailed: line<Failure>(
    'error',
    'store.write-failed',
    'The disk is full or failing. Requestors are served from memory; nothing is lost as long as the daemon runs.',
    (f) => `store cannot be written, serving from memory: ${reasonOf(f.error)}`,
  ),
  storeWritten: line<object>(
    'info',
    'store.written-again',
    'The disk takes writes again and holds everything.',
    () => 'store is written again',
  ),
  storeSlow: line<{ seconds: number }>(
    'warn',
    'store.slow',
    'A write to the disk takes very long. Requestors are served from memory meanwhile; what is not written is read from Kea again if this host crashes. Told once in ten minutes.',
    (f) => `a write to the store has not ended in ${f.seconds} s: the disk is slow`,
  ),
  storeMemory: line<{ bytes: number; limit: number }>(
    'error',
    'store.memory',
    'The process holds more memory than its alarm threshold: lower history.max-ended or give the host more.',
    (f) => `process holds ${f.bytes} octets, over the alarm threshold of ${f.limit}`,
  ),
  storeAlarm: line<Reason>(
    'error',
    'store.alarm',
    'The store needs attention; the sentence says what and why.',
    (f) => f.reason,
  ),
  clockStepped: line<Reason>(
    'error',
    'clock.stepped',
    'A clock was set, that of this host or of Kea, by a minute or more. See that it is right; where base-times stand still, lease-feed-resync begins anew.',
    (f) => f.reason,
  ),
  clockRestarted: line<{ seconds: number; horizon: number }>(
    'warn',
    'clock.restarted',
    'lease-feed-resync was given while base-times were far ahead of the clock: they go by the clock again. Requestors get DataMissing for the start times they have.',
    (f) => `base-times were ${f.seconds} s ahead of the clock of this host, and begin anew by it`,
  ),
  indexPruned: line<{ count: number; horizon: number }>(
    'info',
    'index.pruned',
    'Ended bindings older than history.retention, or beyond history.max-ended, were forgotten; start times before `horizon` get DataMissing.',
    (f) => `${f.count} ended bindings forgotten, history reaches back to ${f.horizon}`,
  ),
  historyCut: line<{ maxEnded: number; horizon: number; seconds: number; retention: number }>(
    'error',
    'index.cut-short',
    'More bindings ended within history.retention than history.max-ended keeps: the oldest ends were forgotten early, and history begins at `horizon`. Requestors that come back with an older start time get DataMissing. Raise history.max-ended (some 500 octets of memory each). Told at most each ten minutes while it goes on.',
    (f) =>
      `more than history.max-ended (${f.maxEnded}) bindings have ended: history reaches back ${f.seconds} s instead of ${f.retention}`,
  ),
} as const

function onOff(value: boolean): string {
  return value ? 'on' : 'off'
}
