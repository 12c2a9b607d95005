// A requestor that sees a part only: under random bindings that come, move in and out of its part, change hands and end, it
// is never told of one that was not in it, and knows at the end exactly what is in it (pitfalls of filters that forget).
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { BindingState, type Family } from '../../sidecar/binding.ts'
import { FoldedBindings } from '../../sidecar/requestor/active-requestor.ts'
import type { ReportedBinding, RequestorEvent } from '../../sidecar/requestor/events.ts'
import { relayOf } from '../store/support.ts'
import { TestService } from '../support/requestor-service.ts'

const ADDRESSES = 6
const CLIENTS = 4
const relays = ['r1', 'r2'] as const
const remotes = ['s1', 's2'] as const

interface Step {
  readonly address: number
  /** Of DHCPv6 one client may hold several; undefined = one that was never seen. */
  readonly client: number | undefined
  readonly subnetId: number
  readonly relay: number
  readonly remote: number
  readonly active: boolean
  /** Seconds that pass before it. */
  readonly pause: number
}

const step: fc.Arbitrary<Step> = fc.record({
  address: fc.nat(ADDRESSES - 1),
  client: fc.option(fc.nat(CLIENTS - 1), { nil: undefined }),
  subnetId: fc.integer({ min: 1, max: 2 }),
  relay: fc.nat(1),
  remote: fc.nat(1),
  active: fc.boolean(),
  pause: fc.nat(1),
})
const scope = fc
  .record({ subnets: fc.boolean(), relays: fc.boolean(), remotes: fc.boolean() })
  .filter((one) => one.subnets || one.relays || one.remotes)
const hex = (text: string) => Buffer.from(text).toString('hex')

/** What is in the scope, what ever was, and who: addresses with their clients. */
class Oracle {
  readonly current = new Map<string, { readonly who: string; readonly inside: boolean }>()
  readonly #everInside = new Set<string>()

  put(address: string, who: string, inside: boolean, active: boolean): void {
    if (inside) this.#everInside.add(`${address} ${who}`)
    if (active) this.current.set(address, { who, inside })
    else this.current.delete(address)
  }

  get inside(): string[] {
    return [...this.current]
      .flatMap(([address, { who, inside }]) => (inside ? [`${address} ${who}`] : []))
      .sort()
  }

  permits(binding: ReportedBinding): void {
    const told = nameOf(binding)
    assert.ok(this.#everInside.has(told), `${told} was told, and never was in the scope`)
  }
}

function nameOf({ family, address, clientId, hardwareAddress }: ReportedBinding): string {
  return `${address} ${Buffer.from(family === 4 ? hardwareAddress : clientId).toString('hex')}`
}

for (const family of [4, 6] as const satisfies readonly Family[]) {
  // One service for all runs: what is made of each run lies at other addresses.
  const service = new TestService(family).walked()
  let run = 0
  let clients = 0x1000
  after(() => service.close())

  test(`DHCPv${family}: Active, catch-up and Bulk tell of nothing outside of a requestor's scope, and of all that is in it`, async () => {
    await fc.assert(
      fc.asyncProperty(
        scope,
        fc.array(step, { minLength: 4, maxLength: 40 }),
        fc.nat(100),
        async (part, steps, cutAt) => {
          run++
          const oracle = new Oracle()
          const mark = `r${run}`
          service.configure({
            requesters: [
              {
                address: family === 4 ? '127.0.0.1' : '::1',
                ...(part.subnets ? { subnets: [100 * run + 1] } : {}),
                'relay-ids': [hex(`${mark}r1`), ...(part.relays ? [] : [hex(`${mark}r2`)])],
                ...(part.remotes ? { 'remote-ids': [hex(`${mark}s1`)] } : {}),
              },
            ],
            advanced: { 'active-query-enabled': true, 'bulk-query-enabled': true },
          })
          service.now += 10
          const put = (one: Step) => {
            service.now += one.pause
            const n = one.client ?? clients++
            const id = [n >>> 8, n & 255]
            const address =
              family === 4
                ? `10.${run}.0.${one.address + 1}`
                : `2001:db8:${run}::${(one.address + 1).toString(16)}`
            const clientId = Uint8Array.of(0, 3, 0, 1, 2, 0, run >>> 8, run, ...id)
            const hardwareAddress = Uint8Array.of(2, 0, run >>> 8, run, ...id)
            const inside =
              (!part.subnets || one.subnetId === 1) &&
              (!part.relays || one.relay === 0) &&
              (!part.remotes || one.remote === 0)
            const who = Buffer.from(family === 4 ? hardwareAddress : clientId).toString('hex')
            oracle.put(address, who, inside, one.active)
            service.put(address, {
              clientId,
              hardwareAddress,
              subnetId: 100 * run + one.subnetId,
              state: one.active ? BindingState.active : BindingState.released,
              relay: relayOf(family, `${mark}${relays[one.relay]!}`, `${mark}${remotes[one.remote]!}`),
            })
          }
          const fold = new FoldedBindings()
          const looked = (until: (event: RequestorEvent) => boolean) => (event: RequestorEvent) => {
            if (event.type === 'binding') oracle.permits(event.binding)
            return until(event)
          }
          // Something in the scope that can only be told behind all else.
          const end = (n: number): Step => ({
            address: 99 + n,
            client: undefined,
            subnetId: 1,
            relay: 0,
            remote: 0,
            active: true,
            pause: 1,
          })
          const ended = (n: number) =>
            looked(
              (event) =>
                event.type === 'binding' &&
                event.binding.address.endsWith(family === 4 ? `.${100 + n}` : `::${(100 + n).toString(16)}`),
            )
          const known = () => [...fold.active.values()].map(nameOf).sort()

          const cut = Math.min(steps.length, Math.floor((cutAt / 100) * steps.length))
          const first = await service.connect({ since: service.now })
          await first.until(
            looked(({ type }) => type === 'catch-up-complete'),
            fold,
          )
          for (const one of steps.slice(0, cut)) put(one)
          put(end(0))
          await first.until(ended(0), fold)
          assert.deepEqual(known(), oracle.inside, 'followed')
          first.close()
          for (const one of steps.slice(cut)) put(one)
          const second = await service.connect({ since: first.resumePoint })
          await second.until(
            looked(({ type }) => type === 'catch-up-complete'),
            fold,
          )
          put(end(1))
          await second.until(ended(1), fold)
          assert.deepEqual(known(), oracle.inside, 'resumed')
          second.close()

          const bulk = await service.bulk()
          const { bindings, status } = await bulk.fetch({ by: 'all' })
          assert.equal(status, 'Success')
          for (const binding of bindings) oracle.permits(binding)
          const held = bindings.filter(({ state }) => state === BindingState.active).map(nameOf)
          assert.deepEqual([...new Set(held)].sort(), oracle.inside, 'Bulk')
          bulk.close()
        },
      ),
      { numRuns: 30, endOnFailure: true },
    )
  })
}
