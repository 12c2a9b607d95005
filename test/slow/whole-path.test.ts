// As test/feed/whole-path.test.ts, longer: PROPERTY_RUNS sets how long.
import { it } from 'node:test'
import { CoreSource, ModelSource } from '../feed/source.ts'
import { converges } from '../feed/whole-path.ts'

it('requestors hold what Kea holds after long series of mishaps', () =>
  converges((options) => new ModelSource(options), 2_500, 200))

it("requestors hold what the hook's core holds after long series of mishaps", () =>
  converges((options) => new CoreSource(options), 40, 120))
