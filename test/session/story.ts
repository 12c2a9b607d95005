// A driver with what stories are told by: bindings stored, and what the requestor makes of what it gets.
import { Driver, type Setup } from './driver.ts'
import type { FamilyUnderTest, Reply } from './families.ts'

export function story(family: FamilyUnderTest, setup: Partial<Setup> = {}) {
  const driver = new Driver(family.dialect, setup)
  return {
    driver,
    /** What has come since the last look. */
    replies: (): Reply[] => driver.fresh().map((frame) => family.read(frame)),
    /** Bindings told since the last look, in order. */
    told: (): string[] => driver.fresh().flatMap((frame) => family.read(frame).bindings),
    statuses: (): (string | undefined)[] => driver.fresh().map((frame) => family.read(frame).status),
    put(n: number, client: number, changes = {}): void {
      const { keaNow, now } = driver.time.moment
      driver.index.put(
        family.binding(n, client, { clientLastTransaction: keaNow, stateSince: keaNow, ...changes }),
        now,
      )
    },
    grew(): void {
      driver.grew()
      driver.settle()
    },
  }
}
