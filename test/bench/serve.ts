// What serving costs: a catch-up phase over everything the store holds, from the change index to frames, without a socket.
import { type BindingData, BindingState, type Family, Origin } from '../../sidecar/binding.ts'
import { encodeActiveQuery } from '../../sidecar/requestor/client.ts'
import { ChangeReader, openAt } from '../../sidecar/server/change-reader.ts'
import { dialect4 } from '../../sidecar/session/dialect4.ts'
import { dialect6 } from '../../sidecar/session/dialect6.ts'
import { defaultLimits } from '../../sidecar/session/limits.ts'
import { Session } from '../../sidecar/session/session.ts'
import type { Action, Input } from '../../sidecar/session/session-io.ts'
import { Memory } from '../../sidecar/store/memory.ts'
import type { FeedPosition } from '../../sidecar/store/store.ts'
import { framesOf } from '../../sidecar/wire/framing.ts'
import { mainThreadSeconds } from './measure.ts'
import type { BenchRow } from './row.ts'

const SECOND = 1_800_000_000
const moment = { mono: 0, now: SECOND, keaNow: SECOND }

class MemoryStore extends Memory {
  position: FeedPosition = { epoch: '', seq: 0, walkPending: false }
  async flush(): Promise<void> {}
  async close(): Promise<void> {}
}

/** @param bindings how many the store holds, each once in the catch-up phase */
export async function run(bindings: number): Promise<BenchRow[]> {
  return ([4, 6] as const).flatMap((family) => measure(family, bindings))
}

function measure(family: Family, bindings: number): BenchRow[] {
  const store = new MemoryStore(family)
  for (let i = 0; i < bindings; i++) store.put(binding(family, i), SECOND)
  store.raiseHorizon(SECOND - 1)

  let messages = 0
  let octets = 0
  const began = mainThreadSeconds()
  catchUp(family, store, (frame) => {
    messages++
    octets += frame.length
  })
  const serving = mainThreadSeconds() - began
  if (messages < bindings) throw new Error(`${bindings} bindings made only ${messages} messages`)

  // The least that could be done: the same octets from one place in memory to another.
  const frame = new Uint8Array(Math.round(octets / messages))
  const out = new Uint8Array(64 * 1024)
  const copyBegan = mainThreadSeconds()
  for (let i = 0, at = 0; i < messages; i++, at += frame.length) {
    if (at + frame.length > out.length) at = 0
    frame[0] = i
    out.set(frame, at)
  }
  const copying = mainThreadSeconds() - copyBegan
  return [
    {
      name: `catch-up v${family}, index to frames`,
      value: messages / serving,
      unit: 'messages/s a core',
      than: { name: 'copying the same octets', ratio: copying / serving },
    },
    { name: `catch-up v${family}, octets a message`, value: octets / messages, unit: 'octets' },
  ]
}

/** Runs a session from query to CatchUpComplete; a requestor that always reads. */
function catchUp(family: Family, store: MemoryStore, sent: (frame: Uint8Array) => void): void {
  const session = new Session(
    family === 4 ? dialect4 : dialect6,
    {
      limits: defaultLimits,
      rights: {
        active: true,
        bulk: false,
        withhold: new Set(),
        subnets: [],
        relayDataAlways: false,
        relayIds: [],
        remoteIds: [],
        keepaliveSeconds: 0,
        keepaliveForm: 'status',
      },
      service: {
        identity: new Uint8Array(family === 4 ? 4 : 14).fill(1),
        activeEnabled: true,
        bulkEnabled: false,
      },
      tls: { mode: 'off', ready: false },
    },
    moment,
  )
  const reader = new ChangeReader(store, (subnet) => subnet)
  let done = false
  const inputs: Input[] = [{ type: 'bytes', data: encodeActiveQuery({ family, xid: 7, since: SECOND - 1 }) }]
  const perform = (action: Action): void => {
    if (action.type === 'send') sent(action.message)
    else if (action.type === 'send-frames') for (const frame of framesOf(action.frames)) sent(frame)
    else if (action.type === 'open') inputs.push(openAt(store, action.since, SECOND))
    else if (action.type === 'write-changes') {
      inputs.push(reader.write(action, moment))
    } else if (action.type === 'note' && action.note.event === 'caught-up') done = true
    else if (action.type === 'close') throw new Error(`closed: ${action.text}`)
  }
  while (!done) {
    const actions = session.handle(inputs.shift() ?? { type: 'writable' }, moment)
    for (const action of actions) perform(action)
    if (actions.length === 0 && inputs.length === 0) throw new Error('the session has stopped')
  }
}

function binding(family: Family, i: number): BindingData {
  const address = Buffer.alloc(family === 4 ? 4 : 16)
  address[0] = family === 4 ? 10 : 0x20
  address.writeUInt32BE((address.readUInt32BE(address.length - 4) | i) >>> 0, address.length - 4)
  const hardwareAddress = Buffer.from([2, 0, 0, 0, 0, 0])
  hardwareAddress.writeUInt32BE(i, 2)
  return {
    address,
    prefixLength: 0,
    state: BindingState.active,
    origin: Origin.client,
    subnetId: 1 + (i & 0xff),
    iaid: family === 4 ? 0 : 1,
    hardwareType: 1,
    hardwareAddress,
    clientId: Buffer.concat([Buffer.from([0, 3, 0, 1]), hardwareAddress]),
    validLifetime: 3600,
    preferredLifetime: family === 4 ? 0 : 1800,
    clientLastTransaction: SECOND,
    stateSince: SECOND,
    hostname: Buffer.from('host.example.net'),
    relay: family === 4 ? agentInfo : relayData,
    options: new Uint8Array(0),
  }
}

/** Option 82: circuit-id and remote-id of 18 octets each. */
const agentInfo = Buffer.concat([
  Buffer.from([1, 18]),
  Buffer.alloc(18, 0x41),
  Buffer.from([2, 18]),
  Buffer.alloc(18, 0x42),
])
/** Option 47: peer address and a RELAY-FORW with interface-id. */
const relayData = Buffer.concat([
  Buffer.alloc(16, 0x20),
  Buffer.from([12, 0]),
  Buffer.alloc(32, 0x20),
  Buffer.from([0, 18, 0, 18]),
  Buffer.alloc(18, 0x41),
])
