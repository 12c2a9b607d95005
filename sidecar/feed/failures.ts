// Answers of Kea that are not what was asked for.
import type { AskedKind } from './asker.ts'
import { type FeedError, FeedErrorCode, type ReplyBody } from './events.ts'

/** In the words of the sentences that say it was not answered. */
export const askedFor: Readonly<Record<AskedKind, string>> = {
  hello: 'its identity',
  replay: 'missed events',
  page: 'a page of its leases',
  config: 'its subnets and reservations',
}

export function isError(body: ReplyBody, code: number): boolean {
  return body.kind === 'error' && body.code === code
}

/** What was answered instead of what was asked for. */
export function errorOf(body: ReplyBody, objection = `the answer is a ${body.kind}`): FeedError {
  return body.kind === 'error' ? body : { kind: 'error', code: FeedErrorCode.unspecified, text: objection }
}
