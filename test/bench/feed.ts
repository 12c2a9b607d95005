// What following the feed costs: decoding and applying events, from the hook's core to the store on disk, and walks.
import type { Family } from '../../sidecar/binding.ts'
import { type Draft, encodeMessage } from '../../sidecar/feed/contract.ts'
import { decodeFeedMessage } from '../../sidecar/feed/decode.ts'
import type { FeedRequest, Hello } from '../../sidecar/feed/events.ts'
import { Follower } from '../../sidecar/feed/follower.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import type { BindingStore, FeedPosition } from '../../sidecar/store/store.ts'
import { Followed } from './followed.ts'
import { mainThreadSeconds, type Pauses, timed, watchPauses } from './measure.ts'
import type { BenchRow, Goal } from './row.ts'

const BATCH = 256
const EPOCH = Buffer.alloc(16, 7)
const SECOND = 1_800_000_000
const ROUNDS = 5

/**
 * Rates "by one core" are by CPU time of the main thread, so that a busy machine does not change them much.
 * @param leases how many a walk reads
 * @param seconds for how long it is tried whether a rate of changes is kept up with
 */
export async function run(leases: number, seconds: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const family of [4, 6] as const) rows.push(...applying(family, Math.min(leases, 100_000)))
  rows.push(...(await following(leases, seconds)))
  return rows
}

/** The store in memory alone. */
class MemoryStore extends Memory implements BindingStore {
  position: FeedPosition = { epoch: EPOCH.toString('hex'), seq: 0, walkPending: false }
  async flush(): Promise<void> {}
  async close(): Promise<void> {}
}

function applying(family: Family, known: number): BenchRow[] {
  const rows: BenchRow[] = []
  const add = (name: string, value: number): void => {
    rows.push({ name: `feed v${family}, ${name}`, value: Math.round(value), unit: '1/s' })
  }
  const rounds: Uint8Array[][] = []
  let octets = 0
  let seq = 1
  for (let round = 0; round < ROUNDS; round++) {
    const frames: Uint8Array[] = []
    for (let first = 1; first <= known; first += BATCH) {
      const events = renewals(family, first, Math.min(BATCH, known + 1 - first), round)
      const batch = { epoch: EPOCH, firstSeq: seq, clock: SECOND * 1000, events }
      const frame = Buffer.from(encodeMessage('FeedMessage', { batch }))
      frames.push(frame)
      octets += frame.length
      seq += events.length
    }
    rounds.push(frames)
  }
  rows.push({
    name: `feed v${family}, octets of an event`,
    value: Math.round(octets / (ROUNDS * known)),
    unit: 'octets',
  })

  const store = new MemoryStore(family)
  store.raiseHorizon(SECOND)
  const follower = new Follower(
    { family, store, clock: () => SECOND, opening: { wasClean: true }, settings: { walkEveryMs: 0 } },
    0,
  )
  answerHello(follower, family)
  const decode = (frames: readonly Uint8Array[]): void => {
    for (const frame of frames) decodeFeedMessage(frame, family)
  }
  const apply = (frames: readonly Uint8Array[]): void => {
    for (const frame of frames) follower.message(decodeFeedMessage(frame, family), 0)
  }
  for (const frames of rounds) decode(frames)
  const decoding = coreSeconds(() => rounds.forEach(decode))
  apply(rounds[0]!)
  const applying = coreSeconds(() => rounds.slice(1).forEach(apply))
  add('events decoded, by one core', (ROUNDS * known) / decoding)
  add('renewals decoded and applied, by one core', ((ROUNDS - 1) * known) / applying)
  if (follower.status(0).appliedSeq !== seq - 1) throw new Error('not everything was applied')
  return rows
}

function answerHello(follower: Follower, family: Family): void {
  const hello: Hello = {
    kind: 'hello',
    contractMajor: 1,
    contractMinor: 0,
    family,
    keaVersion: '',
    hookVersion: '',
    lastSeq: 0,
    oldestSeq: 1,
    clock: SECOND * 1000,
    serverDuid: new Uint8Array(0),
    serverIdentifiers: [],
    service: '',
    serviceGeneration: 1,
    configGeneration: 1,
    resyncGeneration: 0,
    tap: true,
    extendedInfo: false,
  }
  const request = follower.takeOutputs().find(({ kind }) => kind === 'request') as { request: FeedRequest }
  follower.reply({ id: request.request.id, epoch: EPOCH.toString('hex'), body: hello }, 0)
}

