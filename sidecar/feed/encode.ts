// Requests → octets.
import { CONTRACT_MAJOR, CONTRACT_MINOR, type Draft, encodeMessage } from './contract.ts'
import type { FeedRequest } from './events.ts'

/** @param follower who asks, for Kea's log: "kea-leasequery 0.1.0 pid 4711" */
export function encodeRequest(request: FeedRequest, follower: string): Uint8Array {
  return encodeMessage('Request', {
    id: request.id,
    epoch: Buffer.from(request.epoch, 'hex'),
    ...encodeBody(request, follower),
  })
}

function encodeBody({ body }: FeedRequest, follower: string): Draft<'Request'> {
  switch (body.kind) {
    case 'hello':
      return { hello: { contractMajor: CONTRACT_MAJOR, contractMinor: CONTRACT_MINOR, follower } }
    case 'replay':
      return { replay: { fromSeq: body.fromSeq, limit: body.limit } }
    case 'page':
      return { page: { walk: body.walk, after: body.after, limit: body.limit } }
    case 'config':
      return { config: { page: body.page, generation: body.generation } }
    case 'report':
      return { report: { follower, ...body.report } }
  }
}
