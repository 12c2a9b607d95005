// The same promise as in convergence.test.ts, with the code that runs inside Kea, real sockets and the real store.
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { HookLease } from '../support/hook-core.ts'
import { FollowedCore } from './over-core.ts'

const now = Math.floor(Date.now() / 1000)

function lease(n: number, client: number, cltt: number): HookLease {
  return {
    address: Uint8Array.of(192, 0, 2, n),
    validLifetime: 3600,
    cltt: now + cltt,
    subnetId: 1,
    hardwareType: 1,
    hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, client),
  }
}

type Step =
  | { do: 'put' | 'putSilently'; n: number; client: number; cltt: number }
  | { do: 'remove' | 'removeSilently'; n: number }
  | { do: 'burst'; count: number }
  | { do: 'reload' | 'restart' | 'cut' | 'resync' | 'failPages' | 'healPages' | 'breathe' }

const n = fc.integer({ min: 1, max: 40 })
const client = fc.integer({ min: 1, max: 4 })
const cltt = fc.integer({ min: 0, max: 600 })
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constantFrom('put' as const, 'putSilently' as const), n, client, cltt }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('remove' as const, 'removeSilently' as const), n }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('burst' as const), count: fc.integer({ min: 20, max: 2_000 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'reload',
        'restart',
        'cut',
        'resync',
        'failPages',
        'healPages',
        'breathe',
        'breathe',
        'breathe',
      ),
    }) as fc.Arbitrary<Step>,
  },
)

async function take(step: Step, followed: FollowedCore): Promise<void> {
  const { core } = followed
  switch (step.do) {
    case 'put':
      core.put(lease(step.n, step.client, step.cltt), { origin: 1 })
      break
    case 'putSilently':
      core.putSilently(lease(step.n, step.client, step.cltt))
      break
    case 'remove':
      core.remove(Uint8Array.of(192, 0, 2, step.n), { origin: 3 })
      break
    case 'removeSilently':
      core.removeSilently(Uint8Array.of(192, 0, 2, step.n))
      break
    case 'burst':
      for (let i = 0; i < step.count; i++) core.put(lease(41 + (i % 50), i % 7, i % 600), { origin: 1 })
      break
    case 'reload':
      core.renew()
      core.start()
      break
    case 'restart':
      await followed.unfollow()
      await followed.follow()
      break
    case 'cut':
      core.stop()
      core.start()
      break
    case 'resync':
      core.requestResync()
      break
    case 'failPages':
      core.failPages('gone')
      break
    case 'healPages':
      core.failPages(null)
      break
    case 'breathe':
      await new Promise((resolve) => setTimeout(resolve, 5))
      break
  }
}

describe("at rest, the store holds what the hook's core holds", () => {
  it('whatever was lost, reported by nobody, failed, cut or restarted on the way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 40, size: 'max' }), async (steps) => {
        await using followed = new FollowedCore({ ringEvents: 64, pageLeases: 16 })
        followed.core.start()
        await followed.follow()
        for (const step of steps) await take(step, followed)
        followed.core.failPages(null)
        await followed.inStep()
        await followed.walked()
        await followed.inStep()
        followed.agrees()
      }),
      { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 12), includeErrorInReport: true },
    )
  })
})
