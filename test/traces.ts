// biome-ignore-all lint/suspicious/noTemplateCurlyInString: titles of tests, as their sources have them
// Ways in which a careless version of this program goes wrong, each with the tests that show that this one does not, or with
// the sentence why it cannot. A test (traces.test.ts) checks that every test named here is there; `npm test` that it passes.
//
// Each was once a story on paper. Whoever changes a part finds here what the part must never do again.

export interface Trace {
  /** What goes wrong, and for whom. */
  readonly wrong: string
  /** File under the project's root -> titles of tests, as the source has them; functions of C++ tests by their names. */
  readonly shownBy: Readonly<Record<string, readonly string[]>>
  /** Where no test can show it. */
  readonly because?: string
}

const applying = 'test/feed/apply.test.ts'
const replay = 'test/feed/follower-replay.test.ts'
const walk = 'test/feed/follower-walk.test.ts'
const wholePath = 'test/feed/whole-path.test.ts'
const disk = 'test/store/disk.test.ts'
const memory = 'test/store/memory.test.ts'
const scan = 'test/store/bulk-scan.test.ts'
const clock = 'test/store/clock.test.ts'
const opening = 'test/store/open.test.ts'
const damage = 'test/store/damage.test.ts'
const tables = 'test/store/tables.test.ts'
const resume = 'test/session/resume.test.ts'
const stories = 'test/session/stories.test.ts'
const cursor = 'test/session/active-query.test.ts'
const dialect4 = 'test/session/dialect4.test.ts'
const dialect6 = 'test/session/dialect6.test.ts'
const reader = 'test/server/change-reader.test.ts'
const catchUp = 'test/server/catch-up.test.ts'
const service = 'test/server/requestor-service.test.ts'
const bulkService = 'test/server/bulk.test.ts'
const bulkFold = 'test/server/bulk-fold.test.ts'
const bulk4 = 'test/conformance/bulk4.test.ts'
const bulk6 = 'test/conformance/bulk6.test.ts'
const sync = 'test/hook-core/sync.test.ts'
const sockets = 'test/hook-core/sockets.test.ts'
const live = 'test/hook-core/live.test.ts'
const pager = 'kea-hook/tests/test_pager.cc'
const ring = 'kea-hook/tests/test_ring.cc'
const feed = 'kea-hook/tests/test_feed.cc'
const byClients = 'test/slow/change-paths-clients.test.ts'

