// What is said about rows that no test shows, a sentence for each. A row has a test or stands here, never both.
import type { Row } from './rows.ts'

export const answerKinds = ['not applicable', 'not done', 'open'] as const
/**
 * - `not applicable`: its condition never holds here, or it asks this of no program
 * - `not done`: a SHOULD or MAY that is deliberately left, and why
 * - `open`: shown by no test yet
 */
export type AnswerKind = (typeof answerKinds)[number]

export interface Answer {
  readonly kind: AnswerKind
  readonly reason: string
}

const NO_VPNS = 'Kea has no VPNs, so only the global one is served; VSS of any other gets NotAllowed'
const NO_LEASED_RESERVATIONS = 'a reservation is told as leased only while it is, in Bulk answers, too'

const notApplicable: Readonly<Record<string, string>> = {
  '4388-6.4.2-11':
    'only values that the client itself sent are told, and those that Kea stored; none is determined for an answer',
  '4388-6.4.2-12':
    'Kea servers of an HA pair pass it to each other in the extended information of a lease; the partner tells what came',
  '5460-3-01': 'the requestor sends nothing over UDP',
  '5460-4-03': 'no Leasequery is served over UDP',
  '6607-7-01': NO_VPNS,
  '6607-7.1-01': NO_VPNS,
  '6607-9-02': NO_VPNS,
  '6926-6.2.7-05': 'Kea has no state of an address between two servers',
  '6926-7.2-06': NO_VPNS,
  '7653-9.3-07': NO_LEASED_RESERVATIONS,
  '7724-8.2-06': NO_LEASED_RESERVATIONS,
}

const NOT_MIXED =
  'what changes during the catch-up phase is told behind CatchUpComplete, in the order in which it changed'

const notDone: Readonly<Record<string, string>> = {
  '7653-8.4.1-01': NOT_MIXED,
  '7724-7.4.1-02': NOT_MIXED,
}

/** The reason why a row has no test; undefined = it needs one. */
export function answerTo({ id }: Row): Answer | undefined {
  const na = notApplicable[id]
  if (na !== undefined) return { kind: 'not applicable', reason: na }
  const nd = notDone[id]
  if (nd !== undefined) return { kind: 'not done', reason: nd }
  return undefined
}

/** All ids that have an answer of their own. */
export const answered: readonly string[] = [...Object.keys(notApplicable), ...Object.keys(notDone)]
