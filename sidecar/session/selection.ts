import type { BindingData, Scope } from '../binding.ts'
import type { Dialect } from './dialect.ts'
import type { ActiveQuery } from './query.ts'
import type { Rights } from './session-io.ts'

/** Whether there are bindings that are not shown. */
export function isScoped({ subnets, relayIds, remoteIds }: Scope): boolean {
  return subnets.length + relayIds.length + remoteIds.length > 0
}

/** Whether a binding lies in a requestor's scope: in each list that is not empty, it is of one of its values. */
export function scopeOf(dialect: Dialect, scope: Scope): (data: BindingData) => boolean {
  const tests: ((data: BindingData) => boolean)[] = []
  if (scope.subnets.length > 0) {
    const subnets = new Set(scope.subnets)
    tests.push(({ subnetId }) => subnets.has(subnetId))
  }
  if (scope.relayIds.length > 0) tests.push(oneOf(scope.relayIds, (data) => dialect.relayIds(data)))
  if (scope.remoteIds.length > 0) tests.push(oneOf(scope.remoteIds, (data) => dialect.remoteIds(data)))
  return tests.length === 0 ? () => true : (data) => tests.every((test) => test(data))
}

function oneOf(allowed: readonly Uint8Array[], valuesOf: (data: BindingData) => Uint8Array[]) {
  const keys = new Set(allowed.map(textOf))
  return (data: BindingData) => valuesOf(data).some((value) => keys.has(textOf(value)))
}

/** What decides the words in which a requestor is told of changes, as a text; undefined where a query selects bindings. */
export function viewOf(query: ActiveQuery, rights: Rights): string | undefined {
  if (query.selects !== undefined) return undefined
  return JSON.stringify([
    [...query.requested].filter((code) => !rights.withhold.has(code)).sort(ascending),
    // What is withheld decides whether relay data is told, which is no option that was asked for by itself.
    [...rights.withhold].sort(ascending),
    query.wantsBaseTime,
    rights.relayDataAlways,
    query.requestorId.length, // takes room in the first message, and so decides how groups are cut
    [...rights.subnets].sort(ascending),
    rights.relayIds.map(textOf).sort(),
    rights.remoteIds.map(textOf).sort(),
  ])
}

function textOf(octets: Uint8Array): string {
  return octets.join('.')
}

function ascending(a: number, b: number): number {
  return a - b
}