/** A requestor is wrong, and nothing will tell it. */
export const dataLoss: readonly Trace[] = [
  {
    wrong:
      'A walk is cut by a crash after events were stored in the new epoch; the next start replays from there and never reads the rest of the leases, or passes 40 % of a first walk for all.',
    shownBy: {
      [walk]: [
        'that was cut by a stop of the sidecar is begun anew, whatever the ring holds',
        'is complete, and has a horizon, only when the walk has ended',
        'of no need leaves Bulk alone, but a stop in it is one that cannot be replayed',
      ],
      [disk]: [
        'a walk that is pending stays pending until its end is on disk, and the horizon comes with it',
      ],
    },
  },
  {
    wrong:
      'A change was shown to requestors and not on disk yet when the sidecar was killed; Kea takes it back meanwhile. What Kea holds equals what is stored, so nothing is told, and requestors hold it for ever. The same where a power loss rolls both back.',
    shownBy: {
      [replay]: [
        'restamps what comes out equal: what was shown before a kill is taken back',
        'tells the end of what was shown and never reached the disk',
        'restamps, too, what arrives as a live event and was given its number before Hello',
        'moves to the end of the new walk after an unclean stop that cannot be replayed',
        'moves when the ring no longer holds what the unclean stop may have lost',
        'remembers an unclean stop over a clean one in which Kea was never heard',
      ],
      [service]: ['DHCPv${family}: after a crash a start time waits for the proof that nothing was lost'],
      [wholePath]: ['whatever was lost, late, repeated, failed, cut, killed, stepped or pruned on the way'],
    },
  },
  {
    wrong:
      'A base-time is told while nothing changes, then the clock is set back, also over a restart, and a change bears an earlier second than the base-time: who resumes with that never hears of it.',
    shownBy: {
      [clock]: [
        'a base-time told to a requestor is not undercut after the wall clock went back',
        'a host that starts in 1970 goes on above what it told before',
        'no second is handed out before a mark at or above it is on disk',
        'whatever the wall clock does and whenever the machine crashes, no later life hands out an earlier second',
      ],
      [disk]: ['the clock of a new life is above every second told before, also where nothing changed'],
      [stories]: ['judges the future by L, not by a clock that was set back'],
    },
  },
  {
    wrong:
      'A clock far ahead and set back again freezes base-times for years, or a series of crashes runs them away.',
    shownBy: {
      [clock]: [
        'a series of crashes does not run the clock away',
        'a step forward is followed and reported, mere passing of time is not',
      ],
      'test/store/clock-restart.test.ts': [
        'base-times go by the clock again, and neither old start times nor those of the future are answered',
      ],
    },
  },
  {
    wrong:
      'A requestor takes the base-time of one sidecar to another one (a partner, a replica behind one address), which has seen less.',
    shownBy: {},
    because:
      'Two sidecars cannot be told apart on the wire; README.md says that a base-time belongs to one of them, and that two never share an address.',
  },
  {
    wrong:
      'After DataMissing a Bulk query with the old start time says nothing of an end that was pruned: the address has no record and counts as never leased.',
    shownBy: {
      [bulk4]: [
        'counts an address as changed of which nothing is known, where the start time lies below the horizon',
        'ends with QueryTerminated where a requestor bound to relays asks for more history than there is',
      ],
      [bulk6]: [
        'ends with QueryTerminated where the history does not reach back, since nobody could tell what ended',
      ],
      [bulkFold]: ['a window below the horizon is never answered with less than it asks for'],
    },
  },
  {
    wrong: 'Pruning passes a cursor that lags: the ends it took are never sent.',
    shownBy: {
      [stories]: [
        'ends with DataMissing when pruning overtakes it, and goes on with live changes only',
        'once over, pruning that overtakes ends the query with QueryTerminated and a base-time to come back with',
      ],
      [memory]: ['a cursor that pruning has passed can see it'],
      [resume]: ['holds while pruning runs'],
      [scan]: ['a scan of a window tells when pruning takes ends that it had not come by'],
    },
  },
  {
    wrong:
      'The horizon is the second of the newest pruned end, though another end of that very second may be gone.',
    shownBy: {
      [memory]: [
        'the horizon is the second after the newest pruned end: two ended in one second, one is gone',
      ],
      [reader]: [
        'openAt: complete from the horizon on, not before, not in the future, never before a first walk',
      ],
      [stories]: ['begins at the horizon itself'],
    },
  },
  {
    wrong:
      'A binding leaves what a requestor selects by (relay, client, length): the record knows only its newest holder, and the requestor keeps the old one.',
    shownBy: {
      [memory]: [
        'who selects by the old relay or client is told that the binding left',
        'a holder that had ended is still told of after another one has the address',
        'a departure goes when the binding returns, and there is one for each former holder',
      ],
      [stories]: [
        'is told of the end of a binding that moves to another relay, and nothing of what it becomes',
      ],
      [dialect6]: ["tells the old holder's end before what the address became, with that client's data only"],
      [resume]: ['holds for a requestor that is shown the bindings of one relay only'],
      'test/server/scope.test.ts': [
        "DHCPv${family}: Active, catch-up and Bulk tell of nothing outside of a requestor's scope, and of all that is in it",
      ],
    },
  },
  {
    wrong:
      'A Bulk query along a relay stands on a binding that moves to another relay: it goes on among foreign bindings and loses the rest, or meets one twice.',
    shownBy: {
      [scan]: [
        'RFC 6926 section 8.2: a relay loses the binding its scan is at: the rest comes, and nothing of another relay',
        'a binding that leaves a relay and returns behind its scan still comes, and once',
        'a scan ends with what was there at its start, however fast others come',
        'DHCPv${family}: a scan gives what matched throughout, nothing foreign, and nothing twice, whatever happens meanwhile',
      ],
    },
  },
  {
    wrong:
      'A scan goes by place in memory: records that grow move, ordinals are given to others, the hash grows under it.',
    shownBy: {
      [scan]: [
        'records that grow and move in memory are met once',
        'an ordinal that a scan still has to look at is not given to another binding',
        'an ended binding that is pruned and leased again does not come twice',
      ],
      [tables]: [
        'ordinals freed during a scan are not used again before it closes',
        'linear hashing finds what is in, and only that, while it grows',
      ],
    },
  },
  {
    wrong:
      'DHCPv6 tells of a client once, by its first binding: bindings that join or leave the client during the scan are never told.',
    shownBy: {
      [scan]: [
        'RFC 5460 section 5.2.1: what was told with its client is not told again, what joins the client later is',
        'what was told with its client before it left the relay and came back is not told again',
      ],
      'test/conformance/bulk-connections.test.ts': [
        'is the truth where nothing changes, and covers what was there throughout where something does',
      ],
    },
  },
  {
    wrong:
      '"All configured addresses" walks the pools only: leases outside of them are missing, and a full answer deletes live subscribers.',
    shownBy: {
      [bulk4]: [
        'tells of leased addresses outside of all pools, too: a full answer replaces what the requestor knows',
      ],
      [bulkService]: [
        'DHCPv4: the configured addresses are told once each, whatever is bound in or outside of them',
      ],
    },
  },
  {
    wrong:
      'Relay data were in a lost event: the record of the former holder is updated in place and the new one is reported on its port, or a walk keeps older relay data than the row has.',
    shownBy: {
      [applying]: [
        'is cleared by another client',
        'is kept by a change without packet data',
        'comes from the row where no packet was seen, and from a newer row',
        'brings relay data where none are known',
      ],
      [walk]: [
        'takes the relay data of a row that was written again in the very second in which events were lost',
        'keeps the relay data it knows where the row may be of a time when Kea did not keep them',
      ],
      [wholePath]: ['whatever was lost, late, repeated, failed, cut, killed, stepped or pruned on the way'],
      [byClients]: [
        'DHCPv${family}: relay data of Kea ${kea.kea} with store-extended-info ${stored}, live and when the event was lost',
      ],
    },
  },
  {
    wrong:
      "What the database reports and what the packet said are joined late or by thread alone: an event gets its number after a later one, or another client's relay data.",
    shownBy: {
      [live]: ['changes of two threads arrive in order and without gaps'],
      [feed]: ['publishesInOrder'],
      [applying]: ['does nothing to another client’s binding, to none, and to one it agrees with'],
      [byClients]: [
        'DHCPv${family}: a ${what}, which Kea ${kea.kea} answers from its cache, still tells the new port',
      ],
      'test/slow/change-paths-commands.test.ts': ['what lease4 commands of Kea ${kea.kea} do is told'],
    },
  },
  {
    wrong:
      'A page that could not be read is taken for the end of the leases: every binding behind it is told as ended.',
    shownBy: {
      [walk]: [
        'ends nothing when a page fails, however often',
        'ends nothing on an empty page that is not the last',
        'that would end too many bindings waits for a second one to agree',
        'that ended too many is not confirmed by a second one that finds them again',
      ],
      [sync]: ['a page that cannot be read is an error with the reason, never an empty page'],
      [pager]: ['failuresAreErrorsNotPages', 'anEmptyPageInTheMiddleIsAnError'],
    },
  },
  {
    wrong:
      'A page or reply of another epoch or walk is applied: rows that are gone come back, and are marked as met.',
    shownBy: {
      [walk]: [
        'ignores pages of another walk, another epoch, and repeated ones',
        'takes no page that says another epoch, though it answers the very question',
      ],
      [replay]: [
        'that end bring a walk, and late messages of the old one change nothing',
        'are followed even when their time is before that of the last one',
      ],
      [sync]: ['another epoch is answered with WRONG_EPOCH, for each kind of request'],
    },
  },
  {
    wrong:
      'The ring overflows during a walk: a page waits for events that never come, or each overflow sends the walk back to its first address.',
    shownBy: {
      [walk]: [
        'does not wait for events that were overwritten',
        'goes on from where it stood after a loss, and around to there again',
        'asks anew for a page that was read before the lost events',
      ],
    },
  },
  {
    wrong:
      'The disk has a newer position than changes: two batches commit in reverse, one fails and a later one does not, or a damaged piece of the log is left out.',
    shownBy: {
      [disk]: [
        'one batch is in flight, and a failed one holds back every later position',
        'killed at any moment, the store comes back at its position with exactly the changes up to it',
        'changes that come faster than a batch: no change up to the position is missing, replaying the rest gives all',
        'after a power loss a hole is found: no horizon, a walk pending, everything else served',
        'no single octet of a record can change, and no entry go, without being noticed',
      ],
      [damage]: [
        'files harmed at random are refused, opened right, or known to be of an earlier moment',
        'a database that has lost its last life is no cleanly stopped one, and the operator hears of it',
        'a store that LevelDB dies of is refused in one sentence by the next start, and rebuilt when asked',
      ],
      [opening]: [
        'a process killed at any moment leaves an earlier moment: what it had flushed, and nothing half',
      ],
    },
  },
  {
    wrong:
      'Queries are answered before the first walk has ended, or under parameters that nobody has accepted.',
    shownBy: {
      [bulkService]: [
        'DHCPv${family}: Bulk is refused before a first walk, waits for one that is pending, and for the configuration',
      ],
      [service]: [
        'DHCPv${family}: start times get DataMissing before the first walk and below the horizon',
        'parameters accepted last are served under after a restart without Kea',
        'without any accepted parameters nothing is served',
      ],
      'test/daemon.test.ts': ['a daemon that never met Kea serves nothing'],
    },
  },
]

