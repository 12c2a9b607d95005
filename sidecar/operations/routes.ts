// What is answered where: the one table of the operators' HTTP server.
import { EXPOSITION_TYPE } from './exposition.ts'
import type { Answer, Route } from './http.ts'
import type { Meter } from './meter.ts'
import { pageRoutes } from './page-files.ts'
import type { StatusSource } from './source.ts'

const TEXT = 'text/plain; charset=utf-8'

export function operationsRoutes(source: StatusSource, meter: Meter): ReadonlyMap<string, Route> {
  return new Map<string, Route>([
    ...pageRoutes(),
    ['/status.json', () => ({ type: 'application/json', body: `${source.json()}\n` })],
    ['/metrics', () => ({ type: EXPOSITION_TYPE, body: meter.text() })],
    ['/live', () => ({ type: TEXT, body: 'alive\n' })],
    ['/ready', () => ready(source)],
  ])
}

/** 200 and a sentence where requestors are served as they should be; 503 and the reasons where not. */
function ready(source: StatusSource): Answer {
  const { verdict } = source.status()
  const body = [verdict.sentence, ...verdict.reasons, ...verdict.concerns].join('\n')
  return { code: verdict.ready ? 200 : 503, type: TEXT, body: `${body}\n` }
}
