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

const notApplicable: Readonly<Record<string, string>> = {}

const notDone: Readonly<Record<string, string>> = {}

/** The reason why a row has no test; undefined = it needs one. */
export function answerTo({ id, role }: Row): Answer | undefined {
  const na = notApplicable[id]
  if (na !== undefined) return { kind: 'not applicable', reason: na }
  const nd = notDone[id]
  if (nd !== undefined) return { kind: 'not done', reason: nd }
  if (role === 'requestor') return { kind: 'open', reason: 'the requestor has no tests by row yet' }
  return { kind: 'open', reason: 'its tests are being written' }
}

/** All ids that have an answer of their own. */
export const answered: readonly string[] = [...Object.keys(notApplicable), ...Object.keys(notDone)]