/** What is told is not so. */
export const wrongAnswers: readonly Trace[] = [
  {
    wrong:
      'Times left are counted on a clock that is not Kea’s, from a base-time that was held back, or below zero: a live subscriber is dropped, or one stays for 136 years.',
    shownBy: {
      'test/session/relative-time.test.ts': [
        'adds the distance from a held-back base-time to the present',
        'does not shorten a lease by the distance between two clocks',
        'never tells less than nothing',
        'fits its field for any clocks',
      ],
      [dialect4]: ['relates every time to a base-time that was held back', 'computes on the clock of Kea'],
    },
  },
  {
    wrong:
      'Base-times are held back during catch-up too: a requestor that relates its clock to each message keeps leases a day too long.',
    shownBy: {
      [cursor]: [
        'says the present in the catch-up phase, and from CatchUpComplete on no more than the query came at',
      ],
    },
  },
  {
    wrong:
      'Declined DHCPv6 leases all have one empty DUID, and a client may hold any number: each change encodes all of them.',
    shownBy: {
      [dialect6]: [
        'groups no declined addresses: the client of all of them is nobody',
        'cuts a large group into messages that fit a TLS record, each with the client and its last contact',
      ],
      [reader]: ['declined bindings share an empty DUID in Kea and are no companions of each other'],
      [memory]: ['a client of many bindings is looked at in part where that is asked for'],
      [bulkService]: [
        'DHCPv6: a client with more bindings than a message shows is told of each of them, in little more octets',
      ],
    },
  },
  {
    wrong:
      'A prefix changes its length in place, as Kea’s key is the address: the old length stays active beside the new one.',
    shownBy: {
      [memory]: ['another length of a delegated prefix ends the old one'],
      [dialect6]: ["tells the old length's end when a prefix changes its length"],
      [applying]: ['is new with another length of a prefix'],
    },
  },
  {
    wrong:
      'Inactive rows are told again and again: each reload drops them, each walk finds them and makes what was pruned.',
    shownBy: {
      [walk]: ['makes no record of inactive rows and ends no binding twice'],
      [applying]: [
        'that is not in force makes no binding and ends none that has ended',
        'past its expiry does not bring back what was told as ended',
        'has expired if its time is over, else it was reset; nobody knows by whom',
      ],
      'test/slow/change-paths-config.test.ts': [
        'DHCPv${family}: a reload of Kea ${kea.kea} drops released rows, and tells nothing of what is as it was',
      ],
    },
  },
  {
    wrong:
      'Where Kea runs on one thread, what a partner or an operator did is told as the client’s own, or the other way round.',
    shownBy: {
      [applying]: [
        'says who caused the change',
        'of a partner is as new as its write, also within the same second',
      ],
      'test/slow/change-paths-partner.test.ts': [
        'DHCPv${family}: what a high-availability partner leases is told by the standby (Kea ${kea.kea})',
      ],
      'test/slow/change-paths-commands.test.ts': ['what lease6 commands of Kea ${kea.kea} do is told'],
    },
  },
]

