// A status, as the service tells it, on the page.
import { attribute, find, list, make, rows, text } from './dom.js'
import { facts, requestorCells } from './facts.js'
import { ago, count, duration, feedStates, octets, recentRate, time } from './words.js'

/** Changes of all families together. */
const MAX_CHANGES = 20

/** @param holdsStill the list of changes stays as it is */
export function show(status, holdsStill) {
  text(find('host'), `on ${status.host}`)
  text(find('about'), `version ${status.version}, up ${duration(status.upSeconds)}`)
  text(find('process'), `Process ${status.pid} holds ${octets(status.memory.residentOctets)} of memory.`)
  showVerdict(status.verdict)
  const families = status.families.filter(({ expected }) => expected)
  showFamilies(families, status.at)
  showRequestors(families)
  showRefusals(families)
  if (!holdsStill) showChanges(families)
}

const headlines = {
  look: 'Requestors are served, but something needs a look.',
  ill: 'Not ready: requestors may get old answers, or none.',
}

function showVerdict({ ready, sentence, reasons, concerns, advice }) {
  const level = !ready ? 'ill' : concerns.length > 0 ? 'look' : 'well'
  const before = document.body.dataset.level
  document.body.dataset.level = level
  const headline = headlines[level] ?? sentence
  text(find('verdict'), headline)
  document.title = `${level === 'well' ? '' : '(!) '}kea-leasequery: ${level === 'well' ? 'all is well' : level === 'look' ? 'look at this' : 'not ready'}`
  const items = [...reasons, ...concerns]
  find('reasons').hidden = items.length === 0
  list(
    find('reasons'),
    items.map((item, i) => ({ item, i })),
    ({ i }) => i,
    () => make('li', ''),
    (element, { item }) => text(element, item),
  )
  find('advice').hidden = advice.length === 0
  text(find('advice'), advice.join(' '))
  // Said once for each turn of events: the sentences count seconds, which nobody wants to be read out.
  if (before !== level && before !== 'unknown') text(find('spoken'), `${headline} ${items.join('. ')}`)
}

// ---- families

function showFamilies(families, now) {
  list(
    find('families'),
    families,
    ({ family }) => family,
    ({ family }) => {
      const article = find('family').content.firstElementChild.cloneNode(true)
      const name = article.querySelector('.name')
      name.id = `dhcpv${family}`
      name.textContent = `DHCPv${family}`
      article.setAttribute('aria-labelledby', name.id)
      return article
    },
    (article, family) => showFamily(article, family, now),
  )
}

function showFamily(article, status, now) {
  const { feed, bindings, changes } = status
  const [state, mood] = feedStates[feed.state]
  const line = article.querySelector('.state')
  attribute(line, 'data-mood', mood)
  text(line, state)
  text(article.querySelector('.active'), count(bindings.active))
  text(article.querySelector('.per-second'), recentRate(changes.perSecond))
  spark(article.querySelector('.spark'), changes.perSecond)
  list(
    article.querySelector('dl'),
    facts(status, now),
    ([name]) => name,
    ([name]) => {
      const group = make('div', '')
      group.append(make('dt', '', name), make('dd', ''))
      return group
    },
    (group, [, value, factMood = '']) => {
      attribute(group, 'data-mood', factMood)
      text(group.lastElementChild, value)
    },
  )
}

/** Changes in each of the last seconds as bars. */
function spark(svg, perSecond) {
  const most = Math.max(1, ...perSecond)
  const path = perSecond
    .map((n, i) => {
      const height = n === 0 ? 0 : Math.max(1.5, (30 * n) / most)
      return `M${120 - 2 * (perSecond.length - i) + 1} 32v-${height.toFixed(1)}`
    })
    .join('')
  if (svg.firstElementChild === null) {
    svg.append(document.createElementNS(svg.namespaceURI, 'path'))
  }
  attribute(svg.firstElementChild, 'd', path || 'M0 0')
  attribute(
    svg,
    'aria-label',
    `Changes in each of the last ${perSecond.length} seconds; at most ${count(Math.max(0, ...perSecond))}`,
  )
}

// ---- tables

function showRequestors(families) {
  const all = families.flatMap(({ family, service }) => service.requestors.map((of) => ({ family, ...of })))
  const total = families.reduce((sum, { service }) => sum + service.connections, 0)
  const parts = families.map(
    ({ family, service }) =>
      `DHCPv${family}: ${count(service.connections)} of ${count(service.config?.maxConnections ?? 0)}`,
  )
  text(
    find('requestors-sum'),
    parts.join(', ') + (total > all.length ? `; ${count(all.length)} are shown` : ''),
  )
  find('requestors').hidden = all.length === 0
  find('requestors-none').hidden = all.length > 0
  rows(find('requestors'), all, ({ conn }) => conn, requestorCells)
}

function showRefusals(families) {
  const all = families.flatMap(({ family, service }) => service.refusals.map((of) => ({ family, ...of })))
  find('refusals-part').hidden = all.length === 0
  rows(
    find('refusals'),
    all,
    ({ family, requestor }) => `${family} ${requestor}`,
    (of) => [
      { value: of.requestor, note: `DHCPv${of.family}` },
      { value: of.reason },
      { value: ago(of.ageSeconds), className: 'number' },
    ],
  )
}

const moods = { granted: 'well', renewed: 'quiet' }

function showChanges(families) {
  const all = families.flatMap(({ family, changes }) => changes.latest.map((of) => ({ family, ...of })))
  // Of one second in the order in which they came; those of two families have no order.
  all.sort((a, b) => b.at - a.at || a.family - b.family || b.number - a.number)
  find('changes').hidden = all.length === 0
  find('changes-none').hidden = all.length > 0
  rows(
    find('changes'),
    all.slice(0, MAX_CHANGES),
    ({ family, number }) => `${family} ${number}`,
    (of) => [
      { value: of.address },
      { value: of.what, mood: moods[of.what] ?? 'ended' },
      { value: of.by === 'unknown' ? '–' : of.by },
      { value: String(of.subnet), className: 'number' },
      { value: of.until === null ? '–' : time(of.until), className: 'number' },
      { value: time(of.at), className: 'number' },
    ],
  )
}
