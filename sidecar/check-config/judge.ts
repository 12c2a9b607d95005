// Judges parameters by the code that the running sidecar reads them with. That stops at the first mistake, so each is left
// out once it is told, and the rest is judged again.
import { ConfigError } from '../config-map.ts'
import { error, type Finding } from './finding.ts'
import type { Node } from './kea-json.ts'
import { find, holdsAny, plain } from './nodes.ts'

export interface Judged<T> {
  /** What was read, without what is wrong; undefined: nothing could be. */
  readonly read: T | undefined
  readonly findings: readonly Finding[]
}

/**
 * @param read throws ConfigError at what is wrong
 * @param leftOut grows by what is wrong
 */
export function judge<T>(parameters: Node, leftOut: Set<Node>, read: (plain: unknown) => T): Judged<T> {
  const findings: Finding[] = []
  for (;;) {
    try {
      return { read: read(plain(parameters, leftOut)), findings }
    } catch (fault) {
      if (!(fault instanceof ConfigError)) throw fault
      const { path, at, node } = find(parameters, fault.parameter, leftOut)
      const { value, reason } = fault.fields
      // That something is missing now may only be so because it was wrong.
      if (!holdsAny(node, leftOut)) {
        findings.push(error(at, `parameter ${path || fault.parameter} is ${value}: ${reason}`))
      }
      // What cannot be found cannot be left out, and would be told for ever.
      if (node === undefined || node === parameters) return { read: undefined, findings }
      leftOut.add(node)
    }
  }
}