/** Kea waits, or stops. */
export const keaSuffers: readonly Trace[] = [
  {
    wrong:
      'A wrong parameter or a missing certificate fails the library’s load in a running server: Kea ends all hooks, and DHCP with them.',
    shownBy: {
      'test/e2e/parameters.test.ts': [
        'kea-dhcp${family} -T refuses a wrong parameter, and names parameter and value (Kea ${kea.kea})',
        'kea-dhcp4 does not start for the first time with a wrong parameter, and says why (Kea ${kea.kea})',
        'a wrong parameter in a running server leaves DHCP answering and the service as it was (Kea ${kea.kea})',
      ],
      [service]: ['bad parameters keep the old ones in force and become a problem that names them'],
    },
  },
  {
    wrong:
      'On MySQL and PostgreSQL a watched lease manager takes a lock for each address, and a contended write fails that would have waited.',
    shownBy: {},
    because:
      'It is Kea’s own way of calling its observers; kea-hook/README.md says when it happens, and `feed.tap` set to false does without.',
  },
  {
    wrong: 'A page of a slow database blocks Kea’s main thread for seconds, by a walk of ours.',
    shownBy: { [pager]: ['backsOffFromSlowPages', 'keepsToItsShare'] },
  },
  {
    wrong:
      'A long replay is copied under the ring’s lock, and all of Kea’s threads wait for it; or the ring and the queues grow without bound.',
    shownBy: {
      [ring]: ['concurrentOverflow', 'overwritesTheOldestByOctets'],
      [feed]: ['isNotHeldUpByWhoDoesNotRead', 'servesPagesWhileItPublishes'],
    },
  },
  {
    wrong: 'Ten followers cost Kea’s main thread ten times as much as one.',
    shownBy: {
      [sync]: [
        'many askers cost the main thread no more than one: pages are shared, and too many wait in vain',
      ],
      [pager]: ['sharesOnePage', 'boundsWhoWaits'],
    },
  },
  {
    wrong: 'A second Kea, or kea-dhcp4 -T on a live host, takes the feed’s sockets away from the first.',
    shownBy: {
      [sockets]: ['the sockets are open to the group, and a second feed is told who holds the path'],
      [feed]: ['ownsItsPath'],
      'test/slow/faults-kea.test.ts': [
        'a second Kea ${kea.kea} with the same endpoint, and kea-dhcp4 -T, leave the feed to the first and say so',
      ],
    },
  },
]

