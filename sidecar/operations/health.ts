// Whether all is well, from plain facts: for /ready, for the sentence at the top of the status page, and for
// `kea-leasequery status`. One table of rules; nothing here reads a clock or a socket.
import type { Family } from '../binding.ts'
import type { FeedState } from '../feed/notes.ts'

/** What is judged of one family. */
export interface FamilyFacts {
  readonly family: Family
  /**
   * Somebody wants it served: --feed names it, or its Kea has been heard, in this run or an earlier one. A family that is
   * followed by default, and whose Kea is not installed, is none's.
   */
  readonly expected: boolean
  readonly storeOpen: boolean
  readonly feedState: FeedState
  /** The library in Kea has no sockets at the feed's place. */
  readonly socketsGone: boolean
  /** Milliseconds since Kea was last heard, or since the start. */
  readonly silentForMs: number
  /** A walk over Kea's leases has been completed, in this run or an earlier one: the store knows all bindings. */
  readonly walked: boolean
  /** Parameters of kea.conf are in force, be they those that were accepted last. */
  readonly configured: boolean
  /** They enable Active or Bulk queries. */
  readonly enabled: boolean
  /** How many addresses it listens on, and how many it should. */
  readonly listening: number
  readonly places: number
  /** TLS is required and there is no certificate to serve with. */
  readonly lacksCertificate: boolean
  /** What the operator should know besides, one sentence each; as in lease-feed-status. */
  readonly problems: readonly string[]
}

export interface HealthFacts {
  readonly families: readonly FamilyFacts[]
}

export interface Verdict {
  /** Requestors of every expected family are served from a store that knows Kea's leases as they are now. */
  readonly ready: boolean
  /** One sentence: all is well, or what is not. */
  readonly sentence: string
  /** Why it is not ready, a line each: "DHCPv4: ...". Empty where it is. */
  readonly reasons: readonly string[]
  /** It serves all the same, and somebody should look at this. */
  readonly concerns: readonly string[]
  /** What to do about the reasons, a sentence each. */
  readonly advice: readonly string[]
}

interface Rule {
  readonly rule: string
  /** Why a family is not ready; undefined = the rule holds. */
  readonly broken: (facts: FamilyFacts) => string | undefined
  /** What to do where it is broken, in a sentence. */
  readonly advice: (facts: FamilyFacts) => string
}

const seconds = (ms: number) => `${Math.round(ms / 1000)} s`

/** What has to hold for each family. README.md has the same list, and a test holds the two equal. */
export const rules: readonly Rule[] = [
  {
    rule: 'its store is open',
    broken: ({ storeOpen }) => (storeOpen ? undefined : 'the store is not open'),
    advice: () => 'The service is stopping, or should be started anew.',
  },
  {
    rule: 'Kea has been heard within the last 5 s, and speaks the same contract',
    broken: ({ feedState, silentForMs }) => {
      if (feedState === 'refused') return 'the library in Kea is of another release than this program'
      if (feedState === 'connecting') return 'Kea has not been heard yet'
      return feedState === 'silent' ? `Kea has not been heard for ${seconds(silentForMs)}` : undefined
    },
    advice: ({ feedState, socketsGone, family }) => {
      if (feedState === 'refused')
        return 'Install a library and a kea-leasequery that belong together, and start Kea anew.'
      if (!socketsGone)
        return `The sockets of its feed are there: see whether kea-dhcp${family} was killed, hangs or cannot be reached.`
      return `Its feed has no sockets: see whether kea-dhcp${family} runs, and whether its hooks-libraries still have libdhcp_lease_feed.so with this endpoint.`
    },
  },
  {
    rule: 'a walk over all of its leases has been completed, now or in an earlier run',
    broken: ({ walked }) =>
      walked ? undefined : "the first walk over Kea's leases is not complete: bindings may be missing",
    advice: ({ feedState }) =>
      feedState === 'walking'
        ? 'It ends by itself; a million leases take about a minute.'
        : 'It begins when Kea is heard.',
  },
  {
    rule: 'parameters of kea.conf are in force, and enable Active or Bulk queries',
    broken: ({ configured, enabled }) => {
      if (!configured) return 'no parameters of kea.conf have been accepted yet'
      return enabled ? undefined : 'kea.conf enables neither Active nor Bulk queries'
    },
    advice: ({ configured }) =>
      configured
        ? 'Set active-query-enabled or bulk-query-enabled in the parameters of libdhcp_lease_feed.so.'
        : 'They come from Kea, with the feed.',
  },
  {
    rule: 'it listens on all of its addresses, and has a certificate where TLS is required',
    broken: ({ configured, enabled, listening, places, lacksCertificate }) => {
      if (!configured || !enabled) return undefined // Said already.
      if (lacksCertificate) return 'TLS is required and there is no certificate that could be used'
      if (listening === 0) return 'it does not listen for requestors'
      return listening < places ? `it listens on ${listening} of ${places} addresses` : undefined
    },
    advice: ({ lacksCertificate }) =>
      lacksCertificate
        ? 'See that the files of tls in kea.conf can be read by the service; they are tried again each minute.'
        : 'See that the addresses of lease-query-ip are those of this host, and that nobody else has the port.',
  },
]

/** Judges what is known about the process. */
export function verdict({ families }: HealthFacts): Verdict {
  const expected = families.filter((facts) => facts.expected)
  const broken = expected.flatMap((facts) =>
    rules.flatMap((rule) => {
      const why = rule.broken(facts)
      return why === undefined ? [] : [{ reason: `DHCPv${facts.family}: ${why}`, advice: rule.advice(facts) }]
    }),
  )
  const reasons = broken.map(({ reason }) => reason)
  const advice = [...new Set(broken.map(({ advice }) => advice))]
  if (expected.length === 0) reasons.push('no Kea has been heard yet')
  const concerns = expected.flatMap(({ family, problems }) =>
    problems.map((text) => `DHCPv${family}: ${text}`),
  )
  const sentence = sentenceOf(expected, reasons, concerns)
  return { ready: reasons.length === 0, sentence, reasons, concerns, advice }
}

function sentenceOf(
  expected: readonly FamilyFacts[],
  reasons: readonly string[],
  concerns: readonly string[],
): string {
  if (reasons.length > 0) return `Not ready. ${reasons.join('; ')}.`
  const names = expected.map(({ family }) => `DHCPv${family}`).join(' and ')
  const served = `${names} ${expected.length > 1 ? 'are' : 'is'} followed and served`
  if (concerns.length === 0) return `All is well: ${served}.`
  const [first] = concerns
  const more = concerns.length > 1 ? `, and ${concerns.length - 1} more` : ''
  return `${served}, but look at this: ${first}${more}.`
}
