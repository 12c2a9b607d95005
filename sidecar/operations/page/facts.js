// What is told of a family and of those who are connected, in words: for the page, and for `kea-leasequery status`. Nothing here
// knows of a document or a terminal. Moods say whether something is as it should be: well, busy, ill, quiet.
import { ago, count, counted, duration, octets, requestorState } from './words.js'

/** Name, value, and whether that is as it should be. */
export function facts({ feed, bindings, history, service, subnets, endpoint }, now) {
  const { kea, newestSeq, appliedSeq, ring, counters, walk, lastWalk } = feed
  const behind = newestSeq - appliedSeq
  const isHeard = feed.state !== 'silent' && feed.state !== 'connecting'
  const all = [
    [
      'Kea',
      kea === null ? 'not heard yet' : `${kea.version}, heard ${ago(feed.silentForMs / 1000)}`,
      isHeard ? '' : 'ill',
    ],
    [
      'Feed',
      behind === 0
        ? isHeard
          ? 'every change taken'
          : 'nothing arrives'
        : `${counted(behind, 'change')} behind`,
    ],
  ]
  const lost = counters.lost + ring.overwritten + ring.lost
  if (lost > 0) {
    const found = feed.walkPending ? 'a walk will find what they did' : 'a walk found what they did'
    all.push(['Lost on the way', `${counted(lost, 'change')}: ${found}`, feed.walkPending ? 'busy' : ''])
  }
  if (ring.events > 0) all.push(['Ring in Kea', `${count(ring.kept)} of ${count(ring.events)} changes kept`])
  all.push(['Last walk', walk === null ? lastWalkText(lastWalk) : walkText(walk, bindings.active)])
  all.push(['History', historyText(history)])
  all.push(['Ended bindings', `${count(history.ended)} kept, at most ${count(history.maxEnded)}`])
  if (subnets !== null) all.push(['Subnets', count(subnets)])
  all.push(...serviceFacts(service, now))
  all.push(['Endpoint', endpoint])
  return all
}

/** @param known bindings, about as many as Kea has leases */
function walkText({ seconds, leases }, known) {
  const share = known > leases ? `, about ${Math.floor((100 * leases) / known)} %` : ''
  return `under way for ${duration(seconds)}: ${counted(leases, 'lease')}${share}`
}

function lastWalkText(last) {
  if (last === null) return 'none since the start'
  const found = last.changed + last.ended
  return `${ago(last.agoSeconds)}: ${counted(last.leases, 'lease')}, ${found === 0 ? 'all as known' : `${count(found)} differed`}`
}

function historyText({ horizon, reachesBackSeconds, retentionSeconds }) {
  if (horizon === null) return 'begins when the first walk has ended'
  if (reachesBackSeconds >= retentionSeconds) return `the last ${duration(retentionSeconds)}`
  return `the last ${duration(reachesBackSeconds)}, growing to ${duration(retentionSeconds)}`
}

function serviceFacts({ config, refusedConfig, suspended, places, wantedPlaces, tls }, now) {
  if (config === null) return [['Parameters', 'none were ever accepted', 'ill']]
  const kinds = [config.active ? 'Active' : '', config.bulk ? 'Bulk' : ''].filter((kind) => kind !== '')
  const all = [
    [
      'Serves',
      suspended
        ? `${config.bulk ? 'Bulk only' : 'nothing'}: Kea is silent for too long`
        : kinds.join(' and ') || 'nothing',
      suspended || kinds.length === 0 ? 'ill' : '',
    ],
    [
      'Listens on',
      places.map(({ address, port }) => `${address} port ${port}`).join(', ') || 'nothing',
      places.length < wantedPlaces || places.length === 0 ? 'ill' : '',
    ],
  ]
  if (refusedConfig !== null) {
    all.push(['Parameters', `the last accepted ones; newer ones are wrong: ${refusedConfig.text}`, 'ill'])
  } else {
    const from = config.source === 'feed' ? 'from Kea' : 'of an earlier run: Kea has not been heard'
    all.push(['Parameters', `${from}, ${counted(config.requesters, 'entry', 'entries')} of requesters`])
  }
  if (config.tls === 'off') all.push(['TLS', 'off: requestors are served in clear text', 'busy'])
  else if (!tls.ready) all.push(['TLS', tls.problem ?? 'there is no certificate', 'ill'])
  for (const { what, at } of tls.ends) {
    const left = at / 1000 - now
    all.push([
      endings[what],
      left > 0 ? `ends in ${duration(left)}` : 'has ended',
      left < 30 * 86_400 ? 'ill' : '',
    ])
  }
  return all
}

const endings = {
  certificate: 'Certificate',
  'certificate of an authority': 'Authority',
  'revocation list': 'Revocations',
}

/** As in the head of the table: who, state, what it may see, how far behind, what was sent, since when. */
export function requestorCells(of) {
  const [state, mood] = requestorState(of)
  const where = of.address.includes(':') ? `[${of.address}]:${of.port}` : `${of.address}:${of.port}`
  const named = of.certificate !== null
  return [
    {
      value: named ? namesOf(of.certificate) : where,
      note: named ? where : `DHCPv${of.family}, without certificate`,
    },
    { value: state, mood },
    { value: of.view, note: of.entry },
    {
      value: of.lagChanges === 0 ? '–' : counted(of.lagChanges, 'change'),
      note: of.lagSeconds > 0 ? duration(of.lagSeconds) : '',
      className: 'number',
    },
    { value: counted(of.messages, 'message'), note: octets(of.octets), className: 'number' },
    { value: duration(of.connectedSeconds), className: 'number' },
  ]
}

/** "DNS:bng1.example.net, IP Address:192.0.2.1" without what each name is. */
const namesOf = (certificate) => certificate.replace(/(^|, )(?:DNS|IP Address):/g, '$1')