/** The sidecar stands still, or falls. */
export const stalls: readonly Trace[] = [
  {
    wrong:
      'A slice is bounded by its output alone: a query that finds ten of ten millions holds up everybody for seconds.',
    shownBy: {
      [reader]: ['a slice ends at so many octets of output, and the next goes on behind it'],
      [scan]: [
        'DHCPv${family}: a scan gives what matched throughout, nothing foreign, and nothing twice, whatever happens meanwhile',
      ],
      [bulkService]: [
        'DHCPv${family}: parallel queries are interleaved, and a short one is not held back by a long one',
      ],
      'test/server/turns.test.ts': [
        'slices run in order, and those of downloads between those at the tail, one in nine',
        'the event loop has its turn in between, however many slices wait',
      ],
    },
  },
  {
    wrong:
      'Hostile data make the store slow or large: colliding hashes, one chain of a million, growth in one step, ends without limit.',
    shownBy: {
      [tables]: [
        'the hash depends on key, octets and length',
        'linear hashing keeps its chains short',
        'chains hold the members of each value in link order',
      ],
      [memory]: [
        'pruning by number raises an alarm with each call that moved the horizon early, and is counted apart',
        'pruning is bounded a call and gets everywhere in the end',
        'overdue bindings are found in bounded calls, each of them, and only those',
      ],
      [scan]: ['relay data with a thousand ids neither fails nor takes memory for each'],
      'test/pruning-log.test.ts': [
        'a history cut short by history.max-ended is told as an error, at most each ten minutes while it goes on',
      ],
    },
  },
  {
    wrong: 'A start with ten million bindings takes minutes, or holds the event loop.',
    shownBy: {
      [opening]: ['a store so large that a thread reads it comes back whole, or is refused'],
      [scan]: [
        'after a start scans find everything, before what was loaded is in chains, meanwhile and after',
      ],
    },
    because: 'How long it takes is a figure of `npm run bench`.',
  },
]

/** Somebody sees or does what he may not. */
export const security: readonly Trace[] = [
  {
    wrong: 'The sidecar’s user needs Kea’s group, and with it Kea’s passwords and control socket.',
    shownBy: {
      [sockets]: ['the sockets are open to the group, and a second feed is told who holds the path'],
    },
  },
  {
    wrong:
      'Whoever reads the feed reads its keys; who writes it turns TLS off at the sidecar, or lends it paths of another host.',
    shownBy: {
      [sync]: ['Hello tells who answers, where the numbers stand, and how requestors are served'],
      [sockets]: ['tcp:// serves those whose CURVE key it knows, and nobody else'],
      [service]: [
        '--require-tls is not weakened by tls.mode off: TLS stays required, and the sentence says so',
      ],
    },
  },
  {
    wrong:
      'A connection outlives its permission: certificate revoked or expired, entry removed, narrowed or widened.',
    shownBy: {
      [service]: [
        'new parameters apply without a restart: the listener stays, who lost permission is told and closed',
        'a widened view does not resume: older start times get DataMissing',
      ],
      'test/server/tls.test.ts': ['ends connections whose kind the configuration no longer permits'],
    },
  },
  {
    wrong:
      'A group of a client’s bindings shows one outside of the requestor’s scope; what is withheld is found out by asking for it.',
    shownBy: {
      [bulk6]: [
        'applies the scope of the requestor to each member of a group',
        'takes no query by what is withheld: it could be found out by asking',
      ],
      [bulk4]: ['takes no query by what is withheld: it could be found out by asking'],
    },
  },
]

