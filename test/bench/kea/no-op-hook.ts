/** The library that does nothing: what any library costs that has these callouts. */

import { compileLibrary } from '../../support/in-root.ts'
import type { KeaRoot } from '../../support/roots.ts'

/** @returns its path */
export function noOpHook(root: KeaRoot): Promise<string> {
  return compileLibrary(root, 'test/bench/kea/no-op-hook.cc', 'bench-kea', 'libdhcp_no_op.so')
}
