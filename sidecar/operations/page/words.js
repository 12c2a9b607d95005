// Numbers, times and states in words.

const numbers = new Intl.NumberFormat('en')
const short = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })

export const count = (n) => numbers.format(n)

/** A number with its noun: "1 change", "2,000 changes". */
export const counted = (n, noun, nouns = `${noun}s`) => `${count(n)} ${n === 1 ? noun : nouns}`

/** How many a second there were in the last ten of these. */
export function recentRate(perSecond) {
  const recent = perSecond.slice(-10)
  const rate = recent.reduce((sum, n) => sum + n, 0) / Math.max(1, recent.length)
  return rate < 10 ? short.format(rate) : count(Math.round(rate))
}

const units = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
]

/** Seconds in its two largest units: "3 d 4 h", "42 s". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds))
  const at = units.findIndex(([size]) => whole >= size)
  if (at < 0) return '0 s'
  const [size, name] = units[at]
  const rest = units[at + 1]
  const more = rest === undefined ? 0 : Math.floor((whole % size) / rest[0])
  return `${Math.floor(whole / size)} ${name}${more > 0 ? ` ${more} ${rest[1]}` : ''}`
}

export const ago = (seconds) => (seconds < 1 ? 'now' : `${duration(seconds)} ago`)

/** Octets as people say them. */
export function octets(n) {
  const names = ['octets', 'KB', 'MB', 'GB', 'TB']
  let at = 0
  while (n >= 1000 && at < names.length - 1) {
    n /= 1000
    at++
  }
  return `${n < 10 && at > 0 ? short.format(n) : count(Math.round(n))} ${names[at]}`
}

const hours = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }
const clock = new Intl.DateTimeFormat('en-GB', { ...hours, second: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { ...hours, day: 'numeric', month: 'short' })

/** Unix seconds as the time of day, or as a date where it is another day. */
export function time(at) {
  const date = new Date(at * 1000)
  return (Math.abs(Date.now() - date) < 43_200_000 ? clock : day).format(date)
}

/** What a feed does, and whether that is as it should be. */
export const feedStates = {
  following: ['Following Kea', 'well'],
  replaying: ['Fetching missed changes', 'busy'],
  walking: ["Comparing with Kea's leases", 'busy'],
  connecting: ['Waiting for Kea', 'ill'],
  silent: ['Kea is silent', 'ill'],
  refused: ['Kea speaks another version', 'ill'],
}

const phases = {
  expecting: 'idle',
  securing: 'TLS begins',
  refused: 'refused',
  bulk: 'Bulk',
  opening: 'Active, begins',
  'catching-up': 'Active, catching up',
  live: 'Active, follows',
  closed: 'closing',
}

const phaseMoods = { live: 'well', expecting: 'quiet' }

/** What goes on with a requestor, and whether that is as it should be. */
export function requestorState({ phase, blockedSeconds, queries }) {
  if (blockedSeconds !== null && blockedSeconds >= 3)
    return [`takes nothing for ${duration(blockedSeconds)}`, 'ill']
  if (phase === 'bulk') {
    const running = queries.map(({ by }) => by).filter((by) => by !== null)
    return [`Bulk by ${running.join(', ')}`, 'busy']
  }
  return [phases[phase] ?? phase, phaseMoods[phase] ?? 'busy']
}