export const small: readonly Trace[] = [
  {
    wrong: '`kea-dhcp4 -t` and `config-test` load no library, so they check none of its parameters.',
    shownBy: {
      'test/e2e/parameters.test.ts': [
        'kea-dhcp${family} -T refuses a wrong parameter, and names parameter and value (Kea ${kea.kea})',
      ],
    },
    because: 'It is Kea’s way; kea-hook/README.md names -T.',
  },
  {
    wrong: 'A requestor that resumes is promised exactly what changed since, and is told some twice.',
    shownBy: { [resume]: ['holds over any cuts, slow reads, concurrent changes and clock steps'] },
    because:
      'Bounds are inclusive and time is in seconds, so what changed in the second of the start time comes again.',
  },
  {
    wrong: 'A binding that changes faster than a lagging requestor reads is never told while the lag lasts.',
    shownBy: {
      [service]: ['a slow requestor that keeps reading a little is not taken for blocked'],
      [wholePath]: ['whatever was lost, late, repeated, failed, cut, killed, stepped or pruned on the way'],
    },
    because: '`active-query-max-lag` ends such a query; within it only the newest state is promised.',
  },
  {
    wrong:
      'A reply is dropped by a full socket and waited for, or live events that wait for a replay grow without bound.',
    shownBy: {
      [replay]: [
        'asks again when a reply is lost',
        'bounds the live batches that wait for it, and replays what it dropped',
      ],
    },
  },
]

/** Right on paper, and easily written wrong. */
export const slips: readonly Trace[] = [
  {
    wrong:
      'A cursor stands on a node that is moved, pruned, or the last one; CatchUpComplete goes by node instead of by number.',
    shownBy: {
      'test/store/change-index.test.ts': ['the change index behaves as a sorted list of numbers'],
      [memory]: [
        'DHCPv${family}: the store is its model, whatever is put, pruned, marked, read and reopened',
      ],
      [catchUp]: [
        'is written as objects would be told, and completes once, where the newest change at the query is passed',
      ],
      [stories]: ['ends exactly where the newest change at the time of the query is passed'],
    },
  },
  {
    wrong:
      'The second is read at two moments of one batch: a keepalive between them tells a later one than the rest of the batch bears.',
    shownBy: {
      [resume]: ['holds over any cuts, slow reads, concurrent changes and clock steps'],
      [cursor]: ['vouches for the present only when the index was read to its end just now'],
      [stories]: [
        'looks into the index first, so that its base-time is never later than a change nobody has announced yet',
      ],
    },
  },
  {
    wrong:
      'Replayed events that come out equal are left out, though requestors were shown something between.',
    shownBy: {
      [replay]: [
        'restamps what comes out equal: what was shown before a kill is taken back',
        'gives every address in its range a change time of the restart or later',
      ],
      [applying]: ['is a change even where it changes nothing'],
    },
  },
  {
    wrong: 'One flush holds records of one moment and the position of another, or fails between its pieces.',
    shownBy: {
      [disk]: [
        'killed at any moment, the store comes back at its position with exactly the changes up to it',
        'changes that come faster than a batch: no change up to the position is missing, replaying the rest gives all',
        'a disk that loses what it had acknowledged is written anew from memory',
      ],
    },
  },
  {
    wrong:
      'Requestors share an encoding that differs for them: the first reply, the base-time’s second, scope, withheld options, another T1.',
    shownBy: {
      'test/session/shared-batches.test.ts': [
        'are octet for octet what each session would have encoded for itself',
        'are made once for all requestors of one view, and once for each view',
      ],
    },
  },
]

export const traces: readonly Trace[] = [
  ...dataLoss,
  ...wrongAnswers,
  ...keaSuffers,
  ...stalls,
  ...security,
  ...small,
  ...slips,
]