/** Renewals of relayed clients, some 230 octets each. */
function renewals(family: Family, first: number, count: number, round: number): Draft<'Event'>[] {
  const events: Draft<'Event'>[] = []
  for (let n = first; n < first + count; n++) {
    const address = Buffer.alloc(family === 4 ? 4 : 16)
    address[0] = family === 4 ? 10 : 0x20
    address.writeUIntBE(n, address.length - 3, 3)
    const hardwareAddress = Buffer.from([2, 0, 0, 0, 0, 0])
    hardwareAddress.writeUIntBE(n, 3, 3)
    events.push({
      change: {
        operation: 2,
        origin: 1,
        lease: {
          address,
          validLifetime: 3600,
          preferredLifetime: family === 4 ? 0 : 1800,
          cltt: SECOND + round,
          subnetId: 1 + (n & 0xff),
          iaid: family === 4 ? 0 : 1,
          hardwareType: 1,
          hardwareAddress,
          clientId: Buffer.concat([Buffer.from([0, 3, 0, 1]), hardwareAddress]),
          hostname: Buffer.from('host.example.net'),
        },
        packet: {
          messageType: 3,
          relay:
            family === 4
              ? { agentInfo: Buffer.alloc(40, 1) }
              : {
                  hops: [{ linkAddress: address, peerAddress: address, options: Buffer.alloc(40, 1) }],
                  source: address,
                },
          options: Buffer.alloc(80, 3),
        },
      },
    })
  }
  return events
}

/** From the hook's core over its sockets to the store and its disk. */
async function following(leases: number, seconds: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  const add = (name: string, value: number, unit: string, goal?: Goal): void => {
    rows.push({
      name: `feed over ipc, ${name}`,
      value: Math.round(value * 10) / 10,
      unit,
      ...(goal && { goal }),
    })
  }
  await using feed = await Followed.open(4, leases, FLOODED)
  let pauses = watchPauses()
  let { clock, cpu } = await timed(() => feed.start())
  add('first walk, leases', leases / clock, '1/s')
  add('first walk, leases by one core', leases / cpu, '1/s')
  add('first walk, longest pause of the event loop', pauses().longest, 'ms')
  pauses = watchPauses()
  ;({ clock, cpu } = await timed(() => feed.walk()))
  add('walk of equal leases', leases / clock, '1/s')
  add('walk of equal leases by one core', leases / cpu, '1/s')
  add('walk of equal leases, longest pause of the event loop', pauses().longest, 'ms')

  const flood = Math.min(leases, 500_000)
  ;({ clock, cpu } = await timed(() => feed.change(flood)))
  add('changes as fast as they come, replays included', flood / clock, '1/s')
  add('changes by one core', flood / cpu, '1/s')

  let steady: Pauses | undefined
  let kept = 0
  for (const rate of RATES.filter((one) => one <= Math.max(leases, RATES[0]!))) {
    pauses = watchPauses()
    const keepsUp = await feed.keepsUp(rate, seconds)
    const seen = pauses()
    if (!keepsUp) break
    kept = rate
    steady = seen
  }
  add(`changes kept up with for ${seconds} s, none replayed`, kept, '1/s', { atLeast: 150_000 })
  if (steady !== undefined) {
    add(`the event loop at ${kept} changes/s is held for, p99`, steady.p99, 'ms')
    add(`the event loop at ${kept} changes/s is held for, longest`, steady.longest, 'ms', { atMost: 10 })
  }
  return rows
}

/** What the hook keeps while the follower is behind. */
const FLOODED = { ringEvents: 1_000_000, ringOctets: 512 << 20 }
/** Tried one after the other, until one is too much. */
const RATES = [10_000, 25_000, 50_000, 75_000, 100_000, 125_000, 150_000, 175_000, 200_000, 250_000]

function coreSeconds(run: () => unknown): number {
  const started = mainThreadSeconds()
  run()
  return mainThreadSeconds() - started
}
